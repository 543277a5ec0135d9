//! Every problem as an HTTP answer (RFC 9457); the one place that maps one to the other.

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::domain::problem::{FieldError, Problem, ProblemCode};

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

/// A problem as the answer of a handler.
#[derive(Debug)]
pub(super) struct Refused(pub(super) Problem);

impl<P: Into<Problem>> From<P> for Refused {
    fn from(problem: P) -> Self {
        Self(problem.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Problem { code, detail, errors, retry_after_s } = self.0;
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = Body {
            r#type: format!("urn:hookwright:problem:{}", code.as_str()),
            title: code.title(),
            status: code.status(),
            code: code.as_str(),
            detail: &detail,
            errors: &errors,
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
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
