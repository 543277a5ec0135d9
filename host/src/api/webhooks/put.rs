//! A webhook as another program wants it, by that program's own id: made if there is none, else changed to be so.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::super::Api;
use super::super::auth::Caller;
use super::super::etag::{check_unchanged, etag, is_changed_meanwhile};
use super::super::extract::Json;
use super::super::openapi::IfMatch;
use super::super::problem::Answer;
use super::digest::DigestPatch;
use super::form::{Create, create};
use super::patch::{Patch, PluginPatch, RateLimitPatch};
use super::view::WebhookBody;
use super::{change, insert};
use crate::domain::permission::Permission;
use crate::domain::problem::Problem;
use crate::domain::webhook::{Order, Webhook};

/// Makes the webhook of this external id be as the body says: what it does not name is as in a new webhook. The signing keys
/// of one that there is stay as they are.
#[utoipa::path(
    put,
    path = "/webhooks/by-external-id/{external_id}",
    params(IfMatch),
    security(("token" = [Permission::WebhooksWrite])),
    responses(
        (status = OK, body = WebhookBody, headers(("ETag")), description = "It was there, and is so now."),
        (status = CREATED, body = WebhookBody, headers(("ETag")), description = "It was made."),
        (status = CONFLICT, description = "It was made or deleted by others at the same time.")
    )
)]
pub(in super::super) async fn put(
    State(api): State<Api>,
    caller: Caller,
    Path(external_id): Path<String>,
    headers: HeaderMap,
    form: Json<Create>,
) -> Answer<Response> {
    caller.needs(Permission::WebhooksWrite)?;
    let mut form = form.read().await?;
    if form.external_id.as_ref().is_some_and(|named| *named != external_id) {
        return Err(Problem::field("/external_id", "is another one than in the path").into());
    }
    if form.project.is_some_and(|project| project != caller.project()) {
        return Err(Problem::field("/project", "is another one than the header `X-Project` says").into());
    }
    form.external_id = Some(external_id.clone());
    if let Some(current) = api.store.webhook_called(caller.project(), &external_id).await? {
        check_unchanged(&headers, current.version, "webhook")?;
        return replace(&api, &caller, &current, form).await;
    }
    let webhook = create(&api, &caller, form).await?;
    if headers.contains_key("if-match") {
        return Err(is_changed_meanwhile("webhook").into());
    }
    insert(&api, &caller, &webhook).await?;
    let body = WebhookBody::new(&webhook, &api).with_signing_secret(&webhook);
    Ok((StatusCode::CREATED, etag(webhook.version), axum::Json(body)).into_response())
}

async fn replace(api: &Api, caller: &Caller, current: &Webhook, form: Create) -> Answer<Response> {
    if let Some(brought) = &form.signing_secret {
        let is_in_use = current.secrets.signing_keys.first().is_some_and(|key| key.secret.to_text() == *brought);
        if !is_in_use {
            return Err(Problem::field("/signing_secret", "is not the one in use; `/rotate-secret` changes it").into());
        }
    }
    // What nobody asks for is as in a new webhook.
    let base = Webhook { order: Order::default(), ..current.clone() };
    let changed = change(api, caller, &base, to_be(form, current)).await?;
    Ok((etag(changed.version), axum::Json(WebhookBody::new(&changed, api))).into_response())
}

/// Every one that there is goes unless it is named.
fn instead<V>(current: impl Iterator<Item = String>, named: BTreeMap<String, V>) -> BTreeMap<String, Option<V>> {
    let mut all: BTreeMap<String, Option<V>> = current.map(|name| (name, None)).collect();
    all.extend(named.into_iter().map(|(name, value)| (name, Some(value))));
    all
}

/// The change that makes a webhook what the form says.
fn to_be(form: Create, current: &Webhook) -> Patch {
    let headers: Vec<String> = current.header_names().map(ToOwned::to_owned).collect();
    // A header is the same however its name is written.
    let is_named = |name: &String| form.headers.keys().any(|named| named.eq_ignore_ascii_case(name));
    let gone: Vec<String> = headers.into_iter().filter(|name| !is_named(name)).collect();
    Patch {
        name: Some(Some(form.name)),
        external_id: None,
        description: Some(form.description),
        labels: Some(Some(instead(current.labels.keys().cloned(), form.labels))),
        url: Some(Some(form.url)),
        events: Some(Some(form.events)),
        filter: Some(form.filter),
        enabled: Some(Some(form.enabled)),
        open_work: None,
        content_type: Some(Some(form.content_type)),
        envelope: Some(Some(form.envelope)),
        bearer_token: Some(form.bearer_token),
        body_token: Some(form.body_token),
        github_signature: Some(Some(form.github_signature)),
        headers: Some(Some(instead(gone.into_iter(), form.headers))),
        plugin: Some(form.plugin.map(|plugin| PluginPatch {
            name: Some(plugin.name),
            version: Some(plugin.version),
            config: Some(plugin.config),
            secrets: instead(current.secrets.plugin.keys().cloned(), plugin.secrets),
            limits: Some(Some(plugin.limits.each().map(|(name, value)| (name.to_owned(), value)).collect())),
        })),
        retry: Some(form.retry),
        timeout_ms: Some(form.timeout_ms),
        on_uncertain: Some(Some(form.on_uncertain)),
        on_plugin_failure: Some(Some(form.on_plugin_failure)),
        order: form.order.map(Some),
        order_wait_ms: Some(form.order_wait_ms),
        digest: Some(form.digest.map(DigestPatch::to_be)),
        expires_in_ms: Some(form.expires_in_ms),
        listener: Some(form.listener),
        rate_limit: Some(
            form.rate_limit
                .map(|limit| RateLimitPatch { requests: Some(Some(limit.requests)), per_ms: Some(Some(limit.per_ms)) }),
        ),
    }
}
