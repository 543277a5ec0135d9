//! `/webhooks/{id}/trigger`: a person sends something now.

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::Api;
use super::super::auth::Caller;
use super::super::deliveries::DeliveryBody;
use super::super::extract::{Id, body, read};
use super::super::problem::Answer;
use super::by_hand::{Sent, send};
use super::find;
use crate::domain::delivery::Trigger;
use crate::domain::event::Event;
use crate::domain::id::{EventId, WebhookId};
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::token::Permission;
use crate::domain::webhook::State as WebhookState;

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[schema(as = TriggerMode)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// Nothing: the body is empty.
    #[default]
    Default,
    /// An event, as if it happened now.
    Event,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = WebhookTrigger)]
#[serde(deny_unknown_fields)]
struct TriggerForm {
    #[serde(default)]
    mode: Mode,
    event_id: Option<EventId>,
}

/// Sends nothing, or an event, to this webhook only, whatever its patterns and its filter say. It waits for no other delivery
/// and for no breaker, but keeps to the rate limit.
#[utoipa::path(
    post,
    path = "/webhooks/{id}/trigger",
    request_body = Option<TriggerForm>,
    security(("token" = [Permission::CanTriggerIntegrations])),
    responses(
        (status = OK, body = DeliveryBody, description = "The delivery with its result."),
        (status = ACCEPTED, body = DeliveryBody, headers(("Location")), description = "There is no result yet."),
        (status = CONFLICT, description = "The webhook is disabled.")
    )
)]
pub(in super::super) async fn trigger(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    request: Request,
) -> Answer<Response> {
    caller.needs(Permission::CanTriggerIntegrations)?;
    let bytes = body(request, &api).await?;
    let form: TriggerForm = if bytes.is_empty() { TriggerForm::default() } else { read(&bytes)? };
    match (form.mode, form.event_id) {
        (Mode::Default, Some(_)) => {
            return Err(Problem::field("/event_id", "goes with the mode `event`; `default` sends no payload").into());
        }
        (Mode::Event, None) => {
            return Err(Problem::field("/event_id", "is needed in the mode `event`").into());
        }
        _ => {}
    }
    let webhook = find(&api, &caller, id).await?;
    if let WebhookState::Disabled { reason } = &webhook.state {
        let detail = format!("the webhook is disabled: {reason}; it can be tested, and triggered when it is enabled");
        return Err(Problem::new(ProblemCode::WrongState, detail).into());
    }
    let sent = if let Some(event) = form.event_id {
        let event = api.store.event(webhook.project, event).await?;
        let event = event.ok_or_else(|| Problem::not_found("event"))?;
        if event.is_payload_gone() {
            let since = api.store.payload_removed_at(event.project, event.id).await?;
            return Err(Problem::no_longer_kept("the event's payload", since).into());
        }
        Sent::Known(event)
    } else {
        let now = api.clock.now();
        Sent::New(Event::triggered(EventId::new(now, api.entropy.id()), webhook.project, now))
    };
    send(&api, &caller, webhook, sent, Trigger::Manual).await
}
