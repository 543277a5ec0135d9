//! The figures of one row, once. The relay is measured beside it, before and after, because a machine is never as fast
//! as it was a minute ago.

use serde::Serialize;

use super::{
    Failure,
    histogram::Latency,
    rate::{per_second, ratio},
    row::Row,
    setting::Setting,
    stock::Stock,
    trial::{Pace, Phase, Trial},
};

/// Latency from sending (or from when it was due) to arrival at half of a row's throughput, of the row and of the relay
/// at the same rate.
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
    /// The relay beside it.
    pub(super) relay_delivered_per_s: Option<f64>,
    /// Events delivered, measured by the relay's.
    pub(super) ratio_to_relay: Option<f64>,
    /// The same measured by the row without what makes this one special.
    pub(super) ratio_to_base: Option<f64>,
    pub(super) added_p50_us: Option<i64>,
    pub(super) added_p95_us: Option<i64>,
    pub(super) added_p99_us: Option<i64>,
    pub(super) half_load: HalfLoad,
    /// From a POST to its answer at full load.
    pub(super) post_us: Latency,
    /// Of server or relay at full load, until all had come.
    pub(super) cpu_seconds: Option<f64>,
    /// The most that server or relay held at once.
    pub(super) memory_bytes: Option<u64>,
    /// Of a database with processes of its own.
    pub(super) database_cpu_seconds: Option<f64>,
    pub(super) database_memory_bytes: Option<u64>,
    pub(super) commits_per_message: Option<f64>,
    pub(super) load_cpu_seconds: f64,
    pub(super) receiver_cpu_seconds: f64,
    /// Of everything else on the machine: what it takes is missing to this row.
    pub(super) others_cpu_seconds: f64,
    /// From the first POST until all had come.
    pub(super) seconds: f64,
    pub(super) accepted: u64,
    pub(super) errors: u64,
    pub(super) lost: u64,
    pub(super) repeated: u64,
}

/// Measures a row, and with a server the relay with as many publishers and receivers.
pub(super) async fn measure(row: &Row, stock: Option<&Stock>, setting: &Setting) -> Result<Figures, Failure> {
    let lengths = setting.lengths;
    let reference = row.relay();
    let mut trial = Trial::start(row, stock, setting).await?;
    let mut relay = if row.is_server() { Some(Trial::start(&reference, None, setting).await?) } else { None };
    let relay_warm_up = phase(relay.as_mut(), Pace::Full(lengths.warm_up)).await?;
    let warm_up = trial.phase(Pace::Full(lengths.warm_up)).await?;

    let relay_before = phase(relay.as_mut(), Pace::Full(lengths.full / 2.0)).await?;
    let full = trial.phase(Pace::Full(lengths.full)).await?;
    let relay_after = phase(relay.as_mut(), Pace::Full(lengths.full / 2.0)).await?;

    let delivered_per_s = full.delivered_per_s();
    let events_per_s = delivered_per_s / count(row.answering());
    let rate = half_rate(events_per_s);
    let half = trial.phase(Pace::Steady(rate, lengths.half)).await?;
    let relay_half = phase(relay.as_mut(), Pace::Steady(rate, lengths.half)).await?;
    trial.end().await?;
    if (row.hanging > 0 || row.backlog > 0) && half.received.hanging == 0 {
        return Err(format!("{row}: no request was left without an answer").into());
    }
    if let Some(relay) = relay {
        relay.end().await?;
    }

    let relay_lost: u64 =
        [&relay_warm_up, &relay_before, &relay_after, &relay_half].into_iter().flatten().map(|phase| phase.lost).sum();
    let relay_delivered_per_s = relay_before
        .zip(relay_after)
        .map(|(before, after)| f64::midpoint(before.delivered_per_s(), after.delivered_per_s()));
    let latency_us = half.received.latency_us;
    let relay_latency_us = relay_half.map(|half| half.received.latency_us);
    let added = |percentile: fn(&Latency) -> u64| {
        relay_latency_us.as_ref().map(|relay| percentile(&latency_us).cast_signed() - percentile(relay).cast_signed())
    };
    let used = full.used;
    Ok(Figures {
        accepted_per_s: per_second(full.load.accepted, full.load.ended_ns - full.load.started_ns),
        delivered_per_s,
        relay_delivered_per_s,
        ratio_to_relay: relay_delivered_per_s.map(|relay| events_per_s / (relay / count(row.fanout))),
        ratio_to_base: None,
        added_p50_us: added(|latency| latency.p50),
        added_p95_us: added(|latency| latency.p95),
        added_p99_us: added(|latency| latency.p99),
        half_load: HalfLoad { events_per_s: rate, latency_us, relay_latency_us },
        post_us: full.load.latency_us,
        cpu_seconds: used.subject.map(|used| used.cpu.as_secs_f64()),
        memory_bytes: used.subject.map(|used| used.peak_bytes),
        database_cpu_seconds: used.database.map(|used| used.cpu.as_secs_f64()),
        database_memory_bytes: used.database.map(|used| used.peak_bytes),
        commits_per_message: used.commits.map(|commits| ratio(commits, full.load.accepted)),
        load_cpu_seconds: ratio(full.load.cpu_ns, 1) / 1e9,
        receiver_cpu_seconds: used.receiver.cpu.as_secs_f64(),
        others_cpu_seconds: used.others.as_secs_f64(),
        seconds: used.elapsed.as_secs_f64(),
        accepted: full.load.accepted,
        errors: warm_up.load.errors + full.load.errors + half.load.errors,
        lost: warm_up.lost + full.lost + half.lost + relay_lost,
        // Counted since the receiver's start.
        repeated: half.received.repeated,
    })
}

async fn phase(trial: Option<&mut Trial<'_>>, pace: Pace) -> Result<Option<Phase>, Failure> {
    match trial {
        Some(trial) => trial.phase(pace).await.map(Some),
        None => Ok(None),
    }
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
