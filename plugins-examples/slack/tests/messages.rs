//! What the cases in `cases/` do not show: that nothing breaks Slack's limits.

use hookwright_sdk::testing;
use serde_json::{Value, json};
use slack::Slack;

#[test]
fn cases() {
    testing::golden::<Slack>("cases");
}

fn message(kind: &str, payload: Value) -> Value {
    let config = json!({"title_prefix": "[A team with a long name] ", "mention": "U012AB3CD"});
    testing::run::<Slack>(&testing::event(kind).payload(payload).build(), config).body()
}

/// Source: <https://api.slack.com/reference/block-kit/blocks>.
fn check(message: &Value) {
    let blocks = message["blocks"].as_array().expect("blocks");
    assert!((1..=50).contains(&blocks.len()), "{} blocks", blocks.len());
    text(&message["text"], 3000);
    for block in blocks {
        match block["type"].as_str() {
            Some("header") => {
                assert_eq!(block["text"]["type"], "plain_text");
                bounded(&block["text"]["text"], 150);
            }
            Some("section") => {
                let fields = block["fields"].as_array();
                assert!(fields.is_none_or(|fields| (1..=10).contains(&fields.len())));
                assert!(fields.is_some() || block["text"].is_object());
                fields.into_iter().flatten().for_each(|field| text(&field["text"], 2000));
                if block["text"].is_object() {
                    text(&block["text"]["text"], 3000);
                }
            }
            other => panic!("a block of type {other:?}"),
        }
    }
}

fn bounded(text: &Value, max: usize) -> &str {
    let text = text.as_str().expect("text");
    let length = text.encode_utf16().count();
    assert!((1..=max).contains(&length), "{length} of {max}: {text}");
    text
}

/// Text with markup: there must be none but ours.
fn text(text: &Value, max: usize) {
    let markup = bounded(text, max).replace("<@U012AB3CD>", "").replace("<https://example.com/", "");
    assert!(!markup.contains('<'), "unescaped: {text}");
}

#[test]
fn long_and_hostile_texts_keep_the_limits() {
    let long = "<!channel> & \u{1f468}\u{200d}\u{1f469} ".repeat(500);
    let url = format!("https://example.com/?{}", "&a=b".repeat(100));
    let many = |item: Value| Value::from(vec![item; 300]);
    let action = json!({"id": 1, "title": long, "description": long, "owner": long, "due_on": long, "url": url});
    let ticket = json!({"id": 1, "key": long, "title": long, "description": long, "status": long, "priority": long,
        "assignee": long, "labels": many(json!(long)), "url": url});
    let story = json!({"id": 1, "title": long, "points": long, "state": long, "url": url, "tasks": many(json!(long))});
    let lead = json!({"id": 1, "name": long, "email": long, "phone": long, "company": long, "message": long});
    let workflow = json!({"id": 1, "name": long, "url": url});
    let failure = json!({"name": long, "message": long});
    let run = json!({"id": 1, "suite": long, "url": url, "failed": 5, "failures": many(failure)});
    let change = json!({"name": long, "from": long, "to": long});
    for (kind, payload) in [
        ("retro.completed", json!({"retro": {"id": 1, "name": long, "url": url}, "actions": many(action)})),
        ("ticket.created", json!({"ticket": ticket, "actor": long})),
        ("ticket.updated", json!({"ticket": ticket, "changes": many(change)})),
        ("ticket.status_changed", json!({"ticket": ticket, "from": long, "to": long, "actor": long})),
        ("story.created", json!({"story": story, "project": long, "actor": long})),
        ("lead.submitted", json!({"lead": lead, "programs": many(json!(long))})),
        ("workflow.completed", json!({"workflow": workflow, "step": long, "status": long})),
        ("test.run_completed", json!({"run": run})),
        ("a.custom.event", json!({"text": long, "list": many(json!(long))})),
    ] {
        check(&message(kind, payload));
    }
}

#[test]
fn empty_texts_are_left_out() {
    for (kind, payload) in [
        ("retro.completed", json!({"retro": {"id": "", "name": ""}, "actions": [{"id": "", "title": " "}]})),
        ("ticket.created", json!({"ticket": {"id": 1, "title": "", "description": " \n", "labels": [""]}})),
        ("ticket.updated", json!({"ticket": {"id": 1, "title": ""}, "changes": {"": {}}})),
        ("ticket.status_changed", json!({"ticket": {"id": 1, "title": ""}})),
        ("test.run_completed", json!({"run": {"id": 1, "suite": "", "failures": ["", {}]}})),
        ("custom", json!("")),
    ] {
        check(&message(kind, payload));
    }
    let odd = testing::event("custom").text(" ").build();
    check(&testing::run::<Slack>(&odd, json!({"mention": "U012AB3CD"})).body());
    let odd = testing::event("custom").binary([0xff]).content_type("image/png").build();
    check(&testing::run::<Slack>(&odd, json!({})).body());
}

#[test]
fn more_actions_than_fit_are_counted() {
    let actions: Vec<Value> = (0..60).map(|id| json!({"id": id, "title": format!("Action {id}")})).collect();
    let message = message("retro.completed", json!({"retro": {"id": 1, "name": "r"}, "actions": actions}));
    let blocks = message["blocks"].as_array().expect("blocks");
    assert_eq!(blocks.len(), 50);
    // Header, mention, count, 46 actions and this.
    assert_eq!(blocks[49]["text"]["text"], "_and 14 more_");
}
