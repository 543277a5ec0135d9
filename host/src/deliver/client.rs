//! The HTTP client: one pool of connections, no redirects, no proxy from the environment, guarded addresses, a time for the
//! whole exchange, and answers read only up to a cap. Nothing is decompressed, so a compression bomb stays small.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_LENGTH, HeaderMap, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout_at;

use super::connector::{Connector, Unreachable, causes, innermost};
use super::guard::{Guard, UrlRefused};
use super::message::Message;
use super::outgoing::{Outgoing, Taken, TooLate};
use crate::config::{ConfigError, DeliveryConfig, NetworkConfig};
use crate::domain::clock::Millis;
use crate::domain::delivery::ErrorClass;
use crate::domain::event::Field;
use crate::domain::retry::{Ending, retry_after_ms};

/// More than what is kept is read, so that a secret at the edge is read whole and found: it has at most 8 KiB, three times as
/// many when percent-encoded.
pub(super) const EDGE_BYTES: usize = 24 * 1024;
/// How much of its answers a receiver may send ahead over HTTP/2, for one request and for a connection, in bytes.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// A connection that many requests share must not be waited on when it is dead: how often it is asked, and how long it may
/// take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(15);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a request is sent again at once because the receiver said that it did not look at it (HTTP/2: a stream that
/// was refused or came after the connection's end, RFC 9113 §8.7).
const UNPROCESSED_MAX: usize = 2;

/// The client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    /// The administrator's own certificates.
    #[error("`network.ca_file` {path} cannot be used: {reason}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// TLS itself.
    #[error("connections cannot be secured: {0}")]
    Tls(String),
    /// A setting.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl SenderError {
    pub(super) fn ca_file(path: &Path, reason: String) -> Self {
        Self::CaFile { path: path.to_owned(), reason }
    }
}

/// Sends requests.
#[derive(Debug, Clone)]
pub struct Sender {
    guard: Guard,
    client: Client<Connector, Outgoing>,
    headers_kept_bytes: usize,
}

/// What came of one attempt.
#[derive(Debug)]
pub struct Exchange {
    /// What the next step depends on.
    pub ending: Ending,
    /// What kept it from an answer, in words, without the URL.
    pub error: Option<String>,
    /// From the first byte sent to the last byte read.
    pub duration_ms: u64,
    /// The answer, as far as it is kept.
    pub response: Option<Response>,
}

impl Exchange {
    /// What was not sent, but kept as it would have been for whoever listens: done, and answered by nobody.
    pub(super) fn kept_for_listener() -> Self {
        Self {
            ending: Ending::Answered { status: 200, retry_after_ms: None },
            error: Some("not sent: it is kept for whoever listens".to_owned()),
            duration_ms: 0,
            response: None,
        }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<Field>,
    /// The beginning of the body: what is kept, and up to 24 KiB more.
    pub body: Vec<u8>,
    /// Whether the body was longer than that, or broke off.
    pub truncated: bool,
}

impl Sender {
    /// A client that calls only what the guard allows.
    pub fn new(guard: Guard, network: &NetworkConfig, delivery: &DeliveryConfig) -> Result<Self, SenderError> {
        let headers_max = network.response_headers_bytes;
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_millis(network.idle_timeout_ms))
            .pool_max_idle_per_host(network.idle_per_host)
            .http1_max_buf_size(usize::try_from(headers_max).unwrap_or(usize::MAX))
            .http2_max_header_list_size(headers_max)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .build(Connector::new(guard.clone(), network)?);
        Ok(Self { guard, client, headers_kept_bytes: delivery.response_headers_kept_bytes })
    }

    /// What decides which URLs may be called.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Sends a request and reads of its answer's body so much, and what is needed to find secrets at the end of that.
    pub(super) async fn send(&self, message: &Message, body_bytes: usize, timeout: Duration, now: Millis) -> Exchange {
        let started = Instant::now();
        let until = started + timeout;
        let taken = Taken::default();
        let mut answer = None;
        let exchange = self.exchange(message, body_bytes + EDGE_BYTES, &taken, until, &mut answer);
        let result = timeout_at(until.into(), exchange).await;
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        // The status says whether it arrived; a body that breaks off or never ends does not change that.
        if let Some(response) = answer {
            let asked = response.headers.iter().find(|field| field.name == "retry-after");
            let retry_after_ms = asked.and_then(|field| retry_after_ms(&field.value, now));
            let ending = Ending::Answered { status: response.status, retry_after_ms };
            return Exchange { ending, error: None, duration_ms, response: Some(response) };
        }
        let broken = match result {
            Ok(Err(Failed::Broken(broken))) => broken,
            Ok(Ok(()) | Err(Failed::TooLate)) | Err(_) => Broken::timeout(timeout, taken.is_set()),
        };
        let ending = Ending::Broken { class: broken.class, body_sent: broken.body_sent };
        Exchange { ending, error: Some(broken.message), duration_ms, response: None }
    }

    /// Puts what came into `answer` as it comes, so that it is there when the time is over.
    async fn exchange(
        &self,
        message: &Message,
        max: usize,
        taken: &Taken,
        until: Instant,
        answer: &mut Option<Response>,
    ) -> Result<(), Failed> {
        self.guard.check_form(&message.url).map_err(|refused| Broken::refused(&refused))?;
        let response = self.answered(message, taken, until).await?;
        let (head, mut body) = response.into_parts();
        let headers = self.kept_headers(&head.headers);
        let answer =
            answer.insert(Response { status: head.status.as_u16(), headers, body: Vec::new(), truncated: true });
        while let Some(frame) = body.frame().await {
            // It broke off.
            let Ok(frame) = frame else { return Ok(()) };
            let Some(chunk) = frame.data_ref() else { continue };
            let room = max - answer.body.len();
            answer.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() > room {
                return Ok(());
            }
        }
        answer.truncated = false;
        Ok(())
    }

    async fn answered(
        &self,
        message: &Message,
        taken: &Taken,
        until: Instant,
    ) -> Result<hyper::Response<Incoming>, Failed> {
        let mut again = 0..UNPROCESSED_MAX;
        loop {
            let error = match self.client.request(request(message, taken, until)?).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            if causes(&error).any(<dyn std::error::Error>::is::<TooLate>) {
                return Err(Failed::TooLate);
            }
            if !is_unprocessed(&error) || again.next().is_none() {
                return Err(Broken::from_client(&error, taken.is_set()).into());
            }
        }
    }

    fn kept_headers(&self, headers: &HeaderMap) -> Vec<Field> {
        let mut kept = Vec::new();
        let mut bytes = 0;
        for (name, value) in headers {
            bytes += name.as_str().len() + value.len();
            if bytes > self.headers_kept_bytes {
                break;
            }
            kept.push(Field::new(name.as_str(), String::from_utf8_lossy(value.as_bytes())));
        }
        kept
    }
}

fn request(message: &Message, taken: &Taken, until: Instant) -> Result<Request<Outgoing>, Broken> {
    let mut request = Request::new(Outgoing::new(message.body.clone(), taken.clone(), until));
    *request.method_mut() = message.method.clone();
    *request.uri_mut() = Uri::try_from(message.url.as_str()).map_err(|_| Broken::unbuildable())?;
    *request.headers_mut() = message.headers.clone();
    request.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    // Some servers refuse a POST that does not say how long it is, and an empty body is not asked (RFC 9110 §8.6).
    if message.body.is_empty() && !matches!(*request.method(), Method::GET | Method::DELETE) {
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok(request)
}

/// Whether the receiver said that it did not look at the request.
fn is_unprocessed(error: &Error) -> bool {
    causes(error).find_map(|cause| cause.downcast_ref::<h2::Error>()).is_some_and(|error| {
        error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
    })
}

/// Why there is no answer.
enum Failed {
    Broken(Broken),
    /// The time was over when it was about to be sent.
    TooLate,
}

impl From<Broken> for Failed {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

struct Broken {
    class: ErrorClass,
    body_sent: bool,
    message: String,
}

impl Broken {
    fn unsent(class: ErrorClass, message: String) -> Self {
        Self { class, body_sent: false, message }
    }

    fn refused(refused: &UrlRefused) -> Self {
        let class = if matches!(refused, UrlRefused::Dns(_)) { ErrorClass::Dns } else { ErrorClass::AddressRefused };
        Self::unsent(class, refused.to_string())
    }

    fn unbuildable() -> Self {
        Self::unsent(ErrorClass::InvalidRequest, "the request cannot be built".to_owned())
    }

    fn timeout(timeout: Duration, body_sent: bool) -> Self {
        let missing = if body_sent { "answer" } else { "connection" };
        let message = format!("no {missing} within {} ms", timeout.as_millis());
        Self { class: ErrorClass::Timeout, body_sent, message }
    }

    fn unreachable(unreachable: &Unreachable) -> Self {
        let class = match unreachable {
            Unreachable::Refused(refused) => return Self::refused(refused),
            Unreachable::Connect(_) | Unreachable::Tunnel(_) | Unreachable::ProxyName(_) => ErrorClass::Connect,
            Unreachable::Timeout(_) => ErrorClass::Timeout,
            Unreachable::Tls(_) => ErrorClass::Tls,
        };
        Self::unsent(class, unreachable.to_string())
    }

    /// Says what happened without the URL, which may hold secrets.
    fn from_client(error: &Error, taken: bool) -> Self {
        let body_sent = taken && !is_unprocessed(error);
        for cause in causes(error) {
            if let Some(unreachable) = cause.downcast_ref::<Unreachable>() {
                return Self::unreachable(unreachable);
            }
            let no_http = cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse)
                || cause.downcast_ref::<h2::Error>().is_some_and(h2::Error::is_library);
            if no_http {
                let message = format!("the answer is no HTTP: {}", innermost(error));
                return Self { class: ErrorClass::InvalidResponse, body_sent, message };
            }
            let io = cause.downcast_ref::<std::io::Error>();
            if let Some(tls) = io.and_then(|io| io.get_ref()?.downcast_ref::<rustls::Error>()) {
                let message = format!("the connection cannot be secured: {tls}");
                return Self { class: ErrorClass::Tls, body_sent, message };
            }
        }
        let message = format!("the connection was lost before an answer came: {}", innermost(error));
        Self { class: ErrorClass::ConnectionLost, body_sent, message }
    }
}

#[cfg(test)]
mod tests;
