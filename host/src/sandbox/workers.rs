//! The threads that plugins run on: a plugin takes time from other plugins only, never from API or deliveries.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::queue::FairQueue;
use crate::domain::id::WebhookId;

/// Stack for what surrounds a plugin: our functions that it calls, and the engine's.
const OWN_STACK_BYTES: usize = 2 * 1024 * 1024;

/// Too many runs wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many plugin runs wait for a thread")]
pub struct Busy;

type Job = Box<dyn FnOnce() + Send>;

/// Of so many runs one is of those that can wait, so that they come to their end on a server that is never idle.
const IDLE_TURN: u32 = 16;

/// What waits for a thread.
struct Lines {
    deliveries: FairQueue<WebhookId, Job>,
    /// Runs for people who look.
    idle: FairQueue<WebhookId, Job>,
    since_idle: u32,
    is_over: bool,
}

impl Lines {
    fn pop(&mut self) -> Option<Job> {
        self.since_idle += 1;
        let is_idles_turn = self.since_idle >= IDLE_TURN;
        if is_idles_turn && let Some(job) = self.idle.pop() {
            self.since_idle = 0;
            return Some(job);
        }
        self.deliveries.pop().or_else(|| self.idle.pop())
    }
}

struct Shared {
    queue: Mutex<Lines>,
    work: Condvar,
}

pub(super) struct Workers {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workers").finish_non_exhaustive()
    }
}

impl Workers {
    /// Threads with room for so much stack of WebAssembly besides their own.
    pub(super) fn start(threads: usize, queue: usize, stack_bytes: usize) -> Self {
        let lines =
            Lines { deliveries: FairQueue::new(queue), idle: FairQueue::new(queue), since_idle: 0, is_over: false };
        let shared = Arc::new(Shared { queue: Mutex::new(lines), work: Condvar::new() });
        for number in 0..threads {
            let shared = shared.clone();
            std::thread::Builder::new()
                .name(format!("plugin-{number}"))
                .stack_size(OWN_STACK_BYTES + stack_bytes)
                .spawn(move || work(&shared))
                .expect("a thread can be started at start");
        }
        Self { shared }
    }

    /// Runs `job` on one of the threads, in its key's turn.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        key: WebhookId,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        self.run_in(|lines| &mut lines.deliveries, key, job).await
    }

    /// Runs `job` when no delivery waits, or now and then between.
    pub(super) async fn run_idle<T: Send + 'static>(
        &self,
        key: WebhookId,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        self.run_in(|lines| &mut lines.idle, key, job).await
    }

    async fn run_in<T: Send + 'static>(
        &self,
        line: impl FnOnce(&mut Lines) -> &mut FairQueue<WebhookId, Job>,
        key: WebhookId,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Who no longer waits needs no run.
            if !reply.is_closed() {
                let _ = reply.send(job());
            }
        });
        line(&mut self.shared.queue.lock()).push(key, job).map_err(|_| Busy)?;
        self.shared.work.notify_one();
        // A thread that died with the job counts as one that was never free.
        answer.await.map_err(|_| Busy)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.queue.lock().is_over = true;
        self.shared.work.notify_all();
    }
}

fn work(shared: &Shared) {
    loop {
        let job = {
            let mut queue = shared.queue.lock();
            loop {
                if let Some(job) = queue.pop() {
                    break job;
                }
                if queue.is_over {
                    return;
                }
                shared.work.wait(&mut queue);
            }
        };
        // A bug of ours in one run must not take the thread from all others.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
            tracing::error!("a plugin run panicked in the host");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Previews and backtests wait for deliveries, and come to their end all the same on a server that is never idle.
    #[test]
    fn runs_that_can_wait_get_one_turn_in_sixteen_and_all_that_nobody_else_wants() {
        let ran: Arc<Mutex<Vec<char>>> = Arc::default();
        let mut lines =
            Lines { deliveries: FairQueue::new(100), idle: FairQueue::new(100), since_idle: 0, is_over: false };
        let key = WebhookId::from_uuid(uuid::Uuid::nil());
        let job = |name: char| -> Job {
            let ran = ran.clone();
            Box::new(move || ran.lock().push(name))
        };
        for _ in 0..3 {
            assert!(lines.idle.push(key, job('i')).is_ok());
        }
        for _ in 0..30 {
            assert!(lines.deliveries.push(key, job('d')).is_ok());
        }
        while let Some(job) = lines.pop() {
            job();
        }
        let order: String = ran.lock().iter().collect();
        let many = "d".repeat(15);
        assert_eq!(order, format!("{many}i{many}ii"));
    }
}
