//! `/settings`: what the server was started with.

use axum::extract::State;

use super::Api;
use super::auth::Caller;
use super::openapi::EVERYWHERE;
use super::problem::Answer;
use crate::config::Setting;
use crate::domain::page::Page;
use crate::domain::permission::Permission;
use crate::domain::problem::{Problem, ProblemCode};

/// Every setting of this node with its default, passwords masked.
#[utoipa::path(
    get,
    path = "/settings",
    security(("token" = [EVERYWHERE])),
    responses((status = OK, body = Page<Setting>))
)]
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Answer<axum::Json<Page<Setting>>> {
    caller.needs_everywhere(Permission::Admin)?;
    let items = api.config.shown().map_err(|error| Problem::new(ProblemCode::Internal, error.to_string()))?;
    Ok(axum::Json(Page { items, next_cursor: None }))
}
