//! Schedules over days and years, by a clock that is moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;

use super::{Parts, Timetable};
use crate::config::{DigestConfig, RetentionConfig, ScheduleConfig};
use crate::domain::clock::{Clock, Millis};
use crate::domain::entropy::Entropy;
use crate::domain::id::{DEFAULT_PROJECT, ScheduleId};
use crate::domain::page::PageRequest;
use crate::domain::pattern::EventType;
use crate::domain::schedule::{Expression, Missed, Schedule};
use crate::store::{Location, Store, WriterSettings};

const WRITER: WriterSettings = WriterSettings { queue: 16, batch: 16, writers: 1 };
const MINUTE_MS: i64 = 60_000;
const HALF_HOUR_MS: i64 = 30 * MINUTE_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;

fn timetable(store: Store, clock: Clock, entropy: Entropy) -> Timetable {
    let (config, digests, retention) = (ScheduleConfig::default(), DigestConfig::default(), RetentionConfig::default());
    Timetable::new(Parts { store, clock, entropy, config, digests, retention, order_wait_ms: 1000, ingest: None })
}

struct Bench {
    timetable: Timetable,
    hand: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn at(start: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Millis::parse(start).unwrap());
        let Clock::Manual(hand) = clock.clone() else { unreachable!() };
        let entropy = Entropy::seeded(1);
        let location = Location::Sqlite(folder.path().join("test.db"));
        let store = Store::open(&location, &folder.path().join("keys"), WRITER, clock.now(), &entropy).await.unwrap();
        Self { timetable: timetable(store, clock, entropy), hand, _folder: folder }
    }

    fn now(&self) -> Millis {
        self.timetable.now()
    }

    async fn schedule(&self, expression: &str, zone: &str, missed: Missed) {
        let now = self.now();
        let mut schedule = Schedule {
            id: ScheduleId::new(now, self.timetable.0.entropy.id()),
            project: DEFAULT_PROJECT,
            name: String::new(),
            description: None,
            expression: Expression::parse(expression).unwrap(),
            zone: zone.parse().unwrap(),
            event_type: EventType::parse("time.passed").unwrap(),
            subject: None,
            payload: Bytes::from_static(b"{}"),
            missed,
            enabled: true,
            next_run: None,
            last_run: None,
            skipped_at: None,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        schedule.next_run = schedule.next_after(now);
        self.timetable.0.store.insert_schedule(&schedule, 10).await.unwrap();
    }

    /// Moves the clock to there in steps of this, as a server that runs would see it.
    async fn run_until(&self, end: &str, step_ms: i64) {
        let end = Millis::parse(end).unwrap();
        while self.now() < end {
            self.hand.fetch_add(step_ms, Ordering::SeqCst);
            self.timetable.round().await.unwrap();
        }
    }

    /// Moves the clock while no server runs.
    fn down_until(&self, end: &str) {
        self.hand.store(Millis::parse(end).unwrap().0, Ordering::SeqCst);
    }

    /// When events were due, oldest first.
    async fn emitted(&self) -> Vec<String> {
        let page = PageRequest { limit: 200, cursor: None };
        let events = self.timetable.0.store.events(DEFAULT_PROJECT, None, page).await.unwrap().items;
        events.iter().rev().map(|event| event.occurred_at.to_string().replace(":00.000Z", "Z")).collect()
    }
}

#[tokio::test]
async fn clocks_that_go_forward_lose_no_run_and_double_none() {
    let bench = Bench::at("2026-03-28T00:00:00Z").await;
    bench.schedule("30 2 * * *", "Europe/Berlin", Missed::Skip).await;
    bench.run_until("2026-03-31T00:00:00Z", HALF_HOUR_MS).await;
    assert_eq!(bench.emitted().await, ["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"]);
}

#[tokio::test]
async fn clocks_that_go_back_double_no_run_and_lose_none() {
    let bench = Bench::at("2026-10-24T00:00:00Z").await;
    bench.schedule("30 2 * * *", "Europe/Berlin", Missed::Skip).await;
    bench.run_until("2026-10-27T00:00:00Z", HALF_HOUR_MS).await;
    assert_eq!(bench.emitted().await, ["2026-10-24T00:30Z", "2026-10-25T00:30Z", "2026-10-26T01:30Z"]);
}

#[tokio::test]
async fn what_runs_every_hour_runs_in_both_of_two_equal_hours() {
    let bench = Bench::at("2026-10-24T23:10:00Z").await;
    bench.schedule("15 * * * *", "Europe/Berlin", Missed::Skip).await;
    bench.run_until("2026-10-25T03:00:00Z", MINUTE_MS).await;
    assert_eq!(
        bench.emitted().await,
        ["2026-10-24T23:15Z", "2026-10-25T00:15Z", "2026-10-25T01:15Z", "2026-10-25T02:15Z"]
    );
}

#[tokio::test]
async fn a_leap_day_comes_every_four_years() {
    let bench = Bench::at("2027-12-31T00:00:00Z").await;
    bench.schedule("0 0 29 2 *", "UTC", Missed::RunOnce).await;
    bench.run_until("2033-01-01T00:00:00Z", 24 * HOUR_MS).await;
    assert_eq!(bench.emitted().await, ["2028-02-29T00:00Z", "2032-02-29T00:00Z"]);
}

#[tokio::test]
async fn what_was_missed_while_down_is_made_once_or_skipped() {
    for (missed, expected) in [
        (Missed::RunOnce, vec!["2026-01-01T10:00Z", "2026-01-01T15:00Z", "2026-01-01T16:00Z"]),
        (Missed::Skip, vec!["2026-01-01T10:00Z", "2026-01-01T16:00Z"]),
    ] {
        let bench = Bench::at("2026-01-01T09:30:00Z").await;
        bench.schedule("0 * * * *", "UTC", missed).await;
        bench.run_until("2026-01-01T10:30:00Z", MINUTE_MS).await;
        bench.down_until("2026-01-01T15:20:00Z");
        bench.run_until("2026-01-01T16:30:00Z", MINUTE_MS).await;
        assert_eq!(bench.emitted().await, expected, "{missed:?}");
    }
}

#[tokio::test]
async fn two_nodes_make_each_run_once() {
    let bench = Bench::at("2026-01-01T00:00:00Z").await;
    let Parts { store, clock, .. } = &*bench.timetable.0;
    let other = timetable(store.clone(), clock.clone(), Entropy::seeded(2));
    bench.schedule("* * * * *", "UTC", Missed::Skip).await;
    for _ in 0..20 {
        bench.hand.fetch_add(MINUTE_MS, Ordering::SeqCst);
        let (here, there) = tokio::join!(bench.timetable.round(), other.round());
        here.unwrap();
        there.unwrap();
    }
    let emitted = bench.emitted().await;
    let mut each = emitted.clone();
    each.dedup();
    assert_eq!((emitted.len(), each.len()), (20, 20));
}
