//! The body of a delivery that no plugin makes.

use bytes::Bytes;

use super::event::{Event, Field};
use super::request::{FORM, encode_form};
use super::webhook::{ContentType, Envelope};

/// What stands for the token where people see it.
const TOKEN_SHOWN: &str = "[secret:body_token]";
/// The field of an envelope or a form that holds the webhook's token.
const TOKEN: &str = "token";

/// The media type (none without a body) and the exact bytes for an event: `{"type","timestamp","data"}` (Standard Webhooks,
/// "Payload structure") or the payload as posted, as they are or as the form field `payload` as GitHub does. A token stands
/// in the envelope, or beside `payload` in a form; in bytes as they were posted there is no place for one.
pub fn plain_body(
    event: &Event,
    envelope: Envelope,
    content_type: ContentType,
    token: Option<&str>,
) -> (Option<String>, Bytes) {
    if event.is_bare() {
        return (None, Bytes::new());
    }
    let (media_type, body) = match (envelope, content_type) {
        (Envelope::Standard, ContentType::Json) => ("application/json".to_owned(), standard(event, token)),
        (Envelope::Standard, ContentType::Form) => (FORM.to_owned(), form(&standard(event, None), token)),
        (Envelope::Raw, ContentType::Form) => {
            (FORM.to_owned(), form(event.payload.as_deref().unwrap_or_default(), token))
        }
        (Envelope::Raw, ContentType::Json) => (event.content_type.clone(), event.payload.clone().unwrap_or_default()),
    };
    (Some(media_type), body)
}

/// The same as people may see it: a token by its name.
pub fn shown_body(
    event: &Event,
    envelope: Envelope,
    content_type: ContentType,
    has_token: bool,
) -> (Option<String>, Bytes) {
    let (media_type, body) = plain_body(event, envelope, content_type, None);
    if !has_token || body.is_empty() {
        return (media_type, body);
    }
    match content_type {
        ContentType::Json => plain_body(event, envelope, content_type, Some(TOKEN_SHOWN)),
        // The stand-in is for people, so it is not encoded.
        ContentType::Form => {
            let shown = [&body, format!("&{TOKEN}={TOKEN_SHOWN}").as_bytes()].concat();
            (media_type, shown.into())
        }
    }
}

/// Whether there is a place for a token.
pub const fn takes_token(envelope: Envelope, content_type: ContentType) -> bool {
    !matches!((envelope, content_type), (Envelope::Raw, ContentType::Json))
}

fn form(payload: &[u8], token: Option<&str>) -> Bytes {
    let payload = Field::new("payload", String::from_utf8_lossy(payload));
    let token = token.map(|token| Field::new(TOKEN, token));
    Bytes::from(encode_form(&[payload].into_iter().chain(token).collect::<Vec<_>>()))
}

/// Written by hand around the payload, which was read once as it came in and is not read again.
fn standard(event: &Event, token: Option<&str>) -> Bytes {
    let payload = event.payload.as_deref().unwrap_or_default();
    let mut body = Vec::with_capacity(payload.len() + 128);
    body.extend_from_slice(b"{\"type\":");
    quoted(&mut body, event.event_type.as_str());
    body.extend_from_slice(b",\"timestamp\":");
    quoted(&mut body, &event.occurred_at.to_string());
    if let Some(token) = token {
        body.extend_from_slice(b",\"");
        body.extend_from_slice(TOKEN.as_bytes());
        body.extend_from_slice(b"\":");
        quoted(&mut body, token);
    }
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
            request_id: None,
        }
    }

    fn body(event: &Event, envelope: Envelope, content_type: ContentType, token: Option<&str>) -> (String, String) {
        let (media_type, body) = plain_body(event, envelope, content_type, token);
        (media_type.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn the_standard_envelope_holds_the_payload_byte_for_byte() {
        let (media_type, body) = body(&event(Some(r#"{"n": 1.50}"#)), Envelope::Standard, ContentType::Json, None);
        assert_eq!(media_type, "application/json");
        assert_eq!(body, r#"{"type":"ticket.created","timestamp":"2026-01-31T12:00:00.000Z","data":{"n": 1.50}}"#);
    }

    #[test]
    fn raw_and_form_bodies() {
        let (_, raw) = body(&event(Some("{ }")), Envelope::Raw, ContentType::Json, None);
        assert_eq!(raw, "{ }");
        let (media_type, form) = body(&event(Some("{\"a\":\"b c\"}")), Envelope::Raw, ContentType::Form, None);
        assert_eq!((media_type.as_str(), form.as_str()), (FORM, "payload=%7B%22a%22%3A%22b+c%22%7D"));
        let (_, empty) = body(&event(None), Envelope::Raw, ContentType::Json, None);
        assert!(empty.is_empty());
    }

    #[test]
    fn a_token_stands_in_the_envelope_or_beside_the_payload_and_is_shown_by_its_name() {
        let event = event(Some("{}"));
        let token = "a\"&b";
        for (envelope, content_type, expected, shown) in [
            (
                Envelope::Standard,
                ContentType::Json,
                r#"{"type":"ticket.created","timestamp":"2026-01-31T12:00:00.000Z","token":"a\"&b","data":{}}"#,
                r#","token":"[secret:body_token]","data":{}}"#,
            ),
            (Envelope::Raw, ContentType::Form, "payload=%7B%7D&token=a%22%26b", "%7B%7D&token=[secret:body_token]"),
            (Envelope::Raw, ContentType::Json, "{}", "{}"),
        ] {
            assert_eq!(body(&event, envelope, content_type, Some(token)).1, expected);
            let (_, seen) = shown_body(&event, envelope, content_type, true);
            let seen = String::from_utf8(seen.to_vec()).unwrap();
            assert!(seen.ends_with(shown), "{seen}");
            assert_eq!(takes_token(envelope, content_type), seen.contains("[secret:"), "{seen}");
            let (_, without) = shown_body(&event, envelope, content_type, false);
            assert_eq!(without, body(&event, envelope, content_type, None).1);
        }
        let (_, form) = body(&event, Envelope::Standard, ContentType::Form, Some(token));
        let payload = form.strip_suffix("&token=a%22%26b").expect("a field of its own");
        assert!(payload.starts_with("payload=%7B%22type%22") && !payload.contains("token"), "{form}");
    }

    #[test]
    fn what_is_triggered_without_an_event_has_an_empty_body() {
        let bare = Event::triggered(EventId::new(Millis(0), 0), DEFAULT_PROJECT, Millis(0));
        for envelope in [Envelope::Standard, Envelope::Raw] {
            for content_type in [ContentType::Json, ContentType::Form] {
                let body = (None, Bytes::new());
                assert_eq!(plain_body(&bare, envelope, content_type, Some("token")), body);
                assert_eq!(shown_body(&bare, envelope, content_type, true), body);
            }
        }
        // An event that came without data is another thing.
        assert!(body(&event(None), Envelope::Standard, ContentType::Json, None).1.ends_with("\"data\":null}"));
    }
}
