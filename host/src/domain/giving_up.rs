//! When a webhook is disabled because nothing arrives any more.

use super::clock::Millis;

/// How much must have failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivingUp {
    /// For so long nothing has arrived, in milliseconds; 0: webhooks are never disabled for that.
    pub no_success_ms: u64,
    /// So many deliveries have failed since, at least.
    pub failed_deliveries: u32,
}

/// What is known of a webhook at which requests fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failing {
    /// The first attempt that failed since something arrived.
    pub since: Millis,
    /// Deliveries that have failed since.
    pub deliveries: u32,
}

impl Failing {
    /// Why the webhook is disabled now, if it is.
    pub fn is_hopeless(self, policy: GivingUp, now: Millis) -> Option<String> {
        let GivingUp { no_success_ms, failed_deliveries } = policy;
        let is_hopeless =
            no_success_ms > 0 && now.since(self.since) >= no_success_ms && self.deliveries >= failed_deliveries;
        let Self { since, deliveries } = self;
        is_hopeless.then(|| format!("nothing has arrived since {since}, and {deliveries} deliveries have failed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_disable_wants_no_success_for_five_days_and_ten_failed_deliveries() {
        const DAY_MS: u64 = 24 * 60 * 60 * 1000;
        let policy = GivingUp { no_success_ms: 5 * DAY_MS, failed_deliveries: 10 };
        let since = Millis(1_769_860_800_000);
        for (waited_ms, deliveries, expected) in [
            (5 * DAY_MS, 10, true),
            (5 * DAY_MS - 1, 10, false),
            (5 * DAY_MS - 1, 1_000_000, false),
            (5 * DAY_MS, 9, false),
            (100 * DAY_MS, 9, false),
            (6 * DAY_MS, 11, true),
        ] {
            let reason = Failing { since, deliveries }.is_hopeless(policy, since.plus(waited_ms));
            assert_eq!(reason.is_some(), expected, "{waited_ms} ms, {deliveries} deliveries");
        }
        let reason = Failing { since, deliveries: 10 }.is_hopeless(policy, since.plus(5 * DAY_MS)).unwrap();
        assert_eq!(reason, "nothing has arrived since 2026-01-31T12:00:00.000Z, and 10 deliveries have failed");
        let never = GivingUp { no_success_ms: 0, ..policy };
        assert_eq!(Failing { since, deliveries: 1000 }.is_hopeless(never, since.plus(1000 * DAY_MS)), None);
    }
}
