use serde_json::Value;

use crate::Event;
use crate::bindings::types::{self, Field, Payload};

pub(super) const EVENT_ID: &str = "evt_00000000000000000000000000000000";
pub(super) const DELIVERY_ID: &str = "dlv_00000000000000000000000000000000";
pub(super) const WEBHOOK_ID: &str = "whk_00000000000000000000000000000000";
const PROJECT: &str = "prj_00000000000000000000000000000000";
const TIME: &str = "2026-01-31T12:00:00.000Z";

/// An event of this type: no payload, ids of zeros, noon of 2026-01-31, trigger `event`.
///
/// ```
/// use hookwright_sdk::testing;
///
/// let event = testing::event("ticket.created").payload(serde_json::json!({"ticket": {}})).subject("42").build();
/// assert_eq!(event.payload_text(), Some(r#"{"ticket":{}}"#));
/// ```
pub fn event(kind: impl Into<String>) -> EventBuilder {
    EventBuilder(types::Event {
        id: EVENT_ID.into(),
        kind: kind.into(),
        occurred_at: TIME.into(),
        received_at: TIME.into(),
        project: PROJECT.into(),
        subject: None,
        content_type: "application/json".into(),
        payload: None,
        attributes: Vec::new(),
        trigger: "event".into(),
        delivery_id: DELIVERY_ID.into(),
        meta: Vec::new(),
    })
}

/// An event in the making; see [`event`].
#[derive(Clone, Debug)]
#[must_use]
pub struct EventBuilder(types::Event);

impl EventBuilder {
    /// A JSON payload, without white space.
    pub fn payload(self, payload: impl Into<Value>) -> Self {
        self.text(payload.into().to_string())
    }

    /// A payload of any text.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.0.payload = Some(Payload::Text(text.into()));
        self
    }

    /// A payload of bytes that are not text.
    pub fn binary(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.0.payload = Some(Payload::Binary(bytes.into()));
        self
    }

    /// Its media type.
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.0.content_type = content_type.into();
        self
    }

    /// What the event is about.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.0.subject = Some(subject.into());
        self
    }

    /// Its id.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.0.id = id.into();
        self
    }

    /// When it happened and was received: RFC 3339.
    pub fn occurred_at(mut self, time: impl Into<String>) -> Self {
        self.0.occurred_at = time.into();
        self.0.received_at.clone_from(&self.0.occurred_at);
        self
    }

    /// Its project.
    pub fn project(mut self, project: impl Into<String>) -> Self {
        self.0.project = project.into();
        self
    }

    /// `event`, `manual`, `test`, `schedule` or `reprocess`.
    pub fn trigger(mut self, trigger: impl Into<String>) -> Self {
        self.0.trigger = trigger.into();
        self
    }

    /// Adds an attribute.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.attributes.push(Field { name: name.into(), value: value.into() });
        self
    }

    /// The event.
    #[must_use]
    pub fn build(self) -> Event {
        Event(self.0)
    }
}
