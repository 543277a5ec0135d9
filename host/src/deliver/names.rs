//! Name resolution, passed in so that tests need no DNS.

use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Answers of a fixed resolver: a list of answers for each name, given one after the other, the last one for ever.
pub type FixedNames = Arc<Mutex<HashMap<String, Vec<Vec<IpAddr>>>>>;

/// A name has no address now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unresolved(String);

/// Where addresses of names come from.
#[derive(Debug, Clone)]
pub enum Names {
    /// The operating system.
    System(Lookups),
    /// A table.
    Fixed(FixedNames),
}

impl Names {
    /// The operating system's resolver; whoever asks waits at most this long.
    pub fn system(timeout: Duration) -> Self {
        Self::System(Lookups { timeout, under_way: Arc::default() })
    }

    /// The addresses of a host: at least one. An address is its own, with or without brackets.
    pub async fn lookup(&self, host: &str) -> Result<Vec<IpAddr>, Unresolved> {
        if let Some(address) = literal(host) {
            return Ok(vec![address]);
        }
        let addresses = match self {
            Self::System(lookups) => lookups.share(host, system).await?,
            Self::Fixed(table) => {
                let mut table = table.lock();
                let answers = table.get_mut(host).ok_or_else(|| Unresolved("no such name".to_owned()))?;
                if answers.len() > 1 { answers.remove(0) } else { answers.first().cloned().unwrap_or_default() }
            }
        };
        if addresses.is_empty() { Err(Unresolved("it has no address".to_owned())) } else { Ok(addresses) }
    }
}

fn literal(host: &str) -> Option<IpAddr> {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse().ok()
}

type Answer = Result<Vec<IpAddr>, Unresolved>;

/// Lookups that are under way. Each occupies a thread until the operating system has an answer, and a hostile name server
/// may take its time: so there is one for each name, however many wait for it.
#[derive(Debug, Clone)]
pub struct Lookups {
    timeout: Duration,
    under_way: Arc<Mutex<HashMap<String, Shared<BoxFuture<'static, Answer>>>>>,
}

impl Lookups {
    /// Waits for the lookup of this name that is under way, or starts one.
    async fn share<F>(&self, host: &str, look: impl FnOnce(String) -> F) -> Answer
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let answer = {
            let mut under_way = self.under_way.lock();
            if let Some(answer) = under_way.get(host) {
                answer.clone()
            } else {
                let answer = self.start(host.to_owned(), look(host.to_owned()));
                under_way.insert(host.to_owned(), answer.clone());
                answer
            }
        };
        let late = || Unresolved(format!("no answer within {} ms", self.timeout.as_millis()));
        tokio::time::timeout(self.timeout, answer).await.unwrap_or_else(|_| Err(late()))
    }

    /// A task of its own: it ends with the operating system's answer, not when nobody waits any more.
    fn start(
        &self,
        host: String,
        lookup: impl Future<Output = Answer> + Send + 'static,
    ) -> Shared<BoxFuture<'static, Answer>> {
        let (told, answer) = oneshot::channel();
        let under_way = self.under_way.clone();
        tokio::spawn(async move {
            let answer = lookup.await;
            under_way.lock().remove(&host);
            // Nobody may be left to hear it.
            let _ = told.send(answer);
        });
        let broken_off = || Err(Unresolved("the lookup broke off".to_owned()));
        answer.map(move |answer| answer.unwrap_or_else(|_| broken_off())).boxed().shared()
    }
}

async fn system(host: String) -> Answer {
    let addresses = tokio::net::lookup_host((host, 0)).await.map_err(|error| Unresolved(error.to_string()))?;
    Ok(addresses.map(|address| address.ip()).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    fn lookups(timeout: Duration) -> Lookups {
        let Names::System(lookups) = Names::system(timeout) else { unreachable!() };
        lookups
    }

    #[tokio::test]
    async fn who_asks_for_the_same_name_waits_for_the_same_answer() {
        let (lookups, started, gate) = (lookups(Duration::from_secs(30)), AtomicUsize::new(0), Semaphore::new(0));
        let (started, gate) = (Arc::new(started), Arc::new(gate));
        let ask = |host: &'static str| {
            let (lookups, started, gate) = (lookups.clone(), started.clone(), gate.clone());
            tokio::spawn(async move {
                let look = |_| {
                    started.fetch_add(1, Ordering::SeqCst);
                    async move {
                        gate.acquire().await.expect("an open gate").forget();
                        Ok(vec![IpAddr::from([192, 0, 2, 1])])
                    }
                };
                lookups.share(host, look).await
            })
        };
        let asked: Vec<_> = ["a.example"; 100].into_iter().chain(["b.example"]).map(ask).collect();
        while lookups.under_way.lock().len() < 2 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(2);
        for answer in asked {
            assert_eq!(answer.await.expect("no panic"), Ok(vec![IpAddr::from([192, 0, 2, 1])]));
        }
        assert_eq!(started.load(Ordering::SeqCst), 2);
        assert!(lookups.under_way.lock().is_empty(), "the next one asks again");
    }

    #[tokio::test]
    async fn a_slow_lookup_is_left_behind_and_not_started_twice() {
        let (lookups, gate) = (lookups(SOON), Arc::new(Semaphore::new(0)));
        let slow = gate.clone();
        let look = |_| async move {
            slow.acquire().await.expect("an open gate").forget();
            Ok(vec![IpAddr::from([192, 0, 2, 1])])
        };
        let late = lookups.share("slow.example", look).await.unwrap_err();
        assert_eq!(late.to_string(), "no answer within 20 ms");
        let again = lookups.share("slow.example", |_| -> BoxFuture<'static, Answer> { panic!("started twice") }).await;
        assert_eq!(again, Err(late));
        gate.add_permits(1);
        while !lookups.under_way.lock().is_empty() {
            tokio::task::yield_now().await;
        }
    }
}
