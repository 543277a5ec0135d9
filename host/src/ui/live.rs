//! The one stream of events of a page that is watched.

use axum::body::Body;
use axum::http::Method;
use axum::response::Response;

use super::viewer::Viewer;

/// Passes the API's stream on.
pub(super) async fn listen(viewer: Viewer) -> Response {
    viewer.client.raw(Method::GET, "/live", None, Body::empty()).await
}
