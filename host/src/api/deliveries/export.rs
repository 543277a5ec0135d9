//! The log as lines, for other programs.

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use tokio::sync::mpsc;

use super::super::Api;
use super::super::auth::Caller;
use super::super::extract::Query;
use super::super::problem::Answer;
use super::delivery_body;
use super::query::LogQuery;
use crate::domain::id::ProjectId;
use crate::domain::page::{Cursor, PageRequest};
use crate::domain::problem::Problem;
use crate::domain::token::Permission;
use crate::store::{Search, StoreError};

/// Deliveries that are looked up at once.
const CHUNK: u32 = 50;
/// Lines that may wait for a client that does not read them.
const LINES_WAITING: usize = 8;

type Line = Result<Bytes, std::io::Error>;

/// All deliveries that are looked for, newest first, one line of JSON each (NDJSON), as `GET /deliveries/{id}` shows them.
/// Should the store not answer, the answer breaks off, so that nobody takes it for whole.
pub(in super::super) async fn export(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<LogQuery>,
) -> Answer<Response> {
    caller.needs(Permission::DeliveriesRead)?;
    if query.pages() {
        return Err(Problem::query("an export is whole: it has no `limit` and no `cursor`").into());
    }
    let (search, _) = query.read(&api, &caller)?;
    let (lines, waiting) = mpsc::channel::<Line>(LINES_WAITING);
    let (project, with_bodies) = (caller.project(), caller.may_read_events());
    tokio::spawn(async move {
        if let Err(error) = write(&api, project, &search, with_bodies, &lines).await {
            tracing::error!(%error, "an export breaks off");
            let _ = lines.send(Err(std::io::Error::other("the database does not answer"))).await;
        }
    });
    let body =
        futures_util::stream::unfold(
            waiting,
            |mut waiting| async move { waiting.recv().await.map(|line| (line, waiting)) },
        );
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(body)).into_response())
}

/// Writes line after line, as fast as they are read.
async fn write(
    api: &Api,
    project: ProjectId,
    search: &Search,
    with_bodies: bool,
    lines: &mpsc::Sender<Line>,
) -> Result<(), StoreError> {
    let mut cursor = None;
    loop {
        let found = api.store.deliveries(project, search, PageRequest { limit: CHUNK, cursor }).await?;
        for summary in found.items {
            let Some(view) = api.store.delivery(project, summary.id).await? else { continue };
            let mut line = serde_json::to_vec(&delivery_body(view, with_bodies)).expect("a delivery is plain data");
            line.push(b'\n');
            if lines.send(Ok(line.into())).await.is_err() {
                return Ok(());
            }
        }
        cursor = found.next_cursor.as_deref().and_then(Cursor::decode);
        if cursor.is_none() {
            return Ok(());
        }
    }
}
