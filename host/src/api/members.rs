//! `/projects/{id}/members`: who has which roles in a project, looked after by whoever may do everything in it.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::auth::Caller;
use super::etag::is_changed_meanwhile;
use super::extract::{Id, Json, Paging, Query};
use super::form::Errors;
use super::problem::Answer;
use super::projects::{find, needs_admin};
use super::users;
use crate::domain::account::{MEMBERSHIPS_MAX, Membership, User, checked_email};
use crate::domain::clock::Millis;
use crate::domain::id::{ProjectId, UserId};
use crate::domain::page::Page;
use crate::domain::permission::Permission;
use crate::domain::problem::{Problem, ProblemCode};
use crate::store::{ChangedUser, UserFilter};

/// Most roles of one user in one project.
const ROLES_MAX: usize = 20;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub(super) struct MemberBody {
    user_id: UserId,
    email: String,
    name: String,
    /// Their roles in this project. What they may do in all projects comes on top.
    roles: Vec<String>,
    enabled: bool,
    last_login_at: Option<Millis>,
}

fn roles_in(user: &User, project: ProjectId) -> Vec<String> {
    let here = user.memberships.iter().filter(|membership| membership.project == Some(project));
    here.map(|membership| membership.role.clone()).collect()
}

fn member_body(user: &User, project: ProjectId) -> MemberBody {
    MemberBody {
        user_id: user.id,
        email: user.email.clone(),
        name: user.name.clone(),
        roles: roles_in(user, project),
        enabled: user.disabled_at.is_none(),
        last_login_at: user.last_login_at,
    }
}

/// The roles of a member.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = MemberRoles, example = json!({ "roles": ["developer"] }))]
#[serde(deny_unknown_fields)]
pub(super) struct Roles {
    /// All of them: what is not named is taken away.
    #[schema(min_items = 1, max_items = 20)]
    roles: Vec<String>,
}

/// Who has roles in the project, newest first.
#[utoipa::path(
    get,
    path = "/projects/{id}/members",
    params(Paging),
    security(("token" = [Permission::Admin])),
    responses((status = OK, body = Page<MemberBody>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<ProjectId>,
    Query(paging): Query<Paging>,
) -> Answer<axum::Json<Page<MemberBody>>> {
    find(&api, &caller, id).await?;
    needs_admin(&caller, id)?;
    let filter = UserFilter { project: Some(id), ..UserFilter::default() };
    let members = api.store.users(&filter, paging.page()?).await?;
    Ok(axum::Json(members.map(|user| member_body(&user, id))))
}

/// A user by their id, or by their address: whoever looks after a project does not see all users.
async fn user(api: &Api, text: &str) -> Answer<User> {
    let found = match text.parse::<UserId>() {
        Ok(id) => api.store.user(id).await?,
        Err(_) => match checked_email(text) {
            Ok(email) => api.store.user_called(&email).await?.map(|(user, _)| user),
            Err(_) => None,
        },
    };
    Ok(found.ok_or_else(|| Problem::not_found("user"))?)
}

/// Stores which roles a user has in a project.
async fn change(api: &Api, caller: &Caller, project: ProjectId, current: &User, roles: Vec<String>) -> Answer<User> {
    let mut memberships = current.memberships.clone();
    memberships.retain(|membership| membership.project != Some(project));
    memberships.extend(roles.into_iter().map(|role| Membership { role, project: Some(project) }));
    if memberships.len() > MEMBERSHIPS_MAX {
        let detail = format!("a user has at most {MEMBERSHIPS_MAX} roles, over all projects");
        return Err(Problem::field("/roles", detail).into());
    }
    let updated_at = api.clock.now();
    let changed = User { memberships, version: current.version + 1, updated_at, ..current.clone() };
    let told = |user: &User| serde_json::json!({ "roles": roles_in(user, project) });
    let entry = caller.entry_in(api, Some(project), "member.updated", users::target(current.id));
    let entry = entry.change(told(current), told(&changed));
    match api.store.audited(entry).update_user(&changed, None, current.version).await? {
        ChangedUser::Yes => {}
        ChangedUser::Stale | ChangedUser::LastAdmin => return Err(is_changed_meanwhile("user").into()),
    }
    api.door.forget_all();
    Ok(changed)
}

/// Gives a user, by their id or their address, these roles in the project and no others.
#[utoipa::path(
    put,
    path = "/projects/{id}/members/{user}",
    security(("token" = [Permission::Admin])),
    responses(
        (status = OK, body = MemberBody),
        (status = PRECONDITION_FAILED, description = "The user was changed at the same time.")
    )
)]
pub(super) async fn put(
    State(api): State<Api>,
    caller: Caller,
    Path((id, name)): Path<(String, String)>,
    form: Json<Roles>,
) -> Answer<axum::Json<MemberBody>> {
    let id: ProjectId = id.parse().map_err(|_| Problem::not_found("project"))?;
    find(&api, &caller, id).await?;
    needs_admin(&caller, id)?;
    let Roles { mut roles } = form.read().await?;
    let current = user(&api, &name).await?;
    let mut errors = Errors::default();
    if !(1..=ROLES_MAX).contains(&roles.len()) {
        errors
            .add("/roles", format!("has 1 to {ROLES_MAX} roles; a member who is to have none is taken away by DELETE"));
    }
    for (index, role) in roles.iter().enumerate().take(ROLES_MAX) {
        if api.store.role(role).await?.is_none() {
            errors.add(format!("/roles/{index}"), "there is no such role");
        }
    }
    errors.check()?;
    roles.sort_unstable();
    roles.dedup();
    let changed = change(&api, &caller, id, &current, roles).await?;
    Ok(axum::Json(member_body(&changed, id)))
}

/// Takes all roles in the project from a user. The user stays.
#[utoipa::path(
    delete,
    path = "/projects/{id}/members/{user}",
    security(("token" = [Permission::Admin])),
    responses(
        (status = NO_CONTENT),
        (status = PRECONDITION_FAILED, description = "The user was changed at the same time.")
    )
)]
pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    Path((id, name)): Path<(String, String)>,
) -> Answer<StatusCode> {
    let id: ProjectId = id.parse().map_err(|_| Problem::not_found("project"))?;
    find(&api, &caller, id).await?;
    needs_admin(&caller, id)?;
    let current = user(&api, &name).await?;
    if roles_in(&current, id).is_empty() {
        return Err(Problem::new(ProblemCode::NotFound, "the user has no role in the project").into());
    }
    change(&api, &caller, id, &current, Vec::new()).await?;
    Ok(StatusCode::NO_CONTENT)
}
