//! Events that are sent anew: one to the webhooks that want it, or all that a webhook missed.

use std::collections::HashSet;

use super::on_both;
use super::resends::failed;
use super::stage::{NOW, Stage};
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, Trigger};
use crate::domain::event::Idempotency;
use crate::domain::id::{DEFAULT_PROJECT, DeliveryId, EventId, WebhookId};
use crate::domain::job::{JobState, JobWork, Missed};
use crate::domain::webhook::{State, Webhook};
use crate::store::{
    Accept, Beginning, ClaimedJob, ClaimedWork, FanOut, JobStep, NewDelivery, NewEvent, OpenWork, Recovered, Remake,
    Replay, Replayed, RequestEnd, Settle, Store, Wanted, WorkKind,
};

on_both!(
    an_event_is_sent_anew_beside_what_became_of_it,
    an_event_is_not_sent_anew_to_whom_it_is_on_its_way,
    the_same_key_sends_an_event_anew_once,
    an_event_that_was_made_for_one_webhook_is_not_sent_to_others,
    what_was_matched_with_old_webhooks_is_not_sent_anew,
    what_did_not_get_to_a_webhook_is_sent_once_and_oldest_first,
    what_arrived_in_part_is_not_sent_anew_but_the_rest_again,
    what_is_still_being_made_is_not_recovered,
    two_recoveries_at_once_send_none_twice,
    a_recovery_ends_with_its_webhook,
);

impl Stage {
    /// An event with these deliveries.
    pub(super) async fn event_with(&self, deliveries: Vec<NewDelivery>) -> EventId {
        let accept = self.accept_of(deliveries);
        let id = accept.events[0].event.id;
        self.store.accept(accept).await.unwrap();
        id
    }

    async fn replay_with(&self, event: EventId, to: &[WebhookId], key: Option<Idempotency>) -> Replayed {
        let replay = Replay {
            project: DEFAULT_PROJECT,
            event,
            subject: Some("PAY-17".to_owned()),
            webhooks: to.to_vec(),
            matched_at: self.store.subscriptions().revision(),
            key,
            remake: self.remake(),
        };
        self.store.replay(replay).await.unwrap()
    }

    pub(super) async fn replayed(
        &self,
        event: EventId,
        to: &[WebhookId],
    ) -> (Vec<(DeliveryId, WebhookId)>, Vec<String>) {
        match self.replay_with(event, to, None).await {
            Replayed::Made(made, left_out) => (made, left_out.into_iter().map(|(_, why)| why).collect()),
            other => panic!("{other:?}"),
        }
    }

    /// A delivery of an event of its own, that ended so.
    pub(super) async fn past(&self, webhook: &Webhook, end: RequestEnd) -> (EventId, DeliveryId) {
        let lease = self.lease();
        let new = self.delivery(webhook, WorkKind::Send, Some(lease));
        let delivery = new.id;
        let event = self.event_with(vec![new]).await;
        let mut finish = Stage::finish(webhook, delivery.request(0), lease, end);
        (finish.is_plain, finish.only_request) = (true, true);
        self.store.finish(finish).await.unwrap();
        (event, delivery)
    }
}

async fn an_event_is_sent_anew_beside_what_became_of_it(stage: Stage) {
    let (first, second) = (stage.stored_webhook().await, stage.stored_webhook().await);
    let (event, old) = stage.past(&first, RequestEnd::Succeeded).await;
    let (made, left_out) = stage.replayed(event, &[first.id, second.id]).await;
    assert_eq!((made.len(), left_out.len()), (2, 0));
    for ((id, webhook), (expected, repeats)) in made.iter().zip([(first.id, Some(old)), (second.id, None)]) {
        let new = stage.summary(*id).await;
        assert_eq!((*webhook, new.webhook_id, new.repeats), (expected, expected, repeats));
        assert_eq!((new.event_id, new.trigger, new.actor.as_deref()), (event, Trigger::Reprocess, Some("a test")));
        assert_eq!(new.status, DeliveryStatus::Pending);
    }
    let old = stage.summary(old).await;
    assert_eq!((old.status, old.reprocessed_by), (DeliveryStatus::Succeeded, None), "history stays");
    let sent: HashSet<DeliveryId> = stage.claimed(NOW.plus(9)).await.iter().map(|work| work.head().id).collect();
    assert_eq!(sent, made.iter().map(|(id, _)| *id).collect());
}

async fn an_event_is_not_sent_anew_to_whom_it_is_on_its_way(stage: Stage) {
    let (open, gone, off) = (stage.stored_webhook().await, stage.stored_webhook().await, stage.stored_webhook().await);
    let event = stage.event_with(vec![stage.delivery(&open, WorkKind::Send, None)]).await;
    stage.store.delete_webhook(DEFAULT_PROJECT, gone.id, NOW).await.unwrap();
    let disabled = Webhook { state: State::Disabled { reason: "by hand".to_owned() }, version: 2, ..off.clone() };
    assert!(stage.store.update_webhook(&disabled, 1, OpenWork::Hold, &stage.entropy).await.unwrap());
    let (made, left_out) = stage.replayed(event, &[open.id, gone.id, off.id]).await;
    assert!(made.is_empty());
    for (told, why) in left_out.iter().zip(["on its way", "deleted", "disabled"]) {
        assert!(told.contains(why), "{told}");
    }
    // Twice in a row: the second time it is on its way.
    let webhook = stage.stored_webhook().await;
    let first = stage.replayed(event, &[webhook.id]).await;
    let second = stage.replayed(event, &[webhook.id]).await;
    assert_eq!((first.0.len(), second.0.len()), (1, 0));
}

async fn the_same_key_sends_an_event_anew_once(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let (event, _) = stage.past(&webhook, RequestEnd::Succeeded).await;
    let (other, _) = stage.past(&webhook, RequestEnd::Succeeded).await;
    let key = |said: &[u8]| Some(Idempotency::new(DEFAULT_PROJECT, "key:k", said));
    let Replayed::Made(first, _) = stage.replay_with(event, &[webhook.id], key(b"a")).await else { panic!("made") };
    for work in stage.claimed(NOW.plus(9)).await {
        let ClaimedWork::Send(work) = work else { panic!("{work:?}") };
        let mut finish = Stage::finish(&webhook, work.request, work.lease, RequestEnd::Succeeded);
        (finish.is_plain, finish.only_request) = (true, true);
        stage.store.finish(finish).await.unwrap();
    }
    assert_eq!(stage.replay_with(event, &[webhook.id], key(b"a")).await, Replayed::Made(first, Vec::new()));
    assert_eq!(stage.replay_with(other, &[webhook.id], key(b"b")).await, Replayed::KeyReused);
    assert!(stage.claimed(NOW.plus(9)).await.is_empty());
}

async fn an_event_that_was_made_for_one_webhook_is_not_sent_to_others(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    for trigger in [Trigger::Test, Trigger::Manual] {
        let new = NewDelivery { trigger, ..stage.delivery(&webhook, WorkKind::Send, None) };
        let event = stage.event_with(vec![new]).await;
        assert_eq!(stage.replay_with(event, &[webhook.id], None).await, Replayed::OfOneWebhook);
        let wanted = Wanted { event, subject: None };
        assert!(stage.store.missed(stage.stored_webhook().await.id, vec![wanted], NOW).await.unwrap().is_empty());
    }
}

async fn what_was_matched_with_old_webhooks_is_not_sent_anew(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let (event, _) = stage.past(&webhook, RequestEnd::Succeeded).await;
    let other = stage.beside().await;
    let changed = Webhook { name: "changed".to_owned(), version: 2, ..webhook.clone() };
    assert!(other.update_webhook(&changed, 1, OpenWork::Keep, &stage.entropy).await.unwrap());
    assert_eq!(stage.replay_with(event, &[webhook.id], None).await, Replayed::Stale);
    stage.store.sync_subscriptions().await.unwrap();
    assert_eq!(stage.replayed(event, &[webhook.id]).await.0.len(), 1);
}

impl Stage {
    fn recovery(webhook: &Webhook) -> JobWork {
        JobWork::Recover(Missed { webhook_id: webhook.id, since: NOW, until: None })
    }

    /// Does a step as `jobs` does, with a webhook that wants everything.
    async fn recover(&self, store: &Store, job: &ClaimedJob, most: u32) -> Option<JobStep> {
        // At the time at which it was claimed.
        let remake = Remake { now: Millis(job.lease.until.0 - 1000), ..self.remake() };
        let JobWork::Recover(missed) = &job.work else { panic!("{job:?}") };
        let after = job.cursor.unwrap_or_default();
        let events = store.events_between(after, uuid::Uuid::max(), most, false).await.unwrap();
        let next = (events.len() == most as usize).then(|| events.last().unwrap().id.uuid());
        let wanted = events.iter().map(|event| Wanted { event: event.id, subject: event.subject.clone() }).collect();
        let wanted = (wanted, store.subscriptions().revision());
        match store.recover_step(job, missed.webhook_id, wanted, next, remake).await.unwrap() {
            Recovered::Step(step) => step,
            Recovered::Stale => panic!("nothing has changed"),
        }
    }

    async fn recover_all(&self, webhook: &Webhook, most: u32) -> (u64, JobState) {
        let id = self.inserted_job(Stage::recovery(webhook)).await;
        let mut now = NOW.plus(2);
        while let Some(job) = self.claimed_job(now).await {
            self.recover(&self.store, &job, most).await;
            now = now.plus(1);
        }
        let (state, progress, _) = self.state(id).await;
        (progress.done, state)
    }
}

async fn what_did_not_get_to_a_webhook_is_sent_once_and_oldest_first(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let missing = stage.event_with(Vec::new()).await;
    let (lost, old) = stage.past(&webhook, failed()).await;
    let reason = "the webhook is disabled: by hand".to_owned();
    let skipped =
        NewDelivery { beginning: Beginning::Skipped { reason }, ..stage.delivery(&webhook, WorkKind::Send, None) };
    let while_disabled = stage.event_with(vec![skipped]).await;
    let lease = stage.lease();
    let parked = stage.delivery(&webhook, WorkKind::Transform, Some(lease));
    let parked_id = parked.id;
    let of_parked = stage.event_with(vec![parked]).await;
    stage.park(parked_id, lease, "plugin.crashed").await;
    stage.past(&webhook, RequestEnd::Succeeded).await;
    stage.past(&webhook, RequestEnd::Held).await;
    stage.event_with(vec![stage.delivery(&webhook, WorkKind::Send, None)]).await;
    let lease = stage.lease();
    let new = stage.delivery(&webhook, WorkKind::Transform, Some(lease));
    let unwanted = Settle {
        delivery: new.id,
        lease,
        is_ordered: false,
        status: DeliveryStatus::Skipped,
        reason: "not for us".to_owned(),
        run: Some("{}".to_owned()),
        raise: None,
        now: NOW,
    };
    stage.event_with(vec![new]).await;
    assert!(stage.store.settle(unwanted).await.unwrap());
    let mut expected = vec![missing, lost, while_disabled, of_parked];
    expected.sort_unstable();
    let all = stage.store.events_between(uuid::Uuid::nil(), uuid::Uuid::max(), 100, true).await.unwrap();
    let wanted = || all.iter().map(|event| Wanted { event: event.id, subject: None }).collect::<Vec<_>>();
    assert_eq!(stage.store.missed(webhook.id, wanted(), NOW.plus(1)).await.unwrap(), expected);
    let before: HashSet<DeliveryId> = stage.deliveries_of(&webhook).await;
    assert_eq!(stage.recover_all(&webhook, 3).await, (4, JobState::Succeeded));
    let mut new: Vec<DeliveryId> = stage.deliveries_of(&webhook).await.difference(&before).copied().collect();
    new.sort_unstable();
    let mut events = Vec::new();
    for id in &new {
        events.push(stage.summary(*id).await.event_id);
    }
    assert_eq!(events, expected, "each once, oldest first");
    assert_eq!(
        stage.summary(parked_id).await.reprocessed_by,
        new.iter().zip(&events).find(|(_, event)| **event == of_parked).map(|(id, _)| *id)
    );
    let by = events.iter().position(|event| *event == lost).map(|position| new[position]).unwrap();
    assert_eq!(stage.summary(by).await.repeats, Some(old));
    assert_eq!(stage.recover_all(&webhook, 3).await, (0, JobState::Succeeded), "they are on their way");
}

impl Stage {
    async fn deliveries_of(&self, webhook: &Webhook) -> HashSet<DeliveryId> {
        let selection = crate::domain::selection::Selection { webhook_id: Some(webhook.id), ..Default::default() };
        let search = super::all_of(selection);
        self.store.find_deliveries(DEFAULT_PROJECT, &search, None, 1000).await.unwrap().ids.into_iter().collect()
    }
}

async fn what_arrived_in_part_is_not_sent_anew_but_the_rest_again(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let (delivery, _) = stage.ended(&webhook, 2, &[RequestEnd::Succeeded, failed()]).await;
    assert_eq!(stage.recover_all(&webhook, 10).await, (1, JobState::Succeeded));
    let claimed = stage.claimed(NOW.plus(9)).await;
    let [ClaimedWork::Send(send)] = claimed.as_slice() else { panic!("{claimed:?}") };
    assert_eq!(send.request, delivery.request(1));
}

async fn what_is_still_being_made_is_not_recovered(stage: Stage) {
    let (webhook, other) = (stage.stored_webhook().await, stage.stored_webhook().await);
    let fan_out = FanOut::Begin { idempotency: None, later: vec![vec![webhook.id]] };
    let event = NewEvent { event: stage.event(), fan_out, deliveries: Vec::new() };
    let id = event.event.id;
    stage.store.accept(Accept { events: vec![event], matched_at: None }).await.unwrap();
    let wanted = || vec![Wanted { event: id, subject: None }];
    assert!(stage.store.missed(webhook.id, wanted(), NOW).await.unwrap().is_empty());
    assert_eq!(stage.store.missed(other.id, wanted(), NOW).await.unwrap(), [id], "not among those");
    let (made, left_out) = stage.replayed(id, &[webhook.id, other.id]).await;
    assert_eq!(made.iter().map(|(_, webhook)| *webhook).collect::<Vec<_>>(), [other.id]);
    assert!(left_out[0].contains("still being made"), "{left_out:?}");
}

async fn two_recoveries_at_once_send_none_twice(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    for _ in 0..12 {
        stage.event_with(Vec::new()).await;
    }
    let other = stage.beside().await;
    for _ in 0..2 {
        stage.inserted_job(Stage::recovery(&webhook)).await;
    }
    let (mut done, mut rounds) = (0, 0);
    while let Some(first) = stage.claimed_job(NOW.plus(2)).await {
        let second = stage.claimed_job(NOW.plus(2)).await;
        let steps = tokio::join!(stage.recover(&stage.store, &first, 3), async {
            match &second {
                Some(job) => stage.recover(&other, job, 3).await,
                None => None,
            }
        });
        done += [steps.0, steps.1].into_iter().flatten().map(|step| step.done).sum::<u64>();
        // What was sent fails again at once: that is another story.
        for work in stage.claimed(NOW.plus(2)).await {
            let ClaimedWork::Send(work) = work else { panic!("{work:?}") };
            let mut finish = Stage::finish(&webhook, work.request, work.lease, failed());
            (finish.is_plain, finish.only_request, finish.now) = (true, true, NOW.plus(2));
            stage.store.finish(finish).await.unwrap();
        }
        rounds += 1;
        assert!(rounds < 50, "it comes to an end");
    }
    assert_eq!((done, stage.deliveries_of(&webhook).await.len()), (12, 12));
}

async fn a_recovery_ends_with_its_webhook(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    stage.event_with(Vec::new()).await;
    let id = stage.inserted_job(Stage::recovery(&webhook)).await;
    let job = stage.claimed_job(NOW.plus(2)).await.unwrap();
    stage.store.delete_webhook(DEFAULT_PROJECT, webhook.id, NOW).await.unwrap();
    stage.recover(&stage.store, &job, 10).await;
    let (state, _, reason) = stage.state(id).await;
    assert_eq!((state, reason.as_deref()), (JobState::Failed, Some("the webhook was deleted")));
    assert!(stage.claimed(Millis(NOW.0 * 2)).await.is_empty());
}
