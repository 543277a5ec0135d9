//! The receiver: answers 200 at once, remembers which numbers came on which path, and how long each took.

use std::{collections::HashMap, convert::Infallible, future, process::ExitCode, sync::Arc};

use futures_util::future::try_join_all;
use parking_lot::Mutex;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::{
    Failure,
    clock::now_ns,
    histogram::{Histogram, Latency},
    ledger::{Entry, Ledger},
    mark::Mark,
    message::Message,
};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
const REQUEST_BYTES: usize = 8 << 10;
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
pub async fn serve(listeners: Vec<TcpListener>, hang: Vec<String>) -> Result<ExitCode, Failure> {
    // A sender may open more connections than the usual 1,024 files.
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files })?;
    let sink = Arc::new(Sink { hang, state: Mutex::default() });
    try_join_all(listeners.into_iter().map(|listener| accept(listener, &sink))).await?;
    Ok(ExitCode::SUCCESS)
}

async fn accept(listener: TcpListener, sink: &Arc<Sink>) -> Result<(), Failure> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let sink = Arc::clone(sink);
        tokio::spawn(async move {
            // Fails whenever a client goes away.
            let _ = connection(stream, sink).await;
        });
    }
}

/// Answers one request after the other until the client goes away or sends what is none.
async fn connection(mut stream: TcpStream, sink: Arc<Sink>) -> Result<(), Failure> {
    let mut bytes = Vec::with_capacity(REQUEST_BYTES);
    while stream.read_buf(&mut bytes).await? > 0 {
        while let Some(request) = Message::read(&bytes)? {
            let length = request.length;
            if request.subject.starts_with("/__") {
                stream.write_all(&sink.control(request.subject)).await?;
            } else if sink.hang.iter().any(|path| path == request.subject) {
                sink.state.lock().stats.hanging += 1;
                let never: Infallible = future::pending().await;
                match never {}
            } else {
                sink.state.lock().receive(request.subject, request.body);
                stream.write_all(OK).await?;
            }
            bytes.drain(..length);
        }
    }
    Ok(())
}

impl Sink {
    /// The answer to a question about what came.
    fn control(&self, target: &str) -> Vec<u8> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let argument = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next_back().unwrap_or_default()
        };
        let number = |name: &str| argument(name).parse().unwrap_or_default();
        let mut state = self.state.lock();
        match path {
            "/__stats" => json(&state.stats()),
            "/__missing" => json(&state.missing(argument("path"), number("end"))),
            "/__reset" => {
                state.reset(number("first"));
                OK.to_vec()
            }
            _ => NOT_FOUND.to_vec(),
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

fn json(value: &impl Serialize) -> Vec<u8> {
    let body = serde_json::to_vec(value).expect("plain data serialises");
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.into_bytes(), body].concat()
}
