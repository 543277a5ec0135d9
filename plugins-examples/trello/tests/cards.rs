//! What the cases in `cases/` do not show: limits, and what answers mean.

use std::sync::LazyLock;

use checks::{Table, body, published};
use hookwright_sdk::{Request, Verdict, memory, testing};
use serde_json::{Value, json};
use trello::Trello;

const LIST: &str = "5abbe4b7ddc1b351ef961414";
const ID: &str = "65b1f0c2d9e3a4b5c6d7e8f9";
const TEXT: &str = "Export fails for empty projects";

#[test]
fn cases() {
    testing::golden::<Trello>("cases");
    checks::cases(takes);
}

#[test]
fn defaults_are_as_the_form_says() {
    checks::schema_agrees::<Trello>(include_str!("configuration.json"), &json!({"list_id": LIST}));
}

#[test]
fn whatever_happens_is_a_card_that_trello_takes() {
    let full = json!({"list_id": LIST, "title": "[{retro}] {title}", "label_ids": [ID], "label_map": {TEXT: LIST}, "members": {TEXT: ID},
        "markdown": true, "lists": {TEXT: ID}, "position": "top"});
    let comment = json!({"list_id": LIST, "updates": "comment"});
    for config in [json!({"list_id": LIST}), full, comment] {
        // Of most of the events this is what they are about.
        testing::set_facts([(format!("ticket:{TEXT}"), ID), (format!("story:{TEXT}"), ID)]);
        checks::holds::<Trello>(&config, takes);
        let edit = Request::put().segments(["cards", "c1"]).correlation("ticket:1");
        checks::understood::<Trello>(&config, &[Request::post().correlation("ticket:1"), edit, Request::post()]);
    }
}

fn takes(request: &Request) {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(include_str!("limits.txt")));
    published::takes("trello", request);
    TABLE.check(&body(request));
}

#[test]
fn long_texts_fill_what_there_is() {
    let long = "\u{1f600}x".repeat(20_000);
    let ticket = json!({"ticket": {"id": long, "title": long, "description": long}});
    let event = testing::event("ticket.created").payload(ticket).build();
    let card = testing::run::<Trello>(&event, json!({"list_id": LIST})).body();
    for text in [&card["name"], &card["desc"]] {
        let length = text.as_str().expect("text").encode_utf16().count();
        assert!((16_300..=16_384).contains(&length), "{length}");
    }
}

#[test]
fn only_good_dates_and_links_are_sent() {
    let action = |due: &str, url: &str| json!({"id": 1, "title": "", "due_on": due, "url": url});
    let actions = json!([
        action("2026-02-06", "https://example.com"),
        action("2026-02-06T09:00:00+01:00", "file:///etc/passwd"),
        action("next week", ""),
        action("2026-02-06T9 o'clock", ""),
        action("2026-13-06", ""),
    ]);
    let retro = json!({"retro": {"id": 1, "name": "r"}, "actions": actions});
    let run =
        testing::run::<Trello>(&testing::event("retro.completed").payload(retro).build(), json!({"list_id": LIST}));
    let cards: Vec<Value> = run.requests().iter().map(body).collect();
    assert_eq!(cards[0]["due"], "2026-02-06T12:00:00.000Z");
    assert_eq!(cards[0]["urlSource"], "https://example.com");
    assert_eq!(cards[0]["name"], "(no title)");
    assert_eq!(cards[1]["due"], "2026-02-06T09:00:00+01:00");
    assert_eq!(cards[1].get("urlSource"), None);
    assert_eq!(cards[2].get("due"), None);
    assert_eq!(cards[2]["desc"], "- **Due:** next week\n\nFrom retro r");
    assert_eq!(cards[3]["due"], "2026-02-06T12:00:00.000Z");
    assert_eq!(cards[4].get("due"), None);
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
    assert_eq!(memory::recall("ticket:42").as_deref(), Some("c1"));
    assert_eq!(answer(200, "<html>"), Verdict::delivered());
    let refused = |why: &str| Verdict::rejected().message(format!("Trello refused the card: {why}"));
    assert_eq!(answer(400, "invalid value for\nidList"), refused("invalid value for idList"));
    assert_eq!(answer(400, r#"{"message":"Invalid objectId","error":"ERROR"}"#), refused("Invalid objectId"));
    let disabled = Verdict::disable().message("Trello does not accept key and token: invalid token");
    assert_eq!(answer(401, "invalid token"), disabled);
    assert_eq!(answer(429, ""), Verdict::retry().wait(std::time::Duration::from_secs(20)));
    assert_eq!(answer(404, ""), Verdict::by_status());
}

#[test]
fn a_card_that_is_gone_is_forgotten_and_a_comment_is_no_card() {
    let on_card = |method: &str, path: &[&str]| {
        testing::exchange(
            Request::new(method.parse().expect("a method")).segments(path.iter().copied()).correlation("ticket:42"),
        )
    };
    let interpret = |exchange| testing::interpret::<Trello>(exchange, json!({"list_id": LIST}));
    let comments = ["cards", "c1", "actions", "comments"];
    // Its id is the comment's.
    testing::set_facts([("ticket:42", "c1")]);
    assert_eq!(interpret(on_card("POST", &comments).body(r#"{"id":"a9"}"#)), Verdict::delivered());
    assert_eq!(memory::recall("ticket:42").as_deref(), Some("c1"));
    let gone = "The card is not there any more; the next event makes a new one.";
    for exchange in [on_card("PUT", &["cards", "c1"]), on_card("POST", &comments)] {
        testing::set_facts([("ticket:42", "c1")]);
        assert_eq!(interpret(exchange.status(404)), Verdict::rejected().message(gone).forget("ticket:42"));
        assert_eq!(memory::recall("ticket:42"), None);
    }
}

#[test]
fn a_configuration_without_a_list_is_named() {
    let run = testing::run::<Trello>(&testing::event("ticket.created").build(), json!({"position": "top"}));
    assert_eq!(run.failure().code(), "config.invalid");
    assert!(run.failure().message().contains("missing field `list_id`"));
    let run = testing::run::<Trello>(&testing::event("x").build(), json!({"list_id": LIST, "members": {"ada": 5}}));
    assert!(run.failure().message().contains("at `members.ada`"), "{:?}", run.failure());
}
