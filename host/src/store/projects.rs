//! Projects: made, changed, found, deleted.

use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::db::{Tx, reading};
use super::value::values;
use super::{Store, StoreError};
use crate::domain::clock::Millis;
use crate::domain::id::ProjectId;
use crate::domain::page::{Page, PageRequest};
use crate::domain::project::Project;

/// What deleting a project came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletedProject {
    /// It is gone, and its tokens and memberships with it.
    Yes,
    /// There is none.
    NotThere,
    /// It still has so many webhooks, jobs and deliveries that are open.
    InUse {
        /// Webhooks that are not deleted.
        webhooks: u64,
        /// Jobs that have not ended.
        jobs: u64,
        /// Deliveries, requests and steps of wide events that are not done.
        work: u64,
    },
}

#[derive(Debug, FromRow)]
struct ProjectRow {
    id: Uuid,
    name: String,
    description: Option<String>,
    external_id: Option<String>,
    retention: Option<String>,
    version: i64,
    created_at: i64,
    updated_at: i64,
}

impl From<ProjectRow> for Project {
    fn from(row: ProjectRow) -> Self {
        Self {
            id: ProjectId::from_uuid(row.id),
            name: row.name,
            description: row.description,
            external_id: row.external_id,
            // One that cannot be read is told of where it counts: what is removed, and when.
            retention: row.retention.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default(),
            version: row.version,
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at.max(row.created_at)),
        }
    }
}

const SELECT: &str = "SELECT id, name, description, external_id, retention, version, created_at, updated_at FROM projects WHERE deleted_at IS NULL";

impl Store {
    /// Stores a new project.
    pub async fn insert_project(&self, project: &Project) -> Result<(), StoreError> {
        const INSERT: &str =
            "INSERT INTO projects (id, name, description, external_id, version, created_at, updated_at, retention)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let (store, project) = (self.clone(), project.clone());
        let insert = async move |tx: &mut Tx| {
            let values = values![
                project.id.uuid(),
                project.name.as_str(),
                project.description.as_deref(),
                project.external_id.as_deref(),
                project.version,
                project.created_at.0,
                project.updated_at.0,
                retention(&project),
            ];
            tx.execute(INSERT, &values).await?;
            store.note(tx).await
        };
        self.db.transact(move |tx| Box::pin(async move { insert(tx).await })).await
    }

    /// Stores a changed project if nobody else changed it meanwhile: false when its version is no longer `expected`.
    pub async fn update_project(&self, project: &Project, expected: i64) -> Result<bool, StoreError> {
        const UPDATE: &str =
            "UPDATE projects SET name = $1, description = $2, external_id = $3, version = $4, updated_at = $5,
                retention = $8
            WHERE id = $6 AND version = $7 AND deleted_at IS NULL";
        let (store, project) = (self.clone(), project.clone());
        let update = async move |tx: &mut Tx| {
            let values = values![
                project.name.as_str(),
                project.description.as_deref(),
                project.external_id.as_deref(),
                project.version,
                project.updated_at.0,
                project.id.uuid(),
                expected,
                retention(&project),
            ];
            let is_changed = tx.execute(UPDATE, &values).await? > 0;
            if is_changed {
                store.note(tx).await?;
            }
            Ok(is_changed)
        };
        self.db.transact(move |tx| Box::pin(async move { update(tx).await })).await
    }

    /// Deletes a project in which nothing is open: its tokens are revoked, nobody is a member of it any more, its external id is
    /// free. Its history stays.
    pub async fn delete_project(&self, id: ProjectId, now: Millis) -> Result<DeletedProject, StoreError> {
        const LOCK: &str = "SELECT id FROM projects WHERE id = $1 AND deleted_at IS NULL FOR UPDATE";
        const FIND: &str = "SELECT id FROM projects WHERE id = $1 AND deleted_at IS NULL";
        const OPEN: &str = "SELECT
            (SELECT count(*) FROM webhooks WHERE project_id = $1 AND deleted_at IS NULL),
            (SELECT count(*) FROM jobs WHERE project_id = $1 AND due_at IS NOT NULL),
            (SELECT count(*) FROM open_work WHERE project_id = $1)
                + (SELECT count(*) FROM fan_out_steps WHERE project_id = $1)";
        const DELETE: &str = "UPDATE projects SET deleted_at = $2, version = version + 1 WHERE id = $1";
        const REVOKE: &str = "UPDATE tokens SET revoked_at = $2 WHERE project_id = $1 AND revoked_at IS NULL";
        let store = self.clone();
        let delete = async move |tx: &mut Tx| {
            let project = values![id.uuid()];
            let select = if tx.locks_rows() { LOCK } else { FIND };
            if tx.fetch::<(Uuid,)>(select, &project).await?.is_empty() {
                return Ok(DeletedProject::NotThere);
            }
            let open: Vec<(i64, i64, i64)> = tx.fetch(OPEN, &project).await?;
            let number = |count: i64| u64::try_from(count).unwrap_or(0);
            match open.first() {
                Some((0, 0, 0)) | None => {}
                Some((webhooks, jobs, work)) => {
                    let (webhooks, jobs, work) = (number(*webhooks), number(*jobs), number(*work));
                    return Ok(DeletedProject::InUse { webhooks, jobs, work });
                }
            }
            tx.execute(DELETE, &values![id.uuid(), now.0]).await?;
            tx.execute(REVOKE, &values![id.uuid(), now.0]).await?;
            tx.execute("DELETE FROM memberships WHERE project_id = $1", &project).await?;
            tx.execute("DELETE FROM schedules WHERE project_id = $1", &project).await?;
            store.note(tx).await?;
            Ok(DeletedProject::Yes)
        };
        self.db.transact(move |tx| Box::pin(async move { delete(tx).await })).await
    }

    /// One project.
    pub async fn project(&self, id: ProjectId) -> Result<Option<Project>, StoreError> {
        let sql = format!("{SELECT} AND id = $1");
        let row: Option<ProjectRow> = reading!(&self.db, pool => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(id.uuid()).fetch_optional(pool).await?
        });
        Ok(row.map(Project::from))
    }

    /// The project that somebody else calls so.
    pub async fn project_called(&self, external_id: &str) -> Result<Option<Project>, StoreError> {
        let sql = format!("{SELECT} AND external_id = $1");
        let row: Option<ProjectRow> = reading!(&self.db, pool => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(external_id).fetch_optional(pool).await?
        });
        Ok(row.map(Project::from))
    }

    /// All projects, newest first.
    pub async fn projects(&self, page: PageRequest) -> Result<Page<Project>, StoreError> {
        let sql = format!("{SELECT} AND id < $1 ORDER BY id DESC LIMIT $2");
        let rows: Vec<ProjectRow> = reading!(&self.db, pool => sqlx::query_as(AssertSqlSafe(sql))
            .bind(page.cursor.map_or(Uuid::max(), |cursor| cursor.0))
            .bind(i64::from(page.limit) + 1)
            .fetch_all(pool)
            .await?);
        let projects = rows.into_iter().map(Project::from).collect();
        Ok(Page::from_rows(projects, page.limit, |project: &Project| project.id.uuid()))
    }

    /// Those of these projects that there are, newest first.
    pub async fn projects_among(&self, ids: &[ProjectId], page: PageRequest) -> Result<Page<Project>, StoreError> {
        let before = page.cursor.map_or(Uuid::max(), |cursor| cursor.0);
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).filter(|id| *id < before).collect();
        let rows: Vec<ProjectRow> = self.db.fetch_listed(&format!("{SELECT} AND id IN ({{ids}})"), &ids).await?;
        let mut projects: Vec<Project> = rows.into_iter().map(Project::from).collect();
        projects.sort_by_key(|project| std::cmp::Reverse(project.id));
        Ok(Page::from_rows(projects, page.limit, |project| project.id.uuid()))
    }
}

fn retention(project: &Project) -> Option<String> {
    let json = || serde_json::to_string(&project.retention).expect("it is plain data");
    (!project.retention.is_default()).then(json)
}

/// Makes sure that a project is there, and stays there until the transaction ends.
pub(super) async fn hold_project(tx: &mut Tx, id: ProjectId) -> Result<(), StoreError> {
    const HOLD: &str = "SELECT id FROM projects WHERE id = $1 AND deleted_at IS NULL FOR SHARE";
    const FIND: &str = "SELECT id FROM projects WHERE id = $1 AND deleted_at IS NULL";
    let select = if tx.locks_rows() { HOLD } else { FIND };
    let is_there = !tx.fetch::<(Uuid,)>(select, &values![id.uuid()]).await?.is_empty();
    if is_there { Ok(()) } else { Err(StoreError::NoProject) }
}
