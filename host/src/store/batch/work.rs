//! Open work: made, given back, ended.

use uuid::Uuid;

use super::super::StoreError;
use super::super::db::{Db, Tx};
use super::super::record::{Lease, WorkKind};
use super::super::rows::{execute_rows, fetch_rows};
use super::Held;
use crate::domain::clock::Millis;
use crate::domain::id::{ProjectId, WebhookId};

/// Open work to be stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewWork {
    pub(super) id: Uuid,
    pub(super) kind: WorkKind,
    pub(super) project: ProjectId,
    pub(super) webhook: WebhookId,
    pub(super) due: Millis,
    pub(super) lease: Option<Lease>,
}

/// Open work that goes on later.
#[derive(Debug, Clone, Copy)]
pub(super) struct Later {
    pub(super) id: Uuid,
    pub(super) due: Millis,
    /// How many attempts are added.
    pub(super) attempts: i64,
}

/// Which of these leases still hold.
pub(super) async fn held(tx: &mut Tx, leases: &[(Uuid, Lease)]) -> Result<Held, StoreError> {
    const SELECT: &str =
        "SELECT id, lease_token FROM open_work WHERE lease_token IS NOT NULL AND id IN (VALUES {rows})";
    const SELECT_LOCKED: &str = "SELECT id, lease_token FROM open_work WHERE lease_token IS NOT NULL AND id IN (VALUES {rows}) ORDER BY id FOR UPDATE";
    let template = if Db::lock_rows(tx).is_empty() { SELECT } else { SELECT_LOCKED };
    let found = fetch_rows!(tx, (Uuid, i64), template, 1, leases, |query, (id, _)| query.bind(*id));
    Ok(found.into_iter().collect())
}

pub(super) async fn insert(tx: &mut Tx, work: &[NewWork]) -> Result<(), StoreError> {
    const INSERT: &str =
        "INSERT INTO open_work (id, kind, project_id, webhook_id, due_at, lease_token, attempts) VALUES {rows}";
    execute_rows!(tx, INSERT, 7, work, |query, work| query
        .bind(work.id)
        .bind(work.kind.number())
        .bind(work.project.uuid())
        .bind(work.webhook.uuid())
        .bind(work.lease.map_or(work.due.0, |lease| lease.until.0))
        .bind(work.lease.map(|lease| lease.token))
        .bind(0_i64));
    Ok(())
}

/// Ends work whose lease is known to hold.
pub(super) async fn end(tx: &mut Tx, work: &[Uuid]) -> Result<(), StoreError> {
    execute_rows!(tx, "DELETE FROM open_work WHERE id IN (VALUES {rows})", 1, work, |query, id| query.bind(*id));
    Ok(())
}

/// Gives work back whose lease is known to hold.
pub(super) async fn later(tx: &mut Tx, work: &[Later]) -> Result<(), StoreError> {
    const UPDATE: &str = "UPDATE open_work SET due_at = v.column2, lease_token = NULL, attempts = attempts + v.column3
        FROM (VALUES {rows}) AS v WHERE open_work.id = v.column1";
    execute_rows!(tx, UPDATE, 3, work, |query, work| query.bind(work.id).bind(work.due.0).bind(work.attempts));
    Ok(())
}
