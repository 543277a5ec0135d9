//! One row out of several measurements of it.

use super::{
    histogram::Latency,
    measure::{Figures, HalfLoad},
};

/// The median of every figure; of what must not happen, all of it.
pub(super) fn median(runs: &[Figures]) -> Figures {
    let some = |figure: fn(&Figures) -> Option<f64>| middle_float(runs.iter().filter_map(figure).collect());
    let signed = |figure: fn(&Figures) -> Option<i64>| middle(runs.iter().filter_map(figure).collect());
    let plain = |figure: fn(&Figures) -> u64| middle(runs.iter().map(figure).collect()).unwrap_or_default();
    let bytes = |figure: fn(&Figures) -> Option<u64>| middle(runs.iter().filter_map(figure).collect());
    let sum = |figure: fn(&Figures) -> u64| runs.iter().map(figure).sum();
    Figures {
        accepted_per_s: some(|run| Some(run.accepted_per_s)).unwrap_or_default(),
        delivered_per_s: some(|run| Some(run.delivered_per_s)).unwrap_or_default(),
        relay_delivered_per_s: some(|run| run.relay_delivered_per_s),
        ratio_to_relay: some(|run| run.ratio_to_relay),
        ratio_to_base: some(|run| run.ratio_to_base),
        added_p50_us: signed(|run| run.added_p50_us),
        added_p95_us: signed(|run| run.added_p95_us),
        added_p99_us: signed(|run| run.added_p99_us),
        half_load: HalfLoad {
            events_per_s: plain(|run| run.half_load.events_per_s),
            latency_us: latency(runs.iter().map(|run| run.half_load.latency_us)).unwrap_or_default(),
            relay_latency_us: latency(runs.iter().filter_map(|run| run.half_load.relay_latency_us)),
        },
        post_us: latency(runs.iter().map(|run| run.post_us)).unwrap_or_default(),
        cpu_seconds: some(|run| run.cpu_seconds),
        memory_bytes: bytes(|run| run.memory_bytes),
        database_cpu_seconds: some(|run| run.database_cpu_seconds),
        database_memory_bytes: bytes(|run| run.database_memory_bytes),
        commits_per_message: some(|run| run.commits_per_message),
        load_cpu_seconds: some(|run| Some(run.load_cpu_seconds)).unwrap_or_default(),
        receiver_cpu_seconds: some(|run| Some(run.receiver_cpu_seconds)).unwrap_or_default(),
        others_cpu_seconds: some(|run| Some(run.others_cpu_seconds)).unwrap_or_default(),
        seconds: some(|run| Some(run.seconds)).unwrap_or_default(),
        accepted: plain(|run| run.accepted),
        errors: sum(|run| run.errors),
        lost: sum(|run| run.lost),
        repeated: sum(|run| run.repeated),
    }
}

fn latency(runs: impl Iterator<Item = Latency>) -> Option<Latency> {
    let runs: Vec<Latency> = runs.collect();
    let of = |figure: fn(&Latency) -> u64| middle(runs.iter().map(figure).collect());
    Some(Latency { p50: of(|run| run.p50)?, p95: of(|run| run.p95)?, p99: of(|run| run.p99)?, max: of(|run| run.max)? })
}

fn middle<T: Ord + Copy>(mut values: Vec<T>) -> Option<T> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

fn middle_float(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
