//! What the cases in `cases/` do not show: that nothing breaks Slack's limits, and what answers mean.

use std::sync::LazyLock;

use checks::{Table, body, published};
use hookwright_sdk::{Request, Verdict, testing};
use serde_json::{Value, json};
use slack::Slack;

const LOUD: &str = "U012AB3CD";

#[test]
fn cases() {
    testing::golden::<Slack>("cases");
    checks::cases(takes);
}

#[test]
fn defaults_are_as_the_form_says() {
    checks::defaults_agree::<Slack>(include_str!("../plugin.toml"), &json!({}));
}

#[test]
fn whatever_happens_is_a_message_that_slack_takes() {
    let loud = json!({"title": "[A team with a long name] {headline} {title}", "mention": LOUD});
    for config in [json!({}), loud, json!({"fields": ["status"], "title": " "})] {
        checks::holds::<Slack>(&config, |request| {
            takes(request);
            check(&body(request));
        });
        checks::understood::<Slack>(&config, &[Request::post()]);
    }
}

fn takes(request: &Request) {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(include_str!("limits.txt")));
    published::takes("slack", request);
    TABLE.check(&body(request));
}

fn check(message: &Value) {
    text(&message["text"]);
    for block in message["blocks"].as_array().expect("blocks") {
        let fields = block["fields"].as_array();
        assert!(fields.is_some() || block["text"].is_object(), "an empty section: {block}");
        fields.into_iter().flatten().for_each(|field| text(&field["text"]));
        let header = block["type"] == "header";
        assert_eq!(block["text"]["type"] == "plain_text", header, "{block}");
        if header {
            assert!(block["text"]["text"].as_str().is_some_and(|text| text.encode_utf16().count() <= 150), "{block}");
        } else if block["text"].is_object() {
            text(&block["text"]["text"]);
        }
    }
}

/// Text with markup: there must be none but a mention and links, which are ours.
fn text(text: &Value) {
    let text = text.as_str().expect("text");
    let markup = text.replace(&format!("<@{LOUD}>"), "").replace("<https://", "");
    assert!(!markup.contains('<'), "unescaped: {text}");
}

#[test]
fn more_actions_than_fit_are_counted() {
    let actions: Vec<Value> = (0..60).map(|id| json!({"id": id, "title": format!("Action {id}")})).collect();
    let retro = testing::event("retro.completed").payload(json!({"retro": {"id": 1, "name": "r"}, "actions": actions}));
    let message = testing::run::<Slack>(&retro.build(), json!({"mention": LOUD})).body();
    let blocks = message["blocks"].as_array().expect("blocks");
    assert_eq!(blocks.len(), 50);
    // Header, mention, count, 46 actions and this.
    assert_eq!(blocks[49]["text"]["text"], "_and 14 more_");
}

fn answer(status: u16, body: &str) -> Verdict {
    testing::interpret::<Slack>(testing::exchange(Request::post()).status(status).body(body), json!({}))
}

#[test]
fn answers_are_understood() {
    assert_eq!(answer(200, "ok"), Verdict::delivered());
    assert_eq!(answer(400, "invalid_blocks"), Verdict::rejected().message("Slack refused the message: invalid_blocks"));
    assert_eq!(
        answer(403, "action_prohibited"),
        Verdict::rejected().message("Slack refused the message: action_prohibited")
    );
    for (status, word) in
        [(404, "channel_not_found"), (410, "channel_is_archived"), (403, "invalid_token"), (404, "no_service")]
    {
        let gone = format!("Slack takes no more messages here: {word}");
        assert_eq!(answer(status, word), Verdict::disable().message(gone), "{status}");
    }
    assert_eq!(answer(429, ""), Verdict::by_status());
    assert_eq!(answer(500, "rollup_error"), Verdict::by_status());
}
