//! The load generator: N publishers on a connection each, over one thread, so that it takes little from what it
//! measures.

use std::{error::Error, sync::Arc, thread, time::Duration};

use clap::Parser;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

use super::{
    Failure,
    body::Template,
    clock::{cpu_ns, now_ns},
    histogram::{Histogram, Latency},
    publisher::Publisher,
    rate::due_ns,
};

/// Of the events that are measured.
pub(super) const PAYLOAD_BYTES: usize = 1024;
/// How long the last answers may take.
const LAST_ANSWERS: Duration = Duration::from_mins(1);
/// How exact the pace is: a thread that sleeps is cheaper than a timer for each POST.
const PACE_TICK: Duration = Duration::from_micros(200);
/// More failures than this say nothing new.
const FAILED_MAX: usize = 100_000;

/// Posts events and says how it went, as JSON.
#[derive(Debug, Parser)]
#[command(name = "hw-load")]
pub struct Load {
    /// Where events are posted
    #[arg(long)]
    url: String,
    /// Bearer token
    #[arg(long)]
    token: Option<String>,
    /// Connections, each with one POST at a time
    #[arg(long, default_value_t = 64)]
    publishers: usize,
    /// For how long
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How many instead
    #[arg(long, conflicts_with = "seconds")]
    events: Option<u64>,
    /// POSTs a second, due whether or not earlier ones were answered; as many as possible without it
    #[arg(long)]
    rate: Option<u64>,
    /// Number of the first event
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Size of a payload
    #[arg(long, default_value_t = PAYLOAD_BYTES)]
    payload_bytes: usize,
    /// Event type
    #[arg(long = "type", default_value = "ticket.created")]
    kind: String,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    pub sent: u64,
    pub accepted: u64,
    pub errors: u64,
    pub seconds: f64,
    pub started_ns: u64,
    pub ended_ns: u64,
    /// What the load generator itself took.
    pub cpu_ns: u64,
    /// Number after the last.
    pub end: u64,
    /// Which were not accepted.
    pub failed: Vec<u64>,
    /// What the first of them said.
    pub first_error: Option<String>,
    /// From sending, or from when it was due, to the answer.
    pub latency_us: Latency,
}

/// What all publishers share.
#[derive(Debug)]
pub(super) struct Shared {
    started_ns: u64,
    /// Nothing is sent after this.
    deadline_ns: u64,
    first: u64,
    count: u64,
    rate: Option<u64>,
    /// One permit for each POST that is due, when there is a pace.
    due: Semaphore,
    tally: Mutex<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    sent: u64,
    errors: u64,
    failed: Vec<u64>,
    first_error: Option<String>,
    latency: Histogram,
}

impl Load {
    /// Runs it to its end.
    pub async fn run(self) -> Result<Outcome, Failure> {
        let seconds = Duration::try_from_secs_f64(self.seconds)?;
        let length_ns = u64::try_from(seconds.as_nanos())?;
        let count = match (self.events, self.rate) {
            (Some(events), _) => events,
            (None, Some(rate)) => u64::try_from(u128::from(rate) * u128::from(length_ns) / 1_000_000_000)?,
            (None, None) => u64::MAX,
        };
        let template = Template::new(&self.kind, self.payload_bytes);
        let mut publishers = Vec::with_capacity(self.publishers);
        for _ in 0..self.publishers {
            publishers.push(Publisher::connect(&self.url, self.token.as_deref(), &template).await?);
        }
        let started_ns = now_ns();
        let timed = self.events.is_none() && self.rate.is_none();
        let shared = Arc::new(Shared {
            started_ns,
            deadline_ns: if timed { started_ns + length_ns } else { u64::MAX },
            first: self.first,
            count,
            rate: self.rate,
            due: Semaphore::new(0),
            tally: Mutex::default(),
        });
        if let Some(rate) = self.rate {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.pace(rate, self.publishers));
        }
        let mut running = JoinSet::new();
        for publisher in publishers {
            running.spawn(publisher.run(Arc::clone(&shared)));
        }
        let last = if timed { seconds + LAST_ANSWERS } else { Duration::MAX };
        timeout(last, running.join_all()).await.map_err(|_| "the last POSTs were not answered")?;
        Ok(shared.outcome())
    }
}

impl Shared {
    /// Number and time of the next POST; none when it is over.
    pub(super) async fn next(&self) -> Option<(u64, u64)> {
        if self.rate.is_some() {
            self.due.acquire().await.ok()?.forget();
        }
        let mut tally = self.tally.lock();
        let now = now_ns();
        if tally.sent >= self.count || now >= self.deadline_ns {
            return None;
        }
        let k = tally.sent;
        tally.sent += 1;
        let at = self.rate.map_or(now, |rate| self.started_ns + due_ns(k, rate));
        Some((self.first + k, at))
    }

    pub(super) fn accepted(&self, sent_ns: u64) {
        self.tally.lock().latency.add(now_ns().saturating_sub(sent_ns));
    }

    pub(super) fn failed(&self, n: u64, error: &(dyn Error + Send + Sync)) {
        let mut tally = self.tally.lock();
        tally.errors += 1;
        tally.first_error.get_or_insert_with(|| error.to_string());
        if tally.failed.len() < FAILED_MAX {
            tally.failed.push(n);
        }
    }

    /// Gives a permit for each POST when it is due, and one more to each publisher so that it sees the end.
    fn pace(&self, rate: u64, publishers: usize) {
        let mut given = 0;
        while given < self.count {
            let mut due = given;
            let elapsed = now_ns() - self.started_ns;
            while due < self.count && due_ns(due, rate) <= elapsed {
                due += 1;
            }
            self.due.add_permits(usize::try_from(due - given).unwrap_or_default());
            given = due;
            thread::sleep(PACE_TICK);
        }
        self.due.add_permits(publishers);
    }

    fn outcome(&self) -> Outcome {
        let ended_ns = now_ns();
        let tally = self.tally.lock();
        Outcome {
            sent: tally.sent,
            accepted: tally.sent - tally.errors,
            errors: tally.errors,
            seconds: Duration::from_nanos(ended_ns - self.started_ns).as_secs_f64(),
            started_ns: self.started_ns,
            ended_ns,
            cpu_ns: cpu_ns(),
            end: self.first + tally.sent,
            failed: tally.failed.clone(),
            first_error: tally.first_error.clone(),
            latency_us: tally.latency.latency(),
        }
    }
}
