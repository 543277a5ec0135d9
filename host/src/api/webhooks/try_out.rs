//! A webhook before it is registered: whether its URL may be called, and what a test of it does.

use axum::Json as Body;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::Api;
use super::super::auth::Caller;
use super::super::deliveries::{DeliveryBody, delivery_body};
use super::super::events::check_payload_size;
use super::super::extract::Json;
use super::super::form::Errors;
use super::super::problem::Answer;
use super::test::TestForm;
use super::{form, target};
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::token::Permission;

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UrlCheck)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct UrlForm {
    url: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CheckedUrl)]
pub(in super::super) struct UrlBody {
    /// Scheme, host and port.
    origin: String,
}

/// Looks at a URL as registering a webhook with it would: 422 says what is wrong with it.
#[utoipa::path(
    post,
    path = "/webhooks/check-url",
    security(("token" = [Permission::WebhooksWrite])),
    responses((status = OK, body = UrlBody))
)]
pub(in super::super) async fn check_url(
    State(api): State<Api>,
    caller: Caller,
    form: Json<UrlForm>,
) -> Answer<Body<UrlBody>> {
    caller.needs(Permission::WebhooksWrite)?;
    let UrlForm { url } = form.read().await?;
    let mut errors = Errors::default();
    let url = form::check_url(&api, &url, &mut errors).await;
    errors.check()?;
    let origin = url.map(|url| url.origin().ascii_serialization());
    Ok(Body(UrlBody { origin: origin.unwrap_or_default() }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = WebhookTrial)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct TrialForm {
    /// As `POST /webhooks` takes it.
    webhook: form::Create,
    #[serde(default)]
    event: TestForm,
}

/// Sends a test event to a webhook as it is described, once, and answers with what came of it, in the form of a delivery. Only a
/// line of the audit log is stored. It takes what registering the webhook and testing it would take.
#[utoipa::path(
    post,
    path = "/webhooks/test",
    security(("token" = [Permission::WebhooksWrite, Permission::CanTriggerIntegrations])),
    responses((status = OK, body = DeliveryBody)),
    operation_id = "webhooks_try_out"
)]
pub(in super::super) async fn try_out(
    State(api): State<Api>,
    caller: Caller,
    form: Json<TrialForm>,
) -> Answer<Body<DeliveryBody>> {
    caller.needs(Permission::WebhooksWrite)?;
    caller.needs(Permission::CanTriggerIntegrations)?;
    let TrialForm { webhook, event } = form.read().await?;
    let webhook = form::create(&api, &caller, webhook).await.map_err(|refused| refused.below("/webhook"))?;
    let event = event.event(&api, webhook.project, "/event")?;
    check_payload_size(&api, event.payload.as_ref().map_or(0, bytes::Bytes::len))?;
    // Told before it is done: what was sent must not be missing from the log.
    let about = serde_json::json!({ "url": webhook.masked_url(), "event_type": event.event_type.as_str() });
    let entry = caller.entry_in(&api, Some(webhook.project), "webhook.tried_out", target(webhook.id));
    api.store.record(entry.after(about)).await?;
    let view = api.ingest.try_out(&webhook, event).await.map_err(|error| Problem {
        retry_after_s: Some(1),
        ..Problem::new(ProblemCode::TooManyRequests, error.to_string())
    })?;
    Ok(Body(delivery_body(view, caller.may_read_events())))
}
