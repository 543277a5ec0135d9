//! Parked deliveries that are tried anew: each gets one new delivery, with the webhook's version and configuration of now.

use uuid::Uuid;

use super::batch::{Made, insert_deliveries};
use super::db::{Tx, reading};
use super::jobs::{ClaimedJob, JobStep, advance, hold};
use super::record::{Beginning, InOrder, NewDelivery, WorkKind};
use super::rows::Rows;
use super::value::values;
use super::{Store, StoreError, nodes};
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, Trigger};
use crate::domain::entropy::Entropy;
use crate::domain::id::{DeliveryId, EventId, ProjectId, WebhookId};
use crate::domain::job::{JobState, ParkedSelection};
use crate::domain::webhook::Order;

/// What new deliveries are made with.
#[derive(Debug, Clone)]
pub struct Remake {
    /// Who asked for it.
    pub actor: String,
    /// Longest wait for an earlier delivery in milliseconds, when a webhook with an order says nothing.
    pub order_wait_ms: u64,
    /// For ids.
    pub entropy: Entropy,
    /// Now.
    pub now: Millis,
}

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

/// Why a webhook gets nothing.
const GONE: &str = "the webhook was deleted";
const DISABLED: &str = "the webhook is disabled";

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

/// A webhook as it is now.
struct Current {
    id: WebhookId,
    project: ProjectId,
    revision: i64,
    has_plugin: bool,
    order: Order,
    order_wait_ms: Option<u64>,
}

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
            let made = make(tx, &webhook, &[(old, event, subject)], &remake, remake.now).await?;
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
    let ended =
        |state, reason: Option<&str>| JobStep { done: 0, cursor: None, end: Some((state, reason.map(str::to_owned))) };
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
    let made = make(tx, &webhook, &parked, remake, remake.now.max(job.created_at.plus(1))).await?;
    let Some((last, ..)) = parked.last() else { return Ok(ended(JobState::Succeeded, None)) };
    Ok(JobStep { done: made.len() as u64, cursor: Some(*last), end: None })
}

/// The webhook as it is until the transaction ends, or why it gets nothing.
async fn current(tx: &mut Tx, project: ProjectId, id: WebhookId) -> Result<Result<Current, &'static str>, StoreError> {
    const SELECT: &str = "SELECT w.enabled, w.revision, c.plugin_version_id, w.delivery_order, w.order_wait_ms
        FROM webhooks w JOIN webhook_configurations c ON c.webhook_id = w.id AND c.revision = w.revision
        WHERE w.id = $1 AND w.project_id = $2 AND w.deleted_at IS NULL";
    const SELECT_LOCKED: &str = "SELECT w.enabled, w.revision, c.plugin_version_id, w.delivery_order, w.order_wait_ms
        FROM webhooks w JOIN webhook_configurations c ON c.webhook_id = w.id AND c.revision = w.revision
        WHERE w.id = $1 AND w.project_id = $2 AND w.deleted_at IS NULL FOR SHARE OF w";
    type Row = (bool, i64, Option<Uuid>, String, Option<i64>);
    let select = if tx.locks_rows() { SELECT_LOCKED } else { SELECT };
    let rows: Vec<Row> = tx.fetch(select, &values![id.uuid(), project.uuid()]).await?;
    let Some((enabled, revision, plugin, order, order_wait_ms)) = rows.into_iter().next() else {
        return Ok(Err(GONE));
    };
    if !enabled {
        return Ok(Err(DISABLED));
    }
    let corrupt = || StoreError::Corrupt { table: "webhooks", column: "delivery_order", id: id.to_string() };
    Ok(Ok(Current {
        id,
        project,
        revision,
        has_plugin: plugin.is_some(),
        order: Order::parse(&order).ok_or_else(corrupt)?,
        order_wait_ms: order_wait_ms.and_then(|ms| u64::try_from(ms).ok()),
    }))
}

/// Makes a new delivery for each of these parked ones, in their order; each says which one took over.
async fn make(
    tx: &mut Tx,
    webhook: &Current,
    parked: &[Parked],
    remake: &Remake,
    now: Millis,
) -> Result<Vec<DeliveryId>, StoreError> {
    const LINK_OLD: &str = "UPDATE webhook_deliveries SET reprocessed_by = {2} {from} WHERE id = {1}";
    const LINK_NEW: &str = "UPDATE webhook_deliveries SET repeats = {2} {from} WHERE id = {1}";
    let wait_ms = webhook.order_wait_ms.unwrap_or(remake.order_wait_ms);
    let mut ids: Vec<DeliveryId> = parked.iter().map(|_| DeliveryId::with_room(now, remake.entropy.id())).collect();
    // Those of one step are made in the same millisecond, and are to be in the order of the old ones.
    ids.sort_unstable();
    let new = |((_, _, subject), id): (&Parked, DeliveryId)| NewDelivery {
        id,
        webhook_id: webhook.id,
        revision: webhook.revision,
        trigger: Trigger::Reprocess,
        actor: Some(remake.actor.clone()),
        beginning: Beginning::Open {
            kind: if webhook.has_plugin { WorkKind::Transform } else { WorkKind::Send },
            due: now,
            lease: None,
        },
        order: webhook.order.key(subject.as_deref()).map(|key| InOrder { key, until: now.plus(wait_ms) }),
    };
    let made: Vec<NewDelivery> = parked.iter().zip(ids).map(new).collect();
    let rows = parked.iter().zip(&made).map(|((_, event, _), delivery)| Made {
        project: webhook.project,
        event: EventId::from_uuid(*event),
        at: now,
        delivery,
    });
    insert_deliveries(tx, &rows.collect::<Vec<_>>()).await?;
    let links: Vec<(Uuid, Uuid)> = parked.iter().zip(&made).map(|((old, ..), new)| (*old, new.id.uuid())).collect();
    tx.execute_rows(&Rows::of(LINK_OLD, &links, |(old, new)| values![*old, *new])).await?;
    tx.execute_rows(&Rows::of(LINK_NEW, &links, |(old, new)| values![*new, *old])).await?;
    Ok(made.into_iter().map(|new| new.id).collect())
}
