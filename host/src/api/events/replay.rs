//! A stored event, sent anew.

use axum::extract::{Request, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::Api;
use super::super::auth::Caller;
use super::super::extract::{Id, keyed_body, read_or_default};
use super::super::openapi::IdempotencyKey;
use super::super::problem::{Answer, Refused, key_reused};
use super::accepted;
use super::publish::Made;
use crate::domain::audit::Target;
use crate::domain::id::{EventId, WebhookId};
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::token::Permission;
use crate::jobs::NotReplayed;

#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = EventReplay)]
#[serde(deny_unknown_fields)]
struct ReplayForm {
    webhook_id: Option<WebhookId>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplayedEvent)]
struct ReplayBody {
    id: EventId,
    r#type: String,
    deliveries: Vec<Made>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<LeftOut>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LeftOut)]
struct LeftOut {
    webhook_id: WebhookId,
    reason: String,
}

/// Makes new deliveries of the event for the webhooks that want it now, or for the one that is named; each says which one it
/// repeats. Webhooks to which it is on its way are left out. 202 with what was made.
#[utoipa::path(
    post,
    path = "/events/{id}/replay",
    params(IdempotencyKey),
    request_body = Option<ReplayForm>,
    security(("token" = [Permission::DeliveriesRetry])),
    responses(
        (status = ACCEPTED, body = ReplayBody),
        (status = CONFLICT, description = "Nothing was made of it."),
        (status = GONE, description = "The payload is no longer kept.")
    )
)]
pub(in super::super) async fn replay(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<EventId>,
    request: Request,
) -> Answer<Response> {
    caller.needs(Permission::DeliveriesRetry)?;
    let project = caller.project();
    let (bytes, key) = keyed_body(request, &api, project).await?;
    let form: ReplayForm = read_or_default(&bytes)?;
    let event = api.store.event(project, id).await?.ok_or_else(|| Problem::not_found("event"))?;
    let about = serde_json::json!({ "webhook_id": form.webhook_id });
    let entry = caller.entry(&api, "event.replayed", Target::new("event", id)).after(about);
    let replayed = api.jobs.audited(entry).replay(&event, form.webhook_id, caller.requester(), key).await;
    let (made, left_out) = replayed.map_err(refused)?;
    if made.is_empty() {
        let detail = left_out.first().map_or_else(
            || "no enabled webhook wants it".to_owned(),
            |(webhook, reason)| format!("nothing was made; {webhook}: {reason}"),
        );
        return Err(Problem::new(ProblemCode::WrongState, detail).into());
    }
    let deliveries = made.into_iter().map(|(id, webhook_id)| Made { id, webhook_id }).collect();
    let left_out = left_out.into_iter().map(|(webhook_id, reason)| LeftOut { webhook_id, reason }).collect();
    Ok(accepted(ReplayBody { id, r#type: event.event_type.to_string(), deliveries, left_out }))
}

fn refused(error: NotReplayed) -> Refused {
    match error {
        NotReplayed::NoSuchWebhook => Problem::field("/webhook_id", error.to_string()).into(),
        NotReplayed::KeyReused => key_reused().into(),
        NotReplayed::NoLongerKept(since) => Problem::no_longer_kept("the event's payload", since).into(),
        NotReplayed::Store(error) => error.into(),
        NotReplayed::NotWanted(_) | NotReplayed::OfOneWebhook | NotReplayed::TooMany(..) => {
            Problem::new(ProblemCode::WrongState, error.to_string()).into()
        }
    }
}
