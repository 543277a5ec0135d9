//! A registered webhook: what it wants, where it goes, and what only the server may know.

use std::collections::BTreeMap;
use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;
use uuid::Uuid;

use super::clock::Millis;
use super::digest::Digest;
use super::event::Field;
use super::filter::Filter;
use super::id::{PluginVersionId, ProjectId, WebhookId};
use super::pattern::{EventType, Pattern};
use super::plugin::Abilities;
use super::plugin_limits::PluginLimits;
use super::redact::Redactor;
use super::retry::Schedule;
use super::signature::SigningSecret;

/// How a delivery's body is encoded when no plugin makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContentType {
    /// `application/json`.
    #[default]
    Json,
    /// `application/x-www-form-urlencoded` with the JSON in `payload`, as GitHub does.
    Form,
}

/// What a delivery's body holds when no plugin makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Envelope {
    /// `{"type","timestamp","data"}` (Standard Webhooks).
    #[default]
    Standard,
    /// The provider's payload, byte for byte.
    Raw,
}

/// What happens when nobody knows whether a request arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUncertain {
    /// Send it again.
    #[default]
    Retry,
    /// Wait for a person.
    Hold,
}

/// What happens to an event when the webhook's plugin fails on it for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnPluginFailure {
    /// The delivery waits to be reprocessed.
    #[default]
    Park,
    /// It goes out as a webhook without plugin would send it.
    SendUnchanged,
    /// It is not sent; the delivery says why.
    Drop,
}

impl OnPluginFailure {
    /// The text in the API and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Park => "park",
            Self::SendUnchanged => "send_unchanged",
            Self::Drop => "drop",
        }
    }

    /// Reads that text.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Park, Self::SendUnchanged, Self::Drop].into_iter().find(|choice| choice.as_str() == text)
    }
}

/// Which deliveries of a webhook wait for earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// None.
    #[default]
    None,
    /// Those of an event with the same subject.
    Subject,
    /// All.
    Strict,
}

impl Order {
    /// The text in the API and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Subject => "subject",
            Self::Strict => "strict",
        }
    }

    /// Reads that text.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Subject, Self::Strict].into_iter().find(|order| order.as_str() == text)
    }

    /// What deliveries of an event must have in common to wait for each other; none when this one waits for nothing.
    pub fn key(self, subject: Option<&str>) -> Option<Uuid> {
        use sha2::{Digest as _, Sha256};
        match self {
            Self::None => None,
            Self::Strict => Some(Uuid::nil()),
            Self::Subject => subject.map(|subject| {
                let hash: [u8; 32] = Sha256::digest(subject).into();
                uuid::Builder::from_custom_bytes(hash[..16].try_into().expect("a hash has 32 bytes")).into_uuid()
            }),
        }
    }
}

/// Most requests that a rate limit can allow in one period.
pub const RATE_REQUESTS_MAX: u32 = 1_000_000;
/// Longest period of a rate limit in milliseconds: 24 hours.
pub const RATE_PER_MAX_MS: u64 = 24 * 60 * 60 * 1000;

/// Longest that a webhook lasts which is to end by itself, in milliseconds: a year.
pub const EXPIRY_MAX_MS: u64 = 365 * 24 * 60 * 60 * 1000;
/// Longest that a listener lasts unless whoever listens says that it goes on, in milliseconds: an hour.
pub const LISTENER_MAX_MS: u64 = 60 * 60 * 1000;

/// How many requests a receiver takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// So many; at most [`RATE_REQUESTS_MAX`].
    #[schema(value_type = u32, minimum = 1, maximum = 1_000_000)]
    pub requests: NonZeroU32,
    /// In so many milliseconds; at most [`RATE_PER_MAX_MS`].
    #[schema(value_type = u64, minimum = 1, maximum = 86_400_000)]
    pub per_ms: NonZeroU64,
}

/// Whether a webhook gets events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It does.
    Enabled,
    /// It does not, for this reason.
    Disabled {
        /// Why, for people.
        reason: String,
    },
}

impl State {
    /// Whether events are delivered.
    pub fn is_enabled(&self) -> bool {
        matches!(self, Self::Enabled)
    }
}

/// The plugin that a webhook's events pass through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginUse {
    /// The version that runs.
    pub version_id: PluginVersionId,
    /// Its name, for people.
    pub name: String,
    /// Its version, for people.
    pub version: String,
    /// Configuration: a JSON object as text.
    pub config: String,
    /// Limits of its runs that are lower than the server's.
    pub limits: PluginLimits,
    /// What it can do besides making requests.
    pub abilities: Abilities,
}

/// What is fixed when a delivery is made. Revisions are kept, so that open deliveries and the log know theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// Grows with each change; from 1.
    pub revision: i64,
    /// How bodies are encoded.
    pub content_type: ContentType,
    /// What bodies hold.
    pub envelope: Envelope,
    /// Whether bodies carry the webhook's token, where they have a place for it.
    pub body_token: bool,
    /// What events pass through.
    pub plugin: Option<PluginUse>,
}

/// One way to sign, with the time after which it is no longer used.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SigningKey {
    /// The secret.
    pub secret: SigningSecret,
    /// When it became the one in use.
    pub created_at: Millis,
    /// Signs until then; for ever when absent.
    pub expires_at: Option<Millis>,
}

/// All of a webhook that is sealed at rest and never comes back from the API.
#[derive(Clone)]
pub struct Secrets {
    /// The URL: its path and query often are the credential.
    pub url: Url,
    /// Signing keys, newest first; at least one.
    pub signing_keys: Vec<SigningKey>,
    /// Sent as `Authorization: Bearer`.
    pub bearer_token: Option<SecretString>,
    /// Stands in bodies that no plugin makes.
    pub body_token: Option<SecretString>,
    /// Headers of the webhook.
    pub headers: Vec<(String, SecretString)>,
    /// Secrets for the plugin's credentials, by name.
    pub plugin: BTreeMap<String, SecretString>,
}

impl Secrets {
    /// In the place of each secret of a plugin its name, for people: `[secret:NAME]`. Nothing can be signed with these.
    pub fn placeholders<'a>(url: Url, names: impl Iterator<Item = &'a str>) -> Self {
        let named = |name: &str| (name.to_owned(), SecretString::from(format!("[secret:{name}]")));
        Self {
            url,
            signing_keys: Vec::new(),
            bearer_token: None,
            body_token: None,
            headers: Vec::new(),
            plugin: names.map(named).collect(),
        }
    }

    /// The names of those that are not the same as in others.
    pub fn differing(&self, others: &Self) -> Vec<String> {
        let (mut own, others) = (self.named(), others.named());
        own.retain(|secret| !others.contains(secret));
        let mut names: Vec<String> = own.into_iter().map(|(name, _)| name).collect();
        names.dedup();
        names
    }

    /// Every secret with the name that stands for it in logs, for redaction.
    pub fn named(&self) -> Vec<(String, Vec<u8>)> {
        let mut named = Vec::new();
        let mut add = |name: &str, value: &str| named.push((name.to_owned(), value.as_bytes().to_vec()));
        for key in &self.signing_keys {
            let text = key.secret.to_text();
            add("signing_secret", &text);
            add("signing_secret", text.trim_start_matches("whsec_"));
        }
        if let Some(token) = &self.bearer_token {
            add("bearer_token", token.expose_secret());
        }
        if let Some(token) = &self.body_token {
            add("body_token", token.expose_secret());
        }
        for (name, value) in &self.headers {
            add(&format!("header {name}"), value.expose_secret());
        }
        for (name, value) in &self.plugin {
            add(name, value.expose_secret());
        }
        let path_and_query = &self.url[url::Position::BeforePath..];
        if path_and_query.len() > 1 {
            add("url", path_and_query);
            add("url", path_and_query.trim_start_matches('/'));
        }
        for segment in self.url.path_segments().into_iter().flatten().filter(|segment| segment.len() >= 16) {
            add("url", segment);
        }
        for (_, value) in self.url.query_pairs() {
            add("url", &value);
        }
        for key in &self.signing_keys {
            named.push(("signing_secret".to_owned(), key.secret.key().to_vec()));
        }
        named
    }
}

/// Who answers a webhook's requests: a host that knows the sender by its credentials. Several webhooks may share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target(u64);

#[cfg(test)]
impl From<u64> for Target {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl Target {
    /// The target of these secrets.
    pub fn of(secrets: &Secrets) -> Self {
        use sha2::{Digest as _, Sha256};
        let mut hash = Sha256::new().chain_update(secrets.url.origin().ascii_serialization());
        let headers = secrets.headers.iter().map(|(name, value)| (name.as_str(), value));
        let token = secrets.bearer_token.iter().map(|token| ("authorization", token));
        let in_body = secrets.body_token.iter().map(|token| ("body_token", token));
        let plugin = secrets.plugin.iter().map(|(name, value)| (name.as_str(), value));
        for (name, value) in headers.chain(token).chain(in_body).chain(plugin) {
            hash.update([0]);
            hash.update(name);
            hash.update([0]);
            hash.update(value.expose_secret());
        }
        let hash: [u8; 32] = hash.finalize().into();
        Self(u64::from_be_bytes(hash[..8].try_into().expect("a hash has 32 bytes")))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

/// A registered webhook.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// Its owner's own id for it, unique in the project.
    pub external_id: Option<String>,
    /// What people call it.
    pub name: String,
    /// More about it.
    pub description: Option<String>,
    /// Names and values for programs.
    pub labels: BTreeMap<String, String>,
    /// Which events it wants.
    pub events: Vec<Pattern>,
    /// Which of those it wants after all.
    pub filter: Option<Arc<Filter>>,
    /// Whether it gets events.
    pub state: State,
    /// What is fixed when a delivery is made.
    pub configuration: Arc<Configuration>,
    /// When to try again; the server's default when absent.
    pub retry: Option<Schedule>,
    /// Time for one attempt in milliseconds; the server's default when absent.
    pub timeout_ms: Option<u64>,
    /// What happens when nobody knows whether a request arrived.
    pub on_uncertain: OnUncertain,
    /// What happens when its plugin fails.
    pub on_plugin_failure: OnPluginFailure,
    /// Which deliveries wait for earlier ones.
    pub order: Order,
    /// Longest wait for an earlier delivery in milliseconds; the server's default when absent.
    pub order_wait_ms: Option<u64>,
    /// Whether requests are also signed as GitHub signs them.
    pub github_signature: bool,
    /// How many requests the receiver takes; any number when absent.
    pub rate_limit: Option<RateLimit>,
    /// When what it collects goes out; it gets each event by itself when absent.
    pub digest: Option<Arc<Digest>>,
    /// Whether its requests are kept for whoever listens instead of being sent. Never changes.
    pub is_listener: bool,
    /// When it is deleted by itself; never when absent.
    pub expires_at: Option<Millis>,
    /// What only the server may know.
    pub secrets: Secrets,
    /// Finds those in what receivers answer.
    pub redactor: Arc<Redactor>,
    /// Who answers.
    pub target: Target,
    /// Grows with each change.
    pub version: i64,
    /// When it was made.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
}

impl Webhook {
    /// The pattern by which it wants events of this type; its filter may not want them all.
    pub fn pattern_for(&self, event_type: &EventType) -> Option<&Pattern> {
        self.events.iter().find(|pattern| pattern.matches(event_type))
    }

    /// To be called when its secrets have changed, so that what is made of them is right again.
    pub fn secrets_changed(&mut self) {
        self.redactor = Arc::new(Redactor::new(&self.secrets.named()));
        self.target = Target::of(&self.secrets);
    }

    /// The URL as people may see it: whatever stands behind the origin is masked.
    pub fn masked_url(&self) -> String {
        mask_url(&self.secrets.url)
    }

    /// Headers as people may see them.
    pub fn header_names(&self) -> impl Iterator<Item = &str> {
        self.secrets.headers.iter().map(|(name, _)| name.as_str())
    }
}

/// What stands for a secret that is not shown.
pub const MASK: &str = "••••";

/// A URL with everything behind its origin masked.
pub fn mask_url(url: &Url) -> String {
    // Of an http URL without credentials, its origin is what stands before its path; that is cheaper.
    let is_plain = url.username().is_empty() && url.password().is_none();
    let origin =
        if is_plain { url[..url::Position::BeforePath].to_owned() } else { url.origin().ascii_serialization() };
    if &url[url::Position::BeforePath..] == "/" { format!("{origin}/") } else { format!("{origin}/{MASK}") }
}

/// Headers that neither a webhook nor a plugin nor a credential may set, because they belong to the connection,
/// to intermediaries or to the signature.
pub fn is_reserved_header(name: &str) -> bool {
    const EXACT: [&str; 13] = [
        "host",
        "content-length",
        "transfer-encoding",
        "content-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "cookie",
        "forwarded",
        "http2-settings",
    ];
    const PREFIXES: [&str; 4] = ["proxy-", "x-forwarded-", "webhook-", "x-hub-signature"];
    let name = name.to_ascii_lowercase();
    EXACT.contains(&name.as_str()) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a text can be a header's name (RFC 9110 token).
pub fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Whether a text can be a header's value: visible ASCII, space and tab.
pub fn is_header_value(value: &str) -> bool {
    value.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b))
}

/// A header of a webhook: name and value, checked.
pub fn check_header(field: &Field) -> Result<(), String> {
    if !is_header_name(&field.name) {
        return Err("a header's name is letters, digits and -".to_owned());
    }
    if is_reserved_header(&field.name) {
        return Err(format!("the header `{}` is set by the server", field.name));
    }
    if !is_header_value(&field.value) {
        return Err("a header's value is visible ASCII without line breaks".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_masked_behind_its_origin() {
        let masked = |url: &str| mask_url(&Url::parse(url).unwrap());
        assert_eq!(masked("https://hooks.slack.com/services/T0/B0/x"), format!("https://hooks.slack.com/{MASK}"));
        assert_eq!(masked("https://example.com:8443/?key=1"), format!("https://example.com:8443/{MASK}"));
        assert_eq!(masked("https://example.com"), "https://example.com/");
    }

    #[test]
    fn headers_of_the_connection_and_the_signature_are_reserved() {
        for name in ["Host", "content-length", "Proxy-Authorization", "webhook-id", "X-Hub-Signature-256", "Cookie"] {
            assert!(is_reserved_header(name), "{name}");
        }
        assert!(!is_reserved_header("X-Team"));
        assert!(check_header(&Field::new("X-Team", "a\r\nb")).is_err());
        assert!(check_header(&Field::new("X Team", "a")).is_err());
    }
}
