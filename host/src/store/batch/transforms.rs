//! Deliveries that were transformed: into requests, into nothing, or not yet.

use std::collections::HashSet;

use uuid::Uuid;

use super::super::StoreError;
use super::super::db::{Db, Tx};
use super::super::record::{Freeze, Postpone, Settle, WorkKind};
use super::super::rows::{execute_rows, fetch_rows};
use super::work::{self, Later, NewWork};
use super::{Held, holds};
use crate::domain::clock::Millis;
use crate::domain::delivery::RequestStatus;
use crate::domain::id::{DeliveryId, ProjectId, RequestId};
use crate::domain::request::FrozenRequest;

/// A request to be stored.
struct NewRequest<'a> {
    id: RequestId,
    project: ProjectId,
    frozen: &'a FrozenRequest,
}

pub(super) async fn freeze(tx: &mut Tx, freezes: &[&Freeze], held: &Held) -> Result<Vec<bool>, StoreError> {
    const INSERT_REQUESTS: &str = "INSERT INTO requests (id, project_id, status, spec, body) VALUES {rows}";
    const UPDATE_DELIVERIES: &str = "UPDATE webhook_deliveries
        SET requests_total = v.column2, requests_open = v.column2, run = v.column3, reason = NULL
        FROM (VALUES {rows}) AS v WHERE webhook_deliveries.id = v.column1";
    let is_held = |freeze: &Freeze| holds(held, freeze.delivery.uuid(), freeze.lease);
    let current: Vec<&Freeze> = freezes.iter().copied().filter(|freeze| is_held(freeze)).collect();
    let ended: Vec<Uuid> = current.iter().map(|freeze| freeze.delivery.uuid()).collect();
    let mut requests = Vec::new();
    let mut open = Vec::new();
    for freeze in &current {
        for (position, frozen) in (0..).zip(&freeze.requests) {
            let id = freeze.delivery.request(position);
            requests.push(NewRequest { id, project: freeze.project, frozen });
            open.push(NewWork {
                id: id.uuid(),
                kind: WorkKind::Send,
                project: freeze.project,
                webhook: freeze.webhook_id,
                due: freeze.now,
                lease: freeze.leases.get(usize::from(position)).copied().flatten(),
            });
        }
    }
    work::end(tx, &ended).await?;
    execute_rows!(tx, INSERT_REQUESTS, 5, &requests, |query, request| query
        .bind(request.id.uuid())
        .bind(request.project.uuid())
        .bind(RequestStatus::Pending.as_str())
        .bind(serde_json::to_string(&request.frozen.spec).expect("a request is plain data"))
        .bind(&request.frozen.body[..]));
    work::insert(tx, &open).await?;
    execute_rows!(tx, UPDATE_DELIVERIES, 3, &current, |query, freeze| query
        .bind(freeze.delivery.uuid())
        .bind(i64::try_from(freeze.requests.len()).unwrap_or(i64::MAX))
        .bind(freeze.run.as_str()));
    Ok(freezes.iter().map(|freeze| is_held(freeze)).collect())
}

pub(super) async fn settle(tx: &mut Tx, settles: &[&Settle], held: &Held) -> Result<Vec<bool>, StoreError> {
    const UPDATE_DELIVERIES: &str = "UPDATE webhook_deliveries
        SET status = v.column2, reason = v.column3, run = coalesce(v.column4, run), settled_at = v.column5
        FROM (VALUES {rows}) AS v WHERE webhook_deliveries.id = v.column1";
    let is_held = |settle: &Settle| holds(held, settle.delivery.uuid(), settle.lease);
    let current: Vec<&Settle> = settles.iter().copied().filter(|settle| is_held(settle)).collect();
    let ended: Vec<Uuid> = current.iter().map(|settle| settle.delivery.uuid()).collect();
    work::end(tx, &ended).await?;
    execute_rows!(tx, UPDATE_DELIVERIES, 5, &current, |query, settle| query
        .bind(settle.delivery.uuid())
        .bind(settle.status.as_str())
        .bind(settle.reason.as_str())
        .bind(settle.run.as_deref())
        .bind(settle.now.0));
    Ok(settles.iter().map(|settle| is_held(settle)).collect())
}

pub(super) async fn postpone(tx: &mut Tx, postpones: &[&Postpone], held: &Held) -> Result<Vec<bool>, StoreError> {
    const UPDATE_DELIVERIES: &str = "UPDATE webhook_deliveries
        SET reason = coalesce(v.column2, reason), run = coalesce(v.column3, run)
        FROM (VALUES {rows}) AS v WHERE webhook_deliveries.id = v.column1";
    let is_held = |postpone: &Postpone| holds(held, postpone.work, postpone.lease);
    let current: Vec<&Postpone> = postpones.iter().copied().filter(|postpone| is_held(postpone)).collect();
    let enabled = enabled_meanwhile(tx, &current).await?;
    let later: Vec<Later> = current
        .iter()
        .map(|postpone| {
            let due = if enabled.contains(&postpone.work) { Millis(0) } else { postpone.due };
            Later { id: postpone.work, due, attempts: i64::from(postpone.counts) }
        })
        .collect();
    work::later(tx, &later).await?;
    let told: Vec<&Postpone> =
        current.into_iter().filter(|postpone| postpone.reason.is_some() || postpone.run.is_some()).collect();
    execute_rows!(tx, UPDATE_DELIVERIES, 3, &told, |query, postpone| query
        .bind(delivery_of(postpone.work).uuid())
        .bind(postpone.reason.as_deref())
        .bind(postpone.run.as_deref()));
    Ok(postpones.iter().map(|postpone| is_held(postpone)).collect())
}

/// Work that is to wait for its webhook to be enabled, which it is already: whoever enabled it could not see work that was
/// in hand, so nobody else would ever make it due.
async fn enabled_meanwhile(tx: &mut Tx, postpones: &[&Postpone]) -> Result<HashSet<Uuid>, StoreError> {
    const SELECT: &str = "SELECT o.id, w.enabled FROM open_work o JOIN webhooks w ON w.id = o.webhook_id
        WHERE o.id IN (VALUES {rows})";
    // The lock makes an enabling that is on its way come wholly before or wholly after.
    const SELECT_LOCKED: &str = "SELECT o.id, w.enabled FROM open_work o JOIN webhooks w ON w.id = o.webhook_id
        WHERE o.id IN (VALUES {rows}) FOR SHARE OF w";
    let held: Vec<Uuid> =
        postpones.iter().filter(|postpone| postpone.due == Millis::NEVER).map(|postpone| postpone.work).collect();
    let template = if Db::lock_rows(tx).is_empty() { SELECT } else { SELECT_LOCKED };
    let found = fetch_rows!(tx, (Uuid, bool), template, 1, &held, |query, id| query.bind(*id));
    Ok(found.into_iter().filter_map(|(id, enabled)| enabled.then_some(id)).collect())
}

/// The delivery that work is about, be it the delivery itself or one of its requests.
fn delivery_of(work: Uuid) -> DeliveryId {
    RequestId::from_uuid(work).delivery()
}
