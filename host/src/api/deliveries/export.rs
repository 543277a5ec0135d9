//! The log as lines, for other programs.

use axum::extract::State;
use axum::response::Response;

use super::super::Api;
use super::super::auth::Caller;
use super::super::extract::Query;
use super::super::lines::{Lines, lines};
use super::super::problem::Answer;
use super::query::LogQuery;
use super::{DeliveryBody, delivery_body};
use crate::domain::id::ProjectId;
use crate::domain::page::{Cursor, PageRequest};
use crate::domain::problem::Problem;
use crate::domain::token::Permission;
use crate::store::{Search, StoreError};

/// Deliveries that are looked up at once.
const CHUNK: u32 = 50;

/// All deliveries that are looked for, newest first, one line of JSON each (NDJSON), as `GET /deliveries/{id}` shows them.
#[utoipa::path(
    get,
    path = "/deliveries/export",
    params(LogQuery),
    security(("token" = [Permission::DeliveriesRead]), ("token" = [Permission::CanTriggerIntegrations])),
    responses(
        (status = OK, body = DeliveryBody, content_type = "application/x-ndjson", description = "One line for each delivery.")
    )
)]
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
    let (project, with_bodies) = (caller.project(), caller.may_read_events());
    Ok(lines(|lines| write(api, project, search, with_bodies, lines)))
}

/// Writes line after line, as fast as they are read.
async fn write(
    api: Api,
    project: ProjectId,
    search: Search,
    with_bodies: bool,
    lines: Lines,
) -> Result<(), StoreError> {
    let mut cursor = None;
    loop {
        let found = api.store.deliveries(project, &search, PageRequest { limit: CHUNK, cursor }).await?;
        for summary in found.items {
            let Some(view) = api.store.delivery(project, summary.id).await? else { continue };
            if !lines.write(&delivery_body(view, with_bodies)).await {
                return Ok(());
            }
        }
        cursor = found.next_cursor.as_deref().and_then(Cursor::decode);
        if cursor.is_none() {
            return Ok(());
        }
    }
}
