//! The figures of one row, once.

use std::time::Duration;

use serde::Serialize;

use super::{
    Failure,
    histogram::Latency,
    process::Programs,
    rate::{per_second, ratio},
    row::Row,
    trial::{Pace, Phase, Trial},
};

/// How long things go on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lengths {
    pub(super) warm_up: f64,
    pub(super) full: f64,
    pub(super) half: f64,
}

/// Latency from sending to arrival at half of a row's throughput, of the row and of the relay at the same rate.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct HalfLoad {
    pub(super) events_per_s: u64,
    pub(super) latency_us: Latency,
    pub(super) relay_latency_us: Option<Latency>,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Figures {
    pub(super) accepted_per_s: f64,
    pub(super) delivered_per_s: f64,
    /// Events delivered, measured by the relay's.
    pub(super) ratio_to_relay: Option<f64>,
    pub(super) added_p50_us: Option<i64>,
    pub(super) added_p95_us: Option<i64>,
    pub(super) added_p99_us: Option<i64>,
    pub(super) half_load: HalfLoad,
    /// From a POST to its answer at full load.
    pub(super) post_us: Latency,
    pub(super) cpu_seconds: Option<f64>,
    pub(super) memory_bytes: Option<u64>,
    /// Of a database with processes of its own.
    pub(super) database_cpu_seconds: Option<f64>,
    pub(super) database_memory_bytes: Option<u64>,
    pub(super) commits_per_message: Option<f64>,
    pub(super) accepted: u64,
    pub(super) errors: u64,
    pub(super) lost: u64,
    pub(super) repeated: u64,
}

/// Measures a row; `relay` is what the relay did with the same publishers and receivers.
pub(super) async fn measure(
    row: &Row,
    relay: Option<&Figures>,
    lengths: Lengths,
    programs: &Programs,
) -> Result<Figures, Failure> {
    let mut trial = Trial::start(row, programs).await?;
    let warm_up = trial.phase(Pace::Full(lengths.warm_up)).await?;

    let (used_before, commits_before) = (trial.subject.usage()?, trial.subject.commits().await?);
    let full = trial.phase(Pace::Full(lengths.full)).await?;
    let (used_after, commits_after) = (trial.subject.usage()?, trial.subject.commits().await?);

    let delivered_per_s = full.delivered_per_s();
    let rate = half_rate(delivered_per_s / count(row.answering()));
    let half = trial.phase(Pace::Steady(rate, lengths.half)).await?;
    trial.end().await?;
    let relay_latency_us = match relay {
        Some(_) => Some(relay_latency(&row.relay(), rate, lengths, programs).await?),
        None => None,
    };

    let latency_us = half.received.latency_us;
    let added = |percentile: fn(&Latency) -> u64| {
        relay_latency_us.as_ref().map(|relay| percentile(&latency_us).cast_signed() - percentile(relay).cast_signed())
    };
    let cpu = used_before.zip(used_after).map(|(before, after)| after.cpu.saturating_sub(before.cpu));
    let commits = commits_before.zip(commits_after).map(|(before, after)| after.wrapping_sub(before));
    Ok(Figures {
        accepted_per_s: per_second(full.load.accepted, full.load.ended_ns - full.load.started_ns),
        delivered_per_s,
        ratio_to_relay: relay
            .map(|relay| delivered_per_s / count(row.answering()) / (relay.delivered_per_s / count(row.fanout))),
        added_p50_us: added(|latency| latency.p50),
        added_p95_us: added(|latency| latency.p95),
        added_p99_us: added(|latency| latency.p99),
        half_load: HalfLoad { events_per_s: rate, latency_us, relay_latency_us },
        post_us: full.load.latency_us,
        cpu_seconds: cpu.as_ref().map(Duration::as_secs_f64),
        memory_bytes: used_after.map(|used| used.peak_bytes),
        database_cpu_seconds: None,
        database_memory_bytes: None,
        commits_per_message: commits.map(|commits| ratio(commits.into(), full.load.accepted)),
        accepted: full.load.accepted,
        errors: warm_up.load.errors + full.load.errors + half.load.errors,
        lost: warm_up.lost + full.lost + half.lost,
        // Counted since the receiver's start.
        repeated: half.received.repeated,
    })
}

async fn relay_latency(relay: &Row, rate: u64, lengths: Lengths, programs: &Programs) -> Result<Latency, Failure> {
    let mut trial = Trial::start(relay, programs).await?;
    trial.phase(Pace::Full(lengths.warm_up)).await?;
    let half = trial.phase(Pace::Steady(rate, lengths.half)).await?;
    trial.end().await?;
    Ok(half.received.latency_us)
}

impl Phase {
    /// From the first POST to the last arrival.
    fn delivered_per_s(&self) -> f64 {
        per_second(self.received.unique, self.received.last_ns.saturating_sub(self.load.started_ns))
    }
}

fn count(receivers: u64) -> f64 {
    ratio(receivers, 1)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is positive and small")]
fn half_rate(events_per_s: f64) -> u64 {
    (events_per_s / 2.0).max(1.0) as u64
}
