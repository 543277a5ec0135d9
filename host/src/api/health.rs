//! Whether the server lives, and whether it can work.

use axum::extract::State;

use super::Api;
use super::problem::Answer;

/// The process answers.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// The database answers too.
pub(super) async fn readyz(State(api): State<Api>) -> Answer<&'static str> {
    api.store.ping().await?;
    Ok("ok\n")
}
