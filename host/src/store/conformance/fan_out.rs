//! Wide events, whose deliveries are made in steps.

use std::sync::Arc;

use super::on_both;
use super::stage::{NOW, Stage};
use crate::domain::event::Event;
use crate::domain::id::{DEFAULT_PROJECT, WebhookId};
use crate::domain::webhook::Webhook;
use crate::store::{Accept, Accepted, FanOut, FanOutStep, NewEvent, WorkKind};

on_both!(
    steps_of_a_wide_event_are_claimed_once_and_in_their_order,
    a_step_is_done_once_though_its_lease_has_passed_to_another,
    a_step_matched_with_old_webhooks_is_not_done,
    a_step_that_was_begun_is_done_after_a_restart,
);

/// Stores an event with a first delivery and a step for each list of webhooks.
async fn wide(stage: &Stage, first: &Webhook, later: Vec<Vec<WebhookId>>) -> Arc<Event> {
    let mut accept = stage.accept_of(vec![stage.delivery(first, WorkKind::Send, None)]);
    accept.events[0].fan_out = FanOut::Begin { idempotency: None, later };
    let event = accept.events[0].event.clone();
    assert_eq!(stage.store.accept(accept).await.unwrap(), [Accepted::New]);
    event
}

/// What doing a step comes to.
async fn done(stage: &Stage, step: &FanOutStep, webhook: &Webhook, matched_at: Option<i64>) -> Accepted {
    let fan_out = FanOut::Step { step: step.step, lease: step.lease };
    let deliveries = vec![stage.delivery(webhook, WorkKind::Send, None)];
    let events = vec![NewEvent { event: step.event.clone(), fan_out, deliveries }];
    let accepted = stage.store.fan_out_then(Accept { events, matched_at }, |_, _| ()).await.unwrap();
    accepted.into_iter().next().unwrap()
}

async fn deliveries(stage: &Stage, event: &Event) -> Vec<WebhookId> {
    let made = stage.store.deliveries_of_event(event.id).await.unwrap();
    made.into_iter().map(|(_, webhook)| webhook).collect()
}

async fn steps_of_a_wide_event_are_claimed_once_and_in_their_order(stage: Stage) {
    let [first, second, third] =
        [stage.stored_webhook().await, stage.stored_webhook().await, stage.stored_webhook().await];
    let event = wide(&stage, &first, vec![vec![second.id], vec![third.id]]).await;
    // The clock of whoever stored the event may be ahead.
    let behind = crate::domain::clock::Millis(NOW.0 - 60_000);
    for (number, webhook) in [(0, &second), (1, &third)] {
        let step = stage.store.claim_fan_out(behind, stage.lease()).await.unwrap().unwrap();
        assert_eq!((step.step, step.webhooks.as_slice()), (number, &[webhook.id][..]));
        assert_eq!((step.event.id, &step.event.payload), (event.id, &event.payload));
        assert_eq!(done(&stage, &step, webhook, None).await, Accepted::New);
    }
    assert!(stage.store.claim_fan_out(NOW, stage.lease()).await.unwrap().is_none());
    let mut webhooks = deliveries(&stage, &event).await;
    webhooks.sort_unstable();
    let mut expected = vec![first.id, second.id, third.id];
    expected.sort_unstable();
    assert_eq!(webhooks, expected);
    let read = stage.store.event(DEFAULT_PROJECT, event.id).await.unwrap();
    assert_eq!(read.map(|read| read.payload), Some(event.payload.clone()), "stored once, by the first");
}

async fn a_step_is_done_once_though_its_lease_has_passed_to_another(stage: Stage) {
    let (first, second) = (stage.stored_webhook().await, stage.stored_webhook().await);
    let event = wide(&stage, &first, vec![vec![second.id]]).await;
    let mine = stage.store.claim_fan_out(NOW, stage.lease()).await.unwrap().unwrap();
    let early = crate::domain::clock::Millis(mine.lease.until.0 - 1);
    assert!(stage.store.claim_fan_out(early, stage.lease()).await.unwrap().is_none());
    let theirs = stage.store.claim_fan_out(mine.lease.until, stage.lease()).await.unwrap().unwrap();
    assert_eq!(done(&stage, &mine, &second, None).await, Accepted::Taken);
    assert_eq!(deliveries(&stage, &event).await, [first.id]);
    assert_eq!(done(&stage, &theirs, &second, None).await, Accepted::New);
    assert_eq!(done(&stage, &theirs, &second, None).await, Accepted::Taken);
    assert_eq!(deliveries(&stage, &event).await.len(), 2);
}

async fn a_step_matched_with_old_webhooks_is_not_done(stage: Stage) {
    let (first, second) = (stage.stored_webhook().await, stage.stored_webhook().await);
    stage.store.sync_subscriptions().await.unwrap();
    let matched_at = stage.store.subscriptions().revision();
    wide(&stage, &first, vec![vec![second.id]]).await;
    let step = stage.store.claim_fan_out(NOW, stage.lease()).await.unwrap().unwrap();
    stage.stored_webhook().await;
    assert_eq!(done(&stage, &step, &second, Some(matched_at)).await, Accepted::Stale);
    stage.store.sync_subscriptions().await.unwrap();
    let matched_at = stage.store.subscriptions().revision();
    assert_eq!(done(&stage, &step, &second, Some(matched_at)).await, Accepted::New);
}

async fn a_step_that_was_begun_is_done_after_a_restart(stage: Stage) {
    let (first, second) = (stage.stored_webhook().await, stage.stored_webhook().await);
    let event = wide(&stage, &first, vec![vec![second.id]]).await;
    let begun = stage.store.claim_fan_out(NOW, stage.lease()).await.unwrap().unwrap();
    let stage = stage.reopen().await;
    // On SQLite at once; where others share the work, when the lease ends.
    let step = stage.store.claim_fan_out(begun.lease.until, stage.lease()).await.unwrap().unwrap();
    assert_eq!((step.event.id, step.webhooks), (event.id, vec![second.id]));
}
