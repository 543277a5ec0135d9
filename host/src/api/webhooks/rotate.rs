//! `/webhooks/{id}/rotate-secret`: another signing secret takes over.

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::Api;
use super::super::auth::Caller;
use super::super::etag::{check_unchanged, etag, is_changed_meanwhile};
use super::super::extract::{Id, body, read};
use super::super::form::Errors;
use super::super::openapi::IfMatch;
use super::super::problem::Answer;
use super::form::new_signing_secret;
use super::view::WebhookBody;
use super::{changed_entry, find};
use crate::domain::id::WebhookId;
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::rotation::{NotRotated, OVERLAP_DEFAULT_MS, OVERLAP_MAX_MS, rotated};
use crate::domain::token::Permission;
use crate::store::OpenWork;

#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = RotateSecret)]
#[serde(deny_unknown_fields)]
struct RotateForm {
    signing_secret: Option<String>,
    overlap_ms: Option<u64>,
}

/// Has another secret sign from now on, the one that is brought or a new one, which is shown in this answer only. The old
/// ones sign too for `overlap_ms` (24 hours unless it says otherwise); 0 revokes them at once.
#[utoipa::path(
    post,
    path = "/webhooks/{id}/rotate-secret",
    params(IfMatch),
    request_body = Option<RotateForm>,
    security(("token" = [Permission::WebhooksWrite])),
    responses(
        (status = OK, body = WebhookBody, headers(("ETag"))),
        (status = CONFLICT, description = "It has as many keys as it may have.")
    )
)]
pub(in super::super) async fn rotate_secret(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    headers: HeaderMap,
    request: Request,
) -> Answer<Response> {
    caller.needs(Permission::WebhooksWrite)?;
    let bytes = body(request, &api).await?;
    let form: RotateForm = if bytes.is_empty() { RotateForm::default() } else { read(&bytes)? };
    let mut errors = Errors::default();
    let overlap_ms = form.overlap_ms.unwrap_or(OVERLAP_DEFAULT_MS);
    if overlap_ms > OVERLAP_MAX_MS {
        errors.add("/overlap_ms", format!("is 0 to {OVERLAP_MAX_MS} ms (30 days)"));
    }
    let secret = new_signing_secret(&api, form.signing_secret.as_deref(), &mut errors);
    errors.check()?;
    let Some(secret) = secret else { return Err(Problem::field("/signing_secret", "is needed").into()) };
    let current = find(&api, &caller, id).await?;
    check_unchanged(&headers, current.version, "webhook")?;
    let mut changed = current.clone();
    let now = api.clock.now();
    // Signatures are made by the time that all nodes share.
    changed.secrets.signing_keys = rotated(&current.secrets.signing_keys, &secret, overlap_ms, api.store.time(now))
        .map_err(|refused| match refused {
            NotRotated::SameKey => Problem::field("/signing_secret", refused.to_string()),
            NotRotated::TooMany => Problem::new(ProblemCode::WrongState, refused.to_string()),
        })?;
    changed.secrets_changed();
    changed.version += 1;
    changed.updated_at = now;
    let entry = changed_entry(&api, &caller, "webhook.secret_rotated", &current, &changed);
    if !api.store.audited(entry).update_webhook(&changed, current.version, OpenWork::Keep, &api.entropy).await? {
        return Err(is_changed_meanwhile("webhook").into());
    }
    let body = WebhookBody::new(&changed, &api).with_signing_secret(&changed);
    Ok((etag(changed.version), axum::Json(body)).into_response())
}
