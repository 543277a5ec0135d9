//! The body of a delivery that no plugin makes.

use bytes::Bytes;

use super::event::{Event, Field};
use super::request::encode_form;
use super::webhook::{ContentType, Envelope};

/// The media type and the exact bytes for an event: `{"type","timestamp","data"}` (Standard Webhooks, "Payload
/// structure") or the payload as posted, as they are or as the form field `payload` as GitHub does.
pub fn plain_body(event: &Event, envelope: Envelope, content_type: ContentType) -> (String, Bytes) {
    let (media_type, body) = match envelope {
        Envelope::Standard => ("application/json".to_owned(), standard(event)),
        Envelope::Raw => (event.content_type.clone(), event.payload.clone().unwrap_or_default()),
    };
    match content_type {
        ContentType::Json => (media_type, body),
        ContentType::Form => {
            let field = Field::new("payload", String::from_utf8_lossy(&body));
            ("application/x-www-form-urlencoded".to_owned(), Bytes::from(encode_form(&[field])))
        }
    }
}

/// Written by hand around the payload, which was read once as it came in and is not read again.
fn standard(event: &Event) -> Bytes {
    let payload = event.payload.as_deref().unwrap_or_default();
    let mut body = Vec::with_capacity(payload.len() + 128);
    body.extend_from_slice(b"{\"type\":");
    quoted(&mut body, event.event_type.as_str());
    body.extend_from_slice(b",\"timestamp\":");
    quoted(&mut body, &event.occurred_at.to_string());
    body.extend_from_slice(b",\"data\":");
    if event.payload.is_none() {
        body.extend_from_slice(b"null");
    } else if event.is_json() {
        body.extend_from_slice(payload);
    } else {
        quoted(&mut body, &String::from_utf8_lossy(payload));
    }
    body.push(b'}');
    body.into()
}

fn quoted(body: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(body, text).expect("text is a JSON string");
}

#[cfg(test)]
mod tests {
    use super::super::clock::Millis;
    use super::super::id::{DEFAULT_PROJECT, EventId};
    use super::super::pattern::EventType;
    use super::*;

    fn event(payload: Option<&'static str>) -> Event {
        Event {
            id: EventId::new(Millis(0), 0),
            project: DEFAULT_PROJECT,
            event_type: EventType::parse("ticket.created").unwrap(),
            subject: None,
            occurred_at: Millis(1_769_860_800_000),
            received_at: Millis(1_769_860_800_005),
            content_type: "application/json".to_owned(),
            attributes: Vec::new(),
            payload: payload.map(|payload| Bytes::from_static(payload.as_bytes())),
        }
    }

    #[test]
    fn the_standard_envelope_holds_the_payload_byte_for_byte() {
        let (media_type, body) = plain_body(&event(Some(r#"{"n": 1.50}"#)), Envelope::Standard, ContentType::Json);
        assert_eq!(media_type, "application/json");
        assert_eq!(body, r#"{"type":"ticket.created","timestamp":"2026-01-31T12:00:00.000Z","data":{"n": 1.50}}"#);
    }

    #[test]
    fn raw_and_form_bodies() {
        let (_, raw) = plain_body(&event(Some("{ }")), Envelope::Raw, ContentType::Json);
        assert_eq!(raw, "{ }");
        let (media_type, form) = plain_body(&event(Some("{\"a\":\"b c\"}")), Envelope::Raw, ContentType::Form);
        assert_eq!(
            (media_type.as_str(), &form[..]),
            ("application/x-www-form-urlencoded", &b"payload=%7B%22a%22%3A%22b+c%22%7D"[..])
        );
        let (_, empty) = plain_body(&event(None), Envelope::Raw, ContentType::Json);
        assert!(empty.is_empty());
    }
}
