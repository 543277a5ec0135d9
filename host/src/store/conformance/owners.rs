//! Webhooks that one node at a time sends to.

use std::collections::BTreeMap;

use super::on_both;
use super::stage::{NOW, Stage};
use crate::domain::clock::Millis;
use crate::domain::id::WebhookId;
use crate::store::{Ownership, Store};

on_both!(
    a_webhook_has_one_owner_until_its_time_is_over,
    an_owner_renews_and_leaves,
    what_one_node_keeps_paused_the_others_can_see,
    a_node_that_goes_leaves_what_it_owned,
);

const OWN_MS: u64 = 1000;

async fn own(store: &Store, webhook: WebhookId, paused_until: Option<Millis>, now: Millis) -> Ownership {
    let owners = store.own(BTreeMap::from([(webhook, paused_until)]), now, now.plus(OWN_MS)).await.unwrap();
    let [(owned, ownership)] = owners.as_slice() else { panic!("{owners:?}") };
    assert_eq!(*owned, webhook);
    *ownership
}

const fn owned(is_mine: bool, until: Millis) -> Ownership {
    Ownership { is_mine, until, paused_until: None }
}

async fn a_webhook_has_one_owner_until_its_time_is_over(stage: Stage) {
    let (webhook, other) = (stage.stored_webhook().await.id, stage.beside().await);
    let until = NOW.plus(OWN_MS);
    assert_eq!(own(&stage.store, webhook, None, NOW).await, owned(true, until));
    assert_eq!(own(&other, webhook, None, NOW).await, owned(false, until));
    let before = Millis(until.0 - 1);
    assert_eq!(own(&other, webhook, None, before).await, owned(false, until));
    assert_eq!(own(&other, webhook, None, until).await, owned(true, until.plus(OWN_MS)));
    assert_eq!(own(&stage.store, webhook, None, until).await, owned(false, until.plus(OWN_MS)));
    let free = stage.stored_webhook().await.id;
    assert!(own(&stage.store, free, None, until).await.is_mine, "each has an owner of its own");
}

async fn an_owner_renews_and_leaves(stage: Stage) {
    let (webhook, other) = (stage.stored_webhook().await.id, stage.beside().await);
    own(&stage.store, webhook, None, NOW).await;
    let later = NOW.plus(OWN_MS / 2);
    assert_eq!(own(&stage.store, webhook, None, later).await, owned(true, later.plus(OWN_MS)));
    other.disown(vec![webhook]).await.unwrap();
    assert!(!own(&other, webhook, None, later).await.is_mine, "nobody leaves what another has");
    stage.store.disown(vec![webhook]).await.unwrap();
    assert!(own(&other, webhook, None, later).await.is_mine);
}

async fn what_one_node_keeps_paused_the_others_can_see(stage: Stage) {
    let (webhook, other) = (stage.stored_webhook().await.id, stage.beside().await);
    let limited = stage.stored_webhook().await.id;
    own(&stage.store, webhook, Some(NOW.plus(7)), NOW).await;
    own(&stage.store, limited, None, NOW).await;
    let expected = Ownership { is_mine: false, until: NOW.plus(OWN_MS), paused_until: Some(NOW.plus(7)) };
    assert_eq!(other.paused_elsewhere(NOW).await.unwrap(), [(webhook, expected)]);
    assert!(stage.store.paused_elsewhere(NOW).await.unwrap().is_empty());
    assert!(other.paused_elsewhere(NOW.plus(OWN_MS)).await.unwrap().is_empty(), "its time is over");
    own(&stage.store, webhook, None, NOW).await;
    assert!(other.paused_elsewhere(NOW).await.unwrap().is_empty(), "requests pass again");
}

async fn a_node_that_goes_leaves_what_it_owned(stage: Stage) {
    let (webhook, other) = (stage.stored_webhook().await.id, stage.beside().await);
    own(&stage.store, webhook, None, NOW).await;
    other.leave().await.unwrap();
    assert!(!own(&other, webhook, None, NOW).await.is_mine);
    stage.store.leave().await.unwrap();
    assert!(own(&other, webhook, None, NOW).await.is_mine);
}
