//! Keys that are replaced: nothing that was sealed is lost, and none goes that is needed.

use secrecy::ExposeSecret as _;

use super::on_both;
use super::stage::{NOW, Stage};
use crate::domain::entropy::Entropy;
use crate::domain::id::{DEFAULT_PROJECT, WebhookId};
use crate::domain::webhook::Webhook;
use crate::store::{KeyRingError, OpenWork, Resealed, Store, StoreError};

on_both!(
    what_an_older_key_sealed_is_sealed_anew_in_steps,
    a_store_that_has_not_read_the_new_key_opens_and_seals_by_it,
    a_key_that_something_needs_is_not_taken_away,
    what_no_key_opens_is_named_and_left_as_it_is,
    sealing_anew_is_no_change_of_a_webhook,
    a_database_is_looked_after_without_touching_what_is_in_hand,
);

impl Stage {
    async fn sealed_webhooks(&self, number: usize) -> Vec<Webhook> {
        let mut webhooks = Vec::new();
        for _ in 0..number {
            webhooks.push(self.stored_webhook().await);
        }
        webhooks.sort_by_key(|webhook| webhook.id.uuid());
        webhooks
    }
}

async fn opens(store: &Store, webhooks: &[Webhook]) {
    for webhook in webhooks {
        let found = store.webhook(DEFAULT_PROJECT, webhook.id).await.unwrap().unwrap();
        assert_eq!(found.secrets.url, webhook.secrets.url);
        assert_eq!(found.secrets.plugin["key"].expose_secret(), webhook.secrets.plugin["key"].expose_secret());
        assert_eq!(found.secrets.signing_keys[0].secret.to_text(), webhook.secrets.signing_keys[0].secret.to_text());
    }
}

async fn sealed_by(store: &Store) -> Vec<(u32, u64)> {
    store.sealed_by().await.unwrap().into_iter().collect()
}

async fn what_an_older_key_sealed_is_sealed_anew_in_steps(stage: Stage) {
    let webhooks = stage.sealed_webhooks(5).await;
    let gone = stage.stored_webhook().await;
    stage.store.delete_webhook(DEFAULT_PROJECT, gone.id, NOW).await.unwrap();
    let reseal = async |after| stage.store.reseal(after, 2, &Entropy::System).await.unwrap();
    let step = |resealed, next: Option<&Webhook>| Resealed {
        resealed,
        unreadable: Vec::new(),
        next: next.map(|webhook: &Webhook| webhook.id),
    };
    assert_eq!(stage.store.keys().rotate(&Entropy::System).unwrap(), 2);
    assert_eq!(sealed_by(&stage.store).await, [(1, 5)]);
    assert_eq!(reseal(None).await, step(2, Some(&webhooks[1])));
    assert_eq!(sealed_by(&stage.store).await, [(1, 3), (2, 2)]);
    // Interrupted, and begun again.
    assert_eq!(reseal(None).await, step(0, Some(&webhooks[1])));
    assert_eq!(reseal(Some(webhooks[1].id)).await, step(2, Some(&webhooks[3])));
    assert_eq!(reseal(Some(webhooks[3].id)).await, step(1, None));
    assert_eq!(reseal(None).await.resealed, 0);
    assert_eq!(sealed_by(&stage.store).await, [(2, 5)]);
    opens(&stage.store, &webhooks).await;
    assert_eq!(stage.store.prune_keys().await.unwrap(), [1]);
    let stage = stage.reopen().await;
    opens(&stage.store, &webhooks).await;
}

async fn a_store_that_has_not_read_the_new_key_opens_and_seals_by_it(stage: Stage) {
    let webhooks = stage.sealed_webhooks(2).await;
    // On SQLite too: what looks after a database is another process.
    let tool = stage.tool().await;
    tool.keys().rotate(&Entropy::System).unwrap();
    while tool.reseal(None, 10, &Entropy::System).await.unwrap().resealed > 0 {}
    tool.prune_keys().await.unwrap();
    opens(&stage.store, &webhooks).await;
    stage.stored_webhook().await;
    assert_eq!(sealed_by(&tool).await, [(2, 3)]);
    tool.keys().rotate(&Entropy::System).unwrap();
    let mut changed = webhooks[0].clone();
    changed.version += 1;
    assert!(stage.store.update_webhook(&changed, 1, OpenWork::Keep, &stage.entropy).await.unwrap());
    assert_eq!(sealed_by(&tool).await, [(2, 2), (3, 1)]);
}

async fn a_key_that_something_needs_is_not_taken_away(stage: Stage) {
    let webhooks = stage.sealed_webhooks(1).await;
    stage.store.keys().rotate(&Entropy::System).unwrap();
    let newer = stage.stored_webhook().await;
    stage.store.keys().rotate(&Entropy::System).unwrap();
    assert_eq!(stage.store.prune_keys().await.unwrap(), [] as [u32; 0]);
    stage.store.delete_webhook(DEFAULT_PROJECT, newer.id, NOW).await.unwrap();
    assert_eq!(stage.store.prune_keys().await.unwrap(), [2]);
    assert_eq!(stage.store.keys().ids(), [3, 1]);
    opens(&stage.store, &webhooks).await;
}

async fn what_no_key_opens_is_named_and_left_as_it_is(stage: Stage) {
    let lost = stage.sealed_webhooks(2).await;
    stage.store.keys().rotate(&Entropy::System).unwrap();
    // Somebody took the key away by hand.
    assert_eq!(stage.store.keys().prune(&[]).unwrap(), [1]);
    let webhook = stage.stored_webhook().await;
    let step = stage.store.reseal(None, 10, &Entropy::System).await.unwrap();
    let ids: Vec<WebhookId> = lost.iter().map(|webhook| webhook.id).collect();
    assert_eq!((step.resealed, step.unreadable), (0, ids));
    assert_eq!(sealed_by(&stage.store).await, [(1, 2), (2, 1)]);
    opens(&stage.store, &[webhook]).await;
    let error = stage.store.webhook(DEFAULT_PROJECT, lost[0].id).await.unwrap_err();
    assert!(matches!(error, StoreError::KeyRing(KeyRingError::UnknownKey(1))), "{error}");
}

async fn sealing_anew_is_no_change_of_a_webhook(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let before = stage.store.subscriptions().revision();
    stage.store.keys().rotate(&Entropy::System).unwrap();
    stage.store.reseal(None, 10, &Entropy::System).await.unwrap();
    stage.store.sync_subscriptions().await.unwrap();
    assert_eq!(stage.store.subscriptions().revision(), before);
    let found = stage.store.webhook(DEFAULT_PROJECT, webhook.id).await.unwrap().unwrap();
    assert_eq!((found.version, found.updated_at), (webhook.version, webhook.updated_at));
}

async fn a_database_is_looked_after_without_touching_what_is_in_hand(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    stage.accepted(&webhook, crate::store::WorkKind::Send, None).await;
    assert_eq!(stage.claimed(NOW).await.len(), 1);
    let tool = stage.tool().await;
    assert_eq!(sealed_by(&tool).await, [(1, 1)]);
    tool.close().await;
    assert!(stage.claimed(NOW).await.is_empty(), "its lease holds");
}
