//! What a provider posts.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::clock::Millis;
use super::id::{EventId, ProjectId};
use super::pattern::EventType;

/// Most characters of a subject.
pub const SUBJECT_MAX_CHARS: usize = 255;

/// A name with a text value, as in headers, queries, forms and attributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Media type of the payload.
    pub content_type: String,
    /// Further attributes that the provider set.
    pub attributes: Vec<Field>,
    /// The bytes as posted; none for a manual trigger without one.
    pub payload: Option<Bytes>,
}
