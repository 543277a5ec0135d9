//! A department that takes the leads of its programs.

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::receiver::{Answer, is_json};

/// What is registered as the webhook's URL; the plugin adds the rest.
pub(super) const BASE: &str = "/loans";
pub(super) const INTAKE: &str = "/loans/intake/small-business";

/// The program as leads name it, and where below the URL it goes.
pub(super) const PROGRAM: &str = "small-business-loan";
pub(super) const PATH: &str = "intake/small-business";

/// `number` counts the requests, so that every lead has an address of its own.
pub(super) fn answer(number: u64, headers: &HeaderMap, body: &[u8]) -> Answer {
    let lead: Value = serde_json::from_slice(body).unwrap_or_default();
    let is_ours = lead["programs"] == json!([PROGRAM]);
    if !is_json(headers) || !is_ours || !lead["name"].is_string() {
        return Answer::text(422, "a name and our program are needed");
    }
    Answer::json(201, &json!({"id": number, "url": format!("https://loans.example/leads/{number}")}))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use serde_json::json;

    use super::{BASE, INTAKE, PATH, answer};

    #[test]
    fn takes_its_own_leads() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        let status = |body: serde_json::Value| answer(1, &headers, body.to_string().as_bytes()).status;
        assert_eq!(status(json!({"name": "Ines", "programs": ["small-business-loan"]})), 201);
        assert_eq!(status(json!({"name": "Ines", "programs": ["small-business-loan", "other"]})), 422);
        assert_eq!(status(json!({"programs": ["small-business-loan"]})), 422);
        assert_eq!(INTAKE, format!("{BASE}/{PATH}"));
    }
}
