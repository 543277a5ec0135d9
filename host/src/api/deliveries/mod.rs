//! `/deliveries`: what was sent and received, and what people do about it.

mod act;
mod export;
mod input;
mod many;
mod query;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Api;
use super::auth::Caller;
use super::extract::{Id, Query};
use super::problem::{Answer, Refused};
use crate::domain::audit::Target;
use crate::domain::clock::Millis;
use crate::domain::delivery::{AttemptOutcome, DeliveryStatus, ErrorClass, RequestStatus, Trigger};
use crate::domain::event::Field;
use crate::domain::id::{DeliveryId, EventId, RequestId, WebhookId};
use crate::domain::page::Page;
use crate::domain::plugin::PluginFailure;
use crate::domain::plugin_limits::PluginLimits;
use crate::domain::problem::{FieldError, Problem, ProblemCode};
use crate::domain::recording::{Digests, Recalled};
use crate::domain::token::Permission;
use crate::domain::webhook::OnPluginFailure;
use crate::sandbox::LogLine;
use crate::store::{AttemptView, DeliverySummary, DeliveryView, Reprocessed, RequestView};

pub(super) use act::*;
pub(super) use export::*;
pub(super) use input::*;
pub(super) use many::*;
use query::LogQuery;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeliverySummary)]
pub(super) struct SummaryBody {
    id: DeliveryId,
    event_id: EventId,
    event_type: String,
    webhook_id: WebhookId,
    trigger: Trigger,
    actor: Option<String>,
    /// The `X-Request-Id` of the request that it came of: its own, or its event's.
    request_id: Option<String>,
    status: DeliveryStatus,
    reason: Option<String>,
    requests_total: u32,
    requests_succeeded: u32,
    created_at: Millis,
    settled_at: Option<Millis>,
    /// The delivery that it was made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    repeats: Option<DeliveryId>,
    /// The delivery that took over from it when it was parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    reprocessed_by: Option<DeliveryId>,
    /// The delivery of the digest that it went out in.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<DeliveryId>,
    /// Since when its requests and attempts are no longer kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts_removed_at: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<PluginBody>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeliveryPlugin)]
struct PluginBody {
    name: String,
    version: String,
    #[serde(flatten)]
    run: Run,
    /// Not in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    recalled: Vec<RecalledBody>,
}

/// How the plugin's run went, as the dispatcher stored it.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = DeliveryRun)]
struct Run {
    /// None as long as it has not run.
    cpu_us: Option<u64>,
    memory_bytes: Option<u64>,
    logs: Vec<LogLine>,
    logs_dropped: u32,
    /// What the run might use of what a webhook can lower.
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<PluginLimits>,
    /// What tells the run from any other: the same input and the same version give the same output.
    #[serde(skip_serializing_if = "Option::is_none")]
    digests: Option<Digests>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<PluginFailure>,
    /// What the webhook wanted for that, when the delivery was not parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    on_failure: Option<OnPluginFailure>,
}

/// What a plugin recalled.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeliveryRecalled)]
struct RecalledBody {
    key: String,
    /// What it was, perhaps nothing; only for those who may read events.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<serde_json::Value>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(super) struct DeliveryBody {
    #[serde(flatten)]
    summary: SummaryBody,
    /// Since when the event's payload is no longer kept; bodies that were made of it are not shown then.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_removed_at: Option<Millis>,
    requests: Vec<RequestBody>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeliveryRequest)]
struct RequestBody {
    id: RequestId,
    label: String,
    status: RequestStatus,
    reason: Option<String>,
    next_attempt_at: Option<Millis>,
    method: String,
    url: String,
    headers: Vec<Field>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    credentials: Option<Box<RawValue>>,
    attempts: Vec<AttemptBody>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attempt)]
struct AttemptBody {
    number: u32,
    started_at: Millis,
    duration_ms: u64,
    outcome: AttemptOutcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_class: Option<ErrorClass>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<u16>,
    request_headers: Vec<Field>,
    response_headers: Option<Vec<Field>>,
    response_body: Option<String>,
    truncated: bool,
    late: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    verdict: Option<Box<RawValue>>,
}

pub(super) fn summary_body(summary: DeliverySummary) -> SummaryBody {
    let run = summary.run.as_deref().and_then(|run| serde_json::from_str(run).ok()).unwrap_or_default();
    SummaryBody {
        id: summary.id,
        event_id: summary.event_id,
        event_type: summary.event_type,
        webhook_id: summary.webhook_id,
        trigger: summary.trigger,
        actor: summary.actor,
        request_id: summary.request_id,
        status: summary.status,
        reason: summary.reason,
        requests_total: summary.requests.0,
        requests_succeeded: summary.requests.1,
        created_at: summary.created_at,
        settled_at: summary.settled_at,
        repeats: summary.repeats,
        digest: summary.digest,
        attempts_removed_at: summary.attempts_removed_at,
        reprocessed_by: summary.reprocessed_by,
        plugin: summary.plugin.map(|(name, version)| PluginBody { name, version, run, recalled: Vec::new() }),
    }
}

/// A delivery as it is shown; bodies only to those who may read events.
pub(super) fn delivery_body(view: DeliveryView, with_bodies: bool) -> DeliveryBody {
    let requests =
        view.requests.into_iter().map(|request| request_body(request, &view.masked_url, with_bodies)).collect();
    let recalled = recalled(view.summary.run.as_deref(), with_bodies);
    let mut summary = summary_body(view.summary);
    if let Some(plugin) = &mut summary.plugin {
        plugin.recalled = recalled;
    }
    DeliveryBody { summary, payload_removed_at: view.payload_removed_at, requests }
}

fn recalled(run: Option<&str>, with_values: bool) -> Vec<RecalledBody> {
    #[derive(Default, Deserialize)]
    struct Input {
        #[serde(default)]
        recalled: Vec<Recalled>,
    }
    let input: Input = run.and_then(|run| serde_json::from_str(run).ok()).unwrap_or_default();
    let body = |fact: Recalled| RecalledBody { key: fact.key, value: with_values.then(|| fact.value.into()) };
    input.recalled.into_iter().map(body).collect()
}

fn request_body(request: RequestView, masked_url: &str, with_bodies: bool) -> RequestBody {
    let spec = &request.content.spec;
    // What an attempt went to is more exact than what can be said before.
    let url = request.attempts.last().map_or_else(|| masked_url.to_owned(), |attempt| attempt.url.clone());
    let headers =
        request.attempts.last().map_or_else(|| spec.headers.clone(), |attempt| attempt.request_headers.clone());
    let body = with_bodies.then(|| String::from_utf8_lossy(&request.content.body).into_owned());
    let credentials = (!spec.credentials.is_empty())
        .then(|| serde_json::value::to_raw_value(&spec.credentials).expect("credentials are plain data"));
    RequestBody {
        id: request.id,
        label: spec.label.clone(),
        status: request.status,
        reason: request.reason,
        next_attempt_at: request.next_attempt_at,
        method: spec.method.clone(),
        url,
        headers,
        body,
        credentials,
        attempts: request.attempts.into_iter().map(|attempt| attempt_body(attempt, with_bodies)).collect(),
    }
}

fn attempt_body(attempt: AttemptView, with_bodies: bool) -> AttemptBody {
    AttemptBody {
        number: attempt.number,
        started_at: attempt.started_at,
        duration_ms: attempt.duration_ms,
        outcome: attempt.outcome,
        error_class: attempt.error_class,
        error: attempt.error,
        url: attempt.url,
        status_code: attempt.status_code,
        request_headers: attempt.request_headers,
        response_headers: attempt.response_headers,
        response_body: attempt
            .response_body
            .filter(|_| with_bodies)
            .map(|body| String::from_utf8_lossy(&body).into_owned()),
        truncated: attempt.truncated,
        late: attempt.late,
        verdict: attempt.verdict.and_then(|verdict| RawValue::from_string(verdict).ok()),
    }
}

/// Deliveries, newest first.
#[utoipa::path(
    get,
    path = "/deliveries",
    params(LogQuery),
    security(("token" = [Permission::DeliveriesRead]), ("token" = [Permission::CanTriggerIntegrations])),
    responses((status = OK, body = Page<SummaryBody>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<LogQuery>,
) -> Answer<axum::Json<Page<SummaryBody>>> {
    caller.needs(Permission::DeliveriesRead)?;
    let (search, page) = query.read(&api, &caller)?;
    let deliveries = api.store.deliveries(caller.project(), &search, page).await?;
    Ok(axum::Json(deliveries.map(summary_body)))
}

/// A webhook's deliveries, newest first.
#[utoipa::path(
    get,
    path = "/webhooks/{id}/deliveries",
    params(LogQuery),
    security(("token" = [Permission::DeliveriesRead]), ("token" = [Permission::CanTriggerIntegrations])),
    responses((status = OK, body = Page<SummaryBody>)),
    operation_id = "webhooks_deliveries"
)]
pub(super) async fn list_of_webhook(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    Query(query): Query<LogQuery>,
) -> Answer<axum::Json<Page<SummaryBody>>> {
    caller.needs(Permission::DeliveriesRead)?;
    let (mut search, page) = query.read(&api, &caller)?;
    if api.store.webhook(caller.project(), id).await?.is_none() {
        return Err(Problem::not_found("webhook").into());
    }
    if search.selection.webhook_id.is_some_and(|named| named != id) {
        return Err(Problem::parameters(vec![FieldError::new("/webhook_id", "is another one than in the path")]).into());
    }
    search.selection.webhook_id = Some(id);
    let deliveries = api.store.deliveries(caller.project(), &search, page).await?;
    Ok(axum::Json(deliveries.map(summary_body)))
}

/// One delivery with everything.
#[utoipa::path(
    get,
    path = "/deliveries/{id}",
    security(("token" = [Permission::DeliveriesRead]), ("token" = [Permission::CanTriggerIntegrations])),
    responses((status = OK, body = DeliveryBody))
)]
pub(super) async fn read(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<DeliveryId>,
) -> Answer<axum::Json<DeliveryBody>> {
    caller.needs(Permission::DeliveriesRead)?;
    let view = api.store.delivery(caller.project(), id).await?.ok_or_else(|| Problem::not_found("delivery"))?;
    Ok(axum::Json(delivery_body(view, caller.may_read_events())))
}

/// Makes a new delivery of a parked one, with its webhook's plugin and configuration of now: 202 with the new one.
#[utoipa::path(
    post,
    path = "/deliveries/{id}/reprocess",
    security(("token" = [Permission::DeliveriesRetry])),
    responses(
        (status = ACCEPTED, body = DeliveryBody, description = "The new delivery."),
        (status = CONFLICT, description = "It is not parked, or was reprocessed before.")
    )
)]
pub(super) async fn reprocess(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<DeliveryId>,
) -> Answer<(StatusCode, axum::Json<DeliveryBody>)> {
    caller.needs(Permission::DeliveriesRetry)?;
    let project = caller.project();
    let wrong = |detail: String| Refused(Problem::new(ProblemCode::WrongState, detail));
    let entry = caller.entry(&api, "delivery.reprocessed", Target::new("delivery", id));
    let new = match api.jobs.audited(entry).reprocess_one(project, id, caller.requester()).await? {
        Reprocessed::By(new) => new,
        Reprocessed::NotThere => return Err(Problem::not_found("delivery").into()),
        Reprocessed::NotParked(status) => return Err(wrong(format!("the delivery is {status}, not parked"))),
        Reprocessed::Before(by) => return Err(wrong(format!("the delivery was reprocessed before, by {by}"))),
        Reprocessed::NoWebhook(reason) => return Err(wrong(reason.to_owned())),
    };
    let view = api.store.delivery(project, new).await?.ok_or_else(|| Problem::not_found("delivery"))?;
    Ok((StatusCode::ACCEPTED, axum::Json(delivery_body(view, caller.may_read_events()))))
}
