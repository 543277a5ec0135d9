//! An event by hand.

use askama::Template;
use axum::extract::RawQuery;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::client::segment;
use super::super::field::Field;
use super::super::flash::done;
use super::super::form::Form;
use super::super::page::{Items, Page, Section, shown_as};
use super::super::posted::Posted;
use super::super::query::Query;
use super::super::refusal::{Answer, Problem};
use super::super::viewer::Viewer;
use crate::domain::permission::Permission;

#[derive(Deserialize)]
struct EventType {
    name: String,
}

#[derive(Template)]
#[template(path = "events/send.html")]
struct SendPage {
    page: Page,
    form: Form,
    kind: Field,
    subject: Field,
    payload: Field,
    types: Vec<String>,
}

async fn page(viewer: &Viewer, form: Form) -> Answer<Response> {
    let types: Items<EventType> = viewer.client.get("/event-types").await?;
    let page = SendPage {
        page: Page::new(viewer, Section::Events, "Send an event").below("/events", "Events"),
        kind: Field::line("/type", "Type")
            .help("One of the catalogue, or any other.")
            .suggested("types")
            .mono()
            .needed()
            .of(&form),
        subject: Field::line("/subject", "Subject")
            .help("What it is about, like `ticket:42`. Webhooks with an order keep events of one subject in order.")
            .of(&form),
        payload: Field::text("/payload", "Payload", 14).help("JSON.").mono().deep().needed().of(&form),
        types: types.items.into_iter().map(|kind| kind.name).collect(),
        form,
    };
    Ok(shown_as(page.form.status(), &page))
}

/// The form; with `type` in the URL the example of that type.
pub(in super::super) async fn show(viewer: Viewer, RawQuery(query): RawQuery) -> Answer<Response> {
    viewer.needs(Permission::EventsPublish)?;
    let query = Query::parse(query.as_deref());
    let mut form = Form::default();
    if let Some(kind) = query.get("type") {
        form.set("/type", kind);
        form.set("/payload", example(&viewer, kind).await.unwrap_or_default());
    }
    page(&viewer, form).await
}

async fn example(viewer: &Viewer, kind: &str) -> Option<String> {
    let described: Value = viewer.client.get(&format!("/event-types/{}", segment(kind))).await.ok()?;
    let example = described.get("example").filter(|example| !example.is_null())?;
    serde_json::to_string_pretty(example).ok()
}

/// Sends it.
pub(in super::super) async fn submit(Posted { viewer, mut form }: Posted) -> Answer<Response> {
    let kind = form.filled("/type").unwrap_or_default().to_owned();
    if form.get("do") == Some("example") {
        return match example(&viewer, &kind).await {
            Some(example) => {
                form.replace("/payload", example);
                page(&viewer, form).await
            }
            None => page(&viewer, form.refused(Problem::field("/type", "has no example in the catalogue"))).await,
        };
    }
    let payload: Value = match serde_json::from_str(form.get("/payload").unwrap_or_default()) {
        Ok(payload) => payload,
        Err(error) => {
            return page(&viewer, form.refused(Problem::field("/payload", format!("is not JSON: {error}")))).await;
        }
    };
    let mut event = json!({ "type": kind, "payload": payload });
    if let Some(subject) = form.filled("/subject") {
        event["subject"] = subject.into();
    }
    match viewer.client.post("/events", &event).await {
        Ok(reply) => {
            let made = reply.body["deliveries"].as_array().map_or(0, Vec::len);
            let told = match made {
                0 => "The event is accepted. No webhook wants it; below stands why.".to_owned(),
                1 => "The event is accepted, and is on its way to 1 webhook.".to_owned(),
                many => format!("The event is accepted, and is on its way to {many} webhooks."),
            };
            let seen = viewer.may(Permission::EventsRead);
            Ok(done(&if seen { format!("/events/{}", reply.text("/id")) } else { "/events/new".to_owned() }, told))
        }
        Err(refusal) => page(&viewer, form.refused(refusal.about_the_form()?)).await,
    }
}
