//! The clock that all processes of one machine share: what one writes into a payload, another can subtract.

use rustix::time::{ClockId, clock_gettime};

const NS_PER_S: u64 = 1_000_000_000;

/// Nanoseconds since the machine started.
pub(super) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let part = |value: i64| u64::try_from(value).expect("a monotonic clock is never negative");
    part(now.tv_sec) * NS_PER_S + part(now.tv_nsec)
}
