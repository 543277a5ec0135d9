//! Events of the server's own, written with what they tell of.

use std::sync::Arc;

use super::on_both;
use super::stage::{NOW, Stage};
use crate::domain::delivery::DeliveryStatus;
use crate::domain::event::Event;
use crate::domain::id::{DEFAULT_PROJECT, DeliveryId};
use crate::domain::operational::{PLUGIN_FAILING, event_type};
use crate::domain::page::PageRequest;
use crate::domain::plugin::Pause;
use crate::domain::webhook::Webhook;
use crate::store::{ClaimedWork, Finish, Health, Lease, RequestEnd, Settle, WorkKind};

on_both!(
    an_event_is_raised_with_the_pause_that_it_tells_of,
    an_event_is_raised_once_with_the_end_that_it_tells_of,
    an_event_is_raised_once_when_a_webhook_is_disabled,
    an_event_is_raised_once_when_a_delivery_has_failed_for_good,
    an_event_is_raised_once_when_something_arrives_again,
);

impl Stage {
    fn raised(&self) -> Event {
        Event { event_type: event_type(PLUGIN_FAILING), ..Event::clone(&self.event()) }
    }

    async fn stored_events(&self) -> usize {
        let all = PageRequest { limit: 100, cursor: None };
        self.store.events(DEFAULT_PROJECT, Some(PLUGIN_FAILING), all).await.unwrap().items.len()
    }
}

async fn an_event_is_raised_with_the_pause_that_it_tells_of(stage: Stage) {
    let webhook = stage.webhook_with_plugin().await;
    let version = webhook.configuration.plugin.as_ref().unwrap().version_id;
    let pause = Pause { since: NOW, reason: "it failed".to_owned() };
    let event = stage.raised();
    assert!(stage.store.pause_plugin(version, &pause, Some(event.clone())).await.unwrap());
    assert!(!stage.store.pause_plugin(version, &pause, Some(stage.raised())).await.unwrap());
    assert_eq!(stage.stored_events().await, 1, "once for one pause");
    let step = stage.store.claim_fan_out(NOW, stage.lease()).await.unwrap().unwrap();
    assert_eq!((step.event.id, step.webhooks.len()), (event.id, 0), "for those that want it");
    assert_eq!(step.event.payload, event.payload);
    assert!(stage.store.claim_fan_out(NOW, stage.lease()).await.unwrap().is_none());
}

async fn an_event_is_raised_once_with_the_end_that_it_tells_of(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let lease = stage.lease();
    let delivery = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    let park = |delivery: DeliveryId, lease: Lease| Settle {
        delivery,
        lease,
        is_ordered: false,
        status: DeliveryStatus::Parked,
        reason: "it failed".to_owned(),
        run: None,
        raise: Some(Arc::new(stage.raised())),
        now: NOW,
    };
    assert!(!stage.store.settle(park(delivery, stage.lease())).await.unwrap());
    assert_eq!(stage.stored_events().await, 0, "it is another's");
    assert!(stage.store.settle(park(delivery, lease)).await.unwrap());
    assert!(!stage.store.settle(park(delivery, lease)).await.unwrap());
    assert_eq!(stage.stored_events().await, 1);
}

async fn an_event_is_raised_once_when_a_delivery_has_failed_for_good(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let lease = stage.lease();
    let delivery = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    stage.store.freeze(Stage::freeze(&webhook, delivery, lease, 3)).await.unwrap();
    let finish = |position, lease, end| {
        let exhausted = Some(Arc::new(stage.raised()));
        Finish { exhausted, ..Stage::finish(&webhook, delivery.request(position), lease, end) }
    };
    let failed = || RequestEnd::Failed { reason: "no".to_owned() };
    stage.store.finish(finish(0, lease, failed())).await.unwrap();
    stage.store.finish(finish(1, lease, RequestEnd::Retry { due: NOW })).await.unwrap();
    assert_eq!(stage.stored_events().await, 0, "it is not at its end");
    stage.store.finish(finish(2, lease, RequestEnd::Succeeded)).await.unwrap();
    let last = stage.claimed(NOW).await;
    let [ClaimedWork::Send(last)] = last.as_slice() else { panic!("{last:?}") };
    assert!(stage.store.finish(finish(1, lease, failed())).await.unwrap().late);
    assert_eq!(stage.stored_events().await, 0, "it is another's");
    stage.store.finish(finish(1, last.lease, RequestEnd::Succeeded)).await.unwrap();
    assert_eq!(stage.stored_events().await, 1, "one of its requests did not arrive");
    let step = stage.store.claim_fan_out(NOW, stage.lease()).await.unwrap().unwrap();
    assert!(step.webhooks.is_empty(), "for those that want it");
    // All that arrives tells of nothing.
    let lease = stage.lease();
    let arrived = stage.accepted(&webhook, WorkKind::Send, Some(lease)).await;
    let finish = Stage::finish(&webhook, arrived.request(0), lease, RequestEnd::Succeeded);
    stage.store.finish(Finish { exhausted: Some(Arc::new(stage.raised())), ..finish }).await.unwrap();
    assert_eq!(stage.stored_events().await, 1);
}

async fn an_event_is_raised_once_when_something_arrives_again(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let tell = async |health, end| {
        let lease = stage.lease();
        let delivery = stage.accepted(&webhook, WorkKind::Send, Some(lease)).await;
        let finish = Stage::finish(&webhook, delivery.request(0), lease, end);
        let recovered = Some(Arc::new(stage.raised()));
        stage.store.finish(Finish { health, recovered, only_request: true, ..finish }).await.unwrap();
        stage.stored_events().await
    };
    let fails = Health::Fails { known: false };
    assert_eq!(tell(fails, RequestEnd::Retry { due: NOW }).await, 0);
    assert_eq!(tell(Health::Recovers, RequestEnd::Succeeded).await, 0, "no delivery had failed for good");
    assert_eq!(tell(fails, RequestEnd::Failed { reason: "no".to_owned() }).await, 0);
    let told =
        tokio::join!(tell(Health::Recovers, RequestEnd::Succeeded), tell(Health::Recovers, RequestEnd::Succeeded));
    assert_eq!(told.0.max(told.1), 1, "once, alone or together in one commit");
    assert_eq!(tell(Health::Recovers, RequestEnd::Succeeded).await, 1, "it was told");
}

async fn an_event_is_raised_once_when_a_webhook_is_disabled(stage: Stage) {
    let webhook: Webhook = stage.stored_webhook().await;
    for _ in 0..2 {
        let lease = stage.lease();
        let delivery = stage.accepted(&webhook, WorkKind::Send, Some(lease)).await;
        let end = RequestEnd::Failed { reason: "gone".to_owned() };
        let mut finish = Stage::finish(&webhook, delivery.request(0), lease, end);
        finish.disable = Some("gone".to_owned());
        finish.raise = Some(Arc::new(stage.raised()));
        stage.store.finish(finish).await.unwrap();
    }
    assert_eq!(stage.stored_events().await, 1, "it was disabled already");
}
