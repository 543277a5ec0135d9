//! `/tokens`: shown once, revoked at once.

#![expect(clippy::option_option, reason = "a field of a merge patch is absent, null, or a value")]

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::Caller;
use super::etag::{check_unchanged, etag, is_changed_meanwhile};
use super::extract::{Id, Json, Paging, Query};
use super::form::{Errors, given};
use super::problem::Answer;
use crate::domain::audit::Target;
use crate::domain::clock::Millis;
use crate::domain::id::{ProjectId, TokenId};
use crate::domain::page::Page;
use crate::domain::permission::{Permission, Permissions};
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::token::{PlainToken, TOKEN_NAME_MAX_CHARS, Token};
use crate::store::TokensOf;

#[derive(Debug, Serialize)]
pub(super) struct TokenBody {
    id: TokenId,
    name: String,
    /// Its first characters, by which people recognise it.
    prefix: String,
    /// None when it is for all projects.
    project: Option<ProjectId>,
    permissions: Permissions,
    expires_at: Option<Millis>,
    last_used_at: Option<Millis>,
    created_by: String,
    created_at: Millis,
    /// The token itself, in the answer that makes it only.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

fn token_body(token: &Token) -> TokenBody {
    TokenBody {
        id: token.id,
        name: token.name.clone(),
        prefix: token.prefix.clone(),
        project: token.project,
        permissions: token.permissions,
        expires_at: token.expires_at,
        last_used_at: token.last_used_at,
        created_by: token.created_by.clone(),
        created_at: token.created_at,
        token: None,
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    name: String,
    permissions: Vec<String>,
    /// The project that is worked in when absent.
    project: Option<ProjectId>,
    #[serde(default)]
    all_projects: bool,
    expires_at: Option<Millis>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Patch {
    #[serde(deserialize_with = "given")]
    name: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    expires_at: Option<Option<Millis>>,
}

fn target(id: TokenId) -> Target {
    Target::new("token", id)
}

/// Nobody gives away, or takes away, what they do not have themselves.
fn may_hold(caller: &Caller, project: Option<ProjectId>, permissions: Permissions) -> Answer<()> {
    let Some(lacking) = caller.grants().at(project).lacks(permissions) else { return Ok(()) };
    let place = if project.is_none() { " for all projects" } else { "" };
    let detail = format!("the token has the permission `{lacking}`{place}, which you do not have");
    Err(Problem::new(ProblemCode::Forbidden, detail).into())
}

/// The tokens that a caller sees: those of the project, and those for all projects if theirs is.
fn visible(caller: &Caller) -> TokensOf {
    if caller.grants().everywhere.allow(Permission::TokensWrite) {
        TokensOf::ProjectAndAll(caller.project())
    } else {
        TokensOf::Project(caller.project())
    }
}

/// Makes a token. It is shown in this answer only.
pub(super) async fn create(State(api): State<Api>, caller: Caller, Json(form): Json<Create>) -> Answer<Response> {
    caller.needs(Permission::TokensWrite)?;
    let now = api.clock.now();
    let mut errors = Errors::default();
    errors.named("/name", &form.name, TOKEN_NAME_MAX_CHARS);
    let permissions = errors.permissions(&form.permissions);
    errors.in_future("/expires_at", form.expires_at, now);
    if form.all_projects && form.project.is_some() {
        errors.add("/project", "stands beside `all_projects`; a token has one of them");
    }
    errors.check()?;
    let project = if form.all_projects {
        caller.needs_everywhere(Permission::TokensWrite)?;
        None
    } else {
        Some(caller.project_named(&api, form.project, Permission::TokensWrite, "").await?)
    };
    may_hold(&caller, project, permissions)?;
    let plain = PlainToken::from_bytes(api.entropy.bytes());
    let token = Token {
        id: TokenId::new(now, api.entropy.id()),
        project,
        name: form.name,
        prefix: plain.shown(),
        permissions,
        expires_at: form.expires_at,
        created_by: caller.actor(),
        created_at: now,
        last_used_at: None,
        version: 1,
    };
    let body = token_body(&token);
    let entry = caller.entry_in(&api, project, "token.created", target(token.id)).after(&body);
    api.store.audited(entry).insert_token(&token, plain.hash()).await?;
    let body = TokenBody { token: Some(plain.expose().to_owned()), ..body };
    Ok((StatusCode::CREATED, etag(token.version), axum::Json(body)).into_response())
}

/// Tokens of the project, newest first; with those for all projects for whoever looks after those.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(paging): Query<Paging>,
) -> Answer<axum::Json<Page<TokenBody>>> {
    caller.needs(Permission::TokensWrite)?;
    let tokens = api.store.tokens(visible(&caller), paging.page()?).await?;
    Ok(axum::Json(tokens.map(|token| token_body(&token))))
}

async fn find(api: &Api, caller: &Caller, id: TokenId) -> Answer<Token> {
    let found = api.store.token_of(visible(caller), id).await?;
    Ok(found.ok_or_else(|| Problem::not_found("token"))?)
}

/// One token, but for the token itself.
pub(super) async fn read(State(api): State<Api>, caller: Caller, Id(id): Id<TokenId>) -> Answer<Response> {
    caller.needs(Permission::TokensWrite)?;
    let token = find(&api, &caller, id).await?;
    Ok((etag(token.version), axum::Json(token_body(&token))).into_response())
}

/// Changes its name or its end. What it allows stays: another token is made for that.
pub(super) async fn patch(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<TokenId>,
    headers: HeaderMap,
    Json(patch): Json<Patch>,
) -> Answer<Response> {
    caller.needs(Permission::TokensWrite)?;
    let current = find(&api, &caller, id).await?;
    may_hold(&caller, current.project, current.permissions)?;
    check_unchanged(&headers, current.version, "token")?;
    let mut errors = Errors::default();
    errors.in_future("/expires_at", patch.expires_at.flatten(), api.clock.now());
    let changed = Token {
        name: errors.kept("/name", patch.name, current.name.clone()),
        expires_at: patch.expires_at.unwrap_or(current.expires_at),
        version: current.version + 1,
        ..current.clone()
    };
    errors.named("/name", &changed.name, TOKEN_NAME_MAX_CHARS);
    errors.check()?;
    let body = token_body(&changed);
    let entry = caller.entry_in(&api, current.project, "token.updated", target(id)).change(token_body(&current), &body);
    if !api.store.audited(entry).update_token(&changed, current.version).await? {
        return Err(is_changed_meanwhile("token").into());
    }
    api.door.forget_all();
    Ok((etag(changed.version), axum::Json(body)).into_response())
}

/// Revokes it: here at once, on other nodes within a second.
pub(super) async fn revoke(State(api): State<Api>, caller: Caller, Id(id): Id<TokenId>) -> Answer<StatusCode> {
    caller.needs(Permission::TokensWrite)?;
    let token = find(&api, &caller, id).await?;
    may_hold(&caller, token.project, token.permissions)?;
    let entry = caller.entry_in(&api, token.project, "token.revoked", target(id)).before(token_body(&token));
    if !api.store.audited(entry).revoke_token(id, api.clock.now()).await? {
        return Err(Problem::not_found("token").into());
    }
    api.door.forget_all();
    Ok(StatusCode::NO_CONTENT)
}
