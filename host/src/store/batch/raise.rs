//! Events of the server's own: stored in the transaction of what they tell of. Who wants them is found out in a step, as the
//! rest of a wide event is done in steps.

use super::super::StoreError;
use super::super::db::Tx;
use super::super::rows::Rows;
use super::super::value::values;
use super::accepts::insert_events;
use crate::domain::event::Event;

/// Stores these events, each with a step that names no webhooks: it is for those that want it.
pub(in super::super) async fn raise(tx: &mut Tx, events: &[&Event]) -> Result<(), StoreError> {
    const INSERT: &str =
        "INSERT INTO fan_out_steps (event_id, step, project_id, webhooks, due_at, lease_token) {values}";
    insert_events(tx, events.iter().copied()).await?;
    let rows = Rows::of(INSERT, events, |event| {
        values![event.id.uuid(), 0_i64, event.project.uuid(), Vec::new(), 0_i64, None::<i64>]
    });
    tx.execute_rows(&rows).await?;
    Ok(())
}
