//! Backtests: what they are compared with, and what is kept of what they came to.

use uuid::Uuid;

use super::on_both;
use super::stage::{NOW, Stage};
use crate::domain::backtest::{Backtest, BacktestResult, Candidate, Compared, ConfigText, Detail, Summary};
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, Trigger};
use crate::domain::id::{DEFAULT_PROJECT, DeliveryId, JobId, PluginVersionId, ProjectId};
use crate::domain::job::{JobLane, JobState, JobWork};
use crate::domain::outcome::{Outcome, OutcomeKind};
use crate::domain::page::{Cursor, PageRequest};
use crate::domain::plugin::Digest;
use crate::domain::plugin_limits::PluginLimits;
use crate::domain::selection::Selection;
use crate::domain::webhook::Webhook;
use crate::store::{
    ClaimedJob, Freeze, InsertedJob, JobFilter, JobStep, Lease, NewDelivery, Reprocessed, Settle, WorkKind,
};

on_both!(
    what_a_step_came_to_is_stored_with_its_progress_or_not_at_all,
    results_go_with_their_job,
    results_of_the_latest_backtests_are_kept,
    quick_jobs_do_not_wait_for_backtests,
    the_last_outcome_of_each_event_is_what_is_compared_with,
    what_a_plugin_was_given_and_made_comes_back_as_it_was,
);

const ALL: PageRequest = PageRequest { limit: 100, cursor: None };

fn backtest(webhook: &Webhook) -> JobWork {
    let config = ConfigText(r#"{ "b":1, "a":2 }"#.to_owned());
    let plugin = Candidate {
        name: "slack".to_owned(),
        version: "1.0.0".to_owned(),
        version_id: PluginVersionId::new(NOW, 1),
        config,
        limits: PluginLimits::default(),
    };
    let webhook_id = webhook.id;
    JobWork::Backtest(Backtest { webhook_id, revision: 1, plugin, last: 5, since: None, until: None, types: vec![] })
}

fn step(end: Option<(JobState, Option<String>)>) -> JobStep {
    JobStep { done: 2, failed: 0, cursor: Some(Uuid::from_u128(7)), end }
}

impl Stage {
    async fn claimed_backtest(&self, now: Millis) -> Option<ClaimedJob> {
        let lease = Lease { token: self.entropy.token(), until: now.plus(1000) };
        self.store.claim_job(JobLane::Slow, now, lease).await.unwrap()
    }

    /// Results for two deliveries: one that is the same, one that is not.
    async fn two_results(&self, webhook: &Webhook) -> Vec<BacktestResult> {
        let mut results = Vec::new();
        for compared in [Compared::Same, Compared::Changed] {
            let delivery = self.accepted(webhook, WorkKind::Send, None).await;
            let event = self.summary(delivery).await.event_id;
            let detail = Detail {
                was: Summary::Requests(1),
                now: Summary::Skipped("no".to_owned()),
                differences: Vec::new(),
                truncated: true,
                not_recorded: vec!["k".to_owned()],
            };
            let detail = (compared == Compared::Changed).then_some(detail);
            results.push(BacktestResult { delivery, event, compared, detail });
        }
        results
    }

    async fn listed(&self, job: JobId, outcome: Option<Compared>) -> Vec<BacktestResult> {
        let views = self.store.results(DEFAULT_PROJECT, job, outcome, ALL).await.unwrap();
        views.items.into_iter().map(|view| view.result).collect()
    }
}

async fn what_a_step_came_to_is_stored_with_its_progress_or_not_at_all(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let id = stage.inserted_job(backtest(&webhook)).await;
    let results = stage.two_results(&webhook).await;
    let job = stage.claimed_backtest(NOW).await.unwrap();
    assert_eq!((job.id, job.done, &job.work), (id, 0, &backtest(&webhook)));
    let write = async |job: &ClaimedJob, results: &[BacktestResult]| {
        stage.store.backtest_step(job, results.to_vec(), step(None), NOW.plus(1)).await
    };
    let gone = ClaimedJob { lease: stage.lease(), ..job.clone() };
    assert!(!write(&gone, &results).await.unwrap(), "the lease is somebody else's");
    assert_eq!(stage.listed(id, None).await, []);
    assert!(write(&job, &results).await.unwrap());
    let mut expected = results.clone();
    expected.sort_by_key(|result| std::cmp::Reverse(result.delivery));
    assert_eq!(stage.listed(id, None).await, expected);
    assert_eq!(stage.listed(id, Some(Compared::Changed)).await, results[1..]);
    let counts = stage.store.count_results(DEFAULT_PROJECT, id).await.unwrap();
    let count = |of| counts.iter().find(|(outcome, _)| *outcome == of).map(|(_, count)| *count);
    assert_eq!((count(Compared::Same), count(Compared::Changed), count(Compared::Mended)), (Some(1), Some(1), Some(0)));
    let first = PageRequest { limit: 1, cursor: None };
    let page = stage.store.results(DEFAULT_PROJECT, id, None, first).await.unwrap();
    let cursor = page.next_cursor.as_deref().and_then(Cursor::decode);
    assert_eq!(
        (page.items[0].result.delivery, page.items[0].event_type.as_str()),
        (expected[0].delivery, "ticket.created")
    );
    let second = stage.store.results(DEFAULT_PROJECT, id, None, PageRequest { limit: 1, cursor }).await.unwrap();
    assert_eq!((second.items[0].result.delivery, second.next_cursor), (expected[1].delivery, None));
    let other = ProjectId::new(NOW, 9);
    assert!(stage.store.results(other, id, None, first).await.unwrap().items.is_empty());
    assert!(stage.store.count_results(other, id).await.unwrap().iter().all(|(_, count)| *count == 0));

    // Where a node goes away, another one goes on when its lease ends.
    let lost = stage.claimed_backtest(NOW.plus(2)).await.unwrap();
    let next = stage.claimed_backtest(lost.lease.until).await.unwrap();
    assert!(!write(&lost, &[]).await.unwrap(), "it comes too late");
    assert_eq!((next.done, next.cursor), (2, Some(Uuid::from_u128(7))));
    assert!(stage.store.cancel_job(DEFAULT_PROJECT, id, "enough".to_owned(), NOW.plus(3)).await.unwrap());
    assert!(!write(&next, &[]).await.unwrap(), "it was cancelled");
    assert_eq!(stage.listed(id, None).await.len(), 2, "what was done stays");
}

async fn results_go_with_their_job(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let (old, open) = (stage.inserted_job(backtest(&webhook)).await, stage.inserted_job(backtest(&webhook)).await);
    for end in [Some((JobState::Succeeded, None)), None] {
        let job = stage.claimed_backtest(NOW).await.unwrap();
        let results = stage.two_results(&webhook).await;
        assert!(stage.store.backtest_step(&job, results, step(end), NOW.plus(1)).await.unwrap());
    }
    let ended = async |id| stage.state(id).await.0 == JobState::Succeeded;
    let (old, open) = if ended(old).await { (old, open) } else { (open, old) };
    assert_eq!(stage.store.forget_jobs(NOW.plus(1)).await.unwrap(), 0, "not before that time");
    assert_eq!(stage.store.forget_jobs(NOW.plus(2)).await.unwrap(), 3, "two results and the job");
    assert!(stage.store.job(DEFAULT_PROJECT, old).await.unwrap().is_none());
    assert_eq!(stage.listed(old, None).await, []);
    assert_eq!(stage.listed(open, None).await.len(), 2);
}

async fn quick_jobs_do_not_wait_for_backtests(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let id = stage.inserted_job(backtest(&webhook)).await;
    assert!(stage.claimed_job(NOW.plus(1)).await.is_none(), "a backtest is no quick job");
    assert_eq!(stage.claimed_backtest(NOW.plus(1)).await.map(|job| job.id), Some(id));
    assert!(stage.claimed_backtest(NOW.plus(1)).await.is_none());
    // And each kind has its own bound.
    let insert = async |work: JobWork| stage.store.insert_job(&stage.job_of(work), 1, None).await.unwrap();
    let selection = || JobWork::Resend(Selection::default());
    assert_eq!(insert(backtest(&webhook)).await, InsertedJob::TooMany);
    assert_eq!((insert(selection()).await, insert(selection()).await), (InsertedJob::New, InsertedJob::TooMany));
}

async fn results_of_the_latest_backtests_are_kept(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let mut ids = Vec::new();
    for end in [Some((JobState::Succeeded, None)), Some((JobState::Succeeded, None)), None] {
        ids.push(stage.inserted_job(backtest(&webhook)).await);
        let job = stage.claimed_backtest(NOW).await.unwrap();
        let results = stage.two_results(&webhook).await;
        assert!(stage.store.backtest_step(&job, results, step(end), NOW.plus(1)).await.unwrap());
    }
    ids.sort_unstable();
    let mut left = Vec::new();
    for kept in [3, 2, 1, 0, 0] {
        stage.store.forget_results(kept).await.unwrap();
        let mut having = 0;
        for id in &ids {
            having += usize::from(!stage.listed(*id, None).await.is_empty());
        }
        left.push(having);
    }
    // Of three the oldest goes when two are kept, unless it is the one that is still open.
    let open = stage.store.jobs(DEFAULT_PROJECT, JobFilter { kind: None, state: Some(JobState::Running) }, ALL).await;
    let open = open.unwrap().items.remove(0).id;
    let expected = match ids.iter().position(|id| *id == open) {
        Some(0) => [3, 3, 2, 1, 1],
        Some(1) => [3, 2, 2, 1, 1],
        _ => [3, 2, 1, 1, 1],
    };
    assert_eq!(left, expected, "the open one is never forgotten");
}

async fn the_last_outcome_of_each_event_is_what_is_compared_with(stage: Stage) {
    let webhook = stage.stored_webhook().await;
    let range = (Uuid::nil(), Uuid::max());
    let before =
        async |latest, most| stage.store.scan_outcomes(DEFAULT_PROJECT, webhook.id, range, latest, most).await.unwrap();
    let scan = async |most| before(Uuid::max(), most).await;
    let found = async || scan(100).await.found.into_iter().map(|found| found.id).collect::<Vec<_>>();
    let lease = stage.lease();
    let parked = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    assert_eq!(found().await, [], "its plugin has not run");
    stage.park(parked, lease, "plugin.crashed").await;
    assert_eq!(found().await, [parked]);
    let by_hand = NewDelivery { trigger: Trigger::Test, ..stage.delivery(&webhook, WorkKind::Send, None) };
    let by_hand_id = by_hand.id;
    stage.store.accept(stage.accept_of(vec![by_hand])).await.unwrap();
    assert_eq!(stage.summary(by_hand_id).await.requests.0, 1);
    assert_eq!(found().await, [parked], "a test is no event");

    let reprocessed = stage.store.reprocess_one(DEFAULT_PROJECT, parked, stage.remake()).await.unwrap();
    let Reprocessed::By(new) = reprocessed else { panic!("{reprocessed:?}") };
    // The webhook has no plugin, so what is sent is known at once.
    assert_eq!(found().await, [new], "the later one counts");
    let then: Vec<_> = before(new.uuid(), 100).await.found.into_iter().map(|found| found.id).collect();
    assert!(then.contains(&parked), "unless it came after the backtest was asked for");
    let scanned = scan(1).await;
    assert!(scanned.found.len() <= 1 && scanned.next.is_some(), "no more are looked at: {scanned:?}");
    let other = stage.stored_webhook().await;
    let none = stage.store.scan_outcomes(DEFAULT_PROJECT, other.id, range, Uuid::max(), 100).await.unwrap();
    assert!(none.found.is_empty() && none.next.is_none());
    let elsewhere =
        stage.store.scan_outcomes(ProjectId::new(NOW, 9), webhook.id, range, Uuid::max(), 100).await.unwrap();
    assert!(elsewhere.found.is_empty());
}

async fn what_a_plugin_was_given_and_made_comes_back_as_it_was(stage: Stage) {
    let webhook = stage.webhook_with_plugin().await;
    stage.store.insert_webhook(&webhook, &stage.entropy).await.unwrap();
    let recorded = async |id: DeliveryId| stage.store.recorded(DEFAULT_PROJECT, id).await.unwrap().unwrap();
    let outcome = async |id| stage.store.recorded_outcome(&recorded(id).await).await.unwrap();

    let lease = stage.lease();
    let sent = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    assert_eq!((recorded(sent).await.kind(), outcome(sent).await), (None, None));
    let run = r#"{"cpu_us":1,"webhook_name":"then","recalled":[{"key":"k","value":"v"}],"digests":null}"#;
    let freeze = Freeze { run: run.to_owned(), ..Stage::freeze(&webhook, sent, lease, 2) };
    let frozen: Vec<_> = freeze.requests.iter().map(|request| (**request).clone()).collect();
    assert!(stage.store.freeze(freeze).await.unwrap());
    let then = recorded(sent).await;
    assert_eq!((then.kind(), then.version), (Some(OutcomeKind::Requests), Some(Digest::of(b"one"))));
    let given = then.given(then.configuration().unwrap());
    assert_eq!((given.webhook_name, given.configuration, given.delivery), ("then", "{}", sent));
    assert_eq!((given.recalled[0].key.as_str(), given.event.subject.as_deref()), ("k", Some("PAY-17")));
    assert_eq!(outcome(sent).await, Some(Outcome::Requests(frozen)));

    let lease = stage.lease();
    let skipped = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    let settle = Settle {
        delivery: skipped,
        lease,
        is_ordered: false,
        status: DeliveryStatus::Skipped,
        reason: "not now".to_owned(),
        run: Some("{}".to_owned()),
        raise: None,
        now: NOW,
    };
    assert!(stage.store.settle(settle).await.unwrap());
    assert_eq!(outcome(skipped).await, Some(Outcome::Skipped("not now".to_owned())));
    assert_eq!(recorded(skipped).await.given("{}").webhook_name, webhook.name, "where nothing was noted");

    let lease = stage.lease();
    let parked = stage.accepted(&webhook, WorkKind::Transform, Some(lease)).await;
    stage.park(parked, lease, "plugin.crashed").await;
    let failed = outcome(parked).await;
    assert!(matches!(&failed, Some(Outcome::Failed { failure, .. }) if failure.code == "plugin.crashed"), "{failed:?}");

    let plain = stage.stored_webhook().await;
    let unchanged = stage.accepted(&plain, WorkKind::Send, None).await;
    let made = outcome(unchanged).await;
    assert!(matches!(&made, Some(Outcome::Requests(requests)) if requests.len() == 1), "{made:?}");
    let mut both = vec![sent, unchanged];
    let many = stage.store.recorded_many(&both).await.unwrap();
    both.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
    assert_eq!(many.iter().map(|one| one.head.id).collect::<Vec<_>>(), both, "newest first");
    assert!(stage.store.recorded(ProjectId::new(NOW, 9), sent).await.unwrap().is_none());
}
