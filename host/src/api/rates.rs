//! How much each caller may ask for, and how that is told (draft-ietf-httpapi-ratelimit-headers-10).

use std::collections::HashMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::config::LimitsConfig;
use crate::domain::clock::Millis;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// Callers remembered at once; beyond that those go whose time is over.
const REMEMBERED_MAX: usize = 10_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Posts of events.
    Publish,
    /// All else.
    Api,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Api => "api",
        }
    }
}

/// What a caller has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RateStatus {
    kind: Kind,
    quota: u32,
    window_s: u64,
    left: u32,
    /// Seconds until all of it is there again.
    reset_s: u64,
    /// Whether this request was one too many.
    pub(super) is_exceeded: bool,
}

impl RateStatus {
    /// Seconds after which asking again makes sense.
    pub(super) fn retry_after_s(&self) -> u32 {
        u32::try_from(self.reset_s.max(1)).unwrap_or(u32::MAX)
    }

    /// Says so in the headers of the answer.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        let name = self.kind.name();
        let policy = format!("\"{name}\";q={};w={}", self.quota, self.window_s);
        let limit = format!("\"{name}\";r={};t={}", self.left, self.reset_s);
        for (name, text) in [(POLICY, policy), (LIMIT, limit)] {
            headers.insert(name, HeaderValue::from_str(&text).expect("numbers and names are ASCII"));
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Window {
    since: Millis,
    used: u32,
}

/// What callers have asked for lately, on this node.
#[derive(Debug)]
pub(super) struct Rates {
    config: LimitsConfig,
    windows: Mutex<HashMap<(Uuid, Kind), Window>>,
}

impl Rates {
    pub(super) fn new(config: LimitsConfig) -> Self {
        Self { config, windows: Mutex::default() }
    }

    /// Counts a request; none when there is no limit.
    pub(super) fn count(&self, caller: Uuid, kind: Kind, now: Millis) -> Option<RateStatus> {
        let quota = match kind {
            Kind::Publish => self.config.publishes,
            Kind::Api => self.config.requests,
        };
        if quota == 0 {
            return None;
        }
        let window_ms = self.config.window_ms;
        let mut windows = self.windows.lock();
        let is_over = |window: &Window| now.since(window.since) >= window_ms;
        if windows.len() >= REMEMBERED_MAX && !windows.contains_key(&(caller, kind)) {
            windows.retain(|_, window| !is_over(window));
        }
        let window = windows.entry((caller, kind)).or_insert(Window { since: now, used: 0 });
        if is_over(window) {
            *window = Window { since: now, used: 0 };
        }
        let is_exceeded = window.used >= quota;
        if !is_exceeded {
            window.used += 1;
        }
        let reset_ms = window_ms - now.since(window.since).min(window_ms);
        let (left, reset_s) = (quota - window.used, reset_ms.div_ceil(1000));
        Some(RateStatus { kind, quota, window_s: window_ms / 1000, left, reset_s, is_exceeded })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(requests: u32, publishes: u32) -> Rates {
        Rates::new(LimitsConfig { window_ms: 10_000, requests, publishes })
    }

    #[test]
    fn each_caller_has_a_quota_for_a_time() {
        let rates = rates(2, 0);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let count = |caller, at| rates.count(caller, Kind::Api, Millis(at)).unwrap();
        assert_eq!((count(one, 0).left, count(one, 9999).left), (1, 0));
        let refused = count(one, 9999);
        assert!(refused.is_exceeded && refused.retry_after_s() == 1);
        assert!(!count(other, 9999).is_exceeded, "a quota of its own");
        let fresh = count(one, 10_000);
        assert_eq!((fresh.is_exceeded, fresh.left, fresh.reset_s), (false, 1, 10));
        assert!(rates.count(one, Kind::Publish, Millis(0)).is_none(), "off");
    }

    #[test]
    fn what_is_left_is_told_as_the_draft_says() {
        let rates = rates(100, 7);
        let mut headers = HeaderMap::new();
        rates.count(Uuid::nil(), Kind::Publish, Millis(0)).unwrap().tell(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"publish\";q=7;w=10");
        assert_eq!(headers["ratelimit"], "\"publish\";r=6;t=10");
    }
}
