//! A group of records written in one transaction, with one statement for each table.

mod accepts;
mod digests;
mod facts;
mod failures;
mod fan_out;
mod finishes;
mod late;
mod order;
mod pauses;
mod raise;
mod transforms;
mod work;

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

pub(super) use accepts::{EXPIRE_KEY, KNOWN_KEY, Made, TAKE_KEY, insert_deliveries, insert_events};
pub(super) use finishes::disable;
use order::Places;
pub(super) use order::{held as places, release};
pub(super) use raise::{raise, raise_by};

use super::StoreError;
use super::claims::{self, Claim, Claimed};
use super::db::Tx;
use super::nodes;
use super::record::{Accept, Accepted, Beginning, Finish, Finished, Freeze, Lease, NewDelivery, Postpone, Settle};
use crate::domain::clock::Millis;

/// Records that share a commit.
#[derive(Debug, Default)]
pub(super) struct Batch<'a> {
    pub(super) accepts: Vec<&'a Accept>,
    pub(super) freezes: Vec<&'a Freeze>,
    pub(super) settles: Vec<&'a Settle>,
    pub(super) postpones: Vec<&'a Postpone>,
    pub(super) finishes: Vec<&'a Finish>,
    pub(super) claims: Vec<&'a Claim>,
    /// Whether another node has time for what is left here.
    pub(super) others_idle: bool,
}

/// What the records did, in their order; to be told only once they are committed.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// For each accept what its events came to.
    pub(super) accepts: Vec<Vec<Accepted>>,
    /// Whether the lease still held.
    pub(super) freezes: Vec<bool>,
    pub(super) settles: Vec<bool>,
    pub(super) postpones: Vec<bool>,
    pub(super) finishes: Vec<Finished>,
    pub(super) claims: Vec<Claimed>,
    /// How many deliveries waited for those that are settled now, or for a plugin that they need not wait for.
    pub(super) released: u64,
}

impl Batch<'_> {
    /// Writes everything on an open transaction.
    pub(super) async fn write(&self, tx: &mut Tx) -> Result<Done, StoreError> {
        let held = work::held(tx, &self.leases()).await?;
        let accepts = accepts::write(tx, &self.accepts).await?;
        let places = order::held(tx, &self.ordered()).await?;
        let freezes = transforms::freeze(tx, &self.freezes, &held, &places).await?;
        let settles = transforms::settle(tx, &self.settles, &held).await?;
        let (postpones, looks_again) = transforms::postpone(tx, &self.postpones, &held).await?;
        let finishes = finishes::write(tx, &self.finishes, &held, &places).await?;
        let released = looks_again + self.release(tx, &places, &settles, &finishes).await?;
        if self.others_idle && self.leaves_work() {
            nodes::notify(tx).await?;
        }
        let mut claimed = Vec::with_capacity(self.claims.len());
        for claim in &self.claims {
            claimed.push(claims::claim(tx, claim).await?);
        }
        Ok(Done { accepts, freezes, settles, postpones, finishes, claims: claimed, released })
    }

    /// Whether there is new work that nobody holds.
    fn leaves_work(&self) -> bool {
        let deliveries = self.accepts.iter().flat_map(|accept| &accept.events).flat_map(|event| &event.deliveries);
        let is_left = |delivery: &NewDelivery| matches!(delivery.beginning, Beginning::Open { lease: None, .. });
        deliveries.into_iter().any(is_left)
    }

    /// The work among it that others may wait for.
    fn ordered(&self) -> BTreeSet<Uuid> {
        let freezes = self.freezes.iter().filter(|freeze| freeze.is_ordered).map(|freeze| freeze.delivery.uuid());
        let settles = self.settles.iter().filter(|settle| settle.is_ordered).map(|settle| settle.delivery.uuid());
        let finishes = self.finishes.iter().filter(|finish| finish.is_ordered).flat_map(|finish| held_or_sent(finish));
        freezes.chain(settles).chain(finishes).collect()
    }

    /// Lets what waited for deliveries that are settled now go on.
    async fn release(
        &self,
        tx: &mut Tx,
        places: &Places,
        settled: &[bool],
        finished: &[Finished],
    ) -> Result<u64, StoreError> {
        let mut free = Vec::new();
        let mut now = Millis(0);
        for (settle, settled) in self.settles.iter().zip(settled) {
            if *settled && let Some(place) = places.get(&settle.delivery.uuid()) {
                free.push(*place);
                now = now.max(settle.now);
            }
        }
        for (finish, finished) in self.finishes.iter().zip(finished) {
            if !finished.delivery.is_open()
                && let Some(place) = held_or_sent(finish).iter().find_map(|work| places.get(work))
            {
                free.push(*place);
                now = now.max(finish.now);
            }
        }
        order::release(tx, &free, now).await
    }

    /// The work that records are about, with the leases they were done under.
    fn leases(&self) -> Vec<(Uuid, Lease)> {
        let freezes = self.freezes.iter().map(|freeze| (freeze.delivery.uuid(), freeze.lease));
        let settles = self.settles.iter().map(|settle| (settle.delivery.uuid(), settle.lease));
        let postpones = self.postpones.iter().map(|postpone| (postpone.work, postpone.lease));
        let finishes = self.finishes.iter().map(|finish| (finish.held(), finish.lease));
        freezes.chain(settles).chain(postpones).chain(finishes).collect()
    }
}

/// The work that a result's lease was on, and the request itself: whoever is late may find that its requests were fixed by
/// another.
fn held_or_sent(finish: &Finish) -> [Uuid; 2] {
    [finish.held(), finish.request.uuid()]
}

/// Work on which the lease still holds, and how often it was tried.
type Held = HashMap<(Uuid, i64), i64>;

fn holds(held: &Held, work: Uuid, lease: Lease) -> bool {
    held.contains_key(&(work, lease.token))
}
