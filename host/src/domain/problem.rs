//! What went wrong, as clients see it: the codes are a promise, the texts are not.

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::described::{self, described};
use super::plugin::PluginFailure;

macro_rules! problem_codes {
    ($($(#[$doc:meta])* $case:ident = $status:literal $code:literal $title:literal),+ $(,)?) => {
        /// A stable code for each kind of problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemCode {
            $($(#[$doc])* $case),+
        }

        impl ProblemCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$case),+];

            /// HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$case => $status),+ }
            }

            /// The code that clients match on.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$case => $code),+ }
            }

            /// The same for every problem of this kind.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$case => $title),+ }
            }
        }
    };
}

problem_codes! {
    /// The body is not JSON.
    MalformedBody = 400 "malformed_body" "The body cannot be read",
    /// A query parameter is not understood.
    InvalidQuery = 400 "invalid_query" "A query parameter is not understood",
    /// No token, or not a valid one.
    Unauthorized = 401 "unauthorized" "A valid bearer token is needed",
    /// The token may not do this.
    Forbidden = 403 "forbidden" "The token may not do this",
    /// The caller may work in several projects and has named none.
    ProjectNeeded = 400 "project_needed" "The project must be named",
    /// A request by a browser that does not prove that it comes from the UI.
    CsrfFailed = 403 "csrf_failed" "The request does not prove where it comes from",
    /// No such thing, or not in this project.
    NotFound = 404 "not_found" "There is no such thing",
    /// The path exists, the method does not.
    MethodNotAllowed = 405 "method_not_allowed" "The method is not allowed here",
    /// It is there already, and different.
    Conflict = 409 "conflict" "It is there already, and different",
    /// It is not in a state for that.
    WrongState = 409 "wrong_state" "It is not in a state for that",
    /// It was there, and was removed after its time.
    NoLongerKept = 410 "no_longer_kept" "It is no longer kept",
    /// It is used elsewhere.
    InUse = 409 "in_use" "It is in use",
    /// An idempotency key was used for something else.
    KeyReused = 422 "idempotency_key_reused" "The idempotency key was used for something else",
    /// `If-Match` does not hold.
    PreconditionFailed = 412 "precondition_failed" "It has changed meanwhile",
    /// Larger than allowed.
    TooLarge = 413 "too_large" "The body is too large",
    /// Another media type.
    UnsupportedMediaType = 415 "unsupported_media_type" "The media type is not understood",
    /// A field is not as it must be.
    Invalid = 422 "invalid" "A field is not as it must be",
    /// The project has as much as it may have.
    QuotaExceeded = 422 "quota_exceeded" "The project has as much as it may have",
    /// A plugin was refused.
    PluginRefused = 422 "plugin_refused" "The plugin was refused",
    /// Too much at once.
    TooManyRequests = 429 "too_many_requests" "Too much is asked for at once",
    /// More than the server takes now.
    Overloaded = 503 "overloaded" "The server is busy",
    /// The database does not answer.
    StoreUnavailable = 503 "store_unavailable" "The database does not answer",
    /// The server is stopping.
    Stopping = 503 "stopping" "The server is stopping",
    /// A bug; the log says more.
    Internal = 500 "internal" "Something went wrong in the server",
}

described!(
    ProblemCode,
    described::json(
        json!({ "type": "string", "enum": ProblemCode::ALL.iter().map(|code| code.as_str()).collect::<Vec<_>>() })
    )
);

/// A field's name as a part of a JSON Pointer (RFC 6901).
pub fn pointer_token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// One field that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON Pointer (RFC 6901) to the field.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

impl FieldError {
    /// An error at this pointer.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// A problem for a client (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// Its kind.
    pub code: ProblemCode,
    /// What happened this time, for people.
    pub detail: String,
    /// Which fields are wrong.
    pub errors: Vec<FieldError>,
    /// Seconds after which trying again makes sense.
    pub retry_after_s: Option<u32>,
    /// What is wrong with a plugin.
    pub plugin: Option<Box<PluginFailure>>,
}

impl Problem {
    /// A problem of this kind.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new(), retry_after_s: None, plugin: None }
    }

    /// Fields that are not as they must be.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("`{}`: {}", one.pointer, one.detail),
            many => format!("{} fields are not as they must be", many.len()),
        };
        Self { errors, ..Self::new(ProblemCode::Invalid, detail) }
    }

    /// A query that is not understood.
    pub fn query(detail: impl Into<String>) -> Self {
        Self::new(ProblemCode::InvalidQuery, detail)
    }

    /// Query parameters that are not understood; their names as pointers.
    pub fn parameters(errors: Vec<FieldError>) -> Self {
        let told = |error: &FieldError| format!("`{}` {}", error.pointer.trim_start_matches('/'), error.detail);
        let detail = errors.iter().map(told).collect::<Vec<_>>().join("; ");
        Self { errors, ..Self::query(detail) }
    }

    /// One field that is not as it must be.
    pub fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(pointer, detail)])
    }

    /// Something that was removed after its time.
    pub fn no_longer_kept(what: &str, since: Option<super::clock::Millis>) -> Self {
        let since = since.map_or_else(String::new, |since| format!(" since {since}"));
        Self::new(ProblemCode::NoLongerKept, format!("{what} is no longer kept{since}"))
    }

    /// No such thing.
    pub fn not_found(what: &str) -> Self {
        Self::new(ProblemCode::NotFound, format!("there is no such {what}"))
    }
}
