//! Long work: one node at a time does one step of a job, and gives it back. What was asked for first does not keep what came
//! later from going on, and whatever a node was about to do when it went away is done by another one.

mod backtest;
mod many;
mod recover;
mod replay;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::config::JobConfig;
use crate::domain::audit::Entry;
use crate::domain::clock::{Clock, Millis};
use crate::domain::entropy::Entropy;
use crate::domain::event::Idempotency;
use crate::domain::filter::Filters;
use crate::domain::id::{DeliveryId, JobId, ProjectId};
use crate::domain::job::{Job, JobLane, JobState, JobWork, ParkedSelection, Progress};
use crate::domain::requester::Requester;
use crate::plugins::Plugins;
use crate::store::{Acted, Chosen, ClaimedJob, InsertedJob, Lease, Many, Remake, Reprocessed, Store, StoreError};

pub use replay::NotReplayed;

/// A step takes milliseconds; when whoever began it is gone, it is begun again after this.
const LEASE_MS: u64 = 30_000;
/// A step is begun so often: one that cannot be done must not be tried for ever.
const TRIES_MAX: u64 = 5;
/// How long to wait after the store did not answer.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// Does long work. Cheap to clone. With it goes what the audit log says of what is asked for.
#[derive(Debug, Clone)]
pub struct Jobs(Arc<Inner>, Option<Entry>);

#[derive(Debug)]
struct Inner {
    parts: Parts,
    /// Told when there is a new job.
    new: Notify,
}

/// What jobs are done with.
#[derive(Debug)]
pub struct Parts {
    /// Where they are kept.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// For ids and leases.
    pub entropy: Entropy,
    /// Limits.
    pub config: JobConfig,
    /// Longest wait of a delivery for an earlier one, in milliseconds, when a webhook with an order says nothing.
    pub order_wait_ms: u64,
    /// How often jobs are looked for that another node made or left, in milliseconds.
    pub sweep_ms: u64,
    /// Says which events webhooks want.
    pub filters: Arc<Filters>,
    /// Deliveries of the log that are looked at in one step.
    pub log_rows: u32,
    /// Webhooks that get an event anew in one commit.
    pub replays_max: usize,
    /// Runs what is tried.
    pub plugins: Plugins,
}

/// An event is matched again so often when webhooks change meanwhile.
const MATCHINGS_MAX: u32 = 16;

/// What a job would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast<T> {
    /// To so many.
    pub count: u64,
    /// Whether that is all of them, or more than so many were not looked at.
    pub is_complete: bool,
    /// The first few.
    pub sample: Vec<T>,
}

/// How many of them are shown.
const SAMPLE: u32 = 10;

impl<T: Clone> Forecast<T> {
    fn of(all: &[T], is_complete: bool) -> Self {
        Self { count: all.len() as u64, is_complete, sample: all.iter().take(SAMPLE as usize).cloned().collect() }
    }

    /// How much it is, if that is known.
    pub fn total(&self) -> Option<u64> {
        self.is_complete.then_some(self.count)
    }
}

/// Why there is no job.
#[derive(Debug, thiserror::Error)]
pub enum NoJob {
    /// The project has so many open ones, and by this setting no more.
    #[error("the project has {0} open jobs (`{1}`)")]
    TooMany(u64, &'static str),
    /// The key was used for something else.
    #[error("the idempotency key was used for something else")]
    KeyReused,
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Jobs {
    /// Does jobs with these, once it is run.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, new: Notify::new() }), None)
    }

    /// The same; what is asked for through it is told of by this line of the audit log.
    #[must_use]
    pub fn audited(&self, entry: Entry) -> Self {
        Self(self.0.clone(), Some(entry))
    }

    /// The store, for what somebody asks for.
    fn asked(&self) -> Store {
        let store = &self.0.parts.store;
        self.1.clone().map_or_else(|| store.clone(), |entry| store.audited(entry))
    }

    /// The time by which leases are told: the database's, which all nodes share.
    fn now(&self) -> Millis {
        self.0.parts.store.time(self.0.parts.clock.now())
    }

    /// What reprocessing would find.
    pub async fn forecast_parked(&self, selection: &ParkedSelection) -> Result<Forecast<DeliveryId>, StoreError> {
        let (store, now) = (&self.0.parts.store, self.now());
        let count = store.count_parked(selection, now).await?;
        let sample = store.sample_parked(selection, SAMPLE, now).await?;
        Ok(Forecast { count, is_complete: true, sample })
    }

    /// Begins a job. The same key again gives the job that it began.
    pub async fn begin(
        &self,
        project: ProjectId,
        work: JobWork,
        total: Option<u64>,
        requester: Requester,
        key: Option<Idempotency>,
    ) -> Result<Job, NoJob> {
        let Parts { store, entropy, config, .. } = &self.0.parts;
        let now = self.now();
        let job = Job {
            id: JobId::new(now, entropy.id()),
            project,
            work,
            state: JobState::Pending,
            progress: Progress { total, ..Progress::default() },
            reason: None,
            requester,
            created_at: now,
            started_at: None,
            ended_at: None,
        };
        let (most, setting) = match job.work.kind().lane() {
            JobLane::Quick => (config.open_per_project, "jobs.open_per_project"),
            JobLane::Slow => (config.backtests_open, "jobs.backtests_open"),
        };
        let inserted = self.asked().insert_job(&job, most, key).await?;
        self.0.new.notify_waiters();
        match inserted {
            InsertedJob::New => Ok(job),
            InsertedJob::TooMany => Err(NoJob::TooMany(most, setting)),
            InsertedJob::KeyReused => Err(NoJob::KeyReused),
            // It may have been forgotten by now, which takes days.
            InsertedJob::Before(id) => store.job(project, id).await?.ok_or(NoJob::KeyReused),
        }
    }

    /// Sends again what of a delivery did not arrive.
    pub async fn resend(
        &self,
        project: ProjectId,
        id: DeliveryId,
        chosen: Chosen,
        key: Option<Idempotency>,
    ) -> Result<Acted, StoreError> {
        self.asked().resend(project, id, chosen, key, self.now()).await
    }

    /// Gives up what of a delivery is open or waits for a person.
    pub async fn cancel_delivery(
        &self,
        project: ProjectId,
        id: DeliveryId,
        chosen: Chosen,
        reason: String,
    ) -> Result<Acted, StoreError> {
        self.asked().cancel_delivery(project, id, chosen, reason, self.now()).await
    }

    /// Reprocesses one parked delivery.
    pub async fn reprocess_one(
        &self,
        project: ProjectId,
        id: DeliveryId,
        requester: Requester,
    ) -> Result<Reprocessed, StoreError> {
        self.asked().reprocess_one(project, id, self.remake(requester)).await
    }

    /// Ends a job that is open; false when it has ended, or there is none.
    pub async fn cancel(&self, project: ProjectId, id: JobId, reason: String) -> Result<bool, StoreError> {
        self.asked().cancel_job(project, id, reason, self.now()).await
    }

    /// Does steps of jobs, one after the other in each lane, until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        tokio::join!(self.run_lane(JobLane::Quick, &stop), self.run_lane(JobLane::Slow, &stop));
    }

    async fn run_lane(&self, lane: JobLane, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let mut woken = std::pin::pin!(self.0.new.notified());
            woken.as_mut().enable();
            let pause = match self.next_step(lane).await {
                Ok(true) => continue,
                Ok(false) => Duration::from_millis(self.0.parts.sweep_ms),
                Err(error) => {
                    tracing::error!(%error, "a step of a job could not be done; it is tried again");
                    STORE_PAUSE
                }
            };
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Does one step of one job of this lane; false when there is none.
    async fn next_step(&self, lane: JobLane) -> Result<bool, StoreError> {
        let Parts { store, entropy, .. } = &self.0.parts;
        let now = self.now();
        let lease = Lease { token: entropy.token(), until: now.plus(LEASE_MS) };
        let Some(job) = store.claim_job(lane, now, lease).await? else { return Ok(false) };
        fail::fail_point!("after-job-claim", |_| std::process::abort());
        if job.tries > TRIES_MAX {
            let reason = format!("its next step was begun {TRIES_MAX} times and never ended");
            tracing::error!(job = %job.id, reason, "a job ends");
            store.fail_job(&job, reason, now).await?;
            return Ok(true);
        }
        self.step(&job).await?;
        fail::fail_point!("after-job-step", |_| std::process::abort());
        Ok(true)
    }

    async fn step(&self, job: &ClaimedJob) -> Result<(), StoreError> {
        let Parts { store, config, .. } = &self.0.parts;
        let step = match &job.work {
            JobWork::Reprocess(selection) => {
                store.reprocess_step(job, selection, config.step, self.remake(job.requester.clone())).await?
            }
            JobWork::Resend(selection) => self.step_many(job, selection, &Many::Resend).await?,
            JobWork::Cancel(selection) => {
                self.step_many(job, selection, &Many::Cancel(format!("cancelled by {}", job.requester.name))).await?
            }
            JobWork::Recover(missed) => self.recover_step(job, missed).await?,
            JobWork::Backtest(backtest) => self.backtest_step(job, backtest).await?,
        };
        if let Some((state, reason)) = step.and_then(|step| step.end) {
            tracing::info!(job = %job.id, %state, reason, "a job has ended");
        }
        Ok(())
    }

    fn remake(&self, requester: Requester) -> Remake {
        let Parts { entropy, order_wait_ms, .. } = &self.0.parts;
        Remake { requester, order_wait_ms: *order_wait_ms, entropy: entropy.clone(), now: self.now() }
    }
}
