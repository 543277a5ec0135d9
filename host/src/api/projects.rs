//! `/projects`: everything in one is isolated from every other.

#![expect(clippy::option_option, reason = "a field of a merge patch is absent, null, or a value")]

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::Caller;
use super::change::Change;
use super::etag::{check_unchanged, etag, is_changed_meanwhile};
use super::extract::{Id, Json, Query, page};
use super::form::{Errors, given};
use super::openapi::{EVERYWHERE, IfMatch};
use super::problem::Answer;
use crate::domain::audit::Target;
use crate::domain::clock::Millis;
use crate::domain::id::{DEFAULT_PROJECT, ProjectId};
use crate::domain::page::Page;
use crate::domain::permission::Permission;
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::project::{DESCRIPTION_MAX_CHARS, NAME_MAX_CHARS, Project, check_external_id};
use crate::domain::retention::{DAYS_MAX, Retention};
use crate::store::{DeletedProject, Store};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Project)]
pub(super) struct ProjectBody {
    id: ProjectId,
    name: String,
    description: Option<String>,
    external_id: Option<String>,
    /// How long its history is kept, in days; what is null is as the server has it, 0 is for ever.
    retention: Retention,
    created_at: Millis,
    updated_at: Millis,
}

fn project_body(project: &Project) -> ProjectBody {
    ProjectBody {
        id: project.id,
        name: project.name.clone(),
        description: project.description.clone(),
        external_id: project.external_id.clone(),
        retention: project.retention,
        created_at: project.created_at,
        updated_at: project.updated_at,
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ProjectCreate)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    name: String,
    description: Option<String>,
    external_id: Option<String>,
    #[serde(default)]
    retention: Retention,
}

#[derive(Debug, Deserialize, Default, ToSchema)]
#[schema(as = ProjectPatch)]
#[serde(deny_unknown_fields)]
pub(super) struct Patch {
    #[serde(default, deserialize_with = "given")]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    description: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    external_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    retention: Option<Option<RetentionPatch>>,
}

/// What of it changes.
#[derive(Debug, Deserialize, Default, ToSchema)]
#[schema(as = RetentionPatch)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "they are named as clients write them")]
struct RetentionPatch {
    #[serde(default, deserialize_with = "given")]
    payload_days: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    attempts_days: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    audit_days: Option<Option<u32>>,
}

impl RetentionPatch {
    /// The change that makes it what is said.
    fn to_be(retention: Retention) -> Self {
        Self {
            payload_days: Some(retention.payload_days),
            attempts_days: Some(retention.attempts_days),
            audit_days: Some(retention.audit_days),
        }
    }

    fn over(self, current: Retention) -> Retention {
        Retention {
            payload_days: self.payload_days.unwrap_or(current.payload_days),
            attempts_days: self.attempts_days.unwrap_or(current.attempts_days),
            audit_days: self.audit_days.unwrap_or(current.audit_days),
        }
    }
}

fn check(project: &Project) -> Answer<()> {
    let mut errors = Errors::default();
    errors.named("/name", &project.name, NAME_MAX_CHARS);
    errors.at_most("/description", project.description.as_deref().unwrap_or_default(), DESCRIPTION_MAX_CHARS);
    if let Some(Err(wrong)) = project.external_id.as_deref().map(check_external_id) {
        errors.add("/external_id", wrong);
    }
    let Retention { payload_days, attempts_days, audit_days } = project.retention;
    for (name, days) in [("payload_days", payload_days), ("attempts_days", attempts_days), ("audit_days", audit_days)] {
        if days.is_some_and(|days| days > DAYS_MAX) {
            errors.add(format!("/retention/{name}"), format!("is 0 to {DAYS_MAX} days; 0 is for ever"));
        }
    }
    errors.check()
}

fn target(id: ProjectId) -> Target {
    Target::new("project", id)
}

/// Makes a project.
#[utoipa::path(
    post,
    path = "/projects",
    security(("token" = [EVERYWHERE])),
    responses(
        (status = CREATED, body = ProjectBody, headers(("ETag"))),
        (status = CONFLICT, description = "There is one of this external id.")
    )
)]
pub(super) async fn create(State(api): State<Api>, caller: Caller, form: Json<Create>) -> Answer<Response> {
    caller.needs_everywhere(Permission::Admin)?;
    let project = made(&api, form.read().await?)?;
    insert(&api, &caller, project).await
}

/// Stores a new project as the form says.
/// A new project, as it was asked for.
fn made(api: &Api, form: Create) -> Answer<Project> {
    let now = api.clock.now();
    let project = Project {
        id: ProjectId::new(now, api.entropy.id()),
        name: form.name,
        description: form.description,
        external_id: form.external_id,
        retention: form.retention,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    check(&project)?;
    Ok(project)
}

async fn insert(api: &Api, caller: &Caller, project: Project) -> Answer<Response> {
    let body = project_body(&project);
    let entry = caller.entry_in(api, Some(project.id), "project.created", target(project.id)).after(&body);
    api.store.audited(entry).insert_project(&project).await?;
    Ok((StatusCode::CREATED, etag(project.version), axum::Json(body)).into_response())
}

/// Makes the project of this external id be as the body says.
#[utoipa::path(
    put,
    path = "/projects/by-external-id/{external_id}",
    params(IfMatch),
    security(("token" = [EVERYWHERE])),
    responses(
        (status = OK, body = ProjectBody, headers(("ETag")), description = "It was there, and is so now."),
        (status = CREATED, body = ProjectBody, headers(("ETag")), description = "It was made."),
        (status = CONFLICT, description = "It was made by somebody else at the same time.")
    )
)]
pub(super) async fn put(
    State(api): State<Api>,
    caller: Caller,
    Path(external_id): Path<String>,
    headers: HeaderMap,
    form: Json<Create>,
) -> Answer<Response> {
    caller.needs_everywhere(Permission::Admin)?;
    let form = form.read().await?;
    if form.external_id.as_ref().is_some_and(|named| *named != external_id) {
        return Err(Problem::field("/external_id", "is another one than in the path").into());
    }
    if let Some(current) = api.store.project_called(&external_id).await? {
        let Create { name, description, retention, .. } = form;
        let retention = Some(Some(RetentionPatch::to_be(retention)));
        let patch = Patch { name: Some(Some(name)), description: Some(description), external_id: None, retention };
        return change(&api, &caller, &headers, current, patch).await;
    }
    let project = made(&api, Create { external_id: Some(external_id), ..form })?;
    if headers.contains_key(header::IF_MATCH) {
        return Err(is_changed_meanwhile("project").into());
    }
    insert(&api, &caller, project).await
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ProjectQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// The one of this external id.
    external_id: Option<String>,
}

/// The projects that the caller may do something in, newest first; `external_id` finds one.
#[utoipa::path(
    get,
    path = "/projects",
    params(ProjectQuery),
    security(("token" = [])),
    responses((status = OK, body = Page<ProjectBody>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<ProjectQuery>,
) -> Answer<axum::Json<Page<ProjectBody>>> {
    let page = page(query.limit, query.cursor.as_deref())?;
    let grants = caller.grants();
    let projects = if let Some(external_id) = query.external_id {
        let found = api.store.project_called(&external_id).await?;
        Page { items: found.into_iter().filter(|found| grants.knows(found.id)).collect(), next_cursor: None }
    } else if grants.everywhere.is_empty() {
        let known: Vec<ProjectId> = grants.of_projects.keys().copied().filter(|id| grants.knows(*id)).collect();
        api.store.projects_among(&known, page).await?
    } else {
        api.store.projects(page).await?
    };
    Ok(axum::Json(projects.map(|project| project_body(&project))))
}

/// A project that the caller may do something in. To everybody else it is not there.
pub(super) async fn find(api: &Api, caller: &Caller, id: ProjectId) -> Answer<Project> {
    let found = if caller.grants().knows(id) { api.store.project(id).await? } else { None };
    Ok(found.ok_or_else(|| Problem::not_found("project"))?)
}

/// Refuses whoever may not do everything in a project.
pub(super) fn needs_admin(caller: &Caller, id: ProjectId) -> Answer<()> {
    if caller.grants().within(id).allow(Permission::Admin) {
        return Ok(());
    }
    let detail = format!("this needs the permission `{}` in the project", Permission::Admin);
    Err(Problem::new(ProblemCode::Forbidden, detail).into())
}

/// One project.
#[utoipa::path(
    get,
    path = "/projects/{id}",
    security(("token" = [])),
    responses((status = OK, body = ProjectBody, headers(("ETag"))))
)]
pub(super) async fn read(State(api): State<Api>, caller: Caller, Id(id): Id<ProjectId>) -> Answer<Response> {
    let project = find(&api, &caller, id).await?;
    Ok((etag(project.version), axum::Json(project_body(&project))).into_response())
}

/// Changes what the body names (RFC 7396).
#[utoipa::path(
    patch,
    path = "/projects/{id}",
    params(IfMatch),
    security(("token" = [Permission::Admin])),
    responses(
        (status = OK, body = ProjectBody, headers(("ETag"))),
        (status = CONFLICT, description = "There is one of this external id.")
    )
)]
pub(super) async fn patch(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<ProjectId>,
    headers: HeaderMap,
    patch: Json<Patch>,
) -> Answer<Response> {
    let current = find(&api, &caller, id).await?;
    needs_admin(&caller, id)?;
    let patch = patch.read().await?;
    change(&api, &caller, &headers, current, patch).await
}

/// Stores a change of a project.
async fn change(api: &Api, caller: &Caller, headers: &HeaderMap, current: Project, patch: Patch) -> Answer<Response> {
    let id = current.id;
    check_unchanged(headers, current.version, "project")?;
    // By its external id whoever works in all projects finds it: it is theirs.
    if patch.external_id.as_ref().is_some_and(|external_id| *external_id != current.external_id) {
        caller.needs_everywhere(Permission::Admin)?;
    }
    let retention = patch.retention.map_or(current.retention, |change| {
        change.map_or_else(Retention::default, |change| change.over(current.retention))
    });
    // Nobody hides what they have done: the log is looked after by whoever looks after all projects.
    if retention.audit_days != current.retention.audit_days {
        caller.needs_everywhere(Permission::Admin)?;
    }
    let mut errors = Errors::default();
    let changed = Project {
        name: errors.kept("/name", patch.name, current.name.clone()),
        description: patch.description.unwrap_or_else(|| current.description.clone()),
        external_id: patch.external_id.unwrap_or_else(|| current.external_id.clone()),
        retention,
        version: current.version + 1,
        updated_at: api.clock.now(),
        ..current.clone()
    };
    errors.check()?;
    check(&changed)?;
    let entry = caller.entry_in(api, Some(id), "project.updated", target(id));
    let (before, after) = (project_body(&current), project_body(&changed));
    let change = Change { what: "project", version: changed.version, before, after };
    let store = async move |store: Store| Ok(store.update_project(&changed, current.version).await?.into());
    change.store(api, entry, store).await
}

/// Deletes a project in which nothing is open. Its tokens are revoked; its history stays, and nobody reads it any more but in
/// the audit log.
#[utoipa::path(
    delete,
    path = "/projects/{id}",
    security(("token" = [EVERYWHERE])),
    responses(
        (status = NO_CONTENT),
        (status = CONFLICT, description = "Something is open in it, or it is the default project.")
    )
)]
pub(super) async fn delete(State(api): State<Api>, caller: Caller, Id(id): Id<ProjectId>) -> Answer<StatusCode> {
    caller.needs_everywhere(Permission::Admin)?;
    let current = find(&api, &caller, id).await?;
    if id == DEFAULT_PROJECT {
        let detail = "the default project is where requests work that name none; it cannot be deleted";
        return Err(Problem::new(ProblemCode::InUse, detail).into());
    }
    let entry = caller.entry_in(&api, Some(id), "project.deleted", target(id)).before(project_body(&current));
    match api.store.audited(entry).delete_project(id, api.clock.now()).await? {
        DeletedProject::Yes => {
            api.door.forget_all();
            Ok(StatusCode::NO_CONTENT)
        }
        DeletedProject::NotThere => Err(Problem::not_found("project").into()),
        DeletedProject::InUse { webhooks, jobs, work } => {
            let detail = format!(
                "something is open in it: {webhooks} webhooks, {jobs} jobs, {work} deliveries; delete the webhooks and \
                 cancel the jobs first"
            );
            Err(Problem::new(ProblemCode::InUse, detail).into())
        }
    }
}
