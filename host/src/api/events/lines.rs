//! Newline-delimited JSON: a stream of events, committed in chunks and answered line for line.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::mpsc;

use super::super::Api;
use super::super::auth::Caller;
use super::super::extract::read;
use super::super::problem::{Answer, Refused, problem_json};
use super::publish::{self, Publish};
use crate::domain::problem::{Problem, ProblemCode};

/// Lines that are committed together.
const CHUNK_LINES: usize = 500;
/// Answers that may wait for a client that does not read them.
const ANSWERS_WAITING: usize = 8;

/// Answers 200 at once and goes on line for line: `{"id", …}` for a stored event, `{"error": problem}` for a refused one. What
/// was stored before a line that is refused, or before the stream breaks off, stays stored.
pub(super) fn stream(api: &Api, caller: &Caller, request: Request) -> Response {
    let (api, caller) = (api.clone(), caller.clone());
    let (answers, waiting) = mpsc::channel::<Result<Bytes, std::convert::Infallible>>(ANSWERS_WAITING);
    tokio::spawn(async move {
        let mut lines = Lines::new(request.into_body(), api.config.server.body_max_bytes);
        loop {
            let chunk = lines.chunk().await;
            let last = chunk.len() < CHUNK_LINES;
            let handled = join_all(chunk.into_iter().map(|line| handle(&api, &caller, line))).await;
            let mut answer = BytesMut::new();
            for line in handled {
                answer.extend_from_slice(line.to_string().as_bytes());
                answer.extend_from_slice(b"\n");
            }
            if answers.send(Ok(answer.freeze())).await.is_err() || last {
                return;
            }
        }
    });
    let body = futures_util::stream::unfold(waiting, |mut waiting| async move {
        waiting.recv().await.map(|answer| (answer, waiting))
    });
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(body)).into_response()
}

async fn handle(api: &Api, caller: &Caller, line: Answer<Bytes>) -> serde_json::Value {
    let stored = async {
        let form: Publish = read(&line?)?;
        let posted = publish::posted(api, caller, form, None, "").await?;
        Ok::<_, Refused>(publish::publish(api, vec![posted]).await?.remove(0))
    };
    match stored.await {
        Ok(published) => json!(published),
        Err(refused) => json!({ "error": problem_json(&refused.0) }),
    }
}

/// The lines of a body; an empty line is passed over.
struct Lines {
    body: axum::body::BodyDataStream,
    rest: BytesMut,
    line_max: usize,
    ended: bool,
}

impl Lines {
    fn new(body: Body, line_max: usize) -> Self {
        Self { body: body.into_data_stream(), rest: BytesMut::new(), line_max, ended: false }
    }

    /// Up to [`CHUNK_LINES`] lines; fewer at the end.
    async fn chunk(&mut self) -> Vec<Answer<Bytes>> {
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK_LINES {
            match self.next().await {
                Some(line) => chunk.push(line),
                None => break,
            }
        }
        chunk
    }

    async fn next(&mut self) -> Option<Answer<Bytes>> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line = self.rest.split_to(end + 1).freeze();
                let line = line.slice(..end);
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return Some(Ok(line));
            }
            if self.ended {
                let line = self.rest.split().freeze();
                return (!line.iter().all(u8::is_ascii_whitespace)).then_some(Ok(line));
            }
            if self.rest.len() > self.line_max {
                self.ended = true;
                self.rest.clear();
                let detail = format!("a line has at most {} bytes; the stream ends here", self.line_max);
                return Some(Err(Problem::new(ProblemCode::TooLarge, detail).into()));
            }
            match self.body.next().await {
                Some(Ok(bytes)) => self.rest.extend_from_slice(&bytes),
                Some(Err(_)) => {
                    self.ended = true;
                    self.rest.clear();
                    let detail = "the stream broke off; a line that had not ended was not stored";
                    return Some(Err(Problem::new(ProblemCode::MalformedBody, detail).into()));
                }
                None => self.ended = true,
            }
        }
    }
}
