use serde::Deserialize;

use crate::bindings::types;
use crate::catalogue::{Known, Node};
use crate::{Failure, json};

/// Something that happened at the provider.
///
/// ```
/// use hookwright_sdk::testing;
///
/// let event = testing::event("ticket.created").subject("42").build();
/// assert_eq!((event.kind(), event.subject()), ("ticket.created", Some("42")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event(pub(crate) types::Event);

impl Event {
    /// `evt_…`, the same on every retry and replay.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").id("evt_0199").build();
    /// assert_eq!(event.id(), "evt_0199");
    /// ```
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The event type, for example `ticket.created`.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").build();
    /// assert_eq!(event.kind(), "ticket.created");
    /// ```
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// When it happened: RFC 3339 in UTC with milliseconds, `2026-01-31T12:00:00.000Z`.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").occurred_at("2026-01-31T12:00:00.000Z").build();
    /// assert_eq!(event.occurred_at(), "2026-01-31T12:00:00.000Z");
    /// ```
    pub fn occurred_at(&self) -> &str {
        &self.0.occurred_at
    }

    /// When the server received it, in the same form.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").build();
    /// assert_eq!(event.received_at(), "2026-01-31T12:00:00.000Z");
    /// ```
    pub fn received_at(&self) -> &str {
        &self.0.received_at
    }

    /// `prj_…`.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").project("prj_0199").build();
    /// assert_eq!(event.project(), "prj_0199");
    /// ```
    pub fn project(&self) -> &str {
        &self.0.project
    }

    /// What the event is about, for example a ticket's id.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").subject("42").build();
    /// assert_eq!(event.subject(), Some("42"));
    /// ```
    pub fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// Media type of the payload.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").build();
    /// assert_eq!(event.content_type(), "application/json");
    /// ```
    pub fn content_type(&self) -> &str {
        &self.0.content_type
    }

    /// The value of a further attribute that the provider set, for example a `CloudEvents` extension.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").attribute("region", "eu").build();
    /// assert_eq!(event.attribute("region"), Some("eu"));
    /// ```
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// All further attributes, as name and value.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").attribute("region", "eu").build();
    /// assert_eq!(event.attributes().collect::<Vec<_>>(), [("region", "eu")]);
    /// ```
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.attributes.iter().map(|field| (field.name.as_str(), field.value.as_str()))
    }

    /// Why this delivery exists: `event`, `manual`, `test`, `schedule` or `reprocess`.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").trigger("manual").build();
    /// assert_eq!(event.trigger(), "manual");
    /// ```
    pub fn trigger(&self) -> &str {
        &self.0.trigger
    }

    /// `dlv_…`, stable over retries: make idempotency keys from it.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").build();
    /// assert!(event.delivery_id().starts_with("dlv_"));
    /// ```
    pub fn delivery_id(&self) -> &str {
        &self.0.delivery_id
    }

    /// What the provider posted, if it is text.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").text("[1]").build();
    /// assert_eq!(event.payload_text(), Some("[1]"));
    /// ```
    pub fn payload_text(&self) -> Option<&str> {
        match &self.0.payload {
            Some(types::Payload::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// What the provider posted, at most 1 MiB. None for a trigger by hand without an event.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// let event = testing::event("ticket.created").binary([0xff]).build();
    /// assert_eq!((event.payload_bytes(), event.payload_text()), (Some(&[0xff][..]), None));
    /// ```
    pub fn payload_bytes(&self) -> Option<&[u8]> {
        match &self.0.payload {
            Some(types::Payload::Text(text)) => Some(text.as_bytes()),
            Some(types::Payload::Binary(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// The payload as JSON.
    ///
    /// ```
    /// use hookwright_sdk::testing;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Payload<'a> {
    ///     title: &'a str,
    /// }
    ///
    /// let event = testing::event("ticket.created").text(r#"{"title": "Export fails"}"#).build();
    /// assert_eq!(event.json::<Payload>()?.title, "Export fails");
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    ///
    /// # Errors
    /// `payload.missing` without a payload, `payload.invalid` when it is not text, not JSON, or not of this
    /// type; the message names the field.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Failure> {
        let text = self.payload_text().ok_or_else(|| self.no_text())?;
        json::parse(text).map_err(|error| json::failure("payload.invalid", "The payload", text, &error))
    }

    /// The payload by its event type. See [`Known`].
    ///
    /// ```
    /// use hookwright_sdk::{catalogue::Known, testing};
    ///
    /// let ticket = serde_json::json!({"ticket": {"id": 42, "title": "Export fails"}});
    /// let event = testing::event("ticket.created").payload(ticket).build();
    /// let Known::TicketCreated(created) = event.catalogue()? else { panic!("a ticket") };
    /// assert_eq!(created.ticket.title, "Export fails");
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    ///
    /// # Errors
    /// Like [`Event::json`], for the event types of the catalogue only.
    pub fn catalogue(&self) -> Result<Known, Failure> {
        Known::of(self)
    }

    /// The payload as a tree.
    pub(crate) fn tree(&self) -> Result<Node<'_>, Failure> {
        let text = self.payload_text().ok_or_else(|| self.no_text())?;
        Node::parse(text).map_err(|error| json::failure("payload.invalid", "The payload", text, &error))
    }

    fn no_text(&self) -> Failure {
        if self.0.payload.is_none() {
            Failure::new("payload.missing", "The event has no payload.")
        } else {
            Failure::new("payload.invalid", "The payload is not text.")
        }
    }
}

/// The webhook on whose behalf the plugin runs. Its URL and secrets are not here.
///
/// ```
/// use hookwright_sdk::Webhook;
///
/// fn told(webhook: &Webhook) -> String {
///     format!("{} ({})", webhook.name(), webhook.id())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook(pub(crate) types::Subscription);

impl Webhook {
    /// `whk_…`.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).build();
    /// assert!(exchange.webhook().id().starts_with("whk_"));
    /// ```
    pub fn id(&self) -> &str {
        &self.0.webhook_id
    }

    /// What its owner calls it; may be empty.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).build();
    /// assert_eq!(exchange.webhook().name(), "");
    /// ```
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The configuration as JSON text; [`crate::Plugin`] gets it parsed.
    ///
    /// ```
    /// use hookwright_sdk::{Request, testing};
    ///
    /// let exchange = testing::exchange(Request::post()).build();
    /// assert_eq!(exchange.webhook().configuration(), "{}");
    /// ```
    pub fn configuration(&self) -> &str {
        &self.0.configuration
    }
}
