//! What became of recent deliveries, in numbers.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::clock::Millis;
use super::delivery::DeliveryStatus;
use super::id::WebhookId;

/// Bars of the picture over time.
pub const BUCKETS: u64 = 24;

/// One delivery, as far as it is counted.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Its webhook.
    pub webhook: WebhookId,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// When it was made.
    pub created_at: Millis,
    /// When it came to rest.
    pub settled_at: Option<Millis>,
}

/// One run of a plugin.
#[derive(Debug, Clone)]
pub struct SeenRun {
    /// Whose: name and version.
    pub plugin: (String, String),
    /// Its CPU time in microseconds.
    pub cpu_us: u64,
    /// Whether it ended badly.
    pub failed: bool,
}

/// How many stand how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
#[schema(as = OverviewCounts)]
pub struct Counts {
    /// Arrived.
    pub succeeded: u64,
    /// Failed for good, or parked since the plugin failed.
    pub failed: u64,
    /// Still on their way, collected for a digest that is to come, or held for a person.
    pub open: u64,
    /// Skipped, cancelled, or gone into a digest: not sent by themselves, on purpose.
    pub unsent: u64,
}

impl Counts {
    fn add(&mut self, status: DeliveryStatus) {
        *match status {
            DeliveryStatus::Succeeded => &mut self.succeeded,
            DeliveryStatus::Failed | DeliveryStatus::Parked => &mut self.failed,
            DeliveryStatus::Pending | DeliveryStatus::Retrying | DeliveryStatus::Held | DeliveryStatus::Collecting => {
                &mut self.open
            }
            DeliveryStatus::Skipped | DeliveryStatus::Cancelled | DeliveryStatus::Collected => &mut self.unsent,
        } += 1;
    }
}

/// A part of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OverviewBucket)]
pub struct Bucket {
    /// When it begins.
    pub since: Millis,
    /// What was made in it.
    #[serde(flatten)]
    pub counts: Counts,
}

/// How long something took: quantiles of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
#[schema(as = Quantiles)]
pub struct Quantiles {
    /// So many.
    pub count: u64,
    /// Half took no longer.
    pub p50: u64,
    /// 95 of 100 took no longer.
    pub p95: u64,
    /// 99 of 100 took no longer.
    pub p99: u64,
    /// The longest.
    pub max: u64,
}

impl Quantiles {
    /// Of these (nearest rank).
    pub fn of(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        let rank = |percent: usize| values.get((values.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        let at = |percent| rank(percent).unwrap_or(0);
        Self { count: values.len() as u64, p50: at(50), p95: at(95), p99: at(99), max: at(100) }
    }
}

/// One webhook's share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WebhookShare)]
pub struct WebhookShare {
    /// Which.
    pub webhook_id: WebhookId,
    /// How its deliveries stand.
    #[serde(flatten)]
    pub counts: Counts,
    /// From making to arrival, in milliseconds.
    pub latency_ms: Quantiles,
    /// When its newest delivery was made.
    pub last_at: Millis,
}

/// One plugin version's share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PluginShare)]
pub struct PluginShare {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Runs that ended badly.
    pub failed: u64,
    /// CPU time of its runs, in microseconds.
    pub cpu_us: Quantiles,
}

/// Recent deliveries, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Overview)]
pub struct Overview {
    /// How all of them stand.
    pub counts: Counts,
    /// The same over time, oldest first.
    pub buckets: Vec<Bucket>,
    /// From making to arrival, in milliseconds.
    pub latency_ms: Quantiles,
    /// By webhook: those with most deliveries first.
    pub webhooks: Vec<WebhookShare>,
    /// By plugin version: those with most runs first.
    pub plugins: Vec<PluginShare>,
}

/// Counts deliveries that were made from `since` on and before `until`, and runs.
pub fn overview(since: Millis, until: Millis, deliveries: &[Seen], runs: Vec<SeenRun>) -> Overview {
    let width = until.since(since).div_ceil(BUCKETS).max(1);
    let mut buckets: Vec<Bucket> =
        (0..BUCKETS).map(|n| Bucket { since: since.plus(n * width), counts: Counts::default() }).collect();
    let mut counts = Counts::default();
    let mut arrivals = Vec::new();
    let mut by_webhook: BTreeMap<WebhookId, (Counts, Vec<u64>, Millis)> = BTreeMap::new();
    for seen in deliveries {
        counts.add(seen.status);
        let index = usize::try_from(seen.created_at.since(since) / width).unwrap_or(usize::MAX);
        if let Some(bucket) = buckets.get_mut(index) {
            bucket.counts.add(seen.status);
        }
        let share = by_webhook.entry(seen.webhook).or_insert((Counts::default(), Vec::new(), seen.created_at));
        share.0.add(seen.status);
        share.2 = share.2.max(seen.created_at);
        if let (DeliveryStatus::Succeeded, Some(end)) = (seen.status, seen.settled_at) {
            arrivals.push(end.since(seen.created_at));
            share.1.push(end.since(seen.created_at));
        }
    }
    let share = |(webhook_id, (counts, arrivals, last_at))| WebhookShare {
        webhook_id,
        counts,
        latency_ms: Quantiles::of(arrivals),
        last_at,
    };
    let mut webhooks: Vec<WebhookShare> = by_webhook.into_iter().map(share).collect();
    let all = |counts: &Counts| counts.succeeded + counts.failed + counts.open + counts.unsent;
    webhooks.sort_by_key(|share| std::cmp::Reverse(all(&share.counts)));
    Overview { counts, buckets, latency_ms: Quantiles::of(arrivals), webhooks, plugins: plugins(runs) }
}

fn plugins(runs: Vec<SeenRun>) -> Vec<PluginShare> {
    let mut by_version: BTreeMap<(String, String), (u64, Vec<u64>)> = BTreeMap::new();
    for run in runs {
        let share = by_version.entry(run.plugin).or_default();
        share.0 += u64::from(run.failed);
        share.1.push(run.cpu_us);
    }
    let share =
        |((name, version), (failed, times))| PluginShare { name, version, failed, cpu_us: Quantiles::of(times) };
    let mut plugins: Vec<PluginShare> = by_version.into_iter().map(share).collect();
    plugins.sort_by_key(|share| std::cmp::Reverse(share.cpu_us.count));
    plugins
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(webhook: u128, status: DeliveryStatus, created: i64, took: Option<i64>) -> Seen {
        let webhook = WebhookId::from_uuid(uuid::Uuid::from_u128(webhook));
        Seen { webhook, status, created_at: Millis(created), settled_at: took.map(|took| Millis(created + took)) }
    }

    #[test]
    fn deliveries_are_counted_where_they_belong() {
        use DeliveryStatus::{Failed, Parked, Pending, Skipped, Succeeded};
        let all = [
            seen(1, Succeeded, 0, Some(10)),
            seen(1, Failed, 999, Some(90)),
            seen(2, Succeeded, 23_999, Some(30)),
            seen(2, Parked, 24_000, Some(1)),
            seen(2, Pending, 12_000, None),
            seen(3, Skipped, 12_500, Some(0)),
        ];
        let told = overview(Millis(0), Millis(24_000), &all, Vec::new());
        assert_eq!(told.counts, Counts { succeeded: 2, failed: 2, open: 1, unsent: 1 });
        assert_eq!(told.buckets.len(), 24);
        assert_eq!(told.buckets[0].counts, Counts { succeeded: 1, failed: 1, ..Counts::default() });
        assert_eq!(told.buckets[12].counts, Counts { open: 1, unsent: 1, ..Counts::default() });
        assert_eq!(told.buckets[23].counts.succeeded, 1, "what comes after the end is in none");
        assert_eq!(told.latency_ms, Quantiles { count: 2, p50: 10, p95: 30, p99: 30, max: 30 });
        assert_eq!(told.webhooks[0].webhook_id, all[2].webhook);
        assert_eq!((told.webhooks[0].last_at, told.webhooks.len()), (Millis(24_000), 3));
    }

    #[test]
    fn quantiles_are_nearest_ranks() {
        let quantiles = Quantiles::of((1..=200).rev().collect());
        assert_eq!(quantiles, Quantiles { count: 200, p50: 100, p95: 190, p99: 198, max: 200 });
        assert_eq!(Quantiles::of(Vec::new()), Quantiles::default());
        assert_eq!(Quantiles::of(vec![7]), Quantiles { count: 1, p50: 7, p95: 7, p99: 7, max: 7 });
    }

    #[test]
    fn runs_are_counted_by_version() {
        let run = |version: &str, cpu_us, failed| SeenRun { plugin: ("jira".into(), version.into()), cpu_us, failed };
        let told = plugins(vec![run("1.0.0", 5, false), run("2.0.0", 7, true), run("2.0.0", 9, false)]);
        assert_eq!((told[0].version.as_str(), told[0].failed, told[0].cpu_us.max), ("2.0.0", 1, 9));
        assert_eq!(told[1].cpu_us.count, 1);
    }
}
