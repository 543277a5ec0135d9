//! Headers that several requests take.

use utoipa::IntoParams;

/// Refuses a change of what somebody else has changed.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is read by `etag`; this is how it is told")]
pub(in super::super) struct IfMatch {
    /// The `ETag` of what is to be changed: the change is refused if it is not that any more. `*` is any.
    #[param(rename = "If-Match", example = "\"3\"")]
    if_match: Option<String>,
}

/// Makes a repeated request the same.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is read by `extract`; this is how it is told")]
pub(in super::super) struct IdempotencyKey {
    /// Makes a repeated request the same for 24 hours: it does nothing and is answered with what the first has made.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255, example = "order-4711")]
    idempotency_key: Option<String>,
}
