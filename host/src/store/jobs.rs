//! Jobs: made, claimed under a lease step by step, cancelled, shown. Each step is one transaction together with the job's own
//! progress, so that no crash makes it happen twice.

use sqlx::FromRow;
use uuid::Uuid;

use super::db::{Tx, reading};
use super::idempotency::{self, Used};
use super::record::Lease;
use super::value::values;
use super::{Store, StoreError, backtests};
use crate::domain::clock::Millis;
use crate::domain::event::Idempotency;
use crate::domain::id::{JobId, ProjectId};
use crate::domain::job::{Job, JobKind, JobLane, JobState, JobWork, Progress};
use crate::domain::page::{Page, PageRequest};
use crate::domain::requester::Requester;

/// Which jobs are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct JobFilter {
    /// Of this kind.
    pub kind: Option<JobKind>,
    /// In this state.
    pub state: Option<JobState>,
}

/// A job of which one step may be done.
#[derive(Debug, Clone)]
pub struct ClaimedJob {
    /// The job.
    pub id: JobId,
    /// Its project.
    pub project: ProjectId,
    /// What it does.
    pub work: JobWork,
    /// Who asked for it.
    pub requester: Requester,
    /// When it was made.
    pub created_at: Millis,
    /// Up to where it is done; none before the first step.
    pub cursor: Option<Uuid>,
    /// So much is done.
    pub done: u64,
    /// How often its next step was begun, this time included.
    pub tries: u64,
    /// The lease on it.
    pub lease: Lease,
}

/// What a step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobStep {
    /// So much more is done.
    pub done: u64,
    /// So much more could not be done.
    pub failed: u64,
    /// Up to where it is done; as before when none.
    pub cursor: Option<Uuid>,
    /// How the job ends with it, and why, if not at its end.
    pub end: Option<(JobState, Option<String>)>,
}

impl JobStep {
    /// One that does nothing but end the job.
    pub const fn last(state: JobState, reason: Option<String>) -> Self {
        Self { done: 0, failed: 0, cursor: None, end: Some((state, reason)) }
    }
}

/// What storing a job came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertedJob {
    /// It is new.
    New,
    /// The project has too many open ones.
    TooMany,
    /// It was asked for before, under the same key: this is it.
    Before(JobId),
    /// The key was used for something else.
    KeyReused,
}

#[derive(Debug, FromRow)]
struct JobRow {
    id: Uuid,
    project_id: Uuid,
    state: String,
    work: String,
    done: i64,
    total: Option<i64>,
    failed: i64,
    reason: Option<String>,
    actor: String,
    request_id: Option<String>,
    created_at: i64,
    started_at: Option<i64>,
    ended_at: Option<i64>,
}

const COLUMNS: &str =
    "id, project_id, state, work, done, total, failed, reason, actor, request_id, created_at, started_at, ended_at";

const fn corrupt(column: &'static str, id: String) -> StoreError {
    StoreError::Corrupt { table: "jobs", column, id }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl JobRow {
    fn into_job(self) -> Result<Job, StoreError> {
        let id = JobId::from_uuid(self.id);
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        Ok(Job {
            id,
            project: ProjectId::from_uuid(self.project_id),
            work: serde_json::from_str(&self.work).map_err(|_| corrupt("work", id.to_string()))?,
            state: JobState::parse(&self.state).ok_or_else(|| corrupt("state", id.to_string()))?,
            progress: Progress { done: count(self.done), total: self.total.map(count), failed: count(self.failed) },
            reason: self.reason,
            requester: Requester { name: self.actor, request_id: self.request_id },
            created_at: Millis(self.created_at),
            started_at: self.started_at.map(Millis),
            ended_at: self.ended_at.map(Millis),
        })
    }
}

impl Store {
    /// Stores a new job, due at once, if the project has less than `most` open ones of its lane.
    pub async fn insert_job(&self, job: &Job, most: u64, key: Option<Idempotency>) -> Result<InsertedJob, StoreError> {
        // One after the other, so that none passes the limit behind another's back.
        const LOCK: &str = "SELECT id FROM projects WHERE id = $1 FOR UPDATE";
        const OPEN: &str = "SELECT count(*) FROM jobs WHERE project_id = $1 AND due_at IS NOT NULL
            AND (kind = 'backtest') = $2";
        const INSERT: &str = "INSERT INTO jobs
            (id, project_id, kind, state, work, done, total, failed, actor, request_id, created_at, due_at, tries)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, 0)";
        let (store, job) = (self.clone(), job.clone());
        let insert = async move |tx: &mut Tx| {
            let project = job.project.uuid();
            if tx.locks_rows() {
                tx.fetch::<(Uuid,)>(LOCK, &values![project]).await?;
            }
            match idempotency::used(tx, key, job.created_at).await? {
                Some(Used::Same(before)) => return Ok(InsertedJob::Before(JobId::from_uuid(before))),
                Some(Used::Otherwise) => return Ok(InsertedJob::KeyReused),
                None => {}
            }
            let open: Vec<(i64,)> = tx.fetch(OPEN, &values![project, job.work.kind().lane() == JobLane::Slow]).await?;
            if open.first().is_some_and(|(open,)| *open >= number(most)) {
                return Ok(InsertedJob::TooMany);
            }
            idempotency::keep(tx, key, job.project, job.id.uuid(), job.created_at).await?;
            let values = values![
                job.id.uuid(),
                project,
                job.work.kind().as_str(),
                job.state.as_str(),
                serde_json::to_string(&job.work).expect("a job's work is plain data"),
                number(job.progress.done),
                job.progress.total.map(number),
                number(job.progress.failed),
                job.requester.name.as_str(),
                job.requester.request_id.as_deref(),
                job.created_at.0,
            ];
            tx.execute(INSERT, &values).await?;
            store.note(tx).await?;
            Ok(InsertedJob::New)
        };
        self.db.transact(move |tx| Box::pin(async move { insert(tx).await })).await
    }

    /// One job.
    pub async fn job(&self, project: ProjectId, id: JobId) -> Result<Option<Job>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = $1 AND project_id = $2");
        let row: Option<JobRow> = reading!(&self.db, pool => {
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id.uuid()).bind(project.uuid()).fetch_optional(pool).await?
        });
        row.map(JobRow::into_job).transpose()
    }

    /// A project's jobs, newest first.
    pub async fn jobs(
        &self,
        project: ProjectId,
        filter: JobFilter,
        page: PageRequest,
    ) -> Result<Page<Job>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM jobs WHERE project_id = $1 AND id < $2 AND ($3 IS NULL OR kind = $3)
               AND ($4 IS NULL OR state = $4) ORDER BY id DESC LIMIT $5"
        );
        let rows: Vec<JobRow> = reading!(&self.db, pool => {
            sqlx::query_as(sqlx::AssertSqlSafe(sql))
                .bind(project.uuid())
                .bind(page.cursor.map_or(Uuid::max(), |cursor| cursor.0))
                .bind(filter.kind.map(JobKind::as_str))
                .bind(filter.state.map(JobState::as_str))
                .bind(i64::from(page.limit) + 1)
                .fetch_all(pool)
                .await?
        });
        let jobs = rows.into_iter().map(JobRow::into_job).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::from_rows(jobs, page.limit, |job| job.id.uuid()))
    }

    /// Ends a job that is open; what it did stays done. False when it has ended, or there is none.
    pub async fn cancel_job(
        &self,
        project: ProjectId,
        id: JobId,
        reason: String,
        now: Millis,
    ) -> Result<bool, StoreError> {
        const CANCEL: &str = "UPDATE jobs
            SET state = 'cancelled', reason = $3, ended_at = $4, due_at = NULL, lease_token = NULL
            WHERE id = $1 AND project_id = $2 AND due_at IS NOT NULL";
        let store = self.clone();
        let cancel = async move |tx: &mut Tx| {
            let is_ended = tx.execute(CANCEL, &values![id.uuid(), project.uuid(), reason, now.0]).await? > 0;
            if is_ended {
                store.note(tx).await?;
            }
            Ok(is_ended)
        };
        self.db.transact(move |tx| Box::pin(async move { cancel(tx).await })).await
    }

    /// Claims the open job of this lane that was worked on longest ago, and is nobody's at `now`.
    pub async fn claim_job(&self, lane: JobLane, now: Millis, lease: Lease) -> Result<Option<ClaimedJob>, StoreError> {
        const CLAIM: &str = "UPDATE jobs SET state = 'running', started_at = coalesce(started_at, $3),
                lease_token = $1, due_at = $2, tries = tries + 1
            WHERE id = (SELECT id FROM jobs WHERE due_at <= $3 AND (kind = 'backtest') = $4
                ORDER BY due_at, id LIMIT 1)
            RETURNING id, project_id, work, actor, request_id, created_at, cursor_id, tries, done";
        const CLAIM_BESIDE_OTHERS: &str = "UPDATE jobs SET state = 'running', started_at = coalesce(started_at, $3),
                lease_token = $1, due_at = $2, tries = tries + 1
            WHERE id = (SELECT id FROM jobs WHERE due_at <= $3 AND (kind = 'backtest') = $4
                ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING id, project_id, work, actor, request_id, created_at, cursor_id, tries, done";
        type Row = (Uuid, Uuid, String, String, Option<String>, i64, Option<Uuid>, i64, i64);
        let claim = async move |tx: &mut Tx| {
            let sql = if tx.locks_rows() { CLAIM_BESIDE_OTHERS } else { CLAIM };
            tx.fetch::<Row>(sql, &values![lease.token, lease.until.0, now.0, lane == JobLane::Slow]).await
        };
        let claimed = self.db.transact(move |tx| Box::pin(async move { claim(tx).await })).await?;
        let Some((id, project, work, name, request_id, created_at, cursor, tries, done)) = claimed.into_iter().next()
        else {
            return Ok(None);
        };
        let id = JobId::from_uuid(id);
        Ok(Some(ClaimedJob {
            id,
            project: ProjectId::from_uuid(project),
            work: serde_json::from_str(&work).map_err(|_| corrupt("work", id.to_string()))?,
            requester: Requester { name, request_id },
            created_at: Millis(created_at),
            cursor,
            done: u64::try_from(done).unwrap_or(0),
            tries: u64::try_from(tries).unwrap_or(u64::MAX),
            lease,
        }))
    }

    /// Forgets jobs that ended before this time, with what they came to, a few at a time, oldest first; says how much.
    pub async fn forget_jobs(&self, before: Millis) -> Result<u64, StoreError> {
        const DELETE: &str = "DELETE FROM jobs WHERE id IN
            (SELECT id FROM jobs j WHERE ended_at IS NOT NULL AND ended_at < $1
                AND NOT EXISTS (SELECT 1 FROM backtest_results r WHERE r.job_id = j.id) ORDER BY ended_at LIMIT 1000)";
        let forget = async move |tx: &mut Tx| {
            Ok(backtests::forget(tx, before).await? + tx.execute(DELETE, &values![before.0]).await?)
        };
        self.db.transact(move |tx| Box::pin(async move { forget(tx).await })).await
    }

    /// Ends a job of which no step can be done; false when the lease has passed to somebody else.
    pub async fn fail_job(&self, job: &ClaimedJob, reason: String, now: Millis) -> Result<bool, StoreError> {
        let job = job.clone();
        let step = JobStep::last(JobState::Failed, Some(reason));
        let fail = async move |tx: &mut Tx| {
            let is_held = hold(tx, &job).await?;
            if is_held {
                advance(tx, &job, &step, now).await?;
            }
            Ok(is_held)
        };
        self.db.transact(move |tx| Box::pin(async move { fail(tx).await })).await
    }
}

/// Whether the lease on a job still holds; it does until the transaction ends.
pub(super) async fn hold(tx: &mut Tx, job: &ClaimedJob) -> Result<bool, StoreError> {
    const SELECT: &str = "SELECT id FROM jobs WHERE id = $1 AND lease_token = $2";
    const SELECT_LOCKED: &str = "SELECT id FROM jobs WHERE id = $1 AND lease_token = $2 FOR UPDATE";
    let select = if tx.locks_rows() { SELECT_LOCKED } else { SELECT };
    Ok(!tx.fetch::<(Uuid,)>(select, &values![job.id.uuid(), job.lease.token]).await?.is_empty())
}

/// Records a step of a job that is held, and gives the job back or ends it.
pub(super) async fn advance(tx: &mut Tx, job: &ClaimedJob, step: &JobStep, now: Millis) -> Result<(), StoreError> {
    const UPDATE: &str = "UPDATE jobs SET done = done + $2, failed = failed + $8, cursor_id = coalesce($3, cursor_id),
            state = $4, reason = $5, ended_at = $6, due_at = $7, lease_token = NULL, tries = 0
        WHERE id = $1";
    let (state, reason) = match &step.end {
        Some((state, reason)) => (*state, reason.as_deref()),
        None => (JobState::Running, None),
    };
    let (ended_at, due_at) = if state.is_open() { (None, Some(now.0)) } else { (Some(now.0), None) };
    let values = values![
        job.id.uuid(),
        number(step.done),
        step.cursor,
        state.as_str(),
        reason,
        ended_at,
        due_at,
        number(step.failed),
    ];
    tx.execute(UPDATE, &values).await?;
    Ok(())
}
