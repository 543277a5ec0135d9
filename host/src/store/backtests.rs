//! What backtests came to: written step by step together with their jobs' progress, and gone with the jobs.

use sqlx::FromRow;
use uuid::Uuid;

use super::db::{Tx, reading};
use super::jobs::{ClaimedJob, JobStep, advance, hold};
use super::rows::Rows;
use super::value::values;
use super::{Store, StoreError};
use crate::domain::backtest::{BacktestResult, Compared, Detail};
use crate::domain::clock::Millis;
use crate::domain::id::{DeliveryId, EventId, JobId, ProjectId};
use crate::domain::page::{Page, PageRequest};

/// A result as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultView {
    /// The event's type.
    pub event_type: String,
    /// The result.
    pub result: BacktestResult,
}

#[derive(Debug, FromRow)]
struct ResultRow {
    delivery_id: Uuid,
    event_id: Uuid,
    event_type: String,
    outcome: String,
    detail: Option<String>,
}

impl ResultRow {
    fn into_view(self) -> Result<ResultView, StoreError> {
        let delivery = DeliveryId::from_uuid(self.delivery_id);
        let corrupt = |column| StoreError::Corrupt { table: "backtest_results", column, id: delivery.to_string() };
        let detail = |json: String| serde_json::from_str::<Detail>(&json).map_err(|_| corrupt("detail"));
        Ok(ResultView {
            event_type: self.event_type,
            result: BacktestResult {
                delivery,
                event: EventId::from_uuid(self.event_id),
                compared: Compared::parse(&self.outcome).ok_or_else(|| corrupt("outcome"))?,
                detail: self.detail.map(detail).transpose()?,
            },
        })
    }
}

impl Store {
    /// Writes what a step of a backtest came to, in one transaction with the job's progress; false when the lease has passed
    /// to somebody else, or the job was cancelled.
    pub async fn backtest_step(
        &self,
        job: &ClaimedJob,
        results: Vec<BacktestResult>,
        step: JobStep,
        now: Millis,
    ) -> Result<bool, StoreError> {
        const INSERT: &str =
            "INSERT INTO backtest_results (job_id, delivery_id, project_id, event_id, outcome, detail) {values}";
        let job = job.clone();
        let write = async move |tx: &mut Tx| {
            if !hold(tx, &job).await? {
                return Ok(false);
            }
            let rows = Rows::of(INSERT, &results, |result| {
                let detail = result.detail.as_ref();
                values![
                    job.id.uuid(),
                    result.delivery.uuid(),
                    job.project.uuid(),
                    result.event.uuid(),
                    result.compared.as_str(),
                    detail.map(|detail| serde_json::to_string(detail).expect("a result is plain data")),
                ]
            });
            tx.execute_rows(&rows).await?;
            advance(tx, &job, &step, now).await?;
            Ok(true)
        };
        self.db.transact(move |tx| Box::pin(async move { write(tx).await })).await
    }

    /// How many events of a backtest came to what.
    pub async fn count_results(&self, project: ProjectId, job: JobId) -> Result<Vec<(Compared, u64)>, StoreError> {
        const COUNT: &str =
            "SELECT outcome, count(*) FROM backtest_results WHERE job_id = $1 AND project_id = $2 GROUP BY outcome";
        let rows: Vec<(String, i64)> = reading!(&self.db, pool => sqlx::query_as(COUNT)
            .bind(job.uuid())
            .bind(project.uuid())
            .fetch_all(pool)
            .await?);
        let count =
            |of: &Compared| rows.iter().find(|(outcome, _)| outcome == of.as_str()).map_or(0, |(_, count)| *count);
        Ok(Compared::ALL.iter().map(|of| (*of, u64::try_from(count(of)).unwrap_or(0))).collect())
    }

    /// Forgets results of a backtest that has ended and of which the project has `kept` later ones, a few thousand at a time;
    /// says how many.
    pub async fn forget_results(&self, kept: u64) -> Result<u64, StoreError> {
        const FIND: &str = "SELECT j.id FROM jobs j
            WHERE j.kind = 'backtest' AND j.ended_at IS NOT NULL
                AND EXISTS (SELECT 1 FROM backtest_results r WHERE r.job_id = j.id)
                AND (SELECT count(*) FROM jobs k
                     WHERE k.project_id = j.project_id AND k.kind = 'backtest' AND k.id > j.id) >= $1
            ORDER BY j.id LIMIT 1";
        const DELETE: &str = "DELETE FROM backtest_results WHERE job_id = $1 AND delivery_id IN
            (SELECT delivery_id FROM backtest_results WHERE job_id = $1 LIMIT 5000)";
        let kept = i64::try_from(kept).unwrap_or(i64::MAX);
        let found: Option<Uuid> =
            reading!(&self.db, pool => sqlx::query_scalar(FIND).bind(kept).fetch_optional(pool).await?);
        let Some(job) = found else { return Ok(0) };
        self.db.transact(move |tx| Box::pin(async move { tx.execute(DELETE, &values![job]).await })).await
    }

    /// What a backtest came to, event by event, newest first.
    pub async fn results(
        &self,
        project: ProjectId,
        job: JobId,
        outcome: Option<Compared>,
        page: PageRequest,
    ) -> Result<Page<ResultView>, StoreError> {
        const SELECT: &str = "SELECT r.delivery_id, r.event_id, e.type AS event_type, r.outcome, r.detail
            FROM backtest_results r JOIN events e ON e.id = r.event_id
            WHERE r.job_id = $1 AND r.project_id = $2 AND r.delivery_id < $3 AND ($4 IS NULL OR r.outcome = $4)
            ORDER BY r.delivery_id DESC LIMIT $5";
        let rows: Vec<ResultRow> = reading!(&self.db, pool => sqlx::query_as(SELECT)
            .bind(job.uuid())
            .bind(project.uuid())
            .bind(page.cursor.map_or(Uuid::max(), |cursor| cursor.0))
            .bind(outcome.map(Compared::as_str))
            .bind(i64::from(page.limit) + 1)
            .fetch_all(pool)
            .await?);
        let views = rows.into_iter().map(ResultRow::into_view).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::from_rows(views, page.limit, |view| view.result.delivery.uuid()))
    }
}

/// Forgets results of jobs that ended before this time, a few thousand at a time; says how many.
pub(super) async fn forget(tx: &mut Tx, before: Millis) -> Result<u64, StoreError> {
    const DELETE: &str = "DELETE FROM backtest_results WHERE (job_id, delivery_id) IN
        (SELECT r.job_id, r.delivery_id FROM backtest_results r JOIN jobs j ON j.id = r.job_id
         WHERE j.ended_at IS NOT NULL AND j.ended_at < $1 LIMIT 5000)";
    tx.execute(DELETE, &values![before.0]).await
}
