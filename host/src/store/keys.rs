//! Keys that are replaced: what they sealed is sealed anew, and then they go. All of it beside running servers.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::db::Tx;
use super::keyring::key_of;
use super::value::values;
use super::{KeyRing, Store, StoreError, sealed};
use crate::domain::entropy::Entropy;
use crate::domain::id::WebhookId;

/// A step of sealing anew.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Values that were sealed anew.
    pub resealed: u64,
    /// Webhooks whose values cannot be opened; they stay as they are.
    pub unreadable: Vec<WebhookId>,
    /// After which webhook the next step goes on; none at the end.
    pub next: Option<WebhookId>,
}

impl Store {
    /// The keys.
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// How many values each key has sealed.
    pub async fn sealed_by(&self) -> Result<BTreeMap<u32, u64>, StoreError> {
        self.db.transact(move |tx| Box::pin(sealed_by(tx))).await
    }

    /// Seals the next few values anew that another key than the present one has sealed. Every step by itself is whole, so it
    /// can be stopped and begun again at any time.
    pub async fn reseal(
        &self,
        after: Option<WebhookId>,
        limit: u32,
        entropy: &Entropy,
    ) -> Result<Resealed, StoreError> {
        const NEXT: &str = "SELECT id, sealed FROM webhooks WHERE id > $1 AND length(sealed) > 0 ORDER BY id LIMIT $2";
        // Whoever changed it meanwhile has sealed it by the new key.
        const RESEAL: &str = "UPDATE webhooks SET sealed = $3 WHERE id = $1 AND sealed = $2";
        let (store, entropy) = (self.clone(), entropy.clone());
        let step = async move |tx: &mut Tx| {
            let values = values![after.map_or(Uuid::nil(), WebhookId::uuid), i64::from(limit)];
            let rows = tx.fetch::<(Uuid, Vec<u8>)>(NEXT, &values).await?;
            let mut done = Resealed::default();
            if rows.len() == limit as usize {
                done.next = rows.last().map(|(id, _)| WebhookId::from_uuid(*id));
            }
            let sealing = store.keys.ids().first().copied();
            for (id, old) in rows {
                if key_of(&old).ok() == sealing {
                    continue;
                }
                match sealed::reseal(&store.keys, WebhookId::from_uuid(id), &old, &entropy) {
                    Ok(new) => done.resealed += tx.execute(RESEAL, &values![id, &old[..], new]).await?,
                    Err(_) => done.unreadable.push(WebhookId::from_uuid(id)),
                }
            }
            Ok(done)
        };
        self.db.transact(move |tx| Box::pin(async move { step(tx).await })).await
    }

    /// Takes keys out of the key file that have sealed nothing that is left; gives their ids.
    pub async fn prune_keys(&self) -> Result<Vec<u32>, StoreError> {
        // Nobody seals until this ends, and then by the file as it is now.
        const LOCK: &str = "SELECT revision FROM subscriptions_revision FOR UPDATE";
        let store = self.clone();
        let prune = async move |tx: &mut Tx| {
            if tx.locks_rows() {
                tx.fetch::<(i64,)>(LOCK, &[]).await?;
            }
            let used: Vec<u32> = sealed_by(tx).await?.into_keys().collect();
            Ok(store.keys.prune(&used)?)
        };
        self.db.transact(move |tx| Box::pin(async move { prune(tx).await })).await
    }
}

async fn sealed_by(tx: &mut Tx) -> Result<BTreeMap<u32, u64>, StoreError> {
    const COUNT: &str = "SELECT substr(sealed, 1, 5), count(*) FROM webhooks WHERE length(sealed) > 0 GROUP BY 1";
    let rows = tx.fetch::<(Vec<u8>, i64)>(COUNT, &[]).await?;
    let count = |(head, count): (Vec<u8>, i64)| Ok((key_of(&head)?, u64::try_from(count).unwrap_or(0)));
    rows.into_iter().map(count).collect()
}
