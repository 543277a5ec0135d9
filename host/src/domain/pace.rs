//! When a webhook's next request may go out: its rate limit, more time for a receiver that has too much to do, and a breaker for
//! one that fails.

use super::clock::Millis;
use super::delivery::ErrorClass;
use super::retry::Ending;
use super::webhook::RateLimit;

/// What an attempt tells of how its receiver is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// It answers, whatever it thinks of the request.
    Well,
    /// It does not answer, or not in time.
    Failing,
    /// It answers that it cannot: 429 or 5xx.
    Overloaded {
        /// For so long it wants no request, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// Nothing: there was no request.
    Unknown,
}

impl Condition {
    /// What an attempt with this ending tells.
    pub const fn of(ending: &Ending) -> Self {
        match *ending {
            Ending::Answered { status: 429 | 500.., retry_after_ms } => Self::Overloaded { retry_after_ms },
            Ending::Answered { status: 408, .. } => Self::Failing,
            Ending::Answered { .. } => Self::Well,
            Ending::Broken { class: ErrorClass::InvalidRequest, .. } => Self::Unknown,
            Ending::Broken { .. } => Self::Failing,
        }
    }
}

/// Gives a receiver that has too much to do more time: each answer that says so doubles the time between two requests, each
/// other one halves it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SlowDown {
    gap_ms: u64,
}

impl SlowDown {
    /// The first gap, and the last one on the way back, in milliseconds.
    const FIRST_MS: u64 = 50;

    /// What follows from a result; the gap is never longer than `max_ms`.
    #[must_use]
    pub fn after(self, condition: Condition, max_ms: u64) -> Self {
        let gap_ms = match condition {
            Condition::Overloaded { .. } => (self.gap_ms * 2).max(Self::FIRST_MS).min(max_ms),
            Condition::Well if self.gap_ms < 2 * Self::FIRST_MS => 0,
            Condition::Well => self.gap_ms / 2,
            Condition::Failing | Condition::Unknown => self.gap_ms,
        };
        Self { gap_ms }
    }

    /// Whether it slows nothing down.
    pub const fn is_over(self) -> bool {
        self.gap_ms == 0
    }
}

/// Time between two requests in microseconds: what the limit wants and the receiver's condition asks for; 0 for none.
pub fn gap_us(limit: Option<RateLimit>, slow_down: SlowDown) -> i64 {
    let of_limit = limit.map_or(0, |limit| {
        let per_us = limit.per_ms.get().saturating_mul(1000);
        per_us.div_ceil(u64::from(limit.requests.get()))
    });
    i64::try_from(of_limit.max(slow_down.gap_ms.saturating_mul(1000))).unwrap_or(i64::MAX)
}

/// Spreads requests evenly over time: the generic cell rate algorithm (ITU-T I.371) with a burst of one, so that no window
/// of a limit's length holds more than one request above it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bucket {
    /// When the next request is due, in microseconds.
    next_us: i64,
}

impl Bucket {
    /// Takes the next place, so long before the one after it; gives the wait until then in milliseconds. Takes none when the
    /// wait would be longer than `most_ms`, and gives it as an error.
    pub fn take(&mut self, gap_us: i64, now: Millis, most_ms: u64) -> Result<u64, u64> {
        let now_us = now.0.saturating_mul(1000);
        let at_us = self.next_us.max(now_us);
        let wait_ms = u64::try_from((at_us - now_us + 999) / 1000).unwrap_or(0);
        if wait_ms > most_ms {
            return Err(wait_ms);
        }
        self.next_us = at_us.saturating_add(gap_us);
        Ok(wait_ms)
    }

    /// Leaves no place for so long from now.
    pub fn leave_free(&mut self, gap_us: i64, now: Millis) {
        self.next_us = self.next_us.max(now.0.saturating_mul(1000).saturating_add(gap_us));
    }

    /// How many places there are within the next `ahead_ms`, and the wait until there is one.
    pub fn room(&self, gap_us: i64, now: Millis, ahead_ms: u64) -> (usize, u64) {
        let ahead_us = i64::try_from(ahead_ms.saturating_mul(1000)).unwrap_or(i64::MAX);
        let from_us = (self.next_us - now.0.saturating_mul(1000)).max(0);
        if from_us > ahead_us {
            return (0, u64::try_from((from_us - ahead_us + 999) / 1000).unwrap_or(0));
        }
        (usize::try_from((ahead_us - from_us) / gap_us.max(1) + 1).unwrap_or(usize::MAX), 0)
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
    /// Lets a request pass, or says from when on to ask again: at once where a probe is on its way, which may end at any
    /// moment. A probe is given up after `probe_ms`.
    pub fn admit(&mut self, now: Millis, probe_ms: u64) -> Result<(), Millis> {
        match *self {
            Self::Closed { .. } => Ok(()),
            Self::Probing { until, .. } if now < until => Err(now),
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

    /// What follows from a result. A receiver that says for how long it wants no request gets none for so long.
    #[must_use]
    pub fn after(self, condition: Condition, now: Millis, policy: BreakerPolicy) -> Self {
        let asked_ms = match condition {
            Condition::Unknown => return self,
            Condition::Well => return Self::default(),
            Condition::Failing => 0,
            Condition::Overloaded { retry_after_ms } => retry_after_ms.unwrap_or(0),
        };
        let open = |pause_ms: u64| {
            let pause_ms = pause_ms.min(policy.pause_max_ms);
            Self::Open { until: now.plus(pause_ms), pause_ms }
        };
        let next = match self {
            Self::Closed { failures } if policy.failures > 0 && failures + 1 >= policy.failures => {
                open(policy.pause_ms)
            }
            Self::Closed { failures } => Self::Closed { failures: failures.saturating_add(1) },
            Self::Probing { pause_ms, .. } => open(pause_ms.saturating_mul(2)),
            // What was on its way as it opened says nothing new.
            Self::Open { .. } => self,
        };
        if asked_ms == 0 {
            return next;
        }
        let asked = now.plus(asked_ms);
        match next {
            Self::Closed { .. } => Self::Open { until: asked, pause_ms: policy.pause_ms },
            Self::Open { until, pause_ms } | Self::Probing { until, pause_ms } => {
                Self::Open { until: until.max(asked), pause_ms }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::{NonZeroU32, NonZeroU64};

    use proptest::prelude::*;

    use super::*;

    const FAILING: Condition = Condition::Failing;
    const POLICY: BreakerPolicy = BreakerPolicy { failures: 3, pause_ms: 1000, pause_max_ms: 3000 };

    fn limit(requests: u32, per_ms: u64) -> RateLimit {
        RateLimit { requests: NonZeroU32::new(requests).unwrap(), per_ms: NonZeroU64::new(per_ms).unwrap() }
    }

    #[test]
    fn places_are_spread_evenly_and_the_far_ones_are_not_taken() {
        let (mut bucket, limit, now) =
            (Bucket::default(), gap_us(Some(limit(4, 1000)), SlowDown::default()), Millis(5000));
        let waits: Vec<_> = (0..5).map(|_| bucket.take(limit, now, 600)).collect();
        assert_eq!(waits, [Ok(0), Ok(250), Ok(500), Err(750), Err(750)]);
        assert_eq!(bucket.room(limit, now, 750), (1, 0));
        assert_eq!(bucket.room(limit, now, 749), (0, 1));
        assert_eq!(bucket.room(limit, now.plus(10_000), 500), (3, 0), "what was not used is not saved up");
        let mut unused = Bucket::default();
        unused.leave_free(250_000, now);
        assert_eq!((unused.take(limit, now, 249), unused.take(limit, now, 250)), (Err(250), Ok(250)));
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_one_request_above_the_limit(
            requests in 1_u32..50, per_ms in 1_u64..5000, gaps in prop::collection::vec(0_u64..200, 1..200)
        ) {
            let (mut bucket, limit) =
                (Bucket::default(), gap_us(Some(limit(requests, per_ms)), SlowDown::default()));
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
        for condition in [FAILING, FAILING, Condition::Well, FAILING, FAILING] {
            breaker = breaker.after(condition, now, POLICY);
            assert!(breaker.admit(now, 50).is_ok(), "a success in between counts anew");
        }
        breaker = breaker.after(FAILING, now, POLICY);
        assert_eq!(breaker.admit(now, 50), Err(Millis(2000)));
        breaker = breaker.after(FAILING, now, POLICY);
        assert_eq!(breaker.room(Millis(1999)), Err(Millis(2000)), "what was on its way does not lengthen the pause");
        let now = Millis(2000);
        assert_eq!((breaker.room(now), breaker.admit(now, 50)), (Ok(1), Ok(())));
        assert_eq!((breaker.room(now), breaker.admit(now, 50)), (Err(Millis(2050)), Err(now)), "one probe at a time");
        let again = breaker.after(FAILING, now, POLICY);
        assert_eq!(again, Breaker::Open { until: Millis(4000), pause_ms: 2000 });
        let mut longest = again;
        longest.admit(Millis(4000), 50).unwrap();
        assert_eq!(longest.after(FAILING, now, POLICY), Breaker::Open { until: Millis(5000), pause_ms: 3000 });
        assert_eq!(breaker.after(Condition::Well, now, POLICY), Breaker::default());
    }

    #[test]
    fn a_receiver_that_says_for_how_long_gets_no_request_for_so_long() {
        let asked = |ms| Condition::Overloaded { retry_after_ms: Some(ms) };
        let now = Millis(1000);
        let open = Breaker::default().after(asked(60_000), now, POLICY);
        assert_eq!(open.paused_until(), Some(Millis(61_000)), "once is enough, and longer than any pause");
        assert_eq!(open.after(asked(1000), now, POLICY), open, "a shorter wait does not shorten it");
        assert_eq!(open.after(asked(70_000), now, POLICY).paused_until(), Some(Millis(71_000)));
        let mut probing = open;
        probing.admit(Millis(61_000), 50).unwrap();
        assert_eq!(probing.after(Condition::Well, Millis(61_001), POLICY), Breaker::default());
        let never = BreakerPolicy { failures: 0, ..POLICY };
        assert_eq!(Breaker::default().after(asked(5), now, never).paused_until(), Some(Millis(1005)));
        assert_eq!(Breaker::default().after(asked(0), now, POLICY), Breaker::Closed { failures: 1 });
    }

    #[test]
    fn what_was_never_sent_says_nothing_of_the_receiver() {
        for breaker in [Breaker::Closed { failures: 2 }, Breaker::Open { until: Millis(9), pause_ms: 9 }] {
            assert_eq!(breaker.after(Condition::Unknown, Millis(1), POLICY), breaker);
        }
    }

    #[test]
    fn slow_down_by_429_and_5xx() {
        let answered = |status| Condition::of(&Ending::Answered { status, retry_after_ms: Some(7) });
        let overloaded = Condition::Overloaded { retry_after_ms: Some(7) };
        for (status, expected) in [
            (200, Condition::Well),
            (302, Condition::Well),
            (404, Condition::Well),
            (408, Condition::Failing),
            (428, Condition::Well),
            (429, overloaded),
            (430, Condition::Well),
            (499, Condition::Well),
            (500, overloaded),
            (503, overloaded),
            (599, overloaded),
        ] {
            assert_eq!(answered(status), expected, "{status}");
        }
        let broken = |class| Condition::of(&Ending::Broken { class, body_sent: false });
        assert_eq!(broken(ErrorClass::Connect), FAILING);
        assert_eq!(broken(ErrorClass::InvalidRequest), Condition::Unknown);

        let gaps = |conditions: &[Condition]| {
            let mut slow_down = SlowDown::default();
            let gap = |condition: &Condition| {
                slow_down = slow_down.after(*condition, 300);
                gap_us(None, slow_down) / 1000
            };
            conditions.iter().map(gap).collect::<Vec<_>>()
        };
        assert_eq!(gaps(&[overloaded; 5]), [50, 100, 200, 300, 300], "up to the longest");
        let well = Condition::Well;
        assert_eq!(gaps(&[overloaded, overloaded, overloaded, well, well, well]), [50, 100, 200, 100, 50, 0]);
        assert_eq!(gaps(&[overloaded, FAILING, Condition::Unknown, well]), [50, 50, 50, 0]);
        assert_eq!(SlowDown::default().after(overloaded, 0), SlowDown::default(), "0: never");
        let slow = SlowDown::default().after(overloaded, 300);
        assert_eq!(gap_us(Some(limit(1, 1000)), slow), 1_000_000, "a limit that is slower counts");
        assert_eq!(gap_us(Some(limit(100, 1000)), slow), 50_000);
    }

    #[test]
    fn a_probe_that_never_comes_back_is_given_up_and_zero_failures_mean_never() {
        let mut breaker = Breaker::Probing { until: Millis(50), pause_ms: 9 };
        assert_eq!(breaker.admit(Millis(50), 100), Ok(()));
        assert_eq!(breaker, Breaker::Probing { until: Millis(150), pause_ms: 9 });
        let never = BreakerPolicy { failures: 0, ..POLICY };
        let closed = (0..100).fold(Breaker::default(), |breaker, _| breaker.after(FAILING, Millis(0), never));
        assert_eq!(closed.room(Millis(0)), Ok(usize::MAX));
    }
}
