//! Deliveries that were transformed: into requests, into nothing, or not yet.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::super::StoreError;
use super::super::db::Tx;
use super::super::record::{Finish, Freeze, Postpone, Settle, WorkKind};
use super::super::rows::Rows;
use super::super::value::values;
use super::finishes::{closes, end_reason, request_status};
use super::order::Places;
use super::pauses;
use super::raise::raise;
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
    finish: Option<&'a Finish>,
}

pub(super) async fn freeze(
    tx: &mut Tx,
    freezes: &[&Freeze],
    held: &Held,
    places: &Places,
) -> Result<Vec<bool>, StoreError> {
    let is_held = |freeze: &Freeze| holds(held, freeze.delivery.uuid(), freeze.lease);
    let current = freezes.iter().copied().filter(|freeze| is_held(freeze)).map(|freeze| (freeze, None));
    fix(tx, &current.collect::<Vec<_>>(), held, places).await?;
    Ok(freezes.iter().map(|freeze| is_held(freeze)).collect())
}

/// Fixes the requests of deliveries whose transformation is known to be held, some together with the first one's result.
/// Says how often requests among them were tried before.
pub(super) async fn fix(
    tx: &mut Tx,
    current: &[(&Freeze, Option<&Finish>)],
    held: &Held,
    places: &Places,
) -> Result<Tried, StoreError> {
    const INSERT_REQUESTS: &str =
        "INSERT INTO requests (id, project_id, status, reason, settled_at, spec, body) {values}";
    const UPDATE_DELIVERIES: &str = "UPDATE webhook_deliveries
        SET requests_total = {2}, requests_open = {2}, run = {3}, reason = NULL {from} WHERE id = {1}";
    let tried = tried_before(tx, current.iter().map(|(freeze, _)| *freeze), held).await?;
    let mut requests = Vec::new();
    let mut open = Vec::new();
    for (freeze, finish) in current {
        for (position, frozen) in (0..).zip(freeze.contents()) {
            let id = freeze.delivery.request(position);
            let finish = finish.filter(|finish| finish.request == id);
            requests.extend(frozen.map(|frozen| NewRequest { id, project: freeze.project, frozen, finish }));
            if finish.is_some_and(closes) {
                continue;
            }
            open.push(NewWork {
                id: id.uuid(),
                kind: WorkKind::Send,
                project: freeze.project,
                webhook: freeze.webhook_id,
                due: freeze.due,
                // What has a result already is held by nobody any more.
                lease: freeze.leases.get(usize::from(position)).copied().flatten().filter(|_| finish.is_none()),
                attempts: tried.get(&id).copied().unwrap_or(0),
                place: places.get(&freeze.delivery.uuid()).copied(),
                by_hand: freeze.by_hand,
            });
        }
    }
    let ended: Vec<Uuid> = current.iter().map(|(freeze, _)| freeze.delivery.uuid()).collect();
    work::end(tx, &ended).await?;
    let rows = Rows::of(INSERT_REQUESTS, &requests, |request| {
        values![
            request.id.uuid(),
            request.project.uuid(),
            request.finish.map_or(RequestStatus::Pending, |finish| request_status(&finish.end)).as_str(),
            request.finish.and_then(|finish| end_reason(&finish.end)),
            request.finish.filter(|finish| closes(finish)).map(|finish| finish.now.0),
            serde_json::to_string(&request.frozen.spec).expect("a request is plain data"),
            &request.frozen.body[..],
        ]
    });
    tx.execute_rows(&rows).await?;
    work::insert(tx, &open).await?;
    // Where there is a result, it moves its delivery on.
    let alone = current.iter().filter(|(_, finish)| finish.is_none());
    let rows = Rows::of(UPDATE_DELIVERIES, alone, |(freeze, _)| {
        let requests = i64::try_from(freeze.contents().len()).unwrap_or(i64::MAX);
        values![freeze.delivery.uuid(), requests, freeze.run.as_str()]
    });
    tx.execute_rows(&rows).await?;
    Ok(tried)
}

/// Requests that were tried before, and how often.
pub(super) type Tried = HashMap<RequestId, i64>;

/// The first request of a delivery goes out before its requests are fixed, so whoever lost the lease meanwhile may have
/// told of it. That counts as a try of the transformation too: nobody has to look where nothing can be found.
async fn tried_before(tx: &mut Tx, freezes: impl Iterator<Item = &Freeze>, held: &Held) -> Result<Tried, StoreError> {
    const SELECT: &str =
        "SELECT request_id, max(number) FROM attempts {join} WHERE request_id = {1} GROUP BY request_id";
    let tries = |freeze: &Freeze| held.get(&(freeze.delivery.uuid(), freeze.lease.token)).copied();
    let again = freezes.filter(|freeze| tries(freeze).is_some_and(|tries| tries > 0));
    let rows = Rows::of(SELECT, again, |freeze| values![freeze.delivery.request(0).uuid()]);
    let tried: Vec<(Uuid, i64)> = tx.fetch_rows(&rows).await?;
    Ok(tried.into_iter().map(|(request, number)| (RequestId::from_uuid(request), number)).collect())
}

pub(super) async fn settle(tx: &mut Tx, settles: &[&Settle], held: &Held) -> Result<Vec<bool>, StoreError> {
    const UPDATE_DELIVERIES: &str = "UPDATE webhook_deliveries
        SET status = {2}, reason = {3}, run = coalesce({4}, run), settled_at = {5} {from} WHERE id = {1}";
    let is_held = |settle: &Settle| holds(held, settle.delivery.uuid(), settle.lease);
    let current: Vec<&Settle> = settles.iter().copied().filter(|settle| is_held(settle)).collect();
    let ended: Vec<Uuid> = current.iter().map(|settle| settle.delivery.uuid()).collect();
    work::end(tx, &ended).await?;
    let rows = Rows::of(UPDATE_DELIVERIES, &current, |settle| {
        values![
            settle.delivery.uuid(),
            settle.status.as_str(),
            settle.reason.as_str(),
            settle.run.as_deref(),
            settle.now.0,
        ]
    });
    tx.execute_rows(&rows).await?;
    raise(tx, &current.iter().filter_map(|settle| settle.raise.as_deref()).collect::<Vec<_>>()).await?;
    Ok(settles.iter().map(|settle| is_held(settle)).collect())
}

/// Says for each whether the lease still held, and how many need not wait for what they are to wait for.
pub(super) async fn postpone(
    tx: &mut Tx,
    postpones: &[&Postpone],
    held: &Held,
) -> Result<(Vec<bool>, u64), StoreError> {
    const UPDATE_DELIVERIES: &str = "UPDATE webhook_deliveries
        SET reason = coalesce({2}, reason), run = coalesce({3}, run) {from} WHERE id = {1}";
    let is_held = |postpone: &Postpone| holds(held, postpone.work, postpone.lease);
    let current: Vec<&Postpone> = postpones.iter().copied().filter(|postpone| is_held(postpone)).collect();
    let mut ended = enabled_meanwhile(tx, &current).await?;
    ended.extend(pauses::ended_meanwhile(tx, &current).await?);
    let later: Vec<Later> = current
        .iter()
        .map(|postpone| {
            let due = if ended.contains(&postpone.work) { Millis(0) } else { postpone.due };
            Later { id: postpone.work, due, attempts: i64::from(postpone.counts) }
        })
        .collect();
    work::later(tx, &later).await?;
    let told = current.into_iter().filter(|postpone| postpone.reason.is_some() || postpone.run.is_some());
    let rows = Rows::of(UPDATE_DELIVERIES, told, |postpone| {
        values![delivery_of(postpone.work).uuid(), postpone.reason.as_deref(), postpone.run.as_deref()]
    });
    tx.execute_rows(&rows).await?;
    Ok((postpones.iter().map(|postpone| is_held(postpone)).collect(), ended.len() as u64))
}

/// Work that is to wait for its webhook to be enabled, which it is already: whoever enabled it could not see work that was
/// in hand, so nobody else would ever make it due.
async fn enabled_meanwhile(tx: &mut Tx, postpones: &[&Postpone]) -> Result<HashSet<Uuid>, StoreError> {
    const SELECT: &str =
        "SELECT o.id, w.enabled FROM open_work o JOIN webhooks w ON w.id = o.webhook_id {join} WHERE o.id = {1}";
    // The lock makes an enabling that is on its way come wholly before or wholly after.
    const SELECT_LOCKED: &str = "SELECT o.id, w.enabled FROM open_work o JOIN webhooks w ON w.id = o.webhook_id {join}
        WHERE o.id = {1} FOR SHARE OF w";
    let held = postpones.iter().filter(|postpone| postpone.due == Millis::NEVER).map(|postpone| postpone.work);
    let select = if tx.locks_rows() { SELECT_LOCKED } else { SELECT };
    let found: Vec<(Uuid, bool)> = tx.fetch_rows(&Rows::of(select, held, |id| values![id])).await?;
    Ok(found.into_iter().filter_map(|(id, enabled)| enabled.then_some(id)).collect())
}

/// The delivery that work is about, be it the delivery itself or one of its requests.
fn delivery_of(work: Uuid) -> DeliveryId {
    RequestId::from_uuid(work).delivery()
}
