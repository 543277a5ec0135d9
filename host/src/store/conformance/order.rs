//! Deliveries that wait for earlier ones.

use super::on_both;
use super::stage::{NOW, Stage};
use crate::domain::delivery::DeliveryStatus;
use crate::domain::id::DeliveryId;
use crate::domain::webhook::{State, Webhook};
use crate::store::{ClaimedWork, Freeze, InOrder, OpenWork, RequestEnd, Settle, WorkKind};

on_both!(
    an_ordered_delivery_waits_for_the_earlier_ones_of_its_key,
    a_retry_keeps_the_later_ones_waiting,
    a_delivery_waits_no_longer_than_its_order_says,
    a_skipped_delivery_lets_the_next_one_go,
    every_request_of_a_plugin_holds_the_next_delivery_back,
    a_late_success_lets_the_next_one_go,
    enabling_does_not_let_a_delivery_pass_an_earlier_one,
    what_is_ordered_by_another_key_or_not_at_all_does_not_wait,
);

const WAIT_MS: u64 = 30_000;

/// Stores deliveries one after the other, each with its order's key.
async fn accepted(stage: &Stage, webhook: &Webhook, kind: WorkKind, keys: &[Option<u128>]) -> Vec<DeliveryId> {
    let deliveries: Vec<_> = keys
        .iter()
        .map(|key| {
            let mut delivery = stage.delivery(webhook, kind, None);
            let until = NOW.plus(WAIT_MS);
            delivery.order = key.map(|key| InOrder { key: uuid::Uuid::from_u128(key), until });
            delivery
        })
        .collect();
    let ids = deliveries.iter().map(|delivery| delivery.id).collect();
    // Some share a commit with others, some do not.
    for chunk in deliveries.chunks(2) {
        stage.store.accept(stage.accept_of(chunk.to_vec())).await.unwrap();
    }
    ids
}

fn ids(work: &[ClaimedWork]) -> Vec<DeliveryId> {
    work.iter().map(|work| work.head().id).collect()
}

/// The result of claimed work.
async fn finish(stage: &Stage, webhook: &Webhook, work: &ClaimedWork, end: RequestEnd) {
    let ClaimedWork::Send(work) = work else { panic!("{work:?}") };
    let mut finish = Stage::finish(webhook, work.request, work.lease, end);
    finish.only_request = work.only_request;
    finish.is_ordered = work.head.is_ordered;
    stage.store.finish(finish).await.unwrap();
}

async fn an_ordered_delivery_waits_for_the_earlier_ones_of_its_key(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let deliveries = accepted(&stage, &webhook, WorkKind::Send, &[Some(1); 5]).await;
    for delivery in deliveries {
        let work = stage.claimed(NOW).await;
        assert_eq!(ids(&work), [delivery], "one after the other, in the order in which they came");
        assert!(work[0].head().is_ordered);
        finish(&stage, &webhook, &work[0], RequestEnd::Succeeded).await;
    }
    assert!(stage.claimed(NOW.plus(WAIT_MS)).await.is_empty());
}

async fn a_retry_keeps_the_later_ones_waiting(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let deliveries = accepted(&stage, &webhook, WorkKind::Send, &[Some(1); 2]).await;
    let work = stage.claimed(NOW).await;
    let due = NOW.plus(5000);
    finish(&stage, &webhook, &work[0], RequestEnd::Retry { due }).await;
    assert!(stage.claimed(NOW).await.is_empty());
    let work = stage.claimed(due).await;
    assert_eq!(ids(&work), deliveries[..1]);
    finish(&stage, &webhook, &work[0], RequestEnd::Failed { reason: "no".to_owned() }).await;
    assert_eq!(ids(&stage.claimed(NOW).await), deliveries[1..], "a failed one is settled too");
}

async fn a_delivery_waits_no_longer_than_its_order_says(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let deliveries = accepted(&stage, &webhook, WorkKind::Send, &[Some(1); 2]).await;
    let first = stage.claimed(NOW).await;
    finish(&stage, &webhook, &first[0], RequestEnd::Retry { due: NOW.plus(WAIT_MS * 10) }).await;
    assert!(stage.claimed(NOW.plus(WAIT_MS - 1)).await.is_empty());
    assert_eq!(ids(&stage.claimed(NOW.plus(WAIT_MS)).await), deliveries[1..]);
}

async fn a_skipped_delivery_lets_the_next_one_go(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let deliveries = accepted(&stage, &webhook, WorkKind::Transform, &[Some(1); 2]).await;
    let work = stage.claimed(NOW).await;
    let [ClaimedWork::Transform(first)] = work.as_slice() else { panic!("{work:?}") };
    let settle = Settle {
        delivery: first.head.id,
        lease: first.lease,
        is_ordered: true,
        status: DeliveryStatus::Skipped,
        reason: "nothing to say".to_owned(),
        run: None,
        raise: None,
        now: NOW,
    };
    assert!(stage.store.settle(settle).await.unwrap());
    assert_eq!(ids(&stage.claimed(NOW).await), deliveries[1..]);
}

async fn every_request_of_a_plugin_holds_the_next_delivery_back(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let deliveries = accepted(&stage, &webhook, WorkKind::Transform, &[Some(1); 2]).await;
    let work = stage.claimed(NOW).await;
    let [ClaimedWork::Transform(first)] = work.as_slice() else { panic!("{work:?}") };
    let mut freeze = Stage::freeze(&webhook, first.head.id, first.lease, 2);
    freeze.is_ordered = true;
    freeze.leases.fill(None);
    assert!(stage.store.freeze(freeze).await.unwrap());
    for _ in 0..2 {
        let work = stage.claim(NOW, 1).await.0;
        assert_eq!(ids(&work), deliveries[..1]);
        finish(&stage, &webhook, &work[0], RequestEnd::Succeeded).await;
    }
    assert_eq!(ids(&stage.claimed(NOW).await), deliveries[1..]);
}

async fn a_late_success_lets_the_next_one_go(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let mut deliveries = accepted(&stage, &webhook, WorkKind::Transform, &[Some(1)]).await;
    let first = stage.claimed(NOW).await;
    let second = stage.claimed(NOW.plus(60_000)).await;
    deliveries.extend(accepted(&stage, &webhook, WorkKind::Transform, &[Some(1)]).await);
    let leases = [&first[0], &second[0]].map(|work| match work {
        ClaimedWork::Transform(work) => work.lease,
        ClaimedWork::Send(work) => panic!("{work:?}"),
    });
    // Whoever has it now is to send its request later; whoever had it before has sent it.
    let requests =
        |lease| Freeze { is_ordered: true, leases: vec![None], ..Stage::freeze(&webhook, deliveries[0], lease, 1) };
    assert!(stage.store.freeze(Freeze { due: NOW.plus(WAIT_MS * 10), ..requests(leases[1]) }).await.unwrap());
    let mut late = Stage::finish(&webhook, deliveries[0].request(0), leases[0], RequestEnd::Succeeded);
    (late.only_request, late.is_ordered, late.freeze) = (true, true, Some(Box::new(requests(leases[0]))));
    let finished = stage.store.finish(late).await.unwrap();
    assert_eq!((finished.late, finished.delivery), (true, DeliveryStatus::Succeeded));
    assert_eq!(ids(&stage.claimed(NOW).await), deliveries[1..]);
}

async fn enabling_does_not_let_a_delivery_pass_an_earlier_one(stage: Stage) {
    let mut webhook = stage.stored_webhook().await;
    let deliveries = accepted(&stage, &webhook, WorkKind::Send, &[Some(1); 3]).await;
    let first = stage.claimed(NOW).await;
    for (state, open_work) in [
        (State::Disabled { reason: "x".to_owned() }, OpenWork::Hold),
        (State::Enabled, OpenWork::Resume { blocked_until: NOW.plus(WAIT_MS) }),
    ] {
        let known = webhook.version;
        webhook.state = state;
        webhook.version += 1;
        assert!(stage.store.update_webhook(&webhook, known, open_work, &stage.entropy).await.unwrap());
    }
    assert!(stage.claimed(webhook.updated_at).await.is_empty());
    finish(&stage, &webhook, &first[0], RequestEnd::Succeeded).await;
    assert_eq!(ids(&stage.claimed(NOW).await), deliveries[1..2]);
    assert_eq!(ids(&stage.claimed(NOW.plus(WAIT_MS)).await), deliveries[2..]);
}

async fn what_is_ordered_by_another_key_or_not_at_all_does_not_wait(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let keys = [Some(1), Some(2), None, Some(1), None, Some(2)];
    let deliveries = accepted(&stage, &webhook, WorkKind::Send, &keys).await;
    let mut claimed = ids(&stage.claimed(NOW).await);
    claimed.sort_unstable_by_key(|id| deliveries.iter().position(|known| known == id));
    assert_eq!(claimed, [deliveries[0], deliveries[1], deliveries[2], deliveries[4]]);
}
