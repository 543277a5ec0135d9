use serde_json::{Value, json};

use super::{Change, FailedTest, Known, Task};
use crate::{Failure, testing};

fn known(kind: &str, payload: Value) -> Result<Known, Failure> {
    testing::event(kind).payload(payload).build().catalogue()
}

#[test]
fn a_retro_needs_only_ids_and_titles() {
    let payload = json!({
        "retro": {"id": 7, "name": "Sprint 9", "url": null, "new": [1]},
        "actions": [{"id": "a", "title": "Fix", "owner": {"id": 3, "name": "Ada"}, "description": ""}],
        "unknown": {},
    });
    let Ok(Known::RetroCompleted(retro)) = known("retro.completed", payload) else { panic!("a retro") };
    assert_eq!((retro.retro.id.as_str(), retro.retro.url), ("7", None));
    assert_eq!(retro.actions[0].owner.as_deref(), Some("Ada"));
    assert_eq!(retro.actions[0].description, None);
    let without = json!({"retro": {"id": "7", "name": "n"}, "actions": null});
    assert!(matches!(known("retro.completed", without), Ok(Known::RetroCompleted(retro)) if retro.actions.is_empty()));
}

#[test]
fn a_bad_payload_names_the_field() {
    let failure = known("ticket.created", json!({"ticket": {"id": "1", "title": ["x"]}})).expect_err("no text");
    assert_eq!(failure.code(), "payload.invalid");
    assert!(failure.message().contains("`ticket.title` is a list"), "{}", failure.message());
    let failure = known("ticket.created", json!({"ticket": {"id": "1", "title": null}})).expect_err("no text");
    assert!(failure.message().contains("`ticket.title` is missing"), "{}", failure.message());
    let failure = known("lead.submitted", json!({})).expect_err("no lead");
    assert!(failure.message().contains("`lead` is missing"), "{}", failure.message());
}

#[test]
fn changes_come_as_map_or_list() {
    let change = |field: &str, from: Option<&str>, to: Option<&str>| Change {
        field: field.to_owned(),
        from: from.map(str::to_owned),
        to: to.map(str::to_owned),
    };
    for (changes, expected) in [
        (
            json!({"priority": {"from": "low", "to": 1}, "title": "new"}),
            vec![change("priority", Some("low"), Some("1")), change("title", None, Some("new"))],
        ),
        (
            json!(["title", {"name": "points", "from": 1.5, "to": null}]),
            vec![change("title", None, None), change("points", Some("1.5"), None)],
        ),
        (json!(null), vec![]),
    ] {
        let payload = json!({"ticket": {"id": "1", "title": "t"}, "changes": changes});
        let Ok(Known::TicketUpdated(event)) = known("ticket.updated", payload) else { panic!("a ticket") };
        assert_eq!(event.changes, expected);
    }
}

#[test]
fn parts_may_be_text_or_objects() {
    let story = json!({"story": {"id": 1, "title": "s", "points": 3, "tasks": ["a", {"title": "b", "done": true}]}});
    let Ok(Known::StoryCreated(event)) = known("story.created", story) else { panic!("a story") };
    assert_eq!(event.story.points.as_deref(), Some("3"));
    assert_eq!(event.story.tasks, [Task { title: "a".into(), done: false }, Task { title: "b".into(), done: true }]);
    let run = json!({"run": {"id": 1, "suite": "s", "failed": "2", "failures": ["x", {"name": "y", "message": "no"}]}});
    let Ok(Known::TestRunCompleted(event)) = known("test.run_completed", run) else { panic!("a run") };
    assert_eq!(event.run.failed, Some(2));
    assert!(event.run.has_failed());
    assert_eq!(event.run.failures[1], FailedTest { name: "y".into(), message: Some("no".into()) });
}

#[test]
fn what_is_not_in_the_catalogue_is_custom() {
    assert_eq!(known("deploy.done", json!([1])), Ok(Known::Custom));
    assert_eq!(testing::event("ticket.created").build().catalogue(), Ok(Known::Empty));
    assert_eq!(testing::event("x").binary([0xff]).build().catalogue(), Ok(Known::Custom));
    let failure = testing::event("ticket.created").binary([0xff]).build().catalogue().expect_err("not text");
    assert_eq!(failure.code(), "payload.invalid");
}
