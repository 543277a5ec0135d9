//! Events that more webhooks want than one commit should make deliveries for: the others follow in steps, also after a crash.
//! Events of the server's own get all their deliveries so, since nobody posts them.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Candidates, Ingest, MATCHINGS_MAX, Plan};
use crate::store::{FanOut, FanOutStep, Lease, NewEvent, StoreError};

/// A step takes milliseconds; when whoever began it is gone, it is begun again after this.
const LEASE_MS: u64 = 30_000;

/// Which deliveries are made at once, and which in later steps of so many. Those with an order are made at once, however
/// many there are: the next event must not come before them.
pub(super) fn split<T>(
    wanted: Vec<T>,
    is_ordered: impl Fn(&T) -> bool,
    at_once: usize,
    step: usize,
) -> (Vec<T>, Vec<Vec<T>>) {
    if wanted.len() <= at_once {
        return (wanted, Vec::new());
    }
    let (mut first, mut others): (Vec<T>, Vec<T>) = wanted.into_iter().partition(is_ordered);
    let mut later = others.split_off(at_once.saturating_sub(first.len()).min(others.len()));
    first.append(&mut others);
    let mut steps = Vec::new();
    while !later.is_empty() {
        let rest = later.split_off(step.clamp(1, later.len()));
        steps.push(std::mem::replace(&mut later, rest));
    }
    (first, steps)
}

impl Ingest {
    /// Does the steps of wide events, one after the other, until told to stop.
    pub async fn fan_out(self, sweep: Duration, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let mut woken = std::pin::pin!(self.wide.notified());
            woken.as_mut().enable();
            match self.next_step().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "deliveries of a wide event could not be made; tried again"),
            }
            tokio::select! {
                () = woken => {}
                () = self.store.some_raised() => {}
                () = tokio::time::sleep(sweep) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Does one step; false when there is none.
    async fn next_step(&self) -> Result<bool, StoreError> {
        let now = self.dispatcher.now();
        let lease = Lease { token: self.entropy.token(), until: now.plus(LEASE_MS) };
        let Some(FanOutStep { event, step, webhooks, trigger, lease }) = self.store.claim_fan_out(now, lease).await?
        else {
            return Ok(false);
        };
        fail::fail_point!("after-fan-out-claim", |_| std::process::abort());
        for _ in 0..MATCHINGS_MAX {
            let snapshot = self.store.subscriptions();
            // A webhook that was deleted meanwhile gets no delivery; one that was disabled a skipped one.
            let (present, verdicts) = if webhooks.is_empty() {
                self.matched(&snapshot, &event).await
            } else {
                (webhooks.iter().filter_map(|id| snapshot.webhook(*id)).collect(), Vec::new())
            };
            let (deliveries, places) =
                present.into_iter().map(|webhook| self.plan_for(webhook, &event, trigger)).unzip();
            let new = NewEvent { event: event.clone(), fan_out: FanOut::Step { step, lease }, deliveries };
            let plan = Plan { places, verdicts };
            let candidates = Candidates { events: vec![new], plans: vec![plan] };
            if self.commit(candidates, Some(snapshot.revision())).await?.is_some() {
                return Ok(true);
            }
            self.store.sync_subscriptions().await?;
        }
        Err(StoreError::Contended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes of the first part and of each step; those up to `ordered` have an order.
    fn sizes(wanted: usize, ordered: usize, at_once: usize) -> (usize, Vec<usize>) {
        let (first, later) = split((0..wanted).collect(), |n| *n < ordered, at_once, 10);
        assert!((0..ordered).all(|n| first.contains(&n)), "{first:?}");
        let mut all: Vec<usize> = first.iter().chain(later.iter().flatten()).copied().collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..wanted), "each once");
        (first.len(), later.iter().map(Vec::len).collect())
    }

    #[test]
    fn what_is_more_than_one_commit_makes_follows_in_steps() {
        assert_eq!(sizes(0, 0, 10), (0, vec![]));
        assert_eq!(sizes(10, 0, 10), (10, vec![]));
        assert_eq!(sizes(11, 0, 10), (10, vec![1]));
        assert_eq!(sizes(35, 0, 10), (10, vec![10, 10, 5]));
        assert_eq!(sizes(12, 0, 0), (0, vec![10, 2]));
    }

    #[test]
    fn deliveries_with_an_order_do_not_wait_for_a_step() {
        assert_eq!(sizes(11, 11, 10), (11, vec![]));
        assert_eq!(sizes(30, 12, 10), (12, vec![10, 8]));
        assert_eq!(sizes(30, 4, 10), (10, vec![10, 10]));
    }
}
