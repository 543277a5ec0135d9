//! Parked deliveries that are tried anew: each gets one new delivery, with the webhook's version and configuration of now.

use uuid::Uuid;

use super::db::{Tx, reading};
use super::jobs::{ClaimedJob, JobStep, advance, hold};
use super::remake::{Again, Current, Remake, current, make};
use super::value::values;
use super::{Store, StoreError, nodes};
use crate::domain::clock::Millis;
use crate::domain::delivery::DeliveryStatus;
use crate::domain::id::{DeliveryId, EventId, ProjectId, WebhookId};
use crate::domain::job::{JobState, ParkedSelection};

/// What reprocessing one delivery came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reprocessed {
    /// This one took over.
    By(DeliveryId),
    /// There is none.
    NotThere,
    /// It is not parked.
    NotParked(DeliveryStatus),
    /// This one took over before.
    Before(DeliveryId),
    /// Its webhook gets no events, for this reason.
    NoWebhook(&'static str),
}

/// Parked deliveries of webhook 1 behind 2, made from 3 on and before 4, with error code 5, of version 6.
macro_rules! parked {
    ($columns:literal, $run:literal, $end:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM webhook_deliveries d
              JOIN events e ON e.id = d.event_id
              JOIN webhook_configurations c ON c.webhook_id = d.webhook_id AND c.revision = d.revision
              LEFT JOIN plugin_versions p ON p.id = c.plugin_version_id
              WHERE d.webhook_id = $1 AND d.id > $2 AND d.status = 'parked' AND d.reprocessed_by IS NULL
                AND d.created_at >= $3 AND d.created_at < $4
                AND ($5 IS NULL OR CASE WHEN d.run LIKE '{%' THEN ",
            $run,
            " -> 'error' ->> 'code' END = $5) AND ($6 IS NULL OR p.version = $6) ",
            $end
        )
    };
}

/// What is parked: the delivery, its event, and what that is about.
type Parked = (Uuid, Uuid, Option<String>);

impl Store {
    /// How many parked deliveries such a job would find at `now`.
    pub async fn count_parked(&self, selection: &ParkedSelection, now: Millis) -> Result<u64, StoreError> {
        const ON_SQLITE: &str = parked!("count(*)", "d.run", "");
        const ON_POSTGRES: &str = parked!("count(*)", "d.run::json", "");
        let sql = if self.is_shared() { ON_POSTGRES } else { ON_SQLITE };
        let (since, until) = times(selection, now);
        let count: i64 = reading!(&self.db, pool => sqlx::query_scalar(sql)
            .bind(selection.webhook_id.uuid())
            .bind(Uuid::nil())
            .bind(since)
            .bind(until)
            .bind(selection.error_code.as_deref())
            .bind(selection.plugin_version.as_deref())
            .fetch_one(pool)
            .await?);
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// The first few of them.
    pub async fn sample_parked(
        &self,
        selection: &ParkedSelection,
        most: u32,
        now: Millis,
    ) -> Result<Vec<DeliveryId>, StoreError> {
        const ON_SQLITE: &str = parked!("d.id", "d.run", "ORDER BY d.id LIMIT $7");
        const ON_POSTGRES: &str = parked!("d.id", "d.run::json", "ORDER BY d.id LIMIT $7");
        let sql = if self.is_shared() { ON_POSTGRES } else { ON_SQLITE };
        let (since, until) = times(selection, now);
        let ids: Vec<Uuid> = reading!(&self.db, pool => sqlx::query_scalar(sql)
            .bind(selection.webhook_id.uuid())
            .bind(Uuid::nil())
            .bind(since)
            .bind(until)
            .bind(selection.error_code.as_deref())
            .bind(selection.plugin_version.as_deref())
            .bind(i64::from(most))
            .fetch_all(pool)
            .await?);
        Ok(ids.into_iter().map(DeliveryId::from_uuid).collect())
    }

    /// Does a step of a job that reprocesses: at most so many deliveries, oldest first, in one transaction with the job's
    /// progress. None when the lease has passed to somebody else, or the job was cancelled.
    pub async fn reprocess_step(
        &self,
        job: &ClaimedJob,
        selection: &ParkedSelection,
        most: usize,
        remake: Remake,
    ) -> Result<Option<JobStep>, StoreError> {
        let (job, selection) = (job.clone(), selection.clone());
        let others_idle = self.others_idle();
        let step = async move |tx: &mut Tx| {
            if !hold(tx, &job).await? {
                return Ok(None);
            }
            let step = reprocess(tx, &job, &selection, most, &remake).await?;
            advance(tx, &job, &step, remake.now).await?;
            if others_idle && step.done > 0 {
                nodes::notify(tx).await?;
            }
            Ok(Some(step))
        };
        let step = self.db.transact(move |tx| Box::pin(async move { step(tx).await })).await?;
        self.release();
        Ok(step)
    }

    /// Reprocesses one parked delivery.
    pub async fn reprocess_one(
        &self,
        project: ProjectId,
        id: DeliveryId,
        remake: Remake,
    ) -> Result<Reprocessed, StoreError> {
        const SELECT: &str = "SELECT d.id, d.event_id, e.subject, d.webhook_id, d.status, d.reprocessed_by
            FROM webhook_deliveries d JOIN events e ON e.id = d.event_id WHERE d.id = $1 AND d.project_id = $2";
        const SELECT_LOCKED: &str = "SELECT d.id, d.event_id, e.subject, d.webhook_id, d.status, d.reprocessed_by
            FROM webhook_deliveries d JOIN events e ON e.id = d.event_id WHERE d.id = $1 AND d.project_id = $2
            FOR UPDATE OF d";
        type Row = (Uuid, Uuid, Option<String>, Uuid, String, Option<Uuid>);
        let store = self.clone();
        let reprocess = async move |tx: &mut Tx| {
            let select = if tx.locks_rows() { SELECT_LOCKED } else { SELECT };
            let rows: Vec<Row> = tx.fetch(select, &values![id.uuid(), project.uuid()]).await?;
            let Some((old, event, subject, webhook, status, by)) = rows.into_iter().next() else {
                return Ok(Reprocessed::NotThere);
            };
            if let Some(by) = by {
                return Ok(Reprocessed::Before(DeliveryId::from_uuid(by)));
            }
            match DeliveryStatus::parse(&status) {
                Some(DeliveryStatus::Parked) => {}
                Some(other) => return Ok(Reprocessed::NotParked(other)),
                None => {
                    let id = id.to_string();
                    return Err(StoreError::Corrupt { table: "webhook_deliveries", column: "status", id });
                }
            }
            let webhook = match current(tx, project, WebhookId::from_uuid(webhook)).await? {
                Ok(webhook) => webhook,
                Err(reason) => return Ok(Reprocessed::NoWebhook(reason)),
            };
            let parked = [(old, event, subject)];
            let made = make(tx, &anew(&webhook, &parked), &remake, remake.now).await?;
            store.note(tx).await?;
            Ok(made.first().map_or(Reprocessed::NotThere, |new| Reprocessed::By(*new)))
        };
        let done = self.db.transact(move |tx| Box::pin(async move { reprocess(tx).await })).await?;
        self.release();
        Ok(done)
    }
}

/// The time in which deliveries were made that a job of this time is about.
fn times(selection: &ParkedSelection, created_at: Millis) -> (i64, i64) {
    // What a job makes is later than the job, so that it never meets its own.
    let until = selection.until.map_or(i64::MAX, |until| until.0).min(created_at.0.saturating_add(1));
    (selection.since.map_or(i64::MIN, |since| since.0), until)
}

/// These parked ones, to be made anew for the webhook.
fn anew<'a>(webhook: &'a Current, parked: &'a [Parked]) -> Vec<Again<'a>> {
    let again = |(old, event, subject): &'a Parked| Again {
        webhook,
        event: EventId::from_uuid(*event),
        subject: subject.as_deref(),
        old: Some(DeliveryId::from_uuid(*old)),
    };
    parked.iter().map(again).collect()
}

async fn reprocess(
    tx: &mut Tx,
    job: &ClaimedJob,
    selection: &ParkedSelection,
    most: usize,
    remake: &Remake,
) -> Result<JobStep, StoreError> {
    const ON_SQLITE: &str = parked!("d.id, d.event_id, e.subject", "d.run", "ORDER BY d.id LIMIT $7");
    // Another job may have some of them in hand: when it is done with them, they are not among these.
    const ON_POSTGRES: &str =
        parked!("d.id, d.event_id, e.subject", "d.run::json", "ORDER BY d.id LIMIT $7 FOR UPDATE OF d");
    let ended = |state, reason: Option<&str>| JobStep::last(state, reason.map(str::to_owned));
    let webhook = match current(tx, job.project, selection.webhook_id).await? {
        Ok(webhook) => webhook,
        Err(reason) => return Ok(ended(JobState::Failed, Some(reason))),
    };
    let (since, until) = times(selection, job.created_at);
    let values = values![
        selection.webhook_id.uuid(),
        job.cursor.unwrap_or(Uuid::nil()),
        since,
        until,
        selection.error_code.as_deref(),
        selection.plugin_version.as_deref(),
        i64::try_from(most).unwrap_or(i64::MAX),
    ];
    let sql = if tx.locks_rows() { ON_POSTGRES } else { ON_SQLITE };
    let parked: Vec<Parked> = tx.fetch(sql, &values).await?;
    let made = make(tx, &anew(&webhook, &parked), remake, remake.now.max(job.created_at.plus(1))).await?;
    let Some((last, ..)) = parked.last() else { return Ok(ended(JobState::Succeeded, None)) };
    Ok(JobStep { done: made.len() as u64, failed: 0, cursor: Some(*last), end: None })
}
