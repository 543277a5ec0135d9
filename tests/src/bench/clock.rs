//! The clock that all processes of one machine share: what one writes into a payload, another can subtract.

use rustix::time::{ClockId, clock_gettime};

const NS_PER_S: u64 = 1_000_000_000;

/// Nanoseconds since the machine started.
pub(super) fn now_ns() -> u64 {
    read_ns(ClockId::Monotonic)
}

/// Nanoseconds of CPU that this process has used.
pub(super) fn cpu_ns() -> u64 {
    read_ns(ClockId::ProcessCPUTime)
}

fn read_ns(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    let part = |value: i64| u64::try_from(value).expect("this clock is never negative");
    part(now.tv_sec) * NS_PER_S + part(now.tv_nsec)
}
