//! Events in our own JSON form: one, or an array that is stored whole or not at all.

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::super::Api;
use super::super::auth::Caller;
use super::super::event_types::check_payload;
use super::super::extract::{body, read};
use super::super::problem::{Answer, Refused};
use super::accepted;
use crate::domain::clock::Millis;
use crate::domain::event::{Event, IDEMPOTENCY_KEY_MAX_CHARS, Idempotency, SUBJECT_MAX_CHARS};
use crate::domain::id::{DeliveryId, EventId, ProjectId, WebhookId};
use crate::domain::pattern::EventType;
use crate::domain::problem::{FieldError, Problem, ProblemCode};
use crate::domain::token::Permission;
use crate::ingest::{Outcome, Posted};

/// Most events of an array.
const ARRAY_MAX: usize = 1000;

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = EventCreate, example = json!({ "type": "ticket.created", "payload": { "ticket": { "id": "4711" } } }))]
#[serde(deny_unknown_fields)]
pub(super) struct Publish {
    /// What happened, like `ticket.created`.
    #[schema(value_type = EventType)]
    r#type: String,
    /// Any JSON.
    #[schema(value_type = Value)]
    payload: Box<RawValue>,
    /// In which project, where the caller may do this in several; else the one that is worked in.
    project: Option<ProjectId>,
    /// What it is about: events of one subject can be delivered in order.
    #[schema(min_length = 1, max_length = 255)]
    subject: Option<String>,
    /// The provider's own id: makes a repeated post the same event for 24 hours.
    #[schema(min_length = 1, max_length = 255)]
    id: Option<String>,
    /// When it happened; now when absent.
    occurred_at: Option<Millis>,
    /// Makes a repeated post the same event for 24 hours, like the header.
    #[schema(min_length = 1, max_length = 255)]
    idempotency_key: Option<String>,
}

/// What became of one event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PublishedEvent)]
pub(super) struct Published {
    id: EventId,
    r#type: String,
    duplicate: bool,
    deliveries: Vec<Made>,
    /// When more webhooks want it than are served at once.
    #[serde(skip_serializing_if = "is_zero")]
    deliveries_to_come: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MadeDelivery)]
pub(super) struct Made {
    pub(super) id: DeliveryId,
    pub(super) webhook_id: WebhookId,
}

pub(super) async fn json(api: &Api, caller: &Caller, request: Request, key: Option<String>) -> Answer<Response> {
    let bytes = body(request, api).await?;
    let is_array = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    if is_array {
        if key.is_some() {
            let detail = "an array has many events: give each its own `idempotency_key`";
            return Err(Problem::new(ProblemCode::Invalid, detail).into());
        }
        return Box::pin(array(api, caller, &bytes)).await;
    }
    let posted = posted(api, caller, read(&bytes)?, key, "").await?;
    let mut published = publish(api, vec![posted]).await?;
    Ok(accepted(published.remove(0)))
}

async fn array(api: &Api, caller: &Caller, bytes: &[u8]) -> Answer<Response> {
    let events: Vec<Publish> = read(bytes)?;
    if !(1..=ARRAY_MAX).contains(&events.len()) {
        let detail = format!("an array has 1 to {ARRAY_MAX} events, not {}", events.len());
        return Err(Problem::new(ProblemCode::Invalid, detail).into());
    }
    let mut errors = Vec::new();
    let mut all = Vec::with_capacity(events.len());
    for (index, event) in events.into_iter().enumerate() {
        match posted(api, caller, event, None, &format!("/{index}")).await {
            Ok(posted) => all.push(posted),
            Err(Refused(problem)) if problem.code == ProblemCode::Invalid => errors.extend(problem.errors),
            Err(refused) => return Err(refused),
        }
    }
    if !errors.is_empty() {
        return Err(Problem::invalid(errors).into());
    }
    Ok(accepted(publish(api, all).await?))
}

/// `Idempotency-Key` of the request.
pub(in super::super) fn header_key(headers: &HeaderMap) -> Answer<Option<String>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    if !(1..=IDEMPOTENCY_KEY_MAX_CHARS).contains(&text.len()) {
        let detail = format!("`Idempotency-Key` is 1 to {IDEMPOTENCY_KEY_MAX_CHARS} visible ASCII characters");
        return Err(Problem::new(ProblemCode::Invalid, detail).into());
    }
    Ok(Some(text.to_owned()))
}

/// Checks one event; `at` is where it stands in the body.
pub(super) async fn posted(api: &Api, caller: &Caller, form: Publish, key: Option<String>, at: &str) -> Answer<Posted> {
    let project = caller.project_named(api, form.project, Permission::EventsPublish, at).await?;
    let mut errors = Vec::new();
    let event_type = EventType::parse_from_provider(&form.r#type)
        .map_err(|error| errors.push(FieldError::new(format!("{at}/type"), error.to_string())))
        .ok();
    let mut check = |field: &str, text: Option<&str>, max: usize| {
        if text.is_some_and(|text| !(1..=max).contains(&text.chars().count())) {
            errors.push(FieldError::new(format!("{at}/{field}"), format!("is 1 to {max} characters")));
        }
    };
    check("subject", form.subject.as_deref(), SUBJECT_MAX_CHARS);
    check("id", form.id.as_deref(), IDEMPOTENCY_KEY_MAX_CHARS);
    check("idempotency_key", form.idempotency_key.as_deref(), IDEMPOTENCY_KEY_MAX_CHARS);
    check_payload_size(api, form.payload.get().len())?;
    let Some(event_type) = event_type.filter(|_| errors.is_empty()) else {
        return Err(Problem::invalid(errors).into());
    };
    let payload = form.payload.get().as_bytes();
    let wrong = check_payload(api, project, &event_type, payload, &format!("{at}/payload")).await;
    wrong.map_err(Problem::invalid)?;
    let now = api.clock.now();
    // The provider's own id is a key like any other, apart from those.
    let key = key.or(form.idempotency_key).map(|key| format!("key:{key}")).or(form.id.map(|id| format!("id:{id}")));
    let idempotency = key.map(|key| {
        let described = [form.r#type.as_str(), form.subject.as_deref().unwrap_or_default(), form.payload.get()];
        Idempotency::new(project, &key, described.join("\0").as_bytes())
    });
    let event = Event {
        id: EventId::new(now, api.entropy.id()),
        project,
        event_type,
        subject: form.subject,
        occurred_at: form.occurred_at.unwrap_or(now),
        received_at: now,
        content_type: "application/json".to_owned(),
        attributes: Vec::new(),
        payload: Some(Bytes::from(Box::<str>::from(form.payload).into_string())),
        request_id: Some(caller.context().id.clone()),
    };
    Ok(Posted { event, idempotency })
}

/// Refuses a payload that is larger than the server takes.
pub(in super::super) fn check_payload_size(api: &Api, bytes: usize) -> Answer<()> {
    let max = api.config.server.payload_max_bytes;
    if bytes <= max {
        return Ok(());
    }
    Err(Problem::new(ProblemCode::TooLarge, format!("the payload has {bytes} bytes; allowed are {max}")).into())
}

/// Stores checked events, all or none.
pub(super) async fn publish(api: &Api, posted: Vec<Posted>) -> Answer<Vec<Published>> {
    let types: Vec<String> = posted.iter().map(|posted| posted.event.event_type.to_string()).collect();
    let outcomes = api.ingest.accept(posted).await?;
    let reused: Vec<usize> = (0..)
        .zip(&outcomes)
        .filter_map(|(index, outcome)| matches!(outcome, Outcome::KeyReused).then_some(index))
        .collect();
    if let Some(first) = reused.first() {
        let which = if outcomes.len() == 1 { String::new() } else { format!(" (event {first} of the array)") };
        let detail =
            format!("the idempotency key was used within 24 hours for something else{which}; nothing was stored");
        return Err(Problem::new(ProblemCode::KeyReused, detail).into());
    }
    let published = types.into_iter().zip(outcomes).filter_map(|(r#type, outcome)| match outcome {
        Outcome::Stored { id, duplicate, deliveries, to_come } => {
            let deliveries = deliveries.into_iter().map(|made| Made { id: made.id, webhook_id: made.webhook_id });
            let deliveries = deliveries.collect();
            Some(Published { id, r#type, duplicate, deliveries, deliveries_to_come: to_come })
        }
        Outcome::KeyReused | Outcome::NotStored => None,
    });
    Ok(published.collect())
}
