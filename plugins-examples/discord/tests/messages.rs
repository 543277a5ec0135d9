//! What the cases in `cases/` do not show: limits, and what answers mean.

use std::sync::LazyLock;
use std::time::Duration;

use checks::{Table, body, published};
use discord::Discord;
use hookwright_sdk::{Request, Verdict, testing};
use serde_json::{Value, json};

#[test]
fn cases() {
    testing::golden::<Discord>("cases");
    checks::cases(takes);
}

#[test]
fn defaults_are_as_the_form_says() {
    checks::defaults_agree::<Discord>(include_str!("../plugin.toml"), &json!({}));
}

#[test]
fn whatever_happens_is_a_message_that_discord_takes() {
    let loud = json!({"mention": "1184623912345678901", "username": "Retro", "title": "{title}{title}", "thread_id": "1184623912345678902"});
    for config in [json!({}), loud, json!({"fields": [], "mention": "here"})] {
        checks::holds::<Discord>(&config, |request| {
            takes(request);
            let body = body(request);
            assert!(request.query_parameters().any(|parameter| parameter == ("wait", "true")));
            // The texts call nobody.
            assert!(
                body["allowed_mentions"]["parse"]
                    .as_array()
                    .is_some_and(|all| all.is_empty() || config["mention"] == "here")
            );
        });
        checks::understood::<Discord>(&config, &[Request::post()]);
    }
}

fn takes(request: &Request) {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(include_str!("limits.txt")));
    published::takes("discord", request);
    TABLE.check(&body(request));
}

fn answer(status: u16, body: &Value, config: &Value) -> Verdict {
    let exchange = testing::exchange(Request::post()).status(status).body(body.to_string());
    testing::interpret::<Discord>(exchange, config.clone())
}

#[test]
fn answers_are_understood() {
    let sent = json!({"id": "1300000000000000001", "channel_id": "1184623912345678902"});
    assert_eq!(answer(200, &sent, &json!({})), Verdict::delivered());
    let link = "https://discord.com/channels/1184623912345678900/1184623912345678902/1300000000000000001";
    assert_eq!(answer(200, &sent, &json!({"server_id": "1184623912345678900"})), Verdict::delivered().link(link));
    let limited = json!({"message": "You are being rate limited.", "retry_after": 64.57, "global": false});
    let wait = Verdict::retry().wait(Duration::from_millis(65_070)).message("Discord asks to wait.");
    assert_eq!(answer(429, &limited, &json!({})), wait);
    assert_eq!(answer(429, &json!("slow down"), &json!({})), Verdict::by_status());
    let gone = Verdict::disable().message("Discord does not know this webhook any more: Unknown Webhook");
    assert_eq!(answer(404, &json!({"message": "Unknown Webhook", "code": 10015}), &json!({})), gone);
    let bad = json!({"code": 50035, "errors": {"embeds": ["0"]}, "message": "Invalid Form Body"});
    assert!(answer(400, &bad, &json!({})).message_text().is_some_and(|why| why.contains("embeds")));
    assert_eq!(answer(503, &json!(""), &json!({})), Verdict::by_status());
}
