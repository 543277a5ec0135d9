//! The API as pages ask it: in this process, as whoever looks at the page.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use axum::response::Response;
use http_body_util::BodyExt as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower_service::Service as _;

use super::refusal::{Answer, Problem, Refusal};

const V1: &str = "/api/v1";
/// What the API learns of the browser's request: who it is, from where they come, and how the request is called.
const PASSED_ON: [HeaderName; 7] = [
    header::COOKIE,
    header::USER_AGENT,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("sec-fetch-site"),
    HeaderName::from_static("last-event-id"),
];
const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");
const PROJECT_HEADER: HeaderName = HeaderName::from_static("x-project");
/// What stands for itself in a part of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text as one part of a path.
pub(super) fn segment(text: &str) -> String {
    // A lone dot or two would be taken for a step to another folder.
    if matches!(text, "." | "..") {
        return text.replace('.', "%2E");
    }
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// Asks the API.
#[derive(Debug, Clone)]
pub(super) struct Client {
    api: Router,
    headers: HeaderMap,
    peer: Option<ConnectInfo<SocketAddr>>,
}

/// What the API answered.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) headers: HeaderMap,
    /// Null when there was no body.
    pub(super) body: Value,
}

impl Client {
    /// As whoever sent these.
    pub(super) fn new(api: Router, parts: &Parts) -> Self {
        let mut headers = HeaderMap::new();
        for name in PASSED_ON {
            for value in parts.headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        Self { api, headers, peer: parts.extensions.get().copied() }
    }

    fn with(&self, name: HeaderName, value: &str) -> Self {
        let mut headers = self.headers.clone();
        match HeaderValue::from_str(value) {
            Ok(value) => drop(headers.insert(name, value)),
            Err(_) => drop(headers.remove(name)),
        }
        Self { headers, ..self.clone() }
    }

    /// The same in this project.
    #[must_use]
    pub(super) fn in_project(&self, project: &str) -> Self {
        self.with(PROJECT_HEADER, project)
    }

    /// The same with the proof that a form of ours was sent.
    #[must_use]
    pub(super) fn proven(&self, csrf: &str) -> Self {
        self.with(CSRF_HEADER, csrf)
    }

    /// The same as whoever has this token.
    #[must_use]
    pub(super) fn with_token(&self, token: &str) -> Self {
        self.with(header::AUTHORIZATION, &format!("Bearer {token}"))
    }

    /// What is at this path below `/api/v1`.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Answer<T> {
        self.send(Method::GET, path, None).await?.read()
    }

    /// Posts this body.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Answer<Reply> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Posts nothing.
    pub(super) async fn act(&self, path: &str) -> Answer<Reply> {
        self.send(Method::POST, path, None).await
    }

    /// Changes what the body names.
    pub(super) async fn patch(&self, path: &str, body: &Value) -> Answer<Reply> {
        self.send(Method::PATCH, path, Some(body)).await
    }

    /// Takes it away.
    pub(super) async fn delete(&self, path: &str) -> Answer<Reply> {
        self.send(Method::DELETE, path, None).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer<Reply> {
        let (media_type, body) = match body {
            Some(body) => (Some("application/json"), Body::from(body.to_string())),
            None => (None, Body::empty()),
        };
        let response = self.raw(method, path, media_type, body).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        if parts.status.is_success() {
            let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
            return Ok(Reply { headers: parts.headers, body });
        }
        let problem = serde_json::from_slice(&bytes).unwrap_or_else(|_| Problem::unknown(parts.status));
        Err(Refusal::from(problem))
    }

    /// The answer as it comes, for uploads, downloads and streams.
    pub(super) async fn raw(&self, method: Method, path: &str, media_type: Option<&str>, body: Body) -> Response {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        // Paths are made of texts of ours and of segments, so one that is none is a bug; it is then not found.
        *request.uri_mut() = format!("{V1}{path}").parse().unwrap_or_default();
        request.headers_mut().clone_from(&self.headers);
        if let Some(media_type) = media_type.and_then(|text| HeaderValue::from_str(text).ok()) {
            request.headers_mut().insert(header::CONTENT_TYPE, media_type);
        }
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        match self.api.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

impl Reply {
    /// The body as this.
    pub(super) fn read<T: DeserializeOwned>(self) -> Answer<T> {
        serde_json::from_value(self.body).map_err(|error| {
            tracing::error!(%error, "a page does not understand the API");
            Refusal::from(Problem::unknown(StatusCode::INTERNAL_SERVER_ERROR))
        })
    }

    /// A text of the body.
    pub(super) fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_never_leaves_its_place() {
        assert_eq!(segment("whk_0a-B"), "whk_0a-B");
        assert_eq!(segment("a/../b?c#d%"), "a%2F..%2Fb%3Fc%23d%25");
        assert_eq!((segment("."), segment("..")), ("%2E".to_owned(), "%2E%2E".to_owned()));
    }
}
