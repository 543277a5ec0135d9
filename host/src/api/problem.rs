//! Every problem as an HTTP answer (RFC 9457); the one place that maps one to the other.

use std::sync::Arc;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::plugin::PluginFailure;
use crate::domain::problem::{FieldError, Problem, ProblemCode};
use crate::telemetry::request_id;

/// The media type of problems.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// What went wrong (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Body<'a> {
    /// `urn:hookwright:problem:` and the code.
    r#type: String,
    /// The same for every problem of this code.
    title: &'static str,
    /// The answer's status.
    status: u16,
    /// What programs look at: it stays the same.
    #[schema(value_type = ProblemCode)]
    code: &'static str,
    /// What happened this time, for people.
    detail: &'a str,
    /// Which fields, or parameters, are wrong.
    #[schema(value_type = Vec<FieldError>)]
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    /// What is wrong with a plugin.
    #[schema(value_type = Option<PluginFailure>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin_error: Option<&'a PluginFailure>,
    /// By which the server's log and the audit log know the request.
    #[schema(value_type = String, required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<Arc<str>>,
}

fn body(problem: &Problem) -> Body<'_> {
    Body {
        r#type: format!("urn:hookwright:problem:{}", problem.code.as_str()),
        title: problem.code.title(),
        status: problem.code.status(),
        code: problem.code.as_str(),
        detail: &problem.detail,
        errors: &problem.errors,
        plugin_error: problem.plugin.as_deref(),
        request_id: request_id::current(),
    }
}

/// A problem inside an answer that has others beside it.
pub(super) fn problem_json(problem: &Problem) -> serde_json::Value {
    serde_json::to_value(body(problem)).expect("a problem is plain data")
}

/// A problem as the answer of a handler.
#[derive(Debug)]
pub(super) struct Refused(pub(super) Problem);

impl Refused {
    /// The same about a form that stands inside of another, at `place`.
    pub(super) fn below(mut self, place: &str) -> Self {
        for error in &mut self.0.errors {
            error.pointer.insert_str(0, place);
        }
        if let [one] = self.0.errors.as_slice() {
            self.0.detail = format!("`{}`: {}", one.pointer, one.detail);
        }
        self
    }
}

impl<P: Into<Problem>> From<P> for Refused {
    fn from(problem: P) -> Self {
        Self(problem.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Problem { code, retry_after_s, .. } = self.0;
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(body(&self.0))).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The answer of a handler.
pub(super) type Answer<T> = Result<T, Refused>;

/// A key that was used for something else.
pub(super) fn key_reused() -> Problem {
    Problem::new(ProblemCode::KeyReused, "the idempotency key was used within 24 hours for something else")
}

/// No such path.
pub(super) async fn no_such_path(request: Request) -> Refused {
    Problem::new(ProblemCode::NotFound, format!("there is nothing at {}", request.uri().path())).into()
}

/// The path exists, the method does not.
pub(super) async fn no_such_method(request: Request) -> Refused {
    let detail = format!("{} is not allowed at {}", request.method(), request.uri().path());
    Problem::new(ProblemCode::MethodNotAllowed, detail).into()
}

/// A handler panicked: a bug, told as such.
pub(super) fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    Refused(Problem::new(ProblemCode::Internal, "something went wrong in the server; its log says more"))
        .into_response()
}
