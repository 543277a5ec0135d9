//! The other end: one small server that plays Slack, Trello, Jira, Pivotal Tracker, a department and a plain consumer, and
//! keeps what arrives. Each looks at what it gets as the real one does, and answers as the real one does.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::IntoResponse;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{department, jira, pivotal, slack, trello};

pub(super) const PLAIN: &str = "/plain";

/// One request, as it came over the wire, and what it was answered.
pub(super) struct Received {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) answer: Answer,
}

impl Received {
    /// The server's request id: the same for every attempt.
    pub(super) fn id(&self) -> Option<&str> {
        self.headers.get("webhook-id")?.to_str().ok()
    }

    /// The body; null if it is no JSON.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

#[derive(Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    content_type: &'static str,
}

impl Answer {
    pub(super) fn text(status: u16, body: &str) -> Self {
        Self { status, body: body.to_owned(), content_type: "text/plain; charset=utf-8" }
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self { status, body: body.to_string(), content_type: "application/json" }
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What it says; null if that is no JSON.
    pub(super) fn value(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

pub(super) struct Receiver {
    pub(super) url: String,
    inbox: UnboundedReceiver<Received>,
}

#[derive(Clone)]
struct Desk {
    outbox: UnboundedSender<Received>,
    /// What each tool has made so far.
    made: Arc<Made>,
}

#[derive(Default)]
struct Made {
    cards: AtomicU64,
    issues: AtomicU64,
    stories: AtomicU64,
    leads: AtomicU64,
}

impl Receiver {
    pub(super) async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (outbox, inbox) = unbounded_channel();
        let desk = Desk { outbox, made: Arc::default() };
        let router = Router::new().fallback(receive).with_state(desk);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, inbox })
    }

    pub(super) async fn next(&mut self) -> Option<Received> {
        self.inbox.recv().await
    }

    /// All that has arrived and was not taken yet.
    pub(super) fn take(&mut self) -> Vec<Received> {
        std::iter::from_fn(|| self.inbox.try_recv().ok()).collect()
    }
}

async fn receive(
    State(desk): State<Desk>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let answer = answer(&desk.made, &method, uri.path(), &headers, &body);
    let reply = answer.clone();
    // Kept before it is answered: a settled delivery is always in the inbox. Nobody reads it once the demo ends.
    let _ = desk.outbox.send(Received { method, path: uri.path().to_owned(), headers, body, answer });
    let status = StatusCode::from_u16(reply.status).expect("every answer above has a valid status");
    (status, [(header::CONTENT_TYPE, reply.content_type)], reply.body)
}

fn answer(made: &Made, method: &Method, path: &str, headers: &HeaderMap, body: &[u8]) -> Answer {
    let next = |count: &AtomicU64| count.fetch_add(1, Ordering::Relaxed) + 1;
    match (method, path) {
        (&Method::POST, PLAIN) => Answer::text(200, "thank you"),
        (&Method::POST, slack::PATH) => slack::answer(headers, body),
        (&Method::POST, trello::CARDS) => trello::create(|| next(&made.cards), headers, body),
        (&Method::POST, pivotal::STORIES) => pivotal::answer(|| next(&made.stories), headers, body),
        (&Method::POST, department::INTAKE) => department::answer(next(&made.leads), headers, body),
        (&Method::PUT, _) if path.starts_with(trello::CARDS) => trello::edit(path, headers, body),
        (&Method::POST, _) if path.starts_with(jira::ISSUES) => {
            jira::answer(path, || next(&made.issues), headers, body)
        }
        _ => Answer::text(404, "not found"),
    }
}
