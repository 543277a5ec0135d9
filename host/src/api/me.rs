//! `/me`: who the caller is, what they may do, and their own password.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::auth::Caller;
use super::extract::Json;
use super::form::{Errors, Password};
use super::problem::Answer;
use super::sessions::{SessionBody, session_body};
use super::users::{self, check_password};
use crate::domain::audit::Actor;
use crate::domain::clock::Millis;
use crate::domain::id::ProjectId;
use crate::domain::permission::Permissions;
use crate::domain::problem::{Problem, ProblemCode};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Me)]
pub(super) struct MeBody {
    #[serde(flatten)]
    actor: Actor,
    /// The project that is worked in; none when it has to be named.
    project: Option<ProjectId>,
    /// What is allowed in it.
    permissions: Permissions,
    /// What is allowed in all.
    everywhere: Permissions,
    /// What is allowed in single ones besides.
    projects: Vec<InProject>,
    /// When the token, or the session, ends unless it is used.
    valid_until: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionBody>,
    /// What changes with the cookie need in the header `X-CSRF-Token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    csrf_token: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MeInProject)]
struct InProject {
    id: ProjectId,
    permissions: Permissions,
}

/// Who the caller is and what they may do.
#[utoipa::path(
    get,
    path = "/me",
    security(("token" = [])),
    responses((status = OK, body = MeBody))
)]
pub(super) async fn read(caller: Caller) -> axum::Json<MeBody> {
    let (principal, grants) = (caller.principal(), caller.grants());
    let project = caller.chosen_project();
    let mut projects: Vec<InProject> =
        grants.of_projects.iter().map(|(id, permissions)| InProject { id: *id, permissions: *permissions }).collect();
    projects.sort_by_key(|project| project.id);
    let current = caller.session().map(|(session, _)| session);
    axum::Json(MeBody {
        actor: principal.actor.clone(),
        project,
        permissions: project.map_or(Permissions::NONE, |project| grants.within(project)),
        everywhere: grants.everywhere,
        projects,
        valid_until: principal.until,
        session: principal.session.clone().map(|session| session_body(session, current)),
        csrf_token: caller.csrf().map(ToOwned::to_owned),
    })
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PasswordChange)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordForm {
    current_password: Password,
    new_password: Password,
}

/// Changes the caller's own password. Their other sessions end.
#[utoipa::path(
    post,
    path = "/me/password",
    security(("session" = [])),
    responses((status = NO_CONTENT))
)]
pub(super) async fn change_password(
    State(api): State<Api>,
    caller: Caller,
    form: Json<PasswordForm>,
) -> Answer<StatusCode> {
    let detail = "only who has logged in has a password; a token has none";
    let (session, id) = caller.session().ok_or_else(|| Problem::new(ProblemCode::Forbidden, detail))?;
    let form = form.read().await?;
    let user = users::find(&api, id).await?;
    let mut errors = Errors::default();
    check_password(&api, "/new_password", &form.new_password, &user, &mut errors);
    errors.check()?;
    // Whoever found a session open does not get to try passwords for ever.
    let (address, now) = (caller.context().address, api.clock.now());
    let tried = api.door.logins.begin(&api.store, &user.email, address, now).await?.map_err(|seconds| {
        let detail = "too many passwords were wrong of late";
        Problem { retry_after_s: Some(seconds), ..Problem::new(ProblemCode::TooManyRequests, detail) }
    })?;
    let hash = api.store.user_called(&user.email).await?.and_then(|(_, hash)| hash);
    if !api.door.logins.is_password(hash, form.current_password.0, &api.entropy).await {
        return Err(Problem::field("/current_password", "is wrong").into());
    }
    api.door.logins.succeeded(&api.store, tried).await?;
    let password = api.door.logins.hash(form.new_password.0, &api.entropy).await;
    let entry = caller.entry_in(&api, None, "user.password_changed", users::target(id));
    if !api.store.audited(entry).set_password(id, &password, Some(session), api.clock.now()).await? {
        return Err(Problem::not_found("user").into());
    }
    api.door.forget_all();
    Ok(StatusCode::NO_CONTENT)
}
