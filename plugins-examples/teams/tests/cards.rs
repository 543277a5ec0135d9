//! What the cases in `cases/` do not show: limits, and what answers mean.

use std::sync::LazyLock;

use checks::{Table, body, published};
use hookwright_sdk::{Request, Verdict, testing};
use serde_json::json;
use teams::Teams;

#[test]
fn cases() {
    testing::golden::<Teams>("cases");
    checks::cases(takes);
}

#[test]
fn defaults_are_as_the_form_says() {
    checks::defaults_agree::<Teams>(include_str!("../plugin.toml"), &json!({}));
}

#[test]
fn whatever_happens_is_a_card_that_teams_takes() {
    for config in [json!({}), json!({"title": "{title} {headline}", "fields": ["status"], "full_width": false})] {
        checks::holds::<Teams>(&config, |request| {
            takes(request);
            // The only links are ours.
            let text = body(request).to_string().replace("[Open](https://example.com/", "");
            assert!(!text.contains("]("), "{text}");
        });
    }
    checks::understood::<Teams>(&json!({}), &[Request::post()]);
}

fn takes(request: &Request) {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(include_str!("limits.txt")));
    published::takes("teams", request);
    TABLE.check(&body(request));
}

#[test]
fn what_does_not_fit_is_counted() {
    let actions: Vec<_> = (0..500).map(|id| json!({"id": id, "title": "An action \u{1f600}".repeat(10)})).collect();
    let event = testing::event("retro.completed").payload(json!({"retro": {"id": 1, "name": "r"}, "actions": actions}));
    let card = testing::run::<Teams>(&event.build(), json!({})).body();
    let blocks = card["attachments"][0]["content"]["body"].as_array().expect("blocks");
    let shown = blocks.len() - 3;
    assert!(shown > 20, "{shown}");
    assert_eq!(blocks[blocks.len() - 1]["text"], format!("…and {} more", 500 - shown));
}

fn answer(status: u16, body: &str) -> Verdict {
    testing::interpret::<Teams>(testing::exchange(Request::post()).status(status).body(body), json!({}))
}

#[test]
fn answers_are_understood() {
    let taken = "Taken by Power Automate; whether the card can be shown is seen in Teams only.";
    assert_eq!(answer(202, ""), Verdict::delivered().message(taken));
    let hidden = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error ";
    assert_eq!(answer(200, &format!("{hidden}429.")), Verdict::retry().message("Teams asks to wait."));
    let refused = answer(200, &format!("{hidden}413."));
    assert_eq!(refused, Verdict::rejected().message(format!("Teams refused the card: {hidden}413.")));
    let off = r#"{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"Could not execute workflow"}}"#;
    assert_eq!(
        answer(400, off),
        Verdict::disable().message("The workflow takes no more cards: the workflow is switched off")
    );
    let bad =
        r#"{"error":{"code":"TriggerInputSchemaMismatch","message":"The input body does not match its schema."}}"#;
    assert_eq!(
        answer(400, bad),
        Verdict::rejected().message("Teams refused the card: The input body does not match its schema.")
    );
    assert_eq!(answer(404, ""), Verdict::disable().message("The workflow takes no more cards: no reason given"));
    assert_eq!(answer(429, ""), Verdict::by_status());
    assert_eq!(answer(422, ""), Verdict::by_status());
}
