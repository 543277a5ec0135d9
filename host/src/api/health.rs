//! Whether the server lives, and whether it can work.

use axum::extract::State;

use super::Api;
use super::problem::Answer;

/// The process answers.
#[utoipa::path(
    get,
    path = "/healthz",
    security(()),
    responses((status = OK, body = String, description = "It lives."))
)]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// The database answers too.
#[utoipa::path(
    get,
    path = "/readyz",
    security(()),
    responses((status = OK, body = String, description = "It can work."))
)]
pub(super) async fn readyz(State(api): State<Api>) -> Answer<&'static str> {
    api.store.ping().await?;
    Ok("ok\n")
}
