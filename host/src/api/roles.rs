//! `/roles`: permissions under a name.

#![expect(clippy::option_option, reason = "a field of a merge patch is absent, null, or a value")]

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::Caller;
use super::etag::{check_unchanged, etag, is_changed_meanwhile};
use super::extract::Json;
use super::form::{Errors, given};
use super::problem::{Answer, Refused};
use crate::domain::account::{ROLE_DESCRIPTION_MAX_CHARS, ROLE_MAX_CHARS, Role, builtin_role, is_role_name};
use crate::domain::audit::Target;
use crate::domain::page::Page;
use crate::domain::permission::{Permission, Permissions};
use crate::domain::problem::{Problem, ProblemCode};
use crate::store::ChangedRole;

#[derive(Debug, Serialize)]
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    name: String,
    #[serde(default)]
    description: String,
    permissions: Vec<String>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Patch {
    #[serde(deserialize_with = "given")]
    description: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    permissions: Option<Option<Vec<String>>>,
}

fn target(name: &str) -> Target {
    Target::new("role", name)
}

/// Makes a role.
pub(super) async fn create(State(api): State<Api>, caller: Caller, Json(form): Json<Create>) -> Answer<Response> {
    caller.needs_everywhere(Permission::Admin)?;
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
pub(super) async fn list(State(api): State<Api>, _caller: Caller) -> Answer<axum::Json<Page<RoleBody>>> {
    let roles = api.store.roles().await?;
    Ok(axum::Json(Page { items: roles.iter().map(role_body).collect(), next_cursor: None }))
}

async fn find(api: &Api, name: &str) -> Answer<Role> {
    let found = api.store.role(name).await?;
    Ok(found.ok_or_else(|| Problem::not_found("role"))?)
}

/// One role.
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
pub(super) async fn patch(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(patch): Json<Patch>,
) -> Answer<Response> {
    caller.needs_everywhere(Permission::Admin)?;
    let current = find(&api, &name).await?;
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
    let body = role_body(&changed);
    let entry = caller.entry_in(&api, None, "role.updated", target(&name)).change(role_body(&current), &body);
    match api.store.audited(entry).update_role(&changed, current.version).await? {
        ChangedRole::Yes => {}
        ChangedRole::LastAdmin => return Err(last_admin()),
        ChangedRole::Stale | ChangedRole::InUse(_) => return Err(is_changed_meanwhile("role").into()),
    }
    api.door.forget_all();
    Ok((etag(changed.version), axum::Json(body)).into_response())
}

/// Deletes a role that nobody holds.
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
