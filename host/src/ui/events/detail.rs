//! One event: what it says, what each webhook did with it, and why others did nothing.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::client::segment;
use super::super::deliveries::list::{Named, webhooks};
use super::super::delivery::{Header, Summary};
use super::super::page::{Items, Page, Section, shown};
use super::super::parts::Id;
use super::super::refusal::{Answer, FieldError};
use super::super::viewer::Viewer;
use crate::domain::clock::Millis;
use crate::domain::permission::Permission;

/// Webhooks of which it is said why they did nothing.
const EXPLAINED: usize = 20;

#[derive(Debug, Deserialize)]
struct Event {
    id: String,
    r#type: String,
    subject: Option<String>,
    occurred_at: Millis,
    received_at: Millis,
    content_type: String,
    request_id: Option<String>,
    #[serde(default)]
    attributes: Vec<Header>,
    payload: Option<Value>,
    #[serde(default)]
    schema_errors: Vec<FieldError>,
}

/// A webhook that got nothing of it, and why.
struct Silent {
    id: String,
    title: String,
    reason: String,
}

#[derive(Template)]
#[template(path = "events/detail.html")]
struct DetailPage {
    page: Page,
    event: Event,
    payload: Option<String>,
    deliveries: Vec<(String, Summary)>,
    silent: Vec<Silent>,
    unexplained: usize,
    webhooks: Vec<Named>,
    sees_payloads: bool,
    may_trigger: bool,
    may_retry: bool,
}

impl DetailPage {
    fn shown_id(&self) -> Id {
        Id::new(&self.event.id)
    }
}

async fn silent(
    viewer: &Viewer,
    event: &str,
    webhooks: &[Named],
    deliveries: &[Summary],
) -> Answer<(Vec<Silent>, usize)> {
    let without =
        || webhooks.iter().filter(|webhook| !deliveries.iter().any(|delivery| delivery.webhook_id == webhook.id));
    let mut silent = Vec::new();
    for webhook in without().take(EXPLAINED) {
        let path = format!("/webhooks/{}/explain", segment(&webhook.id));
        let reply = viewer.client.proven(&viewer.me.csrf_token).post(&path, &json!({ "event_id": event })).await?;
        let reason = reply.text("/reason").to_owned();
        silent.push(Silent { id: webhook.id.clone(), title: webhook.title().to_owned(), reason });
    }
    Ok((silent, without().count().saturating_sub(EXPLAINED)))
}

/// All of it.
pub(in super::super) async fn show(Path(id): Path<String>, viewer: Viewer) -> Answer<Response> {
    let event: Event = viewer.client.get(&format!("/events/{}", segment(&id))).await?;
    let webhooks = webhooks(&viewer).await?;
    let deliveries = if viewer.may(Permission::DeliveriesRead) {
        viewer.client.get::<Items<Summary>>(&format!("/deliveries?event_id={}&limit=200", segment(&id))).await?.items
    } else {
        Vec::new()
    };
    let (silent, unexplained) = silent(&viewer, &event.id, &webhooks, &deliveries).await?;
    let title = |id: &str| {
        let named = webhooks.iter().find(|webhook| webhook.id == id);
        named.map_or_else(|| "deleted webhook".to_owned(), |webhook| webhook.title().to_owned())
    };
    let payload = event.payload.as_ref().map(|payload| serde_json::to_string_pretty(payload).unwrap_or_default());
    Ok(shown(&DetailPage {
        page: Page::new(&viewer, Section::Events, event.r#type.clone()).below("/events", "Events"),
        deliveries: deliveries.into_iter().map(|delivery| (title(&delivery.webhook_id), delivery)).collect(),
        silent,
        unexplained,
        webhooks: webhooks.into_iter().filter(|webhook| webhook.enabled).collect(),
        payload,
        sees_payloads: viewer.sees_payloads(),
        may_trigger: viewer.may(Permission::CanTriggerIntegrations),
        may_retry: viewer.may(Permission::DeliveriesRetry),
        event,
    }))
}
