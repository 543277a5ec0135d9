//! What surrounds every page: what a browser may do with it, errors as pages, and the project that a link names.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::errors;
use super::flash::{self, Flash};
use super::project;
use super::query::Query;
use super::refusal::Refusal;
use super::router::Ui;

/// Pages use what this server serves, and nothing else. Nothing in them is a script or a style that stands in the page.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);

/// Surrounds every page.
pub(super) async fn around(State(ui): State<Ui>, request: Request, next: Next) -> Response {
    let query = Query::parse(request.uri().query());
    if let (Some(named), &Method::GET) = (query.get("project"), request.method()) {
        let here = query.without("project").at(request.uri().path());
        let mut response = Redirect::to(&here).into_response();
        response.headers_mut().append(header::SET_COOKIE, project::cookie(named));
        return response;
    }
    let (parts, body) = request.into_parts();
    let kept = parts.clone();
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
        response = errors::page(&ui, &kept, refusal).await;
    }
    let headers = response.headers_mut();
    let is_page = headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    if is_page {
        headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
        if Flash::of(&kept.headers).is_some() {
            headers.append(header::SET_COOKIE, flash::forgotten());
        }
    }
    response
}
