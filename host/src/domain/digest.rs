//! Digests: a webhook collects events, and they go out together as one event of the type `digest`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::clock::Millis;
use super::event::Event;
use super::id::EventId;
use super::pattern::EventType;
use super::schedule::{Expression, Zone};
use super::webhook::Webhook;

/// Shortest quiet time and shortest wait, in milliseconds.
pub const WAIT_MIN_MS: u64 = 1000;
/// Longest quiet time, in milliseconds: 24 hours.
pub const QUIET_MAX_MS: u64 = 24 * 60 * 60 * 1000;
/// Longest wait, in milliseconds: 31 days.
pub const WAIT_MAX_MS: u64 = 31 * 24 * 60 * 60 * 1000;

/// When what is collected goes out, as a person says it: whatever comes first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DigestTimes)]
#[serde(deny_unknown_fields)]
pub struct DigestForm {
    /// At these times,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// by the clocks of this zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Zone>,
    /// When there are so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// When nothing has come for so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_ms: Option<u64>,
    /// When the first has waited for so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ms: Option<u64>,
}

/// The same, ready to be followed.
#[derive(Debug, Clone)]
pub struct Digest {
    form: DigestForm,
    cron: Option<Expression>,
}

/// When a digest that an event comes to is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// At the latest, if it is the first of its digest.
    pub until: Millis,
    /// When nothing comes after it; [`Millis::NEVER`] when that does not matter.
    pub quiet: Millis,
    /// When there are so many; [`u32::MAX`] when that does not matter.
    pub count: u32,
}

impl Bounds {
    /// When a digest of so many events is due that has only begun.
    pub fn due(&self, events: u32) -> Millis {
        if events >= self.count { Millis(0) } else { self.until.min(self.quiet) }
    }
}

impl Digest {
    /// Reads what a person said; none when the expression is none.
    pub fn new(form: DigestForm) -> Option<Self> {
        let cron = form.cron.as_deref().map(Expression::parse).transpose().ok()?;
        Some(Self { form, cron })
    }

    /// What a person said.
    pub const fn form(&self) -> &DigestForm {
        &self.form
    }

    /// When a digest is due that an event comes to now.
    pub fn bounds(&self, now: Millis) -> Bounds {
        let zone = self.form.time_zone.unwrap_or(Zone::UTC);
        let at = self.cron.as_ref().and_then(|cron| cron.next_after(now, zone)).unwrap_or(Millis::NEVER);
        let waited = self.form.max_ms.map_or(Millis::NEVER, |max_ms| now.plus(max_ms));
        Bounds {
            until: at.min(waited),
            quiet: self.form.quiet_ms.map_or(Millis::NEVER, |quiet_ms| now.plus(quiet_ms)),
            count: self.form.count.unwrap_or(u32::MAX),
        }
    }
}

/// An event in a digest, as plugins and receivers see it.
#[derive(Debug, Serialize)]
struct Part<'a> {
    id: EventId,
    r#type: &'a EventType,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    occurred_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Box<RawValue>>,
    /// Of a payload that is no JSON: its media type, and the bytes as text or in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
}

#[derive(Debug, Serialize)]
struct Payload<'a> {
    digest: Head<'a>,
    /// In the order in which they came.
    events: Vec<Part<'a>>,
}

#[derive(Debug, Serialize)]
struct Head<'a> {
    webhook: Of<'a>,
    /// How many it has.
    count: usize,
    /// How many more were waiting already, for the digest that follows.
    more: u64,
    first_at: Option<Millis>,
    last_at: Option<Millis>,
    types: Vec<Counted<'a>>,
}

#[derive(Debug, Serialize)]
struct Of<'a> {
    id: super::id::WebhookId,
    name: &'a str,
}

/// How many there are of a type; those that came first stand first.
#[derive(Debug, Serialize)]
struct Counted<'a> {
    r#type: &'a EventType,
    count: usize,
}

fn part(event: &Event) -> Part<'_> {
    let json = || {
        let text = std::str::from_utf8(event.payload.as_deref()?).ok()?;
        RawValue::from_string(text.to_owned()).ok()
    };
    let payload = if event.is_json() { json() } else { None };
    let other = event.payload.as_deref().filter(|bytes| payload.is_none() && !bytes.is_empty());
    let text = other.and_then(|bytes| std::str::from_utf8(bytes).ok());
    Part {
        id: event.id,
        r#type: &event.event_type,
        subject: event.subject.as_deref(),
        occurred_at: event.occurred_at,
        payload,
        content_type: other.map(|_| event.content_type.as_str()),
        payload_text: text,
        payload_base64: other.filter(|_| text.is_none()).map(|bytes| STANDARD.encode(bytes)),
    }
}

fn counted<'a>(events: &[&'a Event]) -> Vec<Counted<'a>> {
    let mut types: Vec<Counted<'a>> = Vec::new();
    for event in events {
        match types.iter_mut().find(|counted| *counted.r#type == event.event_type) {
            Some(counted) => counted.count += 1,
            None => types.push(Counted { r#type: &event.event_type, count: 1 }),
        }
    }
    types
}

/// The event that tells a webhook of what it has collected; `more` are left for the next one.
pub fn digest_event(id: EventId, webhook: &Webhook, events: &[&Event], more: u64, now: Millis) -> Event {
    let payload = Payload {
        digest: Head {
            webhook: Of { id: webhook.id, name: &webhook.name },
            count: events.len(),
            more,
            first_at: events.first().map(|event| event.occurred_at),
            last_at: events.last().map(|event| event.occurred_at),
            types: counted(events),
        },
        events: events.iter().map(|event| part(event)).collect(),
    };
    Event {
        id,
        project: webhook.project,
        event_type: EventType::digest(),
        // What all digests of a webhook have in common, so that its order holds for them too.
        subject: Some(webhook.id.to_string()),
        occurred_at: now,
        received_at: now,
        content_type: "application/json".to_owned(),
        attributes: Vec::new(),
        payload: Some(Bytes::from(serde_json::to_vec(&payload).expect("it is plain data"))),
        request_id: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::id::{DEFAULT_PROJECT, EventId};
    use super::*;

    const NOW: Millis = Millis(1_769_860_800_000);

    fn bounds(form: DigestForm) -> Bounds {
        Digest::new(form).unwrap().bounds(NOW)
    }

    #[test]
    fn whatever_comes_first_ends_the_wait() {
        let never = Millis::NEVER;
        let by_count = bounds(DigestForm { count: Some(3), max_ms: Some(5000), ..DigestForm::default() });
        assert_eq!(by_count, Bounds { until: NOW.plus(5000), quiet: never, count: 3 });
        assert_eq!((by_count.due(2), by_count.due(3)), (NOW.plus(5000), Millis(0)));
        let quiet = bounds(DigestForm { quiet_ms: Some(2000), max_ms: Some(9000), ..DigestForm::default() });
        assert_eq!(quiet, Bounds { until: NOW.plus(9000), quiet: NOW.plus(2000), count: u32::MAX });
        assert_eq!(quiet.due(1), NOW.plus(2000));
        // 12:00 now.
        let daily = DigestForm { cron: Some("0 13 * * *".to_owned()), ..DigestForm::default() };
        assert_eq!(bounds(daily.clone()).until, NOW.plus(3_600_000));
        assert_eq!(bounds(DigestForm { max_ms: Some(1000), ..daily }).until, NOW.plus(1000));
        assert!(Digest::new(DigestForm { cron: Some("x".to_owned()), ..DigestForm::default() }).is_none());
    }

    fn event(n: u128, event_type: &str, content_type: &str, payload: &'static [u8]) -> Event {
        Event {
            id: EventId::new(NOW, n),
            project: DEFAULT_PROJECT,
            event_type: EventType::parse(event_type).unwrap(),
            subject: (n == 1).then(|| "PAY-17".to_owned()),
            occurred_at: NOW.plus(u64::try_from(n).unwrap()),
            received_at: NOW,
            content_type: content_type.to_owned(),
            attributes: Vec::new(),
            payload: Some(Bytes::from_static(payload)),
            request_id: None,
        }
    }

    #[test]
    fn a_digest_holds_every_event_as_it_was_posted() {
        let events = [
            event(1, "ticket.created", "application/json", b"{\"n\": 1.50}"),
            event(2, "ticket.updated", "text/plain", "h\u{e9}".as_bytes()),
            event(3, "ticket.created", "image/png", &[0xff, 0]),
        ];
        let parts: Vec<Part<'_>> = events.iter().map(part).collect();
        let json = serde_json::to_string(&parts).unwrap();
        assert!(json.contains("\"payload\":{\"n\": 1.50}"), "byte for byte: {json}");
        assert!(json.contains("\"subject\":\"PAY-17\""), "{json}");
        assert!(json.contains("\"content_type\":\"text/plain\",\"payload_text\":\"h\u{e9}\""), "{json}");
        assert!(json.contains("\"content_type\":\"image/png\",\"payload_base64\":\"/wA=\""), "{json}");
        let references: Vec<&Event> = events.iter().collect();
        let types = serde_json::to_string(&counted(&references)).unwrap();
        assert_eq!(types, r#"[{"type":"ticket.created","count":2},{"type":"ticket.updated","count":1}]"#);
    }
}
