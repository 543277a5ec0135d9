//! Results of attempts, in time and late.

use super::on_both;
use super::stage::{NOW, Stage};
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, RequestStatus};
use crate::domain::id::{DEFAULT_PROJECT, DeliveryId};
use crate::domain::webhook::{State, Webhook};
use crate::store::{ClaimedWork, Finish, Lease, OpenWork, RequestEnd, WorkKind};

on_both!(
    a_deliverys_status_follows_its_requests,
    a_retry_is_due_again_and_counts,
    a_late_result_is_kept_as_late,
    a_late_success_closes_what_nobody_else_sends,
    a_reason_to_disable_holds_open_work,
    late_and_current_results_of_one_commit_are_all_kept,
    a_result_that_is_told_again_is_one_attempt,
    a_request_that_arrived_is_shown_so_whoever_made_it,
    late_results_of_a_plugins_first_request_take_no_number_from_others,
    a_late_success_of_a_plugins_request_counts_beside_the_others,
);

async fn a_deliverys_status_follows_its_requests(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let lease = stage.lease();
    let delivery = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    stage.store.freeze(Stage::freeze(&webhook, delivery, lease, 3)).await.unwrap();
    let finish = |position, end| Stage::finish(&webhook, delivery.request(position), lease, end);
    let first = stage.store.finish(finish(0, RequestEnd::Succeeded)).await.unwrap();
    assert_eq!((first.delivery, first.late), (DeliveryStatus::Retrying, false));
    // Two results of one delivery in one commit.
    let (second, third) = tokio::join!(
        stage.store.finish(finish(1, RequestEnd::Succeeded)),
        stage.store.finish(finish(2, RequestEnd::Failed { reason: "no".to_owned() })),
    );
    assert!(!second.unwrap().late && !third.unwrap().late);
    let view = stage.store.delivery(DEFAULT_PROJECT, delivery).await.unwrap().unwrap();
    assert_eq!((view.summary.status, view.summary.requests), (DeliveryStatus::Failed, (3, 2)));
    assert_eq!(view.summary.reason.as_deref(), Some("no"));
    let statuses: Vec<_> = view.requests.iter().map(|request| request.status).collect();
    assert_eq!(statuses, [RequestStatus::Succeeded, RequestStatus::Succeeded, RequestStatus::Failed]);
}

async fn a_retry_is_due_again_and_counts(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let lease = stage.lease();
    let delivery = stage.accepted(&webhook, WorkKind::Send, Some(lease)).await;
    let due = NOW.plus(5000);
    let mut finish = Stage::finish(&webhook, delivery.request(0), lease, RequestEnd::Retry { due });
    finish.only_request = true;
    let finished = stage.store.finish(finish).await.unwrap();
    assert_eq!((finished.delivery, finished.late), (DeliveryStatus::Retrying, false));
    let (work, outlook) = stage.claim(NOW, 10).await;
    assert!(work.is_empty());
    assert_eq!(outlook.next_due, Some(due));
    let claimed = stage.claimed(due).await;
    assert!(matches!(claimed.as_slice(), [ClaimedWork::Send(work)] if work.attempts == 1), "{claimed:?}");
}

async fn a_late_result_is_kept_as_late(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let lease = stage.lease();
    let delivery = stage.accepted(&webhook, WorkKind::Send, Some(lease)).await;
    let claimed = stage.claimed(lease.until).await;
    let [ClaimedWork::Send(work)] = claimed.as_slice() else { panic!("{claimed:?}") };
    let late = Stage::finish(&webhook, delivery.request(0), lease, RequestEnd::Succeeded);
    assert!(stage.store.finish(late).await.unwrap().late, "somebody else sends it now");
    assert!(stage.status(delivery).await.is_open());
    let current = Stage::finish(&webhook, delivery.request(0), work.lease, RequestEnd::Succeeded);
    assert!(!stage.store.finish(current).await.unwrap().late);
    let view = stage.store.delivery(DEFAULT_PROJECT, delivery).await.unwrap().unwrap();
    let attempts: Vec<_> = view.requests[0].attempts.iter().map(|attempt| (attempt.number, attempt.late)).collect();
    // The holder of the lease could not know of the late result, which took the number 1.
    assert_eq!((view.summary.status, attempts), (DeliveryStatus::Succeeded, vec![(1, true), (2, false)]));
}

async fn a_late_success_closes_what_nobody_else_sends(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let lease = stage.lease();
    let delivery = stage.accepted(&webhook, WorkKind::Send, Some(lease)).await;
    let claimed = stage.claimed(lease.until).await;
    let [ClaimedWork::Send(work)] = claimed.as_slice() else { panic!("{claimed:?}") };
    let retry = RequestEnd::Retry { due: NOW.plus(1_000_000) };
    stage.store.finish(Stage::finish(&webhook, delivery.request(0), work.lease, retry)).await.unwrap();
    let late = Stage::finish(&webhook, delivery.request(0), lease, RequestEnd::Succeeded);
    let finished = stage.store.finish(late).await.unwrap();
    assert_eq!((finished.late, finished.delivery), (true, DeliveryStatus::Succeeded));
    assert!(stage.claimed(Millis(i64::MAX - 1)).await.is_empty());
}

async fn a_reason_to_disable_holds_open_work(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let lease = stage.lease();
    let gone = stage.accepted(&webhook, WorkKind::Send, Some(lease)).await;
    let waiting = stage.accepted(&webhook, WorkKind::Send, None).await;
    let mut finish = Stage::finish(&webhook, gone.request(0), lease, RequestEnd::Failed { reason: "gone".to_owned() });
    finish.disable = Some("answered 410".to_owned());
    stage.store.finish(finish).await.unwrap();
    stage.store.sync_subscriptions().await.unwrap();
    let stored = stage.store.subscriptions().webhook(webhook.id).unwrap().clone();
    assert_eq!(stored.state, State::Disabled { reason: "answered 410".to_owned() });
    assert!(stage.claimed(NOW).await.is_empty());
    assert_eq!(stage.status(waiting).await, DeliveryStatus::Pending);
    let mut enabled = (*stored).clone();
    enabled.state = State::Enabled;
    enabled.version += 1;
    assert!(
        stage
            .store
            .update_webhook(&enabled, stored.version, OpenWork::Resume { blocked_until: NOW }, &stage.entropy)
            .await
            .unwrap()
    );
    assert_eq!(stage.claimed(NOW).await.len(), 1);
}

async fn late_and_current_results_of_one_commit_are_all_kept(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let first = stage.lease();
    let delivery = stage.accepted(&webhook, WorkKind::Send, Some(first)).await;
    let claimed = stage.claimed(first.until).await;
    let [ClaimedWork::Send(second)] = claimed.as_slice() else { panic!("{claimed:?}") };
    let claimed = stage.claimed(second.lease.until).await;
    let [ClaimedWork::Send(third)] = claimed.as_slice() else { panic!("{claimed:?}") };
    let finish = |lease, end| Stage::finish(&webhook, delivery.request(0), lease, end);
    let due = NOW.plus(1);
    let (a, b, c) = tokio::join!(
        stage.store.finish(finish(first, RequestEnd::Uncertain)),
        stage.store.finish(finish(third.lease, RequestEnd::Retry { due })),
        stage.store.finish(finish(second.lease, RequestEnd::Uncertain)),
    );
    assert_eq!([a.unwrap().late, b.unwrap().late, c.unwrap().late], [true, false, true]);
    let view = stage.store.delivery(DEFAULT_PROJECT, delivery).await.unwrap().unwrap();
    let numbers: Vec<_> = view.requests[0].attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let claimed = stage.claimed(due).await;
    assert!(matches!(claimed.as_slice(), [ClaimedWork::Send(work)] if work.attempts == 3), "{claimed:?}");
}

async fn a_result_that_is_told_again_is_one_attempt(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let lease = stage.lease();
    let delivery = stage.accepted(&webhook, WorkKind::Send, Some(lease)).await;
    // Whoever told it got no answer, and cannot know that it was stored.
    let finish = Stage::finish(&webhook, delivery.request(0), lease, RequestEnd::Retry { due: NOW.plus(5000) });
    let first = stage.store.finish(finish.clone()).await.unwrap();
    assert_eq!((first.delivery, first.late), (DeliveryStatus::Retrying, false));
    assert_eq!(stage.store.finish(finish).await.unwrap(), first);
    let view = stage.store.delivery(DEFAULT_PROJECT, delivery).await.unwrap().unwrap();
    assert_eq!(view.requests[0].attempts.len(), 1);
}

async fn a_request_that_arrived_is_shown_so_whoever_made_it(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let lease = stage.lease();
    let frozen = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    stage.store.freeze(Stage::freeze(&webhook, frozen, lease, 1)).await.unwrap();
    let mut by_plugin = Stage::finish(&webhook, frozen.request(0), lease, RequestEnd::Succeeded);
    by_plugin.only_request = true;
    stage.store.finish(by_plugin).await.unwrap();
    let plain = stage.accepted(&webhook, WorkKind::Send, Some(lease)).await;
    let end = |end| {
        let finish = Stage::finish(&webhook, plain.request(0), lease, end);
        Finish { only_request: true, is_plain: true, ..finish }
    };
    stage.store.finish(end(RequestEnd::Retry { due: NOW.plus(5000) })).await.unwrap();
    stage.store.finish(end(RequestEnd::Succeeded)).await.unwrap();
    for delivery in [frozen, plain] {
        let view = stage.store.delivery(DEFAULT_PROJECT, delivery).await.unwrap().unwrap();
        assert_eq!(view.summary.status, DeliveryStatus::Succeeded);
        assert_eq!(view.requests[0].status, RequestStatus::Succeeded);
    }
}

/// A result that comes with its delivery's requests, under the lease on the transformation.
fn first_result(webhook: &Webhook, delivery: DeliveryId, lease: Lease, end: RequestEnd) -> Finish {
    let mut freeze = Stage::freeze(webhook, delivery, lease, 2);
    freeze.leases.fill(None);
    Finish { freeze: Some(Box::new(freeze)), ..Stage::finish(webhook, delivery.request(0), lease, end) }
}

async fn late_results_of_a_plugins_first_request_take_no_number_from_others(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let lease = stage.lease();
    let delivery = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    let claimed = stage.claimed(lease.until).await;
    let [ClaimedWork::Transform(work)] = claimed.as_slice() else { panic!("{claimed:?}") };
    let due = lease.until.plus(1);
    let retry = RequestEnd::Retry { due };
    let early = first_result(&webhook, delivery, lease, RequestEnd::Succeeded);
    assert!(stage.store.finish(early).await.unwrap().late, "before there are requests");
    let current = first_result(&webhook, delivery, work.lease, retry.clone());
    assert!(!stage.store.finish(current).await.unwrap().late);
    assert!(stage.store.finish(first_result(&webhook, delivery, lease, retry)).await.unwrap().late, "after that");
    let claimed = stage.claimed(due).await;
    let tries = claimed.iter().map(|work| match work {
        ClaimedWork::Send(work) => (work.request, work.attempts),
        ClaimedWork::Transform(work) => panic!("{work:?}"),
    });
    let mut tries: Vec<_> = tries.collect();
    tries.sort_unstable();
    assert_eq!(tries, [(delivery.request(0), 3), (delivery.request(1), 0)]);
    let view = stage.store.delivery(DEFAULT_PROJECT, delivery).await.unwrap().unwrap();
    let attempts: Vec<_> = view.requests[0].attempts.iter().map(|attempt| (attempt.number, attempt.late)).collect();
    assert_eq!(attempts, [(1, true), (2, false), (3, true)]);
}

async fn a_late_success_of_a_plugins_request_counts_beside_the_others(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let lease = stage.lease();
    let delivery = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    let claimed = stage.claimed(lease.until).await;
    let [ClaimedWork::Transform(work)] = claimed.as_slice() else { panic!("{claimed:?}") };
    let retry = RequestEnd::Retry { due: NOW.plus(1_000_000) };
    stage.store.finish(first_result(&webhook, delivery, work.lease, retry)).await.unwrap();
    let claimed = stage.claimed(NOW).await;
    let [ClaimedWork::Send(second)] = claimed.as_slice() else { panic!("{claimed:?}") };
    let arrived = Stage::finish(&webhook, second.request, second.lease, RequestEnd::Succeeded);
    stage.store.finish(arrived).await.unwrap();
    let late = stage.store.finish(first_result(&webhook, delivery, lease, RequestEnd::Succeeded)).await.unwrap();
    assert_eq!((late.late, late.delivery), (true, DeliveryStatus::Succeeded));
    let view = stage.store.delivery(DEFAULT_PROJECT, delivery).await.unwrap().unwrap();
    assert_eq!((view.summary.status, view.summary.requests), (DeliveryStatus::Succeeded, (2, 2)));
}
