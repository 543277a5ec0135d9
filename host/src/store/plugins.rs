//! Plugins: immutable versions, known by name and version and by what they are.

use sqlx::FromRow;
use uuid::Uuid;

use super::db::reading;
use super::value::values;
use super::{Store, StoreError};
use crate::domain::clock::Millis;
use crate::domain::id::{PluginVersionId, ProjectId};
use crate::domain::page::{Page, PageRequest};
use crate::domain::plugin::{Digest, PluginVersion};

/// What storing a version came to.
#[derive(Debug, Clone)]
pub enum Stored {
    /// It is new.
    New,
    /// The same bytes are there already.
    Same(PluginVersion),
    /// The same name and version are there with other bytes.
    Different(PluginVersion),
}

#[derive(Debug, FromRow)]
struct VersionRow {
    id: Uuid,
    project_id: Uuid,
    digest: Vec<u8>,
    size_bytes: i64,
    manifest: String,
    created_at: i64,
}

impl VersionRow {
    fn into_version(self) -> Result<PluginVersion, StoreError> {
        let id = PluginVersionId::from_uuid(self.id);
        let corrupt = |column| StoreError::Corrupt { table: "plugin_versions", column, id: id.to_string() };
        Ok(PluginVersion {
            id,
            project: ProjectId::from_uuid(self.project_id),
            manifest: serde_json::from_str(&self.manifest).map_err(|_| corrupt("manifest"))?,
            digest: Digest(self.digest.try_into().map_err(|_| corrupt("digest"))?),
            size_bytes: u64::try_from(self.size_bytes).unwrap_or(0),
            created_at: Millis(self.created_at),
        })
    }
}

const SELECT: &str = "SELECT id, project_id, digest, size_bytes, manifest, created_at FROM plugin_versions";

impl Store {
    /// Stores a version with its bytes, once.
    pub async fn insert_plugin(&self, version: &PluginVersion, component: &[u8]) -> Result<Stored, StoreError> {
        const INSERT: &str =
            "INSERT INTO plugin_versions (id, project_id, name, version, digest, size_bytes, manifest, component, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (project_id, name, version) DO NOTHING";
        let (new, component) = (version.clone(), component.to_vec());
        let inserted = self
            .db
            .transact(move |tx| {
                Box::pin(async move {
                    let manifest = serde_json::to_string(&new.manifest).expect("a manifest is plain data");
                    let values = values![
                        new.id.uuid(),
                        new.project.uuid(),
                        new.manifest.name.as_str(),
                        new.manifest.version.as_str(),
                        &new.digest.0[..],
                        i64::try_from(new.size_bytes).unwrap_or(i64::MAX),
                        manifest,
                        component,
                        new.created_at.0,
                    ];
                    tx.execute(INSERT, &values).await
                })
            })
            .await?;
        if inserted > 0 {
            return Ok(Stored::New);
        }
        let (name, number) = (&version.manifest.name, &version.manifest.version);
        let existing = self.plugin(version.project, name, number).await?;
        let existing =
            existing.ok_or_else(|| StoreError::Constraint(format!("{name} {number} was there and is gone")))?;
        let same = existing.digest == version.digest;
        Ok(if same { Stored::Same(existing) } else { Stored::Different(existing) })
    }

    /// A project's plugin versions, newest first.
    pub async fn plugins(&self, project: ProjectId, page: PageRequest) -> Result<Page<PluginVersion>, StoreError> {
        let sql = format!("{SELECT} WHERE project_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
        let rows: Vec<VersionRow> = reading!(&self.db, pool => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(project.uuid())
            .bind(page.cursor.map_or(Uuid::max(), |cursor| cursor.0))
            .bind(i64::from(page.limit) + 1)
            .fetch_all(pool)
            .await?);
        let versions = rows.into_iter().map(VersionRow::into_version).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::from_rows(versions, page.limit, |version| version.id.uuid()))
    }

    /// A version by name and version; the digest stands for the version too.
    pub async fn plugin(
        &self,
        project: ProjectId,
        name: &str,
        version: &str,
    ) -> Result<Option<PluginVersion>, StoreError> {
        let sql = format!("{SELECT} WHERE project_id = $1 AND name = $2");
        let rows: Vec<VersionRow> = reading!(&self.db, pool => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(project.uuid()).bind(name).fetch_all(pool).await?);
        for row in rows {
            let found = row.into_version()?;
            if found.manifest.version == version || found.digest.to_string() == version {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// A version's bytes and manifest, by id.
    pub async fn component(&self, id: PluginVersionId) -> Result<Option<(PluginVersion, Vec<u8>)>, StoreError> {
        let sql = format!("{SELECT} WHERE id = $1");
        let row: Option<VersionRow> = reading!(&self.db, pool => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id.uuid()).fetch_optional(pool).await?);
        let Some(row) = row else { return Ok(None) };
        let bytes = reading!(&self.db, pool => sqlx::query_scalar("SELECT component FROM plugin_versions WHERE id = $1")
            .bind(id.uuid())
            .fetch_one(pool)
            .await?);
        Ok(Some((row.into_version()?, bytes)))
    }
}
