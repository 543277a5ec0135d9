//! Jobs, and the parked deliveries that one of them reprocesses.

use std::collections::HashSet;
use std::sync::Arc;

use super::on_both;
use super::stage::{NOW, Stage};
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, Trigger};
use crate::domain::event::Idempotency;
use crate::domain::id::{DEFAULT_PROJECT, DeliveryId, JobId, ProjectId, WebhookId};
use crate::domain::job::{Job, JobKind, JobLane, JobState, JobWork, ParkedSelection, Progress};
use crate::domain::page::PageRequest;
use crate::domain::requester::Requester;
use crate::domain::selection::Selection;
use crate::domain::webhook::{Configuration, ContentType, Order, State, Webhook};
use crate::store::{
    ClaimedJob, ClaimedWork, DeliverySummary, InsertedJob, JobFilter, JobStep, Lease, OpenWork, Remake, Reprocessed,
    Settle, Store, WorkKind,
};

on_both!(
    a_job_is_shown_as_it_was_made_and_to_its_project_only,
    a_project_has_no_more_open_jobs_than_it_may,
    the_same_key_begins_one_job,
    jobs_that_ended_long_ago_are_forgotten,
    a_job_is_one_nodes_at_a_time_and_jobs_take_turns,
    a_job_that_was_begun_goes_on_after_a_restart,
    a_cancelled_job_does_nothing_more,
    a_step_that_cannot_be_done_ends_its_job,
    parked_deliveries_are_made_anew_once_and_oldest_first,
    two_jobs_at_once_make_none_twice,
    a_job_leaves_alone_what_came_after_it,
    only_what_was_chosen_is_made_anew,
    what_is_made_anew_has_the_configuration_of_now,
    nothing_is_made_anew_for_a_webhook_that_gets_nothing,
    one_parked_delivery_is_made_anew_once,
    what_is_made_anew_keeps_to_the_order_of_its_webhook,
);

const ALL: PageRequest = PageRequest { limit: 100, cursor: None };

fn all_of(webhook: &Webhook) -> ParkedSelection {
    ParkedSelection { webhook_id: webhook.id, since: None, until: None, error_code: None, plugin_version: None }
}

fn requester() -> Requester {
    Requester { name: "a test".to_owned(), request_id: Some("9b1d".to_owned()) }
}

impl Stage {
    fn job(&self, selection: ParkedSelection) -> Job {
        self.job_of(JobWork::Reprocess(selection))
    }

    pub(super) fn job_of(&self, work: JobWork) -> Job {
        Job {
            id: JobId::new(NOW, self.entropy.id()),
            project: DEFAULT_PROJECT,
            work,
            state: JobState::Pending,
            progress: Progress { done: 0, total: Some(7), failed: 0 },
            reason: None,
            requester: requester(),
            created_at: NOW.plus(1),
            started_at: None,
            ended_at: None,
        }
    }

    async fn inserted(&self, selection: ParkedSelection) -> JobId {
        self.inserted_job(JobWork::Reprocess(selection)).await
    }

    pub(super) async fn inserted_job(&self, work: JobWork) -> JobId {
        let job = self.job_of(work);
        assert_eq!(self.store.insert_job(&job, 100, None).await.unwrap(), InsertedJob::New);
        job.id
    }

    pub(super) async fn claimed_job(&self, now: Millis) -> Option<ClaimedJob> {
        let lease = Lease { token: self.entropy.token(), until: now.plus(1000) };
        self.store.claim_job(JobLane::Quick, now, lease).await.unwrap()
    }

    pub(super) fn remake(&self) -> Remake {
        Remake { requester: requester(), order_wait_ms: 60_000, entropy: self.entropy.clone(), now: NOW.plus(2) }
    }

    /// At the time at which it was claimed.
    async fn step(&self, store: &Store, job: &ClaimedJob, most: usize) -> Option<JobStep> {
        let JobWork::Reprocess(selection) = &job.work else { panic!("{job:?}") };
        let remake = Remake { now: Millis(job.lease.until.0 - 1000), ..self.remake() };
        store.reprocess_step(job, selection, most, remake).await.unwrap()
    }

    /// A delivery whose plugin failed with this code.
    async fn parked(&self, webhook: &Webhook, code: &str) -> DeliveryId {
        let lease = self.lease();
        let delivery = self.accepted(webhook, WorkKind::Transform, Some(lease)).await;
        self.park(delivery, lease, code).await;
        delivery
    }

    pub(super) async fn park(&self, delivery: DeliveryId, lease: Lease, code: &str) {
        let run = Some(format!(r#"{{"cpu_us":1,"error":{{"code":"{code}","message":"x"}}}}"#));
        let (status, reason) = (DeliveryStatus::Parked, "it failed".to_owned());
        let settle = Settle { delivery, lease, is_ordered: false, status, reason, run, raise: None, now: NOW };
        assert!(self.store.settle(settle).await.unwrap());
    }

    pub(super) async fn state(&self, id: JobId) -> (JobState, Progress, Option<String>) {
        let job = self.store.job(DEFAULT_PROJECT, id).await.unwrap().unwrap();
        (job.state, job.progress, job.reason)
    }

    pub(super) async fn summary(&self, id: DeliveryId) -> DeliverySummary {
        self.store.delivery(DEFAULT_PROJECT, id).await.unwrap().unwrap().summary
    }

    /// Does a job to its end.
    async fn done(&self, selection: ParkedSelection) -> JobId {
        let id = self.inserted(selection).await;
        let mut now = NOW.plus(2);
        while let Some(job) = self.claimed_job(now).await {
            self.step(&self.store, &job, 2).await;
            now = now.plus(1);
        }
        id
    }
}

async fn a_job_is_shown_as_it_was_made_and_to_its_project_only(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let selection = ParkedSelection {
        since: Some(NOW),
        until: Some(NOW.plus(5)),
        error_code: Some("plugin.timeout".to_owned()),
        plugin_version: Some("1.0.0".to_owned()),
        ..all_of(&webhook)
    };
    let (first, second) = (stage.job(selection), stage.job(all_of(&webhook)));
    for job in [&first, &second] {
        assert_eq!(stage.store.insert_job(job, 100, None).await.unwrap(), InsertedJob::New);
        assert_eq!(stage.store.job(DEFAULT_PROJECT, job.id).await.unwrap().as_ref(), Some(job));
    }
    let other = ProjectId::new(NOW, 9);
    assert!(stage.store.job(other, first.id).await.unwrap().is_none());
    assert!(!stage.store.cancel_job(other, first.id, "no".to_owned(), NOW).await.unwrap());
    assert!(stage.store.jobs(other, JobFilter::default(), ALL).await.unwrap().items.is_empty());
    let count = async |filter, page| stage.store.jobs(DEFAULT_PROJECT, filter, page).await.unwrap().items.len();
    assert!(stage.store.cancel_job(DEFAULT_PROJECT, second.id, "no".to_owned(), NOW).await.unwrap());
    for (state, expected) in [(None, 2), (Some(JobState::Pending), 1), (Some(JobState::Succeeded), 0)] {
        assert_eq!(count(JobFilter { kind: Some(JobKind::Reprocess), state }, ALL).await, expected, "{state:?}");
    }
    assert_eq!(count(JobFilter::default(), PageRequest { limit: 1, cursor: None }).await, 1);
}

async fn a_project_has_no_more_open_jobs_than_it_may(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let insert =
        async || stage.store.insert_job(&stage.job(all_of(&webhook)), 2, None).await.unwrap() == InsertedJob::New;
    assert_eq!([insert().await, insert().await, insert().await], [true, true, false]);
    let first = stage.store.jobs(DEFAULT_PROJECT, JobFilter::default(), ALL).await.unwrap().items.remove(0);
    assert!(stage.store.cancel_job(DEFAULT_PROJECT, first.id, "no".to_owned(), NOW).await.unwrap());
    assert!(insert().await, "what has ended does not count");
}

async fn the_same_key_begins_one_job(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let key = |said: &[u8]| Some(Idempotency::new(DEFAULT_PROJECT, "key:k", said));
    let (first, second) = (stage.job(all_of(&webhook)), stage.job(all_of(&webhook)));
    let insert = async |job: &Job, said: &[u8]| stage.store.insert_job(job, 100, key(said)).await.unwrap();
    assert_eq!(insert(&first, b"a").await, InsertedJob::New);
    assert_eq!(insert(&second, b"a").await, InsertedJob::Before(first.id));
    assert_eq!(insert(&second, b"b").await, InsertedJob::KeyReused);
    assert_eq!(stage.store.jobs(DEFAULT_PROJECT, JobFilter::default(), ALL).await.unwrap().items.len(), 1);
}

async fn jobs_that_ended_long_ago_are_forgotten(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let (ended, open) = (stage.inserted(all_of(&webhook)).await, stage.inserted(all_of(&webhook)).await);
    assert!(stage.store.cancel_job(DEFAULT_PROJECT, ended, "enough".to_owned(), NOW.plus(10)).await.unwrap());
    assert_eq!(stage.store.forget_jobs(NOW.plus(10)).await.unwrap(), 0, "not before that time");
    assert_eq!(stage.store.forget_jobs(NOW.plus(11)).await.unwrap(), 1);
    assert!(stage.store.job(DEFAULT_PROJECT, ended).await.unwrap().is_none());
    assert_eq!(stage.store.forget_jobs(Millis(NOW.0 * 2)).await.unwrap(), 0, "what is open is kept");
    assert!(stage.store.job(DEFAULT_PROJECT, open).await.unwrap().is_some());
}

async fn a_job_is_one_nodes_at_a_time_and_jobs_take_turns(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    for _ in 0..4 {
        stage.parked(&webhook, "plugin.crashed").await;
    }
    let other = stage.beside().await;
    let (first, second) = (stage.inserted(all_of(&webhook)).await, stage.inserted(all_of(&webhook)).await);
    let begun = stage.claimed_job(NOW).await.unwrap();
    let next = stage.claimed_job(NOW).await.unwrap();
    assert_eq!(HashSet::from([begun.id, next.id]), HashSet::from([first, second]));
    assert!(stage.claimed_job(NOW).await.is_none(), "both are somebody's");
    assert_eq!(stage.step(&other, &begun, 1).await.unwrap().done, 1);
    assert!(stage.step(&other, &begun, 1).await.is_none(), "the lease was given back");
    assert_eq!(stage.step(&stage.store, &next, 1).await.unwrap().done, 1);
    // Given back at the same time, they go on in turns; a lease that has ended passes on.
    let one = stage.claimed_job(NOW.plus(2)).await.unwrap();
    let late = stage.claimed_job(NOW.plus(2)).await.unwrap();
    assert_ne!(one.id, late.id);
    let taken = stage.claimed_job(late.lease.until).await.unwrap();
    assert!([one.id, late.id].contains(&taken.id) && taken.tries == 2, "{taken:?}");
    let loser = if taken.id == one.id { &one } else { &late };
    assert!(stage.step(&stage.store, loser, 10).await.is_none(), "it is another's by now");
    assert_eq!(stage.step(&stage.store, &taken, 10).await.unwrap().done, 2);
}

async fn a_job_that_was_begun_goes_on_after_a_restart(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    for _ in 0..3 {
        stage.parked(&webhook, "plugin.crashed").await;
    }
    let id = stage.inserted(all_of(&webhook)).await;
    let job = stage.claimed_job(NOW).await.unwrap();
    assert_eq!(stage.step(&stage.store, &job, 2).await.unwrap().done, 2);
    let begun = stage.claimed_job(NOW.plus(2)).await.unwrap();
    let stage = stage.reopen().await;
    // On SQLite at once; where others share the work, when the lease ends.
    let again = stage.claimed_job(begun.lease.until).await.unwrap();
    assert_eq!((again.id, again.cursor, again.tries), (id, begun.cursor, 2));
    assert_eq!(stage.step(&stage.store, &again, 2).await.unwrap().done, 1);
    let last = stage.claimed_job(NOW.plus(2000)).await.unwrap();
    let step = stage.step(&stage.store, &last, 2).await.unwrap();
    assert_eq!((step.done, step.end), (0, Some((JobState::Succeeded, None))));
    let (state, progress, _) = stage.state(id).await;
    assert_eq!((state, progress.done), (JobState::Succeeded, 3));
    assert!(stage.claimed_job(Millis(NOW.0 * 2)).await.is_none());
}

async fn a_cancelled_job_does_nothing_more(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    for _ in 0..2 {
        stage.parked(&webhook, "plugin.crashed").await;
    }
    let id = stage.inserted(all_of(&webhook)).await;
    let job = stage.claimed_job(NOW).await.unwrap();
    assert_eq!(stage.step(&stage.store, &job, 1).await.unwrap().done, 1);
    let job = stage.claimed_job(NOW.plus(2)).await.unwrap();
    assert!(stage.store.cancel_job(DEFAULT_PROJECT, id, "enough".to_owned(), NOW).await.unwrap());
    assert!(!stage.store.cancel_job(DEFAULT_PROJECT, id, "again".to_owned(), NOW).await.unwrap());
    assert!(stage.step(&stage.store, &job, 1).await.is_none(), "though its step was begun before");
    let (state, progress, reason) = stage.state(id).await;
    assert_eq!((state, progress.done, reason.as_deref()), (JobState::Cancelled, 1, Some("enough")));
    assert!(stage.claimed_job(Millis(NOW.0 * 2)).await.is_none());
}

async fn a_step_that_cannot_be_done_ends_its_job(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let id = stage.inserted(all_of(&webhook)).await;
    let mut job = stage.claimed_job(NOW).await.unwrap();
    for tries in 2..4 {
        job = stage.claimed_job(job.lease.until).await.unwrap();
        assert_eq!(job.tries, tries);
    }
    assert!(stage.store.fail_job(&job, "it never ends".to_owned(), NOW).await.unwrap());
    assert!(!stage.store.fail_job(&job, "twice".to_owned(), NOW).await.unwrap());
    let (state, _, reason) = stage.state(id).await;
    assert_eq!((state, reason.as_deref()), (JobState::Failed, Some("it never ends")));
}

async fn parked_deliveries_are_made_anew_once_and_oldest_first(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let mut old = Vec::new();
    for _ in 0..5 {
        old.push(stage.parked(&webhook, "plugin.crashed").await);
    }
    old.sort_unstable();
    assert_eq!(stage.store.count_parked(&all_of(&webhook), NOW).await.unwrap(), 5);
    let id = stage.done(all_of(&webhook)).await;
    let (state, progress, _) = stage.state(id).await;
    assert_eq!((state, progress.done), (JobState::Succeeded, 5));
    let mut new = Vec::new();
    for old in &old {
        let summary = stage.summary(*old).await;
        assert_eq!(summary.status, DeliveryStatus::Parked, "history stays");
        let by = summary.reprocessed_by.expect("one took over");
        let made = stage.summary(by).await;
        assert_eq!(
            (made.repeats, made.trigger, made.status),
            (Some(*old), Trigger::Reprocess, DeliveryStatus::Pending)
        );
        assert_eq!((made.event_id, made.actor.as_deref()), (summary.event_id, Some("a test")));
        assert_eq!((summary.request_id.as_deref(), made.request_id.as_deref()), (Some("7f3c"), Some("9b1d")));
        assert!(made.created_at >= NOW.plus(2));
        new.push(by);
    }
    assert!(new.is_sorted() && new.iter().collect::<HashSet<_>>().len() == 5, "{new:?}");
    let claimed = stage.claimed(NOW.plus(100)).await;
    assert_eq!(claimed.iter().map(|work| work.head().id).collect::<Vec<_>>(), new, "each is to be sent");
    assert_eq!(stage.store.count_parked(&all_of(&webhook), NOW.plus(3)).await.unwrap(), 0);
    let again = stage.done(all_of(&webhook)).await;
    assert_eq!(stage.state(again).await.1.done, 0);
}

async fn two_jobs_at_once_make_none_twice(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    for _ in 0..20 {
        stage.parked(&webhook, "plugin.crashed").await;
    }
    let other = stage.beside().await;
    other.sync_subscriptions().await.unwrap();
    stage.inserted(all_of(&webhook)).await;
    stage.inserted(all_of(&webhook)).await;
    let (mut done, mut rounds) = (0, 0);
    while let Some(first) = stage.claimed_job(NOW.plus(2)).await {
        let second = stage.claimed_job(NOW.plus(2)).await;
        let steps = tokio::join!(stage.step(&stage.store, &first, 3), async {
            match &second {
                Some(job) => stage.step(&other, job, 3).await,
                None => None,
            }
        });
        done += [steps.0, steps.1].into_iter().flatten().map(|step| step.done).sum::<u64>();
        rounds += 1;
        assert!(rounds < 50, "it comes to an end");
    }
    assert_eq!(done, 20);
    let filter = super::all_of(Selection { webhook_id: Some(webhook.id), ..Selection::default() });
    let deliveries = stage.store.deliveries(DEFAULT_PROJECT, &filter, ALL).await.unwrap().items;
    let repeated: Vec<DeliveryId> = deliveries.iter().filter_map(|delivery| delivery.repeats).collect();
    assert_eq!((repeated.len(), repeated.iter().collect::<HashSet<_>>().len()), (20, 20));
}

async fn a_job_leaves_alone_what_came_after_it(stage: Stage) {
    let webhook = with_plugin(&stage).await;
    stage.parked(&webhook, "plugin.crashed").await;
    let id = stage.inserted(all_of(&webhook)).await;
    let mut steps = 0;
    while let Some(job) = stage.claimed_job(NOW.plus(2)).await {
        stage.step(&stage.store, &job, 10).await;
        // The plugin fails again at once.
        for work in stage.claimed(NOW.plus(2)).await {
            let ClaimedWork::Transform(work) = work else { panic!("{work:?}") };
            stage.park(work.head.id, work.lease, "plugin.crashed").await;
        }
        steps += 1;
        assert!(steps < 5, "it would never end");
    }
    assert_eq!(stage.state(id).await.1.done, 1);
    assert_eq!(stage.store.count_parked(&all_of(&webhook), NOW.plus(3)).await.unwrap(), 1, "for the next job");
}

/// A webhook with a plugin.
async fn with_plugin(stage: &Stage) -> Webhook {
    let webhook = stage.webhook_with_plugin().await;
    stage.store.insert_webhook(&webhook, &stage.entropy).await.unwrap();
    webhook
}

async fn only_what_was_chosen_is_made_anew(stage: Stage) {
    let webhook = with_plugin(&stage).await;
    let slow = stage.parked(&webhook, "plugin.timeout").await;
    let crashed = stage.parked(&webhook, "plugin.crashed").await;
    // One without a run, one that is of another webhook, and one that is not parked.
    let lease = stage.lease();
    let bare = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    let (status, reason) = (DeliveryStatus::Parked, "it failed".to_owned());
    let settle = Settle { delivery: bare, lease, is_ordered: false, status, reason, run: None, raise: None, now: NOW };
    assert!(stage.store.settle(settle).await.unwrap());
    let other = stage.stored_webhook().await;
    stage.parked(&other, "plugin.timeout").await;
    stage.accepted(&webhook, WorkKind::Transform, Some(stage.lease())).await;
    let code = |code: &str| ParkedSelection { error_code: Some(code.to_owned()), ..all_of(&webhook) };
    let version = |version: &str| ParkedSelection { plugin_version: Some(version.to_owned()), ..all_of(&webhook) };
    let between = |since, until| ParkedSelection { since, until, ..all_of(&webhook) };
    let now = NOW.plus(1);
    for (selection, expected) in [
        (all_of(&webhook), 3),
        (code("plugin.timeout"), 1),
        (code("plugin.failed"), 0),
        (version("1.0.0"), 3),
        (version("1.0.1"), 0),
        (between(Some(NOW), Some(NOW.plus(1))), 3),
        (between(Some(NOW.plus(1)), None), 0),
        (between(None, Some(NOW)), 0),
    ] {
        assert_eq!(stage.store.count_parked(&selection, now).await.unwrap(), expected, "{selection:?}");
    }
    let before = Millis(NOW.0 - 1);
    assert_eq!(stage.store.count_parked(&all_of(&webhook), before).await.unwrap(), 0, "made later than that");
    stage.done(code("plugin.timeout")).await;
    assert!(stage.summary(slow).await.reprocessed_by.is_some());
    for untouched in [crashed, bare] {
        assert!(stage.summary(untouched).await.reprocessed_by.is_none());
    }
}

async fn what_is_made_anew_has_the_configuration_of_now(stage: Stage) {
    let webhook = with_plugin(&stage).await;
    let old = stage.parked(&webhook, "plugin.crashed").await;
    let changed = Configuration {
        revision: 2,
        content_type: ContentType::Form,
        plugin: None,
        ..Configuration::clone(&webhook.configuration)
    };
    let changed = Webhook { configuration: Arc::new(changed), version: 2, ..webhook.clone() };
    assert!(stage.store.update_webhook(&changed, 1, OpenWork::Keep, &stage.entropy).await.unwrap());
    stage.done(all_of(&webhook)).await;
    let claimed = stage.claimed(NOW.plus(2)).await;
    let [ClaimedWork::Send(work)] = claimed.as_slice() else { panic!("without a plugin it is sent: {claimed:?}") };
    assert_eq!((work.head.configuration.revision, work.head.trigger), (2, Trigger::Reprocess));
    assert_eq!(stage.summary(old).await.reprocessed_by, Some(work.head.id));
    assert!(work.only_request && work.head.event.payload.is_some());
}

async fn nothing_is_made_anew_for_a_webhook_that_gets_nothing(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let old = stage.parked(&webhook, "plugin.crashed").await;
    let state = State::Disabled { reason: "by hand".to_owned() };
    let disabled = Webhook { state, version: 2, ..webhook.clone() };
    assert!(stage.store.update_webhook(&disabled, 1, OpenWork::Hold, &stage.entropy).await.unwrap());
    let one = async || stage.store.reprocess_one(DEFAULT_PROJECT, old, stage.remake()).await.unwrap();
    assert!(matches!(one().await, Reprocessed::NoWebhook(reason) if reason.contains("disabled")));
    let id = stage.done(all_of(&webhook)).await;
    let (state, progress, reason) = stage.state(id).await;
    assert_eq!((state, progress.done), (JobState::Failed, 0));
    assert!(reason.is_some_and(|reason| reason.contains("disabled")));
    stage.store.delete_webhook(DEFAULT_PROJECT, webhook.id, NOW).await.unwrap();
    assert!(matches!(one().await, Reprocessed::NoWebhook(reason) if reason.contains("deleted")));
    let id = stage.done(all_of(&webhook)).await;
    assert_eq!(stage.state(id).await.0, JobState::Failed);
    let none = ParkedSelection { webhook_id: WebhookId::new(NOW, 1), ..all_of(&webhook) };
    assert_eq!(stage.store.count_parked(&none, NOW).await.unwrap(), 0);
}

async fn one_parked_delivery_is_made_anew_once(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let old = stage.parked(&webhook, "plugin.crashed").await;
    let open = stage.accepted(&webhook, WorkKind::Transform, Some(stage.lease())).await;
    let one = async |project, id| stage.store.reprocess_one(project, id, stage.remake()).await.unwrap();
    assert_eq!(one(ProjectId::new(NOW, 9), old).await, Reprocessed::NotThere);
    assert_eq!(one(DEFAULT_PROJECT, DeliveryId::with_room(NOW, 1)).await, Reprocessed::NotThere);
    assert_eq!(one(DEFAULT_PROJECT, open).await, Reprocessed::NotParked(DeliveryStatus::Pending));
    let (first, second) = tokio::join!(one(DEFAULT_PROJECT, old), one(DEFAULT_PROJECT, old));
    let new = stage.summary(old).await.reprocessed_by.expect("one took over");
    assert!([&first, &second].contains(&&Reprocessed::By(new)), "{first:?} {second:?}");
    assert!([&first, &second].contains(&&Reprocessed::Before(new)), "{first:?} {second:?}");
    let id = stage.done(all_of(&webhook)).await;
    assert_eq!(stage.state(id).await.1.done, 0);
}

async fn what_is_made_anew_keeps_to_the_order_of_its_webhook(stage: Stage) {
    let webhook = Webhook { order: Order::Strict, ..stage.webhook() };
    stage.store.insert_webhook(&webhook, &stage.entropy).await.unwrap();
    for _ in 0..3 {
        stage.parked(&webhook, "plugin.crashed").await;
    }
    stage.done(all_of(&webhook)).await;
    let claimed = stage.claimed(NOW.plus(100)).await;
    assert_eq!(claimed.len(), 1, "the others wait for it: {claimed:?}");
    assert!(claimed[0].head().is_ordered);
    assert_eq!(stage.claimed(NOW.plus(100 + 60_000)).await.len(), 3, "at most so long");
}
