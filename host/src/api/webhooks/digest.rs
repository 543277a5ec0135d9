//! What a webhook collects: how a person says when it goes out, what there is, and sending it now.

#![expect(clippy::option_option, reason = "a field of a merge patch is absent, null, or a value")]

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::Api;
use super::super::auth::Caller;
use super::super::extract::Id;
use super::super::form::{Errors, given};
use super::super::problem::Answer;
use super::{find, target};
use crate::domain::clock::Millis;
use crate::domain::digest::{Digest, DigestForm, QUIET_MAX_MS, WAIT_MAX_MS, WAIT_MIN_MS};
use crate::domain::id::WebhookId;
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::schedule::{Expression, Zone};
use crate::domain::token::Permission;

/// A change of when what is collected goes out.
#[derive(Debug, Deserialize, Default, ToSchema)]
#[schema(as = DigestPatch)]
#[serde(deny_unknown_fields)]
pub(super) struct DigestPatch {
    #[serde(default, deserialize_with = "given")]
    cron: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    time_zone: Option<Option<Zone>>,
    #[serde(default, deserialize_with = "given")]
    count: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    quiet_ms: Option<Option<u64>>,
    #[serde(default, deserialize_with = "given")]
    max_ms: Option<Option<u64>>,
}

impl DigestPatch {
    /// The change that makes it what the form says.
    pub(super) fn to_be(form: DigestForm) -> Self {
        Self {
            cron: Some(form.cron),
            time_zone: Some(form.time_zone),
            count: Some(form.count),
            quiet_ms: Some(form.quiet_ms),
            max_ms: Some(form.max_ms),
        }
    }

    /// What the change does not name stays.
    pub(super) fn over(self, current: Option<&DigestForm>) -> DigestForm {
        let current = current.cloned().unwrap_or_default();
        DigestForm {
            cron: self.cron.unwrap_or(current.cron),
            time_zone: self.time_zone.unwrap_or(current.time_zone),
            count: self.count.unwrap_or(current.count),
            quiet_ms: self.quiet_ms.unwrap_or(current.quiet_ms),
            max_ms: self.max_ms.unwrap_or(current.max_ms),
        }
    }
}

/// When what is collected goes out. Where nothing says how long the first event waits at most, the server's setting does.
pub(super) fn check_digest(api: &Api, mut form: DigestForm, errors: &mut Errors) -> Option<Arc<Digest>> {
    let (limits, now) = (&api.config.digests, api.store.time(api.clock.now()));
    if form.cron.is_none() && form.count.is_none() && form.quiet_ms.is_none() {
        errors.add("/digest", "says when it goes out: `cron`, `count` or `quiet_ms`, or several of them");
    }
    if form.cron.is_none() && form.time_zone.is_some() {
        errors.add("/digest/time_zone", "is for `cron`");
    }
    if let Some(cron) = &form.cron {
        let checked = Expression::parse(cron).and_then(|expression| {
            expression.check(now, form.time_zone.unwrap_or(Zone::UTC), api.config.schedules.interval_min_ms)
        });
        if let Err(wrong) = checked {
            errors.add("/digest/cron", wrong.to_string());
        }
    }
    if form.count.is_some_and(|count| !(1..=limits.events_max).contains(&count)) {
        errors.add("/digest/count", format!("is 1 to {} (`digests.events_max`)", limits.events_max));
    }
    for (pointer, value, most) in
        [("/digest/quiet_ms", form.quiet_ms, QUIET_MAX_MS), ("/digest/max_ms", form.max_ms, WAIT_MAX_MS)]
    {
        if value.is_some_and(|ms| !(WAIT_MIN_MS..=most).contains(&ms)) {
            errors.add(pointer, format!("is {WAIT_MIN_MS} to {most} ms"));
        }
    }
    if form.cron.is_none() && form.max_ms.is_none() {
        form.max_ms = Some(limits.max_ms);
    }
    Digest::new(form).map(Arc::new)
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Collected)]
pub(in super::super) struct CollectedBody {
    /// How many events wait.
    events: u64,
    /// When they go out.
    due_at: Option<Millis>,
}

/// What the webhook has collected for its next digest.
#[utoipa::path(
    get,
    path = "/webhooks/{id}/digest",
    security(("token" = [Permission::WebhooksRead]), ("token" = [Permission::CanTriggerIntegrations])),
    responses((status = OK, body = CollectedBody)),
    operation_id = "webhooks_digest"
)]
pub(in super::super) async fn read(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<WebhookId>,
) -> Answer<axum::Json<CollectedBody>> {
    caller.needs(Permission::WebhooksRead)?;
    let webhook = find(&api, &caller, id).await?;
    let collecting = api.store.collecting(webhook.id).await?;
    let now = api.store.time(api.clock.now());
    Ok(axum::Json(CollectedBody {
        events: collecting.map_or(0, |collecting| collecting.events),
        due_at: collecting.map(|collecting| if collecting.due.0 > 0 { collecting.due } else { now }),
    }))
}

/// Has what the webhook has collected go out now. 202 with how much that is.
#[utoipa::path(
    post,
    path = "/webhooks/{id}/digest/send",
    security(("token" = [Permission::DeliveriesRetry])),
    responses((status = ACCEPTED, body = CollectedBody), (status = CONFLICT, description = "The webhook is disabled, or has collected nothing.")),
    operation_id = "webhooks_digest_send"
)]
pub(in super::super) async fn send(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<WebhookId>,
) -> Answer<(StatusCode, axum::Json<CollectedBody>)> {
    caller.needs(Permission::DeliveriesRetry)?;
    let webhook = find(&api, &caller, id).await?;
    if !webhook.state.is_enabled() {
        return Err(Problem::new(ProblemCode::WrongState, "the webhook is disabled").into());
    }
    let events = api.store.collecting(id).await?.map_or(0, |collecting| collecting.events);
    let about = serde_json::json!({ "events": events });
    let entry = caller.entry(&api, "webhook.digest_sent", target(id)).after(about);
    if !api.store.audited(entry).send_digest(caller.project(), id).await? {
        return Err(Problem::new(ProblemCode::WrongState, "nothing has been collected").into());
    }
    let due_at = Some(api.store.time(api.clock.now()));
    Ok((StatusCode::ACCEPTED, axum::Json(CollectedBody { events, due_at })))
}
