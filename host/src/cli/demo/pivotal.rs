//! The call of Pivotal Tracker's API, version 5, that makes a story: checks who calls, and what a story may have.

use axum::http::HeaderMap;
use serde_json::{Map, Value, json};

use super::receiver::{Answer, Received, is_json};

/// What is registered as the webhook's URL; the plugin adds the rest.
pub(super) const BASE: &str = "/services/v5";
pub(super) const STORIES: &str = "/services/v5/projects/99/stories";

pub(super) const PROJECT: u64 = 99;
pub(super) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

const NAME_CHARS: usize = 5_000;
const DESCRIPTION_CHARS: usize = 20_000;
const TYPES: [&str; 4] = ["feature", "bug", "chore", "release"];

/// `number` numbers the stories.
pub(super) fn answer(number: impl FnOnce() -> u64, headers: &HeaderMap, body: &[u8]) -> Answer {
    if headers.get("x-trackertoken").is_none_or(|given| given != TOKEN) {
        let why = "Invalid authentication credentials were presented.";
        return error(403, "invalid_authentication", why, "");
    }
    let story: Value = serde_json::from_slice(body).unwrap_or_default();
    let nothing = Map::new();
    let wrong = |problem: &str| {
        error(400, "invalid_parameter", "One or more request parameters was missing or invalid.", problem)
    };
    if !is_json(headers) || !story.is_object() {
        return wrong("this endpoint requires a JSON object");
    }
    for (name, value) in story.as_object().unwrap_or(&nothing) {
        let text = |most: usize| value.as_str().is_some_and(|text| (1..=most).contains(&text.chars().count()));
        let fits = match name.as_str() {
            "name" => text(NAME_CHARS),
            "description" => text(DESCRIPTION_CHARS),
            "story_type" => TYPES.iter().any(|kind| value == kind),
            "labels" => value.as_array().is_some_and(|all| all.iter().all(Value::is_string)),
            "tasks" => value.as_array().is_some_and(|all| all.iter().all(|task| task["description"].is_string())),
            _ => return wrong(&format!("this endpoint does not take the parameter: {name}")),
        };
        if !fits {
            return wrong(&format!("{name} is not valid"));
        }
    }
    let Some(name) = story["name"].as_str() else {
        return wrong("this endpoint requires the parameter: name");
    };
    let id = 900 + number();
    // Not 201: so is this API.
    Answer::json(
        200,
        &json!({"kind": "story", "id": id, "project_id": PROJECT, "name": name, "story_type": story["story_type"],
            "current_state": "unscheduled", "url": format!("https://tracker.example/story/show/{id}")}),
    )
}

fn error(status: u16, code: &str, error: &str, problem: &str) -> Answer {
    let mut body = json!({"kind": "error", "code": code, "error": error});
    if !problem.is_empty() {
        body["general_problem"] = problem.into();
    }
    Answer::json(status, &body)
}

/// What people see in Tracker.
pub(super) fn shows(received: &Received) -> Vec<String> {
    let (story, made) = (received.json(), received.answer.value());
    vec![format!("★ {}", story["name"].as_str().unwrap_or_default()), format!("  #{}", made["id"])]
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use serde_json::{Value, json};

    use super::{TOKEN, answer};

    fn posted(token: &str, story: &Value) -> (u16, String) {
        let mut headers = HeaderMap::new();
        headers.insert("x-trackertoken", token.parse().unwrap());
        headers.insert("content-type", "application/json".parse().unwrap());
        let answer = answer(|| 7, &headers, story.to_string().as_bytes());
        (answer.status, answer.body)
    }

    #[test]
    fn makes_a_story_for_who_may() {
        let story = json!({"name": "Write it down", "story_type": "chore", "tasks": [{"description": "Ask Jonas"}]});
        let (status, body) = posted(TOKEN, &story);
        assert_eq!(status, 200);
        assert!(body.contains("show/907"), "{body}");
        assert_eq!(posted("other", &story).0, 403);
    }

    #[test]
    fn refuses_what_a_story_may_not_have() {
        for story in [
            json!({}),
            json!(["name"]),
            json!({"name": ""}),
            json!({"name": "x".repeat(5_001)}),
            json!({"name": "x", "story_type": "Feature"}),
            json!({"name": "x", "title": "y"}),
            json!({"name": "x", "tasks": [{}]}),
        ] {
            assert_eq!(posted(TOKEN, &story).0, 400, "{story}");
        }
    }
}
