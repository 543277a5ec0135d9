//! How a delivery and its requests stand, until the transaction ends.

use uuid::Uuid;

use super::super::StoreError;
use super::super::db::Tx;
use super::super::record::WorkKind;
use super::super::value::values;
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, RequestStatus, Trigger};
use crate::domain::id::{DeliveryId, ProjectId, RequestId, WebhookId};

/// Work that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) id: Uuid,
    pub(super) kind: WorkKind,
    pub(super) due: Millis,
    pub(super) is_leased: bool,
    pub(super) is_blocked: bool,
    /// Its place in the order of its webhook.
    pub(super) place: Option<(Uuid, i64)>,
}

/// A request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: RequestId,
    pub(super) status: RequestStatus,
    /// How often it was tried.
    pub(super) attempts: i64,
    /// Whether a plugin made it.
    pub(super) is_frozen: bool,
    /// Whether its bytes are no longer kept.
    pub(super) is_gone: bool,
    pub(super) work: Option<Work>,
}

/// A delivery.
#[derive(Debug)]
pub(in super::super) struct Standing {
    pub(super) id: DeliveryId,
    pub(super) project: ProjectId,
    pub(super) webhook: WebhookId,
    pub(super) status: DeliveryStatus,
    pub(super) trigger: Trigger,
    pub(super) settled_at: Option<Millis>,
    pub(super) is_reprocessed: bool,
    pub(super) has_payload: bool,
    /// Since when what was sent is no longer kept.
    pub(super) removed_at: Option<Millis>,
    /// None as long as its plugin is to be run, and when it made none.
    pub(super) requests: Vec<Request>,
    pub(super) work: Vec<Work>,
}

impl Standing {
    /// Whether any of it was tried.
    pub(super) fn was_tried(&self) -> bool {
        self.requests.iter().any(|request| request.attempts > 0)
    }
}

/// Reads how a delivery stands, and keeps it so: first its work, as those who record results do, then the delivery itself.
pub(in super::super) async fn lock(
    tx: &mut Tx,
    project: ProjectId,
    id: DeliveryId,
) -> Result<Option<Standing>, StoreError> {
    const SELECT: &str =
        "SELECT webhook_id, status, trigger_kind, settled_at, reprocessed_by IS NOT NULL, requests_total,
            EXISTS (SELECT 1 FROM events e WHERE e.id = webhook_deliveries.event_id AND e.payload_removed_at IS NULL),
            attempts_removed_at
        FROM webhook_deliveries WHERE id = $1 AND project_id = $2";
    const SELECT_LOCKED: &str = "SELECT webhook_id, status, trigger_kind, settled_at, reprocessed_by IS NOT NULL,
            requests_total, EXISTS (SELECT 1 FROM events e WHERE e.id = webhook_deliveries.event_id AND e.payload_removed_at IS NULL),
            attempts_removed_at
        FROM webhook_deliveries WHERE id = $1 AND project_id = $2 FOR UPDATE";
    type Row = (Uuid, String, String, Option<i64>, bool, i64, bool, Option<i64>);
    let work = work(tx, project, id, true).await?;
    let select = if tx.locks_rows() { SELECT_LOCKED } else { SELECT };
    let rows: Vec<Row> = tx.fetch(select, &values![id.uuid(), project.uuid()]).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let (webhook, status, trigger, settled_at, is_reprocessed, total, has_payload, removed_at) = row;
    // Its plugin may have been run while the lock was waited for.
    if tx.locks_rows() && self::work(tx, project, id, false).await? != work {
        return Err(StoreError::Contended);
    }
    let corrupt = |column| StoreError::Corrupt { table: "webhook_deliveries", column, id: id.to_string() };
    let status = DeliveryStatus::parse(&status).ok_or_else(|| corrupt("status"))?;
    Ok(Some(Standing {
        id,
        project,
        webhook: WebhookId::from_uuid(webhook),
        status,
        trigger: Trigger::parse(&trigger).ok_or_else(|| corrupt("trigger_kind"))?,
        settled_at: settled_at.map(Millis),
        is_reprocessed,
        has_payload,
        removed_at: removed_at.map(Millis),
        requests: requests(tx, id, status, total, &work).await?,
        work,
    }))
}

/// Id, kind, when it is due, whether it is leased and blocked, its place in the order.
type WorkRow = (Uuid, i64, i64, bool, bool, Option<Uuid>, Option<i64>);

async fn work(tx: &mut Tx, project: ProjectId, id: DeliveryId, locks: bool) -> Result<Vec<Work>, StoreError> {
    const SELECT: &str =
        "SELECT id, kind, due_at, lease_token IS NOT NULL, is_blocked, order_key, sequence FROM open_work
        WHERE id >= $1 AND id <= $2 AND project_id = $3 ORDER BY id";
    const SELECT_LOCKED: &str = "SELECT id, kind, due_at, lease_token IS NOT NULL, is_blocked, order_key, sequence
        FROM open_work WHERE id >= $1 AND id <= $2 AND project_id = $3 ORDER BY id FOR UPDATE";
    let select = if locks && tx.locks_rows() { SELECT_LOCKED } else { SELECT };
    let range = values![id.uuid(), id.last_request().uuid(), project.uuid()];
    let rows: Vec<WorkRow> = tx.fetch(select, &range).await?;
    rows.into_iter()
        .map(|(id, kind, due, is_leased, is_blocked, key, sequence)| {
            let corrupt = || StoreError::Corrupt { table: "open_work", column: "kind", id: id.to_string() };
            let kind = WorkKind::from_number(kind).ok_or_else(corrupt)?;
            Ok(Work { id, kind, due: Millis(due), is_leased, is_blocked, place: key.zip(sequence) })
        })
        .collect()
}

async fn requests(
    tx: &mut Tx,
    id: DeliveryId,
    delivery: DeliveryStatus,
    total: i64,
    work: &[Work],
) -> Result<Vec<Request>, StoreError> {
    const SELECT: &str = "SELECT id, status, spec IS NOT NULL, body IS NOT NULL FROM requests
        WHERE id >= $1 AND id <= $2 ORDER BY id";
    const ATTEMPTS: &str = "SELECT request_id, max(number) FROM attempts
        WHERE request_id >= $1 AND request_id <= $2 GROUP BY request_id";
    let range = values![id.uuid(), id.last_request().uuid()];
    let mut rows: Vec<(Uuid, String, bool, bool)> = tx.fetch(SELECT, &range).await?;
    if rows.is_empty() && total == 1 {
        // The request of a webhook without plugin is stored only when its first attempt did not arrive.
        let status = match delivery {
            DeliveryStatus::Succeeded => RequestStatus::Succeeded,
            DeliveryStatus::Cancelled => RequestStatus::Cancelled,
            _ => RequestStatus::Pending,
        };
        rows.push((id.request(0).uuid(), status.to_string(), false, false));
    }
    let attempts: Vec<(Uuid, i64)> = tx.fetch(ATTEMPTS, &range).await?;
    rows.into_iter()
        .map(|(id, status, is_frozen, has_body)| {
            let corrupt = || StoreError::Corrupt { table: "requests", column: "status", id: id.to_string() };
            Ok(Request {
                id: RequestId::from_uuid(id),
                status: RequestStatus::parse(&status).ok_or_else(corrupt)?,
                attempts: attempts.iter().find(|(of, _)| *of == id).map_or(0, |(_, number)| *number),
                is_frozen,
                is_gone: is_frozen && !has_body,
                work: work.iter().find(|work| work.id == id).copied(),
            })
        })
        .collect()
}
