//! Many deliveries that are sent again or given up, as a job.

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::Api;
use super::super::auth::Caller;
use super::super::extract::{keyed_body, read};
use super::super::jobs::{About, ForecastBody, JobBody, accepted, forecast_body, no_job};
use super::super::openapi::IdempotencyKey;
use super::super::problem::Answer;
use crate::domain::audit::Target;
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, Trigger};
use crate::domain::id::{EventId, WebhookId};
use crate::domain::job::JobWork;
use crate::domain::problem::{FieldError, Problem};
use crate::domain::selection::{CANCELLABLE, RESENDABLE, SELECTION_MAX_CHARS, Selection};
use crate::domain::token::Permission;

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ChosenDeliveries)]
#[serde(deny_unknown_fields)]
struct ManyForm {
    webhook_id: Option<WebhookId>,
    event_id: Option<EventId>,
    event_type: Option<String>,
    status: Option<DeliveryStatus>,
    status_code: Option<u16>,
    plugin: Option<String>,
    plugin_version: Option<String>,
    trigger: Option<Trigger>,
    since: Option<Millis>,
    until: Option<Millis>,
    #[serde(default)]
    dry_run: bool,
}

impl ManyForm {
    /// What is chosen, if it says how the deliveries stand and since when they were made: nobody shall do it to all by mistake.
    fn selection(self, allowed: &[DeliveryStatus]) -> Result<Selection, Vec<FieldError>> {
        let mut wrong = Vec::new();
        let known = || allowed.iter().map(|status| status.as_str()).collect::<Vec<_>>().join(", ");
        match self.status {
            None => wrong.push(FieldError::new("/status", format!("is needed: one of {}", known()))),
            Some(status) if !allowed.contains(&status) => {
                wrong.push(FieldError::new("/status", format!("is one of {}", known())));
            }
            Some(_) => {}
        }
        if self.since.is_none() {
            wrong.push(FieldError::new("/since", "is needed"));
        }
        if self.since.zip(self.until).is_some_and(|(since, until)| since >= until) {
            wrong.push(FieldError::new("/until", "is later than `since`"));
        }
        if self.status_code.is_some_and(|code| !(100..=999).contains(&code)) {
            wrong.push(FieldError::new("/status_code", "is an HTTP status like 503"));
        }
        for (field, text) in
            [("event_type", &self.event_type), ("plugin", &self.plugin), ("plugin_version", &self.plugin_version)]
        {
            let is_wrong = |text: &String| !(1..=SELECTION_MAX_CHARS).contains(&text.chars().count());
            if text.as_ref().is_some_and(is_wrong) {
                wrong.push(FieldError::new(format!("/{field}"), format!("is 1 to {SELECTION_MAX_CHARS} characters")));
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Selection {
            webhook_id: self.webhook_id,
            event_id: self.event_id,
            event_type: self.event_type,
            status: self.status,
            status_code: self.status_code,
            plugin: self.plugin,
            plugin_version: self.plugin_version,
            trigger: self.trigger,
            since: self.since,
            until: self.until,
        })
    }
}

/// Sends again what is chosen, oldest first: 202 with the job. A dry run says how many there are.
#[utoipa::path(
    post,
    path = "/deliveries/resend",
    params(IdempotencyKey),
    request_body = ManyForm,
    security(("token" = [Permission::DeliveriesRetry])),
    responses(
        (status = OK, body = ForecastBody, description = "What a dry run found."),
        (status = ACCEPTED, body = JobBody, headers(("Location")))
    ),
    operation_id = "deliveries_resend"
)]
pub(in super::super) async fn resend_many(
    State(api): State<Api>,
    caller: Caller,
    request: Request,
) -> Answer<Response> {
    many(&api, &caller, request, &RESENDABLE, JobWork::Resend).await
}

/// Gives up what is chosen, oldest first: 202 with the job. A dry run says how many there are.
#[utoipa::path(
    post,
    path = "/deliveries/cancel",
    params(IdempotencyKey),
    request_body = ManyForm,
    security(("token" = [Permission::DeliveriesRetry])),
    responses(
        (status = OK, body = ForecastBody, description = "What a dry run found."),
        (status = ACCEPTED, body = JobBody, headers(("Location")))
    ),
    operation_id = "deliveries_cancel_many"
)]
pub(in super::super) async fn cancel_many(
    State(api): State<Api>,
    caller: Caller,
    request: Request,
) -> Answer<Response> {
    many(&api, &caller, request, &CANCELLABLE, JobWork::Cancel).await
}

async fn many(
    api: &Api,
    caller: &Caller,
    request: Request,
    allowed: &[DeliveryStatus],
    work: impl FnOnce(Selection) -> JobWork,
) -> Answer<Response> {
    caller.needs(Permission::DeliveriesRetry)?;
    let project = caller.project();
    let (bytes, key) = keyed_body(request, api, project).await?;
    let form: ManyForm = read(&bytes)?;
    let dry_run = form.dry_run;
    let selection = form.selection(allowed).map_err(Problem::invalid)?;
    if let Some(id) = selection.webhook_id
        && api.store.webhook(project, id).await?.is_none()
    {
        return Err(Problem::field("/webhook_id", "there is no such webhook").into());
    }
    let forecast = api.jobs.forecast(project, &selection).await?;
    if dry_run {
        return Ok(forecast_body(About::Deliveries, &forecast).into_response());
    }
    let work = work(selection);
    let action = if matches!(work, JobWork::Cancel(_)) { "deliveries.cancelled" } else { "deliveries.resent" };
    let entry = caller.entry(api, action, Target::new("project", project)).after(&work);
    let job = api.jobs.audited(entry).begin(project, work, forecast.total(), caller.requester(), key).await;
    Ok(accepted(job.map_err(no_job)?))
}
