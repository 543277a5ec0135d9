//! Deliveries that a person has sent again, or gives up.

use super::on_both;
use super::stage::{NOW, Stage};
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, RequestStatus};
use crate::domain::event::{IDEMPOTENCY_MS, Idempotency};
use crate::domain::id::{DEFAULT_PROJECT, DeliveryId, ProjectId, RequestId};
use crate::domain::job::{JobState, JobWork};
use crate::domain::selection::Selection;
use crate::domain::webhook::{Order, State, Webhook};
use crate::store::{
    Acted, Beginning, Chosen, ClaimedJob, ClaimedSend, ClaimedWork, DeliveryView, InOrder, JobStep, Lease,
    LoadedRequest, Many, NewDelivery, OpenWork, RequestEnd, Search, Settle, Store, WorkKind,
};

on_both!(
    what_did_not_arrive_is_sent_again_under_its_id,
    what_has_arrived_is_sent_again_only_by_name,
    what_is_being_sent_is_not_sent_again,
    what_is_to_be_tried_again_is_due_now,
    what_waits_for_an_earlier_delivery_goes_on_waiting,
    a_delivery_without_plugin_is_sent_again_in_whatever_state,
    nothing_is_sent_again_for_a_webhook_that_gets_nothing,
    a_delivery_without_requests_is_only_hurried,
    bytes_that_are_gone_are_not_sent_again,
    the_same_key_sends_again_once,
    two_at_once_send_once,
    a_late_success_closes_what_was_to_be_sent_again,
    what_is_open_is_given_up_with_a_reason,
    what_waits_for_a_person_is_given_up,
    a_result_that_comes_after_it_was_given_up_is_kept,
    what_waited_for_a_delivery_that_is_given_up_goes_on,
    a_job_sends_each_again_once_and_oldest_first,
    a_job_leaves_alone_what_failed_again_after_it,
    two_jobs_at_once_send_none_twice,
    a_job_gives_up_what_is_chosen,
);

pub(super) fn failed() -> RequestEnd {
    RequestEnd::Failed { reason: "no".to_owned() }
}

fn named(requests: &[RequestId]) -> Chosen {
    Chosen { requests: requests.to_vec(), include_succeeded: false }
}

impl Stage {
    /// A delivery with so many requests that ended so, one after the other; what has no end is in hand.
    pub(super) async fn ended(&self, webhook: &Webhook, requests: usize, ends: &[RequestEnd]) -> (DeliveryId, Lease) {
        let lease = self.lease();
        let delivery = self.accepted(webhook, WorkKind::Transform, Some(lease)).await;
        assert!(self.store.freeze(Stage::freeze(webhook, delivery, lease, requests)).await.unwrap());
        for (position, end) in (0..).zip(ends) {
            self.store.finish(Stage::finish(webhook, delivery.request(position), lease, end.clone())).await.unwrap();
        }
        (delivery, lease)
    }

    async fn plain(&self, webhook: &Webhook, end: RequestEnd) -> DeliveryId {
        let lease = self.lease();
        let delivery = self.accepted(webhook, WorkKind::Send, Some(lease)).await;
        let mut finish = Stage::finish(webhook, delivery.request(0), lease, end);
        (finish.is_plain, finish.only_request) = (true, true);
        self.store.finish(finish).await.unwrap();
        delivery
    }

    async fn resend(&self, id: DeliveryId, chosen: Chosen) -> Acted {
        self.store.resend(DEFAULT_PROJECT, id, chosen, None, NOW.plus(1)).await.unwrap()
    }

    async fn cancel(&self, id: DeliveryId, chosen: Chosen) -> Acted {
        let reason = "enough".to_owned();
        self.store.cancel_delivery(DEFAULT_PROJECT, id, chosen, reason, NOW.plus(1)).await.unwrap()
    }

    pub(super) async fn view(&self, id: DeliveryId) -> DeliveryView {
        self.store.delivery(DEFAULT_PROJECT, id).await.unwrap().unwrap()
    }

    async fn statuses(&self, id: DeliveryId) -> (DeliveryStatus, Vec<RequestStatus>) {
        let view = self.view(id).await;
        (view.summary.status, view.requests.iter().map(|request| request.status).collect())
    }

    async fn sends(&self, now: Millis) -> Vec<ClaimedSend> {
        let send = |work| match work {
            ClaimedWork::Send(send) => send,
            ClaimedWork::Transform(work) => panic!("{work:?}"),
        };
        self.claimed(now).await.into_iter().map(send).collect()
    }

    async fn finished(&self, webhook: &Webhook, work: &ClaimedSend, end: RequestEnd) {
        let mut finish = Stage::finish(webhook, work.request, work.lease, end);
        finish.is_plain = matches!(work.content, LoadedRequest::Plain);
        finish.only_request = work.only_request;
        finish.now = NOW.plus(5);
        assert!(!self.store.finish(finish).await.unwrap().late);
    }

    async fn switch(&self, webhook: &Webhook, state: State, open_work: OpenWork) {
        let changed = Webhook { state, version: webhook.version + 1, ..webhook.clone() };
        assert!(self.store.update_webhook(&changed, webhook.version, open_work, &self.entropy).await.unwrap());
    }
}

pub(super) fn is_refused(acted: &Acted, why: &str) -> bool {
    matches!(acted, Acted::Refused(reason) if reason.contains(why))
}

async fn what_did_not_arrive_is_sent_again_under_its_id(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let ends = [RequestEnd::Succeeded, failed(), RequestEnd::Uncertain];
    let (delivery, _) = stage.ended(&webhook, 3, &ends).await;
    let before = stage.view(delivery).await;
    assert_eq!((before.summary.status, before.summary.requests), (DeliveryStatus::Failed, (3, 1)));
    assert_eq!(stage.resend(delivery, Chosen::default()).await, Acted::Done(2));
    let view = stage.view(delivery).await;
    assert_eq!((view.summary.status, view.summary.requests), (DeliveryStatus::Retrying, (3, 1)));
    assert_eq!((view.summary.settled_at, view.summary.reason), (None, None));
    let sends = stage.sends(NOW.plus(1)).await;
    assert_eq!(sends.iter().map(|send| send.request).collect::<Vec<_>>(), [delivery.request(1), delivery.request(2)]);
    for (send, position) in sends.iter().zip([1, 2]) {
        assert_eq!((send.attempts, send.schedule_from), (1, 1), "counted on, and a schedule of its own");
        let LoadedRequest::Frozen(frozen) = &send.content else { panic!("{send:?}") };
        assert_eq!(&frozen.body[..], format!("{{\"n\":{position}}}").as_bytes(), "the same bytes");
        stage.finished(&webhook, send, RequestEnd::Succeeded).await;
    }
    let view = stage.view(delivery).await;
    assert_eq!((view.summary.status, view.summary.requests), (DeliveryStatus::Succeeded, (3, 3)));
    assert_eq!(view.summary.settled_at, Some(NOW.plus(5)));
    let numbers =
        |position: usize| view.requests[position].attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>();
    assert_eq!((numbers(0), numbers(1), numbers(2)), (vec![1], vec![1, 2], vec![1, 2]));
    assert!(
        stage.store.resend(ProjectId::new(NOW, 9), delivery, Chosen::default(), None, NOW).await.unwrap()
            == Acted::NotThere
    );
}

async fn what_has_arrived_is_sent_again_only_by_name(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let (delivery, _) = stage.ended(&webhook, 2, &[RequestEnd::Succeeded, RequestEnd::Succeeded]).await;
    assert!(is_refused(&stage.resend(delivery, Chosen::default()).await, "has arrived"));
    let first = named(&[delivery.request(0)]);
    assert!(is_refused(&stage.resend(delivery, first.clone()).await, "has arrived"));
    assert_eq!(
        stage.resend(delivery, named(&[delivery.request(0), delivery.request(7)])).await,
        Acted::Refused(format!(
            "the request {} has arrived; `include_succeeded` sends it once more",
            delivery.request(0)
        ))
    );
    let unknown = Chosen { include_succeeded: true, ..named(&[delivery.request(0), delivery.request(7)]) };
    assert_eq!(stage.resend(delivery, unknown).await, Acted::NoSuchRequest(1));
    assert!(stage.claimed(NOW.plus(1)).await.is_empty(), "nothing was done so far");
    // Named twice is once.
    let twice = Chosen { include_succeeded: true, ..named(&[delivery.request(0), delivery.request(0)]) };
    assert_eq!(stage.resend(delivery, twice).await, Acted::Done(1));
    let view = stage.view(delivery).await;
    assert_eq!((view.summary.status, view.summary.requests), (DeliveryStatus::Retrying, (2, 1)));
    let sends = stage.sends(NOW.plus(1)).await;
    assert_eq!((sends.len(), sends[0].request), (1, delivery.request(0)));
    stage.finished(&webhook, &sends[0], RequestEnd::Succeeded).await;
    assert_eq!(stage.view(delivery).await.summary.requests, (2, 2));
}

async fn what_is_being_sent_is_not_sent_again(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let (delivery, _) = stage.ended(&webhook, 2, &[failed()]).await;
    assert!(is_refused(&stage.resend(delivery, Chosen::default()).await, "being sent"));
    assert!(is_refused(&stage.resend(delivery, named(&[delivery.request(1)])).await, "being sent"));
    let transform = stage.accepted(&webhook, WorkKind::Transform, Some(stage.lease())).await;
    assert!(is_refused(&stage.resend(transform, Chosen::default()).await, "being sent"));
    assert!(stage.claimed(NOW.plus(1)).await.is_empty(), "nothing was done");
    assert_eq!(stage.resend(delivery, named(&[delivery.request(0)])).await, Acted::Done(1), "that one is not");
}

async fn what_is_to_be_tried_again_is_due_now(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let later = RequestEnd::Retry { due: NOW.plus(100_000) };
    let (delivery, _) = stage.ended(&webhook, 1, &[later]).await;
    assert!(stage.claimed(NOW.plus(1)).await.is_empty());
    for _ in 0..2 {
        assert_eq!(stage.resend(delivery, Chosen::default()).await, Acted::Done(1), "twice is once");
    }
    let sends = stage.sends(NOW.plus(1)).await;
    assert_eq!((sends.len(), sends[0].attempts, sends[0].schedule_from), (1, 1, 0), "its schedule goes on");
    assert_eq!(stage.view(delivery).await.requests[0].attempts.len(), 1);
}

/// Two deliveries of one subject.
async fn in_order(stage: &Stage) -> (Webhook, [DeliveryId; 2]) {
    let webhook = Webhook { order: Order::Strict, ..stage.webhook() };
    stage.store.insert_webhook(&webhook, &stage.entropy).await.unwrap();
    let order = Some(InOrder { key: Order::Strict.key(None).unwrap(), until: NOW.plus(60_000) });
    let mut ids = [NOW; 2].map(|now| DeliveryId::with_room(now, stage.entropy.id()));
    ids.sort_unstable();
    for id in ids {
        let beginning = Beginning::Open { kind: WorkKind::Send, due: NOW, lease: None };
        let new = NewDelivery { id, beginning, order, ..stage.delivery(&webhook, WorkKind::Send, None) };
        stage.store.accept(stage.accept_of(vec![new])).await.unwrap();
    }
    (webhook, ids)
}

async fn what_waits_for_an_earlier_delivery_goes_on_waiting(stage: Stage) {
    let (_, [first, second]) = in_order(&stage).await;
    assert!(is_refused(&stage.resend(second, Chosen::default()).await, "earlier delivery"));
    let sends = stage.sends(NOW.plus(1)).await;
    assert_eq!(sends.iter().map(|send| send.head.id).collect::<Vec<_>>(), [first]);
}

async fn a_delivery_without_plugin_is_sent_again_in_whatever_state(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let untried = stage.accepted(&webhook, WorkKind::Send, None).await;
    assert_eq!(stage.cancel(untried, Chosen::default()).await, Acted::Done(1));
    assert_eq!(stage.statuses(untried).await, (DeliveryStatus::Cancelled, vec![RequestStatus::Cancelled]));
    let arrived = stage.plain(&webhook, RequestEnd::Succeeded).await;
    let states = [
        (stage.plain(&webhook, failed()).await, DeliveryStatus::Retrying),
        (stage.plain(&webhook, RequestEnd::Uncertain).await, DeliveryStatus::Retrying),
        (stage.plain(&webhook, RequestEnd::Held).await, DeliveryStatus::Retrying),
        (arrived, DeliveryStatus::Retrying),
        (untried, DeliveryStatus::Pending),
    ];
    for (delivery, status) in states {
        let include_succeeded = delivery == arrived;
        let chosen = if include_succeeded { named(&[delivery.request(0)]) } else { Chosen::default() };
        assert_eq!(stage.resend(delivery, Chosen { include_succeeded, ..chosen }).await, Acted::Done(1), "{status}");
        assert_eq!(stage.statuses(delivery).await.0, status);
        let sends = stage.sends(NOW.plus(1)).await;
        assert_eq!((sends.len(), sends[0].request), (1, delivery.request(0)));
        assert!(matches!(sends[0].content, LoadedRequest::Plain) && sends[0].only_request);
        stage.finished(&webhook, &sends[0], RequestEnd::Succeeded).await;
        assert_eq!(stage.statuses(delivery).await, (DeliveryStatus::Succeeded, vec![RequestStatus::Succeeded]));
        assert_eq!(stage.view(delivery).await.summary.requests, (1, 1));
    }
}

async fn nothing_is_sent_again_for_a_webhook_that_gets_nothing(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let (delivery, _) = stage.ended(&webhook, 1, &[failed()]).await;
    stage.switch(&webhook, State::Disabled { reason: "by hand".to_owned() }, OpenWork::Hold).await;
    assert!(is_refused(&stage.resend(delivery, Chosen::default()).await, "disabled"));
    assert!(stage.store.delete_webhook(DEFAULT_PROJECT, webhook.id, NOW).await.unwrap());
    assert!(is_refused(&stage.resend(delivery, Chosen::default()).await, "deleted"));
    assert_eq!(stage.statuses(delivery).await.0, DeliveryStatus::Failed);
    assert!(stage.claimed(Millis(NOW.0 * 2)).await.is_empty());
}

async fn a_delivery_without_requests_is_only_hurried(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    for (status, why) in
        [(DeliveryStatus::Parked, "reprocess"), (DeliveryStatus::Skipped, "replay"), (DeliveryStatus::Failed, "replay")]
    {
        let lease = stage.lease();
        let delivery = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
        stage.settled(delivery, lease, status).await;
        assert!(is_refused(&stage.resend(delivery, Chosen::default()).await, why), "{status}");
    }
    let lease = stage.lease();
    let delivery = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    let postpone =
        |due| crate::store::Postpone { work: delivery.uuid(), lease, due, reason: None, counts: false, run: None };
    assert!(stage.store.postpone(postpone(NOW.plus(50_000))).await.unwrap());
    assert_eq!(stage.resend(delivery, named(&[delivery.request(0)])).await, Acted::NoSuchRequest(0));
    assert!(stage.claimed(NOW.plus(1)).await.is_empty());
    assert_eq!(stage.resend(delivery, Chosen::default()).await, Acted::Done(1));
    assert!(matches!(stage.claimed(NOW.plus(1)).await.as_slice(), [ClaimedWork::Transform(_)]));
}

async fn bytes_that_are_gone_are_not_sent_again(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let (delivery, _) = stage.ended(&webhook, 1, &[failed()]).await;
    stage.run_sql("UPDATE requests SET body = NULL").await;
    assert!(is_refused(&stage.resend(delivery, Chosen::default()).await, "no longer kept"));
    let plain = stage.plain(&webhook, failed()).await;
    stage.run_sql("DELETE FROM events").await;
    assert!(is_refused(&stage.resend(plain, Chosen::default()).await, "no longer kept"));
}

async fn the_same_key_sends_again_once(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let (delivery, _) = stage.ended(&webhook, 1, &[failed()]).await;
    let (other, _) = stage.ended(&webhook, 1, &[failed()]).await;
    let key = |said: &[u8]| Some(Idempotency::new(DEFAULT_PROJECT, "key:k", said));
    let again =
        async |id, key, now| stage.store.resend(DEFAULT_PROJECT, id, Chosen::default(), key, now).await.unwrap();
    assert_eq!(again(delivery, key(b"a"), NOW).await, Acted::Done(1));
    let sends = stage.sends(NOW.plus(1)).await;
    stage.finished(&webhook, &sends[0], failed()).await;
    assert_eq!(again(delivery, key(b"a"), NOW.plus(9)).await, Acted::Done(0), "it was done before");
    assert_eq!(again(delivery, key(b"b"), NOW.plus(9)).await, Acted::KeyReused);
    assert_eq!(again(other, key(b"a"), NOW.plus(9)).await, Acted::KeyReused);
    assert!(stage.sends(NOW.plus(9)).await.is_empty());
    assert_eq!(again(delivery, key(b"a"), NOW.plus(IDEMPOTENCY_MS - 1)).await, Acted::Done(0));
    assert_eq!(again(delivery, key(b"a"), NOW.plus(IDEMPOTENCY_MS)).await, Acted::Done(1), "a day later");
    // What is refused leaves its key to be used.
    let unused = Some(Idempotency::new(DEFAULT_PROJECT, "key:other", b"a"));
    let arrived = stage.plain(&webhook, RequestEnd::Succeeded).await;
    assert!(is_refused(&again(arrived, unused, NOW).await, "has arrived"));
    assert_eq!(again(other, unused, NOW).await, Acted::Done(1));
}

async fn two_at_once_send_once(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let other = stage.beside().await;
    for _ in 0..10 {
        let (delivery, _) = stage.ended(&webhook, 2, &[failed(), failed()]).await;
        let (first, second) = tokio::join!(
            stage.store.resend(DEFAULT_PROJECT, delivery, Chosen::default(), None, NOW),
            other.resend(DEFAULT_PROJECT, delivery, Chosen::default(), None, NOW),
        );
        assert_eq!((first.unwrap(), second.unwrap()), (Acted::Done(2), Acted::Done(2)));
        let sends = stage.sends(NOW.plus(1)).await;
        assert_eq!(sends.len(), 2, "each once");
        for send in &sends {
            stage.finished(&webhook, send, RequestEnd::Succeeded).await;
        }
        assert_eq!(stage.statuses(delivery).await.0, DeliveryStatus::Succeeded);
    }
}

async fn a_late_success_closes_what_was_to_be_sent_again(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let (delivery, lease) = stage.ended(&webhook, 1, &[]).await;
    assert_eq!(stage.cancel(delivery, Chosen::default()).await, Acted::Done(1));
    assert_eq!(stage.resend(delivery, Chosen::default()).await, Acted::Done(1));
    let late = Stage::finish(&webhook, delivery.request(0), lease, RequestEnd::Succeeded);
    assert!(stage.store.finish(late).await.unwrap().late);
    assert_eq!(stage.statuses(delivery).await, (DeliveryStatus::Succeeded, vec![RequestStatus::Succeeded]));
    assert!(stage.claimed(Millis(NOW.0 * 2)).await.is_empty(), "nothing is left to send");
}

async fn what_is_open_is_given_up_with_a_reason(stage: Stage) {
    use RequestStatus::{Cancelled, Sending, Succeeded};
    let webhook = stage.stored_webhook().await;
    let (delivery, _) = stage.ended(&webhook, 3, &[RequestEnd::Succeeded, RequestEnd::Retry { due: NOW }]).await;
    assert_eq!(stage.cancel(delivery, named(&[delivery.request(1)])).await, Acted::Done(1));
    assert_eq!(stage.statuses(delivery).await, (DeliveryStatus::Retrying, vec![Succeeded, Cancelled, Sending]));
    assert_eq!(stage.cancel(delivery, named(&[delivery.request(9)])).await, Acted::NoSuchRequest(0));
    assert!(is_refused(&stage.cancel(delivery, named(&[delivery.request(0)])).await, "ended"));
    assert_eq!(stage.cancel(delivery, Chosen::default()).await, Acted::Done(1));
    assert_eq!(stage.statuses(delivery).await, (DeliveryStatus::Cancelled, vec![Succeeded, Cancelled, Cancelled]));
    let view = stage.view(delivery).await;
    assert_eq!((view.summary.reason.as_deref(), view.requests[2].reason.as_deref()), (Some("enough"), Some("enough")));
    assert_eq!(view.summary.settled_at, Some(NOW.plus(1)));
    assert_eq!(stage.cancel(delivery, Chosen::default()).await, Acted::Done(0), "once more is the same");
    let transform = stage.accepted(&webhook, WorkKind::Transform, None).await;
    assert_eq!(stage.cancel(transform, Chosen::default()).await, Acted::Done(1));
    assert_eq!(stage.statuses(transform).await, (DeliveryStatus::Cancelled, vec![]));
    assert_eq!(stage.cancel(transform, Chosen::default()).await, Acted::Done(0));
    assert!(stage.claimed(Millis(NOW.0 * 2)).await.is_empty());
    let arrived = stage.plain(&webhook, RequestEnd::Succeeded).await;
    assert!(is_refused(&stage.cancel(arrived, Chosen::default()).await, "succeeded"));
    let other = stage.store.cancel_delivery(ProjectId::new(NOW, 9), transform, Chosen::default(), String::new(), NOW);
    assert_eq!(other.await.unwrap(), Acted::NotThere);
}

async fn what_waits_for_a_person_is_given_up(stage: Stage) {
    use RequestStatus::{Cancelled, Failed};
    let webhook = stage.stored_webhook().await;
    let (delivery, _) = stage.ended(&webhook, 3, &[RequestEnd::Held, RequestEnd::Uncertain, failed()]).await;
    assert_eq!(stage.statuses(delivery).await.0, DeliveryStatus::Held);
    assert_eq!(stage.cancel(delivery, Chosen::default()).await, Acted::Done(2));
    assert_eq!(stage.statuses(delivery).await, (DeliveryStatus::Failed, vec![Cancelled, Cancelled, Failed]));
    assert!(is_refused(&stage.cancel(delivery, Chosen::default()).await, "failed"));
    assert_eq!(stage.resend(delivery, named(&[delivery.request(0)])).await, Acted::Done(1), "and sent again after all");
    assert_eq!(stage.cancel(delivery, Chosen::default()).await, Acted::Done(1));
    assert_eq!(stage.statuses(delivery).await, (DeliveryStatus::Failed, vec![Cancelled, Cancelled, Failed]));
    let lease = stage.lease();
    let parked = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    stage.settled(parked, lease, DeliveryStatus::Parked).await;
    assert_eq!(stage.cancel(parked, Chosen::default()).await, Acted::Done(1));
    assert_eq!(stage.statuses(parked).await.0, DeliveryStatus::Cancelled);
}

async fn a_result_that_comes_after_it_was_given_up_is_kept(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let (delivery, lease) = stage.ended(&webhook, 1, &[]).await;
    assert_eq!(stage.cancel(delivery, Chosen::default()).await, Acted::Done(1));
    for end in [RequestEnd::Succeeded, failed(), RequestEnd::Retry { due: NOW }] {
        let late = Stage::finish(&webhook, delivery.request(0), lease, end);
        let finished = stage.store.finish(late).await.unwrap();
        assert_eq!((finished.late, finished.delivery), (true, DeliveryStatus::Cancelled));
    }
    let view = stage.view(delivery).await;
    assert_eq!(view.requests[0].status, RequestStatus::Cancelled);
    assert_eq!(view.requests[0].attempts.iter().map(|attempt| attempt.late).collect::<Vec<_>>(), [true; 3]);
    assert_eq!(stage.resend(delivery, Chosen::default()).await, Acted::Done(1));
    let sends = stage.sends(NOW.plus(1)).await;
    assert_eq!((sends[0].attempts, sends[0].schedule_from), (3, 3), "they are counted");
}

async fn what_waited_for_a_delivery_that_is_given_up_goes_on(stage: Stage) {
    let (_, [first, second]) = in_order(&stage).await;
    let begun = stage.sends(NOW.plus(1)).await;
    assert_eq!(begun.len(), 1);
    assert_eq!(stage.cancel(first, Chosen::default()).await, Acted::Done(1));
    let next = stage.sends(NOW.plus(1)).await;
    assert_eq!(next.iter().map(|send| send.head.id).collect::<Vec<_>>(), [second]);
}

impl Stage {
    async fn settled(&self, delivery: DeliveryId, lease: Lease, status: DeliveryStatus) {
        let reason = "so it is".to_owned();
        let settle = Settle { delivery, lease, is_ordered: false, status, reason, run: None, raise: None, now: NOW };
        assert!(self.store.settle(settle).await.unwrap());
    }

    /// Does a step as `jobs` does: at most so many, of as many that are looked at.
    async fn step_many(&self, store: &Store, job: &ClaimedJob, most: u32) -> Option<JobStep> {
        let (selection, many) = match &job.work {
            JobWork::Resend(selection) => (selection, Many::Resend),
            JobWork::Cancel(selection) => (selection, Many::Cancel("enough".to_owned())),
            work => panic!("{work:?}"),
        };
        let until = Some(job.created_at.plus(1));
        let search = Search::new(Selection { until, ..selection.clone() }, 1000);
        let found = store.find_deliveries(job.project, &search, job.cursor, most).await.unwrap();
        store.step_many(job, &many, selection.status, found, NOW.plus(2)).await.unwrap()
    }
}

fn all_failed(webhook: &Webhook) -> Selection {
    Selection {
        webhook_id: Some(webhook.id),
        status: Some(DeliveryStatus::Failed),
        since: Some(NOW),
        ..Selection::default()
    }
}

async fn a_job_sends_each_again_once_and_oldest_first(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(stage.ended(&webhook, 2, &[failed(), RequestEnd::Succeeded]).await.0);
    }
    stage.plain(&webhook, RequestEnd::Succeeded).await;
    ids.sort_unstable();
    let id = stage.inserted_job(JobWork::Resend(all_failed(&webhook))).await;
    let mut order = Vec::new();
    for expected in [2, 2, 1] {
        let job = stage.claimed_job(NOW.plus(2)).await.unwrap();
        let step = stage.step_many(&stage.store, &job, 2).await.unwrap();
        assert_eq!((step.done, step.failed), (expected, 0), "{step:?}");
        order.extend(stage.sends(NOW.plus(3)).await.into_iter().map(|send| send.request));
        assert!(stage.step_many(&stage.store, &job, 2).await.is_none(), "the lease was given back");
    }
    assert_eq!(order, ids.iter().map(|id| id.request(0)).collect::<Vec<_>>(), "what did not arrive, and nothing else");
    let (state, progress, _) = stage.state(id).await;
    assert_eq!((state, progress.done), (JobState::Succeeded, 5));
}

async fn a_job_leaves_alone_what_failed_again_after_it(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let (delivery, _) = stage.ended(&webhook, 1, &[failed()]).await;
    let first = stage.inserted_job(JobWork::Resend(all_failed(&webhook))).await;
    let second = stage.inserted_job(JobWork::Resend(all_failed(&webhook))).await;
    let mut done = Vec::new();
    while let Some(job) = stage.claimed_job(NOW.plus(3)).await {
        done.push(stage.step_many(&stage.store, &job, 10).await.unwrap().done);
        for send in stage.sends(NOW.plus(3)).await {
            stage.finished(&webhook, &send, failed()).await;
        }
    }
    assert_eq!(done, [1, 0], "it failed again before the second job came to it");
    for id in [first, second] {
        assert_eq!(stage.state(id).await.0, JobState::Succeeded);
    }
    assert_eq!(stage.view(delivery).await.requests[0].attempts.len(), 2);
}

async fn two_jobs_at_once_send_none_twice(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    for _ in 0..12 {
        stage.ended(&webhook, 1, &[failed()]).await;
    }
    let other = stage.beside().await;
    for _ in 0..2 {
        stage.inserted_job(JobWork::Resend(all_failed(&webhook))).await;
    }
    let (mut done, mut rounds) = (0, 0);
    while let Some(first) = stage.claimed_job(NOW.plus(2)).await {
        let second = stage.claimed_job(NOW.plus(2)).await;
        let steps = tokio::join!(stage.step_many(&stage.store, &first, 3), async {
            match &second {
                Some(job) => stage.step_many(&other, job, 3).await,
                None => None,
            }
        });
        done += [steps.0, steps.1].into_iter().flatten().map(|step| step.done).sum::<u64>();
        rounds += 1;
        assert!(rounds < 50, "it comes to an end");
    }
    assert_eq!((done, stage.sends(NOW.plus(3)).await.len()), (12, 12));
}

async fn a_job_gives_up_what_is_chosen(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(stage.accepted(&webhook, WorkKind::Send, None).await);
    }
    let other = stage.stored_webhook().await;
    let kept = stage.accepted(&other, WorkKind::Send, None).await;
    let selection = Selection { status: Some(DeliveryStatus::Pending), ..all_failed(&webhook) };
    let id = stage.inserted_job(JobWork::Cancel(selection)).await;
    while let Some(job) = stage.claimed_job(NOW.plus(2)).await {
        stage.step_many(&stage.store, &job, 2).await;
    }
    assert_eq!(stage.state(id).await.1.done, 3);
    for delivery in open {
        assert_eq!(stage.statuses(delivery).await.0, DeliveryStatus::Cancelled);
    }
    assert_eq!(stage.statuses(kept).await.0, DeliveryStatus::Pending);
}
