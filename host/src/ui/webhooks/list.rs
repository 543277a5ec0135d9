//! All webhooks of the project.

use askama::Template;
use axum::extract::RawQuery;
use axum::response::Response;
use serde::Deserialize;

use super::super::page::{Items, Page, Pager, Section, shown};
use super::super::parts::{Id, Status, Tone, When};
use super::super::query::Query;
use super::super::refusal::Answer;
use super::super::viewer::Viewer;
use crate::domain::clock::Millis;
use crate::domain::permission::Permission;

#[derive(Deserialize)]
struct Webhook {
    id: String,
    name: String,
    url: String,
    events: Vec<String>,
    enabled: bool,
    disabled_reason: Option<String>,
    plugin: Option<Plugin>,
    updated_at: Millis,
}

#[derive(Deserialize)]
struct Plugin {
    name: String,
    version: String,
}

#[derive(Template)]
#[template(path = "webhooks/list.html")]
struct ListPage {
    page: Page,
    webhooks: Vec<Webhook>,
    pager: Pager,
    may_write: bool,
    may_trigger: bool,
    now: Millis,
}

impl Webhook {
    fn title(&self) -> &str {
        if self.name.is_empty() { &self.url } else { &self.name }
    }

    fn status(&self) -> Status {
        match &self.disabled_reason {
            Some(reason) => Status::new(Tone::Quiet, "disabled").because(reason),
            None => Status::new(Tone::Good, "enabled"),
        }
    }

    fn shown_id(&self) -> Id {
        Id::new(&self.id)
    }

    fn updated(&self, now: &Millis) -> When {
        When::new(self.updated_at, *now)
    }
}

/// The list.
pub(in super::super) async fn show(viewer: Viewer, RawQuery(query): RawQuery) -> Answer<Response> {
    let query = Query::parse(query.as_deref()).only(&["cursor"]);
    let webhooks: Items<Webhook> = viewer.client.get(&query.at("/webhooks")).await?;
    Ok(shown(&ListPage {
        page: Page::new(&viewer, Section::Webhooks, "Webhooks"),
        pager: Pager::new("/webhooks", &query, webhooks.next_cursor.as_deref()),
        webhooks: webhooks.items,
        may_write: viewer.may(Permission::WebhooksWrite),
        may_trigger: viewer.may(Permission::CanTriggerIntegrations),
        now: viewer.now,
    }))
}
