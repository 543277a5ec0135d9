//! The HTTP client: pooled connections, no redirects, no proxy from the environment, guarded addresses, a time for the whole
//! exchange, and answers read only up to a cap. Nothing is decompressed, so a compression bomb stays small.

use std::error::Error as _;
use std::time::{Duration, Instant};

use reqwest::redirect::Policy;

use super::guard::{Guard, UrlRefused};
use super::message::Message;
use crate::config::DeliveryConfig;
use crate::domain::clock::Millis;
use crate::domain::delivery::ErrorClass;
use crate::domain::event::Field;
use crate::domain::retry::{Ending, retry_after_ms};

/// More than what is kept is read, so that a secret at the edge is read whole and found: it has at most 8 KiB, three times as
/// many when percent-encoded.
pub(super) const EDGE_BYTES: usize = 24 * 1024;
/// How long an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// The client cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be made: {0}")]
pub struct SenderError(String);

/// Sends requests.
#[derive(Debug, Clone)]
pub struct Sender {
    guard: Guard,
    https: reqwest::Client,
    http: reqwest::Client,
    kept_bytes: usize,
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
    pub fn new(guard: Guard, config: &DeliveryConfig) -> Result<Self, SenderError> {
        let client = |plain_http: bool| {
            reqwest::Client::builder()
                .redirect(Policy::none())
                .no_proxy()
                .connect_timeout(Duration::from_millis(config.connect_timeout_ms))
                .pool_idle_timeout(IDLE_TIMEOUT)
                .pool_max_idle_per_host(config.in_hand_per_webhook)
                .tcp_nodelay(true)
                .referer(false)
                .dns_resolver(guard.resolver(plain_http))
                .build()
                .map_err(|error| SenderError(error.to_string()))
        };
        Ok(Self {
            https: client(false)?,
            http: client(true)?,
            guard,
            kept_bytes: config.response_kept_bytes,
            headers_kept_bytes: config.response_headers_kept_bytes,
        })
    }

    /// What decides which URLs may be called.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    pub(super) async fn send(&self, message: &Message, timeout: Duration, now: Millis) -> Exchange {
        let started = Instant::now();
        let (ending, error, response) =
            match tokio::time::timeout(timeout, self.exchange(message, started, timeout)).await {
                Ok(Ok(response)) => {
                    let asked = response.headers.iter().find(|field| field.name == "retry-after");
                    let retry_after_ms = asked.and_then(|field| retry_after_ms(&field.value, now));
                    (Ending::Answered { status: response.status, retry_after_ms }, None, Some(response))
                }
                Ok(Err(broken)) => {
                    (Ending::Broken { class: broken.class, body_sent: broken.body_sent }, Some(broken.message), None)
                }
                Err(_) => {
                    let message = format!("no answer within {} ms", timeout.as_millis());
                    (Ending::Broken { class: ErrorClass::Timeout, body_sent: true }, Some(message), None)
                }
            };
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Exchange { ending, error, duration_ms, response }
    }

    async fn exchange(&self, message: &Message, started: Instant, timeout: Duration) -> Result<Response, Broken> {
        self.guard.check_form(&message.url).map_err(|refused| Broken::refused(&refused))?;
        let client = if message.url.scheme() == "http" { &self.http } else { &self.https };
        let mut request = reqwest::Request::new(message.method.clone(), message.url.clone());
        *request.headers_mut() = message.headers.clone();
        *request.body_mut() = Some(message.body.clone().into());
        let sent = client.execute(request).await;
        let mut response = sent.map_err(|error| Broken::from_client(&error))?;
        let status = response.status().as_u16();
        let headers = self.kept_headers(response.headers());
        // The status says whether it arrived; a body that breaks off or never ends does not change that.
        let mut body = Vec::new();
        let mut truncated = false;
        loop {
            let left = timeout.saturating_sub(started.elapsed()).saturating_sub(Duration::from_millis(1));
            match tokio::time::timeout(left, response.chunk()).await {
                Ok(Ok(Some(chunk))) => {
                    let room = self.kept_bytes + EDGE_BYTES - body.len();
                    body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                    if chunk.len() > room {
                        truncated = true;
                        break;
                    }
                }
                Ok(Ok(None)) => break,
                Ok(Err(_)) | Err(_) => {
                    truncated = true;
                    break;
                }
            }
        }
        Ok(Response { status, headers, body, truncated })
    }

    fn kept_headers(&self, headers: &reqwest::header::HeaderMap) -> Vec<Field> {
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

struct Broken {
    class: ErrorClass,
    body_sent: bool,
    message: String,
}

impl Broken {
    fn refused(refused: &UrlRefused) -> Self {
        let class = if matches!(refused, UrlRefused::Dns(_)) { ErrorClass::Dns } else { ErrorClass::AddressRefused };
        Self { class, body_sent: false, message: refused.to_string() }
    }

    /// Says what happened without the URL, which may hold secrets.
    fn from_client(error: &reqwest::Error) -> Self {
        let mut source = error.source();
        let mut last = None;
        while let Some(cause) = source {
            if let Some(refused) = cause.downcast_ref::<UrlRefused>() {
                return Self::refused(refused);
            }
            if let Some(io) = cause.downcast_ref::<std::io::Error>()
                && let Some(tls) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())
            {
                return Self {
                    class: ErrorClass::Tls,
                    body_sent: false,
                    message: format!("the connection cannot be secured: {tls}"),
                };
            }
            last = Some(cause);
            source = cause.source();
        }
        let cause = last.map_or_else(|| "the connection broke".to_owned(), ToString::to_string);
        if error.is_connect() {
            let class = if error.is_timeout() { ErrorClass::Timeout } else { ErrorClass::Connect };
            return Self { class, body_sent: false, message: format!("no connection: {cause}") };
        }
        if error.is_builder() {
            return Self {
                class: ErrorClass::InvalidRequest,
                body_sent: false,
                message: "the request cannot be built".to_owned(),
            };
        }
        let class = if error.is_timeout() { ErrorClass::Timeout } else { ErrorClass::ConnectionLost };
        Self { class, body_sent: true, message: format!("the connection was lost before an answer came: {cause}") }
    }
}
