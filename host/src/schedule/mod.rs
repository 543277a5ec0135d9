//! What happens at certain times: schedules emit their events, what webhooks have
//! collected goes out, and what is no longer kept is removed. The database's clock says what is due, and whoever moves a
//! schedule on emits its event, so any number of nodes may look.

mod digests;
mod emit;
mod retention;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config::{DigestConfig, RetentionConfig, ScheduleConfig};
use crate::domain::clock::{Clock, Millis};
use crate::domain::entropy::Entropy;
use crate::ingest::Ingest;
use crate::store::{Store, StoreError};

/// What this room works with.
#[derive(Debug)]
pub struct Parts {
    /// Everything that lasts.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub entropy: Entropy,
    /// Limits.
    pub config: ScheduleConfig,
    /// Limits of digests.
    pub digests: DigestConfig,
    /// How long history is kept.
    pub retention: RetentionConfig,
    /// Longest wait of a delivery for an earlier one in milliseconds, when a webhook with an order says nothing.
    pub order_wait_ms: u64,
    /// Told when there are deliveries to be made; none where nobody makes them.
    pub ingest: Option<Ingest>,
}

/// Does what is due. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Timetable(Arc<Parts>);

impl Timetable {
    /// One that does what is due in this store.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The time that all nodes share.
    fn now(&self) -> Millis {
        self.0.store.time(self.0.clock.now())
    }

    /// Does what is due until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let sweep = self.0.config.sweep_ms;
        while !stop.is_cancelled() {
            let pause_ms = match self.round().await {
                // What is due and could not be done is looked at again with everything else.
                Ok(Round { done: 0, next: Some(next) }) if next <= self.now() => sweep,
                Ok(Round { next, .. }) => next.map_or(sweep, |next| next.since(self.now()).min(sweep)),
                Err(error) => {
                    tracing::warn!(%error, "what is due cannot be found; tried again");
                    sweep
                }
            };
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(pause_ms.max(1))) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Does what is due now, once each; says how much, and when something is due next.
    async fn round(&self) -> Result<Round, StoreError> {
        let done = self.emit_due().await? + self.close_due().await?;
        let (schedule, digest) = (self.0.store.next_schedule().await?, self.0.store.next_digest().await?);
        Ok(Round { done, next: [schedule, digest].into_iter().flatten().min() })
    }
}

/// What a round came to.
#[derive(Debug)]
struct Round {
    done: usize,
    next: Option<Millis>,
}

/// Whether something was done; what went wrong keeps nobody from the rest.
fn is_done(done: Result<bool, StoreError>) -> bool {
    done.unwrap_or_else(|error| {
        tracing::warn!(%error, "something that is due cannot be done; tried again");
        false
    })
}
