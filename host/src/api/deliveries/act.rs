//! One delivery that a person has sent again, or gives up.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::Api;
use super::super::auth::Caller;
use super::super::extract::{Id, body, keyed_body, read_or_default};
use super::super::openapi::IdempotencyKey;
use super::super::problem::{Answer, key_reused};
use super::{DeliveryBody, delivery_body};
use crate::domain::audit::Target;
use crate::domain::id::{DeliveryId, ProjectId, RequestId};
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::selection::SELECTION_MAX_CHARS;
use crate::domain::token::Permission;
use crate::store::{Acted, Chosen};

#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = DeliveryRetry)]
#[serde(deny_unknown_fields)]
struct RetryForm {
    #[serde(default)]
    requests: Vec<RequestId>,
    #[serde(default)]
    include_succeeded: bool,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = DeliveryCancel)]
#[serde(deny_unknown_fields)]
struct CancelForm {
    #[serde(default)]
    requests: Vec<RequestId>,
    reason: Option<String>,
}

/// What was chosen, for the audit log.
fn about(chosen: &Chosen) -> serde_json::Value {
    serde_json::json!({ "requests": chosen.requests, "include_succeeded": chosen.include_succeeded })
}

/// What came of it, as a problem if nothing did.
fn done(acted: Acted) -> Answer<()> {
    match acted {
        Acted::Done(_) => Ok(()),
        Acted::NotThere => Err(Problem::not_found("delivery").into()),
        Acted::NoSuchRequest(position) => {
            Err(Problem::field(format!("/requests/{position}"), "the delivery has no such request").into())
        }
        Acted::Refused(why) => Err(Problem::new(ProblemCode::WrongState, why).into()),
        Acted::KeyReused => Err(key_reused().into()),
    }
}

async fn view(api: &Api, caller: &Caller, project: ProjectId, id: DeliveryId) -> Answer<axum::Json<DeliveryBody>> {
    let view = api.store.delivery(project, id).await?.ok_or_else(|| Problem::not_found("delivery"))?;
    Ok(axum::Json(delivery_body(view, caller.may_read_events())))
}

/// Sends again, now, what of the delivery did not arrive: the same bytes under the same ids, with a schedule that begins anew.
/// What is to be tried again anyway is tried now. `requests` names some, and with `include_succeeded` also those that have
/// arrived. 202 with the delivery.
#[utoipa::path(
    post,
    path = "/deliveries/{id}/retry",
    params(IdempotencyKey),
    request_body = Option<RetryForm>,
    security(("token" = [Permission::DeliveriesRetry])),
    responses(
        (status = ACCEPTED, body = DeliveryBody),
        (status = CONFLICT, description = "Nothing of it can be sent again.")
    )
)]
pub(in super::super) async fn retry(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<DeliveryId>,
    request: Request,
) -> Answer<(StatusCode, axum::Json<DeliveryBody>)> {
    caller.needs(Permission::DeliveriesRetry)?;
    let project = caller.project();
    let (bytes, key) = keyed_body(request, &api, project).await?;
    let RetryForm { requests, include_succeeded } = read_or_default(&bytes)?;
    if include_succeeded && requests.is_empty() {
        return Err(Problem::field("/requests", "names what is sent once more, with `include_succeeded`").into());
    }
    let chosen = Chosen { requests, include_succeeded };
    let entry = caller.entry(&api, "delivery.retried", Target::new("delivery", id)).after(about(&chosen));
    done(api.jobs.audited(entry).resend(project, id, chosen, key).await?)?;
    Ok((StatusCode::ACCEPTED, view(&api, &caller, project, id).await?))
}

/// Gives up what of the delivery is open, or waits for a person; a parked delivery is not reprocessed any more. What is on
/// its way may still arrive, and its result is kept. Once more is the same.
#[utoipa::path(
    post,
    path = "/deliveries/{id}/cancel",
    request_body = Option<CancelForm>,
    security(("token" = [Permission::DeliveriesRetry])),
    responses((status = OK, body = DeliveryBody), (status = CONFLICT, description = "Nothing of it is open."))
)]
pub(in super::super) async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<DeliveryId>,
    request: Request,
) -> Answer<axum::Json<DeliveryBody>> {
    caller.needs(Permission::DeliveriesRetry)?;
    let bytes = body(request, &api).await?;
    let CancelForm { requests, reason } = read_or_default(&bytes)?;
    let is_wrong = |reason: &String| !(1..=SELECTION_MAX_CHARS).contains(&reason.chars().count());
    if reason.as_ref().is_some_and(is_wrong) {
        return Err(Problem::field("/reason", format!("is 1 to {SELECTION_MAX_CHARS} characters")).into());
    }
    let by = format!("cancelled by {}", caller.actor());
    let reason = reason.map_or_else(|| by.clone(), |reason| format!("{by}: {reason}"));
    let project = caller.project();
    let chosen = Chosen { requests, include_succeeded: false };
    let entry = caller.entry(&api, "delivery.cancelled", Target::new("delivery", id)).after(about(&chosen));
    done(api.jobs.audited(entry).cancel_delivery(project, id, chosen, reason).await?)?;
    view(&api, &caller, project, id).await
}
