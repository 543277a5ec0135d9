//! Work that is given back because its plugin is paused, though by now it need not wait: whoever resumed the plugin, or moved
//! the webhook to another version, could not see work that was in hand, so nobody else would ever make it due.

use std::collections::HashSet;

use uuid::Uuid;

use super::super::StoreError;
use super::super::db::Tx;
use super::super::record::Postpone;
use super::super::rows::Rows;
use super::super::value::values;
use crate::domain::clock::Millis;

/// A delivery that waits for a paused plugin, when its plugin was paused, the versions that it and its webhook have, and the
/// revision that its webhook has.
type Waiting = (Uuid, Option<i64>, Option<Uuid>, Option<Uuid>, i64);

/// The work among it that need not wait. A delivery whose webhook has another version by now, or no plugin, takes that:
/// nothing of it was sent yet.
pub(super) async fn ended_meanwhile(tx: &mut Tx, postpones: &[&Postpone]) -> Result<HashSet<Uuid>, StoreError> {
    const SELECT: &str =
        "SELECT o.id, p.paused_at, c.plugin_version_id, n.plugin_version_id, n.revision FROM open_work o
        JOIN webhook_deliveries d ON d.id = o.id
        JOIN webhook_configurations c ON c.webhook_id = d.webhook_id AND c.revision = d.revision
        JOIN plugin_versions p ON p.id = c.plugin_version_id
        JOIN webhooks w ON w.id = d.webhook_id
        JOIN webhook_configurations n ON n.webhook_id = w.id AND n.revision = w.revision
        {join} WHERE o.id = {1}";
    // The locks make a change that is on its way come wholly before or wholly after.
    const SELECT_LOCKED: &str =
        "SELECT o.id, p.paused_at, c.plugin_version_id, n.plugin_version_id, n.revision FROM open_work o
        JOIN webhook_deliveries d ON d.id = o.id
        JOIN webhook_configurations c ON c.webhook_id = d.webhook_id AND c.revision = d.revision
        JOIN plugin_versions p ON p.id = c.plugin_version_id
        JOIN webhooks w ON w.id = d.webhook_id
        JOIN webhook_configurations n ON n.webhook_id = w.id AND n.revision = w.revision
        {join} WHERE o.id = {1} FOR SHARE OF w, p";
    const MOVE: &str = "UPDATE webhook_deliveries SET revision = {2} {from} WHERE id = {1}";
    let waiting = postpones.iter().filter(|postpone| postpone.due == Millis::ON_RESUME).map(|postpone| postpone.work);
    let select = if tx.locks_rows() { SELECT_LOCKED } else { SELECT };
    let found: Vec<Waiting> = tx.fetch_rows(&Rows::of(select, waiting, |id| values![id])).await?;
    let (mut moved, mut ended) = (Vec::new(), HashSet::new());
    for (id, paused_at, own, current, revision) in found {
        if own != current {
            moved.push((id, revision));
        }
        if own != current || paused_at.is_none() {
            ended.insert(id);
        }
    }
    tx.execute_rows(&Rows::of(MOVE, moved, |(id, revision)| values![id, revision])).await?;
    Ok(ended)
}
