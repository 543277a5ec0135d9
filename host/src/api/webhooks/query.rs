//! Which webhooks are listed, and in which order.

use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::super::extract::{named, sorted_page};
use super::super::problem::Answer;
use crate::domain::page::{Key, SortedRequest};
use crate::domain::pattern::EventType;
use crate::domain::problem::{FieldError, Problem};
use crate::domain::webhook::Webhook;

/// By what webhooks are sorted; with `-` the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[schema(as = WebhookSort)]
enum Sort {
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "-name")]
    NameDescending,
    #[serde(rename = "created_at")]
    CreatedAt,
    /// The newest first.
    #[default]
    #[serde(rename = "-created_at")]
    CreatedAtDescending,
    #[serde(rename = "updated_at")]
    UpdatedAt,
    #[serde(rename = "-updated_at")]
    UpdatedAtDescending,
}

impl Sort {
    const fn is_descending(self) -> bool {
        matches!(self, Self::NameDescending | Self::CreatedAtDescending | Self::UpdatedAtDescending)
    }

    fn key(self, webhook: &Webhook) -> Key {
        let id = webhook.id.uuid();
        match self {
            Self::Name | Self::NameDescending => Key::of_text(&webhook.name, id),
            Self::CreatedAt | Self::CreatedAtDescending => Key::of_time(webhook.created_at, id),
            Self::UpdatedAt | Self::UpdatedAtDescending => Key::of_time(webhook.updated_at, id),
        }
    }
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct WebhookQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// With this text in the name, the description, the external id or the host; large letters are like small ones.
    #[param(min_length = 1, max_length = 255)]
    q: Option<String>,
    /// The one of this external id.
    #[param(min_length = 1, max_length = 255)]
    external_id: Option<String>,
    enabled: Option<bool>,
    /// Whose patterns match this type.
    #[param(value_type = Option<EventType>)]
    event_type: Option<String>,
    /// Whose events pass through this plugin.
    #[param(min_length = 1, max_length = 255)]
    plugin: Option<String>,
    /// Whose events pass through this version of a plugin.
    #[param(min_length = 1, max_length = 255)]
    plugin_version: Option<String>,
    /// With this label, like `team:support`, or with any of this name, like `team`.
    #[param(min_length = 1, max_length = 511)]
    label: Option<String>,
    #[param(inline)]
    sort: Option<Sort>,
}

/// A choice of webhooks, read.
#[derive(Debug)]
pub(super) struct Choice {
    query: WebhookQuery,
    text: Option<String>,
    event_type: Option<EventType>,
    pub(super) page: SortedRequest,
}

impl WebhookQuery {
    pub(super) fn read(self) -> Answer<Choice> {
        let page = sorted_page(self.limit, self.cursor.as_deref(), self.sort.unwrap_or_default().is_descending())?;
        let mut wrong = Vec::new();
        named(&mut wrong, "q", self.q.as_deref(), 255);
        named(&mut wrong, "external_id", self.external_id.as_deref(), 255);
        named(&mut wrong, "plugin", self.plugin.as_deref(), 255);
        named(&mut wrong, "plugin_version", self.plugin_version.as_deref(), 255);
        named(&mut wrong, "label", self.label.as_deref(), 511);
        let event_type = self.event_type.as_deref().and_then(|text| {
            EventType::parse(text).map_err(|error| wrong.push(FieldError::new("/event_type", error.to_string()))).ok()
        });
        if !wrong.is_empty() {
            return Err(Problem::parameters(wrong).into());
        }
        Ok(Choice { text: self.q.as_deref().map(str::to_lowercase), event_type, page, query: self })
    }
}

impl Choice {
    pub(super) fn key(&self, webhook: &Webhook) -> Key {
        self.query.sort.unwrap_or_default().key(webhook)
    }

    pub(super) fn includes(&self, webhook: &Webhook) -> bool {
        let query = &self.query;
        let plugin = webhook.configuration.plugin.as_ref();
        let is = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
        is(&query.external_id, webhook.external_id.as_deref())
            && is(&query.plugin, plugin.map(|plugin| plugin.name.as_str()))
            && is(&query.plugin_version, plugin.map(|plugin| plugin.version.as_str()))
            && query.enabled.is_none_or(|enabled| enabled == webhook.state.is_enabled())
            && self.event_type.as_ref().is_none_or(|kind| webhook.events.iter().any(|pattern| pattern.matches(kind)))
            && query.label.as_deref().is_none_or(|label| has_label(webhook, label))
            && self.text.as_deref().is_none_or(|text| mentions(webhook, text))
    }
}

fn has_label(webhook: &Webhook, wanted: &str) -> bool {
    if webhook.labels.contains_key(wanted) {
        return true;
    }
    // A name may have colons of its own.
    let splits = wanted.match_indices(':');
    splits.into_iter().any(|(at, _)| webhook.labels.get(&wanted[..at]).is_some_and(|value| *value == wanted[at + 1..]))
}

/// Whether this text, in small letters, stands in what people see of it.
fn mentions(webhook: &Webhook, text: &str) -> bool {
    let host = webhook.secrets.url.host_str();
    let seen = [Some(webhook.name.as_str()), webhook.description.as_deref(), webhook.external_id.as_deref(), host];
    seen.into_iter().flatten().any(|seen| seen.to_lowercase().contains(text))
}
