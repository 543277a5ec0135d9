//! `/tokens`: shown once, revoked at once.

#![expect(clippy::option_option, reason = "a field of a merge patch is absent, null, or a value")]

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::Caller;
use super::change::Change;
use super::etag::{check_unchanged, etag};
use super::extract::{Id, Json, Query, named, page};
use super::form::{Errors, given};
use super::openapi::IfMatch;
use super::problem::Answer;
use crate::domain::audit::Target;
use crate::domain::clock::Millis;
use crate::domain::id::{ProjectId, TokenId};
use crate::domain::page::Page;
use crate::domain::permission::{Permission, Permissions};
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::token::{PlainToken, TOKEN_NAME_MAX_CHARS, Token};
use crate::store::{Store, TokensOf};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token)]
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

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = TokenCreate)]
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

#[derive(Debug, Deserialize, Default, ToSchema)]
#[schema(as = TokenPatch)]
#[serde(deny_unknown_fields)]
pub(super) struct Patch {
    #[serde(default, deserialize_with = "given")]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
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
#[utoipa::path(
    post,
    path = "/tokens",
    security(("token" = [Permission::TokensWrite])),
    responses((status = CREATED, body = TokenBody, headers(("ETag"))))
)]
pub(super) async fn create(State(api): State<Api>, caller: Caller, form: Json<Create>) -> Answer<Response> {
    caller.needs(Permission::TokensWrite)?;
    let form = form.read().await?;
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

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// With this text in the name, or in the first characters that are shown; large letters are like small ones.
    #[param(min_length = 1, max_length = 255)]
    q: Option<String>,
}

/// Tokens of the project, newest first; with those for all projects for whoever looks after those.
#[utoipa::path(
    get,
    path = "/tokens",
    params(TokenQuery),
    security(("token" = [Permission::TokensWrite])),
    responses((status = OK, body = Page<TokenBody>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<TokenQuery>,
) -> Answer<axum::Json<Page<TokenBody>>> {
    caller.needs(Permission::TokensWrite)?;
    let page = page(query.limit, query.cursor.as_deref())?;
    let mut wrong = Vec::new();
    named(&mut wrong, "q", query.q.as_deref(), 255);
    if !wrong.is_empty() {
        return Err(Problem::parameters(wrong).into());
    }
    let tokens = api.store.tokens(visible(&caller), query.q.as_deref(), page).await?;
    Ok(axum::Json(tokens.map(|token| token_body(&token))))
}

async fn find(api: &Api, caller: &Caller, id: TokenId) -> Answer<Token> {
    let found = api.store.token_of(visible(caller), id).await?;
    Ok(found.ok_or_else(|| Problem::not_found("token"))?)
}

/// One token, but for the token itself.
#[utoipa::path(
    get,
    path = "/tokens/{id}",
    security(("token" = [Permission::TokensWrite])),
    responses((status = OK, body = TokenBody, headers(("ETag"))))
)]
pub(super) async fn read(State(api): State<Api>, caller: Caller, Id(id): Id<TokenId>) -> Answer<Response> {
    caller.needs(Permission::TokensWrite)?;
    let token = find(&api, &caller, id).await?;
    Ok((etag(token.version), axum::Json(token_body(&token))).into_response())
}

/// Changes its name or its end. What it allows stays: another token is made for that.
#[utoipa::path(
    patch,
    path = "/tokens/{id}",
    params(IfMatch),
    security(("token" = [Permission::TokensWrite])),
    responses((status = OK, body = TokenBody, headers(("ETag"))))
)]
pub(super) async fn patch(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<TokenId>,
    headers: HeaderMap,
    patch: Json<Patch>,
) -> Answer<Response> {
    caller.needs(Permission::TokensWrite)?;
    let current = find(&api, &caller, id).await?;
    may_hold(&caller, current.project, current.permissions)?;
    let patch = patch.read().await?;
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
    let entry = caller.entry_in(&api, current.project, "token.updated", target(id));
    let (before, after) = (token_body(&current), token_body(&changed));
    let change = Change { what: "token", version: changed.version, before, after };
    let store = async move |store: Store| Ok(store.update_token(&changed, current.version).await?.into());
    change.store(&api, entry, store).await
}

/// Revokes it: here at once, on other nodes within a second.
#[utoipa::path(
    delete,
    path = "/tokens/{id}",
    security(("token" = [Permission::TokensWrite])),
    responses((status = NO_CONTENT))
)]
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
