//! A test delivery: one attempt, answered with its result.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::super::Api;
use super::super::auth::Caller;
use super::super::deliveries::delivery_body;
use super::super::extract::{Id, body, read};
use super::super::problem::Answer;
use super::{find, shared};
use crate::domain::delivery::Trigger;
use crate::domain::event::Event;
use crate::domain::id::{DeliveryId, EventId, ProjectId, WebhookId};
use crate::domain::pattern::EventType;
use crate::domain::problem::Problem;
use crate::domain::token::Permission;

/// How long the answer waits for the result.
const RESULT_WAIT: Duration = Duration::from_secs(30);
/// How often the store is asked meanwhile, where another node may have sent it.
const LOOK_PAUSE: Duration = Duration::from_millis(250);
const TEST_TYPE: &str = "webhook.test";
const TEST_PAYLOAD: &str = r#"{"message":"This is a test event from Hookwright."}"#;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TestForm {
    r#type: Option<String>,
    payload: Option<Box<RawValue>>,
}

/// Sends a test event to this webhook only, also when it is disabled. 200 with the delivery, or 202 with its address when
/// there is no result after 30 seconds.
pub(in super::super) async fn test(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    request: Request,
) -> Answer<Response> {
    caller.needs(Permission::CanTriggerIntegrations)?;
    let bytes = body(request, &api).await?;
    let form: TestForm = if bytes.is_empty() { TestForm::default() } else { read(&bytes)? };
    let event_type = form.r#type.as_deref().unwrap_or(TEST_TYPE);
    let event_type =
        EventType::parse_from_provider(event_type).map_err(|error| Problem::field("/type", error.to_string()))?;
    let webhook = shared(find(&api, &caller, id).await?);
    let now = api.clock.now();
    let payload = form.payload.map_or_else(
        || Bytes::from_static(TEST_PAYLOAD.as_bytes()),
        |payload| Bytes::from(Box::<str>::from(payload).into_string()),
    );
    let event = Event {
        id: EventId::new(now, api.entropy.id()),
        project: webhook.project,
        event_type,
        subject: None,
        occurred_at: now,
        received_at: now,
        content_type: "application/json".to_owned(),
        attributes: Vec::new(),
        payload: Some(payload),
    };
    let (made, settled) = api.ingest.deliver_to(event, &webhook, Trigger::Test, caller.actor()).await?;
    let in_time = tokio::time::timeout(RESULT_WAIT, settled_anywhere(&api, made.id, webhook.project, settled)).await;
    let in_time = in_time.is_ok();
    let view = api.store.delivery(webhook.project, made.id).await?.ok_or_else(|| Problem::not_found("delivery"))?;
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
