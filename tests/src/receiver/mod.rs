//! A receiver on loopback that answers by script and remembers every request.
//!
//! A test scripts it with [`Receiver::on`] or [`Receiver::when`] and then waits for requests, which
//! wake it: nothing here is polled.

mod certificate;
mod connection;
mod log;
pub mod raw;
mod recorded;
mod reply;
mod script;

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{net::TcpListener, task::JoinHandle, time::timeout};

pub use self::{
    certificate::{Authority, Identity},
    recorded::Recorded,
    reply::Reply,
};
use self::{connection::Door, log::Log, script::Script};

/// How long a test waits for a request that should come.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The running receiver. Its connections are closed when it is dropped.
pub struct Receiver {
    scheme: &'static str,
    address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    script: Script,
    log: Log,
    connections: AtomicUsize,
}

impl Receiver {
    pub async fn start() -> Self {
        Self::behind("http", Door::Plain).await
    }

    /// A receiver over TLS. Of these protocols (`h2`, `http/1.1`) the client may choose.
    pub async fn over_tls(identity: &Identity, protocols: &[&str]) -> Self {
        Self::behind("https", Door::Tls(identity.acceptor(protocols))).await
    }

    async fn behind(scheme: &'static str, door: Door) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        let address = listener.local_addr().expect("the port");
        let state = Arc::<State>::default();
        let accepting = tokio::spawn(connection::accept(listener, door, Arc::clone(&state)));
        Self { scheme, address, state, accepting }
    }

    /// The URL of a path (with its leading `/`).
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Answers requests for a path with these replies in turn; the last one stays. Without a script the
    /// answer is an empty 200. The newest rule that matches a request is the one that answers it.
    pub fn on(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        let path = path.to_owned();
        self.when(move |request| request.path == path, replies);
    }

    /// Like [`Receiver::on`], for the requests that a predicate picks.
    pub fn when(
        &self,
        picks: impl Fn(&Recorded) -> bool + Send + Sync + 'static,
        replies: impl IntoIterator<Item = Reply>,
    ) {
        self.state.script.add(picks, replies);
    }

    /// Waits for the `n`-th request (from 1) for a path.
    pub async fn wait(&self, path: &str, n: usize) -> Arc<Recorded> {
        self.wait_for(n, |request| request.path == path).await.pop().expect("n is at least 1")
    }

    /// Waits until `n` requests match and gives them in the order of their arrival.
    pub async fn wait_for(&self, n: usize, picks: impl Fn(&Recorded) -> bool) -> Vec<Arc<Recorded>> {
        let mut found = Vec::new();
        self.follow(DEADLINE, |request| {
            if picks(request) {
                found.push(Arc::clone(request));
            }
            (found.len() >= n).then_some(())
        })
        .await;
        found
    }

    /// Shows every request, past and coming, once and in order until `visit` returns something.
    pub async fn follow<T>(&self, deadline: Duration, visit: impl FnMut(&Arc<Recorded>) -> Option<T>) -> T {
        let Ok(found) = timeout(deadline, self.state.log.follow(visit)).await else {
            let all = self.state.log.all();
            let last: Vec<_> = all.iter().rev().take(20).map(|request| request.line()).collect();
            panic!("not within {deadline:?}; {} requests came, newest first: {last:#?}", all.len());
        };
        found
    }

    /// How many requests came for a path.
    pub fn count(&self, path: &str) -> usize {
        self.count_of(|request| request.path == path)
    }

    /// How many requests a predicate picks.
    pub fn count_of(&self, picks: impl Fn(&Recorded) -> bool) -> usize {
        self.state.log.all().iter().filter(|request| picks(request)).count()
    }

    /// Everything that came, in order.
    pub fn all(&self) -> Vec<Arc<Recorded>> {
        self.state.log.all()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Receiver").field("address", &self.address).finish_non_exhaustive()
    }
}
