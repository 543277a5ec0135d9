//! Open work of a whole webhook: held while it is disabled, cancelled when it is deleted.

use uuid::Uuid;

use super::super::StoreError;
use super::super::db::{Tx, execute, in_tx};
use super::super::record::WorkKind;
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, RequestStatus, Tally};
use crate::domain::id::{RequestId, WebhookId};

/// A delivery's counts of requests: total, succeeded, open, held, cancelled.
pub(in super::super) type TallyRow = (i64, i64, i64, i64, i64);

/// Counts as the domain knows them.
pub(in super::super) fn tally((total, succeeded, open, held, cancelled): TallyRow) -> Tally {
    let count = |n: i64| u32::try_from(n).unwrap_or(0);
    Tally {
        total: count(total),
        succeeded: count(succeeded),
        open: count(open),
        held: count(held),
        cancelled: count(cancelled),
    }
}

/// Open work of a disabled webhook waits for a person; what is on its way comes to its end.
pub(in super::super) async fn hold_open(tx: &mut Tx, id: WebhookId) -> Result<(), StoreError> {
    const UPDATE: &str = "UPDATE open_work SET due_at = $1 WHERE webhook_id = $2 AND lease_token IS NULL";
    execute!(tx, sqlx::query(UPDATE).bind(Millis::NEVER.0).bind(id.uuid()));
    Ok(())
}

/// Cancels all open work of a webhook, the work in hand too, and keeps the history.
pub(in super::super) async fn cancel_open(
    tx: &mut Tx,
    id: WebhookId,
    reason: &str,
    now: Millis,
) -> Result<(), StoreError> {
    const END: &str = "DELETE FROM open_work WHERE webhook_id = $1 RETURNING id, kind";
    let work: Vec<(Uuid, i64)> = in_tx!(tx, conn => sqlx::query_as(END).bind(id.uuid()).fetch_all(conn).await?);
    for (work, kind) in work {
        cancel(tx, work, WorkKind::from_number(kind), reason, now).await?;
    }
    Ok(())
}

async fn cancel(tx: &mut Tx, work: Uuid, kind: Option<WorkKind>, reason: &str, now: Millis) -> Result<(), StoreError> {
    const CANCEL_REQUEST: &str = "UPDATE requests SET status = $1, reason = $2, settled_at = $3 WHERE id = $4";
    const COUNT: &str = "UPDATE webhook_deliveries SET
            requests_open = requests_open - $1, requests_cancelled = requests_cancelled + $1, reason = $2
        WHERE id = $3
        RETURNING requests_total, requests_succeeded, requests_open, requests_held, requests_cancelled";
    const SETTLE: &str = "UPDATE webhook_deliveries SET status = $1, settled_at = $2 WHERE id = $3";
    let delivery = RequestId::from_uuid(work).delivery().uuid();
    let is_send = kind == Some(WorkKind::Send);
    if is_send {
        execute!(
            tx,
            sqlx::query(CANCEL_REQUEST).bind(RequestStatus::Cancelled.as_str()).bind(reason).bind(now.0).bind(work)
        );
    }
    let counts: TallyRow = in_tx!(tx, conn => sqlx::query_as(COUNT)
        .bind(i64::from(is_send))
        .bind(reason)
        .bind(delivery)
        .fetch_one(conn)
        .await?);
    let status = if is_send { tally(counts).status(true) } else { DeliveryStatus::Cancelled };
    execute!(tx, sqlx::query(SETTLE).bind(status.as_str()).bind((!status.is_open()).then_some(now.0)).bind(delivery));
    Ok(())
}
