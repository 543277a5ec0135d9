//! What persons wait for: it is claimed first, and whoever claims work learns whether it may have been done before.

use super::on_both;
use super::stage::{NOW, Stage};
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, Trigger};
use crate::domain::id::{DEFAULT_PROJECT, DeliveryId};
use crate::domain::webhook::{State, Webhook};
use crate::store::{
    Accept, Claim, ClaimedWork, FanOut, Freeze, Lease, NewEvent, OpenWork, Postpone, RequestEnd, WorkKind,
};

on_both!(
    what_persons_wait_for_is_claimed_before_a_backlog,
    requests_of_what_persons_wait_for_are_so_too,
    work_whose_lease_ended_with_nothing_to_show_is_told_from_work_that_was_given_back,
    an_event_that_is_stored_gets_further_deliveries,
    what_waits_for_a_disabled_webhook_can_be_cancelled,
);

/// A delivery that a person asked for, a day after its event.
async fn by_hand(stage: &Stage, webhook: &Webhook, kind: WorkKind, lease: Option<Lease>) -> DeliveryId {
    let mut delivery = stage.delivery(webhook, kind, lease);
    delivery.trigger = Trigger::Manual;
    let id = delivery.id;
    stage.store.accept(stage.accept_of(vec![delivery])).await.unwrap();
    id
}

async fn claim_by_hand(stage: &Stage, webhook: &Webhook, now: Millis, most: usize) -> Vec<ClaimedWork> {
    let lease = Lease { token: stage.entropy.token(), until: now.plus(60_000) };
    let claim = Claim { now, lease, wanted: Vec::new(), by_hand: vec![(webhook.id, most)] };
    stage.store.claim(claim).await.unwrap().0
}

fn is_interrupted(work: &[ClaimedWork]) -> Vec<bool> {
    let of = |work: &ClaimedWork| match work {
        ClaimedWork::Transform(work) => work.is_interrupted,
        ClaimedWork::Send(work) => work.is_interrupted,
    };
    work.iter().map(of).collect()
}

async fn what_persons_wait_for_is_claimed_before_a_backlog(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    for _ in 0..5 {
        stage.accepted(&webhook, WorkKind::Send, None).await;
    }
    let head = |heads: Vec<crate::store::WorkHead>| heads[0].by_hand;
    assert_eq!(head(stage.store.work_heads(NOW).await.unwrap()), None);
    let ids = [
        by_hand(&stage, &webhook, WorkKind::Send, None).await,
        by_hand(&stage, &webhook, WorkKind::Transform, None).await,
    ];
    assert_eq!(head(stage.store.work_heads(NOW).await.unwrap()), Some(NOW));
    let claimed = claim_by_hand(&stage, &webhook, NOW, 9).await;
    let mut found: Vec<_> = claimed.iter().map(|work| work.head().id).collect();
    found.sort_unstable();
    let mut expected = ids.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(claimed.iter().all(|work| work.head().trigger == Trigger::Manual));
    assert_eq!(stage.claimed(NOW).await.len(), 5, "the backlog is as it was");
}

async fn requests_of_what_persons_wait_for_are_so_too(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let lease = stage.lease();
    let delivery = by_hand(&stage, &webhook, WorkKind::Transform, Some(lease)).await;
    let mut freeze = Freeze { by_hand: true, ..Stage::freeze(&webhook, delivery, lease, 2) };
    freeze.leases.fill(None);
    assert!(stage.store.freeze(freeze).await.unwrap());
    assert_eq!(claim_by_hand(&stage, &webhook, NOW, 9).await.len(), 2);
}

async fn work_whose_lease_ended_with_nothing_to_show_is_told_from_work_that_was_given_back(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    stage.accepted(&webhook, WorkKind::Send, None).await;
    let claimed = stage.claimed(NOW).await;
    assert_eq!(is_interrupted(&claimed), [false], "nobody had it before");
    let [ClaimedWork::Send(work)] = claimed.as_slice() else { panic!("{claimed:?}") };
    let given_back =
        Postpone { work: work.request.uuid(), lease: work.lease, due: NOW, reason: None, counts: false, run: None };
    assert!(stage.store.postpone(given_back).await.unwrap());
    let claimed = stage.claimed(NOW).await;
    assert_eq!(is_interrupted(&claimed), [false], "whoever gave it back knows what came of it");
    let [ClaimedWork::Send(work)] = claimed.as_slice() else { panic!("{claimed:?}") };
    let claimed = stage.claimed(work.lease.until).await;
    assert_eq!(is_interrupted(&claimed), [true]);
    let [ClaimedWork::Send(work)] = claimed.as_slice() else { panic!("{claimed:?}") };
    let claimed = stage.claimed(work.lease.until).await;
    assert_eq!(is_interrupted(&claimed), [true], "as long as nobody says what came of it");
    let [ClaimedWork::Send(work)] = claimed.as_slice() else { panic!("{claimed:?}") };
    let retry = RequestEnd::Retry { due: NOW };
    stage.store.finish(Stage::finish(&webhook, work.request, work.lease, retry)).await.unwrap();
    assert_eq!(is_interrupted(&stage.claimed(NOW).await), [false]);
    // Also when the whole process is gone.
    let stage = stage.reopen().await;
    assert_eq!(is_interrupted(&stage.claimed(NOW.plus(120_000)).await), [true]);
}

async fn an_event_that_is_stored_gets_further_deliveries(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let event = stage.event();
    let of = |fan_out, delivery| NewEvent { event: event.clone(), fan_out, deliveries: vec![delivery] };
    let first = stage.delivery(&webhook, WorkKind::Send, None);
    let begin = FanOut::Begin { idempotency: None, later: Vec::new() };
    stage.store.accept(Accept { events: vec![of(begin, first)], matched_at: None }).await.unwrap();
    let later = NOW.plus(86_400_000);
    let mut further = stage.delivery(&webhook, WorkKind::Send, None);
    further.id = DeliveryId::with_room(later, stage.entropy.id());
    let id = further.id;
    stage.store.accept(Accept { events: vec![of(FanOut::Known, further)], matched_at: None }).await.unwrap();
    let view = stage.store.delivery(DEFAULT_PROJECT, id).await.unwrap().unwrap();
    assert_eq!((view.summary.event_id, view.summary.created_at), (event.id, later));
    assert_eq!(stage.claimed(later).await.len(), 2);
}

async fn what_waits_for_a_disabled_webhook_can_be_cancelled(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let lease = stage.lease();
    let in_hand = stage.accepted(&webhook, WorkKind::Send, Some(lease)).await;
    let waiting = stage.accepted(&webhook, WorkKind::Send, None).await;
    let untouched = stage.accepted(&webhook, WorkKind::Transform, None).await;
    let disabled = Webhook { state: State::Disabled { reason: "x".to_owned() }, version: 2, ..webhook.clone() };
    assert!(stage.store.update_webhook(&disabled, 1, OpenWork::Hold, &stage.entropy).await.unwrap());
    let enabled = Webhook { version: 3, ..webhook.clone() };
    assert!(stage.store.update_webhook(&enabled, 2, OpenWork::Cancel, &stage.entropy).await.unwrap());
    for delivery in [waiting, untouched] {
        let summary = stage.store.delivery(DEFAULT_PROJECT, delivery).await.unwrap().unwrap().summary;
        assert_eq!(summary.status, DeliveryStatus::Cancelled);
        assert!(summary.reason.is_some_and(|reason| reason.contains("while the webhook was disabled")));
    }
    let arrived = Stage::finish(&webhook, in_hand.request(0), lease, RequestEnd::Succeeded);
    assert!(!stage.store.finish(arrived).await.unwrap().late, "what is in hand comes to its end");
    assert!(stage.claimed(NOW.plus(86_400_000)).await.is_empty());
}
