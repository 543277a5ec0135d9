//! What webhooks collect: in order, out once, and never lost.

use std::sync::Arc;

use super::on_both;
use super::stage::{NOW, Stage};
use crate::domain::clock::Millis;
use crate::domain::delivery::DeliveryStatus;
use crate::domain::digest::{Bounds, Digest, DigestForm, digest_event};
use crate::domain::event::Event;
use crate::domain::id::{DEFAULT_PROJECT, DeliveryId, EventId};
use crate::domain::webhook::{State, Webhook};
use crate::store::{Acted, Beginning, Chosen, ClosedDigest, NewDelivery, OpenWork, Store, WorkKind};

on_both!(
    what_is_collected_goes_out_together_and_in_order,
    a_digest_is_due_by_count_by_quiet_and_at_the_latest,
    what_has_no_room_in_a_digest_follows,
    a_digest_is_closed_once_by_whoever_comes_first,
    what_is_cancelled_is_not_in_the_digest,
    a_disabled_webhook_keeps_what_it_has_collected,
    a_deleted_webhook_cancels_what_it_has_collected,
    a_webhook_that_collects_no_more_sends_what_it_has,
);

const LATER: Millis = Millis(NOW.0 + 10_000);

fn form() -> DigestForm {
    DigestForm { count: Some(5), quiet_ms: Some(2000), max_ms: Some(10_000), ..DigestForm::default() }
}

async fn collecting_webhook(stage: &Stage) -> Webhook {
    let webhook = Webhook { digest: Digest::new(form()).map(Arc::new), ..stage.webhook() };
    stage.store.insert_webhook(&webhook, &stage.entropy).await.unwrap();
    webhook
}

/// Collects so many events in one commit; their deliveries in order.
async fn collect(stage: &Stage, webhook: &Webhook, events: usize, now: Millis) -> Vec<DeliveryId> {
    let bounds = webhook.digest.as_ref().unwrap().bounds(now);
    let delivery =
        || NewDelivery { beginning: Beginning::Collected { bounds }, ..stage.delivery(webhook, WorkKind::Send, None) };
    let mut all = stage.accept_of(Vec::new());
    all.events.clear();
    for _ in 0..events {
        all.events.extend(stage.accept_of(vec![delivery()]).events);
    }
    let ids = all.events.iter().map(|event| event.deliveries[0].id).collect();
    stage.store.accept(all).await.unwrap();
    ids
}

async fn closing(stage: &Stage, store: &Store, webhook: &Webhook, most: u32) -> ClosedDigest {
    let collected = store.collected(webhook.id, most, 1_000_000).await.unwrap();
    let events: Vec<&Event> = collected.iter().map(|collected| &*collected.event).collect();
    let all = store.collecting(webhook.id).await.unwrap().map_or(0, |collecting| collecting.events);
    let more = all - events.len() as u64;
    let event = digest_event(EventId::new(NOW, stage.entropy.id()), webhook, &events, more, NOW).into();
    ClosedDigest {
        webhook: webhook.id,
        event,
        delivery: DeliveryId::with_room(NOW, stage.entropy.id()),
        goes_on: more > 0,
        rest: Bounds { until: LATER, quiet: Millis::NEVER, count: 5 },
        order_wait_ms: 1000,
        now: NOW,
        collected,
    }
}

/// When the webhook's digest is due, and how much it holds.
async fn due(stage: &Stage, webhook: &Webhook) -> Option<(Millis, u64)> {
    stage.store.collecting(webhook.id).await.unwrap().map(|collecting| (collecting.due, collecting.events))
}

async fn what_is_collected_goes_out_together_and_in_order(stage: Stage) {
    let webhook = collecting_webhook(&stage).await;
    let mut deliveries = Vec::new();
    for events in [3, 1, 2] {
        deliveries.extend(collect(&stage, &webhook, events, NOW).await);
    }
    assert_eq!(stage.status(deliveries[0]).await, DeliveryStatus::Collecting);
    assert!(stage.claimed(LATER).await.is_empty(), "nothing of it is sent by itself");
    let closed = closing(&stage, &stage.store, &webhook, 1000).await;
    let order: Vec<DeliveryId> = closed.collected.iter().map(|collected| collected.delivery).collect();
    assert_eq!(order, deliveries);
    assert!(stage.store.close_digest(closed.clone()).await.unwrap());
    assert_eq!(due(&stage, &webhook).await, None);
    let view = stage.store.delivery(DEFAULT_PROJECT, deliveries[5]).await.unwrap().unwrap().summary;
    assert_eq!((view.status, view.digest), (DeliveryStatus::Collected, Some(closed.delivery)));
    assert!(view.settled_at.is_some());
    let work = stage.claimed(NOW).await;
    assert_eq!((work.len(), work[0].head().id), (1, closed.delivery));
    let event = &work[0].head().event;
    assert!(event.event_type.is_digest());
    let payload: serde_json::Value = serde_json::from_slice(event.payload.as_deref().unwrap()).unwrap();
    assert_eq!(payload["digest"]["count"], 6);
    assert_eq!(payload["events"].as_array().map(Vec::len), Some(6));
}

async fn a_digest_is_due_by_count_by_quiet_and_at_the_latest(stage: Stage) {
    let webhook = collecting_webhook(&stage).await;
    assert_eq!(stage.store.next_digest().await.unwrap(), None);
    collect(&stage, &webhook, 1, NOW).await;
    assert_eq!(due(&stage, &webhook).await, Some((NOW.plus(2000), 1)));
    collect(&stage, &webhook, 1, NOW.plus(1500)).await;
    assert_eq!(due(&stage, &webhook).await, Some((NOW.plus(3500), 2)), "it was not quiet");
    collect(&stage, &webhook, 1, NOW.plus(9000)).await;
    assert_eq!(due(&stage, &webhook).await, Some((NOW.plus(10_000), 3)), "the first has waited for long enough");
    assert!(stage.store.due_digests(NOW.plus(9999), 10).await.unwrap().is_empty());
    assert_eq!(stage.store.due_digests(NOW.plus(10_000), 10).await.unwrap().len(), 1);
    collect(&stage, &webhook, 2, NOW.plus(9000)).await;
    assert_eq!(due(&stage, &webhook).await, Some((Millis(0), 5)), "there are enough");
    assert_eq!(stage.store.next_digest().await.unwrap(), Some(Millis(0)));
}

async fn what_has_no_room_in_a_digest_follows(stage: Stage) {
    let webhook = collecting_webhook(&stage).await;
    let deliveries = collect(&stage, &webhook, 4, NOW).await;
    let bytes = stage.store.collected(webhook.id, 1000, 700).await.unwrap();
    assert_eq!(bytes.len(), 2, "256 bytes for each, and the payload");
    assert_eq!(stage.store.collected(webhook.id, 1000, 1).await.unwrap().len(), 1, "never none");
    let first = closing(&stage, &stage.store, &webhook, 3).await;
    assert!(stage.store.close_digest(first).await.unwrap());
    assert_eq!(due(&stage, &webhook).await, Some((Millis(0), 1)));
    let second = closing(&stage, &stage.store, &webhook, 3).await;
    assert_eq!(second.collected[0].delivery, deliveries[3]);
    assert!(stage.store.close_digest(second).await.unwrap());
    assert_eq!(due(&stage, &webhook).await, None);
    // What comes while a digest is closed is due as if it were the first.
    collect(&stage, &webhook, 1, NOW).await;
    let third = closing(&stage, &stage.store, &webhook, 1000).await;
    collect(&stage, &webhook, 1, NOW).await;
    assert!(stage.store.close_digest(third).await.unwrap());
    assert_eq!(due(&stage, &webhook).await, Some((LATER, 1)));
}

async fn a_digest_is_closed_once_by_whoever_comes_first(stage: Stage) {
    let webhook = collecting_webhook(&stage).await;
    collect(&stage, &webhook, 3, NOW).await;
    let (mine, theirs) =
        (closing(&stage, &stage.store, &webhook, 1000).await, closing(&stage, &stage.store, &webhook, 1000).await);
    let (mine, theirs) = tokio::join!(stage.store.close_digest(mine), stage.store.close_digest(theirs));
    assert_eq!(u8::from(mine.unwrap()) + u8::from(theirs.unwrap()), 1);
    assert_eq!(stage.claimed(NOW).await.len(), 1);
}

async fn what_is_cancelled_is_not_in_the_digest(stage: Stage) {
    let webhook = collecting_webhook(&stage).await;
    let deliveries = collect(&stage, &webhook, 2, NOW).await;
    let cancel = |id| stage.store.cancel_delivery(DEFAULT_PROJECT, id, Chosen::default(), "x".to_owned(), NOW);
    let resend = stage.store.resend(DEFAULT_PROJECT, deliveries[0], Chosen::default(), None, NOW).await.unwrap();
    assert!(matches!(resend, Acted::Refused(_)), "{resend:?}");
    assert_eq!(cancel(deliveries[0]).await.unwrap(), Acted::Done(1));
    assert_eq!(stage.status(deliveries[0]).await, DeliveryStatus::Cancelled);
    assert_eq!(due(&stage, &webhook).await.map(|(_, events)| events), Some(1));
    let closed = closing(&stage, &stage.store, &webhook, 1000).await;
    assert_eq!(closed.collected.len(), 1);
    assert_eq!(cancel(deliveries[1]).await.unwrap(), Acted::Done(1));
    assert_eq!(due(&stage, &webhook).await, None);
    assert!(!stage.store.close_digest(closed).await.unwrap(), "what it holds is not what there was");
    assert!(stage.claimed(NOW).await.is_empty());
}

async fn a_disabled_webhook_keeps_what_it_has_collected(stage: Stage) {
    let webhook = collecting_webhook(&stage).await;
    let deliveries = collect(&stage, &webhook, 5, NOW).await;
    let state = State::Disabled { reason: "x".to_owned() };
    let disabled = Webhook { state, version: 2, ..webhook.clone() };
    assert!(stage.store.update_webhook(&disabled, 1, OpenWork::Hold, &stage.entropy).await.unwrap());
    assert!(stage.store.due_digests(LATER, 10).await.unwrap().is_empty());
    assert_eq!(stage.store.next_digest().await.unwrap(), None);
    let closed = closing(&stage, &stage.store, &webhook, 1000).await;
    assert!(!stage.store.close_digest(closed).await.unwrap());
    let enabled = Webhook { version: 3, ..webhook.clone() };
    let resume = OpenWork::Resume { blocked_until: NOW };
    assert!(stage.store.update_webhook(&enabled, 2, resume, &stage.entropy).await.unwrap());
    assert_eq!(stage.store.due_digests(NOW, 10).await.unwrap().len(), 1);
    let disabled = Webhook { version: 4, ..disabled };
    assert!(stage.store.update_webhook(&disabled, 3, OpenWork::Hold, &stage.entropy).await.unwrap());
    let enabled = Webhook { version: 5, ..webhook.clone() };
    assert!(stage.store.update_webhook(&enabled, 4, OpenWork::Cancel, &stage.entropy).await.unwrap());
    assert_eq!(due(&stage, &webhook).await, None);
    assert_eq!(stage.status(deliveries[4]).await, DeliveryStatus::Cancelled);
}

async fn a_deleted_webhook_cancels_what_it_has_collected(stage: Stage) {
    let webhook = collecting_webhook(&stage).await;
    let deliveries = collect(&stage, &webhook, 2, NOW).await;
    assert!(stage.store.delete_webhook(DEFAULT_PROJECT, webhook.id, NOW).await.unwrap());
    assert_eq!(due(&stage, &webhook).await, None);
    for delivery in deliveries {
        assert_eq!(stage.status(delivery).await, DeliveryStatus::Cancelled);
    }
}

async fn a_webhook_that_collects_no_more_sends_what_it_has(stage: Stage) {
    let webhook = collecting_webhook(&stage).await;
    collect(&stage, &webhook, 2, NOW).await;
    let wider = DigestForm { count: Some(3), quiet_ms: None, max_ms: Some(60_000), ..DigestForm::default() };
    let changed = Webhook { digest: Digest::new(wider.clone()).map(Arc::new), version: 2, ..webhook.clone() };
    assert!(stage.store.update_webhook(&changed, 1, OpenWork::Keep, &stage.entropy).await.unwrap());
    assert_eq!(due(&stage, &webhook).await, Some((NOW.plus(60_000), 2)));
    let read = stage.store.webhook(DEFAULT_PROJECT, webhook.id).await.unwrap().unwrap();
    assert_eq!(read.digest.map(|digest| digest.form().clone()), Some(wider));
    let named = Webhook { name: "other".to_owned(), version: 3, ..changed.clone() };
    assert!(stage.store.update_webhook(&named, 2, OpenWork::Keep, &stage.entropy).await.unwrap());
    assert_eq!(due(&stage, &webhook).await, Some((NOW.plus(60_000), 2)), "nothing is said of that");
    let plain = Webhook { digest: None, version: 4, ..changed };
    assert!(stage.store.update_webhook(&plain, 3, OpenWork::Keep, &stage.entropy).await.unwrap());
    assert_eq!(due(&stage, &webhook).await, Some((Millis(0), 2)));
    assert_eq!(stage.store.due_digests(NOW, 10).await.unwrap().len(), 1);
}
