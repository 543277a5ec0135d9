//! Recent deliveries, to be counted. However many there are, one look reads a bounded number of rows.

use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::db::reading;
use super::{Store, StoreError};
use crate::domain::clock::Millis;
use crate::domain::delivery::DeliveryStatus;
use crate::domain::id::{DeliveryId, ProjectId, WebhookId, first_at};
use crate::domain::overview::{Seen, SeenRun};

/// Deliveries of one state are counted up to so many.
pub const COUNTED_MAX: u32 = 1000;
/// Newest deliveries of which the plugin's run is looked at.
const RUNS: u32 = 2000;

/// What was looked at.
#[derive(Debug)]
pub struct Recent {
    /// Newest first.
    pub deliveries: Vec<Seen>,
    /// Runs of the newest ones.
    pub runs: Vec<SeenRun>,
    /// From then on all deliveries were looked at.
    pub since: Millis,
    /// Whether that is all that was asked for.
    pub is_complete: bool,
}

/// A delivery, its project, and where it stands.
type Row = (Uuid, Uuid, Uuid, String, Option<i64>);

/// A run: plugin and version, and how it went.
type RunRow = (Uuid, String, String, String);

#[derive(Deserialize)]
struct Run {
    cpu_us: Option<u64>,
    error: Option<Box<RawValue>>,
}

impl Store {
    /// The newest deliveries of a project since a time; of all projects at most `rows` are looked at.
    pub async fn recent(&self, project: ProjectId, since: Millis, rows: u32) -> Result<Recent, StoreError> {
        const SELECT: &str = "SELECT id, project_id, webhook_id, status, settled_at FROM webhook_deliveries
            WHERE id >= $1 ORDER BY id DESC LIMIT $2";
        const SELECT_RUNS: &str = "SELECT n.project_id, p.name, p.version, n.run FROM
            (SELECT project_id, webhook_id, revision, run FROM webhook_deliveries WHERE id >= $1 ORDER BY id DESC LIMIT $2) n
            JOIN webhook_configurations c ON c.webhook_id = n.webhook_id AND c.revision = n.revision
            JOIN plugin_versions p ON p.id = c.plugin_version_id
            WHERE n.run IS NOT NULL";
        let first = first_at(since);
        let (found, runs): (Vec<Row>, Vec<RunRow>) = reading!(&self.db, pool => (
            sqlx::query_as(SELECT).bind(first).bind(i64::from(rows)).fetch_all(pool).await?,
            sqlx::query_as(SELECT_RUNS).bind(first).bind(i64::from(RUNS.min(rows))).fetch_all(pool).await?,
        ));
        let is_complete = found.len() < rows as usize;
        let oldest = found.last().map(|(id, ..)| DeliveryId::from_uuid(*id).made_at());
        let seen = |(id, _, webhook, status, settled_at): Row| {
            let created_at = DeliveryId::from_uuid(id).made_at();
            let corrupt = || StoreError::Corrupt { table: "webhook_deliveries", column: "status", id: id.to_string() };
            let status = DeliveryStatus::parse(&status).ok_or_else(corrupt)?;
            Ok(Seen { webhook: WebhookId::from_uuid(webhook), status, created_at, settled_at: settled_at.map(Millis) })
        };
        let own = found.into_iter().filter(|row| row.1 == project.uuid());
        let run = |(_, name, version, run): RunRow| {
            let run: Run = serde_json::from_str(&run).ok()?;
            Some(SeenRun { plugin: (name, version), cpu_us: run.cpu_us?, failed: run.error.is_some() })
        };
        Ok(Recent {
            deliveries: own.map(seen).collect::<Result<_, StoreError>>()?,
            runs: runs.into_iter().filter(|row| row.0 == project.uuid()).filter_map(run).collect(),
            since: if is_complete { since } else { oldest.unwrap_or(since) },
            is_complete,
        })
    }

    /// The newest deliveries of all projects from this id on, newest first, at most so many.
    pub async fn made_since(&self, first: Uuid, most: u32) -> Result<Vec<(DeliveryId, ProjectId)>, StoreError> {
        const SELECT: &str = "SELECT id, project_id FROM webhook_deliveries WHERE id >= $1 ORDER BY id DESC LIMIT $2";
        let rows: Vec<(Uuid, Uuid)> = reading!(&self.db, pool => {
            sqlx::query_as(SELECT).bind(first).bind(i64::from(most)).fetch_all(pool).await?
        });
        Ok(rows.into_iter().map(|(id, of)| (DeliveryId::from_uuid(id), ProjectId::from_uuid(of))).collect())
    }

    /// How many deliveries of a project stand so since a time, up to [`COUNTED_MAX`]. Only for states that an index finds:
    /// neither `pending` nor `succeeded`. Parked ones that were reprocessed do not count.
    pub async fn count_standing(
        &self,
        project: ProjectId,
        status: DeliveryStatus,
        since: Millis,
    ) -> Result<u64, StoreError> {
        const COUNT: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM webhook_deliveries
            WHERE project_id = $1 AND status = $2 AND status NOT IN ('pending', 'succeeded') AND id >= $3
                AND reprocessed_by IS NULL LIMIT $4) counted";
        let count: i64 = reading!(&self.db, pool => {
            sqlx::query_scalar(COUNT)
                .bind(project.uuid())
                .bind(status.as_str())
                .bind(first_at(since))
                .bind(i64::from(COUNTED_MAX))
                .fetch_one(pool)
                .await?
        });
        Ok(u64::try_from(count).unwrap_or(0))
    }
}
