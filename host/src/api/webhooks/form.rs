//! What a webhook is registered with, and the checks that registering and changing share.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;
use utoipa::ToSchema;

use super::super::Api;
use super::super::auth::Caller;
use super::super::form::Errors;
use super::super::problem::Answer;
use super::digest::check_digest;
use crate::domain::digest::DigestForm;
use crate::domain::envelope::takes_token;
use crate::domain::event::Field;
use crate::domain::filter::Filter;
use crate::domain::id::{ProjectId, WebhookId};
use crate::domain::pattern::Pattern;
use crate::domain::plugin::{Manifest, PluginState};
use crate::domain::plugin_limits::PluginLimits;
use crate::domain::problem::{Problem, ProblemCode, pointer_token};
use crate::domain::redact::Redactor;
use crate::domain::retry::Schedule;
use crate::domain::schema::Schema;
use crate::domain::signature::SigningSecret;
use crate::domain::token::Permission;
use crate::domain::webhook::{
    Configuration, ContentType, EXPIRY_MAX_MS, Envelope, LISTENER_MAX_MS, MASK, OnPluginFailure, OnUncertain, Order,
    PluginUse, RATE_PER_MAX_MS, RATE_REQUESTS_MAX, RateLimit, Secrets, SigningKey, State, Target, Webhook,
    check_header, is_header_value,
};
use crate::sandbox::RunLimits;

const NAME_MAX_CHARS: usize = 255;
const DESCRIPTION_MAX_CHARS: usize = 2000;
const LABELS_MAX: usize = 32;
const PATTERNS_MAX: usize = 100;
const HEADERS_MAX: usize = 32;
const HEADER_MAX_BYTES: usize = 8 * 1024;
const SECRET_MAX_BYTES: usize = 8 * 1024;
const CONFIG_MAX_BYTES: usize = 64 * 1024;
/// Bytes of a signing secret that the server makes.
const SIGNING_SECRET_BYTES: usize = 32;

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = WebhookCreate, example = json!({
    "url": "https://receiver.example/hooks",
    "events": ["ticket.*"],
    "name": "Tickets to the tracker"
}))]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Create {
    /// What people call it.
    #[serde(default)]
    #[schema(max_length = 255)]
    pub(super) name: String,
    /// By which other programs know it: one of a kind in its project.
    #[schema(min_length = 1, max_length = 255)]
    pub(super) external_id: Option<String>,
    /// What it is for.
    #[schema(max_length = 2000)]
    pub(super) description: Option<String>,
    /// At most 32, of at most 255 characters each.
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    /// Where events go: `https`, and `http` into networks that the server allows. Its path and query are shown to nobody.
    pub(super) url: String,
    /// Which events it wants: 1 to 100 patterns like `ticket.created`, `ticket.*` and `*`.
    #[schema(value_type = Vec<Pattern>, min_items = 1, max_items = 100)]
    pub(super) events: Vec<String>,
    /// An expression that is true for the events that it wants, like `payload.ticket.priority == "high"`.
    pub(super) filter: Option<String>,
    /// In which project, where the caller may do this in several; else the one that is worked in.
    pub(super) project: Option<ProjectId>,
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub(super) enabled: bool,
    /// A secret that is brought: `whsec_` and base64 of 24 to 64 bytes. Without it the server makes one.
    pub(super) signing_secret: Option<String>,
    #[serde(default)]
    #[schema(default = "json")]
    pub(super) content_type: ContentType,
    #[serde(default)]
    #[schema(default = "standard")]
    pub(super) envelope: Envelope,
    /// Sent as `Authorization: Bearer`.
    pub(super) bearer_token: Option<String>,
    /// Stands in bodies that no plugin makes, as `token`.
    pub(super) body_token: Option<String>,
    /// Whether requests are also signed as GitHub does (`X-Hub-Signature-256`).
    #[serde(default)]
    pub(super) github_signature: bool,
    /// Headers of each request: at most 32.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    /// The plugin that events pass through.
    pub(super) plugin: Option<PluginForm>,
    /// When requests are tried again; the server's schedule when absent.
    pub(super) retry: Option<Schedule>,
    /// How long an attempt may take; the server's when absent.
    #[schema(minimum = 1)]
    pub(super) timeout_ms: Option<u64>,
    #[serde(default)]
    #[schema(default = "retry")]
    pub(super) on_uncertain: OnUncertain,
    #[serde(default)]
    #[schema(default = "park")]
    pub(super) on_plugin_failure: OnPluginFailure,
    /// `none` when absent; `subject` at least for a plugin with a memory.
    pub(super) order: Option<Order>,
    /// How long deliveries wait for those before them; the server's when absent.
    pub(super) order_wait_ms: Option<u64>,
    /// No limit when absent.
    pub(super) rate_limit: Option<RateLimit>,
    /// Several events in one delivery.
    pub(super) digest: Option<DigestForm>,
    /// Whether its requests are kept for whoever listens instead of being sent.
    #[serde(default)]
    pub(super) listener: bool,
    /// When it is deleted by itself; for a listener.
    pub(super) expires_in_ms: Option<u64>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = WebhookPluginCreate)]
#[serde(deny_unknown_fields)]
pub(super) struct PluginForm {
    /// The plugin's name.
    pub(super) name: String,
    /// A version that is ready.
    pub(super) version: String,
    /// An object, as the plugin's schema says; at most 64 KiB.
    #[schema(value_type = Option<Value>)]
    pub(super) config: Option<Box<RawValue>>,
    /// By the names that the plugin wants them by.
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, String>,
    /// Limits of its runs that are lower than the server's.
    #[serde(default)]
    pub(super) limits: PluginLimits,
}

const fn yes() -> bool {
    true
}

pub(super) async fn create(api: &Api, caller: &Caller, form: Create) -> Answer<Webhook> {
    let project = caller.project_named(api, form.project, Permission::WebhooksWrite, "").await?;
    let mut errors = Errors::default();
    let url = if form.listener {
        check_listener_url(&form.url, &mut errors)
    } else {
        check_url(api, &form.url, &mut errors).await
    };
    let events = check_patterns(&form.events, &mut errors);
    check_texts(&form.name, form.description.as_deref(), form.external_id.as_deref(), &form.labels, &mut errors);
    let filter = form.filter.and_then(|source| check_filter(api, source, &mut errors));
    check_timeout(api, form.timeout_ms, &mut errors);
    check_order_wait(api, form.order_wait_ms, &mut errors);
    check_rate_limit(form.rate_limit, &mut errors);
    let digest = form.digest.and_then(|form| check_digest(api, form, &mut errors));
    check_expiry(form.expires_in_ms, form.listener, &mut errors);
    let bearer_token = form.bearer_token.as_deref().and_then(|token| check_bearer(token, &mut errors));
    let body_token = form.body_token.as_deref().and_then(|token| check_secret("/body_token", token, &mut errors));
    if body_token.is_some() {
        check_token_place(form.envelope, form.content_type, &mut errors);
    }
    let headers = check_headers(&form.headers, &mut errors);
    let signing = new_signing_secret(api, form.signing_secret.as_deref(), &mut errors);
    let (plugin, plugin_secrets) = match form.plugin {
        None => (None, BTreeMap::new()),
        Some(form) => check_plugin(api, project, form, BTreeMap::new(), &mut errors).await?,
    };
    let order = check_order(form.order, Order::default(), plugin.as_ref(), &mut errors);
    errors.check()?;
    let (Some(url), Some(signing)) = (url, signing) else {
        return Err(Problem::field("", "the webhook is incomplete").into());
    };
    let now = api.clock.now();
    let secrets = Secrets {
        url,
        signing_keys: vec![SigningKey { secret: signing, created_at: now, expires_at: None }],
        bearer_token,
        body_token,
        headers,
        plugin: plugin_secrets,
    };
    Ok(Webhook {
        id: WebhookId::new(now, api.entropy.id()),
        project,
        external_id: form.external_id,
        name: form.name,
        description: form.description,
        labels: form.labels,
        events,
        filter,
        state: state(form.enabled),
        configuration: Arc::new(Configuration {
            revision: 1,
            content_type: form.content_type,
            envelope: form.envelope,
            body_token: secrets.body_token.is_some(),
            plugin,
        }),
        retry: form.retry,
        timeout_ms: form.timeout_ms,
        on_uncertain: form.on_uncertain,
        on_plugin_failure: form.on_plugin_failure,
        order,
        order_wait_ms: form.order_wait_ms,
        rate_limit: form.rate_limit,
        digest,
        github_signature: form.github_signature,
        is_listener: form.listener,
        expires_at: form.expires_in_ms.map(|ms| now.plus(ms)),
        redactor: Arc::new(Redactor::new(&secrets.named())),
        target: Target::of(&secrets),
        secrets,
        version: 1,
        created_at: now,
        updated_at: now,
    })
}

/// The secret that is brought, or a new one.
pub(super) fn new_signing_secret(api: &Api, brought: Option<&str>, errors: &mut Errors) -> Option<SigningSecret> {
    match brought {
        None => {
            Some(SigningSecret::from_bytes(&api.entropy.bytes::<SIGNING_SECRET_BYTES>()).expect("32 bytes are allowed"))
        }
        Some(text) => SigningSecret::parse(text).map_err(|error| errors.add("/signing_secret", error.to_string())).ok(),
    }
}

/// A token needs a place in the body.
pub(super) fn check_token_place(envelope: Envelope, content_type: ContentType, errors: &mut Errors) {
    if !takes_token(envelope, content_type) {
        errors.add(
            "/body_token",
            "has no place in bodies as they were posted: choose the envelope `standard` or the content type `form`, or \
             send it as a header",
        );
    }
}

pub(super) fn state(enabled: bool) -> State {
    if enabled { State::Enabled } else { State::Disabled { reason: "disabled by hand".to_owned() } }
}

pub(super) async fn check_url(api: &Api, text: &str, errors: &mut Errors) -> Option<Url> {
    if text.contains(MASK) {
        errors.add("/url", "this is the masked URL; leave it out to keep the URL as it is, or send the whole one");
        return None;
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => {
            errors.add("/url", format!("is not a URL: {error}"));
            return None;
        }
    };
    match api.guard.check_saved(&url).await {
        Ok(()) => Some(url),
        Err(refused) => {
            errors.add("/url", refused.to_string());
            None
        }
    }
}

/// The address that a listener's requests are for. Nothing is sent there, so it may be anybody's own machine; without a path
/// it is no secret, and whoever listens sees all of it.
pub(super) fn check_listener_url(text: &str, errors: &mut Errors) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https") && url.as_str() == format!("{}/", url.origin().ascii_serialization())
    });
    if url.is_none() {
        errors
            .add("/url", "of a listener is scheme, host and port, like `http://localhost:3000`: nothing is sent to it");
    }
    url
}

/// How long a webhook lasts that is to end by itself; a listener must.
pub(super) fn check_expiry(expires_in_ms: Option<u64>, is_listener: bool, errors: &mut Errors) {
    let max = if is_listener { LISTENER_MAX_MS } else { EXPIRY_MAX_MS };
    match expires_in_ms {
        None if is_listener => errors.add("/expires_in_ms", "is needed for a listener"),
        Some(ms) if !(1..=max).contains(&ms) => errors.add("/expires_in_ms", format!("is 1 to {max} ms")),
        _ => {}
    }
}

pub(in super::super) fn check_patterns(texts: &[String], errors: &mut Errors) -> Vec<Pattern> {
    if texts.is_empty() {
        errors.add("/events", "names at least one pattern; `[\"*\"]` is all events");
    }
    if texts.len() > PATTERNS_MAX {
        errors.add("/events", format!("has at most {PATTERNS_MAX} patterns"));
    }
    let parse = |(index, text): (usize, &String)| {
        Pattern::parse(text).map_err(|error| errors.add(format!("/events/{index}"), error.to_string())).ok()
    };
    texts.iter().enumerate().filter_map(parse).collect()
}

pub(super) fn check_texts(
    name: &str,
    description: Option<&str>,
    external_id: Option<&str>,
    labels: &BTreeMap<String, String>,
    errors: &mut Errors,
) {
    errors.at_most("/name", name, NAME_MAX_CHARS);
    errors.at_most("/description", description.unwrap_or_default(), DESCRIPTION_MAX_CHARS);
    if let Some(external_id) = external_id {
        errors.at_most("/external_id", external_id, NAME_MAX_CHARS);
        if external_id.is_empty() {
            errors.add("/external_id", "is not empty");
        }
    }
    if labels.len() > LABELS_MAX {
        errors.add("/labels", format!("has at most {LABELS_MAX} labels"));
    }
    for (label, value) in labels {
        let pointer = format!("/labels/{}", pointer_token(label));
        errors.at_most(&pointer, value, NAME_MAX_CHARS);
        errors.at_most(&pointer, label, NAME_MAX_CHARS);
    }
}

pub(super) fn check_timeout(api: &Api, timeout_ms: Option<u64>, errors: &mut Errors) {
    let max = api.config.delivery.timeout_max_ms;
    if timeout_ms.is_some_and(|ms| !(1..=max).contains(&ms)) {
        errors.add("/timeout_ms", format!("is 1 to {max} ms"));
    }
}

/// The order that was asked for, or what goes on otherwise: a plugin with a memory has at least order by subject, or what it
/// made of one event would not be remembered yet when the next one comes.
pub(super) fn check_order(asked: Option<Order>, kept: Order, plugin: Option<&PluginUse>, errors: &mut Errors) -> Order {
    let recalls = plugin.filter(|plugin| plugin.abilities.recalls);
    match (asked, recalls) {
        (Some(Order::None), Some(plugin)) => {
            let name = &plugin.name;
            errors.add("/order", format!("is `subject` or `strict`: {name} remembers what earlier events led to"));
            Order::None
        }
        (None, Some(_)) if kept == Order::None => Order::Subject,
        (asked, _) => asked.unwrap_or(kept),
    }
}

pub(super) fn check_order_wait(api: &Api, order_wait_ms: Option<u64>, errors: &mut Errors) {
    let max = api.config.delivery.order_wait_max_ms;
    if order_wait_ms.is_some_and(|ms| !(1..=max).contains(&ms)) {
        errors.add("/order_wait_ms", format!("is 1 to {max} ms"));
    }
}

pub(super) fn check_rate_limit(rate_limit: Option<RateLimit>, errors: &mut Errors) {
    let Some(RateLimit { requests, per_ms }) = rate_limit else { return };
    if requests.get() > RATE_REQUESTS_MAX {
        errors.add("/rate_limit/requests", format!("is 1 to {RATE_REQUESTS_MAX}"));
    }
    if per_ms.get() > RATE_PER_MAX_MS {
        errors.add("/rate_limit/per_ms", format!("is 1 to {RATE_PER_MAX_MS} ms"));
    }
}

pub(in super::super) fn check_filter(api: &Api, source: String, errors: &mut Errors) -> Option<Arc<Filter>> {
    match api.filters.check(&source) {
        Ok(()) => Some(Arc::new(Filter::new(source))),
        Err(error) => {
            errors.add("/filter", error.to_string());
            None
        }
    }
}

pub(super) fn check_bearer(token: &str, errors: &mut Errors) -> Option<SecretString> {
    if !is_header_value(token) || token.contains(' ') {
        errors.add("/bearer_token", "is visible ASCII without spaces");
        return None;
    }
    check_secret("/bearer_token", token, errors)
}

pub(super) fn check_secret(pointer: &str, value: &str, errors: &mut Errors) -> Option<SecretString> {
    if value.contains(MASK) {
        errors.add(pointer, "this is the mask, not the secret; leave it out to keep the secret as it is");
    } else if !(1..=SECRET_MAX_BYTES).contains(&value.len()) {
        errors.add(pointer, format!("has 1 to {SECRET_MAX_BYTES} bytes"));
    } else {
        return Some(SecretString::from(value.to_owned()));
    }
    None
}

pub(super) fn check_headers(headers: &BTreeMap<String, String>, errors: &mut Errors) -> Vec<(String, SecretString)> {
    if headers.len() > HEADERS_MAX {
        errors.add("/headers", format!("has at most {HEADERS_MAX} headers"));
    }
    let mut seen = HashSet::new();
    let mut checked = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let pointer = format!("/headers/{}", pointer_token(name));
        if let Err(reason) = check_header(&Field::new(name, value)) {
            // A mask is not ASCII, so this also refuses one that is sent back.
            let is_mask = value.contains(MASK);
            errors.add(
                pointer,
                if is_mask { "this is the mask, not the value; leave it out to keep it".to_owned() } else { reason },
            );
        } else if !seen.insert(name.to_ascii_lowercase()) {
            errors.add(pointer, "stands twice");
        } else if name.len() + value.len() > HEADER_MAX_BYTES {
            errors.add(pointer, format!("has at most {HEADER_MAX_BYTES} bytes"));
        } else {
            checked.push((name.clone(), SecretString::from(value.clone())));
        }
    }
    checked
}

/// The plugin's use and its secrets: the version must be there, the configuration as its schema says, each secret wanted,
/// each needed one set. `kept` are secrets that were set before and stay.
pub(super) async fn check_plugin(
    api: &Api,
    project: ProjectId,
    form: PluginForm,
    kept: BTreeMap<String, SecretString>,
    errors: &mut Errors,
) -> Answer<(Option<PluginUse>, BTreeMap<String, SecretString>)> {
    let Some(version) = api.store.plugin(project, &form.name, &form.version).await? else {
        errors.add("/plugin/version", format!("there is no plugin {} {}; upload it first", form.name, form.version));
        return Ok((None, BTreeMap::new()));
    };
    match &version.state {
        PluginState::Ready => {}
        PluginState::Checking => errors.add("/plugin/version", "is still being checked; try again when it is ready"),
        PluginState::Refused(failure) => errors.add("/plugin/version", format!("was refused: {failure}")),
    }
    let config = form.config.map_or_else(|| "{}".to_owned(), |config| Box::<str>::from(config).into_string());
    check_config(api, &version.manifest, &config, "/plugin/config", errors).await?;
    for (limit, allowed) in form.limits.not_within(&RunLimits::from(&api.config.plugins).shown()) {
        let (least, most) = allowed.into_inner();
        errors.add(format!("/plugin/limits/{limit}"), format!("is {least} to {most}, which is the server's limit"));
    }
    let secrets = check_secrets(&version.manifest, form.secrets, kept, errors);
    let plugin = PluginUse {
        version_id: version.id,
        name: version.manifest.name,
        version: version.manifest.version,
        config,
        limits: form.limits,
        abilities: version.abilities,
    };
    Ok((Some(plugin), secrets))
}

/// The configuration must be as the manifest's schema says. Schema and configuration come from strangers, so that takes its
/// bounded time where nobody waits for it.
pub(in super::super) async fn check_config(
    api: &Api,
    manifest: &Manifest,
    config: &str,
    place: &str,
    errors: &mut Errors,
) -> Answer<()> {
    if config.len() > CONFIG_MAX_BYTES {
        errors.add(place, format!("has at most {CONFIG_MAX_BYTES} bytes"));
        return Ok(());
    }
    let Some(config) = serde_json::from_str(config).ok().filter(serde_json::Value::is_object) else {
        errors.add(place, "is a JSON object");
        return Ok(());
    };
    let (schema, limits) = (manifest.config.clone(), api.config.plugins.schema);
    let checked = tokio::task::spawn_blocking(move || Schema::new(&schema, limits).map(|schema| schema.check(&config)));
    match checked.await {
        Ok(Ok(wrong)) => {
            for error in wrong {
                errors.add(format!("{place}{}", error.pointer), error.detail);
            }
        }
        // The server's limits were wider when it was uploaded.
        Ok(Err(invalid)) => errors.add(place, format!("cannot be checked by the plugin's schema: {invalid}")),
        Err(_) => return Err(Problem::new(ProblemCode::Internal, "the configuration could not be checked").into()),
    }
    Ok(())
}

/// The secrets that a webhook has then: what is given goes over what is kept.
fn check_secrets(
    manifest: &Manifest,
    given: BTreeMap<String, String>,
    kept: BTreeMap<String, SecretString>,
    errors: &mut Errors,
) -> BTreeMap<String, SecretString> {
    let wanted = || match manifest.secrets.keys().map(String::as_str).collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "it wants none".to_owned(),
        names => format!("it wants {names}"),
    };
    for name in kept.keys().filter(|name| !manifest.secrets.contains_key(*name) && !given.contains_key(*name)) {
        let detail = format!(
            "is set, and {} {} wants no such secret; `null` takes it away ({})",
            manifest.name,
            manifest.version,
            wanted()
        );
        errors.add(format!("/plugin/secrets/{}", pointer_token(name)), detail);
    }
    let mut secrets = kept;
    for (name, value) in given {
        let pointer = format!("/plugin/secrets/{}", pointer_token(&name));
        if !manifest.secrets.contains_key(&name) {
            errors.add(pointer, format!("the plugin wants no such secret; {}", wanted()));
        } else if let Some(secret) = check_secret(&pointer, &value, errors) {
            secrets.insert(name, secret);
        }
    }
    check_needed_secrets(manifest, &secrets, errors);
    secrets
}

/// Every secret that the plugin cannot do without must be set.
pub(super) fn check_needed_secrets(manifest: &Manifest, set: &BTreeMap<String, SecretString>, errors: &mut Errors) {
    for (name, secret) in manifest.secrets.iter().filter(|(name, secret)| secret.required && !set.contains_key(*name)) {
        let pointer = format!("/plugin/secrets/{}", pointer_token(name));
        if !errors.tells_of(&pointer) {
            let described =
                if secret.description.is_empty() { String::new() } else { format!(": {}", secret.description) };
            errors.add(pointer, format!("is needed{described}"));
        }
    }
}
