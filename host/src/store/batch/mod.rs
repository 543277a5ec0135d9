//! A group of records written in one transaction, with one statement for each table.

mod accepts;
mod finishes;
mod transforms;
mod work;

use std::collections::HashSet;

use uuid::Uuid;

use super::StoreError;
use super::claims::{self, Claim, Claimed};
use super::db::Tx;
use super::record::{Accept, Accepted, Finish, Finished, Freeze, Lease, Postpone, Settle};

/// Records that share a commit.
#[derive(Debug, Default)]
pub(super) struct Batch<'a> {
    pub(super) accepts: Vec<&'a Accept>,
    pub(super) freezes: Vec<&'a Freeze>,
    pub(super) settles: Vec<&'a Settle>,
    pub(super) postpones: Vec<&'a Postpone>,
    pub(super) finishes: Vec<&'a Finish>,
    pub(super) claims: Vec<&'a Claim>,
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
}

impl Batch<'_> {
    /// Writes everything on an open transaction.
    pub(super) async fn write(&self, tx: &mut Tx) -> Result<Done, StoreError> {
        let held = work::held(tx, &self.leases()).await?;
        let accepts = accepts::write(tx, &self.accepts).await?;
        let freezes = transforms::freeze(tx, &self.freezes, &held).await?;
        let settles = transforms::settle(tx, &self.settles, &held).await?;
        let postpones = transforms::postpone(tx, &self.postpones, &held).await?;
        let finishes = finishes::write(tx, &self.finishes, &held).await?;
        let mut claimed = Vec::with_capacity(self.claims.len());
        for claim in &self.claims {
            claimed.push(claims::claim(tx, claim).await?);
        }
        Ok(Done { accepts, freezes, settles, postpones, finishes, claims: claimed })
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

/// Work on which the lease still holds.
type Held = HashSet<(Uuid, i64)>;

fn holds(held: &Held, work: Uuid, lease: Lease) -> bool {
    held.contains(&(work, lease.token))
}
