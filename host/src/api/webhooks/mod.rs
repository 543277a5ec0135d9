//! `/webhooks`: registered, changed, tested, triggered, explained, deleted.

mod backtest;
mod by_hand;
pub(super) mod digest;
mod explain;
pub(super) mod facts;
mod form;
mod patch;
mod put;
mod query;
mod recover;
mod reprocess;
mod revisions;
mod rotate;
mod test;
mod trigger;
mod try_out;
mod view;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::Api;
use super::auth::Caller;
use super::etag::{check_unchanged, etag, is_changed_meanwhile};
use super::extract::{Id, Json, Query};
use super::openapi::IfMatch;
use super::problem::Answer;
use crate::domain::audit::{Entry, Target};
use crate::domain::id::WebhookId;
use crate::domain::page::Page;
use crate::domain::problem::Problem;
use crate::domain::token::Permission;
use crate::domain::webhook::Webhook;
use crate::store::OpenWork;

pub(super) use backtest::*;
pub(super) use explain::*;
pub(super) use form::{check_config, check_filter, check_patterns};
pub(super) use put::*;
use query::WebhookQuery;
pub(super) use recover::*;
pub(super) use reprocess::*;
pub(super) use revisions::*;
pub(super) use rotate::*;
pub(super) use test::*;
pub(super) use trigger::*;
pub(super) use try_out::*;

/// Registers a webhook. The signing secret is shown in this answer only.
#[utoipa::path(
    post,
    path = "/webhooks",
    security(("token" = [Permission::WebhooksWrite])),
    responses(
        (status = CREATED, body = view::WebhookBody, headers(("ETag"))),
        (status = CONFLICT, description = "There is one of this external id.")
    )
)]
pub(super) async fn create(State(api): State<Api>, caller: Caller, body: Json<form::Create>) -> Answer<Response> {
    caller.needs(Permission::WebhooksWrite)?;
    let webhook = form::create(&api, &caller, body.read().await?).await?;
    insert(&api, &caller, &webhook).await?;
    let body = view::WebhookBody::new(&webhook, &api).with_signing_secret(&webhook);
    Ok((StatusCode::CREATED, etag(webhook.version), axum::Json(body)).into_response())
}

/// Stores a new webhook.
async fn insert(api: &Api, caller: &Caller, webhook: &Webhook) -> Answer<()> {
    let entry = caller.entry_in(api, Some(webhook.project), "webhook.created", target(webhook.id));
    let entry = entry.after(view::WebhookBody::new(webhook, api).without_state());
    api.store.audited(entry).insert_webhook(webhook, &api.entropy).await?;
    Ok(())
}

/// Webhooks that are all of what is asked for, newest first unless `sort` says otherwise.
#[utoipa::path(
    get,
    path = "/webhooks",
    params(WebhookQuery),
    security(("token" = [Permission::WebhooksRead]), ("token" = [Permission::CanTriggerIntegrations])),
    responses((status = OK, body = Page<view::WebhookBody>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<WebhookQuery>,
) -> Answer<axum::Json<Page<view::WebhookBody>>> {
    caller.needs(Permission::WebhooksRead)?;
    let choice = query.read()?;
    // All are in memory; what has changed on another node is read first.
    api.store.sync_subscriptions().await?;
    let snapshot = api.store.subscriptions();
    let chosen = snapshot.of_project(caller.project()).iter().filter(|webhook| choice.includes(webhook));
    let page = Page::sorted(chosen, &choice.page, |webhook| choice.key(webhook));
    Ok(axum::Json(page.map(|webhook| view::WebhookBody::new(webhook, &api))))
}

/// What the audit log calls it.
fn target(id: WebhookId) -> Target {
    Target::new("webhook", id)
}

/// What changed of a webhook. Secrets are told of by their names.
fn changed_entry(api: &Api, caller: &Caller, action: &'static str, current: &Webhook, changed: &Webhook) -> Entry {
    let entry = caller.entry(api, action, target(current.id));
    let body = |webhook: &Webhook| view::WebhookBody::new(webhook, api).without_state();
    let secrets = changed.secrets.differing(&current.secrets);
    entry.change(body(current), view::ChangedBody { webhook: body(changed), secrets_changed: secrets })
}

async fn find(api: &Api, caller: &Caller, id: WebhookId) -> Answer<Webhook> {
    let found = api.store.webhook(caller.project(), id).await?;
    Ok(found.ok_or_else(|| Problem::not_found("webhook"))?)
}

/// One webhook.
#[utoipa::path(
    get,
    path = "/webhooks/{id}",
    security(("token" = [Permission::WebhooksRead]), ("token" = [Permission::CanTriggerIntegrations])),
    responses((status = OK, body = view::WebhookBody, headers(("ETag"))))
)]
pub(super) async fn read(State(api): State<Api>, caller: Caller, Id(id): Id<WebhookId>) -> Answer<Response> {
    caller.needs(Permission::WebhooksRead)?;
    let webhook = find(&api, &caller, id).await?;
    Ok((etag(webhook.version), axum::Json(view::WebhookBody::new(&webhook, &api))).into_response())
}

/// Changes what the body names (RFC 7396); `If-Match` refuses a change of what has changed meanwhile.
#[utoipa::path(
    patch,
    path = "/webhooks/{id}",
    params(IfMatch),
    security(("token" = [Permission::WebhooksWrite])),
    responses(
        (status = OK, body = view::WebhookBody, headers(("ETag"))),
        (status = CONFLICT, description = "There is one of this external id.")
    )
)]
pub(super) async fn patch(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    headers: HeaderMap,
    body: Json<patch::Patch>,
) -> Answer<Response> {
    caller.needs(Permission::WebhooksWrite)?;
    let current = find(&api, &caller, id).await?;
    let patch = body.read().await?;
    check_unchanged(&headers, current.version, "webhook")?;
    let changed = change(&api, &caller, &current, patch).await?;
    Ok((etag(changed.version), axum::Json(view::WebhookBody::new(&changed, &api))).into_response())
}

/// Stores a change of a webhook, with what becomes of its open work.
async fn change(api: &Api, caller: &Caller, current: &Webhook, change: patch::Patch) -> Answer<Webhook> {
    let (changed, held) = patch::apply(api, current, change).await?;
    let open_work = match (current.state.is_enabled(), changed.state.is_enabled()) {
        (true, false) => OpenWork::Hold,
        (false, true) if held == patch::OnEnable::Cancel => OpenWork::Cancel,
        (false, true) => {
            let wait_ms = changed.order_wait_ms.unwrap_or(api.config.delivery.order_wait_ms);
            OpenWork::Resume { blocked_until: api.store.time(api.clock.now()).plus(wait_ms) }
        }
        _ => OpenWork::Keep,
    };
    let entry = changed_entry(api, caller, "webhook.updated", current, &changed);
    if !api.store.audited(entry).update_webhook(&changed, current.version, open_work, &api.entropy).await? {
        return Err(is_changed_meanwhile("webhook").into());
    }
    if matches!(open_work, OpenWork::Resume { .. }) {
        api.ingest.wake();
    }
    Ok(changed)
}

/// Deletes a webhook: its open work is cancelled, its history stays.
#[utoipa::path(
    delete,
    path = "/webhooks/{id}",
    security(("token" = [Permission::WebhooksWrite])),
    responses((status = NO_CONTENT))
)]
pub(super) async fn delete(State(api): State<Api>, caller: Caller, Id(id): Id<WebhookId>) -> Answer<StatusCode> {
    caller.needs(Permission::WebhooksWrite)?;
    let current = find(&api, &caller, id).await?;
    let entry = caller.entry(&api, "webhook.deleted", target(id));
    let entry = entry.before(view::WebhookBody::new(&current, &api).without_state());
    if api.store.audited(entry).delete_webhook(caller.project(), id, api.clock.now()).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("webhook").into())
    }
}
