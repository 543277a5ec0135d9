//! What the cases in `cases/` do not show: limits, and what answers mean.

use std::sync::LazyLock;

use checks::{Table, body};
use hookwright_sdk::{Request, Verdict, testing};
use pivotal_tracker::PivotalTracker;
use serde_json::{Value, json};

fn config() -> Value {
    let text = "Export fails for empty projects";
    json!({"project_id": 99, "story_type": "chore", "story_types": {"story": "feature"}, "title": "[{retro}] {title}",
        "labels": ["retro"], "label_map": {text: "export"}, "owners": {text: 101}, "estimate": true, "updates": "create"})
}

#[test]
fn cases() {
    testing::golden::<PivotalTracker>("cases");
    checks::cases(takes);
}

#[test]
fn defaults_are_as_the_form_says() {
    checks::schema_agrees::<PivotalTracker>(include_str!("configuration.json"), &json!({"project_id": 99}));
}

#[test]
fn whatever_happens_is_a_story_that_tracker_takes() {
    for config in [config(), json!({"project_id": 1, "markdown": true, "fields": []})] {
        checks::holds::<PivotalTracker>(&config, takes);
    }
    checks::understood::<PivotalTracker>(&config(), &[Request::post()]);
}

fn takes(request: &Request) {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(include_str!("limits.txt")));
    TABLE.check(&body(request));
}

#[test]
fn only_whole_points_are_an_estimate_and_tasks_beyond_a_hundred_are_described() {
    let story = |points: Value, tasks: usize| {
        let tasks: Vec<_> = (0..tasks).map(|id| json!({"title": format!("Task {id}"), "done": id == 0})).collect();
        let story = json!({"story": {"id": 1, "title": "s", "points": points, "tasks": tasks}});
        testing::run::<PivotalTracker>(&testing::event("story.created").payload(story).build(), config()).body()
    };
    assert_eq!(story(json!(3), 0)["estimate"], 3);
    assert_eq!(story(json!(3), 0).get("description"), None);
    assert_eq!(story(json!(0.5), 0).get("estimate"), None);
    assert_eq!(story(json!(0.5), 0)["description"], "- **Points:** 0.5");
    let many = story(json!(null), 102);
    assert_eq!(many["tasks"].as_array().map(Vec::len), Some(100));
    assert_eq!(many["tasks"][0], json!({"description": "Task 0", "complete": true}));
    assert_eq!(many["description"], "- [ ] Task 100\n- [ ] Task 101");
}

fn answer(status: u16, body: &str) -> Verdict {
    testing::interpret::<PivotalTracker>(testing::exchange(Request::post()).status(status).body(body), config())
}

#[test]
fn answers_are_understood() {
    let made = r#"{"kind":"story","id":560,"url":"https://www.pivotaltracker.com/story/show/560"}"#;
    assert_eq!(answer(200, made), Verdict::delivered().link("https://www.pivotaltracker.com/story/show/560"));
    assert_eq!(answer(200, ""), Verdict::delivered());
    let error = |code: &str, problem: &str| {
        json!({"kind": "error", "code": code, "error": "E.", "general_problem": problem}).to_string()
    };
    let dead = Verdict::disable().message("The token is not accepted: Invalid authentication credentials.");
    let invalid = error("invalid_authentication", "Invalid authentication credentials.");
    assert_eq!(answer(403, &invalid), dead);
    assert_eq!(answer(401, &invalid), dead);
    let refused = Verdict::rejected().message("The story was refused: this endpoint requires the parameter: name");
    assert_eq!(answer(400, &error("invalid_parameter", "this endpoint requires the parameter: name")), refused);
    assert!(
        answer(403, &error("unauthorized_operation", "no"))
            .message_text()
            .is_some_and(|why| why.contains("refused: no"))
    );
    assert!(answer(404, "").message_text().is_some_and(|why| why.contains("no such project")));
    assert_eq!(answer(500, ""), Verdict::by_status());
}
