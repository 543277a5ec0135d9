//! Open work: made, given back, ended.

use uuid::Uuid;

use super::super::StoreError;
use super::super::db::Tx;
use super::super::record::{Lease, WorkKind};
use super::super::rows::Rows;
use super::super::value::values;
use super::Held;
use super::order::Place;
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
    /// How often it was tried already.
    pub(super) attempts: i64,
    pub(super) place: Option<Place>,
    /// Whether a person waits for it.
    pub(super) by_hand: bool,
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
    const SELECT: &str = "SELECT id, lease_token, attempts FROM open_work {join} WHERE id = {1} AND lease_token = {2}";
    const SELECT_LOCKED: &str = "SELECT id, lease_token, attempts FROM open_work {join}
        WHERE id = {1} AND lease_token = {2} ORDER BY id FOR UPDATE OF open_work";
    let select = if tx.locks_rows() { SELECT_LOCKED } else { SELECT };
    let rows = Rows::of(select, leases, |(id, lease)| values![*id, lease.token]);
    let found: Vec<(Uuid, i64, i64)> = tx.fetch_rows(&rows).await?;
    Ok(found.into_iter().map(|(id, token, attempts)| ((id, token), attempts)).collect())
}

pub(super) async fn insert(tx: &mut Tx, work: &[NewWork]) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO open_work
        (id, kind, project_id, webhook_id, due_at, lease_token, attempts, order_key, sequence, by_hand) {values}";
    let rows = Rows::of(INSERT, work, |work| {
        values![
            work.id,
            work.kind.number(),
            work.project.uuid(),
            work.webhook.uuid(),
            work.lease.map_or(work.due.0, |lease| lease.until.0),
            work.lease.map(|lease| lease.token),
            work.attempts,
            work.place.map(|place| place.key),
            work.place.map(|place| place.sequence),
            work.by_hand,
        ]
    });
    tx.execute_rows(&rows).await?;
    Ok(())
}

/// Ends work whose lease is known to hold.
pub(super) async fn end(tx: &mut Tx, work: &[Uuid]) -> Result<(), StoreError> {
    const DELETE: &str = "DELETE FROM open_work {using} WHERE id = {1}";
    tx.execute_rows(&Rows::of(DELETE, work, |id| values![*id])).await?;
    Ok(())
}

/// Gives work back whose lease is known to hold.
pub(super) async fn later(tx: &mut Tx, work: &[Later]) -> Result<(), StoreError> {
    const UPDATE: &str = "UPDATE open_work SET due_at = {2}, lease_token = NULL, attempts = attempts + {3},
        is_interrupted = FALSE {from} WHERE id = {1}";
    tx.execute_rows(&Rows::of(UPDATE, work, |work| values![work.id, work.due.0, work.attempts])).await?;
    Ok(())
}
