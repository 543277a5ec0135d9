//! Webhooks that end by themselves.

use super::on_both;
use super::stage::{NOW, Stage};
use crate::domain::clock::Millis;
use crate::domain::id::{DEFAULT_PROJECT, WebhookId};
use crate::domain::webhook::Webhook;
use crate::store::OpenWork;

on_both!(a_webhook_is_over_at_its_time_and_not_before, a_listener_stays_one_and_its_end_can_be_moved);

impl Stage {
    async fn stored(&self, expires_at: Option<Millis>) -> Webhook {
        let webhook = Webhook { is_listener: true, expires_at, ..self.webhook() };
        self.store.insert_webhook(&webhook, &self.entropy).await.unwrap();
        webhook
    }

    async fn over(&self, now: Millis) -> Vec<WebhookId> {
        self.store.ended_webhooks(now).await.unwrap().into_iter().map(|(_, id)| id).collect()
    }
}

async fn a_webhook_is_over_at_its_time_and_not_before(stage: Stage) {
    let (late, early, _never) = (
        stage.stored(Some(NOW.plus(20))).await.id,
        stage.stored(Some(NOW.plus(10))).await.id,
        stage.stored(None).await,
    );
    assert_eq!(stage.over(NOW.plus(9)).await, []);
    assert_eq!(stage.over(NOW.plus(10)).await, [early]);
    assert_eq!(
        stage.store.ended_webhooks(NOW.plus(20)).await.unwrap(),
        [(DEFAULT_PROJECT, early), (DEFAULT_PROJECT, late)]
    );
    assert!(stage.store.delete_webhook(DEFAULT_PROJECT, early, NOW).await.unwrap());
    assert_eq!(stage.over(Millis::NEVER).await, [late], "what is gone is not over once more");
}

async fn a_listener_stays_one_and_its_end_can_be_moved(stage: Stage) {
    let webhook = stage.stored(Some(NOW.plus(10))).await;
    let read = async || stage.store.webhook(DEFAULT_PROJECT, webhook.id).await.unwrap().unwrap();
    assert_eq!((read().await.is_listener, read().await.expires_at), (true, Some(NOW.plus(10))));
    for (version, expires_at) in [(2, Some(NOW.plus(30))), (3, None)] {
        let moved = Webhook { expires_at, version, ..webhook.clone() };
        assert!(stage.store.update_webhook(&moved, version - 1, OpenWork::Keep, &stage.entropy).await.unwrap());
        assert_eq!((read().await.is_listener, read().await.expires_at), (true, expires_at));
        assert_eq!(stage.store.subscriptions().webhook(webhook.id).unwrap().expires_at, expires_at);
    }
    assert_eq!(stage.over(NOW.plus(10)).await, []);
}
