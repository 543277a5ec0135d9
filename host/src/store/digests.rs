//! What webhooks have collected: read in its order, and closed into an event with a delivery of its own, all in one
//! transaction. Until then each collected event is a delivery that says so; afterwards it says in which digest it went out.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::FromRow;
use uuid::Uuid;

use super::batch::{Made, insert_deliveries, insert_events};
use super::db::{Tx, again, reading};
use super::events::{EVENT_COLUMNS, EventRow};
use super::record::{Beginning, InOrder, NewDelivery, WorkKind};
use super::remake::current;
use super::rows::Rows;
use super::value::values;
use super::{Store, StoreError, nodes};
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, Trigger};
use crate::domain::digest::Bounds;
use crate::domain::event::Event;
use crate::domain::id::{DeliveryId, ProjectId, WebhookId};

/// What a webhook has collected so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collecting {
    /// The webhook.
    pub webhook: WebhookId,
    /// Its project.
    pub project: ProjectId,
    /// How many events.
    pub events: u64,
    /// When they go out; at once when it has passed.
    pub due: Millis,
}

/// A collected event.
#[derive(Debug, Clone)]
pub struct Collected {
    /// Its place.
    pub sequence: i64,
    /// The delivery that it stands for.
    pub delivery: DeliveryId,
    /// The event.
    pub event: Arc<Event>,
}

/// A digest that is to be closed.
#[derive(Debug, Clone)]
pub struct ClosedDigest {
    /// The webhook.
    pub webhook: WebhookId,
    /// What it holds, in order: the first of what is collected.
    pub collected: Vec<Collected>,
    /// The event that it goes out as.
    pub event: Arc<Event>,
    /// The delivery of that.
    pub delivery: DeliveryId,
    /// What is left follows at once: it had no room.
    pub goes_on: bool,
    /// When what is left is due otherwise, as if it had come now.
    pub rest: Bounds,
    /// Longest wait for an earlier delivery in milliseconds, when a webhook with an order says nothing.
    pub order_wait_ms: u64,
    /// Now.
    pub now: Millis,
}

#[derive(Debug, FromRow)]
struct HeadRow {
    webhook_id: Uuid,
    project_id: Uuid,
    events: i64,
    due_at: i64,
}

impl From<HeadRow> for Collecting {
    fn from(row: HeadRow) -> Self {
        Self {
            webhook: WebhookId::from_uuid(row.webhook_id),
            project: ProjectId::from_uuid(row.project_id),
            events: u64::try_from(row.events).unwrap_or(0),
            due: Millis(row.due_at),
        }
    }
}

#[derive(Debug, FromRow)]
struct PlaceRow {
    sequence: i64,
    delivery_id: Uuid,
    event_id: Uuid,
    bytes: i64,
}

/// Of enabled webhooks only: what is collected waits as long as its webhook is disabled.
const DUE: &str = "SELECT h.webhook_id, h.project_id, h.events, h.due_at FROM digest_heads h
    JOIN webhooks w ON w.id = h.webhook_id AND w.enabled AND w.deleted_at IS NULL
    WHERE h.due_at <= $1 ORDER BY h.due_at LIMIT $2";

impl Store {
    /// Digests that are due, the longest due first.
    pub async fn due_digests(&self, now: Millis, most: u32) -> Result<Vec<Collecting>, StoreError> {
        let rows: Vec<HeadRow> =
            reading!(&self.db, pool => sqlx::query_as(DUE).bind(now.0).bind(i64::from(most)).fetch_all(pool).await?);
        Ok(rows.into_iter().map(Collecting::from).collect())
    }

    /// When the next digest of an enabled webhook is due.
    pub async fn next_digest(&self) -> Result<Option<Millis>, StoreError> {
        let rows: Vec<HeadRow> =
            reading!(&self.db, pool => sqlx::query_as(DUE).bind(i64::MAX).bind(1_i64).fetch_all(pool).await?);
        Ok(rows.first().map(|row| Millis(row.due_at)))
    }

    /// What a webhook has collected, if it has anything.
    pub async fn collecting(&self, webhook: WebhookId) -> Result<Option<Collecting>, StoreError> {
        const SELECT: &str = "SELECT webhook_id, project_id, events, due_at FROM digest_heads WHERE webhook_id = $1";
        let row: Option<HeadRow> =
            reading!(&self.db, pool => sqlx::query_as(SELECT).bind(webhook.uuid()).fetch_optional(pool).await?);
        Ok(row.map(Collecting::from))
    }

    /// The first of what a webhook has collected: at most so many events, with at most so many bytes of payload if it is more
    /// than one.
    pub async fn collected(&self, webhook: WebhookId, most: u32, bytes_max: u64) -> Result<Vec<Collected>, StoreError> {
        const PLACES: &str =
            "SELECT d.sequence, d.delivery_id, d.event_id, CAST(coalesce(length(e.payload), 0) AS BIGINT) AS bytes
            FROM digest_events d JOIN events e ON e.id = d.event_id
            WHERE d.webhook_id = $1 ORDER BY d.sequence LIMIT $2";
        let places: Vec<PlaceRow> = reading!(&self.db, pool => {
            sqlx::query_as(PLACES)
                .bind(webhook.uuid())
                .bind(i64::from(most))
                .fetch_all(pool)
                .await?
        });
        let mut bytes = 0_u64;
        let fits = |place: &PlaceRow| {
            let is_first = bytes == 0;
            bytes += PART_BYTES + u64::try_from(place.bytes).unwrap_or(0);
            is_first || bytes <= bytes_max
        };
        let places: Vec<PlaceRow> = places.into_iter().take_while(fits).collect();
        let mut ids: Vec<Uuid> = places.iter().map(|place| place.event_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let sql = format!("SELECT {EVENT_COLUMNS} FROM events e WHERE e.id IN ({{ids}})");
        let rows: Vec<EventRow> = self.db.fetch_listed(&sql, &ids).await?;
        let read = |row: EventRow| Ok::<_, StoreError>((row.event_id, Arc::new(row.into_event()?)));
        let events: HashMap<Uuid, Arc<Event>> = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        let missing = || StoreError::Corrupt { table: "digest_events", column: "event_id", id: webhook.to_string() };
        places
            .into_iter()
            .map(|place| {
                let event = events.get(&place.event_id).cloned().ok_or_else(missing)?;
                Ok(Collected { sequence: place.sequence, delivery: DeliveryId::from_uuid(place.delivery_id), event })
            })
            .collect()
    }

    /// Closes a digest: its event and the delivery of that are stored, and what it holds says so, or nothing. False when what
    /// is collected, or the webhook, is no longer as it was.
    pub async fn close_digest(&self, closed: ClosedDigest) -> Result<bool, StoreError> {
        let (closed, others_idle) = (Arc::new(closed), self.others_idle());
        let close = async move |tx: &mut Tx| {
            let done = close(tx, &closed).await?;
            if others_idle {
                nodes::notify(tx).await?;
            }
            Ok(done)
        };
        let closed = again!({
            let close = close.clone();
            self.db.transact(move |tx| Box::pin(async move { close(tx).await })).await
        });
        match closed {
            Err(StoreError::Contended) => Ok(false),
            closed => closed,
        }
    }

    /// Has what a webhook has collected go out now; false when there is nothing.
    pub async fn send_digest(&self, project: ProjectId, webhook: WebhookId) -> Result<bool, StoreError> {
        const UPDATE: &str = "UPDATE digest_heads SET due_at = 0 WHERE webhook_id = $1 AND project_id = $2";
        let store = self.clone();
        let send = async move |tx: &mut Tx| {
            if tx.execute(UPDATE, &values![webhook.uuid(), project.uuid()]).await? == 0 {
                return Ok(false);
            }
            store.note(tx).await?;
            Ok(true)
        };
        self.db.transact(move |tx| Box::pin(async move { send(tx).await })).await
    }
}

/// What an event takes in a digest besides its payload, in bytes.
const PART_BYTES: u64 = 256;

async fn close(tx: &mut Tx, closed: &ClosedDigest) -> Result<bool, StoreError> {
    const TAKE: &str = "DELETE FROM digest_events WHERE webhook_id = $1 AND sequence <= $2 RETURNING sequence";
    const LINK: &str =
        "UPDATE webhook_deliveries SET status = {2}, reason = NULL, settled_at = {3}, digest = {4} {from}
        WHERE id = {1}";
    const REST: &str = "UPDATE digest_heads SET events = events - $2, until_at = $3, quiet_at = $4,
            due_at = CASE WHEN $5 OR events - $2 >= events_max THEN 0
                WHEN CAST($4 AS BIGINT) < CAST($3 AS BIGINT) THEN CAST($4 AS BIGINT) ELSE CAST($3 AS BIGINT) END
        WHERE webhook_id = $1";
    const END: &str = "DELETE FROM digest_heads WHERE webhook_id = $1 AND events <= 0";
    let ClosedDigest { webhook: id, collected, event, delivery, goes_on, rest, order_wait_ms, now } = closed;
    let Some(last) = collected.last() else { return Ok(false) };
    let Ok(webhook) = current(tx, event.project, *id).await? else { return Ok(false) };
    let taken: Vec<(i64,)> = tx.fetch(TAKE, &values![id.uuid(), last.sequence]).await?;
    if taken.len() != collected.len() {
        // Another node has closed it, or one of them was cancelled: what was taken is given back.
        return Err(StoreError::Contended);
    }
    insert_events(tx, std::iter::once(&**event)).await?;
    let wait_ms = webhook.order_wait_ms.unwrap_or(*order_wait_ms);
    let new = NewDelivery {
        id: *delivery,
        webhook_id: *id,
        revision: webhook.revision,
        trigger: Trigger::Event,
        requester: None,
        beginning: Beginning::Open {
            kind: if webhook.has_plugin { WorkKind::Transform } else { WorkKind::Send },
            due: *now,
            lease: None,
        },
        order: webhook.order.key(event.subject.as_deref()).map(|key| InOrder { key, until: now.plus(wait_ms) }),
    };
    insert_deliveries(tx, &[Made { project: event.project, event: event.id, delivery: &new }]).await?;
    fail::fail_point!("within-digest", |_| std::process::abort());
    let rows = Rows::of(LINK, collected, |collected| {
        values![collected.delivery.uuid(), DeliveryStatus::Collected.as_str(), now.0, delivery.uuid()]
    });
    tx.execute_rows(&rows).await?;
    let count = i64::try_from(collected.len()).unwrap_or(i64::MAX);
    tx.execute(REST, &values![id.uuid(), count, rest.until.0, rest.quiet.0, *goes_on]).await?;
    tx.execute(END, &values![id.uuid()]).await?;
    Ok(true)
}

/// What is collected of a webhook that has other settings now is due by those; at once when it does not collect any more.
pub(super) async fn change(tx: &mut Tx, webhook: WebhookId, bounds: Option<Bounds>) -> Result<(), StoreError> {
    const AT_ONCE: &str = "UPDATE digest_heads SET due_at = 0 WHERE webhook_id = $1";
    const UPDATE: &str = "UPDATE digest_heads SET until_at = $2, quiet_at = $3, events_max = $4,
            due_at = CASE WHEN events >= $4 THEN 0
                WHEN CAST($3 AS BIGINT) < CAST($2 AS BIGINT) THEN CAST($3 AS BIGINT) ELSE CAST($2 AS BIGINT) END
        WHERE webhook_id = $1";
    match bounds {
        None => tx.execute(AT_ONCE, &values![webhook.uuid()]).await?,
        Some(Bounds { until, quiet, count }) => {
            tx.execute(UPDATE, &values![webhook.uuid(), until.0, quiet.0, i64::from(count)]).await?
        }
    };
    Ok(())
}

/// Gives up all that a webhook has collected.
pub(super) async fn cancel_collected(
    tx: &mut Tx,
    webhook: WebhookId,
    reason: &str,
    now: Millis,
) -> Result<(), StoreError> {
    const TAKE: &str = "DELETE FROM digest_events WHERE webhook_id = $1 RETURNING delivery_id";
    const SETTLE: &str =
        "UPDATE webhook_deliveries SET status = {2}, reason = {3}, settled_at = {4} {from} WHERE id = {1}";
    const END: &str = "DELETE FROM digest_heads WHERE webhook_id = $1";
    let taken: Vec<(Uuid,)> = tx.fetch(TAKE, &values![webhook.uuid()]).await?;
    if taken.is_empty() {
        return Ok(());
    }
    let rows =
        Rows::of(SETTLE, taken, |(id,)| values![id, DeliveryStatus::Cancelled.as_str(), reason.to_owned(), now.0]);
    tx.execute_rows(&rows).await?;
    tx.execute(END, &values![webhook.uuid()]).await?;
    Ok(())
}

/// Takes one event out of its webhook's digest; false when it has gone out.
pub(super) async fn take_out(tx: &mut Tx, delivery: DeliveryId) -> Result<bool, StoreError> {
    const TAKE: &str = "DELETE FROM digest_events WHERE delivery_id = $1 RETURNING webhook_id";
    const COUNT: &str = "UPDATE digest_heads SET events = events - 1 WHERE webhook_id = $1";
    const END: &str = "DELETE FROM digest_heads WHERE webhook_id = $1 AND events <= 0";
    let taken: Vec<(Uuid,)> = tx.fetch(TAKE, &values![delivery.uuid()]).await?;
    let Some((webhook,)) = taken.into_iter().next() else { return Ok(false) };
    tx.execute(COUNT, &values![webhook]).await?;
    tx.execute(END, &values![webhook]).await?;
    Ok(true)
}
