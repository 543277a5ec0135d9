//! Events of the server's own: stored in the transaction of what they tell of. Who wants them is found out in a step, as the
//! rest of a wide event is done in steps.

use super::super::StoreError;
use super::super::db::Tx;
use super::super::rows::Rows;
use super::super::value::values;
use super::accepts::insert_events;
use crate::domain::delivery::Trigger;
use crate::domain::event::Event;

/// Stores these events, each with a step that names no webhooks: it is for those that want it.
pub(in super::super) async fn raise(tx: &mut Tx, events: &[&Event]) -> Result<(), StoreError> {
    raise_by(tx, events, Trigger::Event).await
}

/// The same for events that something else than what happens emits; their deliveries say what.
pub(in super::super) async fn raise_by(tx: &mut Tx, events: &[&Event], trigger: Trigger) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO fan_out_steps
        (event_id, step, project_id, webhooks, due_at, trigger_kind, lease_token) {values}";
    insert_events(tx, events.iter().copied()).await?;
    let rows = Rows::of(INSERT, events, |event| {
        values![event.id.uuid(), 0_i64, event.project.uuid(), Vec::new(), 0_i64, trigger.as_str(), None::<i64>]
    });
    tx.execute_rows(&rows).await?;
    Ok(())
}
