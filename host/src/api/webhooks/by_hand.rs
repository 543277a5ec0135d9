//! What a person sends: one delivery with one attempt, answered with its result.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::oneshot;

use super::super::Api;
use super::super::auth::Caller;
use super::super::deliveries::delivery_body;
use super::super::problem::Answer;
use super::target;
use crate::domain::delivery::Trigger;
use crate::domain::event::Event;
use crate::domain::id::{DeliveryId, ProjectId};
use crate::domain::problem::Problem;
use crate::domain::webhook::Webhook;

/// How often the store is asked meanwhile, where another node may have sent it.
const LOOK_PAUSE: Duration = Duration::from_millis(250);

/// An event that is to be sent by hand.
pub(super) enum Sent {
    /// It is stored with its delivery.
    New(Event),
    /// It is stored already.
    Known(Event),
}

/// Sends an event to this webhook only: 200 with the delivery, or 202 with its address when there is no result in time.
pub(super) async fn send(
    api: &Api,
    caller: &Caller,
    webhook: Webhook,
    sent: Sent,
    trigger: Trigger,
) -> Answer<Response> {
    let (event, is_new) = match sent {
        Sent::New(event) => (Event { request_id: Some(caller.context().id.clone()), ..event }, true),
        Sent::Known(event) => (event, false),
    };
    let (project, webhook) = (webhook.project, Arc::new(webhook));
    // Told before it is done: what was sent must not be missing from the log.
    let action = if trigger == Trigger::Test { "webhook.tested" } else { "webhook.triggered" };
    let about = serde_json::json!({ "event_id": event.id, "event_type": event.event_type.as_str() });
    api.store.record(caller.entry(api, action, target(webhook.id)).after(about)).await?;
    let (made, settled) = api.ingest.deliver_to(event, is_new, &webhook, trigger, caller.requester()).await?;
    let wait = Duration::from_millis(api.config.delivery.result_wait_ms);
    let in_time = tokio::time::timeout(wait, settled_anywhere(api, made.id, project, settled)).await.is_ok();
    let view = api.store.delivery(project, made.id).await?.ok_or_else(|| Problem::not_found("delivery"))?;
    let body = axum::Json(delivery_body(view, caller.may_read_events()));
    if in_time {
        return Ok(body.into_response());
    }
    let location = HeaderValue::from_str(&format!("/api/v1/deliveries/{}", made.id)).expect("an id is ASCII");
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], body).into_response())
}

/// Waits until a delivery is settled, here or by another node.
async fn settled_anywhere(api: &Api, id: DeliveryId, project: ProjectId, mut settled: oneshot::Receiver<()>) {
    loop {
        tokio::select! {
            _ = &mut settled => return,
            () = tokio::time::sleep(LOOK_PAUSE), if api.store.is_shared() => {
                // An answer that fails is asked for again.
                let view = api.store.delivery(project, id).await.ok().flatten();
                if view.is_some_and(|view| !view.summary.status.is_open()) {
                    return;
                }
            }
        }
    }
}
