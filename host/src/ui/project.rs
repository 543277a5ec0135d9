//! The project that is worked in: chosen at the top of every page, remembered in a cookie.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Redirect, Response};

use super::client::segment;
use super::posted::Posted;
use super::sign_in::is_here;
use super::viewer::PROJECT_COOKIE;

const YEAR_S: u32 = 365 * 24 * 60 * 60;

/// The cookie that remembers it.
pub(super) fn cookie(project: &str) -> HeaderValue {
    let cookie = format!("{PROJECT_COOKIE}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={YEAR_S}", segment(project));
    HeaderValue::from_str(&cookie).expect("percent-encoded text is plain ASCII")
}

/// Works in another one from now on.
pub(super) async fn choose(Posted { form, .. }: Posted) -> Response {
    // A page about one thing of the old project is none of the new one's, its list is.
    let here = form.get("here").filter(|path| is_here(path)).unwrap_or("/");
    let list = here.split(['?', '#']).next().unwrap_or("/").split('/').nth(1).unwrap_or_default();
    let mut response = Redirect::to(&format!("/{}", segment(list))).into_response();
    let chosen = form.get("project").unwrap_or_default();
    response.headers_mut().append(header::SET_COOKIE, cookie(chosen));
    response
}
