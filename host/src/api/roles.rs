//! `/roles`: permissions under a name.

#![expect(clippy::option_option, reason = "a field of a merge patch is absent, null, or a value")]

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::auth::Caller;
use super::change::{Change, Outcome};
use super::etag::{check_unchanged, etag};
use super::extract::Json;
use super::form::{Errors, given};
use super::openapi::{EVERYWHERE, IfMatch};
use super::problem::{Answer, Refused};
use crate::domain::account::{ROLE_DESCRIPTION_MAX_CHARS, ROLE_MAX_CHARS, Role, builtin_role, is_role_name};
use crate::domain::audit::Target;
use crate::domain::page::Page;
use crate::domain::permission::{Permission, Permissions};
use crate::domain::problem::{Problem, ProblemCode};
use crate::store::{ChangedRole, Store};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Role)]
pub(super) struct RoleBody {
    name: String,
    description: String,
    permissions: Permissions,
    /// Whether it comes with the server and cannot be changed.
    builtin: bool,
}

fn role_body(role: &Role) -> RoleBody {
    RoleBody {
        name: role.name.clone(),
        description: role.description.clone(),
        permissions: role.permissions,
        builtin: role.is_builtin,
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = RoleCreate)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    name: String,
    #[serde(default)]
    description: String,
    permissions: Vec<String>,
}

#[derive(Debug, Deserialize, Default, ToSchema)]
#[schema(as = RolePatch)]
#[serde(deny_unknown_fields)]
pub(super) struct Patch {
    #[serde(default, deserialize_with = "given")]
    description: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    permissions: Option<Option<Vec<String>>>,
}

fn target(name: &str) -> Target {
    Target::new("role", name)
}

/// Makes a role.
#[utoipa::path(
    post,
    path = "/roles",
    security(("token" = [EVERYWHERE])),
    responses(
        (status = CREATED, body = RoleBody, headers(("ETag"))),
        (status = CONFLICT, description = "There is a role of this name.")
    )
)]
pub(super) async fn create(State(api): State<Api>, caller: Caller, form: Json<Create>) -> Answer<Response> {
    caller.needs_everywhere(Permission::Admin)?;
    let form = form.read().await?;
    let mut errors = Errors::default();
    if !is_role_name(&form.name) {
        errors.add("/name", format!("is 1 to {ROLE_MAX_CHARS} small letters, digits and hyphens"));
    }
    errors.at_most("/description", &form.description, ROLE_DESCRIPTION_MAX_CHARS);
    let permissions = errors.permissions(&form.permissions);
    errors.check()?;
    if builtin_role(&form.name).is_some() {
        return Err(Problem::new(ProblemCode::Conflict, "every server has a role of this name").into());
    }
    let role = Role { name: form.name, description: form.description, permissions, is_builtin: false, version: 1 };
    let body = role_body(&role);
    let entry = caller.entry_in(&api, None, "role.created", target(&role.name)).after(&body);
    api.store.audited(entry).insert_role(&role).await?;
    Ok((StatusCode::CREATED, etag(role.version), axum::Json(body)).into_response())
}

/// Every role; whoever is let in may know what they are.
#[utoipa::path(
    get,
    path = "/roles",
    security(("token" = [])),
    responses((status = OK, body = Page<RoleBody>))
)]
pub(super) async fn list(State(api): State<Api>, _caller: Caller) -> Answer<axum::Json<Page<RoleBody>>> {
    let roles = api.store.roles().await?;
    Ok(axum::Json(Page { items: roles.iter().map(role_body).collect(), next_cursor: None }))
}

async fn find(api: &Api, name: &str) -> Answer<Role> {
    let found = api.store.role(name).await?;
    Ok(found.ok_or_else(|| Problem::not_found("role"))?)
}

/// One role.
#[utoipa::path(
    get,
    path = "/roles/{name}",
    security(("token" = [])),
    responses((status = OK, body = RoleBody, headers(("ETag"))))
)]
pub(super) async fn read(State(api): State<Api>, _caller: Caller, Path(name): Path<String>) -> Answer<Response> {
    let role = find(&api, &name).await?;
    Ok((etag(role.version), axum::Json(role_body(&role))).into_response())
}

fn is_builtin() -> Refused {
    let detail = "the role comes with the server and stays as it is; make one of your own";
    Problem::new(ProblemCode::WrongState, detail).into()
}

fn last_admin() -> Refused {
    let detail = "whoever can look after users does so by this role; give somebody the role `admin` first";
    Problem::new(ProblemCode::WrongState, detail).into()
}

/// Changes what the body names (RFC 7396), for everybody who holds it.
#[utoipa::path(
    patch,
    path = "/roles/{name}",
    params(IfMatch),
    security(("token" = [EVERYWHERE])),
    responses(
        (status = OK, body = RoleBody, headers(("ETag"))),
        (status = CONFLICT, description = "It comes with the server, or the last admin is one by it.")
    )
)]
pub(super) async fn patch(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    patch: Json<Patch>,
) -> Answer<Response> {
    caller.needs_everywhere(Permission::Admin)?;
    let current = find(&api, &name).await?;
    let patch = patch.read().await?;
    if current.is_builtin {
        return Err(is_builtin());
    }
    check_unchanged(&headers, current.version, "role")?;
    let mut errors = Errors::default();
    let names = patch.permissions.is_some();
    let permissions = errors.kept("/permissions", patch.permissions, Vec::new());
    let changed = Role {
        description: patch.description.map_or_else(|| current.description.clone(), Option::unwrap_or_default),
        permissions: if names { errors.permissions(&permissions) } else { current.permissions },
        version: current.version + 1,
        ..current.clone()
    };
    errors.at_most("/description", &changed.description, ROLE_DESCRIPTION_MAX_CHARS);
    errors.check()?;
    let entry = caller.entry_in(&api, None, "role.updated", target(&name));
    let (before, after) = (role_body(&current), role_body(&changed));
    let change = Change { what: "role", version: changed.version, before, after };
    let store = async move |store: Store| {
        Ok(match store.update_role(&changed, current.version).await? {
            ChangedRole::Yes => Outcome::Done,
            ChangedRole::LastAdmin => Outcome::Refused(last_admin()),
            ChangedRole::Stale | ChangedRole::InUse(_) => Outcome::Stale,
        })
    };
    change.store(&api, entry, store).await
}

/// Deletes a role that nobody holds.
#[utoipa::path(
    delete,
    path = "/roles/{name}",
    security(("token" = [EVERYWHERE])),
    responses(
        (status = NO_CONTENT),
        (status = CONFLICT, description = "It comes with the server, or somebody holds it.")
    )
)]
pub(super) async fn delete(State(api): State<Api>, caller: Caller, Path(name): Path<String>) -> Answer<StatusCode> {
    caller.needs_everywhere(Permission::Admin)?;
    let current = find(&api, &name).await?;
    if current.is_builtin {
        return Err(is_builtin());
    }
    let entry = caller.entry_in(&api, None, "role.deleted", target(&name)).before(role_body(&current));
    match api.store.audited(entry).delete_role(&name).await? {
        ChangedRole::Yes => Ok(StatusCode::NO_CONTENT),
        ChangedRole::InUse(held) => {
            Err(Problem::new(ProblemCode::InUse, format!("it is held {held} times; give those users another")).into())
        }
        ChangedRole::LastAdmin | ChangedRole::Stale => Err(Problem::not_found("role").into()),
    }
}
