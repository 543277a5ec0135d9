//! On whose behalf something is done.

/// Who asked for something over the API, and in which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    /// Who, for people.
    pub name: String,
    /// The `X-Request-Id` of the request.
    pub request_id: Option<String>,
}
