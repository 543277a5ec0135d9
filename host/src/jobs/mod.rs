//! Long work: one node at a time does one step of a job, and gives it back. What was asked for first does not keep what came
//! later from going on, and whatever a node was about to do when it went away is done by another one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::config::JobConfig;
use crate::domain::clock::{Clock, Millis};
use crate::domain::entropy::Entropy;
use crate::domain::id::{DeliveryId, JobId, ProjectId};
use crate::domain::job::{Job, JobState, JobWork, ParkedSelection, Progress};
use crate::store::{ClaimedJob, Lease, Remake, Reprocessed, Store, StoreError};

/// A step takes milliseconds; when whoever began it is gone, it is begun again after this.
const LEASE_MS: u64 = 30_000;
/// A step is begun so often: one that cannot be done must not be tried for ever.
const TRIES_MAX: u64 = 5;
/// How long to wait after the store did not answer.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// Does long work. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Jobs(Arc<Inner>);

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
}

impl Jobs {
    /// Does jobs with these, once it is run.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, new: Notify::new() }))
    }

    /// The time by which leases are told: the database's, which all nodes share.
    fn now(&self) -> Millis {
        self.0.parts.store.time(self.0.parts.clock.now())
    }

    /// How many parked deliveries reprocessing would find.
    pub async fn count(&self, selection: &ParkedSelection) -> Result<u64, StoreError> {
        self.0.parts.store.count_parked(selection, self.now()).await
    }

    /// Reprocesses parked deliveries, from now on; none when the project has too many open jobs.
    pub async fn reprocess(
        &self,
        project: ProjectId,
        selection: ParkedSelection,
        actor: String,
    ) -> Result<Option<Job>, StoreError> {
        let Parts { store, entropy, config, .. } = &self.0.parts;
        let now = self.now();
        let total = Some(store.count_parked(&selection, now).await?);
        let job = Job {
            id: JobId::new(now, entropy.id()),
            project,
            work: JobWork::Reprocess(selection),
            state: JobState::Pending,
            progress: Progress { total, ..Progress::default() },
            reason: None,
            actor,
            created_at: now,
            started_at: None,
            ended_at: None,
        };
        let stored = store.insert_job(&job, config.open_per_project).await?;
        self.0.new.notify_one();
        Ok(stored.then_some(job))
    }

    /// Reprocesses one parked delivery.
    pub async fn reprocess_one(
        &self,
        project: ProjectId,
        id: DeliveryId,
        actor: String,
    ) -> Result<Reprocessed, StoreError> {
        self.0.parts.store.reprocess_one(project, id, self.remake(actor)).await
    }

    /// Ends a job that is open; false when it has ended, or there is none.
    pub async fn cancel(&self, project: ProjectId, id: JobId, reason: String) -> Result<bool, StoreError> {
        self.0.parts.store.cancel_job(project, id, reason, self.now()).await
    }

    /// Does steps of jobs, one after the other, until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let mut woken = std::pin::pin!(self.0.new.notified());
            woken.as_mut().enable();
            let pause = match self.next_step().await {
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

    /// Does one step of one job; false when there is none.
    async fn next_step(&self) -> Result<bool, StoreError> {
        let Parts { store, entropy, .. } = &self.0.parts;
        let now = self.now();
        let lease = Lease { token: entropy.token(), until: now.plus(LEASE_MS) };
        let Some(job) = store.claim_job(now, lease).await? else { return Ok(false) };
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
                store.reprocess_step(job, selection, config.step, self.remake(job.actor.clone())).await?
            }
        };
        if let Some((state, reason)) = step.and_then(|step| step.end) {
            tracing::info!(job = %job.id, %state, reason, "a job has ended");
        }
        Ok(())
    }

    fn remake(&self, actor: String) -> Remake {
        let Parts { entropy, order_wait_ms, .. } = &self.0.parts;
        Remake { actor, order_wait_ms: *order_wait_ms, entropy: entropy.clone(), now: self.now() }
    }
}
