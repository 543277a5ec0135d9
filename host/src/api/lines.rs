//! Answers of many lines (NDJSON), written as fast as they are read.

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::store::StoreError;

/// Lines that may wait for a client that does not read them.
const LINES_WAITING: usize = 8;

/// Where lines are written to.
#[derive(Debug)]
pub(super) struct Lines(mpsc::Sender<Result<Bytes, std::io::Error>>);

impl Lines {
    /// Writes one; false when nobody reads any more.
    pub(super) async fn write(&self, line: &impl Serialize) -> bool {
        let mut line = serde_json::to_vec(line).expect("what is shown is plain data");
        line.push(b'\n');
        self.0.send(Ok(line.into())).await.is_ok()
    }
}

/// An answer of lines. Should the store not answer, it breaks off, so that nobody takes it for whole.
pub(super) fn lines<F>(write: impl FnOnce(Lines) -> F) -> Response
where
    F: Future<Output = Result<(), StoreError>> + Send + 'static,
{
    let (lines, waiting) = mpsc::channel(LINES_WAITING);
    let writing = write(Lines(lines.clone()));
    tokio::spawn(async move {
        if let Err(error) = writing.await {
            tracing::error!(%error, "an export breaks off");
            let _ = lines.send(Err(std::io::Error::other("the database does not answer"))).await;
        }
    });
    let body =
        futures_util::stream::unfold(
            waiting,
            |mut waiting| async move { waiting.recv().await.map(|line| (line, waiting)) },
        );
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(body)).into_response()
}
