//! A version's bytes.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use super::super::Api;
use super::super::auth::Caller;
use super::super::problem::Answer;
use crate::domain::problem::Problem;
use crate::domain::token::Permission;

/// The component as it was uploaded: its `ETag` is its digest.
#[utoipa::path(
    get,
    path = "/plugins/{name}/versions/{version}/component",
    security(("token" = [Permission::PluginsRead])),
    responses(
        (status = OK, body = Vec<u8>, headers(("ETag")), content_type = "application/wasm", description = "The bytes.")
    )
)]
pub(in super::super) async fn download(
    State(api): State<Api>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
) -> Answer<Response> {
    caller.needs(Permission::PluginsRead)?;
    let gone = || Problem::not_found("plugin version");
    let found = api.store.plugin(caller.project(), &name, &version).await?.ok_or_else(gone)?;
    // What was refused keeps no bytes.
    let bytes = api.store.component(found.id).await?.filter(|bytes| !bytes.is_empty()).ok_or_else(gone)?;
    let digest = HeaderValue::from_str(&format!("\"{}\"", found.digest)).expect("a digest is ASCII");
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/wasm")), (header::ETAG, digest)];
    Ok((headers, bytes).into_response())
}
