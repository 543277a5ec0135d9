//! So many a second, so many for each.

const NS_PER_S: u64 = 1_000_000_000;

/// How many `part` there are for each of `whole`; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "read by people")]
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// How many a second.
pub(super) fn per_second(count: u64, elapsed_ns: u64) -> f64 {
    ratio(count, elapsed_ns) * 1e9
}

/// The nanoseconds from the start until number `k` of a steady stream is due.
pub(super) fn due_ns(k: u64, rate: u64) -> u64 {
    u64::try_from(u128::from(k) * u128::from(NS_PER_S) / u128::from(rate.max(1))).unwrap_or(u64::MAX)
}
