//! A test delivery: one attempt, answered with its result.

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
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
use crate::domain::id::{EventId, ProjectId, WebhookId};
use crate::domain::pattern::EventType;
use crate::domain::problem::Problem;
use crate::domain::token::Permission;

const TEST_TYPE: &str = "webhook.test";
const TEST_PAYLOAD: &str = r#"{"message":"This is a test event from Hookwright."}"#;

/// What is sent; a short message when it says nothing.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = WebhookTest)]
#[serde(deny_unknown_fields)]
pub(super) struct TestForm {
    r#type: Option<String>,
    #[schema(value_type = Option<Value>)]
    payload: Option<Box<RawValue>>,
}

impl TestForm {
    /// The event; `at` is where the form stands in the body.
    pub(super) fn event(self, api: &Api, project: ProjectId, at: &str) -> Answer<Event> {
        let event_type = self.r#type.as_deref().unwrap_or(TEST_TYPE);
        let event_type = EventType::parse_from_provider(event_type)
            .map_err(|error| Problem::field(format!("{at}/type"), error.to_string()))?;
        let now = api.clock.now();
        let payload = self.payload.map_or_else(
            || Bytes::from_static(TEST_PAYLOAD.as_bytes()),
            |payload| Bytes::from(Box::<str>::from(payload).into_string()),
        );
        Ok(Event {
            id: EventId::new(now, api.entropy.id()),
            project,
            event_type,
            subject: None,
            occurred_at: now,
            received_at: now,
            content_type: "application/json".to_owned(),
            attributes: Vec::new(),
            payload: Some(payload),
            request_id: None,
        })
    }
}

/// Sends a test event to this webhook only, also when it is disabled. It waits for no other delivery and for no breaker, but
/// keeps to the rate limit.
#[utoipa::path(
    post,
    path = "/webhooks/{id}/test",
    request_body = Option<TestForm>,
    security(("token" = [Permission::CanTriggerIntegrations])),
    responses(
        (status = OK, body = DeliveryBody, description = "The delivery with its result."),
        (status = ACCEPTED, body = DeliveryBody, headers(("Location")), description = "There is no result yet.")
    )
)]
pub(in super::super) async fn test(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    request: Request,
) -> Answer<Response> {
    caller.needs(Permission::CanTriggerIntegrations)?;
    let bytes = body(request, &api).await?;
    let form: TestForm = if bytes.is_empty() { TestForm::default() } else { read(&bytes)? };
    let event = form.event(&api, caller.project(), "")?;
    let webhook = find(&api, &caller, id).await?;
    send(&api, &caller, webhook, Sent::New(event), Trigger::Test).await
}
