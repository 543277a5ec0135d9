//! `/jobs`: long work, how far it is, and its end.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::Caller;
use super::extract::{Id, Query, page};
use super::problem::{Answer, Refused, key_reused};
use crate::domain::audit::Target;
use crate::domain::clock::Millis;
use crate::domain::id::JobId;
use crate::domain::job::{Job, JobKind, JobState, JobWork, Progress};
use crate::domain::page::Page;
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::token::Permission;
use crate::jobs::{Forecast, NoJob};
use crate::store::JobFilter;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub(super) struct JobBody {
    id: JobId,
    kind: JobKind,
    state: JobState,
    progress: Progress,
    reason: Option<String>,
    actor: String,
    /// The `X-Request-Id` of the request that asked for it.
    request_id: Option<String>,
    created_at: Millis,
    started_at: Option<Millis>,
    ended_at: Option<Millis>,
    /// What it is about; named as its kind.
    #[serde(flatten)]
    work: JobWork,
    /// How many events of a backtest came to what.
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<BTreeMap<&'static str, u64>>,
}

fn job_body(job: Job) -> JobBody {
    JobBody {
        id: job.id,
        kind: job.work.kind(),
        state: job.state,
        progress: job.progress,
        reason: job.reason,
        actor: job.requester.name,
        request_id: job.requester.request_id,
        created_at: job.created_at,
        started_at: job.started_at,
        ended_at: job.ended_at,
        work: job.work,
        results: None,
    }
}

/// 202 with a job that was just made, and its address.
pub(super) fn accepted(job: Job) -> Response {
    let location = HeaderValue::from_str(&format!("/api/v1/jobs/{}", job.id)).expect("an id is ASCII");
    (StatusCode::ACCEPTED, [(header::LOCATION, location)], axum::Json(job_body(job))).into_response()
}

/// What a job would do; nothing was done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Forecast)]
pub(super) struct ForecastBody {
    /// Always true.
    dry_run: bool,
    /// To so many deliveries.
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<u64>,
    /// To so many events.
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<u64>,
    /// Whether that is all of them, or more were not looked at.
    complete: bool,
    /// The ids of the first few.
    sample: Vec<String>,
}

/// What a job is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Deliveries,
    Events,
}

/// What a job would do, and that nothing was done.
pub(super) fn forecast_body<T: ToString>(about: About, forecast: &Forecast<T>) -> axum::Json<ForecastBody> {
    axum::Json(ForecastBody {
        dry_run: true,
        deliveries: (about == About::Deliveries).then_some(forecast.count),
        events: (about == About::Events).then_some(forecast.count),
        complete: forecast.is_complete,
        sample: forecast.sample.iter().map(ToString::to_string).collect(),
    })
}

/// Why there is no job, for whoever asked for it.
pub(super) fn no_job(error: NoJob) -> Refused {
    match error {
        NoJob::TooMany(..) => Problem::new(ProblemCode::QuotaExceeded, error.to_string()).into(),
        NoJob::KeyReused => key_reused().into(),
        NoJob::Store(error) => error.into(),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct JobQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Of this kind.
    #[param(value_type = Option<JobKind>)]
    kind: Option<String>,
    /// In this state.
    #[param(value_type = Option<JobState>)]
    state: Option<String>,
}

/// A parameter that is one of these texts.
pub(super) fn one_of<T>(
    name: &str,
    text: Option<&str>,
    all: &[T],
    as_str: impl Fn(&T) -> &'static str,
) -> Answer<Option<T>>
where
    T: Copy,
{
    let Some(text) = text else { return Ok(None) };
    let found = all.iter().copied().find(|one| as_str(one) == text);
    let known: Vec<&str> = all.iter().map(as_str).collect();
    let unknown = || Problem::new(ProblemCode::InvalidQuery, format!("`{name}` is one of {}", known.join(", ")));
    Ok(Some(found.ok_or_else(unknown)?))
}

/// Jobs, newest first.
#[utoipa::path(
    get,
    path = "/jobs",
    params(JobQuery),
    security(("token" = [Permission::DeliveriesRead]), ("token" = [Permission::CanTriggerIntegrations])),
    responses((status = OK, body = Page<JobBody>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<JobQuery>,
) -> Answer<axum::Json<Page<JobBody>>> {
    caller.needs(Permission::DeliveriesRead)?;
    let page = page(query.limit, query.cursor.as_deref())?;
    let filter = JobFilter {
        kind: one_of("kind", query.kind.as_deref(), JobKind::ALL, |kind| kind.as_str())?,
        state: one_of("state", query.state.as_deref(), JobState::ALL, |state| state.as_str())?,
    };
    let jobs = api.store.jobs(caller.project(), filter, page).await?;
    Ok(axum::Json(jobs.map(job_body)))
}

pub(super) async fn find(api: &Api, caller: &Caller, id: JobId) -> Answer<Job> {
    let found = api.store.job(caller.project(), id).await?;
    Ok(found.ok_or_else(|| Problem::not_found("job"))?)
}

/// One job.
#[utoipa::path(
    get,
    path = "/jobs/{id}",
    security(("token" = [Permission::DeliveriesRead]), ("token" = [Permission::CanTriggerIntegrations])),
    responses((status = OK, body = JobBody))
)]
pub(super) async fn read(State(api): State<Api>, caller: Caller, Id(id): Id<JobId>) -> Answer<axum::Json<JobBody>> {
    caller.needs(Permission::DeliveriesRead)?;
    let job = find(&api, &caller, id).await?;
    let results = match job.work.kind() {
        JobKind::Backtest => Some(api.store.count_results(job.project, id).await?),
        _ => None,
    };
    // Results are forgotten before their job is.
    let results = results.filter(|counts| job.progress.done == 0 || counts.iter().any(|(_, count)| *count > 0));
    let results = results.map(|counts| counts.into_iter().map(|(of, count)| (of.as_str(), count)).collect());
    Ok(axum::Json(JobBody { results, ..job_body(job) }))
}

/// Ends a job; what it did stays done. Once more is the same.
#[utoipa::path(
    post,
    path = "/jobs/{id}/cancel",
    security(("token" = [Permission::DeliveriesRetry])),
    responses(
        (status = OK, body = JobBody),
        (status = CONFLICT, description = "The job has ended otherwise.")
    )
)]
pub(super) async fn cancel(State(api): State<Api>, caller: Caller, Id(id): Id<JobId>) -> Answer<axum::Json<JobBody>> {
    caller.needs(Permission::DeliveriesRetry)?;
    let reason = format!("cancelled by {}", caller.actor());
    let entry = caller.entry(&api, "job.cancelled", Target::new("job", id));
    let cancelled = api.jobs.audited(entry).cancel(caller.project(), id, reason).await?;
    let job = find(&api, &caller, id).await?;
    if !cancelled && job.state != JobState::Cancelled {
        let detail = format!("the job has ended: {}", job.state);
        return Err(Problem::new(ProblemCode::WrongState, detail).into());
    }
    Ok(axum::Json(job_body(job)))
}

/// The same as cancelling it.
#[utoipa::path(
    delete,
    path = "/jobs/{id}",
    security(("token" = [Permission::DeliveriesRetry])),
    responses(
        (status = OK, body = JobBody),
        (status = CONFLICT, description = "The job has ended otherwise.")
    )
)]
pub(super) async fn delete(state: State<Api>, caller: Caller, id: Id<JobId>) -> Answer<axum::Json<JobBody>> {
    cancel(state, caller, id).await
}
