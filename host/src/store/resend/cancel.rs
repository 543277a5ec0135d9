//! Deliveries that are given up. What is in hand may still go out; its result is kept.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::super::batch::{places, release};
use super::super::db::{Tx, again};
use super::super::deliveries::{TallyRow, tally};
use super::super::digests::take_out;
use super::super::record::WorkKind;
use super::super::rows::Rows;
use super::super::value::values;
use super::super::{Store, StoreError, nodes};
use super::standing::{Request, Standing, lock};
use super::{Acted, Chosen};
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, RequestStatus};
use crate::domain::id::{DeliveryId, ProjectId};

impl Store {
    /// Gives up what of a delivery is open or waits for a person. Once more is the same.
    pub async fn cancel_delivery(
        &self,
        project: ProjectId,
        id: DeliveryId,
        chosen: Chosen,
        reason: String,
        now: Millis,
    ) -> Result<Acted, StoreError> {
        let (store, others_idle) = (self.clone(), self.others_idle());
        let act = async move |tx: &mut Tx| {
            let Some(standing) = lock(tx, project, id).await? else { return Ok(Acted::NotThere) };
            let acted = cancel(tx, &standing, &chosen, &reason, now).await?;
            if matches!(acted, Acted::Done(1..)) {
                store.note(tx).await?;
            }
            if others_idle {
                nodes::notify(tx).await?;
            }
            Ok(acted)
        };
        let acted = again!({
            let act = act.clone();
            self.db.transact(move |tx| Box::pin(async move { act(tx).await })).await
        })?;
        // Others may have waited for it.
        self.release();
        Ok(acted)
    }
}

/// Whether there is something to give up of it.
fn is_cancellable(request: &Request) -> bool {
    request.work.is_some() || matches!(request.status, RequestStatus::Held | RequestStatus::Uncertain)
}

/// Gives up what is chosen of a delivery.
pub(super) async fn cancel(
    tx: &mut Tx,
    standing: &Standing,
    chosen: &Chosen,
    reason: &str,
    now: Millis,
) -> Result<Acted, StoreError> {
    const END: &str = "DELETE FROM open_work {using} WHERE id = {1}";
    if standing.requests.is_empty() {
        return cancel_whole(tx, standing, chosen, reason, now).await;
    }
    let mut picked: Vec<&Request> = standing.requests.iter().filter(|request| is_cancellable(request)).collect();
    if !chosen.requests.is_empty() {
        for (position, id) in chosen.requests.iter().enumerate() {
            let Some(request) = standing.requests.iter().find(|request| request.id == *id) else {
                return Ok(Acted::NoSuchRequest(position));
            };
            if !is_cancellable(request) && request.status != RequestStatus::Cancelled {
                return Ok(Acted::refused(format!("the request {id} has ended: {}", request.status)));
            }
        }
        picked.retain(|request| chosen.requests.contains(&request.id));
    }
    if picked.is_empty() {
        let is_done = standing.status == DeliveryStatus::Cancelled || !chosen.requests.is_empty();
        return Ok(if is_done { Acted::Done(0) } else { has_ended(standing) });
    }
    let work: BTreeSet<Uuid> = picked.iter().filter_map(|request| Some(request.work?.id)).collect();
    let places = places(tx, &work).await?;
    tx.execute_rows(&Rows::of(END, &work, |id| values![*id])).await?;
    let status = close(tx, standing, &picked, reason, now).await?;
    if !status.is_open() {
        release(tx, &places.into_values().collect::<Vec<_>>(), now).await?;
    }
    Ok(Acted::Done(picked.len() as u64))
}

fn has_ended(standing: &Standing) -> Acted {
    Acted::refused(format!("it has ended: {}", standing.status))
}

/// Marks requests and their delivery; gives how the delivery stands then.
async fn close(
    tx: &mut Tx,
    standing: &Standing,
    picked: &[&Request],
    reason: &str,
    now: Millis,
) -> Result<DeliveryStatus, StoreError> {
    const MARK: &str = "UPDATE requests SET status = {2}, reason = {3}, settled_at = {4} {from} WHERE id = {1}";
    const COUNT: &str = "UPDATE webhook_deliveries SET requests_open = requests_open - $2,
            requests_held = requests_held - $3, requests_cancelled = requests_cancelled + $4, reason = $5
        WHERE id = $1
        RETURNING requests_total, requests_succeeded, requests_open, requests_held, requests_cancelled";
    const SETTLE: &str =
        "UPDATE webhook_deliveries SET status = $2, settled_at = coalesce(settled_at, $3) WHERE id = $1";
    let rows =
        Rows::of(MARK, picked, |request| values![request.id.uuid(), RequestStatus::Cancelled.as_str(), reason, now.0]);
    tx.execute_rows(&rows).await?;
    let count = |of: &dyn Fn(&&&Request) -> bool| i64::try_from(picked.iter().filter(of).count()).unwrap_or(i64::MAX);
    let values = values![
        standing.id.uuid(),
        count(&|request| request.work.is_some()),
        count(&|request| request.work.is_none() && request.status == RequestStatus::Held),
        count(&|_| true),
        reason,
    ];
    let counts: Vec<TallyRow> = tx.fetch(COUNT, &values).await?;
    let status = tally(counts.first().copied().unwrap_or_default()).status(standing.was_tried());
    let settled_at = (!status.is_open()).then_some(now.0);
    tx.execute(SETTLE, &values![standing.id.uuid(), status.as_str(), settled_at]).await?;
    Ok(status)
}

/// Gives up a delivery of which there are no requests: its plugin is still to be run, or it is parked.
async fn cancel_whole(
    tx: &mut Tx,
    standing: &Standing,
    chosen: &Chosen,
    reason: &str,
    now: Millis,
) -> Result<Acted, StoreError> {
    const END: &str = "DELETE FROM open_work WHERE id = $1";
    const SETTLE: &str = "UPDATE webhook_deliveries SET status = $2, reason = $3, settled_at = $4 WHERE id = $1";
    if !chosen.requests.is_empty() {
        return Ok(Acted::NoSuchRequest(0));
    }
    let work = standing.work.iter().find(|work| work.kind == WorkKind::Transform);
    match (work, standing.status) {
        (Some(_), _) => {}
        (None, DeliveryStatus::Cancelled) => return Ok(Acted::Done(0)),
        (None, DeliveryStatus::Parked) if !standing.is_reprocessed => {}
        (None, DeliveryStatus::Parked) => return Ok(Acted::refused("it was reprocessed")),
        (None, DeliveryStatus::Collecting) => {
            if !take_out(tx, standing.id).await? {
                return Err(StoreError::Contended);
            }
        }
        (None, _) => return Ok(has_ended(standing)),
    }
    let id = standing.id.uuid();
    let places = places(tx, &BTreeSet::from([id])).await?;
    tx.execute(END, &values![id]).await?;
    tx.execute(SETTLE, &values![id, DeliveryStatus::Cancelled.as_str(), reason, now.0]).await?;
    release(tx, &places.into_values().collect::<Vec<_>>(), now).await?;
    Ok(Acted::Done(1))
}
