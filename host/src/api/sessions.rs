//! `/sessions`: people log in, see where they are logged in, and log out.

use axum::extract::{Path, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::{Caller, cookie_name, csrf_token, entry};
use super::context::Context;
use super::extract::{Json, Query};
use super::form::Password;
use super::openapi::EVERYWHERE;
use super::problem::{Answer, Refused};
use super::users::{self, UserBody, user_body};
use crate::domain::account::{Session, checked_email};
use crate::domain::audit::{Actor, ActorKind, Entry, Target};
use crate::domain::clock::Millis;
use crate::domain::id::{SessionId, UserId};
use crate::domain::page::Page;
use crate::domain::permission::Permission;
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::token::PlainToken;

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Login)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    email: String,
    password: Password,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(super) struct SessionBody {
    id: SessionId,
    /// Whether it is the one that this request came with.
    current: bool,
    address: Option<String>,
    user_agent: Option<String>,
    created_at: Millis,
    last_used_at: Millis,
    expires_at: Millis,
}

pub(super) fn session_body(session: Session, current: Option<SessionId>) -> SessionBody {
    SessionBody {
        id: session.id,
        current: current == Some(session.id),
        address: session.address,
        user_agent: session.user_agent,
        created_at: session.created_at,
        last_used_at: session.seen_at,
        expires_at: session.expires_at,
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LoggedIn)]
struct LoggedInBody {
    #[serde(flatten)]
    session: SessionBody,
    user: UserBody,
    /// What changes with the cookie need in the header `X-CSRF-Token`.
    csrf_token: String,
}

fn cookie(value: &str, max_age_s: u64, is_https: bool) -> HeaderValue {
    let name = cookie_name(is_https);
    let secure = if is_https { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}{secure}");
    HeaderValue::from_str(&text).expect("a cookie of ours is plain ASCII")
}

/// Refuses a login that a page of somebody else makes a browser ask for, to have a person work in an account that is not theirs.
fn check_same_site(headers: &HeaderMap) -> Answer<()> {
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => {
            let detail = "a login comes from a page of this server, or from no page at all";
            Err(Problem::new(ProblemCode::CsrfFailed, detail).into())
        }
    }
}

/// The same for everything that may be wrong: nobody learns who has an account here.
fn not_logged_in() -> Refused {
    Problem::new(ProblemCode::Unauthorized, "the email address or the password is wrong").into()
}

/// Logs in: a cookie, and what goes with it.
#[utoipa::path(
    post,
    path = "/sessions",
    security(()),
    responses(
        (status = CREATED, body = LoggedInBody, headers(("Set-Cookie")), description = "Logged in; the cookie is set."),
        (status = UNAUTHORIZED, headers(("WWW-Authenticate")), description = "The email address or the password is wrong."),
        (status = FORBIDDEN, description = "A page of another site asked for it.")
    )
)]
pub(super) async fn login(
    State(api): State<Api>,
    extensions: Extensions,
    headers: HeaderMap,
    form: Json<Login>,
) -> Answer<Response> {
    check_same_site(&headers)?;
    // A page of somebody else can have a browser send a body of no type, but not one of this type.
    if !headers.contains_key(header::CONTENT_TYPE) {
        let detail = "send `Content-Type: application/json`";
        return Err(Problem::new(ProblemCode::UnsupportedMediaType, detail).into());
    }
    let form = form.read().await?;
    let context = Context::from(&extensions);
    let now = api.clock.now();
    // What is no address may be a password in the wrong field: it is not repeated anywhere.
    let email = checked_email(&form.email).unwrap_or_else(|_| "(no address)".to_owned());
    let tried = api.door.logins.begin(&api.store, &email, context.address, now).await?.map_err(|seconds| {
        let detail = "too many logins failed of late, as this user or from this address";
        Problem { retry_after_s: Some(seconds), ..Problem::new(ProblemCode::TooManyRequests, detail) }
    })?;
    let found = api.store.user_called(&email).await?;
    let hash = found.as_ref().and_then(|(_, hash)| hash.clone());
    let is_password = api.door.logins.is_password(hash, form.password.0, &api.entropy).await;
    let failed = match &found {
        None => Some("there is no such user"),
        Some((user, _)) if !user.has_password => Some("the user has no password"),
        Some(_) if !is_password => Some("the password is wrong"),
        Some((user, _)) if user.disabled_at.is_some() => Some("the user is disabled"),
        Some(_) => None,
    };
    let user = match (found, failed) {
        (Some((user, _)), None) => user,
        (found, why) => {
            let target = found.map_or_else(|| Target::new("user", &email), |(user, _)| users::target(user.id));
            let failure = entry(&api, &context, "session.refused", target);
            let failure = failure.after(serde_json::json!({ "email": email, "reason": why }));
            api.store.record(failure).await?;
            return Err(not_logged_in());
        }
    };
    api.door.logins.succeeded(&api.store, tried).await?;
    let secret = PlainToken::from_bytes(api.entropy.bytes());
    let origin = context.origin();
    let session = Session {
        id: SessionId::new(now, api.entropy.id()),
        user: user.id,
        created_at: now,
        seen_at: now,
        expires_at: now.plus(api.config.accounts.session_max_ms),
        address: origin.address,
        user_agent: origin.user_agent,
    };
    let actor = Actor { kind: ActorKind::User, id: Some(user.id.to_string()), name: user.email.clone() };
    let created = Entry { actor, ..entry(&api, &context, "session.created", target(session.id)) };
    let most = api.config.accounts.sessions_per_user;
    api.store.audited(created).insert_session(&session, secret.hash(), most).await?;
    let cookie = cookie(secret.expose(), api.config.accounts.session_max_ms / 1000, context.is_https);
    let id = session.id;
    let body = LoggedInBody {
        session: session_body(session, Some(id)),
        user: user_body(&user),
        csrf_token: csrf_token(&secret),
    };
    Ok((StatusCode::CREATED, [(header::SET_COOKIE, cookie)], axum::Json(body)).into_response())
}

fn target(id: SessionId) -> Target {
    Target::new("session", id)
}

/// Only people have sessions.
fn own(caller: &Caller) -> Answer<(SessionId, UserId)> {
    let detail = "only who has logged in has sessions; a token has none";
    Ok(caller.session().ok_or_else(|| Problem::new(ProblemCode::Forbidden, detail))?)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionQuery {
    /// Those of this user; the caller's own when absent.
    user_id: Option<UserId>,
}

/// The caller's own sessions, newest first; those of another user for whoever looks after users.
#[utoipa::path(
    get,
    path = "/sessions",
    params(SessionQuery),
    security(("session" = []), ("token" = [EVERYWHERE])),
    responses((status = OK, body = Page<SessionBody>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<SessionQuery>,
) -> Answer<axum::Json<Page<SessionBody>>> {
    let user = match query.user_id {
        Some(user) if caller.session().is_none_or(|(_, own)| own != user) => {
            caller.needs_everywhere(Permission::Admin)?;
            users::find(&api, user).await?.id
        }
        _ => own(&caller)?.1,
    };
    let current = caller.session().map(|(session, _)| session);
    let sessions = api.store.sessions(user, api.clock.now()).await?;
    let items = sessions.into_iter().map(|session| session_body(session, current)).collect();
    Ok(axum::Json(Page { items, next_cursor: None }))
}

/// Ends a session of the caller's own, `current` for the one that they came with; any for whoever looks after users.
#[utoipa::path(
    delete,
    path = "/sessions/{id}",
    security(("session" = []), ("token" = [EVERYWHERE])),
    responses((status = NO_CONTENT, headers(("Set-Cookie"))))
)]
pub(super) async fn end(State(api): State<Api>, caller: Caller, Path(id): Path<String>) -> Answer<Response> {
    let id = if id == "current" { own(&caller)?.0 } else { id.parse().map_err(|_| Problem::not_found("session"))? };
    let is_admin = caller.grants().everywhere.allow(Permission::Admin);
    let of = if is_admin { None } else { Some(own(&caller)?.1) };
    let entry = caller.entry_in(&api, None, "session.ended", target(id));
    if !api.store.audited(entry).end_session(id, of).await? {
        return Err(Problem::not_found("session").into());
    }
    api.door.forget_all();
    let is_current = caller.session().is_some_and(|(current, _)| current == id);
    Ok(if is_current { logged_out(&caller) } else { StatusCode::NO_CONTENT.into_response() })
}

/// Ends all sessions of the caller's own, this one too; those of another user for whoever looks after users.
#[utoipa::path(
    delete,
    path = "/sessions",
    params(SessionQuery),
    security(("session" = []), ("token" = [EVERYWHERE])),
    responses((status = NO_CONTENT, headers(("Set-Cookie"))))
)]
pub(super) async fn end_all(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<SessionQuery>,
) -> Answer<Response> {
    let own_id = caller.session().map(|(_, user)| user);
    let user = match query.user_id {
        Some(user) if own_id != Some(user) => {
            caller.needs_everywhere(Permission::Admin)?;
            users::find(&api, user).await?.id
        }
        _ => own(&caller)?.1,
    };
    let entry = caller.entry_in(&api, None, "session.all_ended", users::target(user));
    api.store.audited(entry).end_sessions_of(user).await?;
    api.door.forget_all();
    Ok(if own_id == Some(user) { logged_out(&caller) } else { StatusCode::NO_CONTENT.into_response() })
}

/// The browser forgets the cookie.
fn logged_out(caller: &Caller) -> Response {
    let cookie = cookie("", 0, caller.context().is_https);
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_for_this_host_and_no_script() {
        let text = |is_https| cookie("s", 60, is_https).to_str().unwrap().to_owned();
        assert_eq!(text(true), "__Host-hookwright=s; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure");
        assert_eq!(text(false), "hookwright=s; Path=/; HttpOnly; SameSite=Lax; Max-Age=60");
    }

    #[test]
    fn pages_of_others_log_nobody_in() {
        let from = |site: &'static str| {
            let headers = HeaderMap::from_iter([("sec-fetch-site".parse().unwrap(), HeaderValue::from_static(site))]);
            check_same_site(&headers).is_ok()
        };
        assert!(from("same-origin") && from("none") && check_same_site(&HeaderMap::new()).is_ok());
        assert!(!from("cross-site") && !from("same-site"));
    }
}
