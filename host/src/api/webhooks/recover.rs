//! Events that did not get to a webhook, sent after all as a job.

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::Api;
use super::super::auth::Caller;
use super::super::extract::{Id, keyed_body, read};
use super::super::jobs::{About, ForecastBody, JobBody, accepted, forecast_body, no_job};
use super::super::openapi::IdempotencyKey;
use super::super::problem::Answer;
use super::{find, target};
use crate::domain::clock::Millis;
use crate::domain::id::WebhookId;
use crate::domain::job::{JobWork, Missed};
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::token::Permission;
use crate::domain::webhook::State as WebhookState;

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Recover)]
#[serde(deny_unknown_fields)]
struct RecoverForm {
    since: Millis,
    until: Option<Millis>,
    #[serde(default)]
    dry_run: bool,
}

/// Sends the events of a time that the webhook wants now and that did not get to it, oldest first, none twice: 202 with the
/// job. A dry run says how many there are.
#[utoipa::path(
    post,
    path = "/webhooks/{id}/recover",
    params(IdempotencyKey),
    request_body = RecoverForm,
    security(("token" = [Permission::DeliveriesRetry])),
    responses(
        (status = OK, body = ForecastBody, description = "What a dry run found."),
        (status = ACCEPTED, body = JobBody, headers(("Location"))),
        (status = CONFLICT, description = "The webhook is disabled.")
    )
)]
pub(in super::super) async fn recover(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    request: Request,
) -> Answer<Response> {
    caller.needs(Permission::DeliveriesRetry)?;
    let (bytes, key) = keyed_body(request, &api, caller.project()).await?;
    let RecoverForm { since, until, dry_run } = read(&bytes)?;
    if until.is_some_and(|until| since >= until) {
        return Err(Problem::field("/until", "is later than `since`").into());
    }
    let webhook = find(&api, &caller, id).await?;
    if let WebhookState::Disabled { reason } = &webhook.state {
        let detail = format!("the webhook is disabled: {reason}; enable it first");
        return Err(Problem::new(ProblemCode::WrongState, detail).into());
    }
    let missed = Missed { webhook_id: webhook.id, since, until };
    let forecast = api.jobs.forecast_missed(webhook.project, &missed).await?;
    if dry_run {
        return Ok(forecast_body(About::Events, &forecast).into_response());
    }
    let work = JobWork::Recover(missed);
    let entry = caller.entry(&api, "webhook.recovered", target(webhook.id)).after(&work);
    let job = api.jobs.audited(entry).begin(webhook.project, work, forecast.total(), caller.requester(), key).await;
    Ok(accepted(job.map_err(no_job)?))
}
