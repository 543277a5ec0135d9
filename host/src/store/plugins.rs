//! Plugins: immutable versions, known by name and version and by what they are.

use sqlx::FromRow;
use uuid::Uuid;

use super::db::{Tx, reading};
use super::text::containing;
use super::value::values;
use super::{Store, StoreError};
use crate::domain::clock::Millis;
use crate::domain::id::{PluginVersionId, ProjectId, WebhookId};
use crate::domain::page::{Page, PageRequest};
use crate::domain::plugin::{Digest, LimitHit, Pause, PluginState, PluginVersion};

/// What storing a version came to.
#[derive(Debug, Clone)]
pub enum Stored {
    /// It is new, or was refused or deleted before; it is to be checked under this id.
    New(PluginVersionId),
    /// The same bytes are there already.
    Same(PluginVersion),
    /// The same name and version are there, or were, with other bytes.
    Different(PluginVersion),
    /// The project has as much as it may have.
    OverQuota(LimitHit),
}

/// What a project may have.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// Versions, those that were refused among them.
    pub versions: u64,
    /// Bytes of components.
    pub bytes: u64,
}

/// What deleting a version came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone.
    Yes(PluginVersionId),
    /// There is none.
    NotThere,
    /// These webhooks use it; there may be more.
    UsedBy(Vec<WebhookId>),
    /// Deliveries of these webhooks that are not done yet were made for it; there may be more.
    Awaited(Vec<WebhookId>),
}

/// Which versions. What is not named does not matter.
#[derive(Debug, Clone, Default)]
pub struct PluginFilter {
    /// Of the plugin of this name.
    pub name: Option<String>,
    /// In this state, as [`PluginState::as_str`] says it.
    pub state: Option<&'static str>,
    /// With this text in the name.
    pub text: Option<String>,
}

/// How many webhooks are named that use a version.
pub const USERS_SHOWN: usize = 5;

#[derive(Debug, FromRow)]
struct VersionRow {
    id: Uuid,
    project_id: Uuid,
    digest: Vec<u8>,
    size_bytes: i64,
    manifest: String,
    abilities: String,
    state: String,
    failure: Option<String>,
    created_at: i64,
    paused_at: Option<i64>,
    pause_reason: Option<String>,
}

impl VersionRow {
    fn into_version(self) -> Result<PluginVersion, StoreError> {
        let id = PluginVersionId::from_uuid(self.id);
        let corrupt = |column| StoreError::Corrupt { table: "plugin_versions", column, id: id.to_string() };
        let failure = || self.failure.as_deref().and_then(|json| serde_json::from_str(json).ok());
        Ok(PluginVersion {
            id,
            project: ProjectId::from_uuid(self.project_id),
            manifest: serde_json::from_str(&self.manifest).map_err(|_| corrupt("manifest"))?,
            abilities: serde_json::from_str(&self.abilities).map_err(|_| corrupt("abilities"))?,
            digest: Digest(self.digest.try_into().map_err(|_| corrupt("digest"))?),
            size_bytes: u64::try_from(self.size_bytes).unwrap_or(0),
            state: match self.state.as_str() {
                CHECKING => PluginState::Checking,
                READY => PluginState::Ready,
                REFUSED => PluginState::Refused(failure().ok_or_else(|| corrupt("failure"))?),
                _ => return Err(corrupt("state")),
            },
            created_at: Millis(self.created_at),
            paused: self
                .paused_at
                .map(|since| Pause { since: Millis(since), reason: self.pause_reason.unwrap_or_default() }),
        })
    }
}

const CHECKING: &str = "checking";
const READY: &str = "ready";
const REFUSED: &str = "refused";

const SELECT: &str = "SELECT id, project_id, digest, size_bytes, manifest, abilities, state, failure, created_at, paused_at, pause_reason FROM plugin_versions";

impl Store {
    /// Stores a version with its bytes, once, to be checked by this node until `check_until`.
    pub async fn insert_plugin(
        &self,
        version: &PluginVersion,
        component: Vec<u8>,
        quota: Quota,
        check_until: Millis,
    ) -> Result<Stored, StoreError> {
        let (store, new) = (self.clone(), version.clone());
        let insert = async move |tx: &mut Tx| {
            let inserted = insert(tx, &new, component, quota, check_until).await?;
            if matches!(inserted, Inserted::New(_)) {
                store.note(tx).await?;
            }
            Ok(inserted)
        };
        let inserted = self.db.transact(move |tx| Box::pin(async move { insert(tx).await })).await?;
        Ok(match inserted {
            Inserted::New(id) => Stored::New(id),
            Inserted::OverQuota(limit) => Stored::OverQuota(limit),
            Inserted::There(id) => {
                let sql = format!("{SELECT} WHERE id = $1");
                let row: VersionRow = reading!(&self.db, pool => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_one(pool).await?);
                let existing = row.into_version()?;
                let same = existing.digest == version.digest;
                if same { Stored::Same(existing) } else { Stored::Different(existing) }
            }
        })
    }

    /// Takes over the check of one version that nobody checks any more; gives it with how often that was tried.
    pub async fn take_check(&self, now: Millis, until: Millis) -> Result<Option<(PluginVersion, u64)>, StoreError> {
        const TAKE: &str = "UPDATE plugin_versions SET check_until = $2, checks = checks + 1
             WHERE check_until <= $1
               AND id = (SELECT id FROM plugin_versions WHERE check_until <= $1 ORDER BY check_until LIMIT 1)
             RETURNING id, checks";
        let take = async move |tx: &mut Tx| tx.fetch::<(Uuid, i64)>(TAKE, &values![now.0, until.0]).await;
        let taken = self.db.transact(move |tx| Box::pin(async move { take(tx).await })).await?;
        let Some((id, checks)) = taken.into_iter().next() else { return Ok(None) };
        let found = self.plugin_version(PluginVersionId::from_uuid(id)).await?;
        Ok(found.map(|version| (version, u64::try_from(checks).unwrap_or(u64::MAX))))
    }

    /// Says that a version is still being checked.
    pub async fn keep_check(&self, id: PluginVersionId, until: Millis) -> Result<(), StoreError> {
        const KEEP: &str = "UPDATE plugin_versions SET check_until = $2 WHERE id = $1 AND check_until IS NOT NULL";
        let id = id.uuid();
        let keep = async move |tx: &mut Tx| tx.execute(KEEP, &values![id, until.0]).await;
        self.db.transact(move |tx| Box::pin(async move { keep(tx).await })).await?;
        Ok(())
    }

    /// Records what checking a version came to. What is refused keeps no bytes.
    pub async fn finish_check(&self, version: &PluginVersion, state: &PluginState) -> Result<(), StoreError> {
        const FINISH: &str = "UPDATE plugin_versions SET state = $3, failure = $4, check_until = NULL
             WHERE id = $1 AND digest = $2 AND state = 'checking' AND deleted_at IS NULL";
        const DROP: &str = "UPDATE plugin_versions SET component = $2 WHERE id = $1 AND state = 'refused'";
        let failure = match state {
            PluginState::Refused(failure) => Some(serde_json::to_string(failure).expect("a failure is plain data")),
            PluginState::Checking | PluginState::Ready => None,
        };
        let (id, digest, state) = (version.id.uuid(), version.digest, state.as_str());
        let finish = async move |tx: &mut Tx| {
            tx.execute(FINISH, &values![id, &digest.0[..], state, failure]).await?;
            tx.execute(DROP, &values![id, Vec::new()]).await
        };
        self.db.transact(move |tx| Box::pin(async move { finish(tx).await })).await?;
        Ok(())
    }

    /// Deletes a version that nothing uses any more. Its row stays for the history, and its number is not given to other bytes.
    pub async fn delete_plugin(
        &self,
        project: ProjectId,
        name: &str,
        version: &str,
        now: Millis,
    ) -> Result<Deleted, StoreError> {
        let Some(found) = self.plugin(project, name, version).await? else { return Ok(Deleted::NotThere) };
        let (store, id) = (self.clone(), found.id);
        let delete = async move |tx: &mut Tx| {
            let deleted = delete(tx, id, now).await?;
            if matches!(deleted, Deleted::Yes(_)) {
                store.note(tx).await?;
            }
            Ok(deleted)
        };
        self.db.transact(move |tx| Box::pin(async move { delete(tx).await })).await
    }

    /// A project's plugin versions, newest first.
    pub async fn plugins(
        &self,
        project: ProjectId,
        filter: &PluginFilter,
        page: PageRequest,
    ) -> Result<Page<PluginVersion>, StoreError> {
        const WANTED: &str = "($4 IS NULL OR name = $4) AND ($5 IS NULL OR state = $5)
            AND ($6 IS NULL OR lower(name) LIKE $6 ESCAPE '\\')";
        let sql = format!(
            "{SELECT} WHERE project_id = $1 AND id < $2 AND deleted_at IS NULL AND {WANTED} ORDER BY id DESC LIMIT $3"
        );
        let rows: Vec<VersionRow> = reading!(&self.db, pool => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(project.uuid())
            .bind(page.cursor.map_or(Uuid::max(), |cursor| cursor.0))
            .bind(i64::from(page.limit) + 1)
            .bind(filter.name.as_deref())
            .bind(filter.state)
            .bind(filter.text.as_deref().map(containing))
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
        let sql = format!(
            "{SELECT} WHERE project_id = $1 AND name = $2 AND (version = $3 OR digest = $4) AND deleted_at IS NULL"
        );
        let digest = Digest::parse(version).map(|digest| digest.0.to_vec()).unwrap_or_default();
        let row: Option<VersionRow> = reading!(&self.db, pool => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(project.uuid())
            .bind(name)
            .bind(version)
            .bind(digest)
            .fetch_optional(pool)
            .await?);
        row.map(VersionRow::into_version).transpose()
    }

    /// A version by id.
    pub async fn plugin_version(&self, id: PluginVersionId) -> Result<Option<PluginVersion>, StoreError> {
        let sql = format!("{SELECT} WHERE id = $1 AND deleted_at IS NULL");
        let row: Option<VersionRow> = reading!(&self.db, pool => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id.uuid()).fetch_optional(pool).await?);
        row.map(VersionRow::into_version).transpose()
    }

    /// A version's bytes.
    pub async fn component(&self, id: PluginVersionId) -> Result<Option<Vec<u8>>, StoreError> {
        const COMPONENT: &str = "SELECT component FROM plugin_versions WHERE id = $1 AND deleted_at IS NULL";
        // In a transaction, because that way fewer copies of something so large are made on its way.
        let id = id.uuid();
        let read = async move |tx: &mut Tx| tx.fetch::<(Vec<u8>,)>(COMPONENT, &values![id]).await;
        let found = self.db.transact(move |tx| Box::pin(async move { read(tx).await })).await?;
        Ok(found.into_iter().next().map(|(component,)| component))
    }
}

enum Inserted {
    New(PluginVersionId),
    There(Uuid),
    OverQuota(LimitHit),
}

async fn insert(
    tx: &mut Tx,
    new: &PluginVersion,
    component: Vec<u8>,
    quota: Quota,
    check_until: Millis,
) -> Result<Inserted, StoreError> {
    // One upload of a project after the other, so that none passes the quota behind another's back.
    const LOCK: &str = "SELECT id FROM projects WHERE id = $1 FOR UPDATE";
    const EXISTING: &str = "SELECT id, digest, state, deleted_at FROM plugin_versions
         WHERE project_id = $1 AND name = $2 AND version = $3";
    const USED: &str =
        "SELECT count(*), CAST(coalesce(sum(CASE WHEN state = 'refused' THEN 0 ELSE size_bytes END), 0) AS BIGINT)
         FROM plugin_versions WHERE project_id = $1 AND id <> $2 AND deleted_at IS NULL";
    const INSERT: &str =
        "INSERT INTO plugin_versions (id, project_id, name, version, digest, size_bytes, manifest, component,
            state, check_until, checks, created_at, abilities)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'checking', $9, 1, $10, $11)";
    const REPLACE: &str = "UPDATE plugin_versions SET digest = $2, size_bytes = $3, manifest = $4, component = $5,
            state = 'checking', failure = NULL, check_until = $6, checks = 1, deleted_at = NULL, created_at = $7,
            abilities = $8, paused_at = NULL, pause_reason = NULL
         WHERE id = $1";
    let (project, manifest) = (new.project.uuid(), &new.manifest);
    if tx.locks_rows() {
        tx.fetch::<(Uuid,)>(LOCK, &values![project]).await?;
    }
    let key = values![project, manifest.name.as_str(), manifest.version.as_str()];
    let existing = tx.fetch::<(Uuid, Vec<u8>, String, Option<i64>)>(EXISTING, &key).await?.into_iter().next();
    if let Some((id, digest, state, deleted_at)) = &existing {
        let may_be_replaced = match deleted_at {
            // Whoever has the number knows these bytes by it.
            Some(_) => *digest == new.digest.0 || state != READY,
            None => state == REFUSED,
        };
        if !may_be_replaced {
            return Ok(Inserted::There(*id));
        }
    }
    let is_there = existing.is_some();
    let id = existing.map_or(new.id.uuid(), |(id, ..)| id);
    let used = tx.fetch::<(i64, i64)>(USED, &values![project, id]).await?;
    let (versions, bytes) = used.first().map_or((0, 0), |(versions, bytes)| (*versions, *bytes));
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    for (limit, used, allowed) in [
        ("versions_per_project", number(versions) + 1, quota.versions),
        ("bytes_per_project", number(bytes).saturating_add(new.size_bytes), quota.bytes),
    ] {
        if used > allowed {
            return Ok(Inserted::OverQuota(LimitHit { limit: limit.to_owned(), used, allowed }));
        }
    }
    let size = i64::try_from(new.size_bytes).unwrap_or(i64::MAX);
    let text = serde_json::to_string(manifest).expect("a manifest is plain data");
    let abilities = serde_json::to_string(&new.abilities).expect("abilities are plain data");
    let digest = &new.digest.0[..];
    let (until, created_at) = (check_until.0, new.created_at.0);
    if is_there {
        tx.execute(REPLACE, &values![id, digest, size, text, component, until, created_at, abilities]).await?;
    } else {
        let [project, name, version] = key;
        let values = values![id, project, name, version, digest, size, text, component, until, created_at, abilities];
        tx.execute(INSERT, &values).await?;
    }
    Ok(Inserted::New(PluginVersionId::from_uuid(id)))
}

async fn delete(tx: &mut Tx, id: PluginVersionId, now: Millis) -> Result<Deleted, StoreError> {
    // A webhook that is being saved with it holds a share of the row.
    const LOCK: &str = "SELECT id FROM plugin_versions WHERE id = $1 FOR UPDATE";
    const USERS: &str = "SELECT w.id FROM webhook_configurations c
         JOIN webhooks w ON w.id = c.webhook_id AND w.revision = c.revision
         WHERE c.plugin_version_id = $1 AND w.deleted_at IS NULL ORDER BY w.id LIMIT $2";
    // A request's id follows its delivery's.
    const AWAITED: &str = "SELECT DISTINCT c.webhook_id FROM webhook_configurations c
         JOIN open_work o ON o.webhook_id = c.webhook_id
         JOIN webhook_deliveries d ON d.webhook_id = c.webhook_id AND d.revision = c.revision
            AND d.id = (SELECT x.id FROM webhook_deliveries x WHERE x.id <= o.id ORDER BY x.id DESC LIMIT 1)
         WHERE c.plugin_version_id = $1 ORDER BY c.webhook_id LIMIT $2";
    const DELETE: &str = "UPDATE plugin_versions SET deleted_at = $2, component = $3, check_until = NULL
         WHERE id = $1 AND deleted_at IS NULL";
    let uuid = id.uuid();
    if tx.locks_rows() {
        tx.fetch::<(Uuid,)>(LOCK, &values![uuid]).await?;
    }
    let shown = i64::try_from(USERS_SHOWN).unwrap_or(i64::MAX);
    let webhooks = |rows: Vec<(Uuid,)>| rows.into_iter().map(|(id,)| WebhookId::from_uuid(id)).collect::<Vec<_>>();
    let users = webhooks(tx.fetch::<(Uuid,)>(USERS, &values![uuid, shown]).await?);
    if !users.is_empty() {
        return Ok(Deleted::UsedBy(users));
    }
    let awaiting = webhooks(tx.fetch::<(Uuid,)>(AWAITED, &values![uuid, shown]).await?);
    if !awaiting.is_empty() {
        return Ok(Deleted::Awaited(awaiting));
    }
    Ok(match tx.execute(DELETE, &values![uuid, now.0, Vec::new()]).await? {
        0 => Deleted::NotThere,
        _ => Deleted::Yes(id),
    })
}

/// Makes sure that a version is there, and stays there until the transaction ends.
pub(super) async fn hold_version(tx: &mut Tx, id: PluginVersionId) -> Result<(), StoreError> {
    const HOLD: &str = "SELECT id FROM plugin_versions WHERE id = $1 AND deleted_at IS NULL FOR SHARE";
    const FIND: &str = "SELECT id FROM plugin_versions WHERE id = $1 AND deleted_at IS NULL";
    let select = if tx.locks_rows() { HOLD } else { FIND };
    if tx.fetch::<(Uuid,)>(select, &values![id.uuid()]).await?.is_empty() {
        return Err(StoreError::Constraint(format!("the plugin version {id} is gone")));
    }
    Ok(())
}
