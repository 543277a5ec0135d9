//! The receiver: answers 200 at once, remembers which numbers came on which path, and how long each took.

use std::{collections::HashMap, convert::Infallible, future, process::ExitCode, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, StatusCode, Uri, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};

use super::{
    Failure,
    clock::now_ns,
    histogram::{Histogram, Latency},
    ledger::{Entry, Ledger},
    mark::Mark,
};

/// More missing numbers than this say nothing new.
const MISSING_MAX: usize = 100_000;

/// What came since the last reset.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Deliveries, repeated ones too.
    pub count: u64,
    /// Different events on different paths.
    pub unique: u64,
    /// Deliveries of what had come before; since the start, not since the reset.
    pub repeated: u64,
    /// Bodies without a mark.
    pub strange: u64,
    /// Requests that were left without an answer; since the start.
    pub hanging: u64,
    /// When the last new one came.
    pub last_ns: u64,
    /// From sending (or when it was due) to arrival.
    pub latency_us: Latency,
}

#[derive(Debug, Default)]
struct State {
    first: u64,
    paths: HashMap<String, Ledger>,
    stats: Stats,
    latency: Histogram,
}

/// What requests on a connection share.
#[derive(Debug)]
struct Sink {
    hang: Vec<String>,
    state: Mutex<State>,
}

/// Serves until the process ends. Requests on a path in `hang` are never answered.
pub async fn serve(listener: TcpListener, hang: Vec<String>) -> Result<ExitCode, Failure> {
    // A sender may open more connections than the usual 1,024 files.
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files })?;
    let sink = Arc::new(Sink { hang, state: Mutex::default() });
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(stream, Arc::clone(&sink)));
    }
}

async fn connection(stream: TcpStream, sink: Arc<Sink>) {
    let service = service_fn(move |request| {
        let sink = Arc::clone(&sink);
        async move { sink.answer(request).await }
    });
    // Fails whenever a client goes away.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

impl Sink {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let path = head.uri.path();
        if path.starts_with("/__") {
            return Ok(self.control(&head.uri));
        }
        if self.hang.iter().any(|hang| hang == path) {
            self.state.lock().stats.hanging += 1;
            let never: Infallible = future::pending().await;
            match never {}
        }
        self.state.lock().receive(path, &body);
        Ok(Response::default())
    }

    fn control(&self, uri: &Uri) -> Response<Full<Bytes>> {
        let argument = |name: &str| {
            let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
            pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next_back().unwrap_or_default()
        };
        let number = |name: &str| argument(name).parse().unwrap_or_default();
        let mut state = self.state.lock();
        match uri.path() {
            "/__stats" => json(&state.stats()),
            "/__missing" => json(&state.missing(argument("path"), number("end"))),
            "/__reset" => {
                state.reset(number("first"));
                Response::default()
            }
            _ => {
                let mut response = Response::default();
                *response.status_mut() = StatusCode::NOT_FOUND;
                response
            }
        }
    }
}

impl State {
    fn receive(&mut self, path: &str, body: &[u8]) {
        let now = now_ns();
        self.stats.count += 1;
        let Some(mark) = Mark::find(body) else {
            self.stats.strange += 1;
            return;
        };
        // `entry` would copy the path every time.
        if !self.paths.contains_key(path) {
            self.paths.insert(path.to_owned(), Ledger::new(self.first));
        }
        match self.paths.get_mut(path).expect("just made").enter(mark.n) {
            Entry::New => {
                self.stats.unique += 1;
                self.stats.last_ns = now;
                self.latency.add(now.saturating_sub(mark.sent_ns));
            }
            Entry::Repeated => self.stats.repeated += 1,
            Entry::Strange => self.stats.strange += 1,
        }
    }

    fn stats(&self) -> Stats {
        Stats { latency_us: self.latency.latency(), ..self.stats.clone() }
    }

    fn missing(&self, path: &str, end: u64) -> Vec<u64> {
        let nothing = Ledger::new(self.first);
        self.paths.get(path).unwrap_or(&nothing).missing(end, MISSING_MAX)
    }

    /// Starts anew from a number; what comes below it has come before.
    fn reset(&mut self, first: u64) {
        let Stats { repeated, hanging, .. } = self.stats;
        *self = Self { first, stats: Stats { repeated, hanging, ..Stats::default() }, ..Self::default() };
    }
}

fn json(value: &impl Serialize) -> Response<Full<Bytes>> {
    Response::new(Full::from(serde_json::to_vec(value).expect("plain data serialises")))
}
