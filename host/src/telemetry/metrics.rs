//! What this process has counted since it began. Each count is one atomic number: nobody waits to count.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug)]
pub struct Count(AtomicU64);

impl Count {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts so many.
    pub fn add(&self, many: u64) {
        self.0.fetch_add(many, Ordering::Relaxed);
    }

    /// How many there were.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Kinds of one thing that are counted apart: at most so many.
const KINDS_MAX: usize = 16;

/// Counts of the kinds of one thing, by their place in their list.
#[derive(Debug)]
pub struct Counts([Count; KINDS_MAX]);

impl Counts {
    const fn new() -> Self {
        Self([const { Count::new() }; KINDS_MAX])
    }

    /// Counts one of this kind.
    pub fn one(&self, kind: usize) {
        if let Some(count) = self.0.get(kind) {
            count.add(1);
        }
    }

    /// How many there were of this kind.
    pub fn get(&self, kind: usize) -> u64 {
        self.0.get(kind).map_or(0, Count::get)
    }
}

/// Up to where durations are counted together, in milliseconds; the last place is for what takes longer.
pub const BOUNDS_MS: [u64; 12] = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 20_000];

/// How long things took.
#[derive(Debug)]
pub struct Durations {
    places: [Count; BOUNDS_MS.len() + 1],
    total_ms: Count,
}

impl Durations {
    const fn new() -> Self {
        Self { places: [const { Count::new() }; BOUNDS_MS.len() + 1], total_ms: Count::new() }
    }

    /// Counts one that took so long.
    pub fn one(&self, ms: u64) {
        let place = BOUNDS_MS.iter().position(|bound| ms <= *bound).unwrap_or(BOUNDS_MS.len());
        self.places[place].add(1);
        self.total_ms.add(ms);
    }

    /// How many took at most as long as each bound says, then all of them; and how long they took together.
    pub fn read(&self) -> ([u64; BOUNDS_MS.len() + 1], u64) {
        let mut sum = 0;
        let sums = std::array::from_fn(|place| {
            sum += self.places[place].get();
            sum
        });
        (sums, self.total_ms.get())
    }
}

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    /// Events that were stored.
    pub events: Count,
    /// Events that were there already.
    pub duplicates: Count,
    /// Deliveries that were settled, by their status.
    pub deliveries: Counts,
    /// Attempts, by what became of them.
    pub attempts: Counts,
    /// How long attempts took.
    pub attempt_durations: Durations,
    /// Runs of plugins that gave something.
    pub plugin_runs: Count,
    /// Runs of plugins that failed.
    pub plugin_failures: Count,
    /// Answers of the HTTP API, by the first digit of their status.
    pub answers: Counts,
}

/// The counts of this process.
pub static METRICS: Metrics = Metrics {
    events: Count::new(),
    duplicates: Count::new(),
    deliveries: Counts::new(),
    attempts: Counts::new(),
    attempt_durations: Durations::new(),
    plugin_runs: Count::new(),
    plugin_failures: Count::new(),
    answers: Counts::new(),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_up_to_their_bound() {
        let durations = Durations::new();
        for ms in [0, 5, 6, 20_000, 20_001] {
            durations.one(ms);
        }
        let (sums, total_ms) = durations.read();
        assert_eq!((sums[0], sums[1], sums[11], sums[12], total_ms), (2, 3, 4, 5, 40_012));
    }

    #[test]
    fn kinds_are_counted_apart() {
        let counts = Counts::new();
        counts.one(1);
        counts.one(1);
        counts.one(KINDS_MAX);
        assert_eq!((counts.get(0), counts.get(1), counts.get(KINDS_MAX)), (0, 2, 0));
    }
}
