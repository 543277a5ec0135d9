//! What is looked for in the log, as query parameters say it.

use std::str::FromStr;

use serde::Deserialize;
use utoipa::IntoParams;

use super::super::Api;
use super::super::auth::Caller;
use super::super::extract::page;
use super::super::problem::Answer;
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, Trigger};
use crate::domain::id::{EventId, WebhookId};
use crate::domain::page::PageRequest;
use crate::domain::problem::{FieldError, Problem};
use crate::domain::selection::{SELECTION_MAX_CHARS, Selection};
use crate::domain::token::Permission;
use crate::store::Search;

/// All of it as text, so that each mistake is told with its parameter.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct LogQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Of this webhook.
    #[param(value_type = Option<WebhookId>)]
    webhook_id: Option<String>,
    /// Of this event.
    #[param(value_type = Option<EventId>)]
    event_id: Option<String>,
    /// Of an event of this type.
    #[param(min_length = 1, max_length = 255)]
    event_type: Option<String>,
    /// That stand so.
    #[param(value_type = Option<DeliveryStatus>)]
    status: Option<String>,
    /// Of which an attempt was answered so.
    #[param(value_type = Option<u16>, minimum = 100, maximum = 999)]
    status_code: Option<String>,
    /// That pass through this plugin.
    #[param(min_length = 1, max_length = 255)]
    plugin: Option<String>,
    /// That pass through this version of a plugin.
    #[param(min_length = 1, max_length = 255)]
    plugin_version: Option<String>,
    /// Made for this reason.
    #[param(value_type = Option<Trigger>)]
    trigger: Option<String>,
    /// Made at this time or later.
    #[param(value_type = Option<Millis>)]
    since: Option<String>,
    /// Made before this time.
    #[param(value_type = Option<Millis>)]
    until: Option<String>,
    /// With this text in the event's payload, in a request or in an answer: within a time, for whoever may read events.
    #[param(min_length = 1, max_length = 255)]
    q: Option<String>,
}

/// What is wrong with parameters.
#[derive(Default)]
struct Wrong(Vec<FieldError>);

impl Wrong {
    fn tell(&mut self, name: &str, detail: impl Into<String>) {
        self.0.push(FieldError::new(format!("/{name}"), detail));
    }

    fn id<T: FromStr>(&mut self, name: &str, text: Option<&str>) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        text?.parse().map_err(|error: T::Err| self.tell(name, error.to_string())).ok()
    }

    fn time(&mut self, name: &str, text: Option<&str>) -> Option<Millis> {
        let time = Millis::parse(text?);
        if time.is_none() {
            self.tell(name, "expected a time like `2026-01-31T12:00:00Z` (RFC 3339)");
        }
        time
    }

    fn one_of<T: Copy + std::fmt::Display>(&mut self, name: &str, text: Option<&str>, all: &[T]) -> Option<T> {
        let text = text?;
        let found = all.iter().copied().find(|one| one.to_string() == text);
        if found.is_none() {
            let known: Vec<String> = all.iter().map(ToString::to_string).collect();
            self.tell(name, format!("is one of {}", known.join(", ")));
        }
        found
    }

    fn text(&mut self, name: &str, text: Option<String>) -> Option<String> {
        let text = text?;
        if (1..=SELECTION_MAX_CHARS).contains(&text.chars().count()) {
            return Some(text);
        }
        self.tell(name, format!("is 1 to {SELECTION_MAX_CHARS} characters"));
        None
    }

    fn status_code(&mut self, text: Option<&str>) -> Option<u16> {
        let code = text?.parse().ok().filter(|code| (100..=999).contains(code));
        if code.is_none() {
            self.tell("status_code", "is an HTTP status like 503");
        }
        code
    }
}

impl LogQuery {
    /// Whether it asks for a part of a list.
    pub(super) const fn pages(&self) -> bool {
        self.limit.is_some() || self.cursor.is_some()
    }

    /// Reads it. A text is looked for only within a time, and only by those who may read events.
    pub(super) fn read(self, api: &Api, caller: &Caller) -> Answer<(Search, PageRequest)> {
        if self.q.is_some() {
            caller.needs(Permission::EventsRead)?;
        }
        let page = page(self.limit, self.cursor.as_deref())?;
        let mut wrong = Wrong::default();
        let selection = Selection {
            webhook_id: wrong.id("webhook_id", self.webhook_id.as_deref()),
            event_id: wrong.id("event_id", self.event_id.as_deref()),
            event_type: wrong.text("event_type", self.event_type),
            status: wrong.one_of("status", self.status.as_deref(), DeliveryStatus::ALL),
            status_code: wrong.status_code(self.status_code.as_deref()),
            plugin: wrong.text("plugin", self.plugin),
            plugin_version: wrong.text("plugin_version", self.plugin_version),
            trigger: wrong.one_of("trigger", self.trigger.as_deref(), Trigger::ALL),
            since: wrong.time("since", self.since.as_deref()),
            until: wrong.time("until", self.until.as_deref()),
        };
        if let (Some(since), Some(until)) = (selection.since, selection.until)
            && since >= until
        {
            wrong.tell("until", "is later than `since`");
        }
        let text = wrong.text("q", self.q);
        if text.is_some() && self.since.is_none() {
            wrong.tell("since", "is needed with `q`: a text is looked for within a time");
        }
        if !wrong.0.is_empty() {
            return Err(Problem::parameters(wrong.0).into());
        }
        let log = &api.config.log;
        let rows = if text.is_some() { log.search_rows } else { log.scan_rows };
        Ok((Search { selection, text, rows }, page))
    }
}
