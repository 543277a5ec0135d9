//! Webhooks at which requests fail. Each node knows which they are, so that a success asks nothing of the database unless
//! there is something to forget.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use uuid::Uuid;

use super::batch::{disable, raise};
use super::db::{Tx, reading};
use super::value::values;
use super::{Store, StoreError};
use crate::domain::clock::Millis;
use crate::domain::event::Event;
use crate::domain::giving_up::GivingUp;
use crate::domain::id::WebhookId;

/// What this node knows.
#[derive(Debug, Default)]
pub(super) struct Failures {
    known: Mutex<HashSet<WebhookId>>,
    /// How many are known: mostly none, and this is asked for every result.
    count: AtomicUsize,
}

impl Failures {
    fn change(&self, change: impl FnOnce(&mut HashSet<WebhookId>)) {
        let mut known = self.known.lock();
        change(&mut known);
        self.count.store(known.len(), Ordering::Relaxed);
    }
}

impl Store {
    /// Whether requests of a webhook are known to fail.
    pub fn is_failing(&self, webhook: WebhookId) -> bool {
        self.failures.count.load(Ordering::Relaxed) > 0 && self.failures.known.lock().contains(&webhook)
    }

    /// Takes note of whether requests of a webhook fail, as it was stored.
    pub fn note_failing(&self, webhook: WebhookId, is_failing: bool) {
        self.failures.change(|known| {
            if is_failing {
                known.insert(webhook);
            } else {
                known.remove(&webhook);
            }
        });
    }

    /// Learns from the database at which webhooks requests fail.
    pub async fn sync_failing(&self) -> Result<(), StoreError> {
        const SELECT: &str = "SELECT webhook_id FROM webhook_failures";
        let failing: Vec<(Uuid,)> = reading!(&self.db, pool => sqlx::query_as(SELECT).fetch_all(pool).await?);
        self.failures.change(|known| *known = failing.into_iter().map(|(id,)| WebhookId::from_uuid(id)).collect());
        Ok(())
    }

    /// Disables a webhook at which nothing arrives, if that still holds; `event` tells of it. False when it does not.
    pub async fn give_up(
        &self,
        webhook: WebhookId,
        policy: GivingUp,
        reason: String,
        event: Option<Arc<Event>>,
        now: Millis,
    ) -> Result<bool, StoreError> {
        const FORGET: &str =
            "DELETE FROM webhook_failures WHERE webhook_id = $1 AND since_at <= $2 AND deliveries >= $3";
        let since = now.0.saturating_sub(i64::try_from(policy.no_success_ms).unwrap_or(i64::MAX));
        let give_up = async move |tx: &mut Tx| {
            let values = values![webhook.uuid(), since, i64::from(policy.failed_deliveries)];
            if tx.execute(FORGET, &values).await? == 0 || !disable(tx, webhook, &reason, now).await? {
                return Ok(false);
            }
            raise(tx, &event.as_deref().into_iter().collect::<Vec<_>>()).await?;
            Ok(true)
        };
        let given_up = self.db.transact(move |tx| Box::pin(async move { give_up(tx).await })).await?;
        self.note_failing(webhook, false);
        self.sync_subscriptions().await?;
        self.raised();
        Ok(given_up)
    }
}

/// Begins to count anew.
pub(super) async fn forget(tx: &mut Tx, webhook: WebhookId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM webhook_failures WHERE webhook_id = $1", &values![webhook.uuid()]).await?;
    Ok(())
}
