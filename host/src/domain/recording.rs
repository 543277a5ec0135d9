//! What a plugin was given, so that its run can be done again on another machine, and told from any other by its digest.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::clock::Millis;
use super::delivery::Trigger;
use super::event::{Event, Field};
use super::id::{DeliveryId, EventId, ProjectId, WebhookId};
use super::pattern::EventType;
use super::plugin::{Digest, PluginFailure};
use super::plugin_limits::PluginLimits;

/// The contract's package and version: with another one the same values would be given in another form.
pub const CONTRACT: &str = "hookwright:plugin@1.0.0";

/// What a plugin recalled: a part of its input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Recalled {
    /// Under which key.
    pub key: String,
    /// What, if anything was remembered.
    pub value: Option<String>,
}

/// What tells a run from any other: the same input and the same version give the same output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Digests {
    /// Of what the plugin was given: [`Given::digest`].
    pub input: Digest,
    /// Of the component that ran.
    pub version: Digest,
    /// Of what came of it: [`super::outcome::Outcome::digest`].
    pub output: Digest,
}

/// What of a run is kept with its delivery and needed to do it again, beside event and configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// What the webhook was called then.
    pub webhook_name: Option<String>,
    /// What the plugin recalled.
    pub recalled: Vec<Recalled>,
    /// None for a run that could not begin.
    pub digests: Option<Digests>,
    /// What the run might use.
    pub limits: Option<PluginLimits>,
    /// Why it gave nothing.
    pub error: Option<PluginFailure>,
}

/// All that a plugin is given.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// The event.
    pub event: &'a Event,
    /// Why the delivery exists.
    pub trigger: Trigger,
    /// The delivery.
    pub delivery: DeliveryId,
    /// The webhook.
    pub webhook: WebhookId,
    /// Its name.
    pub webhook_name: &'a str,
    /// Its configuration for the plugin: JSON text.
    pub configuration: &'a str,
    /// What the plugin asked its memory for, by key.
    pub recalled: &'a [Recalled],
}

/// Hashes values so that no two different ones give the same bytes: each with its length, in an order that never changes.
struct Canonical(Sha256);

impl Canonical {
    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// The plugin gets it as text, which says no more.
    fn id(&mut self, id: Uuid) {
        self.0.update(id.as_bytes());
    }

    /// As with ids.
    fn time(&mut self, time: Millis) {
        self.0.update(time.0.to_le_bytes());
    }

    fn count(&mut self, count: usize) {
        self.0.update((count as u64).to_le_bytes());
    }

    fn option(&mut self, value: Option<&[u8]>) {
        self.0.update([u8::from(value.is_some())]);
        if let Some(value) = value {
            self.bytes(value);
        }
    }
}

impl Given<'_> {
    /// SHA-256 over the contract's version and everything given, texts and payload byte for byte.
    pub fn digest(&self) -> Digest {
        let Given { event, trigger, delivery, webhook, webhook_name, configuration, recalled } = *self;
        let mut hash = Canonical(Sha256::new());
        hash.text(CONTRACT);
        hash.id(event.id.uuid());
        hash.text(event.event_type.as_str());
        hash.time(event.occurred_at);
        hash.time(event.received_at);
        hash.id(event.project.uuid());
        hash.option(event.subject.as_deref().map(str::as_bytes));
        hash.text(&event.content_type);
        hash.option(event.payload.as_deref());
        hash.count(event.attributes.len());
        for Field { name, value } in &event.attributes {
            hash.text(name);
            hash.text(value);
        }
        hash.text(trigger.as_str());
        hash.id(delivery.uuid());
        hash.id(webhook.uuid());
        hash.text(webhook_name);
        hash.text(configuration);
        hash.count(recalled.len());
        for Recalled { key, value } in recalled {
            hash.text(key);
            hash.option(value.as_deref().map(str::as_bytes));
        }
        Digest(hash.0.finalize().into())
    }

    /// The same to be written down.
    pub fn recording(&self) -> Recording {
        let event = self.event;
        Recording {
            contract: CONTRACT.to_owned(),
            event: RecordedEvent {
                id: event.id,
                r#type: event.event_type.as_str().to_owned(),
                subject: event.subject.clone(),
                occurred_at: event.occurred_at,
                received_at: event.received_at,
                project: event.project,
                content_type: event.content_type.clone(),
                attributes: event.attributes.clone(),
                payload: event.payload.as_deref().map(RecordedPayload::of),
                trigger: self.trigger,
                delivery_id: self.delivery,
            },
            subscription: RecordedSubscription {
                webhook_id: self.webhook,
                name: self.webhook_name.to_owned(),
                configuration: self.configuration.to_owned(),
            },
            recalled: self.recalled.to_vec(),
        }
    }
}

/// What a plugin was given, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Recording {
    /// The contract it was given by.
    pub contract: String,
    /// The event.
    pub event: RecordedEvent,
    /// The webhook.
    pub subscription: RecordedSubscription,
    /// What the plugin asked its memory for, by key.
    pub recalled: Vec<Recalled>,
}

/// The event of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordedEvent {
    /// Its id.
    pub id: EventId,
    /// Its type.
    pub r#type: String,
    /// What it is about.
    pub subject: Option<String>,
    /// When it happened.
    pub occurred_at: Millis,
    /// When the server received it.
    pub received_at: Millis,
    /// Its project.
    pub project: ProjectId,
    /// Media type of the payload.
    pub content_type: String,
    /// What else the provider set.
    pub attributes: Vec<Field>,
    /// The payload's exact bytes.
    pub payload: Option<RecordedPayload>,
    /// Why the delivery exists.
    pub trigger: Trigger,
    /// The delivery.
    pub delivery_id: DeliveryId,
}

/// Exact bytes in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordedPayload {
    /// Valid UTF-8.
    Text(String),
    /// Anything else.
    Base64(String),
}

/// The webhook of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordedSubscription {
    /// Its id.
    pub webhook_id: WebhookId,
    /// What it was called.
    pub name: String,
    /// Its configuration for the plugin: JSON text, byte for byte.
    pub configuration: String,
}

impl RecordedPayload {
    fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Base64(STANDARD.encode(bytes)),
        }
    }

    fn bytes(&self) -> Option<Bytes> {
        match self {
            Self::Text(text) => Some(Bytes::from(text.clone())),
            Self::Base64(text) => STANDARD.decode(text).ok().map(Bytes::from),
        }
    }
}

impl Recording {
    /// The event as it was; what cannot be read of it is told in words.
    pub fn event(&self) -> Result<Event, String> {
        let event = &self.event;
        let payload = match &event.payload {
            None => None,
            Some(payload) => Some(payload.bytes().ok_or("the payload is not base64")?),
        };
        Ok(Event {
            id: event.id,
            project: event.project,
            event_type: EventType::parse(&event.r#type).map_err(|error| error.to_string())?,
            subject: event.subject.clone(),
            occurred_at: event.occurred_at,
            received_at: event.received_at,
            content_type: event.content_type.clone(),
            attributes: event.attributes.clone(),
            payload,
            request_id: None,
        })
    }

    /// What was given, with the event as [`Recording::event`] reads it.
    pub fn given<'a>(&'a self, event: &'a Event) -> Given<'a> {
        Given {
            event,
            trigger: self.event.trigger,
            delivery: self.event.delivery_id,
            webhook: self.subscription.webhook_id,
            webhook_name: &self.subscription.name,
            configuration: &self.subscription.configuration,
            recalled: &self.recalled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event {
            id: EventId::new(Millis(1), 1),
            project: ProjectId::new(Millis(1), 2),
            event_type: EventType::parse("ticket.created").unwrap(),
            subject: Some("PAY-17".to_owned()),
            occurred_at: Millis(1),
            received_at: Millis(2),
            content_type: "application/json".to_owned(),
            attributes: vec![Field::new("a", "b")],
            payload: Some(Bytes::from_static(b"{}")),
            request_id: None,
        }
    }

    fn given<'a>(event: &'a Event, recalled: &'a [Recalled]) -> Given<'a> {
        Given {
            event,
            trigger: Trigger::Event,
            delivery: DeliveryId::with_room(Millis(1), 3),
            webhook: WebhookId::new(Millis(1), 4),
            webhook_name: "tickets",
            configuration: "{}",
            recalled,
        }
    }

    #[test]
    fn whatever_a_plugin_can_see_is_in_the_digest() {
        let fact = |key: &str, value: Option<&str>| Recalled { key: key.to_owned(), value: value.map(str::to_owned) };
        let (event, facts) = (event(), [fact("k", Some("v"))]);
        let given = given(&event, &facts);
        let other_event = |change: fn(&mut Event)| {
            let mut event = event.clone();
            change(&mut event);
            Given { event: &event, ..given }.digest()
        };
        let digests = [
            given.digest(),
            other_event(|event| event.id = EventId::new(Millis(1), 9)),
            other_event(|event| event.event_type = EventType::parse("ticket.updated").unwrap()),
            other_event(|event| event.subject = None),
            other_event(|event| event.subject = Some(String::new())),
            other_event(|event| event.occurred_at = Millis(9)),
            other_event(|event| event.received_at = Millis(9)),
            other_event(|event| event.project = ProjectId::new(Millis(1), 9)),
            other_event(|event| event.content_type = "text/json".to_owned()),
            other_event(|event| event.attributes = vec![Field::new("ab", "")]),
            other_event(|event| event.attributes.clear()),
            other_event(|event| event.payload = Some(Bytes::from_static(b"{ }"))),
            other_event(|event| event.payload = None),
            Given { trigger: Trigger::Reprocess, ..given }.digest(),
            Given { delivery: DeliveryId::with_room(Millis(1), 9 << 16), ..given }.digest(),
            Given { webhook: WebhookId::new(Millis(1), 9), ..given }.digest(),
            Given { webhook_name: "ticket", ..given }.digest(),
            Given { configuration: "{\"a\":1}", ..given }.digest(),
            Given { recalled: &[], ..given }.digest(),
            Given { recalled: &[fact("k", None)], ..given }.digest(),
            Given { recalled: &[fact("kv", Some(""))], ..given }.digest(),
        ];
        for (index, digest) in digests.iter().enumerate() {
            assert!(!digests[..index].contains(digest), "the change {index} is not seen");
        }
    }

    #[test]
    fn a_recording_gives_back_exactly_what_was_given() {
        for payload in [None, Some(&b"{\"a\": 1}\n"[..]), Some(&b"\xff\x00"[..])] {
            let event = Event { payload: payload.map(Bytes::from_static), ..event() };
            let facts = [Recalled { key: "k".to_owned(), value: None }];
            let given = given(&event, &facts);
            let json = serde_json::to_string(&given.recording()).unwrap();
            let read: Recording = serde_json::from_str(&json).unwrap();
            let event = read.event().unwrap();
            assert_eq!(read.given(&event).digest(), given.digest(), "{json}");
        }
    }
}
