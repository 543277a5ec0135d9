//! All webhooks of the project: how each stands and fares, and what one does with it.

use std::collections::HashMap;

use askama::Template;
use axum::extract::RawQuery;
use axum::response::Response;
use serde::Deserialize;

use super::super::field::Field;
use super::super::form::Form;
use super::super::overview::WebhookShare;
use super::super::page::{Items, Page, Pager, Section, shown};
use super::super::parts::{Status, Tone};
use super::super::query::Query;
use super::super::refusal::Answer;
use super::super::viewer::Viewer;
use crate::domain::permission::Permission;

/// Patterns that are shown of one webhook.
const PATTERNS: usize = 4;

#[derive(Debug, Deserialize)]
struct Webhook {
    id: String,
    name: String,
    url: String,
    events: Vec<String>,
    enabled: bool,
    disabled_reason: Option<String>,
    plugin: Option<Plugin>,
    breaker: Breaker,
}

#[derive(Debug, Deserialize)]
struct Plugin {
    name: String,
    version: String,
}

#[derive(Debug, Deserialize)]
struct Breaker {
    state: String,
}

#[derive(Debug, Deserialize)]
struct Shares {
    webhooks: Vec<WebhookShare>,
}

#[derive(Template)]
#[template(path = "webhooks/list.html")]
struct ListPage {
    page: Page,
    text: Field,
    state: Field,
    is_filtered: bool,
    webhooks: Vec<Webhook>,
    shares: HashMap<String, WebhookShare>,
    pager: Pager,
    may_write: bool,
    may_trigger: bool,
    sees_deliveries: bool,
}

impl Webhook {
    fn title(&self) -> &str {
        if self.name.is_empty() { &self.url } else { &self.name }
    }

    fn status(&self) -> Status {
        match &self.disabled_reason {
            Some(reason) => Status::new(Tone::Quiet, "disabled").because(reason),
            None if self.breaker.state != "closed" => Status::new(Tone::Warn, "pausing").because("the receiver fails"),
            None => Status::new(Tone::Good, "enabled"),
        }
    }

    fn patterns(&self) -> &[String] {
        &self.events[..self.events.len().min(PATTERNS)]
    }

    fn more_patterns(&self) -> usize {
        self.events.len().saturating_sub(PATTERNS)
    }

    fn is_like(&self, text: &str, state: &str) -> bool {
        let plugin = self.plugin.as_ref().map_or("", |plugin| plugin.name.as_str());
        let texts =
            [self.name.as_str(), &self.url, &self.id, plugin].into_iter().chain(self.events.iter().map(String::as_str));
        let has_text = text.is_empty() || texts.into_iter().any(|one| one.to_lowercase().contains(text));
        has_text
            && match state {
                "enabled" => self.enabled,
                "disabled" => !self.enabled,
                _ => true,
            }
    }
}

impl ListPage {
    fn share(&self, webhook: &Webhook) -> Option<&WebhookShare> {
        self.shares.get(&webhook.id)
    }
}

/// The list. A text or a state is looked for among the newest 200.
pub(in super::super) async fn show(viewer: Viewer, RawQuery(query): RawQuery) -> Answer<Response> {
    let query = Query::parse(query.as_deref()).only(&["cursor", "q", "state"]);
    let (text, state) = (query.get("q").unwrap_or_default().to_lowercase(), query.get("state").unwrap_or_default());
    let is_filtered = !text.is_empty() || !state.is_empty();
    let asked = if is_filtered { Query::default().with("limit", "200") } else { query.clone() };
    let mut webhooks: Items<Webhook> = viewer.client.get(&asked.at("/webhooks")).await?;
    webhooks.items.retain(|webhook| webhook.is_like(&text, state));
    let next = webhooks.next_cursor.as_deref().filter(|_| !is_filtered);
    let sees_deliveries = viewer.may(Permission::DeliveriesRead);
    let shares = if sees_deliveries && !webhooks.items.is_empty() {
        viewer.client.get::<Shares>("/overview?hours=24").await?.webhooks
    } else {
        Vec::new()
    };
    let mut form = Form::default();
    form.set("/q", query.get("q").unwrap_or_default());
    form.set("/state", state);
    let states = [("", "any"), ("enabled", "enabled"), ("disabled", "disabled")];
    Ok(shown(&ListPage {
        page: Page::new(&viewer, Section::Webhooks, "Webhooks"),
        text: Field::typed("/q", "Name, URL, event or plugin", "search").of(&form).in_url(),
        state: Field::choice("/state", "Status", states).of(&form).in_url(),
        is_filtered,
        pager: Pager::new("/webhooks", &query, next),
        webhooks: webhooks.items,
        shares: shares.into_iter().map(|share| (share.webhook_id.clone(), share)).collect(),
        may_write: viewer.may(Permission::WebhooksWrite),
        may_trigger: viewer.may(Permission::CanTriggerIntegrations),
        sees_deliveries,
    }))
}
