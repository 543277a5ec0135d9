//! Publishers that never give up: each posts an event until it is accepted, whatever becomes of the server meanwhile.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::json;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::api::{Api, Failure};

const PUBLISHERS: usize = 16;
/// How long anything may take that they wait for.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long a publisher waits that was refused. Less than it is told to, so that an outage is under load too.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// The publishers and what they have got done. Their events are `load.tick` with a number `n` each.
#[derive(Debug)]
pub struct Crowd {
    shared: Arc<Shared>,
    servers: watch::Sender<Servers>,
    publishers: JoinSet<()>,
}

/// Whom to post to; each change has the next generation.
#[derive(Debug, Clone)]
struct Servers {
    generation: usize,
    apis: Vec<Api>,
}

#[derive(Debug)]
struct Shared {
    events: usize,
    next: AtomicUsize,
    /// Number of the event → its id, for those that got their 202.
    accepted: Mutex<HashMap<usize, String>>,
    counts: watch::Sender<Counts>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    accepted: usize,
    refused: usize,
}

impl Crowd {
    /// Posts so many events to these servers.
    pub fn start(events: usize, apis: Vec<Api>) -> Self {
        let shared = Arc::new(Shared {
            events,
            next: AtomicUsize::new(0),
            accepted: Mutex::default(),
            counts: watch::Sender::default(),
        });
        let servers = watch::Sender::new(Servers { generation: 0, apis });
        let mut publishers = JoinSet::new();
        for _ in 0..PUBLISHERS {
            publishers.spawn(publish(Arc::clone(&shared), servers.subscribe()));
        }
        Self { shared, servers, publishers }
    }

    /// Posts to these from now on; what got no answer from earlier ones is posted again.
    pub fn go_on_with(&self, apis: Vec<Api>) {
        self.servers.send_modify(|servers| *servers = Servers { generation: servers.generation + 1, apis });
    }

    /// Waits until so many events are accepted.
    pub async fn accepted(&self, count: usize) {
        self.reached("are accepted", |counts| counts.accepted >= count).await;
    }

    /// Waits until so many more are accepted than now.
    pub async fn more_accepted(&self, more: usize) {
        let now = self.shared.counts.borrow().accepted;
        self.accepted((now + more).min(self.shared.events)).await;
    }

    /// Waits until the publishers were refused so many more times than now.
    pub async fn more_refused(&self, more: usize) {
        let now = self.shared.counts.borrow().refused;
        self.reached("are refused", |counts| counts.refused >= now + more).await;
    }

    /// How often a publisher was refused, because the database did not answer.
    pub fn refusals(&self) -> usize {
        self.shared.counts.borrow().refused
    }

    /// Waits until all are accepted; says which number has become which event.
    pub async fn done(self) -> HashMap<usize, String> {
        self.publishers.join_all().await;
        let accepted = self.shared.accepted.lock().clone();
        assert_eq!(accepted.len(), self.shared.events);
        accepted
    }

    async fn reached(&self, what: &str, is_reached: impl FnMut(&Counts) -> bool) {
        let mut counts = self.shared.counts.subscribe();
        let reached = timeout(PATIENCE, counts.wait_for(is_reached)).await.map(|counts| counts.map(|_| ()));
        reached.unwrap_or_else(|_| panic!("no more events {what}: {:?}", self.shared)).expect("it is in self");
    }
}

async fn publish(shared: Arc<Shared>, mut servers: watch::Receiver<Servers>) {
    loop {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        if number >= shared.events {
            return;
        }
        let id = post(&shared, &mut servers, number).await;
        let mut accepted = shared.accepted.lock();
        accepted.insert(number, id);
        shared.counts.send_modify(|counts| counts.accepted = accepted.len());
    }
}

async fn post(shared: &Shared, servers: &mut watch::Receiver<Servers>, number: usize) -> String {
    loop {
        let Servers { generation, apis } = servers.borrow_and_update().clone();
        match apis[number % apis.len()].try_publish("load.tick", json!({ "n": number })).await {
            Ok(accepted) => return accepted.id,
            Err(Failure::Problem(problem)) => {
                assert_eq!((problem.status, problem.code.as_str()), (503, "store_unavailable"), "{problem:?}");
                assert!(problem.retry_after.is_some(), "a publisher is told when to come again: {problem:?}");
                shared.counts.send_modify(|counts| counts.refused += 1);
                sleep(REFUSED_PAUSE).await;
            }
            Err(Failure::Transport(error)) => {
                timeout(PATIENCE, servers.wait_for(|newest| newest.generation > generation))
                    .await
                    .unwrap_or_else(|_| panic!("nothing explains {error:?}"))
                    .expect("there are servers as long as there are publishers");
            }
        }
    }
}
