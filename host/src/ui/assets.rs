//! Style and scripts, in this program. Their path names what they hold, so browsers keep them for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

#[derive(RustEmbed)]
#[folder = "assets"]
struct Assets;

/// What tells this build's assets from any other's.
static BUILD: LazyLock<String> = LazyLock::new(|| {
    let mut digest = Sha256::new();
    for name in Assets::iter() {
        digest.update(name.as_bytes());
        digest.update(Assets::get(&name).map(|file| file.data).unwrap_or_default());
    }
    let digest: [u8; 32] = digest.finalize().into();
    format!("{:016x}", u64::from_be_bytes(digest[..8].try_into().expect("eight bytes")))
});

/// Where it is found.
pub(super) fn path(name: &str) -> String {
    format!("/assets/{}/{name}", *BUILD)
}

/// One of them. A page of an older build gets what there is now.
pub(super) async fn serve(Path((build, name)): Path<(String, String)>) -> Response {
    let Some(file) = Assets::get(&name) else { return StatusCode::NOT_FOUND.into_response() };
    let media_type = match name.rsplit_once('.').map(|(_, end)| end) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let caching = if build == *BUILD { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
    ];
    (headers, file.data).into_response()
}
