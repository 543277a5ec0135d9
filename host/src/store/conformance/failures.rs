//! Webhooks at which requests fail are remembered until something arrives.

use std::sync::Arc;

use super::on_both;
use super::stage::{NOW, Stage};
use crate::domain::clock::Millis;
use crate::domain::giving_up::{Failing, GivingUp};
use crate::domain::id::{DEFAULT_PROJECT, DeliveryId};
use crate::domain::webhook::{State, Webhook};
use crate::store::{Finish, Health, Lease, OpenWork, RequestEnd, WorkKind};

on_both!(
    failed_deliveries_are_counted_from_the_first_failure_to_the_next_success,
    a_webhook_is_given_up_only_if_that_still_holds,
    who_enables_a_webhook_begins_to_count_anew,
);

const POLICY: GivingUp = GivingUp { no_success_ms: 1000, failed_deliveries: 2 };

async fn begun(stage: &Stage, webhook: &Webhook) -> (DeliveryId, Lease) {
    let lease = stage.lease();
    (stage.accepted(webhook, WorkKind::Send, Some(lease)).await, lease)
}

fn failed(webhook: &Webhook, (delivery, lease): (DeliveryId, Lease), known: bool, now: Millis) -> Finish {
    let end = RequestEnd::Failed { reason: "no".to_owned() };
    let finish = Stage::finish(webhook, delivery.request(0), lease, end);
    Finish { only_request: true, is_plain: true, health: Health::Fails { known }, now, ..finish }
}

/// Tells so many failures, with one second between them; gives what is known after the last one.
async fn fails(stage: &Stage, webhook: &Webhook, times: u64) -> Option<Failing> {
    let mut failing = None;
    for n in 0..times {
        let begun = begun(stage, webhook).await;
        failing = stage.store.finish(failed(webhook, begun, n > 0, NOW.plus(n * 1000))).await.unwrap().failing;
    }
    failing
}

async fn failed_deliveries_are_counted_from_the_first_failure_to_the_next_success(stage: Stage) {
    let (webhook, other) = (stage.stored_webhook().await, stage.stored_webhook().await);
    // A first attempt that fails is remembered, and counts as no delivery.
    let tried = begun(&stage, &webhook).await;
    let retry = Finish { end: RequestEnd::Retry { due: NOW.plus(1) }, ..failed(&webhook, tried, false, NOW) };
    let known = stage.store.finish(retry).await.unwrap().failing;
    assert_eq!(known, Some(Failing { since: NOW, deliveries: 0 }));
    let retry = |known| {
        let finish = failed(&webhook, tried, known, NOW.plus(5));
        Finish { end: RequestEnd::Retry { due: NOW.plus(9) }, ..finish }
    };
    assert_eq!(stage.store.finish(retry(true)).await.unwrap().failing, None, "late, and no news");

    let now = NOW.plus(2000);
    let (a, b, c) = (begun(&stage, &webhook).await, begun(&stage, &webhook).await, begun(&stage, &other).await);
    let (a, b, c) = tokio::join!(
        stage.store.finish(failed(&webhook, a, true, now)),
        stage.store.finish(failed(&webhook, b, true, now)),
        stage.store.finish(failed(&other, c, false, now)),
    );
    let most = a.unwrap().failing.unwrap().deliveries.max(b.unwrap().failing.unwrap().deliveries);
    assert_eq!(most, 2, "alone or together in one commit");
    assert_eq!(c.unwrap().failing, Some(Failing { since: now, deliveries: 1 }), "each webhook for itself");
    stage.store.sync_failing().await.unwrap();
    assert!(stage.store.is_failing(webhook.id) && stage.store.is_failing(other.id));

    let (delivery, lease) = begun(&stage, &webhook).await;
    let arrived = Stage::finish(&webhook, delivery.request(0), lease, RequestEnd::Succeeded);
    stage.store.finish(Finish { health: Health::Recovers, ..arrived }).await.unwrap();
    stage.store.sync_failing().await.unwrap();
    assert!(!stage.store.is_failing(webhook.id) && stage.store.is_failing(other.id));
    assert_eq!(fails(&stage, &webhook, 1).await, Some(Failing { since: NOW, deliveries: 1 }));
    assert!(stage.reopen().await.store.is_failing(webhook.id), "a node that begins knows it");
}

async fn a_webhook_is_given_up_only_if_that_still_holds(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let give_up = async |now| {
        let event = Some(Arc::new(crate::domain::event::Event::clone(&stage.event())));
        stage.store.give_up(webhook.id, POLICY, "no hope".to_owned(), event, now).await.unwrap()
    };
    assert!(!give_up(NOW.plus(5000)).await, "nothing has failed");
    assert_eq!(fails(&stage, &webhook, 1).await.map(|failing| failing.deliveries), Some(1));
    assert!(!give_up(NOW.plus(5000)).await, "one is not enough");
    fails(&stage, &webhook, 1).await;
    assert!(!give_up(NOW.plus(999)).await, "too early");
    assert!(give_up(NOW.plus(1000)).await);
    assert!(!give_up(NOW.plus(5000)).await, "once");
    let read = stage.store.webhook(DEFAULT_PROJECT, webhook.id).await.unwrap().unwrap();
    assert_eq!(read.state, State::Disabled { reason: "no hope".to_owned() });
    let events =
        stage.store.events(DEFAULT_PROJECT, None, crate::domain::page::PageRequest { limit: 200, cursor: None });
    assert_eq!(events.await.unwrap().items.len(), 3, "two that failed, and the one that tells of it");
}

async fn who_enables_a_webhook_begins_to_count_anew(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let blocked_until = NOW;
    for (version, open_work) in [(1, OpenWork::Resume { blocked_until }), (3, OpenWork::Cancel)] {
        fails(&stage, &webhook, 3).await;
        let disabled =
            Webhook { state: State::Disabled { reason: "x".to_owned() }, version: version + 1, ..webhook.clone() };
        assert!(stage.store.update_webhook(&disabled, version, OpenWork::Hold, &stage.entropy).await.unwrap());
        let enabled = Webhook { version: version + 2, ..webhook.clone() };
        assert!(stage.store.update_webhook(&enabled, version + 1, open_work, &stage.entropy).await.unwrap());
        assert_eq!(fails(&stage, &webhook, 1).await.map(|failing| failing.deliveries), Some(1));
    }
}
