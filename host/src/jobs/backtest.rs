//! A version and a configuration, tried on events that a webhook had deliveries of: run where no delivery waits for a thread,
//! compared with what was made then, and nothing is sent.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Forecast, Jobs, Parts};
use crate::domain::backtest::{Backtest, BacktestResult, Compared, Detail, Summary};
use crate::domain::clock::Millis;
use crate::domain::difference::{Difference, differences};
use crate::domain::id::{DeliveryId, ProjectId, first_at};
use crate::domain::job::JobState;
use crate::domain::outcome::{Outcome, OutcomeKind};
use crate::domain::plugin::PluginVersion;
use crate::domain::recording::Recalled;
use crate::domain::webhook::Webhook;
use crate::plugins::PreviewError;
use crate::sandbox::{CompileError, Input, Ran, RunLimits, Transformed, outcome};
use crate::store::{ClaimedJob, JobStep, RecordedDelivery, Scan, StoreError};

/// Deliveries that are looked at in one step.
const LOOKED_AT: u32 = 200;
/// Events whose payloads are in memory at once.
const PAYLOADS: usize = 25;
/// A step is stored after so long, however much it did: well within its lease, and seen as progress.
const STEP: Duration = Duration::from_secs(1);
/// How long a run waits where deliveries take every thread; then what was done is stored, and the next step goes on.
const RUN_WAIT: Duration = Duration::from_secs(10);
/// How long to wait when not even the queue has room.
const BUSY_PAUSE: Duration = Duration::from_millis(250);
/// How many keys are named that were not recorded.
const NOT_RECORDED_MAX: usize = 20;
/// What times out or crashes is run once more, as for a delivery.
const RUNS_MAX: u32 = 2;

/// What is tried, and for which webhook.
struct Trial<'a> {
    webhook: &'a Webhook,
    version: &'a Arc<PluginVersion>,
    limits: RunLimits,
    config: &'a str,
    diff_bytes: usize,
}

impl Jobs {
    /// Which deliveries a backtest would be compared with.
    pub async fn forecast_backtest(
        &self,
        project: ProjectId,
        backtest: &Backtest,
    ) -> Result<Forecast<DeliveryId>, StoreError> {
        let (now, most) = (self.now(), self.0.parts.config.count_rows);
        let (mut found, mut cursor, mut looked) = (Vec::new(), None, 0);
        loop {
            let scan = self.scan(project, backtest, now, cursor).await?;
            looked += LOOKED_AT;
            let wanted = scan.found.into_iter().filter(|one| backtest.wants(&one.event_type));
            found.extend(wanted.map(|one| one.id));
            let is_enough = found.len() as u64 >= backtest.last;
            found.truncate(usize::try_from(backtest.last).unwrap_or(usize::MAX));
            cursor = scan.next;
            if is_enough || cursor.is_none() || looked >= most {
                return Ok(Forecast::of(&found, is_enough || cursor.is_none()));
            }
        }
    }

    async fn scan(
        &self,
        project: ProjectId,
        backtest: &Backtest,
        asked_at: Millis,
        cursor: Option<Uuid>,
    ) -> Result<Scan, StoreError> {
        // What came after it was asked for is none of its business.
        let latest = first_at(asked_at.plus(1));
        let until = backtest.until.map_or(latest, |until| first_at(until).min(latest));
        let since = backtest.since.map_or(Uuid::nil(), first_at);
        let range = (since, cursor.unwrap_or(until));
        self.0.parts.store.scan_outcomes(project, backtest.webhook_id, range, latest, LOOKED_AT).await
    }

    pub(super) async fn backtest_step(
        &self,
        job: &ClaimedJob,
        backtest: &Backtest,
    ) -> Result<Option<JobStep>, StoreError> {
        let Parts { store, config, plugins, .. } = &self.0.parts;
        let ended = |reason: &str| JobStep::last(JobState::Failed, Some(reason.to_owned()));
        let Some(webhook) = store.webhook(job.project, backtest.webhook_id).await? else {
            return self.told(job, Vec::new(), ended("the webhook was deleted")).await;
        };
        let version = store.plugin_version(backtest.plugin.version_id).await?;
        let Some(version) = version.filter(|version| version.project == job.project).map(Arc::new) else {
            return self.told(job, Vec::new(), ended("the plugin version was deleted")).await;
        };
        let left = usize::try_from(backtest.last.saturating_sub(job.done)).unwrap_or(usize::MAX);
        let Scan { found, next } = self.scan(job.project, backtest, job.created_at, job.cursor).await?;
        let mut wanted: Vec<DeliveryId> = Vec::new();
        let mut behind = next;
        for one in found.iter().filter(|one| backtest.wants(&one.event_type)) {
            if wanted.len() == left.min(PAYLOADS) {
                behind = wanted.last().map(|last| last.uuid());
                break;
            }
            wanted.push(one.id);
        }
        let trial = Trial {
            webhook: &webhook,
            version: &version,
            limits: plugins.limits(&backtest.plugin.limits),
            config: &backtest.plugin.config.0,
            diff_bytes: config.backtest_diff_bytes,
        };
        let mut results = Vec::with_capacity(wanted.len());
        match plugins.load(&version).await.map_err(NotRun::from) {
            Ok(()) => {}
            Err(NotRun::Refused(reason)) => return self.told(job, results, ended(&reason)).await,
            Err(NotRun::Store(error)) => return Err(error),
            Err(NotRun::Busy) => {
                tokio::time::sleep(BUSY_PAUSE).await;
                return self.told(job, results, JobStep { done: 0, failed: 0, cursor: None, end: None }).await;
            }
        }
        let begun = Instant::now();
        for recorded in store.recorded_many(&wanted).await? {
            if begun.elapsed() >= STEP {
                break;
            }
            match self.compare(&trial, &recorded).await {
                Ok(result) => results.push(result),
                Err(NotRun::Busy) => break,
                Err(NotRun::Store(error)) => return Err(error),
                Err(NotRun::Refused(reason)) => return self.told(job, results, ended(&reason)).await,
            }
        }
        let done = results.len();
        if done < wanted.len() {
            // The rest is for the next step.
            behind = results.last().map(|result: &BacktestResult| result.delivery.uuid()).or(job.cursor);
            if done == 0 {
                tokio::time::sleep(BUSY_PAUSE).await;
            }
        }
        let is_end = done == left || (done == wanted.len() && behind.is_none());
        // Who names a time may think that it was all of it.
        let is_part = behind.is_some() && (backtest.since.is_some() || backtest.until.is_some());
        let reason = is_part.then(|| format!("the newest {} events of that time; there may be more", backtest.last));
        let end = is_end.then_some((JobState::Succeeded, reason));
        let step = JobStep { done: done as u64, failed: 0, cursor: behind, end };
        self.told(job, results, step).await
    }

    /// Stores a step.
    async fn told(
        &self,
        job: &ClaimedJob,
        results: Vec<BacktestResult>,
        step: JobStep,
    ) -> Result<Option<JobStep>, StoreError> {
        let step = JobStep { done: results.len() as u64, ..step };
        let is_held = self.0.parts.store.backtest_step(job, results, step.clone(), self.now()).await?;
        Ok(is_held.then_some(step))
    }

    async fn compare(&self, trial: &Trial<'_>, recorded: &RecordedDelivery) -> Result<BacktestResult, NotRun> {
        let kept: &[Recalled] = recorded.run.as_ref().map_or(&[], |run| &run.recalled);
        let ran = self.run_candidate(trial, recorded).await?;
        let manifest = &trial.version.manifest;
        let now = outcome(&ran, manifest, &trial.limits.requests, &trial.webhook.secrets.url);
        let was = recorded.kind().unwrap_or(OutcomeKind::Skipped);
        let digest = recorded.run.as_ref().and_then(|run| run.digests).map(|digests| digests.output);
        let is_same = digest == Some(now.digest());
        let (delivery, event) = (recorded.head.id, recorded.head.event.id);
        if is_same && was == now.kind() && was != OutcomeKind::Failed {
            let compared = Compared::of(was, now.kind(), true);
            return Ok(BacktestResult { delivery, event, compared, detail: None });
        }
        // Its requests are read only where they are needed: they may be large.
        let before = self.0.parts.store.recorded_outcome(recorded).await?;
        let is_same = before.as_ref() == Some(&now);
        let compared = Compared::of(was, now.kind(), is_same);
        let known: HashSet<&str> = kept.iter().map(|fact| fact.key.as_str()).collect();
        let asked = ran.used.recalled.iter().filter(|fact| !known.contains(fact.key.as_str()));
        let not_recorded = asked.take(NOT_RECORDED_MAX).map(|fact| fact.key.clone()).collect();
        let (differences, is_all) = before.as_ref().map_or_else(
            || (Vec::new(), false),
            |before| if is_same { (Vec::new(), true) } else { differing(before, &now, trial.diff_bytes) },
        );
        let detail = (compared != Compared::Same).then(|| Detail {
            was: before.as_ref().map_or(Summary::Requests(recorded.requests as usize), summary),
            now: summary(&now),
            differences,
            truncated: !is_all,
            not_recorded,
        });
        Ok(BacktestResult { delivery, event, compared, detail })
    }

    async fn run_candidate(&self, trial: &Trial<'_>, recorded: &RecordedDelivery) -> Result<Ran<Transformed>, NotRun> {
        let given = recorded.given(trial.config);
        let mut runs = 1;
        loop {
            let input = Input::recorded(recorded.head.event.clone(), &given);
            let run = self.0.parts.plugins.run_idle(trial.version, trial.limits, input);
            let ran = tokio::time::timeout(RUN_WAIT, run).await.map_err(|_| NotRun::Busy)??;
            let again = ran.result.as_ref().is_err_and(crate::domain::plugin::PluginFailure::is_worth_another_try);
            if !again || runs >= RUNS_MAX {
                return Ok(ran);
            }
            runs += 1;
        }
    }
}

/// Why a run was not made.
enum NotRun {
    /// No thread came free; later.
    Busy,
    /// The version cannot be run at all.
    Refused(String),
    Store(StoreError),
}

impl From<StoreError> for NotRun {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<PreviewError> for NotRun {
    fn from(error: PreviewError) -> Self {
        match error {
            PreviewError::Store(error) => Self::Store(error),
            PreviewError::Compile(CompileError::Refused(failure)) => Self::Refused(failure.to_string()),
            PreviewError::Compile(CompileError::Unavailable(_)) | PreviewError::Busy(_) | PreviewError::TooMany(_) => {
                Self::Busy
            }
        }
    }
}

fn summary(outcome: &Outcome) -> Summary {
    match outcome {
        Outcome::Requests(requests) => Summary::Requests(requests.len()),
        Outcome::Skipped(reason) => Summary::Skipped(reason.clone()),
        Outcome::Failed { failure, .. } => {
            Summary::Failed { code: failure.code.clone(), message: failure.message.clone() }
        }
    }
}

/// Where two outcomes differ, as people read requests. What is the same JSON in other bytes differs in its body.
fn differing(was: &Outcome, now: &Outcome, most_bytes: usize) -> (Vec<Difference>, bool) {
    let (Outcome::Requests(before), Outcome::Requests(after)) = (was, now) else { return (Vec::new(), true) };
    let found = differences(&was.shown(), &now.shown(), most_bytes);
    if !found.0.is_empty() || !found.1 {
        return found;
    }
    let bodies = |requests: &[crate::domain::request::FrozenRequest]| -> Vec<Value> {
        requests.iter().map(|request| json!({ "body": String::from_utf8_lossy(&request.body) })).collect()
    };
    let (was, now) = (json!({ "requests": bodies(before) }), json!({ "requests": bodies(after) }));
    differences(&was, &now, most_bytes)
}
