//! Open work of a whole webhook: held while it is disabled, cancelled when it is deleted.

use uuid::Uuid;

use super::super::StoreError;
use super::super::db::Tx;
use super::super::record::WorkKind;
use super::super::value::values;
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
    tx.execute(UPDATE, &values![Millis::NEVER.0, id.uuid()]).await?;
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
    let work = tx.fetch(END, &values![id.uuid()]).await?;
    cancel_all(tx, work, reason, now).await
}

/// Cancels what waits for a webhook to be enabled; what is in hand comes to its end.
pub(in super::super) async fn cancel_waiting(
    tx: &mut Tx,
    id: WebhookId,
    reason: &str,
    now: Millis,
) -> Result<(), StoreError> {
    const END: &str =
        "DELETE FROM open_work WHERE webhook_id = $1 AND due_at = $2 AND lease_token IS NULL RETURNING id, kind";
    let work = tx.fetch(END, &values![id.uuid(), Millis::NEVER.0]).await?;
    cancel_all(tx, work, reason, now).await
}

async fn cancel_all(tx: &mut Tx, work: Vec<(Uuid, i64)>, reason: &str, now: Millis) -> Result<(), StoreError> {
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
        tx.execute(CANCEL_REQUEST, &values![RequestStatus::Cancelled.as_str(), reason, now.0, work]).await?;
    }
    let counts: Vec<TallyRow> = tx.fetch(COUNT, &values![i64::from(is_send), reason, delivery]).await?;
    let counts = counts.first().copied().unwrap_or_default();
    let status = if is_send { tally(counts).status(true) } else { DeliveryStatus::Cancelled };
    tx.execute(SETTLE, &values![status.as_str(), (!status.is_open()).then_some(now.0), delivery]).await?;
    Ok(())
}
