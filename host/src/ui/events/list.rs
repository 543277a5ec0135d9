//! Events, newest first; whoever may trigger sends one to a webhook from here (E3).

use askama::Template;
use axum::extract::RawQuery;
use axum::response::Response;
use serde::Deserialize;

use super::super::deliveries::list::{Named, webhooks};
use super::super::field::Field;
use super::super::form::Form;
use super::super::page::{Items, Page, Pager, Section, shown};
use super::super::query::Query;
use super::super::refusal::Answer;
use super::super::viewer::Viewer;
use crate::domain::clock::Millis;
use crate::domain::permission::Permission;

#[derive(Debug, Deserialize)]
struct Event {
    id: String,
    r#type: String,
    subject: Option<String>,
    received_at: Millis,
}

#[derive(Template)]
#[template(path = "events/list.html")]
struct ListPage {
    page: Page,
    kind: Field,
    events: Vec<Event>,
    webhooks: Vec<Named>,
    pager: Pager,
    is_filtered: bool,
    may_send: bool,
    may_trigger: bool,
}

/// The list.
pub(in super::super) async fn show(viewer: Viewer, RawQuery(query): RawQuery) -> Answer<Response> {
    let all = Query::parse(query.as_deref());
    let query = all.only(&["type"]);
    let events: Items<Event> = viewer.client.get(&all.only(&["type", "cursor"]).at("/events")).await?;
    let may_trigger = viewer.may(Permission::CanTriggerIntegrations);
    let webhooks = if may_trigger { webhooks(&viewer).await? } else { Vec::new() };
    let mut form = Form::default();
    form.set("/type", query.get("type").unwrap_or_default());
    Ok(shown(&ListPage {
        page: Page::new(&viewer, Section::Events, "Events"),
        kind: Field::line("/type", "Type").mono().of(&form).in_url(),
        pager: Pager::new("/events", &all, events.next_cursor.as_deref()),
        events: events.items,
        webhooks: webhooks.into_iter().filter(|webhook| webhook.enabled).collect(),
        is_filtered: !query.is_empty(),
        may_send: viewer.may(Permission::EventsPublish),
        may_trigger,
    }))
}
