//! `ETag` and `If-Match`: whoever changes something knows what it was.

use axum::http::{HeaderMap, HeaderValue, header};

use super::problem::Answer;
use crate::domain::problem::{Problem, ProblemCode};

/// Refuses a change by `If-Match` of what has changed meanwhile.
pub(super) fn check_unchanged(headers: &HeaderMap, version: i64, what: &str) -> Answer<()> {
    match headers.get(header::IF_MATCH) {
        Some(wanted) if wanted != "*" && *wanted != tag(version) => Err(is_changed_meanwhile(what).into()),
        _ => Ok(()),
    }
}

/// Somebody else was faster.
pub(super) fn is_changed_meanwhile(what: &str) -> Problem {
    Problem::new(ProblemCode::PreconditionFailed, format!("the {what} has changed meanwhile; read it again"))
}

fn tag(version: i64) -> String {
    format!("\"{version}\"")
}

/// Says which version an answer shows.
pub(super) fn etag(version: i64) -> [(header::HeaderName, HeaderValue); 1] {
    let value = HeaderValue::from_str(&tag(version)).expect("a number in quotes is a header value");
    [(header::ETAG, value)]
}
