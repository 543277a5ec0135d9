//! Why a page does not show what was asked for.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::domain::plugin::PluginFailure;

/// What the API said instead (RFC 9457).
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Problem {
    pub(super) status: u16,
    pub(super) title: String,
    pub(super) code: String,
    pub(super) detail: String,
    #[serde(default)]
    pub(super) errors: Vec<FieldError>,
    /// What was wrong with a plugin: its code and what it says.
    pub(super) plugin_error: Option<PluginFailure>,
    pub(super) request_id: Option<String>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct FieldError {
    pub(super) pointer: String,
    pub(super) detail: String,
}

impl Problem {
    /// An answer without an explanation.
    pub(super) fn unknown(status: StatusCode) -> Self {
        Self {
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or("Something went wrong").to_owned(),
            code: "internal".to_owned(),
            detail: "something went wrong in the server; its log says more".to_owned(),
            ..Self::default()
        }
    }

    /// No page there.
    pub(super) fn no_page(path: &str) -> Self {
        Self {
            status: 404,
            title: "There is no such page".to_owned(),
            code: "not_found".to_owned(),
            detail: format!("there is nothing at {path}"),
            ..Self::default()
        }
    }

    /// One field that a page itself could not make sense of.
    pub(super) fn field(pointer: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let errors = vec![FieldError { pointer: pointer.to_owned(), detail: detail.clone() }];
        Self {
            status: 422,
            title: "A field is not as it must be".to_owned(),
            code: "invalid".to_owned(),
            detail,
            errors,
            ..Self::default()
        }
    }

    /// The same about what stood at this place of the body.
    #[must_use]
    pub(super) fn lifted(mut self, place: &str) -> Self {
        for error in &mut self.errors {
            if let Some(inner) = error.pointer.strip_prefix(place) {
                error.pointer = inner.to_owned();
            }
        }
        self
    }

    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Whether a person mends it in the form that they sent.
    pub(super) fn is_about_the_form(&self) -> bool {
        matches!(self.status, 400 | 409 | 413 | 415 | 422 | 429) || (self.status == 401 && self.code != "unauthorized")
    }
}

/// Why a page is not shown.
#[derive(Debug, Clone)]
pub(super) enum Refusal {
    /// Nobody is signed in.
    SignIn,
    /// The API says no.
    Problem(Box<Problem>),
}

/// The answer of a page.
pub(super) type Answer<T> = Result<T, Refusal>;

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        if problem.code == "unauthorized" { Self::SignIn } else { Self::Problem(Box::new(problem)) }
    }
}

impl Refusal {
    /// The problem, if a person mends it in the form that they sent.
    pub(super) fn about_the_form(self) -> Answer<Problem> {
        match self {
            Self::Problem(problem) if problem.is_about_the_form() => Ok(*problem),
            other => Err(other),
        }
    }
}

/// Only carried: what surrounds every page knows who looks and makes a page of it.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
