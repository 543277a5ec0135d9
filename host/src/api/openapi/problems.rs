//! How refusals are described: one response for each status, with the codes that it may have.

use serde_json::{Map, Value, json};

use super::super::problem::MEDIA_TYPE;
use crate::domain::problem::ProblemCode;

/// The name of a status' response among the components.
fn name(status: u16) -> &'static str {
    match status {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        412 => "PreconditionFailed",
        413 => "TooLarge",
        415 => "UnsupportedMediaType",
        422 => "Invalid",
        429 => "TooManyRequests",
        503 => "Unavailable",
        _ => "Problem",
    }
}

/// Statuses that mean the same wherever they are given.
const COMMON: [u16; 10] = [400, 401, 403, 404, 412, 413, 415, 422, 429, 503];

/// A body of a refusal.
pub(super) fn content() -> Value {
    json!({ MEDIA_TYPE: { "schema": { "$ref": "#/components/schemas/Problem" } } })
}

/// A reference to the response of a status.
pub(super) fn reference(status: u16) -> Value {
    json!({ "$ref": format!("#/components/responses/{}", name(status)) })
}

/// All of them, for the components.
pub(super) fn responses() -> Value {
    let one = |status: u16| {
        let codes = ProblemCode::ALL.iter().filter(|code| code.status() == status);
        let told: Vec<String> = codes.map(|code| format!("`{}`: {}", code.as_str(), code.title())).collect();
        let mut headers = json!({ "X-Request-Id": { "$ref": "#/components/headers/X-Request-Id" } });
        if matches!(status, 429 | 503) {
            headers["Retry-After"] = json!({ "$ref": "#/components/headers/Retry-After" });
        }
        if status == 401 {
            headers["WWW-Authenticate"] = json!({ "$ref": "#/components/headers/WWW-Authenticate" });
        }
        json!({ "description": format!("{}.", told.join("; ")), "headers": headers, "content": content() })
    };
    Value::Object(COMMON.iter().map(|status| (name(*status).to_owned(), one(*status))).collect::<Map<_, _>>())
}
