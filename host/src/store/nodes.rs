//! The nodes that share a PostgreSQL: who is there, who has time for more, and a word to wake them.

use std::sync::atomic::Ordering;

use sqlx::postgres::{PgListener, PgPoolOptions};

use super::db::{Db, Tx};
use super::value::values;
use super::{Store, StoreError};
use crate::domain::clock::Millis;

/// A node that was not heard of for so long, in milliseconds, is not counted on.
const SILENT_MS: u64 = 5_000;
/// A node that was not heard of for so long, in milliseconds, is forgotten.
const GONE_MS: u64 = 60_000;

/// The channel on which nodes are told that there is work.
const CHANNEL: &str = "hookwright_work";

/// Tells idle nodes, when the transaction commits, that there is work.
pub(super) async fn notify(tx: &mut Tx) -> Result<(), StoreError> {
    const NOTIFY: &str = "SELECT pg_notify('hookwright_work', '')";
    tx.execute(NOTIFY, &[]).await?;
    Ok(())
}

/// Hears when another node has left work for this one.
#[derive(Debug)]
pub struct WakeUps(PgListener);

impl WakeUps {
    /// Waits for the next word. A lost connection is made again, and counts as one: what was said meanwhile was not heard.
    pub async fn next(&mut self) -> Result<(), StoreError> {
        self.0.try_recv().await.map(drop).map_err(StoreError::from)
    }
}

impl Store {
    /// Whether other nodes may share the database.
    pub fn is_shared(&self) -> bool {
        matches!(self.db, Db::Postgres(_))
    }

    /// Says that this node is there, and learns whether another one has time for more.
    pub async fn beat(&self, is_idle: bool, now: Millis) -> Result<(), StoreError> {
        const UPSERT: &str = "INSERT INTO nodes (id, seen_at, is_idle) VALUES ($1, $2, $3)
            ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, is_idle = excluded.is_idle";
        const FORGET: &str = "DELETE FROM nodes WHERE seen_at < $1";
        const OTHERS: &str = "SELECT count(*) FROM nodes WHERE id <> $1 AND is_idle = $2 AND seen_at >= $3";
        let node = self.node;
        let since = move |ms: u64| now.0.saturating_sub(i64::try_from(ms).unwrap_or(i64::MAX));
        let idle: Vec<(i64,)> = self
            .db
            .transact(move |tx| {
                Box::pin(async move {
                    tx.execute(UPSERT, &values![node, now.0, is_idle]).await?;
                    tx.execute(FORGET, &values![since(GONE_MS)]).await?;
                    tx.fetch(OTHERS, &values![node, true, since(SILENT_MS)]).await
                })
            })
            .await?;
        self.writer.others_idle().store(idle.first().is_some_and(|(count,)| *count > 0), Ordering::Relaxed);
        Ok(())
    }

    /// Says that this node goes: what it owned is free.
    pub async fn leave(&self) -> Result<(), StoreError> {
        const NODE: &str = "DELETE FROM nodes WHERE id = $1";
        const OWNED: &str = "DELETE FROM webhook_owners WHERE node = $1";
        let node = self.node;
        self.db
            .transact(move |tx| {
                Box::pin(async move {
                    tx.execute(NODE, &values![node]).await?;
                    tx.execute(OWNED, &values![node]).await.map(drop)
                })
            })
            .await
    }

    /// A connection of its own on which this node is told that there is work; none where no other node can be.
    pub async fn wake_ups(&self) -> Result<Option<WakeUps>, StoreError> {
        let Db::Postgres(pool) = &self.db else { return Ok(None) };
        let own = PgPoolOptions::new().max_connections(1).connect_lazy_with((*pool.connect_options()).clone());
        let mut listener = PgListener::connect_with(&own).await?;
        listener.listen(CHANNEL).await?;
        Ok(Some(WakeUps(listener)))
    }
}
