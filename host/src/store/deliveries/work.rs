//! How deliveries and requests move on. Each function runs inside a shared transaction.

use sqlx::SqliteConnection;
use uuid::Uuid;

use super::super::StoreError;
use super::super::claims::insert_work;
use super::super::record::{Attempt, Finish, Finished, Freeze, Lease, Postpone, RequestEnd, Settle, WorkKind};
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, RequestStatus, Tally};
use crate::domain::id::{DeliveryId, RequestId, WebhookId};

/// Ends open work if the lease on it still holds.
async fn end_work(conn: &mut SqliteConnection, work: Uuid, lease: Lease) -> Result<bool, StoreError> {
    let ended = sqlx::query("DELETE FROM open_work WHERE id = $1 AND lease_token = $2")
        .bind(work)
        .bind(lease.token)
        .execute(conn)
        .await?;
    Ok(ended.rows_affected() == 1)
}

pub(in super::super) async fn freeze(conn: &mut SqliteConnection, freeze: &Freeze) -> Result<bool, StoreError> {
    if !end_work(conn, freeze.delivery.uuid(), freeze.lease).await? {
        return Ok(false);
    }
    for (position, request) in (0..).zip(&freeze.requests) {
        let id = freeze.delivery.request(position).uuid();
        sqlx::query("INSERT INTO requests (id, project_id, status, spec, body) VALUES ($1, $2, 'pending', $3, $4)")
            .bind(id)
            .bind(freeze.project.uuid())
            .bind(serde_json::to_string(&request.spec).expect("a request is plain data"))
            .bind(&request.body[..])
            .execute(&mut *conn)
            .await?;
        let lease = freeze.leases.get(usize::from(position)).copied().flatten();
        insert_work(conn, id, WorkKind::Send, freeze.project, freeze.webhook_id, freeze.now, lease).await?;
    }
    let count = i64::try_from(freeze.requests.len()).unwrap_or(i64::MAX);
    sqlx::query(
        "UPDATE webhook_deliveries SET requests_total = $1, requests_open = $1, run = $2, reason = NULL WHERE id = $3",
    )
    .bind(count)
    .bind(freeze.run.as_str())
    .bind(freeze.delivery.uuid())
    .execute(conn)
    .await?;
    Ok(true)
}

pub(in super::super) async fn settle(conn: &mut SqliteConnection, settle: &Settle) -> Result<bool, StoreError> {
    if !end_work(conn, settle.delivery.uuid(), settle.lease).await? {
        return Ok(false);
    }
    sqlx::query(
        "UPDATE webhook_deliveries SET status = $1, reason = $2, run = coalesce($3, run), settled_at = $4 WHERE id = $5",
    )
    .bind(settle.status.as_str())
    .bind(settle.reason.as_str())
    .bind(settle.run.as_deref())
    .bind(settle.now.0)
    .bind(settle.delivery.uuid())
    .execute(conn)
    .await?;
    Ok(true)
}

pub(in super::super) async fn postpone(conn: &mut SqliteConnection, postpone: &Postpone) -> Result<bool, StoreError> {
    let kept = sqlx::query(
        "UPDATE open_work SET due_at = $1, lease_token = NULL, attempts = attempts + $2 WHERE id = $3 AND lease_token = $4",
    )
    .bind(postpone.due.0)
    .bind(i64::from(postpone.counts))
    .bind(postpone.work)
    .bind(postpone.lease.token)
    .execute(&mut *conn)
    .await?;
    if kept.rows_affected() == 1 && (postpone.reason.is_some() || postpone.run.is_some()) {
        sqlx::query(
            "UPDATE webhook_deliveries SET reason = coalesce($1, reason), run = coalesce($2, run) WHERE id = $3",
        )
        .bind(postpone.reason.as_deref())
        .bind(postpone.run.as_deref())
        .bind(RequestId::from_uuid(postpone.work).delivery().uuid())
        .execute(conn)
        .await?;
    }
    Ok(kept.rows_affected() == 1)
}

pub(in super::super) async fn finish(conn: &mut SqliteConnection, finish: &Finish) -> Result<Finished, StoreError> {
    let request = finish.request.uuid();
    let attempts = i64::from(finish.attempt.number);
    let moved = match &finish.end {
        RequestEnd::Retry { due } => sqlx::query(
            "UPDATE open_work SET due_at = $1, lease_token = NULL, attempts = $2 WHERE id = $3 AND lease_token = $4",
        )
        .bind(due.0)
        .bind(attempts)
        .bind(request)
        .bind(finish.lease.token)
        .execute(&mut *conn)
        .await?,
        // A late success still closes the request when nobody else is sending it.
        RequestEnd::Succeeded => {
            sqlx::query("DELETE FROM open_work WHERE id = $1 AND (lease_token = $2 OR lease_token IS NULL)")
                .bind(request)
                .bind(finish.lease.token)
                .execute(&mut *conn)
                .await?
        }
        RequestEnd::Failed { .. } | RequestEnd::Uncertain | RequestEnd::Held => {
            sqlx::query("DELETE FROM open_work WHERE id = $1 AND lease_token = $2")
                .bind(request)
                .bind(finish.lease.token)
                .execute(&mut *conn)
                .await?
        }
    };
    let late = moved.rows_affected() == 0;
    insert_attempt(conn, finish, late).await?;
    let delivery = if late {
        delivery_status(conn, finish.request.delivery()).await?
    } else {
        let status = record_end(conn, finish).await?;
        update_delivery(conn, finish, status).await?
    };
    if let Some(reason) = &finish.disable {
        disable(conn, finish.webhook_id, reason, finish.now).await?;
    }
    Ok(Finished { delivery, late })
}

async fn insert_attempt(conn: &mut SqliteConnection, finish: &Finish, late: bool) -> Result<(), StoreError> {
    let attempt: &Attempt = &finish.attempt;
    let json = |fields: &[crate::domain::event::Field]| serde_json::to_string(fields).expect("fields are plain data");
    sqlx::query(
        "INSERT INTO attempts (request_id, number, project_id, started_at, duration_ms, outcome, error_class, error, url,
            status_code, request_headers, response_headers, response_body, truncated, late)
         SELECT $1, CASE WHEN $15 THEN (SELECT coalesce(max(number), 0) + 1 FROM attempts WHERE request_id = $1) ELSE $2 END,
            $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15",
    )
    .bind(finish.request.uuid())
    .bind(i64::from(attempt.number))
    .bind(finish.project.uuid())
    .bind(attempt.started_at.0)
    .bind(i64::try_from(attempt.duration_ms).unwrap_or(i64::MAX))
    .bind(attempt.outcome.as_str())
    .bind(attempt.error_class.map(crate::domain::delivery::ErrorClass::as_str))
    .bind(attempt.error.as_deref())
    .bind(attempt.url.as_str())
    .bind(attempt.status_code.map(i64::from))
    .bind(json(&attempt.request_headers))
    .bind(attempt.response_headers.as_deref().map(json))
    .bind(attempt.response_body.as_deref())
    .bind(attempt.truncated)
    .bind(late)
    .execute(conn)
    .await?;
    Ok(())
}

async fn record_end(conn: &mut SqliteConnection, finish: &Finish) -> Result<RequestStatus, StoreError> {
    let (status, reason) = match &finish.end {
        RequestEnd::Succeeded => (RequestStatus::Succeeded, None),
        RequestEnd::Retry { .. } => (RequestStatus::Retrying, None),
        RequestEnd::Failed { reason } => (RequestStatus::Failed, Some(reason.as_str())),
        RequestEnd::Uncertain => (RequestStatus::Uncertain, None),
        RequestEnd::Held => (RequestStatus::Held, None),
    };
    let settled_at = (status != RequestStatus::Retrying).then_some(finish.now.0);
    sqlx::query(
        "INSERT INTO requests (id, project_id, status, reason, settled_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (id) DO UPDATE SET status = excluded.status, reason = excluded.reason, settled_at = excluded.settled_at",
    )
    .bind(finish.request.uuid())
    .bind(finish.project.uuid())
    .bind(status.as_str())
    .bind(reason)
    .bind(settled_at)
    .execute(conn)
    .await?;
    Ok(status)
}

type TallyRow = (i64, i64, i64, i64, i64);

fn tally((total, succeeded, open, held, cancelled): TallyRow) -> Tally {
    let count = |n: i64| u32::try_from(n).unwrap_or(0);
    Tally {
        total: count(total),
        succeeded: count(succeeded),
        open: count(open),
        held: count(held),
        cancelled: count(cancelled),
    }
}

async fn update_delivery(
    conn: &mut SqliteConnection,
    finish: &Finish,
    status: RequestStatus,
) -> Result<DeliveryStatus, StoreError> {
    let delivery = finish.request.delivery();
    let closed = i64::from(status != RequestStatus::Retrying);
    let counts: TallyRow = sqlx::query_as(
        "UPDATE webhook_deliveries SET
            requests_open = requests_open - $1, requests_succeeded = requests_succeeded + $2, requests_held = requests_held + $3
         WHERE id = $4
         RETURNING requests_total, requests_succeeded, requests_open, requests_held, requests_cancelled",
    )
    .bind(closed)
    .bind(i64::from(status == RequestStatus::Succeeded))
    .bind(i64::from(status == RequestStatus::Held))
    .bind(delivery.uuid())
    .fetch_one(&mut *conn)
    .await?;
    let tally = tally(counts);
    let now = tally.status(true);
    let reason = match &finish.end {
        RequestEnd::Failed { reason } => Some(reason.as_str()),
        RequestEnd::Uncertain => Some("nobody knows whether the last attempt arrived"),
        RequestEnd::Held => Some("nobody knows whether it arrived; a person decides whether it is sent again"),
        RequestEnd::Succeeded | RequestEnd::Retry { .. } => None,
    };
    sqlx::query(
        "UPDATE webhook_deliveries SET status = $1, reason = coalesce($2, reason), settled_at = $3 WHERE id = $4",
    )
    .bind(now.as_str())
    .bind(reason)
    .bind((!now.is_open()).then_some(finish.now.0))
    .bind(delivery.uuid())
    .execute(conn)
    .await?;
    Ok(now)
}

async fn delivery_status(conn: &mut SqliteConnection, id: DeliveryId) -> Result<DeliveryStatus, StoreError> {
    let status: String = sqlx::query_scalar("SELECT status FROM webhook_deliveries WHERE id = $1")
        .bind(id.uuid())
        .fetch_one(conn)
        .await?;
    DeliveryStatus::parse(&status).ok_or_else(|| StoreError::Corrupt {
        table: "webhook_deliveries",
        column: "status",
        id: id.to_string(),
    })
}

async fn disable(conn: &mut SqliteConnection, id: WebhookId, reason: &str, now: Millis) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE webhooks SET enabled = 0, disabled_reason = $1, version = version + 1, updated_at = $2
         WHERE id = $3 AND enabled = 1",
    )
    .bind(reason)
    .bind(now.0)
    .bind(id.uuid())
    .execute(&mut *conn)
    .await?;
    hold_open(conn, id).await
}

/// Open work of a disabled webhook waits for a person; what is on its way comes to its end.
pub(in super::super) async fn hold_open(conn: &mut SqliteConnection, id: WebhookId) -> Result<(), StoreError> {
    sqlx::query("UPDATE open_work SET due_at = $1 WHERE webhook_id = $2 AND lease_token IS NULL")
        .bind(Millis::NEVER.0)
        .bind(id.uuid())
        .execute(conn)
        .await?;
    Ok(())
}

/// Cancels all open work of a webhook, the work in hand too, and keeps the history.
pub(in super::super) async fn cancel_open(
    conn: &mut SqliteConnection,
    id: WebhookId,
    reason: &str,
    now: Millis,
) -> Result<(), StoreError> {
    let work: Vec<(Uuid, i64)> = sqlx::query_as("DELETE FROM open_work WHERE webhook_id = $1 RETURNING id, kind")
        .bind(id.uuid())
        .fetch_all(&mut *conn)
        .await?;
    for (work, kind) in work {
        let request = RequestId::from_uuid(work);
        let is_send = WorkKind::from_number(kind) == Some(WorkKind::Send);
        if is_send {
            sqlx::query("UPDATE requests SET status = 'cancelled', reason = $1, settled_at = $2 WHERE id = $3")
                .bind(reason)
                .bind(now.0)
                .bind(work)
                .execute(&mut *conn)
                .await?;
        }
        let counts: TallyRow = sqlx::query_as(
            "UPDATE webhook_deliveries SET
                requests_open = requests_open - $1, requests_cancelled = requests_cancelled + $1, reason = $2
             WHERE id = $3
             RETURNING requests_total, requests_succeeded, requests_open, requests_held, requests_cancelled",
        )
        .bind(i64::from(is_send))
        .bind(reason)
        .bind(request.delivery().uuid())
        .fetch_one(&mut *conn)
        .await?;
        let status = if is_send { tally(counts).status(true) } else { DeliveryStatus::Cancelled };
        sqlx::query("UPDATE webhook_deliveries SET status = $1, settled_at = $2 WHERE id = $3")
            .bind(status.as_str())
            .bind((!status.is_open()).then_some(now.0))
            .bind(request.delivery().uuid())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
