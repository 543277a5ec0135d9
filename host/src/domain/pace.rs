//! When a webhook's next request may go out: its rate limit, and a breaker for a receiver that fails.

use super::clock::Millis;
use super::webhook::RateLimit;

/// Spreads requests evenly over time: the generic cell rate algorithm (ITU-T I.371) with a burst of one, so that no window
/// of a limit's length holds more than one request above it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bucket {
    /// When the next request is due, in microseconds.
    next_us: i64,
}

/// Time between two requests in microseconds.
fn interval_us(limit: RateLimit) -> i64 {
    let per_us = limit.per_ms.get().saturating_mul(1000);
    i64::try_from(per_us.div_ceil(u64::from(limit.requests.get()))).unwrap_or(i64::MAX)
}

impl Bucket {
    /// Takes the next place; gives the wait until then in milliseconds. Takes none when the wait would be longer than
    /// `most_ms`, and gives it as an error.
    pub fn take(&mut self, limit: RateLimit, now: Millis, most_ms: u64) -> Result<u64, u64> {
        let now_us = now.0.saturating_mul(1000);
        let at_us = self.next_us.max(now_us);
        let wait_ms = u64::try_from((at_us - now_us + 999) / 1000).unwrap_or(0);
        if wait_ms > most_ms {
            return Err(wait_ms);
        }
        self.next_us = at_us.saturating_add(interval_us(limit));
        Ok(wait_ms)
    }

    /// How many places there are within the next `ahead_ms`, and the wait until there is one.
    pub fn room(&self, limit: RateLimit, now: Millis, ahead_ms: u64) -> (usize, u64) {
        let ahead_us = i64::try_from(ahead_ms.saturating_mul(1000)).unwrap_or(i64::MAX);
        let from_us = (self.next_us - now.0.saturating_mul(1000)).max(0);
        if from_us > ahead_us {
            return (0, u64::try_from((from_us - ahead_us + 999) / 1000).unwrap_or(0));
        }
        (usize::try_from((ahead_us - from_us) / interval_us(limit) + 1).unwrap_or(usize::MAX), 0)
    }
}

/// When a breaker opens and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Failures in a row that open it; 0: never.
    pub failures: u32,
    /// First pause in milliseconds; doubles with each failed probe.
    pub pause_ms: u64,
    /// Longest pause in milliseconds.
    pub pause_max_ms: u64,
}

/// Keeps requests from a receiver that fails: after a pause one request tries whether it is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaker {
    /// Requests go out; so many failed in a row.
    Closed {
        /// Failures in a row.
        failures: u32,
    },
    /// None goes out until then.
    Open {
        /// When a probe may go out.
        until: Millis,
        /// How long the pause is.
        pause_ms: u64,
    },
    /// One is on its way.
    Probing {
        /// When it is given up and another may go out.
        until: Millis,
        /// How long the pause before it was.
        pause_ms: u64,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// Lets a request pass, or says from when on to ask again. A probe is given up after `probe_ms`.
    pub fn admit(&mut self, now: Millis, probe_ms: u64) -> Result<(), Millis> {
        match *self {
            Self::Closed { .. } => Ok(()),
            Self::Open { until, pause_ms } | Self::Probing { until, pause_ms } => {
                if now < until {
                    return Err(until);
                }
                *self = Self::Probing { until: now.plus(probe_ms), pause_ms };
                Ok(())
            }
        }
    }

    /// How many requests may be prepared, and when to look again if none.
    pub fn room(&self, now: Millis) -> Result<usize, Millis> {
        match *self {
            Self::Closed { .. } => Ok(usize::MAX),
            Self::Open { until, .. } | Self::Probing { until, .. } if now < until => Err(until),
            Self::Open { .. } | Self::Probing { .. } => Ok(1),
        }
    }

    /// When a request may pass again; none when requests pass.
    pub const fn paused_until(&self) -> Option<Millis> {
        match *self {
            Self::Closed { .. } => None,
            Self::Open { until, .. } | Self::Probing { until, .. } => Some(until),
        }
    }

    /// What follows from a result.
    #[must_use]
    pub fn after(self, failed: bool, now: Millis, policy: BreakerPolicy) -> Self {
        let open = |pause_ms: u64| {
            let pause_ms = pause_ms.min(policy.pause_max_ms);
            Self::Open { until: now.plus(pause_ms), pause_ms }
        };
        match self {
            _ if !failed => Self::default(),
            Self::Closed { failures } if policy.failures > 0 && failures + 1 >= policy.failures => {
                open(policy.pause_ms)
            }
            Self::Closed { failures } => Self::Closed { failures: failures.saturating_add(1) },
            Self::Probing { pause_ms, .. } => open(pause_ms.saturating_mul(2)),
            // What was on its way as it opened says nothing new.
            Self::Open { .. } => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::{NonZeroU32, NonZeroU64};

    use proptest::prelude::*;

    use super::*;

    const POLICY: BreakerPolicy = BreakerPolicy { failures: 3, pause_ms: 1000, pause_max_ms: 3000 };

    fn limit(requests: u32, per_ms: u64) -> RateLimit {
        RateLimit { requests: NonZeroU32::new(requests).unwrap(), per_ms: NonZeroU64::new(per_ms).unwrap() }
    }

    #[test]
    fn places_are_spread_evenly_and_the_far_ones_are_not_taken() {
        let (mut bucket, limit, now) = (Bucket::default(), limit(4, 1000), Millis(5000));
        let waits: Vec<_> = (0..5).map(|_| bucket.take(limit, now, 600)).collect();
        assert_eq!(waits, [Ok(0), Ok(250), Ok(500), Err(750), Err(750)]);
        assert_eq!(bucket.room(limit, now, 750), (1, 0));
        assert_eq!(bucket.room(limit, now, 749), (0, 1));
        assert_eq!(bucket.room(limit, now.plus(10_000), 500), (3, 0), "what was not used is not saved up");
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_one_request_above_the_limit(
            requests in 1_u32..50, per_ms in 1_u64..5000, gaps in prop::collection::vec(0_u64..200, 1..200)
        ) {
            let (mut bucket, limit) = (Bucket::default(), limit(requests, per_ms));
            let (mut now, mut sent) = (Millis(1_000_000), Vec::new());
            for gap in gaps {
                now = now.plus(gap);
                if let Ok(wait) = bucket.take(limit, now, u64::MAX) {
                    sent.push(now.plus(wait).0);
                }
            }
            for (index, first) in sent.iter().enumerate() {
                let end = first + i64::try_from(per_ms).unwrap();
                let inside = sent[index..].iter().filter(|at| **at < end).count();
                prop_assert!(inside <= requests as usize + 1, "{inside} of {requests} in {per_ms} ms");
            }
        }
    }

    #[test]
    fn a_breaker_opens_after_failures_in_a_row_and_one_probe_decides() {
        let (mut breaker, now) = (Breaker::default(), Millis(1000));
        for failed in [true, true, false, true, true] {
            breaker = breaker.after(failed, now, POLICY);
            assert!(breaker.admit(now, 50).is_ok(), "a success in between counts anew");
        }
        breaker = breaker.after(true, now, POLICY);
        assert_eq!(breaker.admit(now, 50), Err(Millis(2000)));
        breaker = breaker.after(true, now, POLICY);
        assert_eq!(breaker.room(Millis(1999)), Err(Millis(2000)), "what was on its way does not lengthen the pause");
        let now = Millis(2000);
        assert_eq!((breaker.room(now), breaker.admit(now, 50)), (Ok(1), Ok(())));
        assert_eq!(breaker.admit(now, 50), Err(Millis(2050)), "one probe at a time");
        let again = breaker.after(true, now, POLICY);
        assert_eq!(again, Breaker::Open { until: Millis(4000), pause_ms: 2000 });
        let mut longest = again;
        longest.admit(Millis(4000), 50).unwrap();
        assert_eq!(longest.after(true, now, POLICY), Breaker::Open { until: Millis(5000), pause_ms: 3000 });
        assert_eq!(breaker.after(false, now, POLICY), Breaker::default());
    }

    #[test]
    fn a_probe_that_never_comes_back_is_given_up_and_zero_failures_mean_never() {
        let mut breaker = Breaker::Probing { until: Millis(50), pause_ms: 9 };
        assert_eq!(breaker.admit(Millis(50), 100), Ok(()));
        assert_eq!(breaker, Breaker::Probing { until: Millis(150), pause_ms: 9 });
        let never = BreakerPolicy { failures: 0, ..POLICY };
        let closed = (0..100).fold(Breaker::default(), |breaker, _| breaker.after(true, Millis(0), never));
        assert_eq!(closed.room(Millis(0)), Ok(usize::MAX));
    }
}
