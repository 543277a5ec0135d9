//! Settings of what happens at certain times.

use serde::{Deserialize, Serialize};

use super::{ConfigError, within};
use crate::domain::digest::{WAIT_MAX_MS, WAIT_MIN_MS};

/// What happens at certain times.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Shortest time between two runs that an expression may ask for, in milliseconds.
    pub interval_min_ms: u64,
    /// Schedules that a project may have.
    pub per_project: u64,
    /// A run that is later than this was missed, in milliseconds: no server ran when it was due.
    pub late_ms: u64,
    /// How often is looked for what other nodes have made due, in milliseconds.
    pub sweep_ms: u64,
}

/// What webhooks collect.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DigestConfig {
    /// Most events of one digest; at most 10,000. What is more follows in another one.
    pub events_max: u32,
    /// Most bytes of one digest, if it has more than one event; at most 16 MiB. What is more follows in another one.
    pub bytes_max: u64,
    /// How long the first event waits at most, in milliseconds, when a webhook with neither times nor a longest wait collects.
    pub max_ms: u64,
}

impl Default for DigestConfig {
    fn default() -> Self {
        Self { events_max: 1000, bytes_max: 1024 * 1024, max_ms: 24 * 60 * 60 * 1000 }
    }
}

impl DigestConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("digests.events_max", u64::from(self.events_max), 1, 10_000)?;
        within("digests.bytes_max", self.bytes_max, 1024, 16 * 1024 * 1024)?;
        within("digests.max_ms", self.max_ms, WAIT_MIN_MS, WAIT_MAX_MS)
    }
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self { interval_min_ms: 60_000, per_project: 100, late_ms: 60_000, sweep_ms: 1000 }
    }
}

impl ScheduleConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("schedules.interval_min_ms", self.interval_min_ms, 1000, 24 * 60 * 60 * 1000)?;
        within("schedules.per_project", self.per_project, 1, 10_000)?;
        within("schedules.late_ms", self.late_ms, 1000, 24 * 60 * 60 * 1000)?;
        within("schedules.sweep_ms", self.sweep_ms, 10, 60_000)
    }
}
