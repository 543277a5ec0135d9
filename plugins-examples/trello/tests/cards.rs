//! What the cases in `cases/` do not show: limits, and what answers mean.

use hookwright_sdk::{Request, Verdict, testing};
use serde_json::{Value, json};
use trello::Trello;

const LIST: &str = "5abbe4b7ddc1b351ef961414";

#[test]
fn cases() {
    testing::golden::<Trello>("cases");
}

fn bodies(kind: &str, payload: Value) -> Vec<Value> {
    let run = testing::run::<Trello>(&testing::event(kind).payload(payload).build(), json!({"list_id": LIST}));
    let body = |request: &Request| serde_json::from_str(request.body_text().expect("a body")).expect("JSON");
    run.requests().iter().map(body).collect()
}

#[test]
fn long_texts_are_cut() {
    let long = "\u{1f600}x".repeat(20_000);
    let cards = bodies("ticket.created", json!({"ticket": {"id": long, "title": long, "description": long}}));
    for text in [&cards[0]["name"], &cards[0]["desc"]] {
        let length = text.as_str().expect("text").encode_utf16().count();
        assert!((16_380..=16_384).contains(&length), "{length}");
    }
}

#[test]
fn actions_beyond_a_hundred_share_the_last_card() {
    let actions: Vec<Value> = (0..130).map(|id| json!({"id": id, "title": format!("Action {id}")})).collect();
    let cards = bodies("retro.completed", json!({"retro": {"id": 1, "name": "r"}, "actions": actions}));
    assert_eq!(cards.len(), 100);
    assert_eq!(cards[99]["name"], "31 more actions of r");
    assert!(cards[99]["desc"].as_str().expect("text").ends_with("- Action 129"));
}

#[test]
fn only_good_dates_and_links_are_sent() {
    let action = |due: &str, url: &str| json!({"id": 1, "title": "", "due_on": due, "url": url});
    let cards = bodies(
        "retro.completed",
        json!({"retro": {"id": 1, "name": "r"}, "actions": [
            action("2026-02-06", "https://example.com"),
            action("2026-02-06T09:00:00+01:00", "file:///etc/passwd"),
            action("next week", ""),
        ]}),
    );
    assert_eq!(cards[0]["due"], "2026-02-06T12:00:00.000Z");
    assert_eq!(cards[0]["urlSource"], "https://example.com");
    assert_eq!(cards[0]["name"], "(no title)");
    assert_eq!(cards[1]["due"], "2026-02-06T09:00:00+01:00");
    assert_eq!(cards[1].get("urlSource"), None);
    assert_eq!(cards[2].get("due"), None);
}

#[test]
fn workflows_and_tests_make_cards_only_when_they_fail() {
    let skipped = |kind: &str, payload: Value| {
        let run = testing::run::<Trello>(&testing::event(kind).payload(payload).build(), json!({"list_id": LIST}));
        run.skipped().to_owned()
    };
    let workflow = json!({"workflow": {"id": 1, "name": "w"}, "status": "succeeded"});
    assert!(skipped("workflow.completed", workflow).contains("failed"));
    assert!(skipped("test.run_completed", json!({"run": {"id": 1, "suite": "s", "failed": 0}})).contains("failed"));
}

fn answer(status: u16, body: &str) -> Verdict {
    let exchange = testing::exchange(Request::post().correlation("ticket:42")).status(status).body(body).attempt(2);
    testing::interpret::<Trello>(exchange, json!({"list_id": LIST}))
}

#[test]
fn answers_are_understood() {
    assert_eq!(
        answer(200, r#"{"id":"c1","shortUrl":"https://trello.com/c/x","more":[]}"#),
        Verdict::delivered().link("https://trello.com/c/x").remember("ticket:42", "c1")
    );
    assert_eq!(hookwright_sdk::memory::recall("ticket:42").as_deref(), Some("c1"));
    assert_eq!(answer(200, "<html>"), Verdict::delivered());
    let refused = |why: &str| Verdict::rejected().message(format!("Trello refused the card: {why}"));
    assert_eq!(answer(400, "invalid value for\nidList"), refused("invalid value for idList"));
    assert_eq!(answer(400, r#"{"message":"Invalid objectId","error":"ERROR"}"#), refused("Invalid objectId"));
    let disabled = Verdict::disable().message("Trello does not accept key and token: invalid token");
    assert_eq!(answer(401, "invalid token"), disabled);
    assert_eq!(answer(429, ""), Verdict::retry().wait(std::time::Duration::from_secs(20)));
    assert_eq!(answer(404, ""), Verdict::by_status());
    let edit = testing::exchange(Request::put().segment("cards").segment("c1").correlation("ticket:42")).status(404);
    let gone = testing::interpret::<Trello>(edit, json!({"list_id": LIST}));
    assert_eq!(
        gone,
        Verdict::rejected()
            .message("The card is not there any more; the next event makes a new one.")
            .forget("ticket:42")
    );
    assert_eq!(hookwright_sdk::memory::recall("ticket:42"), None);
}

#[test]
fn a_configuration_without_a_list_is_named() {
    let run = testing::run::<Trello>(&testing::event("ticket.created").build(), json!({"position": "top"}));
    assert_eq!(run.failure().code(), "config.invalid");
    assert!(run.failure().message().contains("missing field `list_id`"));
    let run = testing::run::<Trello>(&testing::event("x").build(), json!({"list_id": LIST, "members": {"ada": 5}}));
    assert!(run.failure().message().contains("at `members.ada`"), "{:?}", run.failure());
}
