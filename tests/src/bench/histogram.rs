//! Times counted in buckets that are at most 0.8 % wide, so that a run of any length takes the same memory.

use serde::{Deserialize, Serialize};

/// Buckets for each power of two.
const STEPS: usize = 128;
const STEP_BITS: u32 = STEPS.trailing_zeros();
const BUCKETS: usize = STEPS * (u64::BITS - STEP_BITS + 1) as usize;
const NS_PER_US: u64 = 1000;

/// Counted times in nanoseconds.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

/// What is told of many times, in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Latency {
    pub p50: u64,
    pub p95: u64,
    pub p99: u64,
    pub max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0, max: 0 }
    }
}

impl Histogram {
    pub(super) fn add(&mut self, ns: u64) {
        self.buckets[bucket(ns)] += 1;
        self.count += 1;
        self.max = self.max.max(ns);
    }

    /// The time that so many of a hundred did not exceed.
    pub(super) fn percentile(&self, percent: u64) -> u64 {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let reached = |count: &u64| {
            seen += count;
            seen >= rank
        };
        self.buckets.iter().position(reached).map_or(0, |bucket| middle(bucket).min(self.max))
    }

    pub(super) fn latency(&self) -> Latency {
        let us = |percent| self.percentile(percent) / NS_PER_US;
        Latency { p50: us(50), p95: us(95), p99: us(99), max: self.max / NS_PER_US }
    }
}

/// The leading eight bits of a time and how far they were shifted.
fn bucket(ns: u64) -> usize {
    let shift = (u64::BITS - ns.leading_zeros()).saturating_sub(STEP_BITS + 1);
    let lead = usize::try_from(ns >> shift).expect("eight bits");
    shift as usize * STEPS + lead
}

fn middle(bucket: usize) -> u64 {
    let shift = (bucket / STEPS).saturating_sub(1);
    let lead = (bucket - shift * STEPS) as u64;
    (lead << shift) + ((1 << shift) >> 1)
}
