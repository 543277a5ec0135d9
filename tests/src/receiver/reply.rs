//! What the receiver does with a request.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{
    HeaderMap, StatusCode,
    header::{HeaderName, HeaderValue},
};
use serde_json::{Map, Value, json};

use super::Recorded;

type Compose = Arc<dyn Fn(&Recorded) -> (HeaderMap, Bytes) + Send + Sync>;

/// One reply: a status with headers and a body, or something less friendly.
#[derive(Clone)]
#[must_use]
pub struct Reply {
    pub(super) delay: Duration,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

#[derive(Clone)]
pub(super) enum Body {
    Fixed(Bytes),
    Composed(Compose),
    /// Goes on until the client has had enough.
    Endless,
    /// No answer; the connection stays open.
    Hang,
    /// No answer; the connection is closed.
    Cut,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self::with(StatusCode::from_u16(status).expect("an HTTP status"), Body::Fixed(Bytes::new()))
    }

    pub fn ok() -> Self {
        Self::status(200)
    }

    /// Reads the request and never answers.
    pub fn hang() -> Self {
        Self::with(StatusCode::OK, Body::Hang)
    }

    /// Reads the request and closes the connection.
    pub fn cut() -> Self {
        Self::with(StatusCode::OK, Body::Cut)
    }

    /// A 200 whose body never ends.
    pub fn endless() -> Self {
        Self::with(StatusCode::OK, Body::Endless)
    }

    /// Answers with everything it got: each header as `echo-NAME` and all of it in a JSON body.
    pub fn echo() -> Self {
        Self::composed(|request| {
            let mut echoed = HeaderMap::new();
            let mut shown = Map::new();
            for (name, value) in &request.headers {
                let name_back = format!("echo-{name}").parse::<HeaderName>().expect("a longer name is a name");
                echoed.append(name_back, value.clone());
                shown.insert(name.to_string(), Value::from(String::from_utf8_lossy(value.as_bytes())));
            }
            let body = json!({ "headers": shown, "body": String::from_utf8_lossy(&request.body) });
            (echoed, Bytes::from(body.to_string()))
        })
    }

    /// A 200 made from the request: headers and body.
    pub fn composed(compose: impl Fn(&Recorded) -> (HeaderMap, Bytes) + Send + Sync + 'static) -> Self {
        Self::with(StatusCode::OK, Body::Composed(Arc::new(compose)))
    }

    /// The same answer under another status.
    pub fn under(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).expect("an HTTP status");
        self
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(name, HeaderValue::from_str(value).expect("a header value"));
        self
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Body::Fixed(body.into());
        self
    }

    /// Answers only after this long.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    fn with(status: StatusCode, body: Body) -> Self {
        Self { delay: Duration::ZERO, status, headers: HeaderMap::new(), body }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reply").field("status", &self.status).finish_non_exhaustive()
    }
}
