//! `/users`: people, looked after by those who may do everything everywhere.

#![expect(clippy::option_option, reason = "a field of a merge patch is absent, null, or a value")]

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::Caller;
use super::change::{Change, Outcome};
use super::etag::{check_unchanged, etag};
use super::extract::{Id, Json, Query, named, page};
use super::form::{Errors, Password, given};
use super::openapi::{EVERYWHERE, IfMatch};
use super::problem::{Answer, Refused};
use crate::domain::account::{ADMIN_ROLE, MEMBERSHIPS_MAX, Membership, NAME_MAX_CHARS, User, checked_email};
use crate::domain::audit::Target;
use crate::domain::clock::Millis;
use crate::domain::id::{ProjectId, UserId};
use crate::domain::page::Page;
use crate::domain::password::{self, PasswordHash};
use crate::domain::permission::Permission;
use crate::domain::problem::{Problem, ProblemCode};
use crate::store::{ChangedUser, Store, UserFilter};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct UserBody {
    pub(super) id: UserId,
    email: String,
    name: String,
    /// What they do where; everywhere when it names no project.
    roles: Vec<Membership>,
    enabled: bool,
    has_password: bool,
    last_login_at: Option<Millis>,
    created_at: Millis,
    updated_at: Millis,
}

pub(super) fn user_body(user: &User) -> UserBody {
    UserBody {
        id: user.id,
        email: user.email.clone(),
        name: user.name.clone(),
        roles: user.memberships.clone(),
        enabled: user.disabled_at.is_none(),
        has_password: user.has_password,
        last_login_at: user.last_login_at,
        created_at: user.created_at,
        updated_at: user.updated_at,
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UserCreate)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    email: String,
    name: String,
    password: Option<Password>,
    #[serde(default)]
    roles: Vec<Membership>,
    #[serde(default = "yes")]
    enabled: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize, Default, ToSchema)]
#[schema(as = UserPatch)]
#[serde(deny_unknown_fields)]
pub(super) struct Patch {
    #[serde(default, deserialize_with = "given")]
    email: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    password: Option<Option<Password>>,
    #[serde(default, deserialize_with = "given")]
    roles: Option<Option<Vec<Membership>>>,
    #[serde(default, deserialize_with = "given")]
    enabled: Option<Option<bool>>,
}

/// The first user of a server, and nobody else.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Setup)]
#[serde(deny_unknown_fields)]
pub(super) struct Setup {
    email: String,
    name: String,
    password: Password,
}

pub(super) fn target(id: UserId) -> Target {
    Target::new("user", id)
}

fn check_email(text: &str, errors: &mut Errors) -> String {
    checked_email(text).unwrap_or_else(|wrong| {
        errors.add("/email", wrong);
        String::new()
    })
}

pub(super) fn check_password(api: &Api, at: &str, given: &Password, user: &User, errors: &mut Errors) {
    if let Err(unfit) = password::check(&given.0, api.config.accounts.password_min_chars, &user.email, &user.name) {
        errors.add(at, unfit.to_string());
    }
}

/// Roles and projects that there are.
async fn check_roles(api: &Api, memberships: &[Membership], errors: &mut Errors) -> Answer<()> {
    if memberships.len() > MEMBERSHIPS_MAX {
        errors.add("/roles", format!("has at most {MEMBERSHIPS_MAX} entries"));
        return Ok(());
    }
    for (index, membership) in memberships.iter().enumerate() {
        if api.store.role(&membership.role).await?.is_none() {
            errors.add(format!("/roles/{index}/role"), "there is no such role");
        }
        if let Some(project) = membership.project
            && api.store.project(project).await?.is_none()
        {
            errors.add(format!("/roles/{index}/project"), "there is no such project");
        }
    }
    Ok(())
}

async fn hashed(api: &Api, password: Option<Password>) -> Option<PasswordHash> {
    match password {
        None => None,
        Some(Password(password)) => Some(api.door.logins.hash(password, &api.entropy).await),
    }
}

/// A user as the form says, checked.
fn new_user(api: &Api, email: String, name: String, roles: Vec<Membership>) -> User {
    let now = api.clock.now();
    User {
        id: UserId::new(now, api.entropy.id()),
        email,
        name,
        memberships: roles,
        has_password: false,
        disabled_at: None,
        last_login_at: None,
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

fn last_admin() -> Refused {
    let detail = "they are the last who can log in and look after users; give somebody else the role first";
    Problem::new(ProblemCode::WrongState, detail).into()
}

/// Makes a user. Without a password nobody logs in as them until they get one.
#[utoipa::path(
    post,
    path = "/users",
    security(("token" = [EVERYWHERE])),
    responses(
        (status = CREATED, body = UserBody, headers(("ETag"))),
        (status = CONFLICT, description = "There is a user of this address.")
    )
)]
pub(super) async fn create(State(api): State<Api>, caller: Caller, form: Json<Create>) -> Answer<Response> {
    caller.needs_everywhere(Permission::Admin)?;
    let form = form.read().await?;
    let mut errors = Errors::default();
    let email = check_email(&form.email, &mut errors);
    errors.named("/name", &form.name, NAME_MAX_CHARS);
    check_roles(&api, &form.roles, &mut errors).await?;
    let user = new_user(&api, email, form.name, form.roles);
    let disabled_at = (!form.enabled).then_some(user.created_at);
    let user = User { has_password: form.password.is_some(), disabled_at, ..user };
    if let Some(given) = &form.password {
        check_password(&api, "/password", given, &user, &mut errors);
    }
    errors.check()?;
    let password = hashed(&api, form.password).await;
    let body = user_body(&user);
    let entry = caller.entry_in(&api, None, "user.created", target(user.id)).after(&body);
    api.store.audited(entry).insert_user(&user, password.as_ref()).await?;
    Ok((StatusCode::CREATED, etag(user.version), axum::Json(body)).into_response())
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SetupState)]
pub(super) struct SetupBody {
    needed: bool,
}

/// Whether the server still waits for its first user, so that a page can ask for them.
#[utoipa::path(
    get,
    path = "/setup",
    security(()),
    responses((status = OK, body = SetupBody))
)]
pub(super) async fn is_setup_needed(State(api): State<Api>) -> Answer<axum::Json<SetupBody>> {
    Ok(axum::Json(SetupBody { needed: !api.store.has_users().await? }))
}

/// Makes the first user, who may do everything, as long as there is none. It takes the admin token, so nobody who merely finds
/// the server becomes its owner.
#[utoipa::path(
    post,
    path = "/setup",
    security(("token" = [EVERYWHERE])),
    responses(
        (status = CREATED, body = UserBody, headers(("ETag"))),
        (status = CONFLICT, description = "The server has users already.")
    )
)]
pub(super) async fn setup(State(api): State<Api>, caller: Caller, form: Json<Setup>) -> Answer<Response> {
    caller.needs_everywhere(Permission::Admin)?;
    let form = form.read().await?;
    let mut errors = Errors::default();
    let email = check_email(&form.email, &mut errors);
    errors.named("/name", &form.name, NAME_MAX_CHARS);
    let admin = Membership { role: ADMIN_ROLE.to_owned(), project: None };
    let user = User { has_password: true, ..new_user(&api, email, form.name, vec![admin]) };
    check_password(&api, "/password", &form.password, &user, &mut errors);
    errors.check()?;
    let done = || Problem::new(ProblemCode::WrongState, "the server has users already; an admin makes more of them");
    if api.store.has_users().await? {
        return Err(done().into());
    }
    let password = api.door.logins.hash(form.password.0, &api.entropy).await;
    let body = user_body(&user);
    let entry = caller.entry_in(&api, None, "user.created", target(user.id)).after(&body);
    if !api.store.audited(entry).insert_first_user(&user, &password).await? {
        return Err(done().into());
    }
    Ok((StatusCode::CREATED, etag(user.version), axum::Json(body)).into_response())
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct UserQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// The one of this address.
    email: Option<String>,
    /// With this text in their address or their name; large letters are like small ones.
    #[param(min_length = 1, max_length = 255)]
    q: Option<String>,
    /// With this role, in the project if one is named.
    #[param(min_length = 1, max_length = 255)]
    role: Option<String>,
    /// With a role in this project.
    project_id: Option<ProjectId>,
    enabled: Option<bool>,
}

/// Users that are all of what is asked for, newest first.
#[utoipa::path(
    get,
    path = "/users",
    params(UserQuery),
    security(("token" = [EVERYWHERE])),
    responses((status = OK, body = Page<UserBody>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<UserQuery>,
) -> Answer<axum::Json<Page<UserBody>>> {
    caller.needs_everywhere(Permission::Admin)?;
    let page = page(query.limit, query.cursor.as_deref())?;
    let mut wrong = Vec::new();
    named(&mut wrong, "q", query.q.as_deref(), 255);
    named(&mut wrong, "role", query.role.as_deref(), 255);
    if !wrong.is_empty() {
        return Err(Problem::parameters(wrong).into());
    }
    let filter = UserFilter { text: query.q, role: query.role, project: query.project_id, enabled: query.enabled };
    let users = match query.email {
        None => api.store.users(&filter, page).await?,
        Some(email) => {
            let email = checked_email(&email).unwrap_or_default();
            let found = api.store.user_called(&email).await?;
            Page { items: found.into_iter().map(|(user, _)| user).collect(), next_cursor: None }
        }
    };
    Ok(axum::Json(users.map(|user| user_body(&user))))
}

pub(super) async fn find(api: &Api, id: UserId) -> Answer<User> {
    let found = api.store.user(id).await?;
    Ok(found.ok_or_else(|| Problem::not_found("user"))?)
}

/// One user.
#[utoipa::path(
    get,
    path = "/users/{id}",
    security(("token" = [EVERYWHERE])),
    responses((status = OK, body = UserBody, headers(("ETag"))))
)]
pub(super) async fn read(State(api): State<Api>, caller: Caller, Id(id): Id<UserId>) -> Answer<Response> {
    caller.needs_everywhere(Permission::Admin)?;
    let user = find(&api, id).await?;
    Ok((etag(user.version), axum::Json(user_body(&user))).into_response())
}

/// Changes what the body names (RFC 7396). Whoever is disabled, or given another password, is logged out everywhere.
#[utoipa::path(
    patch,
    path = "/users/{id}",
    params(IfMatch),
    security(("token" = [EVERYWHERE])),
    responses(
        (status = OK, body = UserBody, headers(("ETag"))),
        (status = CONFLICT, description = "There is a user of this address, or they are the last admin.")
    )
)]
pub(super) async fn patch(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<UserId>,
    headers: HeaderMap,
    patch: Json<Patch>,
) -> Answer<Response> {
    caller.needs_everywhere(Permission::Admin)?;
    let current = find(&api, id).await?;
    let patch = patch.read().await?;
    check_unchanged(&headers, current.version, "user")?;
    let now = api.clock.now();
    let mut errors = Errors::default();
    let email = errors.kept("/email", patch.email, current.email.clone());
    let email = check_email(&email, &mut errors);
    let password = errors.kept("/password", patch.password.map(|given| given.map(Some)), None);
    let enabled = errors.kept("/enabled", patch.enabled, current.disabled_at.is_none());
    let changed = User {
        email,
        name: errors.kept("/name", patch.name, current.name.clone()),
        memberships: errors.kept("/roles", patch.roles, current.memberships.clone()),
        has_password: current.has_password || password.is_some(),
        disabled_at: if enabled { None } else { current.disabled_at.or(Some(now)) },
        version: current.version + 1,
        updated_at: now,
        ..current.clone()
    };
    errors.named("/name", &changed.name, NAME_MAX_CHARS);
    check_roles(&api, &changed.memberships, &mut errors).await?;
    if let Some(given) = &password {
        check_password(&api, "/password", given, &changed, &mut errors);
    }
    errors.check()?;
    let is_new_password = password.is_some();
    let password = hashed(&api, password).await;
    let action = if is_new_password { "user.password_changed" } else { "user.updated" };
    let entry = caller.entry_in(&api, None, action, target(id));
    let (before, after) = (user_body(&current), user_body(&changed));
    let change = Change { what: "user", version: changed.version, before, after };
    let store = async move |store: Store| {
        let stored = store.update_user(&changed, password.as_ref(), current.version).await?;
        Ok(match stored {
            ChangedUser::Yes => Outcome::Done,
            ChangedUser::Stale => Outcome::Stale,
            ChangedUser::LastAdmin => Outcome::Refused(last_admin()),
        })
    };
    change.store(&api, entry, store).await
}

/// Removes a user: their sessions end. Tokens that they made stay, since programs use them.
#[utoipa::path(
    delete,
    path = "/users/{id}",
    security(("token" = [EVERYWHERE])),
    responses((status = NO_CONTENT), (status = CONFLICT, description = "They are the last admin."))
)]
pub(super) async fn delete(State(api): State<Api>, caller: Caller, Id(id): Id<UserId>) -> Answer<StatusCode> {
    caller.needs_everywhere(Permission::Admin)?;
    let current = find(&api, id).await?;
    let entry = caller.entry_in(&api, None, "user.deleted", target(id)).before(user_body(&current));
    match api.store.audited(entry).delete_user(id, api.clock.now()).await? {
        ChangedUser::Yes => {
            api.door.forget_all();
            Ok(StatusCode::NO_CONTENT)
        }
        ChangedUser::Stale => Err(Problem::not_found("user").into()),
        ChangedUser::LastAdmin => Err(last_admin()),
    }
}
