//! Versions of plugins that are not run because they kept failing. Every node knows them, as it knows the webhooks.

use std::collections::HashMap;

use uuid::Uuid;

use super::batch::raise;
use super::db::{Tx, reading};
use super::value::values;
use super::{Store, StoreError, nodes, webhooks};
use crate::domain::clock::Millis;
use crate::domain::event::Event;
use crate::domain::id::{PluginVersionId, WebhookId};
use crate::domain::plugin::Pause;

impl Store {
    /// Pauses a version: its deliveries wait until it is resumed or their webhooks are moved to another one. False when it is
    /// paused already, or gone. `event` tells of it.
    pub async fn pause_plugin(
        &self,
        id: PluginVersionId,
        pause: &Pause,
        event: Option<Event>,
    ) -> Result<bool, StoreError> {
        const PAUSE: &str = "UPDATE plugin_versions SET paused_at = $2, pause_reason = $3
            WHERE id = $1 AND paused_at IS NULL AND deleted_at IS NULL";
        let Pause { since, reason } = pause.clone();
        let pause = async move |tx: &mut Tx| {
            if tx.execute(PAUSE, &values![id.uuid(), since.0, reason]).await? == 0 {
                return Ok(false);
            }
            raise(tx, &event.iter().collect::<Vec<_>>()).await?;
            webhooks::count_change(tx).await?;
            Ok(true)
        };
        let paused = self.db.transact(move |tx| Box::pin(async move { pause(tx).await })).await?;
        self.sync_subscriptions().await?;
        self.raised();
        Ok(paused)
    }

    /// Lets a version be run again, and what waited for it go on. False when it was not paused.
    pub async fn resume_plugin(&self, id: PluginVersionId, now: Millis) -> Result<bool, StoreError> {
        const RESUME: &str = "UPDATE plugin_versions SET paused_at = NULL, pause_reason = NULL
            WHERE id = $1 AND paused_at IS NOT NULL";
        // More than those that waited for this one: what waits for another is put back by whoever looks at it.
        const WAITING: &str = "UPDATE open_work SET due_at = $1 WHERE due_at = $2 AND webhook_id IN
            (SELECT webhook_id FROM webhook_configurations WHERE plugin_version_id = $3)";
        let store = self.clone();
        let resume = async move |tx: &mut Tx| {
            if tx.execute(RESUME, &values![id.uuid()]).await? == 0 {
                return Ok(false);
            }
            tx.execute(WAITING, &values![now.0, Millis::ON_RESUME.0, id.uuid()]).await?;
            if tx.locks_rows() {
                nodes::notify(tx).await?;
            }
            webhooks::count_change(tx).await?;
            store.note(tx).await?;
            Ok(true)
        };
        let resumed = self.db.transact(move |tx| Box::pin(async move { resume(tx).await })).await?;
        self.sync_subscriptions().await?;
        self.release();
        Ok(resumed)
    }

    /// The versions that are paused.
    pub(super) async fn paused_plugins(&self) -> Result<HashMap<PluginVersionId, Pause>, StoreError> {
        const SELECT: &str = "SELECT id, paused_at, pause_reason FROM plugin_versions
            WHERE paused_at IS NOT NULL AND deleted_at IS NULL";
        let rows: Vec<(Uuid, i64, Option<String>)> =
            reading!(&self.db, pool => sqlx::query_as(SELECT).fetch_all(pool).await?);
        let pause = |(id, since, reason): (Uuid, i64, Option<String>)| {
            let pause = Pause { since: Millis(since), reason: reason.unwrap_or_default() };
            (PluginVersionId::from_uuid(id), pause)
        };
        Ok(rows.into_iter().map(pause).collect())
    }
}

/// Lets what waits for a paused plugin look again: its webhook has another one now, or none.
pub(super) async fn look_again(tx: &mut Tx, webhook: WebhookId, now: Millis) -> Result<(), StoreError> {
    const UPDATE: &str = "UPDATE open_work SET due_at = $1 WHERE webhook_id = $2 AND due_at = $3";
    tx.execute(UPDATE, &values![now.0, webhook.uuid(), Millis::ON_RESUME.0]).await?;
    Ok(())
}
