//! One webhook: how it stands, what it is, what it sent.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::super::client::segment;
use super::super::delivery::Summary;
use super::super::field::Field;
use super::super::form::Form;
use super::super::page::{Items, Page, Section, shown};
use super::super::parts::{Id, Status, Tone, lasting};
use super::super::refusal::Answer;
use super::super::viewer::Viewer;
use super::retries;
use crate::domain::clock::Millis;
use crate::domain::permission::Permission;

/// Deliveries that are shown; the log has all.
const RECENT: u32 = 10;
/// Facts that are shown.
const FACTS: u32 = 20;

/// As the API tells it.
#[derive(Debug, Deserialize)]
struct Webhook {
    id: String,
    name: String,
    description: Option<String>,
    url: String,
    events: Vec<String>,
    filter: Option<String>,
    filter_stats: Option<FilterStats>,
    enabled: bool,
    disabled_reason: Option<String>,
    content_type: String,
    envelope: String,
    signing_keys: Vec<SigningKey>,
    github_signature: bool,
    bearer_token: Option<String>,
    body_token: Option<String>,
    headers: serde_json::Map<String, Value>,
    plugin: Option<Plugin>,
    retry: Value,
    timeout_ms: Option<u64>,
    on_uncertain: String,
    on_plugin_failure: String,
    order: String,
    rate_limit: Option<RateLimit>,
    breaker: Breaker,
    created_at: Millis,
    updated_at: Millis,
}

#[derive(Debug, Deserialize)]
struct FilterStats {
    evaluated: u64,
    matched: u64,
    errors: u64,
    last_error: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct SigningKey {
    created_at: Millis,
    expires_at: Option<Millis>,
}

#[derive(Debug, Deserialize)]
struct Plugin {
    name: String,
    version: String,
    config: Value,
    secrets: serde_json::Map<String, Value>,
    paused: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct RateLimit {
    requests: u64,
    per_ms: u64,
}

#[derive(Debug, Deserialize)]
struct Breaker {
    state: String,
    until: Option<Millis>,
}

#[derive(Debug, Deserialize)]
struct Fact {
    key: String,
    value: String,
    delivery_id: String,
    updated_at: Millis,
}

#[derive(Template)]
#[template(path = "webhooks/detail.html")]
struct DetailPage {
    page: Page,
    webhook: Webhook,
    deliveries: Vec<Summary>,
    facts: Option<Items<Fact>>,
    test_type: Field,
    test_payload: Field,
    may_write: bool,
    may_trigger: bool,
    may_retry: bool,
    may_audit: bool,
}

impl Webhook {
    fn title(&self) -> &str {
        if self.name.is_empty() { &self.url } else { &self.name }
    }

    fn status(&self) -> Status {
        if self.enabled { Status::new(Tone::Good, "enabled") } else { Status::new(Tone::Quiet, "disabled") }
    }

    fn shown_id(&self) -> Id {
        Id::new(&self.id)
    }

    fn retries(&self) -> String {
        retries::told(&self.retry)
    }
}

impl FilterStats {
    fn error(&self) -> Option<String> {
        let error = self.last_error.as_ref()?;
        Some(
            error["detail"].as_str().or(error["message"].as_str()).map_or_else(|| error.to_string(), ToOwned::to_owned),
        )
    }
}

impl Plugin {
    fn config(&self) -> String {
        serde_json::to_string_pretty(&self.config).unwrap_or_default()
    }

    fn path(&self) -> String {
        format!("/plugins/{}/versions/{}", segment(&self.name), segment(&self.version))
    }

    fn why_paused(&self) -> Option<String> {
        let paused = self.paused.as_ref()?;
        Some(paused["reason"].as_str().map_or_else(|| paused.to_string(), ToOwned::to_owned))
    }
}

/// All of it.
pub(in super::super) async fn show(Path(id): Path<String>, viewer: Viewer) -> Answer<Response> {
    let path = format!("/webhooks/{}", segment(&id));
    let webhook: Webhook = viewer.client.get(&path).await?;
    let deliveries = if viewer.may(Permission::DeliveriesRead) {
        viewer.client.get::<Items<Summary>>(&format!("{path}/deliveries?limit={RECENT}")).await?.items
    } else {
        Vec::new()
    };
    let facts = if viewer.sees_payloads() && webhook.plugin.is_some() {
        Some(viewer.client.get::<Items<Fact>>(&format!("{path}/facts?limit={FACTS}")).await?)
    } else {
        None
    };
    let form = Form::default();
    Ok(shown(&DetailPage {
        page: Page::new(&viewer, Section::Webhooks, webhook.title()).below("/webhooks", "Webhooks"),
        deliveries,
        facts,
        test_type: Field::line("test-type", "Type").example("webhook.test").mono().of(&form),
        test_payload: Field::text("test-payload", "Payload", 4)
            .help("JSON; empty for the example of the type, or a short message.")
            .mono()
            .of(&form),
        may_write: viewer.may(Permission::WebhooksWrite),
        may_trigger: viewer.may(Permission::CanTriggerIntegrations),
        may_retry: viewer.may(Permission::DeliveriesRetry),
        may_audit: viewer.may(Permission::AuditRead),
        webhook,
    }))
}
