//! What a provider posts.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer as _};
use utoipa::ToSchema;

use super::clock::Millis;
use super::id::{EventId, ProjectId};
use super::pattern::EventType;

/// Most characters of a subject.
pub const SUBJECT_MAX_CHARS: usize = 255;

/// A name with a text value, as in headers, queries, forms and attributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Field {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

impl Field {
    /// A field.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// The same, borrowed.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct FieldRef<'a> {
    /// The name.
    pub name: &'a str,
    /// The value.
    pub value: &'a str,
}

/// Fields as JSON: a list, in their order.
pub fn fields_json<'a>(fields: impl Iterator<Item = FieldRef<'a>>) -> String {
    let mut json = Vec::with_capacity(512);
    let list = serde_json::Serializer::new(&mut json).collect_seq(fields);
    list.expect("fields are plain data");
    String::from_utf8(json).expect("JSON is UTF-8")
}

/// How long a key keeps a repeated post from being a new event: 24 hours.
pub const IDEMPOTENCY_MS: u64 = 24 * 60 * 60 * 1000;
/// Most characters of an idempotency key.
pub const IDEMPOTENCY_KEY_MAX_CHARS: usize = 255;

/// What makes a repeated post the same event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idempotency {
    /// Made of project and key.
    pub id: uuid::Uuid,
    /// Made of what was posted: the same key with something else is a mistake.
    pub fingerprint: [u8; 32],
}

impl Idempotency {
    /// A key of this project for what was posted.
    pub fn new(project: ProjectId, key: &str, posted: &[u8]) -> Self {
        use sha2::{Digest as _, Sha256};
        let hash = Sha256::new().chain_update(project.uuid().as_bytes()).chain_update(key.as_bytes()).finalize();
        let id = uuid::Builder::from_custom_bytes(hash[..16].try_into().expect("a hash has 32 bytes")).into_uuid();
        Self { id, fingerprint: Sha256::digest(posted).into() }
    }
}

/// Something that happened at the provider, as it is stored: it never changes.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// Its type.
    pub event_type: EventType,
    /// What it is about.
    pub subject: Option<String>,
    /// When it happened, as the provider says; else when it was received.
    pub occurred_at: Millis,
    /// When the server received it.
    pub received_at: Millis,
    /// Media type of the payload; empty for a manual trigger without one.
    pub content_type: String,
    /// Further attributes that the provider set.
    pub attributes: Vec<Field>,
    /// The bytes as posted; none for a manual trigger without one.
    pub payload: Option<Bytes>,
    /// The `X-Request-Id` of the request that brought it; none for what the server itself makes.
    pub request_id: Option<Arc<str>>,
}

/// The type of what a person triggers without an event.
const TRIGGERED: &str = "webhook.triggered";

impl Event {
    /// What a person triggers in the mode `default`: it holds nothing.
    pub fn triggered(id: EventId, project: ProjectId, now: Millis) -> Self {
        Self {
            id,
            project,
            event_type: EventType::parse(TRIGGERED).expect("the server's own types are well formed"),
            subject: None,
            occurred_at: now,
            received_at: now,
            content_type: String::new(),
            attributes: Vec::new(),
            payload: None,
            request_id: None,
        }
    }

    /// Whether it holds nothing, so that a body made of it is empty.
    pub fn is_bare(&self) -> bool {
        self.payload.is_none() && self.content_type.is_empty()
    }

    /// Whether it had a payload that is no longer kept.
    pub fn is_payload_gone(&self) -> bool {
        self.payload.is_none() && !self.content_type.is_empty()
    }

    /// Whether the payload is JSON; it was read once as such when it came in.
    pub fn is_json(&self) -> bool {
        is_json(&self.content_type) && self.payload.as_ref().is_some_and(|payload| !payload.is_empty())
    }
}

/// Whether a media type says JSON (RFC 8259 §11, RFC 6839 §3.1).
pub fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let ends_with_json = || essence.len() > 5 && essence.as_bytes()[essence.len() - 5..].eq_ignore_ascii_case(b"+json");
    essence.eq_ignore_ascii_case("application/json") || essence.eq_ignore_ascii_case("text/json") || ends_with_json()
}
