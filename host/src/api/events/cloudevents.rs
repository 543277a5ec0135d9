//! CloudEvents 1.0 over HTTP (CloudEvents HTTP Protocol Binding §3): structured, binary, batch.

use std::collections::BTreeMap;

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;

use super::super::Api;
use super::super::auth::Caller;
use super::super::event_types::check_payload;
use super::super::extract::{body, read};
use super::super::problem::{Answer, Refused};
use super::accepted;
use super::publish::{check_payload_size, publish};
use crate::domain::clock::Millis;
use crate::domain::event::{Event, Field, Idempotency, SUBJECT_MAX_CHARS, is_json};
use crate::domain::id::EventId;
use crate::domain::pattern::EventType;
use crate::domain::problem::{FieldError, Problem, ProblemCode};
use crate::ingest::Posted;

/// Most events of a batch.
const BATCH_MAX: usize = 1000;
/// Most extension attributes of an event.
const EXTENSIONS_MAX: usize = 64;

#[derive(Debug, Default)]
struct CloudEvent {
    specversion: String,
    id: String,
    source: String,
    r#type: String,
    time: Option<Millis>,
    subject: Option<String>,
    datacontenttype: Option<String>,
    dataschema: Option<String>,
    data: Option<Box<RawValue>>,
    data_base64: Option<String>,
    extensions: serde_json::Map<String, serde_json::Value>,
    /// The data, where it is the body of the request.
    body: Option<Bytes>,
}

/// An event in JSON: its data stays as it was written.
type Members = BTreeMap<String, Box<RawValue>>;

/// Whether the attributes stand in headers.
pub(super) fn is_binary(headers: &HeaderMap) -> bool {
    headers.contains_key("ce-specversion")
}

pub(super) async fn structured(api: &Api, caller: &Caller, bytes: &[u8]) -> Answer<Response> {
    let posted = posted(api, caller, from_members(read(bytes)?, "")?, "").await?;
    Ok(accepted(publish(api, vec![posted]).await?.remove(0)))
}

pub(super) async fn batch(api: &Api, caller: &Caller, bytes: &[u8]) -> Answer<Response> {
    let events: Vec<Members> = read(bytes)?;
    if events.len() > BATCH_MAX {
        let detail = format!("a batch has at most {BATCH_MAX} events, not {}", events.len());
        return Err(Problem::new(ProblemCode::Invalid, detail).into());
    }
    let mut all = Vec::with_capacity(events.len());
    for (index, event) in events.into_iter().enumerate() {
        let at = format!("/{index}");
        all.push(posted(api, caller, from_members(event, &at)?, &at).await?);
    }
    if all.is_empty() {
        return Ok(accepted(serde_json::json!([])));
    }
    Ok(accepted(publish(api, all).await?))
}

pub(super) async fn binary(api: &Api, caller: &Caller, request: Request) -> Answer<Response> {
    let mut event = from_headers(request.headers())?;
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or("application/json").to_owned();
    let payload = body(request, api).await?;
    event.datacontenttype = Some(content_type);
    check_payload_size(api, payload.len())?;
    let content_type = event.datacontenttype.clone().unwrap_or_default();
    check_json(&content_type, &payload)?;
    event.body = (!payload.is_empty()).then_some(payload);
    let posted = posted(api, caller, event, "").await?;
    Ok(accepted(publish(api, vec![posted]).await?.remove(0)))
}

/// What says it is JSON must be JSON.
fn check_json(content_type: &str, payload: &[u8]) -> Answer<()> {
    if payload.is_empty() || !is_json(content_type) {
        return Ok(());
    }
    serde_json::from_slice::<serde::de::IgnoredAny>(payload)
        .map(drop)
        .map_err(|error| Problem::new(ProblemCode::MalformedBody, format!("the data is not JSON: {error}")).into())
}

fn from_members(members: Members, at: &str) -> Answer<CloudEvent> {
    let mut event = CloudEvent::default();
    for (name, value) in members {
        let invalid = |detail: &str| Refused(Problem::field(format!("{at}/{name}"), detail));
        // A member that is null is one that is absent (JSON Format §2.2).
        if value.get() == "null" {
            continue;
        }
        if name == "data" {
            event.data = Some(value);
            continue;
        }
        let value: serde_json::Value = serde_json::from_str(value.get()).map_err(|_| invalid("is not JSON"))?;
        let text = || value.as_str().map(ToOwned::to_owned).ok_or_else(|| invalid("is a text"));
        match name.as_str() {
            "specversion" => event.specversion = text()?,
            "id" => event.id = text()?,
            "source" => event.source = text()?,
            "type" => event.r#type = text()?,
            "time" => event.time = Some(Millis::parse(&text()?).ok_or_else(|| invalid("is an RFC 3339 time"))?),
            "subject" => event.subject = Some(text()?),
            "datacontenttype" => event.datacontenttype = Some(text()?),
            "dataschema" => event.dataschema = Some(text()?),
            "data_base64" => event.data_base64 = Some(text()?),
            other => drop(event.extensions.insert(other.to_owned(), value)),
        }
    }
    Ok(event)
}

fn from_headers(headers: &HeaderMap) -> Answer<CloudEvent> {
    let mut event = CloudEvent::default();
    for (name, value) in headers {
        let Some(attribute) = name.as_str().strip_prefix("ce-") else { continue };
        let invalid = |detail: &str| Refused(Problem::field(format!("/{attribute}"), detail));
        let text = value.to_str().map_err(|_| invalid("is percent-encoded where it is not visible ASCII"))?;
        let text = percent_decode_str(text).decode_utf8().map_err(|_| invalid("is not UTF-8"))?.into_owned();
        match attribute {
            "specversion" => event.specversion = text,
            "id" => event.id = text,
            "source" => event.source = text,
            "type" => event.r#type = text,
            "time" => event.time = Some(Millis::parse(&text).ok_or_else(|| invalid("is an RFC 3339 time"))?),
            "subject" => event.subject = Some(text),
            "dataschema" => event.dataschema = Some(text),
            "datacontenttype" => return Err(invalid("stands in Content-Type, never in a header of its own")),
            other => drop(event.extensions.insert(other.to_owned(), text.into())),
        }
    }
    Ok(event)
}

async fn posted(api: &Api, caller: &Caller, event: CloudEvent, at: &str) -> Answer<Posted> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, detail: String| errors.push(FieldError::new(format!("{at}/{field}"), detail));
    if event.specversion != "1.0" {
        wrong("specversion", "is 1.0".to_owned());
    }
    for (field, text) in [("id", &event.id), ("source", &event.source)] {
        if text.is_empty() || text.chars().count() > 1024 {
            wrong(field, "is 1 to 1024 characters".to_owned());
        }
    }
    if event.subject.as_ref().is_some_and(|text| !(1..=SUBJECT_MAX_CHARS).contains(&text.chars().count())) {
        wrong("subject", format!("is 1 to {SUBJECT_MAX_CHARS} characters"));
    }
    let event_type =
        EventType::parse_from_provider(&event.r#type).map_err(|error| wrong("type", error.to_string())).ok();
    if event.data.is_some() && event.data_base64.is_some() {
        wrong("data_base64", "stands beside `data`; an event has one of them".to_owned());
    }
    let content_type = event.datacontenttype.unwrap_or_else(|| "application/json".to_owned());
    let json_as_promised = |bytes: &[u8]| check_json(&content_type, bytes).is_ok();
    let payload = match (&event.data, &event.data_base64) {
        (_, Some(encoded)) => STANDARD
            .decode(encoded)
            .map_err(|_| "is not base64")
            .and_then(
                |bytes| if json_as_promised(&bytes) { Ok(bytes) } else { Err("is not JSON, as its media type says") },
            )
            .map(|bytes| Some(Bytes::from(bytes)))
            .map_err(|detail| wrong("data_base64", detail.to_owned()))
            .unwrap_or_default(),
        (Some(data), None) => Some(data_bytes(data, &content_type)),
        (None, None) => event.body,
    };
    if event.extensions.len() > EXTENSIONS_MAX {
        wrong("", format!("has at most {EXTENSIONS_MAX} extension attributes"));
    }
    let mut attributes = vec![Field::new("id", &event.id), Field::new("source", &event.source)];
    attributes.extend(event.dataschema.map(|schema| Field::new("dataschema", schema)));
    for (name, value) in event.extensions {
        if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) || value.is_object() || value.is_array()
        {
            wrong(&name, "an extension attribute is a-z and 0-9, and its value a text, number or boolean".to_owned());
            continue;
        }
        let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        attributes.push(Field::new(name, text));
    }
    check_payload_size(api, payload.as_ref().map_or(0, Bytes::len))?;
    let Some(event_type) = event_type.filter(|_| errors.is_empty()) else {
        return Err(Problem::invalid(errors).into());
    };
    let (now, project) = (api.clock.now(), caller.project());
    if let Some(payload) = payload.as_ref().filter(|_| is_json(&content_type)) {
        let wrong = check_payload(api, project, &event_type, payload, &format!("{at}/data")).await;
        wrong.map_err(Problem::invalid)?;
    }
    // `source` and `id` together are unique (CloudEvents §3.1.1), so a repeat is the same event.
    let key = format!("ce:{}\0{}", event.source, event.id);
    let idempotency = Idempotency::new(project, &key, event_type.as_str().as_bytes());
    let event = Event {
        id: EventId::new(now, api.entropy.id()),
        project,
        event_type,
        subject: event.subject,
        occurred_at: event.time.unwrap_or(now),
        received_at: now,
        content_type,
        attributes,
        payload,
        request_id: Some(caller.context().id.clone()),
    };
    Ok(Posted { event, idempotency: Some(idempotency) })
}

/// JSON data stays as it was written; text of another media type is the text itself (JSON Format §3.1).
fn data_bytes(data: &RawValue, content_type: &str) -> Bytes {
    if !is_json(content_type)
        && let Ok(text) = serde_json::from_str::<String>(data.get())
    {
        return Bytes::from(text);
    }
    Bytes::copy_from_slice(data.get().as_bytes())
}
