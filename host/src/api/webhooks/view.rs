//! A webhook as it is shown: secrets never.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::super::Api;
use crate::domain::clock::Millis;
use crate::domain::digest::DigestForm;
use crate::domain::filter::{Filter, LastError};
use crate::domain::id::{ProjectId, WebhookId};
use crate::domain::pattern::Pattern;
use crate::domain::plugin::Pause;
use crate::domain::plugin_limits::PluginLimits;
use crate::domain::retry::Schedule;
use crate::domain::rotation::valid;
use crate::domain::webhook::{
    ContentType, Envelope, MASK, OnPluginFailure, OnUncertain, Order, RateLimit, State, Webhook,
};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(in super::super) struct WebhookBody {
    id: WebhookId,
    project: ProjectId,
    /// By which other programs know it.
    external_id: Option<String>,
    name: String,
    description: Option<String>,
    labels: BTreeMap<String, String>,
    /// Its origin; the rest is masked.
    url: String,
    /// Which events it wants.
    events: Vec<Pattern>,
    filter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter_stats: Option<FilterStatsBody>,
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_reason: Option<String>,
    content_type: ContentType,
    envelope: Envelope,
    /// The keys that sign, newest first.
    signing_keys: Vec<SigningKeyBody>,
    github_signature: bool,
    /// Whether its requests are kept for whoever listens instead of being sent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    listener: bool,
    /// When it is deleted by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Millis>,
    /// Masked, as all secrets.
    bearer_token: Option<&'static str>,
    body_token: Option<&'static str>,
    headers: BTreeMap<String, &'static str>,
    plugin: Option<PluginBody>,
    /// The server's schedule when null.
    retry: Option<Schedule>,
    /// The server's when null.
    timeout_ms: Option<u64>,
    on_uncertain: OnUncertain,
    on_plugin_failure: OnPluginFailure,
    order: Order,
    order_wait_ms: Option<u64>,
    rate_limit: Option<RateLimit>,
    digest: Option<DigestForm>,
    /// Whether requests pause because the receiver fails, as this node sees it.
    breaker: BreakerBody,
    created_at: Millis,
    updated_at: Millis,
    /// In the answer that makes it only.
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_secret: Option<String>,
}

/// A webhook that was changed, for the audit log.
#[derive(Debug, Serialize)]
pub(super) struct ChangedBody {
    #[serde(flatten)]
    pub(super) webhook: WebhookBody,
    /// Secrets that are others now, which the rest does not show.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) secrets_changed: Vec<String>,
}

/// A key that signs, never the key itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SigningKey)]
struct SigningKeyBody {
    /// When it became the newest.
    created_at: Millis,
    /// Until then; none for the newest.
    expires_at: Option<Millis>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookPlugin)]
struct PluginBody {
    name: String,
    version: String,
    #[schema(value_type = Value)]
    config: Box<RawValue>,
    secrets: BTreeMap<String, &'static str>,
    limits: PluginLimits,
    /// Why its version is not run for the time being.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<Pause>,
}

/// Events of this node since it started or the filter was changed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FilterStats)]
struct FilterStatsBody {
    evaluated: u64,
    matched: u64,
    not_matched: u64,
    errors: u64,
    last_error: Option<LastError>,
}

impl FilterStatsBody {
    fn new(filter: &Filter) -> Self {
        let stats = filter.stats();
        let (matched, not_matched, errors) = (stats.matched(), stats.not_matched(), stats.errors());
        let evaluated = matched + not_matched + errors;
        Self { evaluated, matched, not_matched, errors, last_error: stats.last_error() }
    }
}

/// Whether requests pause because the receiver fails.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Breaker)]
#[serde(tag = "state", rename_all = "snake_case")]
enum BreakerBody {
    /// Requests pass.
    Closed,
    /// None passes until then.
    Open { until: Millis },
    /// One passes, and its result decides.
    HalfOpen,
}

impl BreakerBody {
    fn new(paused_until: Option<Millis>, now: Millis) -> Self {
        match paused_until {
            None => Self::Closed,
            Some(until) if until > now => Self::Open { until },
            Some(_) => Self::HalfOpen,
        }
    }
}

impl WebhookBody {
    /// The webhook as it is stored, and how it fares; the filter's counts are those of the one in use.
    pub(super) fn new(webhook: &Webhook, api: &Api) -> Self {
        let subscriptions = api.store.subscriptions();
        let configuration = &webhook.configuration;
        let plugin = configuration.plugin.as_ref().map(|plugin| PluginBody {
            name: plugin.name.clone(),
            version: plugin.version.clone(),
            config: RawValue::from_string(plugin.config.clone()).expect("a stored configuration is JSON"),
            secrets: webhook.secrets.plugin.keys().map(|name| (name.clone(), MASK)).collect(),
            limits: plugin.limits,
            paused: subscriptions.paused(plugin.version_id).cloned(),
        });
        let filter_stats = webhook.filter.as_ref().map(|filter| {
            let in_use = subscriptions.webhook(webhook.id).and_then(|in_use| in_use.filter.as_ref());
            FilterStatsBody::new(in_use.filter(|in_use| in_use.source() == filter.source()).unwrap_or(filter))
        });
        Self {
            id: webhook.id,
            project: webhook.project,
            external_id: webhook.external_id.clone(),
            name: webhook.name.clone(),
            description: webhook.description.clone(),
            labels: webhook.labels.clone(),
            url: webhook.masked_url(),
            events: webhook.events.clone(),
            filter: webhook.filter.as_ref().map(|filter| filter.source().to_owned()),
            filter_stats,
            enabled: webhook.state.is_enabled(),
            disabled_reason: match &webhook.state {
                State::Enabled => None,
                State::Disabled { reason } => Some(reason.clone()),
            },
            content_type: configuration.content_type,
            envelope: configuration.envelope,
            signing_keys: valid(&webhook.secrets.signing_keys, api.store.time(api.clock.now()))
                .map(|key| SigningKeyBody { created_at: key.created_at, expires_at: key.expires_at })
                .collect(),
            github_signature: webhook.github_signature,
            listener: webhook.is_listener,
            expires_at: webhook.expires_at,
            bearer_token: webhook.secrets.bearer_token.as_ref().map(|_| MASK),
            body_token: webhook.secrets.body_token.as_ref().map(|_| MASK),
            headers: webhook.header_names().map(|name| (name.to_owned(), MASK)).collect(),
            plugin,
            retry: webhook.retry.clone(),
            timeout_ms: webhook.timeout_ms,
            on_uncertain: webhook.on_uncertain,
            on_plugin_failure: webhook.on_plugin_failure,
            order: webhook.order,
            order_wait_ms: webhook.order_wait_ms,
            rate_limit: webhook.rate_limit,
            digest: webhook.digest.as_ref().map(|digest| digest.form().clone()),
            breaker: BreakerBody::new(api.ingest.paused_until(webhook.id), api.store.time(api.clock.now())),
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
            signing_secret: None,
        }
    }

    /// As it is stored, without how it fares.
    pub(super) fn without_state(self) -> Self {
        Self { filter_stats: None, breaker: BreakerBody::Closed, ..self }
    }

    /// With the newest signing secret, for the one answer that shows it.
    pub(super) fn with_signing_secret(self, webhook: &Webhook) -> Self {
        Self { signing_secret: webhook.secrets.signing_keys.first().map(|key| key.secret.to_text()), ..self }
    }
}
