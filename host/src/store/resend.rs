//! Deliveries that a person has sent again, or gives up: one, or many in steps of a job. Whatever is done to one depends on
//! how it stands in the same transaction, so that nothing is done twice.

mod cancel;
mod many;
mod standing;

use uuid::Uuid;

pub use many::Many;
pub(super) use standing::lock;
use standing::{Request, Standing};

use super::db::{Tx, again};
use super::idempotency::{self, Used};
use super::record::WorkKind;
use super::remake::{DISABLED, GONE};
use super::rows::Rows;
use super::value::values;
use super::{Store, StoreError, nodes};
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, RequestStatus, Trigger};
use crate::domain::event::Idempotency;
use crate::domain::id::{DeliveryId, ProjectId, RequestId};

/// Which requests of a delivery something is done to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// These; all that it makes sense for when there are none.
    pub requests: Vec<RequestId>,
    /// Also those that have arrived, if they are named.
    pub include_succeeded: bool,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acted {
    /// It was done to so many requests, or to the delivery itself.
    Done(u64),
    /// There is no such delivery.
    NotThere,
    /// It has no such request; which of the chosen ones.
    NoSuchRequest(usize),
    /// It does not stand so that it can be done.
    Refused(String),
    /// The key was used for something else.
    KeyReused,
}

impl Acted {
    fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }
}

impl Store {
    /// Sends again, now, what of a delivery did not arrive, under the same ids and with the same bytes. What is to be tried
    /// again anyway is due now. The same key again does nothing.
    pub async fn resend(
        &self,
        project: ProjectId,
        id: DeliveryId,
        chosen: Chosen,
        key: Option<Idempotency>,
        now: Millis,
    ) -> Result<Acted, StoreError> {
        let (store, others_idle) = (self.clone(), self.others_idle());
        let act = async move |tx: &mut Tx| {
            match idempotency::used(tx, key, now).await? {
                Some(Used::Same(before)) if before == id.uuid() => return Ok(Acted::Done(0)),
                Some(_) => return Ok(Acted::KeyReused),
                None => {}
            }
            let Some(standing) = lock(tx, project, id).await? else { return Ok(Acted::NotThere) };
            let acted = resend(tx, &standing, &chosen, now).await?;
            if matches!(acted, Acted::Done(_)) {
                idempotency::keep(tx, key, project, id.uuid(), now).await?;
                store.note(tx).await?;
                if others_idle {
                    nodes::notify(tx).await?;
                }
            }
            Ok(acted)
        };
        let acted = again!({
            let act = act.clone();
            self.db.transact(move |tx| Box::pin(async move { act(tx).await })).await
        })?;
        self.release();
        Ok(acted)
    }
}

/// Why a webhook gets nothing now; it stays as it is until the transaction ends.
async fn unwilling(tx: &mut Tx, standing: &Standing) -> Result<Option<&'static str>, StoreError> {
    const SELECT: &str = "SELECT enabled, deleted_at IS NOT NULL FROM webhooks WHERE id = $1";
    const SELECT_LOCKED: &str = "SELECT enabled, deleted_at IS NOT NULL FROM webhooks WHERE id = $1 FOR SHARE";
    let select = if tx.locks_rows() { SELECT_LOCKED } else { SELECT };
    let rows: Vec<(bool, bool)> = tx.fetch(select, &values![standing.webhook.uuid()]).await?;
    Ok(match rows.first() {
        None | Some((_, true)) => Some(GONE),
        Some((false, _)) if standing.trigger != Trigger::Test => Some(DISABLED),
        Some(_) => None,
    })
}

/// Sends again what is chosen of a delivery.
pub(super) async fn resend(
    tx: &mut Tx,
    standing: &Standing,
    chosen: &Chosen,
    now: Millis,
) -> Result<Acted, StoreError> {
    if let Some(why) = unwilling(tx, standing).await? {
        return Ok(Acted::refused(why));
    }
    if let Some(since) = standing.removed_at {
        return Ok(Acted::refused(format!("what was sent is no longer kept since {since}")));
    }
    if standing.requests.is_empty() {
        return transform_now(tx, standing, chosen, now).await;
    }
    let picked = match picked(standing, chosen) {
        Ok(picked) => picked,
        Err(acted) => return Ok(acted),
    };
    for request in &picked {
        if let Some(why) = cannot(standing, request) {
            return Ok(Acted::refused(why));
        }
    }
    let (open, closed): (Vec<&Request>, Vec<&Request>) = picked.iter().partition(|request| request.work.is_some());
    due_now(tx, &open.iter().map(|request| request.id.uuid()).collect::<Vec<_>>(), now).await?;
    reopen(tx, standing, &closed, now).await?;
    Ok(Acted::Done(picked.len() as u64))
}

/// The requests that are meant: those that did not arrive, or those that are named.
fn picked<'a>(standing: &'a Standing, chosen: &Chosen) -> Result<Vec<&'a Request>, Acted> {
    let has_arrived = |request: &&Request| request.status == RequestStatus::Succeeded;
    if chosen.requests.is_empty() {
        let picked: Vec<&Request> = standing.requests.iter().filter(|request| !has_arrived(request)).collect();
        return if picked.is_empty() { Err(Acted::refused(ALL_ARRIVED)) } else { Ok(picked) };
    }
    let mut picked = Vec::with_capacity(chosen.requests.len());
    for (position, id) in chosen.requests.iter().enumerate() {
        let request = standing.requests.iter().find(|request| request.id == *id);
        let request = request.ok_or(Acted::NoSuchRequest(position))?;
        if has_arrived(&request) && !chosen.include_succeeded {
            return Err(Acted::refused(format!(
                "the request {id} has arrived; `include_succeeded` sends it once more"
            )));
        }
        if picked.iter().all(|other: &&Request| other.id != *id) {
            picked.push(request);
        }
    }
    Ok(picked)
}

const ALL_ARRIVED: &str =
    "every request has arrived; to send one once more, name it in `requests` and say `include_succeeded`";
const BEING_SENT: &str = "it is being sent right now; look at its result first";
const WAITS_ITS_TURN: &str = "it waits for an earlier delivery of its webhook";

fn cannot(standing: &Standing, request: &Request) -> Option<&'static str> {
    match request.work {
        Some(work) if work.is_leased => Some(BEING_SENT),
        Some(work) if work.is_blocked => Some(WAITS_ITS_TURN),
        None if request.is_gone || (!request.is_frozen && !standing.has_payload) => {
            Some("what was sent is no longer kept")
        }
        Some(_) | None => None,
    }
}

/// A delivery without requests can only be hurried, when its plugin is still to be run.
async fn transform_now(tx: &mut Tx, standing: &Standing, chosen: &Chosen, now: Millis) -> Result<Acted, StoreError> {
    if !chosen.requests.is_empty() {
        return Ok(Acted::NoSuchRequest(0));
    }
    let Some(work) = standing.work.first() else {
        return Ok(Acted::refused(match standing.status {
            DeliveryStatus::Parked => "it is parked and has no requests; reprocess it".to_owned(),
            DeliveryStatus::Collecting => "it waits for its webhook's digest; send that now instead".to_owned(),
            DeliveryStatus::Collected => "it went out in a digest; send the digest's delivery again".to_owned(),
            status => format!("it is {status} and has no requests; replay its event"),
        }));
    };
    let why = match work {
        work if work.is_leased => Some(BEING_SENT),
        work if work.is_blocked => Some(WAITS_ITS_TURN),
        work if work.due == Millis::ON_RESUME => Some("its plugin is paused; resume it"),
        _ => None,
    };
    if let Some(why) = why {
        return Ok(Acted::refused(why));
    }
    due_now(tx, &[work.id], now).await?;
    Ok(Acted::Done(1))
}

async fn due_now(tx: &mut Tx, work: &[Uuid], now: Millis) -> Result<(), StoreError> {
    const UPDATE: &str =
        "UPDATE open_work SET due_at = {2} {from} WHERE id = {1} AND due_at > {2} AND lease_token IS NULL";
    tx.execute_rows(&Rows::of(UPDATE, work, |id| values![*id, now.0])).await?;
    Ok(())
}

/// Makes requests that were done with open again, due now. Their attempts are counted on; their schedule begins anew.
async fn reopen(tx: &mut Tx, standing: &Standing, closed: &[&Request], now: Millis) -> Result<(), StoreError> {
    const OPEN: &str = "INSERT INTO open_work
            (id, kind, project_id, webhook_id, due_at, attempts, schedule_from, order_key, sequence, by_hand) {values}";
    const MARK: &str = "INSERT INTO requests (id, project_id, status, reason, settled_at) {values}
        ON CONFLICT (id) DO UPDATE SET status = excluded.status, reason = NULL, settled_at = NULL";
    // The request of a webhook without plugin that was never tried needs no row: it follows from its delivery again.
    const FORGET: &str = "DELETE FROM requests {using} WHERE id = {1} AND spec IS NULL";
    const UPDATE: &str = "UPDATE webhook_deliveries SET requests_open = requests_open + $2,
            requests_succeeded = requests_succeeded - $3, requests_held = requests_held - $4,
            requests_cancelled = requests_cancelled - $5, status = $6, reason = NULL, settled_at = NULL
        WHERE id = $1";
    if closed.is_empty() {
        return Ok(());
    }
    let (project, webhook) = (standing.project.uuid(), standing.webhook.uuid());
    // Whoever waits for what is still open of it waits for this too. What is all done with keeps nobody waiting any more.
    let place = standing.work.iter().find_map(|work| work.place);
    let rows = Rows::of(OPEN, closed, |request| {
        values![
            request.id.uuid(),
            WorkKind::Send.number(),
            project,
            webhook,
            now.0,
            request.attempts,
            request.attempts,
            place.map(|(key, _)| key),
            place.map(|(_, sequence)| sequence),
            standing.trigger.is_by_hand(),
        ]
    });
    tx.execute_rows(&rows).await?;
    let (plain, known): (Vec<&&Request>, Vec<&&Request>) =
        closed.iter().partition(|request| request.attempts == 0 && !request.is_frozen);
    let rows = Rows::of(MARK, known, |request| {
        let status = if request.attempts == 0 { RequestStatus::Pending } else { RequestStatus::Retrying };
        values![request.id.uuid(), project, status.as_str(), None::<&str>, None::<i64>]
    });
    tx.execute_rows(&rows).await?;
    tx.execute_rows(&Rows::of(FORGET, plain, |request| values![request.id.uuid()])).await?;
    let were = |status| closed.iter().filter(|request| request.status == status).count();
    let count = |status| i64::try_from(were(status)).unwrap_or(i64::MAX);
    let status = if standing.was_tried() { DeliveryStatus::Retrying } else { DeliveryStatus::Pending };
    let values = values![
        standing.id.uuid(),
        i64::try_from(closed.len()).unwrap_or(i64::MAX),
        count(RequestStatus::Succeeded),
        count(RequestStatus::Held),
        count(RequestStatus::Cancelled),
        status.as_str(),
    ];
    tx.execute(UPDATE, &values).await?;
    Ok(())
}
