//! Events with more deliveries than one commit should make: what is left is kept as steps, and each is done once.

use std::collections::HashSet;

use uuid::Uuid;

use super::super::StoreError;
use super::super::db::Tx;
use super::super::fan_out::packed;
use super::super::record::{FanOut, NewEvent};
use super::super::rows::Rows;
use super::super::value::values;

/// Keeps what is to be made later.
pub(super) async fn begin(tx: &mut Tx, events: &[&NewEvent]) -> Result<(), StoreError> {
    const INSERT: &str =
        "INSERT INTO fan_out_steps (event_id, step, project_id, webhooks, due_at, lease_token) {values}";
    let steps = events.iter().flat_map(|new| match &new.fan_out {
        FanOut::Begin { later, .. } => {
            (0_i64..).zip(later).map(|(step, webhooks)| (&new.event, step, webhooks)).collect()
        }
        FanOut::Known | FanOut::Step { .. } => Vec::new(),
    });
    let rows = Rows::of(INSERT, steps, |(event, step, webhooks)| {
        // Due at once, whatever this machine's clock says.
        values![event.id.uuid(), step, event.project.uuid(), packed(webhooks), 0_i64, None::<i64>]
    });
    tx.execute_rows(&rows).await?;
    Ok(())
}

/// Steps that were still to be done, and are no more.
pub(super) struct Ended(HashSet<(Uuid, i64)>);

impl Ended {
    /// Whether an event's deliveries are those of a step that somebody else does.
    pub(super) fn is_taken(&self, new: &NewEvent) -> bool {
        match new.fan_out {
            FanOut::Begin { .. } | FanOut::Known => false,
            FanOut::Step { step, .. } => !self.0.contains(&(new.event.id.uuid(), step)),
        }
    }
}

/// Ends the steps whose deliveries are about to be made, if their leases still hold.
pub(super) async fn end(tx: &mut Tx, events: impl Iterator<Item = &NewEvent>) -> Result<Ended, StoreError> {
    const DELETE: &str = "DELETE FROM fan_out_steps {using} WHERE event_id = {1} AND step = {2} AND lease_token = {3}
        RETURNING event_id, step";
    let steps = events.filter_map(|new| match new.fan_out {
        FanOut::Step { step, lease } => Some((new.event.id.uuid(), step, lease.token)),
        FanOut::Begin { .. } | FanOut::Known => None,
    });
    let rows = Rows::of(DELETE, steps, |(event, step, token)| values![event, step, token]);
    Ok(Ended(tx.fetch_rows(&rows).await?.into_iter().collect()))
}
