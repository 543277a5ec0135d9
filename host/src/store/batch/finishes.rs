//! Results of attempts: the attempt is kept, the request and its delivery move on.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::super::StoreError;
use super::super::db::{Db, Tx, execute, in_tx};
use super::super::deliveries::{TallyRow, hold_open, tally};
use super::super::record::{Finish, Finished, RequestEnd};
use super::super::rows::{execute_rows, fetch_rows};
use super::super::webhooks::note_change;
use super::work::{self, Later};
use super::{Held, holds};
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, ErrorClass, RequestStatus, Tally};
use crate::domain::event::Field;
use crate::domain::id::{DeliveryId, WebhookId};

/// Where a delivery stands after this batch.
struct Moved {
    tally: Tally,
    reason: Option<String>,
    now: Millis,
}

pub(super) async fn write(tx: &mut Tx, finishes: &[&Finish], held: &Held) -> Result<Vec<Finished>, StoreError> {
    if finishes.is_empty() {
        return Ok(Vec::new());
    }
    let is_held = |finish: &Finish| holds(held, finish.request.uuid(), finish.lease);
    let mut current: Vec<&Finish> = finishes.iter().copied().filter(|finish| is_held(finish)).collect();
    let late: Vec<&Finish> = finishes.iter().copied().filter(|finish| !is_held(finish)).collect();
    // A late success still closes its request when nobody else is sending it.
    current.extend(unclaimed_successes(tx, &late).await?);
    let ended: Vec<Uuid> = current.iter().filter(|finish| closes(finish)).map(|finish| finish.request.uuid()).collect();
    let later: Vec<Later> = current.iter().filter_map(|finish| retry(finish)).collect();
    work::end(tx, &ended).await?;
    work::later(tx, &later).await?;
    insert_attempts(tx, finishes, held).await?;
    record_ends(tx, &current).await?;
    let moved = move_deliveries(tx, &current).await?;
    for finish in &current {
        if let Some(reason) = &finish.disable {
            disable(tx, finish.webhook_id, reason, finish.now).await?;
        }
    }
    let mut told = Vec::with_capacity(finishes.len());
    for finish in finishes {
        let delivery = match moved.get(&finish.request.delivery()) {
            Some(moved) => moved.tally.status(true),
            None => delivery_status(tx, finish.request.delivery()).await?,
        };
        told.push(Finished { delivery, late: !is_held(finish) });
    }
    Ok(told)
}

const fn request_status(end: &RequestEnd) -> RequestStatus {
    match end {
        RequestEnd::Succeeded => RequestStatus::Succeeded,
        RequestEnd::Retry { .. } => RequestStatus::Retrying,
        RequestEnd::Failed { .. } => RequestStatus::Failed,
        RequestEnd::Uncertain => RequestStatus::Uncertain,
        RequestEnd::Held => RequestStatus::Held,
    }
}

fn closes(finish: &Finish) -> bool {
    !matches!(finish.end, RequestEnd::Retry { .. })
}

fn retry(finish: &Finish) -> Option<Later> {
    match finish.end {
        RequestEnd::Retry { due } => Some(Later { id: finish.request.uuid(), due, attempts: 1 }),
        _ => None,
    }
}

fn reason(end: &RequestEnd) -> Option<&str> {
    match end {
        RequestEnd::Failed { reason } => Some(reason),
        RequestEnd::Uncertain => Some("nobody knows whether the last attempt arrived"),
        RequestEnd::Held => Some("nobody knows whether it arrived; a person decides whether it is sent again"),
        RequestEnd::Succeeded | RequestEnd::Retry { .. } => None,
    }
}

async fn unclaimed_successes<'a>(tx: &mut Tx, late: &[&'a Finish]) -> Result<Vec<&'a Finish>, StoreError> {
    const SELECT: &str = "SELECT id FROM open_work WHERE lease_token IS NULL AND id IN (VALUES {rows})";
    let successes: Vec<&Finish> = late.iter().copied().filter(|finish| finish.end == RequestEnd::Succeeded).collect();
    let free = fetch_rows!(tx, (Uuid,), SELECT, 1, &successes, |query, finish| query.bind(finish.request.uuid()));
    let mut free: Vec<Uuid> = free.into_iter().map(|(id,)| id).collect();
    let closing = successes.into_iter().filter(|finish| {
        // Only one of several late successes closes it.
        let position = free.iter().position(|id| *id == finish.request.uuid());
        position.map(|position| free.swap_remove(position)).is_some()
    });
    Ok(closing.collect())
}

async fn insert_attempts(tx: &mut Tx, finishes: &[&Finish], held: &Held) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO attempts
        (request_id, number, project_id, started_at, duration_ms, outcome, error_class, error, url, status_code,
         request_headers, response_headers, response_body, truncated, late) VALUES {rows}";
    const NEXT_NUMBER: &str = "SELECT coalesce(max(number), 0) + 1 FROM attempts WHERE request_id = $1";
    let mut numbered = Vec::with_capacity(finishes.len());
    for finish in finishes {
        let late = !holds(held, finish.request.uuid(), finish.lease);
        let number = if late {
            // Whoever holds the lease counts on from the same number.
            in_tx!(tx, conn => sqlx::query_scalar(NEXT_NUMBER).bind(finish.request.uuid()).fetch_one(conn).await?)
        } else {
            i64::from(finish.attempt.number)
        };
        numbered.push((*finish, number, late));
    }
    let json = |fields: &[Field]| serde_json::to_string(fields).expect("fields are plain data");
    execute_rows!(tx, INSERT, 15, &numbered, |query, (finish, number, late)| query
        .bind(finish.request.uuid())
        .bind(*number)
        .bind(finish.project.uuid())
        .bind(finish.attempt.started_at.0)
        .bind(i64::try_from(finish.attempt.duration_ms).unwrap_or(i64::MAX))
        .bind(finish.attempt.outcome.as_str())
        .bind(finish.attempt.error_class.map(ErrorClass::as_str))
        .bind(finish.attempt.error.as_deref())
        .bind(finish.attempt.url.as_str())
        .bind(finish.attempt.status_code.map(i64::from))
        .bind(json(&finish.attempt.request_headers))
        .bind(finish.attempt.response_headers.as_deref().map(json))
        .bind(finish.attempt.response_body.as_deref())
        .bind(finish.attempt.truncated)
        .bind(*late));
    Ok(())
}

/// The request of a webhook without plugin that arrives at once needs no row: all of it follows from its delivery.
fn needs_row(finish: &Finish) -> bool {
    !(finish.only_request && finish.end == RequestEnd::Succeeded && finish.attempt.number == 1)
}

async fn record_ends(tx: &mut Tx, finishes: &[&Finish]) -> Result<(), StoreError> {
    const UPSERT: &str = "INSERT INTO requests (id, project_id, status, reason, settled_at) VALUES {rows}
        ON CONFLICT (id) DO UPDATE SET status = excluded.status, reason = excluded.reason, settled_at = excluded.settled_at";
    let stored: Vec<&Finish> = finishes.iter().copied().filter(|finish| needs_row(finish)).collect();
    execute_rows!(tx, UPSERT, 5, &stored, |query, finish| query
        .bind(finish.request.uuid())
        .bind(finish.project.uuid())
        .bind(request_status(&finish.end).as_str())
        .bind(match &finish.end {
            RequestEnd::Failed { reason } => Some(reason.as_str()),
            _ => None,
        })
        .bind(closes(finish).then_some(finish.now.0)));
    Ok(())
}

async fn move_deliveries(tx: &mut Tx, finishes: &[&Finish]) -> Result<HashMap<DeliveryId, Moved>, StoreError> {
    const UPDATE: &str = "UPDATE webhook_deliveries
        SET requests_open = v.column2, requests_succeeded = v.column3, requests_held = v.column4, status = v.column5,
            reason = coalesce(v.column6, reason), settled_at = v.column7
        FROM (VALUES {rows}) AS v WHERE webhook_deliveries.id = v.column1";
    let mut moved = tallies(tx, finishes).await?;
    for finish in finishes {
        let Some(moved) = moved.get_mut(&finish.request.delivery()) else { continue };
        moved.now = finish.now;
        if let Some(reason) = reason(&finish.end) {
            moved.reason = Some(reason.to_owned());
        }
        let tally = &mut moved.tally;
        tally.open = tally.open.saturating_sub(u32::from(closes(finish)));
        tally.succeeded += u32::from(finish.end == RequestEnd::Succeeded);
        tally.held += u32::from(finish.end == RequestEnd::Held);
    }
    let rows: Vec<(&DeliveryId, &Moved)> = moved.iter().collect();
    execute_rows!(tx, UPDATE, 7, &rows, |query, (id, moved)| query
        .bind(id.uuid())
        .bind(i64::from(moved.tally.open))
        .bind(i64::from(moved.tally.succeeded))
        .bind(i64::from(moved.tally.held))
        .bind(moved.tally.status(true).as_str())
        .bind(moved.reason.as_deref())
        .bind((!moved.tally.status(true).is_open()).then_some(moved.now.0)));
    Ok(moved)
}

/// The tallies of these results' deliveries as they were. A delivery of one request needs no asking.
async fn tallies(tx: &mut Tx, finishes: &[&Finish]) -> Result<HashMap<DeliveryId, Moved>, StoreError> {
    const COLUMNS: &str =
        "SELECT id, requests_total, requests_succeeded, requests_open, requests_held, requests_cancelled
        FROM webhook_deliveries WHERE id IN (VALUES {rows})";
    const COLUMNS_LOCKED: &str = "SELECT id, requests_total, requests_succeeded, requests_open, requests_held,
        requests_cancelled FROM webhook_deliveries WHERE id IN (VALUES {rows}) ORDER BY id FOR UPDATE";
    let moved = |tally, now| Moved { tally, reason: None, now };
    let mut tallies = HashMap::new();
    let mut asked = BTreeMap::new();
    for finish in finishes {
        let delivery = finish.request.delivery();
        if finish.only_request {
            tallies.insert(delivery, moved(Tally { total: 1, open: 1, ..Tally::default() }, finish.now));
        } else {
            asked.insert(delivery, finish.now);
        }
    }
    let ids: Vec<DeliveryId> = asked.keys().copied().collect();
    let template = if Db::lock_rows(tx).is_empty() { COLUMNS } else { COLUMNS_LOCKED };
    let rows = fetch_rows!(tx, (Uuid, i64, i64, i64, i64, i64), template, 1, &ids, |query, id| query.bind(id.uuid()));
    for (id, total, succeeded, open, held, cancelled) in rows {
        let id = DeliveryId::from_uuid(id);
        let row: TallyRow = (total, succeeded, open, held, cancelled);
        tallies.insert(id, moved(tally(row), asked.get(&id).copied().unwrap_or_default()));
    }
    Ok(tallies)
}

async fn delivery_status(tx: &mut Tx, id: DeliveryId) -> Result<DeliveryStatus, StoreError> {
    const SELECT: &str = "SELECT status FROM webhook_deliveries WHERE id = $1";
    let status: String = in_tx!(tx, conn => sqlx::query_scalar(SELECT).bind(id.uuid()).fetch_one(conn).await?);
    DeliveryStatus::parse(&status).ok_or_else(|| StoreError::Corrupt {
        table: "webhook_deliveries",
        column: "status",
        id: id.to_string(),
    })
}

async fn disable(tx: &mut Tx, id: WebhookId, reason: &str, now: Millis) -> Result<(), StoreError> {
    const UPDATE: &str =
        "UPDATE webhooks SET enabled = $1, disabled_reason = $2, version = version + 1, updated_at = $3
        WHERE id = $4 AND enabled = $5";
    execute!(tx, sqlx::query(UPDATE).bind(false).bind(reason).bind(now.0).bind(id.uuid()).bind(true));
    note_change(tx, id).await?;
    hold_open(tx, id).await
}
