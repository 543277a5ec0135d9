//! Settings of who gets in, and how much each may ask for.

use serde::{Deserialize, Serialize};

use super::{ConfigError, within};
use crate::domain::password;

/// Who gets in.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountsConfig {
    /// Fewest characters of a password; 8 to 128.
    pub password_min_chars: usize,
    /// A session that is not used for so long ends, in milliseconds; at least 5 minutes, since its use is noted once a minute.
    pub session_idle_ms: u64,
    /// How long a session lasts at most, in milliseconds; at most 90 days.
    pub session_max_ms: u64,
    /// Sessions of one user; the oldest end.
    pub sessions_per_user: u32,
    /// Time over which failed logins are counted, in milliseconds.
    pub login_window_ms: u64,
    /// Failed logins as one user in that time, on all nodes together; more are refused unheard.
    pub login_failures_per_account: u32,
    /// The same from one address (of IPv6 its /64).
    pub login_failures_per_address: u32,
    /// Passwords that are hashed at once; each takes 19 MiB and some 30 ms.
    pub hashes_at_once: usize,
}

impl Default for AccountsConfig {
    fn default() -> Self {
        Self {
            password_min_chars: password::MIN_CHARS_DEFAULT,
            session_idle_ms: 8 * 60 * 60 * 1000,
            session_max_ms: 7 * 24 * 60 * 60 * 1000,
            sessions_per_user: 20,
            login_window_ms: 15 * 60 * 1000,
            login_failures_per_account: 10,
            login_failures_per_address: 50,
            hashes_at_once: 2,
        }
    }
}

impl AccountsConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        const MINUTE_MS: u64 = 60_000;
        const DAY_MS: u64 = 24 * 60 * MINUTE_MS;
        within("accounts.password_min_chars", self.password_min_chars as u64, 8, 128)?;
        within("accounts.session_max_ms", self.session_max_ms, 5 * MINUTE_MS, 90 * DAY_MS)?;
        within("accounts.session_idle_ms", self.session_idle_ms, 5 * MINUTE_MS, self.session_max_ms)?;
        within("accounts.sessions_per_user", u64::from(self.sessions_per_user), 1, 1000)?;
        within("accounts.login_window_ms", self.login_window_ms, 1000, DAY_MS)?;
        within("accounts.login_failures_per_account", u64::from(self.login_failures_per_account), 1, 1_000_000)?;
        within("accounts.login_failures_per_address", u64::from(self.login_failures_per_address), 1, 1_000_000)?;
        within("accounts.hashes_at_once", self.hashes_at_once as u64, 1, 64)
    }
}

/// How much each token, or user, may ask of one node.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Time over which requests are counted, in milliseconds; whole seconds.
    pub window_ms: u64,
    /// Requests in that time, posts of events apart; 0: any number.
    pub requests: u32,
    /// Posts of events in that time; 0: any number.
    pub publishes: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { window_ms: 60_000, requests: 12_000, publishes: 0 }
    }
}

impl LimitsConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("limits.window_ms", self.window_ms, 1000, 60 * 60 * 1000)?;
        within("limits.requests", u64::from(self.requests), 0, 100_000_000)?;
        within("limits.publishes", u64::from(self.publishes), 0, 100_000_000)?;
        if self.window_ms.is_multiple_of(1000) {
            return Ok(());
        }
        Err(ConfigError::Invalid("`limits.window_ms` is whole seconds".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_at_their_edge() {
        let limits = |window_ms, requests| LimitsConfig { window_ms, requests, publishes: 0 }.check();
        assert!(limits(1000, 0).is_ok() && limits(3_600_000, 100_000_000).is_ok());
        assert!(limits(999, 1).is_err() && limits(1500, 1).is_err() && limits(3_601_000, 1).is_err());
        assert!(limits(1000, 100_000_001).is_err());
    }

    #[test]
    fn a_session_idles_no_longer_than_it_lasts() {
        let sessions = |session_idle_ms, session_max_ms| {
            AccountsConfig { session_idle_ms, session_max_ms, ..AccountsConfig::default() }.check()
        };
        assert!(sessions(300_000, 300_000).is_ok() && sessions(300_001, 300_000).is_err());
        assert!(sessions(299_999, 300_000).is_err());
        let error = AccountsConfig { password_min_chars: 7, ..AccountsConfig::default() }.check().unwrap_err();
        assert!(error.to_string().contains("`accounts.password_min_chars`"), "{error}");
    }
}
