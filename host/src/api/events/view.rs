//! Events as they are shown.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::super::Api;
use super::super::auth::Caller;
use super::super::event_types::errors_of;
use super::super::extract::{Id, Query, page};
use super::super::problem::Answer;
use crate::domain::clock::Millis;
use crate::domain::event::{Event, Field};
use crate::domain::id::{EventId, ProjectId};
use crate::domain::page::Page;
use crate::domain::problem::{FieldError, Problem};
use crate::domain::token::Permission;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub(in super::super) struct EventView {
    id: EventId,
    r#type: String,
    project: ProjectId,
    subject: Option<String>,
    occurred_at: Millis,
    received_at: Millis,
    content_type: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<Field>,
    #[schema(value_type = Option<Value>)]
    payload: Option<Box<RawValue>>,
    /// The `X-Request-Id` of the request that brought it; none for what the server itself makes.
    #[schema(value_type = Option<String>)]
    request_id: Option<Arc<str>>,
    /// Whether there was one that is no longer kept; an event by itself says since when.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    payload_removed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_removed_at: Option<Millis>,
    /// What the schema of its type does not allow, where payloads are held against it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    schema_errors: Vec<FieldError>,
}

/// An event as it is shown; its payload only to those who may read it.
fn view(event: Event, with_payload: bool) -> EventView {
    let payload_removed = event.is_payload_gone();
    let payload = event.payload.filter(|_| with_payload).map(|payload| {
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
        request_id: event.request_id,
        payload_removed,
        payload_removed_at: None,
        schema_errors: Vec::new(),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct EventQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Of this type.
    r#type: Option<String>,
}

/// Events, newest first.
#[utoipa::path(
    get,
    path = "/events",
    params(EventQuery),
    security(("token" = [Permission::EventsRead]), ("token" = [Permission::CanTriggerIntegrations])),
    responses((status = OK, body = Page<EventView>))
)]
pub(in super::super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<EventQuery>,
) -> Answer<axum::Json<Page<EventView>>> {
    caller.needs(Permission::EventsRead)?;
    let page = page(query.limit, query.cursor.as_deref())?;
    let events = api.store.events(caller.project(), query.r#type.as_deref(), page).await?;
    Ok(axum::Json(events.map(|event| view(event, caller.may_read_events()))))
}

/// One event.
#[utoipa::path(
    get,
    path = "/events/{id}",
    security(("token" = [Permission::EventsRead]), ("token" = [Permission::CanTriggerIntegrations])),
    responses((status = OK, body = EventView))
)]
pub(in super::super) async fn read(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<EventId>,
) -> Answer<axum::Json<EventView>> {
    caller.needs(Permission::EventsRead)?;
    let event = api.store.event(caller.project(), id).await?.ok_or_else(|| Problem::not_found("event"))?;
    let schema_errors = match api.store.subscriptions().rule(event.project, &event.event_type).cloned() {
        Some(rule) if caller.may_read_events() && !event.is_payload_gone() => {
            errors_of(&api, &rule, event.payload.clone().unwrap_or_default().to_vec()).await
        }
        _ => Vec::new(),
    };
    let payload_removed_at =
        if event.is_payload_gone() { api.store.payload_removed_at(event.project, id).await? } else { None };
    let view = view(event, caller.may_read_events());
    Ok(axum::Json(EventView { payload_removed_at, schema_errors, ..view }))
}
