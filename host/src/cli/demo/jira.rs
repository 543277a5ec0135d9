//! Jira Cloud's calls that make an issue and move it: checks who calls, what an issue needs, and that its description is a
//! document.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::page::day;
use super::receiver::{Answer, Received, is_json};

/// What is registered as the webhook's URL; the plugin adds the rest.
pub(super) const BASE: &str = "/jira";
pub(super) const ISSUES: &str = "/jira/rest/api/3/issue";

pub(super) const EMAIL: &str = "robot@example.com";
pub(super) const TOKEN: &str = "the-demo-api-token";
pub(super) const PROJECT: &str = "DEMO";
/// Leads to the status below.
pub(super) const TRANSITION: &str = "21";
const STATUS: &str = "In review";

const SUMMARY_CHARS: usize = 255;
const TYPES: [&str; 3] = ["Task", "Bug", "Story"];

/// `path` begins with [`ISSUES`]; `number` numbers the issues.
pub(super) fn answer(path: &str, number: impl FnOnce() -> u64, headers: &HeaderMap, body: &[u8]) -> Answer {
    let basic = format!("Basic {}", STANDARD.encode(format!("{EMAIL}:{TOKEN}")));
    if headers.get("authorization").is_none_or(|given| given != basic.as_str()) {
        return Answer::text(401, "Client must be authenticated to access this resource.");
    }
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    if !is_json(headers) || !asked.is_object() {
        return refused("body", "There was an error parsing JSON.");
    }
    let below = path.strip_prefix(ISSUES).unwrap_or(path);
    match below.trim_start_matches('/').split_once('/') {
        None if below.is_empty() => create(number, &asked),
        Some((key, "transitions")) if is_key(key) => {
            if asked["transition"]["id"] == TRANSITION {
                Answer::text(204, "")
            } else {
                refused("transition", "It is not valid for this issue.")
            }
        }
        _ => Answer::json(404, &json!({"errorMessages": ["Issue does not exist"], "errors": {}})),
    }
}

fn create(number: impl FnOnce() -> u64, asked: &Value) -> Answer {
    let nothing = Map::new();
    let fields = asked["fields"].as_object().unwrap_or(&nothing);
    let summary = asked["fields"]["summary"].as_str().unwrap_or_default();
    if asked["fields"]["project"]["key"] != PROJECT {
        return refused("project", "valid project is required");
    }
    if !TYPES.iter().any(|name| asked["fields"]["issuetype"]["name"] == *name) {
        return refused("issuetype", "The issue type selected is invalid.");
    }
    if summary.trim().is_empty() {
        return refused("summary", "You must specify a summary of the issue.");
    }
    if summary.contains(['\n', '\r']) {
        return refused("summary", "The summary is invalid because it contains newline characters.");
    }
    if summary.chars().count() > SUMMARY_CHARS {
        return refused("summary", "Summary can't exceed 255 characters.");
    }
    for (name, value) in fields {
        let fits = match name.as_str() {
            "project" | "issuetype" | "summary" => true,
            "description" => is_document(value),
            "duedate" => value.as_str().is_some_and(|text| text.len() == 10 && day(text).is_some()),
            _ => return refused(name, &format!("Field '{name}' cannot be set.")),
        };
        if !fits {
            return refused(name, "Operation value is not of the right form.");
        }
    }
    let number = number();
    let id = 10_000 + number;
    let address = format!("https://demo.example/rest/api/3/issue/{id}");
    Answer::json(201, &json!({"id": id.to_string(), "key": format!("{PROJECT}-{number}"), "self": address}))
}

fn refused(field: &str, why: &str) -> Answer {
    Answer::json(400, &json!({"errorMessages": [], "errors": {field: why}}))
}

fn is_key(key: &str) -> bool {
    key.strip_prefix(PROJECT)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|number| number.parse::<u64>().is_ok())
}

/// The Atlassian Document Format, as far as plugins here use it.
fn is_document(value: &Value) -> bool {
    value["type"] == "doc" && value["version"] == 1 && holds(value, &["paragraph", "bulletList"])
}

fn holds(node: &Value, allowed: &[&str]) -> bool {
    let is_right = |node: &Value| match node["type"].as_str() {
        Some(kind) if !allowed.contains(&kind) => false,
        Some("paragraph") => holds(node, &["text", "hardBreak"]),
        Some("bulletList") => holds(node, &["listItem"]),
        Some("listItem") => holds(node, &["paragraph"]),
        Some("text") => node["text"].as_str().is_some_and(|text| !text.is_empty()),
        Some("hardBreak") => true,
        _ => false,
    };
    node["content"].as_array().is_some_and(|nodes| !nodes.is_empty() && nodes.iter().all(is_right))
}

/// What people see in Jira.
pub(super) fn shows(received: &Received) -> Vec<String> {
    let (asked, made) = (received.json(), received.answer.value());
    if asked["transition"].is_object() {
        let key = received.path.split('/').nth_back(1).unwrap_or_default();
        return vec![key.to_owned(), format!("→ {STATUS}")];
    }
    let fields = &asked["fields"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines = vec![format!("{} {}", text(&made["key"]), text(&fields["summary"]))];
    lines.extend(fields["duedate"].as_str().and_then(day).map(|day| format!("  due {day}")));
    lines
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use serde_json::{Value, json};

    use super::{ISSUES, answer};

    fn headers() -> HeaderMap {
        let mut headers = HeaderMap::new();
        // robot@example.com:the-demo-api-token
        let basic = "Basic cm9ib3RAZXhhbXBsZS5jb206dGhlLWRlbW8tYXBpLXRva2Vu";
        headers.insert("authorization", basic.parse().unwrap());
        headers.insert("content-type", "application/json".parse().unwrap());
        headers
    }

    fn issue(change: &Value) -> Value {
        let text = json!({"type": "paragraph", "content": [{"type": "text", "text": "Why."}]});
        let mut fields = json!({"project": {"key": "DEMO"}, "issuetype": {"name": "Task"}, "summary": "Write it down",
            "description": {"type": "doc", "version": 1, "content": [text]}, "duedate": "2027-01-15"});
        for (name, value) in change.as_object().unwrap() {
            fields[name] = value.clone();
        }
        json!({"fields": fields})
    }

    fn posted(below: &str, body: &Value) -> (u16, String) {
        let answer = answer(&format!("{ISSUES}{below}"), || 7, &headers(), body.to_string().as_bytes());
        (answer.status, answer.body)
    }

    #[test]
    fn makes_and_moves_an_issue_for_who_may() {
        let (status, body) = posted("", &issue(&json!({})));
        assert_eq!(status, 201);
        assert!(body.contains("DEMO-7"));
        let body = issue(&json!({})).to_string();
        assert_eq!(answer(ISSUES, || 7, &HeaderMap::new(), body.as_bytes()).status, 401);
        assert_eq!(posted("/DEMO-7/transitions", &json!({"transition": {"id": "21"}})).0, 204);
        assert_eq!(posted("/DEMO-7/transitions", &json!({"transition": {"id": "5"}})).0, 400);
        assert_eq!(posted("/OTHER-7/transitions", &json!({"transition": {"id": "21"}})).0, 404);
    }

    #[test]
    fn names_the_field_that_it_refuses() {
        let document = |content: Value| json!({"type": "doc", "version": 1, "content": content});
        for (field, value) in [
            ("project", json!({"key": "QA"})),
            ("issuetype", json!({"name": "Ship"})),
            ("summary", json!("")),
            ("summary", json!("a\nb")),
            ("summary", json!("x".repeat(256))),
            ("description", json!("text")),
            ("description", document(json!([]))),
            ("description", document(json!([{"type": "text", "text": "x"}]))),
            ("description", document(json!([{"type": "paragraph", "content": [{"type": "text", "text": ""}]}]))),
            ("duedate", json!("soon")),
            ("customfield_1", json!(1)),
        ] {
            let (status, body) = posted("", &issue(&json!({field: value})));
            assert_eq!(status, 400, "{value}");
            assert!(body.contains(field), "{body}");
        }
    }
}
