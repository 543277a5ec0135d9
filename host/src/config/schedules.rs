//! Settings of what happens at certain times.

use serde::{Deserialize, Serialize};

use super::{ConfigError, within};
use crate::domain::digest::{WAIT_MAX_MS, WAIT_MIN_MS};
use crate::domain::retention::{DAYS_MAX, Retention};
use crate::domain::schedule::{Expression, Zone};

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

/// How long history is kept, and when what is older is removed. A project may say otherwise.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionConfig {
    /// How long payloads of events are kept, in days; 0: for ever.
    pub payload_days: u32,
    /// How long attempts are kept, with requests and answers, in days; 0: for ever.
    pub attempts_days: u32,
    /// How long lines of the audit log are kept, in days; 0: for ever.
    pub audit_days: u32,
    /// When what is older is removed: a cron expression,
    pub cron: String,
    /// by the clocks of this zone.
    pub time_zone: String,
    /// Rows that are looked at in one step, which is one transaction; at most 10,000.
    pub step: u32,
    /// The part of the time that the steps may take while they go on, in percent; 1 to 50.
    pub share_percent: u32,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            payload_days: 90,
            attempts_days: 90,
            audit_days: 365,
            cron: "0 3 * * *".to_owned(),
            time_zone: Zone::UTC.to_string(),
            step: 200,
            share_percent: 5,
        }
    }
}

impl RetentionConfig {
    /// How long a project keeps what that says nothing.
    pub const fn kept(&self) -> Retention {
        Retention {
            payload_days: Some(self.payload_days),
            attempts_days: Some(self.attempts_days),
            audit_days: Some(self.audit_days),
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("retention.payload_days", u64::from(self.payload_days), 0, u64::from(DAYS_MAX))?;
        within("retention.attempts_days", u64::from(self.attempts_days), 0, u64::from(DAYS_MAX))?;
        within("retention.audit_days", u64::from(self.audit_days), 0, u64::from(DAYS_MAX))?;
        within("retention.step", u64::from(self.step), 1, 10_000)?;
        within("retention.share_percent", u64::from(self.share_percent), 1, 50)?;
        let invalid = |name: &str, why: String| ConfigError::Invalid(format!("`retention.{name}` {why}"));
        Expression::parse(&self.cron).map_err(|wrong| invalid("cron", wrong.to_string()))?;
        self.time_zone.parse::<Zone>().map_err(|wrong| invalid("time_zone", wrong.to_string()))?;
        Ok(())
    }
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
