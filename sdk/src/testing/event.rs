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
///
/// ```
/// use hookwright_sdk::testing::{EventBuilder, event};
///
/// fn ticket() -> EventBuilder {
///     event("ticket.created").subject("42")
/// }
///
/// assert_eq!(ticket().build().subject(), Some("42"));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct EventBuilder(types::Event);

impl EventBuilder {
    /// A JSON payload, without white space.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").payload(serde_json::json!({"a": 1})).build();
    /// assert_eq!(event.payload_text(), Some(r#"{"a":1}"#));
    /// ```
    pub fn payload(self, payload: impl Into<Value>) -> Self {
        self.text(payload.into().to_string())
    }

    /// A payload of any text.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").text("no JSON").build();
    /// assert_eq!(event.payload_text(), Some("no JSON"));
    /// ```
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.0.payload = Some(Payload::Text(text.into()));
        self
    }

    /// A payload of bytes that are not text.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").binary([1, 2]).build();
    /// assert_eq!(event.payload_bytes(), Some(&[1, 2][..]));
    /// ```
    pub fn binary(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.0.payload = Some(Payload::Binary(bytes.into()));
        self
    }

    /// Its media type.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").text("<a/>").content_type("application/xml").build();
    /// assert_eq!(event.content_type(), "application/xml");
    /// ```
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.0.content_type = content_type.into();
        self
    }

    /// What the event is about.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").subject("42").build();
    /// assert_eq!(event.subject(), Some("42"));
    /// ```
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.0.subject = Some(subject.into());
        self
    }

    /// Its id.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").id("evt_1").build();
    /// assert_eq!(event.id(), "evt_1");
    /// ```
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.0.id = id.into();
        self
    }

    /// When it happened and was received: RFC 3339.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").occurred_at("2026-02-01T00:00:00.000Z").build();
    /// assert_eq!(event.received_at(), "2026-02-01T00:00:00.000Z");
    /// ```
    pub fn occurred_at(mut self, time: impl Into<String>) -> Self {
        self.0.occurred_at = time.into();
        self.0.received_at.clone_from(&self.0.occurred_at);
        self
    }

    /// Its project.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").project("prj_1").build();
    /// assert_eq!(event.project(), "prj_1");
    /// ```
    pub fn project(mut self, project: impl Into<String>) -> Self {
        self.0.project = project.into();
        self
    }

    /// `event`, `manual`, `test`, `schedule` or `reprocess`.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").trigger("manual").build();
    /// assert_eq!(event.trigger(), "manual");
    /// ```
    pub fn trigger(mut self, trigger: impl Into<String>) -> Self {
        self.0.trigger = trigger.into();
        self
    }

    /// Adds an attribute.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").attribute("region", "eu").build();
    /// assert_eq!(event.attribute("region"), Some("eu"));
    /// ```
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.attributes.push(Field { name: name.into(), value: value.into() });
        self
    }

    /// The event.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").build();
    /// assert_eq!(event.payload_bytes(), None);
    /// ```
    #[must_use]
    pub fn build(self) -> Event {
        Event(self.0)
    }
}
