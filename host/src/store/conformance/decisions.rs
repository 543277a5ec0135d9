//! Conditions of sending again, giving up, replaying and recovering that no other story comes to.

use super::on_both;
use super::resends::{failed, is_refused};
use super::stage::{NOW, Stage};
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, Trigger};
use crate::domain::id::{DEFAULT_PROJECT, DeliveryId};
use crate::domain::job::{JobWork, Missed, ParkedSelection};
use crate::domain::selection::Selection;
use crate::domain::webhook::{Order, State, Webhook};
use crate::store::{
    Acted, Beginning, Chosen, Claim, ClaimedWork, Finish, Freeze, InOrder, Lease, Many, NewDelivery, OpenWork,
    Postpone, Recovered, Remake, Reprocessed, RequestEnd, Search, Wanted, WorkKind,
};

on_both!(
    a_test_is_sent_again_though_its_webhook_is_disabled,
    what_a_person_waited_for_goes_before_all_else_when_it_is_sent_again,
    a_run_of_a_plugin_is_not_hurried_past_its_turn,
    a_run_of_a_paused_plugin_is_not_hurried,
    what_waited_for_a_run_that_is_given_up_goes_on,
    what_is_sent_again_keeps_its_place_while_others_of_its_delivery_are_open,
    what_was_reprocessed_is_not_given_up,
    a_job_leaves_alone_what_stands_otherwise_when_its_turn_comes,
    a_recovery_is_matched_anew_when_webhooks_have_changed,
    a_step_of_a_recovery_is_done_by_whoever_has_the_lease,
    an_event_is_recovered_once_though_it_is_found_twice,
    a_replay_repeats_the_newest_delivery,
    what_a_job_makes_is_later_than_the_job_whatever_the_clock_says,
);

impl Stage {
    /// A delivery without plugin that was made for this reason and ended so.
    async fn ended_by(&self, webhook: &Webhook, trigger: Trigger, end: RequestEnd) -> DeliveryId {
        let lease = self.lease();
        let new = NewDelivery { trigger, ..self.delivery(webhook, WorkKind::Send, Some(lease)) };
        let id = new.id;
        self.store.accept(self.accept_of(vec![new])).await.unwrap();
        let mut finish = Stage::finish(webhook, id.request(0), lease, end);
        (finish.is_plain, finish.only_request) = (true, true);
        self.store.finish(finish).await.unwrap();
        id
    }

    async fn sent_again(&self, id: DeliveryId) -> Acted {
        self.store.resend(DEFAULT_PROJECT, id, Chosen::default(), None, NOW.plus(1)).await.unwrap()
    }

    async fn given_up(&self, id: DeliveryId) -> Acted {
        let reason = "enough".to_owned();
        self.store.cancel_delivery(DEFAULT_PROJECT, id, Chosen::default(), reason, NOW.plus(1)).await.unwrap()
    }

    /// Two deliveries whose plugin is to be run, the second after the first.
    async fn runs_in_order(&self) -> [DeliveryId; 2] {
        let webhook = Webhook { order: Order::Strict, ..self.webhook() };
        self.store.insert_webhook(&webhook, &self.entropy).await.unwrap();
        let order = Some(InOrder { key: Order::Strict.key(None).unwrap(), until: NOW.plus(60_000) });
        let mut ids = [NOW; 2].map(|now| DeliveryId::with_room(now, self.entropy.id()));
        ids.sort_unstable();
        for id in ids {
            let beginning = Beginning::Open { kind: WorkKind::Transform, due: NOW, lease: None };
            let new = NewDelivery { id, beginning, order, ..self.delivery(&webhook, WorkKind::Transform, None) };
            self.store.accept(self.accept_of(vec![new])).await.unwrap();
        }
        ids
    }

    /// A delivery whose plugin failed.
    async fn left_parked(&self, webhook: &Webhook) -> DeliveryId {
        let lease = self.lease();
        let id = self.accepted(webhook, WorkKind::Transform, Some(lease)).await;
        self.park(id, lease, "plugin.crashed").await;
        id
    }
}

fn heads(work: &[ClaimedWork]) -> Vec<DeliveryId> {
    work.iter().map(|work| work.head().id).collect()
}

fn everything_of(webhook: &Webhook) -> JobWork {
    JobWork::Recover(Missed { webhook_id: webhook.id, since: NOW, until: None })
}

async fn a_test_is_sent_again_though_its_webhook_is_disabled(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let test = stage.ended_by(&webhook, Trigger::Test, failed()).await;
    let manual = stage.ended_by(&webhook, Trigger::Manual, failed()).await;
    let state = State::Disabled { reason: "by hand".to_owned() };
    let disabled = Webhook { state, version: 2, ..webhook.clone() };
    assert!(stage.store.update_webhook(&disabled, 1, OpenWork::Hold, &stage.entropy).await.unwrap());
    assert!(is_refused(&stage.sent_again(manual).await, "disabled"));
    assert_eq!(stage.sent_again(test).await, Acted::Done(1));
}

async fn what_a_person_waited_for_goes_before_all_else_when_it_is_sent_again(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let manual = stage.ended_by(&webhook, Trigger::Manual, failed()).await;
    let event = stage.ended_by(&webhook, Trigger::Event, failed()).await;
    for id in [manual, event] {
        assert_eq!(stage.sent_again(id).await, Acted::Done(1));
    }
    let lease = Lease { token: stage.entropy.token(), until: NOW.plus(60_000) };
    let claim = Claim { now: NOW.plus(1), lease, wanted: Vec::new(), by_hand: vec![(webhook.id, 9)] };
    assert_eq!(heads(&stage.store.claim(claim).await.unwrap().0), [manual]);
}

async fn a_run_of_a_plugin_is_not_hurried_past_its_turn(stage: Stage) {
    let [first, second] = stage.runs_in_order().await;
    assert!(is_refused(&stage.sent_again(second).await, "earlier delivery"));
    assert_eq!(heads(&stage.claimed(NOW.plus(1)).await), [first]);
}

async fn a_run_of_a_paused_plugin_is_not_hurried(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let lease = stage.lease();
    let id = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    let due = Millis::ON_RESUME;
    let waits = Postpone { work: id.uuid(), lease, due, reason: None, counts: false, run: None };
    assert!(stage.store.postpone(waits).await.unwrap());
    assert!(is_refused(&stage.sent_again(id).await, "paused"));
    assert!(stage.claimed(Millis(NOW.0 * 2)).await.is_empty());
}

async fn what_waited_for_a_run_that_is_given_up_goes_on(stage: Stage) {
    let [first, second] = stage.runs_in_order().await;
    assert_eq!(stage.given_up(first).await, Acted::Done(1));
    assert_eq!(heads(&stage.claimed(NOW.plus(1)).await), [second]);
}

async fn what_is_sent_again_keeps_its_place_while_others_of_its_delivery_are_open(stage: Stage) {
    let [first, second] = stage.runs_in_order().await;
    let runs = stage.claimed(NOW).await;
    assert_eq!(heads(&runs), [first]);
    let ClaimedWork::Transform(run) = &runs[0] else { panic!("{runs:?}") };
    let snapshot = stage.store.subscriptions();
    let webhook = snapshot.webhook(run.head.webhook_id).unwrap();
    let freeze = Freeze { is_ordered: true, ..Stage::freeze(webhook, first, run.lease, 2) };
    assert!(stage.store.freeze(freeze).await.unwrap());
    let end = async |position, lease, end| {
        let finish = Stage::finish(webhook, first.request(position), lease, end);
        stage.store.finish(Finish { is_ordered: true, ..finish }).await.unwrap();
    };
    let due = NOW.plus(50);
    end(0, run.lease, failed()).await;
    end(1, run.lease, RequestEnd::Retry { due }).await;
    let chosen = Chosen { requests: vec![first.request(0)], include_succeeded: false };
    let again = stage.store.resend(DEFAULT_PROJECT, first, chosen, None, NOW.plus(1)).await.unwrap();
    assert_eq!(again, Acted::Done(1));
    let claimed = stage.claimed(due).await;
    assert_eq!(heads(&claimed), [first, first]);
    let lease = |position| {
        let send = claimed.iter().find_map(|work| match work {
            ClaimedWork::Send(send) if send.request == first.request(position) => Some(send.lease),
            _ => None,
        });
        send.expect("it is claimed")
    };
    end(1, lease(1), RequestEnd::Succeeded).await;
    assert!(stage.claimed(due.plus(1)).await.is_empty(), "the second one waits for what is sent again, too");
    end(0, lease(0), RequestEnd::Succeeded).await;
    assert_eq!(heads(&stage.claimed(due.plus(2)).await), [second]);
}

async fn what_was_reprocessed_is_not_given_up(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let parked = stage.left_parked(&webhook).await;
    let made = stage.store.reprocess_one(DEFAULT_PROJECT, parked, stage.remake()).await.unwrap();
    assert!(matches!(made, Reprocessed::By(_)), "{made:?}");
    assert!(is_refused(&stage.given_up(parked).await, "reprocessed"));
    assert_eq!(stage.status(parked).await, DeliveryStatus::Parked);
}

async fn a_job_leaves_alone_what_stands_otherwise_when_its_turn_comes(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(stage.ended(&webhook, 1, &[failed()]).await.0);
    }
    let status = Some(DeliveryStatus::Failed);
    let selection = Selection { webhook_id: Some(webhook.id), status, since: Some(NOW), ..Selection::default() };
    stage.inserted_job(JobWork::Resend(selection.clone())).await;
    let job = stage.claimed_job(NOW.plus(2)).await.unwrap();
    let found = stage.store.find_deliveries(DEFAULT_PROJECT, &Search::new(selection, 1000), None, 10).await.unwrap();
    assert_eq!(found.ids.len(), 2);
    // Somebody else was quicker.
    assert_eq!(stage.sent_again(ids[0]).await, Acted::Done(1));
    let step = stage.store.step_many(&job, &Many::Resend, status, found, NOW.plus(2)).await.unwrap().unwrap();
    assert_eq!((step.done, step.failed), (1, 0));
    assert_eq!(stage.claimed(NOW.plus(3)).await.len(), 2, "each once");
}

async fn a_recovery_is_matched_anew_when_webhooks_have_changed(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let event = stage.event_with(Vec::new()).await;
    stage.inserted_job(everything_of(&webhook)).await;
    let job = stage.claimed_job(NOW.plus(2)).await.unwrap();
    let wanted = vec![Wanted { event, subject: None }];
    let known = stage.store.subscriptions().revision();
    let recover = async |matched_at| {
        let wanted = (wanted.clone(), matched_at);
        stage.store.recover_step(&job, webhook.id, wanted, None, stage.remake()).await.unwrap()
    };
    assert_eq!(recover(known - 1).await, Recovered::Stale);
    assert!(stage.claimed(NOW.plus(9)).await.is_empty(), "nothing was done");
    assert!(matches!(recover(known).await, Recovered::Step(Some(step)) if step.done == 1));
}

async fn a_step_of_a_recovery_is_done_by_whoever_has_the_lease(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let event = stage.event_with(Vec::new()).await;
    stage.inserted_job(everything_of(&webhook)).await;
    let late = stage.claimed_job(NOW.plus(2)).await.unwrap();
    let holder = stage.claimed_job(late.lease.until).await.unwrap();
    let known = stage.store.subscriptions().revision();
    for (job, done) in [(&late, None), (&holder, Some(1))] {
        let wanted = (vec![Wanted { event, subject: None }], known);
        let recovered = stage.store.recover_step(job, webhook.id, wanted, None, stage.remake()).await.unwrap();
        let Recovered::Step(step) = recovered else { panic!("nothing has changed") };
        assert_eq!(step.map(|step| step.done), done);
    }
}

async fn an_event_is_recovered_once_though_it_is_found_twice(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let event = stage.event_with(Vec::new()).await;
    let wanted = vec![Wanted { event, subject: None }; 2];
    assert_eq!(stage.store.missed(webhook.id, wanted, NOW).await.unwrap(), [event]);
}

async fn a_replay_repeats_the_newest_delivery(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let (event, first) = stage.past(&webhook, failed()).await;
    let (made, _) = stage.replayed(event, &[webhook.id]).await;
    let second = made[0].0;
    assert_eq!(stage.summary(second).await.repeats, Some(first));
    for work in stage.claimed(NOW.plus(9)).await {
        let ClaimedWork::Send(work) = work else { panic!("{work:?}") };
        let mut finish = Stage::finish(&webhook, work.request, work.lease, failed());
        (finish.is_plain, finish.only_request) = (true, true);
        stage.store.finish(finish).await.unwrap();
    }
    let (made, _) = stage.replayed(event, &[webhook.id]).await;
    assert_eq!(stage.summary(made[0].0).await.repeats, Some(second));
}

/// Nodes' clocks differ: what one makes must not look as if it had been there before the job that another one was asked for.
async fn what_a_job_makes_is_later_than_the_job_whatever_the_clock_says(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let behind = Remake { now: Millis(NOW.0 - 5000), ..stage.remake() };
    let parked = stage.left_parked(&webhook).await;
    let selection =
        ParkedSelection { webhook_id: webhook.id, since: None, until: None, error_code: None, plugin_version: None };
    stage.inserted_job(JobWork::Reprocess(selection.clone())).await;
    let job = stage.claimed_job(NOW.plus(2)).await.unwrap();
    let step = stage.store.reprocess_step(&job, &selection, 10, behind.clone()).await.unwrap().unwrap();
    assert_eq!(step.done, 1);
    let made = stage.summary(parked).await.reprocessed_by.unwrap();
    assert!(made.made_at() > job.created_at, "{} is not after {}", made.made_at(), job.created_at);

    let other = stage.stored_webhook().await;
    let event = stage.event_with(Vec::new()).await;
    stage.inserted_job(everything_of(&other)).await;
    let claimed = async || {
        // The first job may want another step.
        while let Some(job) = stage.claimed_job(NOW.plus(3)).await {
            if matches!(job.work, JobWork::Recover(_)) {
                return job;
            }
        }
        panic!("there is a recovery to be done")
    };
    let job = claimed().await;
    let wanted = (vec![Wanted { event, subject: None }], stage.store.subscriptions().revision());
    let recovered = stage.store.recover_step(&job, other.id, wanted, None, behind).await.unwrap();
    assert!(matches!(recovered, Recovered::Step(Some(step)) if step.done == 1));
    let work = stage.claimed(NOW.plus(9)).await;
    let made = work.iter().find(|work| work.head().webhook_id == other.id).unwrap().head().id;
    assert!(made.made_at() > job.created_at);
}
