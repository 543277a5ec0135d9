//! `/events`: what providers post.

use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Api;
use super::auth::Caller;
use super::extract::{Id, Json, Query, page};
use super::problem::Answer;
use crate::domain::clock::Millis;
use crate::domain::event::{Event, Field, SUBJECT_MAX_CHARS};
use crate::domain::id::{DeliveryId, EventId, ProjectId, WebhookId};
use crate::domain::page::Page;
use crate::domain::pattern::EventType;
use crate::domain::problem::{FieldError, Problem, ProblemCode};
use crate::domain::token::Permission;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Publish {
    r#type: String,
    payload: Box<RawValue>,
    project: Option<ProjectId>,
    subject: Option<String>,
    occurred_at: Option<Millis>,
}

#[derive(Debug, Serialize)]
pub(super) struct Published {
    id: EventId,
    r#type: String,
    duplicate: bool,
    deliveries: Vec<Made>,
}

#[derive(Debug, Serialize)]
struct Made {
    id: DeliveryId,
    webhook_id: WebhookId,
}

/// Takes one event; when this answers 202, it and its deliveries are on disk.
pub(super) async fn publish(
    State(api): State<Api>,
    caller: Caller,
    Json(body): Json<Publish>,
) -> Answer<(StatusCode, axum::Json<Published>)> {
    caller.needs(Permission::EventsPublish)?;
    let project = caller.project_named(body.project)?;
    let mut errors = Vec::new();
    let event_type = EventType::parse_from_provider(&body.r#type)
        .map_err(|error| errors.push(FieldError::new("/type", error.to_string())))
        .ok();
    if body.subject.as_ref().is_some_and(|subject| !(1..=SUBJECT_MAX_CHARS).contains(&subject.chars().count())) {
        errors.push(FieldError::new("/subject", format!("is 1 to {SUBJECT_MAX_CHARS} characters")));
    }
    let payload_max = api.config.server.payload_max_bytes;
    if body.payload.get().len() > payload_max {
        let detail = format!("the payload has {} bytes; allowed are {payload_max}", body.payload.get().len());
        return Err(Problem::new(ProblemCode::TooLarge, detail).into());
    }
    let Some(event_type) = event_type.filter(|_| errors.is_empty()) else {
        return Err(Problem::invalid(errors).into());
    };
    let now = api.clock.now();
    let event = Event {
        id: EventId::new(now, api.entropy.id()),
        project,
        event_type,
        subject: body.subject,
        occurred_at: body.occurred_at.unwrap_or(now),
        received_at: now,
        content_type: "application/json".to_owned(),
        attributes: Vec::new(),
        payload: Some(Bytes::from(Box::<str>::from(body.payload).into_string())),
    };
    let (id, r#type) = (event.id, event.event_type.to_string());
    let made = api.ingest.accept(event).await?;
    let deliveries = made.into_iter().map(|made| Made { id: made.id, webhook_id: made.webhook_id }).collect();
    Ok((StatusCode::ACCEPTED, axum::Json(Published { id, r#type, duplicate: false, deliveries })))
}

#[derive(Debug, Serialize)]
pub(super) struct EventView {
    id: EventId,
    r#type: String,
    project: ProjectId,
    subject: Option<String>,
    occurred_at: Millis,
    received_at: Millis,
    content_type: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<Field>,
    payload: Option<Box<RawValue>>,
}

fn view(event: Event) -> EventView {
    let payload = event.payload.map(|payload| {
        let text = String::from_utf8_lossy(&payload).into_owned();
        // A payload that is not JSON is shown as a string.
        RawValue::from_string(text.clone())
            .or_else(|_| serde_json::value::to_raw_value(&text))
            .expect("text is a JSON string")
    });
    EventView {
        id: event.id,
        r#type: event.event_type.to_string(),
        project: event.project,
        subject: event.subject,
        occurred_at: event.occurred_at,
        received_at: event.received_at,
        content_type: event.content_type,
        attributes: event.attributes,
        payload,
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventQuery {
    limit: Option<u32>,
    cursor: Option<String>,
    r#type: Option<String>,
}

/// Events, newest first.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<EventQuery>,
) -> Answer<axum::Json<Page<EventView>>> {
    caller.needs(Permission::EventsRead)?;
    let page = page(query.limit, query.cursor.as_deref())?;
    let events = api.store.events(caller.project(), query.r#type.as_deref(), page).await?;
    Ok(axum::Json(events.map(view)))
}

/// One event.
pub(super) async fn read(State(api): State<Api>, caller: Caller, Id(id): Id<EventId>) -> Answer<axum::Json<EventView>> {
    caller.needs(Permission::EventsRead)?;
    let event = api.store.event(caller.project(), id).await?.ok_or_else(|| Problem::not_found("event"))?;
    Ok(axum::Json(view(event)))
}
