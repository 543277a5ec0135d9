//! Parked deliveries of a webhook, tried anew as a job.

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::Api;
use super::super::auth::Caller;
use super::super::extract::{Id, keyed_body, read_or_default};
use super::super::jobs::{About, ForecastBody, JobBody, accepted, forecast_body, no_job};
use super::super::openapi::IdempotencyKey;
use super::super::problem::Answer;
use super::{find, target};
use crate::domain::clock::Millis;
use crate::domain::id::WebhookId;
use crate::domain::job::{JobWork, ParkedSelection};
use crate::domain::problem::{FieldError, Problem, ProblemCode};
use crate::domain::selection::SELECTION_MAX_CHARS;
use crate::domain::token::Permission;
use crate::domain::webhook::State as WebhookState;

#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = Reprocess)]
#[serde(deny_unknown_fields)]
struct ReprocessForm {
    since: Option<Millis>,
    until: Option<Millis>,
    error_code: Option<String>,
    plugin_version: Option<String>,
    #[serde(default)]
    dry_run: bool,
}

/// Reprocesses the webhook's parked deliveries, or those that the body chooses, with its plugin and configuration of now: 202
/// with the job. A dry run says how many there are.
#[utoipa::path(
    post,
    path = "/webhooks/{id}/reprocess",
    params(IdempotencyKey),
    request_body = Option<ReprocessForm>,
    security(("token" = [Permission::DeliveriesRetry])),
    responses(
        (status = OK, body = ForecastBody, description = "What a dry run found."),
        (status = ACCEPTED, body = JobBody, headers(("Location"))),
        (status = CONFLICT, description = "The webhook is disabled.")
    )
)]
pub(in super::super) async fn reprocess(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    request: Request,
) -> Answer<Response> {
    caller.needs(Permission::DeliveriesRetry)?;
    let (bytes, key) = keyed_body(request, &api, caller.project()).await?;
    let form: ReprocessForm = read_or_default(&bytes)?;
    let mut errors = Vec::new();
    for (field, text) in [("error_code", &form.error_code), ("plugin_version", &form.plugin_version)] {
        let is_wrong = |text: &String| !(1..=SELECTION_MAX_CHARS).contains(&text.chars().count());
        if text.as_ref().is_some_and(is_wrong) {
            errors.push(FieldError::new(format!("/{field}"), format!("is 1 to {SELECTION_MAX_CHARS} characters")));
        }
    }
    if let (Some(since), Some(until)) = (form.since, form.until)
        && since >= until
    {
        errors.push(FieldError::new("/until", "is later than `since`"));
    }
    if !errors.is_empty() {
        return Err(Problem::invalid(errors).into());
    }
    let webhook = find(&api, &caller, id).await?;
    let selection = ParkedSelection {
        webhook_id: webhook.id,
        since: form.since,
        until: form.until,
        error_code: form.error_code,
        plugin_version: form.plugin_version,
    };
    let forecast = api.jobs.forecast_parked(&selection).await?;
    if form.dry_run {
        return Ok(forecast_body(About::Deliveries, &forecast).into_response());
    }
    if let WebhookState::Disabled { reason } = &webhook.state {
        let detail = format!("the webhook is disabled: {reason}; enable it first");
        return Err(Problem::new(ProblemCode::WrongState, detail).into());
    }
    let work = JobWork::Reprocess(selection);
    let entry = caller.entry(&api, "webhook.reprocessed", target(webhook.id)).after(&work);
    let job = api.jobs.audited(entry).begin(webhook.project, work, forecast.total(), caller.requester(), key).await;
    Ok(accepted(job.map_err(no_job)?))
}
