//! Settings of what happens at certain times.

use serde::{Deserialize, Serialize};

use super::{ConfigError, within};

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
