//! Changes of a webhook: a merge patch (RFC 7396). What is absent stays, `null` takes away.

#![expect(clippy::option_option, reason = "a field of a merge patch is absent, null, or a value")]

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;
use utoipa::ToSchema;

use super::super::Api;
use super::super::form::{Errors, given};
use super::super::problem::Answer;
use super::digest::{DigestPatch, check_digest};
use super::form::{
    PluginForm, check_bearer, check_expiry, check_filter, check_headers, check_listener_url, check_needed_secrets,
    check_order, check_order_wait, check_patterns, check_plugin, check_rate_limit, check_secret, check_texts,
    check_timeout, check_token_place, check_url, state,
};
use crate::domain::plugin_limits::PluginLimits;
use crate::domain::problem::pointer_token;
use crate::domain::retry::Schedule;
use crate::domain::rotation::valid;
use crate::domain::webhook::{
    Configuration, ContentType, Envelope, OnPluginFailure, OnUncertain, Order, PluginUse, RateLimit, Secrets, Webhook,
};

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = WebhookPatch)]
#[serde(deny_unknown_fields)]
#[derive(Default)]
pub(in super::super) struct Patch {
    #[serde(default, deserialize_with = "given")]
    pub(super) name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) external_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) description: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) labels: Option<Option<BTreeMap<String, Option<String>>>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) url: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) events: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) filter: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) enabled: Option<Option<bool>>,
    /// What becomes of work that waits while the webhook is disabled: for a change that enables it.
    pub(super) open_work: Option<OnEnable>,
    #[serde(default, deserialize_with = "given")]
    pub(super) content_type: Option<Option<ContentType>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) envelope: Option<Option<Envelope>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) bearer_token: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) body_token: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) github_signature: Option<Option<bool>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) headers: Option<Option<BTreeMap<String, Option<String>>>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) plugin: Option<Option<PluginPatch>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) retry: Option<Option<Schedule>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) timeout_ms: Option<Option<u64>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) on_uncertain: Option<Option<OnUncertain>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) on_plugin_failure: Option<Option<OnPluginFailure>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) order: Option<Option<Order>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) order_wait_ms: Option<Option<u64>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) rate_limit: Option<Option<RateLimitPatch>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) digest: Option<Option<DigestPatch>>,
    /// From now on.
    #[serde(default, deserialize_with = "given")]
    pub(super) expires_in_ms: Option<Option<u64>>,
    /// As it was made: requests that are kept do not become requests that are sent.
    pub(super) listener: Option<bool>,
}

impl Patch {
    /// One that moves the webhook to this version and configuration of a plugin.
    pub(super) fn of_plugin(
        name: String,
        version: String,
        config: Box<RawValue>,
        secrets: BTreeMap<String, Option<String>>,
    ) -> Self {
        let plugin =
            PluginPatch { name: Some(name), version: Some(version), config: Some(Some(config)), secrets, limits: None };
        Self { plugin: Some(Some(plugin)), ..Self::default() }
    }
}

/// What becomes of work that waited while its webhook was disabled, when that is enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[schema(as = OnEnable)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnEnable {
    /// It goes on.
    #[default]
    Resume,
    /// It is cancelled.
    Cancel,
}

#[derive(Debug, Deserialize, Default, ToSchema)]
#[schema(as = RateLimitPatch)]
#[serde(deny_unknown_fields)]
pub(super) struct RateLimitPatch {
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    pub(super) requests: Option<Option<NonZeroU32>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 86_400_000)]
    pub(super) per_ms: Option<Option<NonZeroU64>>,
}

#[derive(Debug, Deserialize, Default, ToSchema)]
#[schema(as = WebhookPluginPatch)]
#[serde(deny_unknown_fields)]
pub(super) struct PluginPatch {
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Value>)]
    pub(super) config: Option<Option<Box<RawValue>>>,
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, Option<String>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) limits: Option<Option<BTreeMap<String, Option<u64>>>>,
}

/// The webhook as it is after the change, checked, and what becomes of work that waited if that enables it.
pub(super) async fn apply(api: &Api, current: &Webhook, mut patch: Patch) -> Answer<(Webhook, OnEnable)> {
    let mut errors = Errors::default();
    let mut next = current.clone();
    for (pointer, is_null) in
        [("/url", matches!(patch.url, Some(None))), ("/events", matches!(patch.events, Some(None)))]
    {
        if is_null {
            errors.add(pointer, "cannot be taken away");
        }
    }
    change_sending(api, &mut next, &mut patch, &mut errors);
    if let Some(Some(url)) = &patch.url
        && let Some(url) = changed_url(api, current, url, &mut errors).await
    {
        move_to(&mut next.secrets, url);
    }
    change_secrets(&mut next.secrets, &mut patch, &mut errors);
    if let Some(name) = patch.name {
        next.name = name.unwrap_or_default();
    }
    if let Some(external_id) = patch.external_id {
        next.external_id = external_id;
    }
    if let Some(description) = patch.description {
        next.description = description;
    }
    match patch.labels {
        None => {}
        Some(None) => next.labels.clear(),
        Some(Some(changes)) => {
            for (name, value) in changes {
                match value {
                    Some(value) => next.labels.insert(name, value),
                    None => next.labels.remove(&name),
                };
            }
        }
    }
    check_texts(&next.name, next.description.as_deref(), next.external_id.as_deref(), &next.labels, &mut errors);
    if let Some(Some(events)) = &patch.events {
        next.events = check_patterns(events, &mut errors);
    }
    if let Some(source) = patch.filter {
        next.filter = source.and_then(|source| check_filter(api, source, &mut errors));
    }
    if let Some(enabled) = patch.enabled {
        let enabled = enabled.unwrap_or(true);
        if enabled != next.state.is_enabled() {
            next.state = state(enabled);
        }
    }
    if patch.listener.is_some_and(|listener| listener != current.is_listener) {
        errors.add("/listener", "cannot be changed; make another webhook");
    }
    if let Some(expires_in_ms) = patch.expires_in_ms {
        check_expiry(expires_in_ms, current.is_listener, &mut errors);
        next.expires_at = expires_in_ms.map(|ms| api.clock.now().plus(ms));
    }
    if patch.open_work.is_some() && (current.state.is_enabled() || !next.state.is_enabled()) {
        errors.add("/open_work", "goes with `\"enabled\": true` for a webhook that is disabled");
    }
    let mut configuration = Configuration::clone(&current.configuration);
    if let Some(content_type) = patch.content_type {
        configuration.content_type = content_type.unwrap_or_default();
    }
    if let Some(envelope) = patch.envelope {
        configuration.envelope = envelope.unwrap_or_default();
    }
    configuration.body_token = next.secrets.body_token.is_some();
    if configuration.body_token {
        check_token_place(configuration.envelope, configuration.content_type, &mut errors);
    }
    match patch.plugin {
        None => check_kept_plugin(api, &next, configuration.plugin.as_ref(), &mut errors).await?,
        Some(None) => {
            configuration.plugin = None;
            next.secrets.plugin.clear();
        }
        Some(Some(change)) => {
            let (plugin, secrets) =
                change_plugin(api, &next, configuration.plugin.as_ref(), change, &mut errors).await?;
            configuration.plugin = plugin;
            next.secrets.plugin = secrets;
        }
    }
    let order = patch.order.map(Option::unwrap_or_default);
    next.order = check_order(order, next.order, configuration.plugin.as_ref(), &mut errors);
    errors.check()?;
    if configuration != *current.configuration {
        configuration.revision += 1;
        next.configuration = Arc::new(configuration);
    }
    next.updated_at = api.clock.now();
    next.secrets.signing_keys = valid(&next.secrets.signing_keys, api.store.time(next.updated_at)).cloned().collect();
    next.secrets_changed();
    next.version += 1;
    Ok((next, patch.open_work.unwrap_or_default()))
}

async fn changed_url(api: &Api, current: &Webhook, text: &str, errors: &mut Errors) -> Option<Url> {
    if current.is_listener { check_listener_url(text, errors) } else { check_url(api, text, errors).await }
}

/// What receivers know the server by, but for the plugin's secrets.
fn change_secrets(secrets: &mut Secrets, patch: &mut Patch, errors: &mut Errors) {
    match &patch.bearer_token {
        None => {}
        Some(None) => secrets.bearer_token = None,
        Some(Some(token)) => secrets.bearer_token = check_bearer(token, errors),
    }
    match &patch.body_token {
        None => {}
        Some(None) => secrets.body_token = None,
        Some(Some(token)) => secrets.body_token = check_secret("/body_token", token, errors),
    }
    match patch.headers.take() {
        None => {}
        Some(None) => secrets.headers.clear(),
        Some(Some(changes)) => change_headers(&mut secrets.headers, changes, errors),
    }
}

/// When and how fast requests are sent.
fn change_sending(api: &Api, next: &mut Webhook, patch: &mut Patch, errors: &mut Errors) {
    if let Some(retry) = patch.retry.take() {
        next.retry = retry;
    }
    if let Some(timeout_ms) = patch.timeout_ms {
        next.timeout_ms = timeout_ms;
        check_timeout(api, timeout_ms, errors);
    }
    if let Some(on_uncertain) = patch.on_uncertain {
        next.on_uncertain = on_uncertain.unwrap_or_default();
    }
    if let Some(github_signature) = patch.github_signature {
        next.github_signature = github_signature.unwrap_or_default();
    }
    if let Some(on_plugin_failure) = patch.on_plugin_failure {
        next.on_plugin_failure = on_plugin_failure.unwrap_or_default();
    }
    if let Some(order_wait_ms) = patch.order_wait_ms {
        next.order_wait_ms = order_wait_ms;
        check_order_wait(api, order_wait_ms, errors);
    }
    if let Some(rate_limit) = patch.rate_limit.take() {
        next.rate_limit = rate_limit.and_then(|change| change_rate_limit(next.rate_limit, &change, errors));
        check_rate_limit(next.rate_limit, errors);
    }
    if let Some(digest) = patch.digest.take() {
        let current = next.digest.as_ref().map(|digest| digest.form().clone());
        next.digest = digest.and_then(|change| check_digest(api, change.over(current.as_ref()), errors));
    }
}

/// Another origin gets none of the secrets that were entrusted to the old one. Signing keys stay: a signature does not
/// reveal its key.
fn move_to(secrets: &mut Secrets, url: Url) {
    if url.origin() != secrets.url.origin() {
        secrets.bearer_token = None;
        secrets.body_token = None;
        secrets.headers.clear();
        secrets.plugin.clear();
    }
    secrets.url = url;
}

fn change_headers(
    headers: &mut Vec<(String, SecretString)>,
    changes: BTreeMap<String, Option<String>>,
    errors: &mut Errors,
) {
    headers.retain(|(name, _)| !changes.keys().any(|changed| changed.eq_ignore_ascii_case(name)));
    let set = changes.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    headers.extend(check_headers(&set, errors));
}

/// What the change does not name stays.
fn change_rate_limit(current: Option<RateLimit>, change: &RateLimitPatch, errors: &mut Errors) -> Option<RateLimit> {
    let requests = change.requests.unwrap_or(current.map(|current| current.requests));
    let per_ms = change.per_ms.unwrap_or(current.map(|current| current.per_ms));
    for (field, is_missing) in [("requests", requests.is_none()), ("per_ms", per_ms.is_none())] {
        if is_missing {
            errors.add(format!("/rate_limit/{field}"), "is needed; `\"rate_limit\": null` takes the limit away");
        }
    }
    Some(RateLimit { requests: requests?, per_ms: per_ms? })
}

/// A plugin that stays must still have its secrets: a new origin erased them.
async fn check_kept_plugin(api: &Api, next: &Webhook, plugin: Option<&PluginUse>, errors: &mut Errors) -> Answer<()> {
    if let Some(plugin) = plugin
        && let Some(version) = api.store.plugin(next.project, &plugin.name, &plugin.version).await?
    {
        check_needed_secrets(&version.manifest, &next.secrets.plugin, errors);
    }
    Ok(())
}

async fn change_plugin(
    api: &Api,
    next: &Webhook,
    plugin: Option<&PluginUse>,
    change: PluginPatch,
    errors: &mut Errors,
) -> Answer<(Option<PluginUse>, BTreeMap<String, SecretString>)> {
    let missing = |field: &str, errors: &mut Errors| {
        errors.add(format!("/plugin/{field}"), "is needed: the webhook has no plugin yet");
        String::new()
    };
    let name = change.name.or_else(|| plugin.map(|plugin| plugin.name.clone()));
    let same_plugin = plugin.is_some_and(|plugin| Some(&plugin.name) == name.as_ref());
    let name = name.unwrap_or_else(|| missing("name", errors));
    let kept_version = plugin.filter(|_| same_plugin).map(|plugin| plugin.version.clone());
    let version = change.version.or(kept_version).unwrap_or_else(|| missing("version", errors));
    let kept = plugin.filter(|_| same_plugin).map(|plugin| plugin.config.clone());
    let config = match change.config {
        None => kept.map(|config| RawValue::from_string(config).expect("a stored configuration is JSON")),
        Some(config) => config,
    };
    // Another plugin gets none of the secrets that were entrusted to this one.
    let mut kept_secrets = if same_plugin { next.secrets.plugin.clone() } else { BTreeMap::new() };
    let mut secrets = BTreeMap::new();
    for (name, value) in change.secrets {
        match value {
            Some(value) => drop(secrets.insert(name, value)),
            None => drop(kept_secrets.remove(&name)),
        }
    }
    let kept = plugin.filter(|_| same_plugin).map(|plugin| plugin.limits).unwrap_or_default();
    let limits = change.limits.map_or(kept, |limits| change_limits(kept, limits, errors));
    check_plugin(api, next.project, PluginForm { name, version, config, secrets, limits }, kept_secrets, errors).await
}

/// What the change does not name stays; `null` takes all away.
fn change_limits(
    kept: PluginLimits,
    changes: Option<BTreeMap<String, Option<u64>>>,
    errors: &mut Errors,
) -> PluginLimits {
    let Some(changes) = changes else { return PluginLimits::default() };
    let mut limits = kept;
    for (name, value) in changes {
        if !limits.set(&name, value) {
            errors.add(
                format!("/plugin/limits/{}", pointer_token(&name)),
                format!("unknown field; limits are {}", PluginLimits::NAMES.join(", ")),
            );
        }
    }
    limits
}
