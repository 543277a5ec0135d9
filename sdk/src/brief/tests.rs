use serde_json::{Value, json};

use super::{Brief, Kind, Markdown, PLACEHOLDERS, Tone, Updates};
use crate::testing;

fn brief(kind: &str, payload: Value) -> Brief {
    Brief::of(&testing::event(kind).payload(payload).build()).expect("a good payload")
}

fn ticket() -> Value {
    json!({"id": 42, "key": "QA-42", "title": "Export *fails*", "status": "open", "assignee": "ada", "labels": ["a", "b"],
        "description": "See [this](https://example.com)", "url": "https://qa.example.com/42"})
}

#[test]
fn each_event_type_is_named() {
    let retro =
        json!({"retro": {"id": 1, "name": "r", "url": "https://example.com/r"}, "actions": [{"id": 2, "title": "t"}]});
    let it = brief("retro.completed", retro);
    assert_eq!((it.kind, it.headline.as_str(), it.about.as_str()), (Kind::Retro, "Retro completed: r", "retro:1"));
    assert_eq!(it.items[0].about, "action:2");
    assert_eq!(it.items[0].event_type, "retro.completed");

    let it =
        brief("ticket.status_changed", json!({"ticket": ticket(), "from": "open", "to": "done", "actor": "grace"}));
    assert_eq!((it.kind, it.headline.as_str(), it.about.as_str()), (Kind::Moved, "QA-42 is now done", "ticket:42"));
    assert_eq!(it.changes[0].note.as_deref(), Some("open → done"));
    assert_eq!(it.message_text(), Some("Export *fails*"));
    assert!(it.message_facts(None).iter().all(|fact| fact.id != "status"));

    let it = brief(
        "workflow.completed",
        json!({"workflow": {"id": 1, "name": "w"}, "status": "failed", "finished_at": "x"}),
    );
    assert_eq!((it.kind, it.tone, it.headline.as_str()), (Kind::Failed, Tone::Bad, "Workflow failed: w"));
    let it = brief("test.run_completed", json!({"run": {"id": 1, "suite": "s", "passed": 3}}));
    assert_eq!((it.kind, it.tone, it.headline.as_str()), (Kind::News, Tone::Good, "Tests passed: s"));
    let it = brief("deploy.done", json!({"a": 1}));
    assert_eq!((it.kind, it.code.as_deref()), (Kind::Custom, Some("{\n  \"a\": 1\n}")));
    assert_eq!(Brief::of(&testing::event("x").build()).expect("no payload").kind, Kind::Empty);
}

#[test]
fn templates_are_filled() {
    let it = brief("ticket.created", json!({"ticket": ticket()}));
    assert_eq!(it.fill("{headline}"), "New ticket: QA-42 Export *fails*");
    assert_eq!(it.fill("[{status}] {title}\n({type}, {owner}{points})"), "[open] Export *fails* (ticket.created, ada)");
    // What is no placeholder stands as it is, also unfinished.
    assert_eq!(it.fill("{titel} {{key}} {"), "{titel} {QA-42} {");
    assert_eq!(it.fill(" "), "QA-42 Export *fails*");
    let empty = brief("ticket.created", json!({"ticket": {"id": 1, "title": " \n"}}));
    assert_eq!(empty.fill("{title}"), "(no title)");
}

#[test]
fn every_fact_is_a_placeholder() {
    let events = [
        brief(
            "ticket.created",
            json!({"ticket": {"id": 1, "title": "", "status": 1, "priority": 1, "assignee": 1, "labels": 1}, "actor": 1}),
        ),
        brief(
            "story.created",
            json!({"story": {"id": 1, "title": "", "points": 1, "state": 1}, "project": 1, "actor": 1}),
        ),
        brief(
            "lead.submitted",
            json!({"lead": {"id": 1, "name": "", "email": 1, "phone": 1, "company": 1}, "programs": 1}),
        ),
        brief(
            "workflow.started",
            json!({"workflow": {"id": 1, "name": ""}, "step": 1, "status": 1, "started_at": 1, "finished_at": 1}),
        ),
        brief("test.run_created", json!({"run": {"id": 1, "suite": "", "passed": 1, "failed": 1, "skipped": 1}})),
        brief(
            "retro.completed",
            json!({"retro": {"id": 1, "name": 1}, "actions": [{"id": 1, "title": "", "owner": 1, "due_on": 1}]}),
        ),
    ];
    let all: Vec<&str> = events
        .iter()
        .flat_map(|it| it.facts.iter().chain(it.items.iter().flat_map(|it| &it.facts)))
        .map(|fact| fact.id)
        .collect();
    assert!(all.iter().all(|id| PLACEHOLDERS.contains(id)), "{all:?}");
    assert!(PLACEHOLDERS[4..].iter().all(|id| all.contains(id)), "{all:?}");
}

#[test]
fn fields_are_picked_in_their_order() {
    let it = brief("ticket.created", json!({"ticket": ticket()}));
    let fields = ["labels".to_owned(), "points".to_owned(), "status".to_owned()];
    let picked: Vec<&str> = it.picked(Some(&fields)).iter().map(|fact| fact.value.as_str()).collect();
    assert_eq!(picked, ["a, b", "open"]);
}

#[test]
fn what_there_is_to_do() {
    let actions: Vec<Value> = (0..130).map(|id| json!({"id": id, "title": format!("Action {id}")})).collect();
    let tasks = brief("retro.completed", json!({"retro": {"id": 1, "name": "r"}, "actions": actions}))
        .tasks(100)
        .expect("tasks");
    assert_eq!(tasks.len(), 100);
    assert_eq!(tasks[99].title, "31 more actions of r");
    assert_eq!(tasks[99].lines.len(), 31);
    let none =
        |kind: &str, payload: Value| brief(kind, payload).new_tasks(100, Updates::Skip).expect_err("nothing to do");
    assert!(none("retro.completed", json!({"retro": {"id": 1, "name": "r"}})).contains("no actions"));
    assert!(none("ticket.updated", json!({"ticket": ticket()})).contains("updates: create"));
    assert!(none("workflow.started", json!({"workflow": {"id": 1, "name": "w"}})).contains("failed"));
    assert!(none("deploy.done", json!({})).contains("`deploy.done`"));
    assert_eq!(
        brief("ticket.updated", json!({"ticket": ticket()})).new_tasks(100, Updates::Create).expect("one").len(),
        1
    );
}

#[test]
fn markdown_is_escaped_and_bounded() {
    let it = brief("ticket.created", json!({"ticket": ticket()}));
    assert_eq!(
        Markdown::within(1000).description(&it),
        "See \\[this\\](https://example.com)\n\n- **Status:** open\n- **Assignee:** ada\n- **Labels:** a, b\n\n[Open the ticket](https://qa.example.com/42)"
    );
    let long = "[x](https://evil.example) ".repeat(700);
    let failures: Vec<Value> = (0..200).map(|_| json!({"name": &long[..500], "message": &long[..500]})).collect();
    let story = brief(
        "story.created",
        json!({"story": {"id": 1, "title": long, "tasks": failures, "url": "https://a.example"}}),
    );
    let tests = brief("test.run_completed", json!({"run": {"id": 1, "suite": long, "failures": failures}}));
    let mut ticket = ticket();
    ticket["description"] = json!(long);
    for it in [story, tests, brief("ticket.created", json!({"ticket": ticket}))] {
        for max in [4096, 16_384] {
            let text = Markdown::within(max).description(&it);
            assert!(text.encode_utf16().count() <= max && !text.contains(")["), "{text}");
            assert!(!text.contains("](https://evil") || text.contains("\\](https://evil"), "{text}");
        }
    }
}
