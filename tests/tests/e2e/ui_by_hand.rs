//! E1 to E7 and D5 in a browser: integrations that people trigger by hand, with a permission of its own.

use hookwright_tests::{
    browser::{Browser, Tab},
    company::{ADA, TRI},
    receiver::Reply,
    site::sign_in,
    stage::Stage,
};
use serde_json::json;

struct Desk {
    stage: Stage,
    browser: Browser,
    tab: Tab,
    webhook: String,
    event: String,
}

/// Somebody who may only trigger integrations, in front of one.
async fn open() -> Desk {
    let stage = Stage::open().await;
    ADA.arrive(&stage.api).await;
    TRI.join(&stage.api).await;
    let webhook =
        json!({ "name": "CRM", "url": stage.receiver.url("/crm"), "events": ["lead.*"], "bearer_token": "crm-s3cret" });
    let webhook = stage.api.register(&webhook).await.id;
    let event = stage.api.publish("ticket.created", json!({ "ticket": { "title": "private words" } })).await.id;
    let browser = Browser::start().await;
    let tab = browser.tab(stage.server.url()).await;
    sign_in(&tab, TRI).await;
    Desk { stage, browser, tab, webhook, event }
}

#[tokio::test]
async fn e3_triggers_stand_in_both_lists_and_on_the_event() {
    let Desk { stage, tab, webhook, event, browser: _browser } = open().await;
    let mut sent = 0;
    for scripts in [true, false] {
        tab.scripts(scripts).await;
        for (path, button, has_body) in [
            ("/webhooks".to_owned(), "Trigger CRM...", false),
            (format!("/webhooks/{webhook}"), "Trigger CRM...", false),
            ("/events".to_owned(), "Trigger with ticket.created...", true),
            ("/events".to_owned(), "with no payload", false),
            (format!("/events/{event}"), "With this event", true),
            (format!("/events/{event}"), "With no payload", false),
        ] {
            tab.goto(&path).await;
            tab.click("button", button).await;
            sent += 1;
            let request = stage.receiver.wait("/crm", sent).await;
            assert_eq!(!request.body.is_empty(), has_body, "{path} {button}");
            assert_eq!(request.header("authorization"), "Bearer crm-s3cret");
            tab.find("button", "Try again").await;
            tab.see("succeeded").await;
        }
        tab.is_clean().await;
    }
    let told = stage.api.list("/audit?action=webhook.triggered").await;
    assert_eq!(told.len(), sent);
    assert!(told.iter().all(|line| line["actor"]["name"] == TRI.email), "{told:#?}");
}

#[tokio::test]
async fn e7_an_error_is_shown_at_once_and_tried_again_by_hand() {
    let Desk { stage, tab, browser: _browser, .. } = open().await;
    for (round, scripts) in [(0, true), (1, false)] {
        tab.scripts(scripts).await;
        stage.receiver.on("/crm", [Reply::status(503).body("closed for lunch")]);
        tab.goto("/webhooks").await;
        tab.click("button", "Trigger CRM...").await;
        tab.see("503").await;
        tab.see("failed").await;
        stage.receiver.on("/crm", [Reply::ok()]);
        tab.click("button", "Try again").await;
        tab.see("succeeded").await;
        assert_eq!(stage.receiver.count("/crm"), 2 * (round + 1), "nothing is tried again by itself");
    }
    tab.is_clean().await;
}

#[tokio::test]
async fn e4_whoever_may_only_trigger_finds_no_other_action() {
    let Desk { stage, tab, webhook, event, browser: _browser } = open().await;
    stage.api.post(&format!("/webhooks/{webhook}/trigger"), &json!({})).await.expect("triggered");
    let delivery = stage.api.list("/deliveries").await[0]["id"].as_str().expect("an id").to_owned();
    let mut found = Vec::new();
    for path in [
        "/".to_owned(),
        "/webhooks".to_owned(),
        format!("/webhooks/{webhook}"),
        "/events".to_owned(),
        format!("/events/{event}"),
        "/deliveries".to_owned(),
        format!("/deliveries/{delivery}"),
    ] {
        tab.goto(&path).await;
        let text = tab.text().await;
        assert!(!text.contains("private words") && !text.contains("crm-s3cret"), "{path}: {text}");
        // Every form that changes something, wherever it stands.
        let forms = tab.evaluate("JSON.stringify([...document.querySelectorAll('form[method=post]')].map(form => new URL(form.action).pathname))").await;
        let forms: Vec<String> = serde_json::from_str(forms.as_str().expect("text")).expect("paths");
        found.extend(forms);
        for words in [
            "Register",
            "Edit",
            "Delete",
            "Disable",
            "Enable",
            "Send an event",
            "Retry",
            "Send again",
            "Give up",
            "Rotate",
        ] {
            assert!(
                !tab.has("button", &format!("{words}...")).await && !tab.has("link", &format!("{words}...")).await,
                "{path}: {words}"
            );
        }
    }
    let may = |path: &String| {
        path == "/sign-out"
            || path == "/project"
            || path == "/events/trigger"
            || *path == format!("/webhooks/{webhook}/trigger")
            || *path == format!("/webhooks/{webhook}/test")
    };
    let others: Vec<_> = found.iter().filter(|path| !may(path)).collect();
    assert!(others.is_empty(), "{others:?}");
    // Pages of others say which permission is missing.
    for path in ["/webhooks/new", "/users", "/tokens", "/audit", "/settings", "/plugins"] {
        tab.goto(path).await;
        tab.see("permission").await;
    }
    tab.is_clean().await;
}

#[tokio::test]
async fn d5_webhooks_are_tested_switched_and_their_history_is_seen() {
    let Desk { stage, browser, webhook, .. } = open().await;
    let tab = browser.stranger(stage.server.url()).await;
    sign_in(&tab, ADA).await;
    for scripts in [true, false] {
        tab.scripts(scripts).await;
        tab.goto("/webhooks").await;
        tab.follow("button", "Disable CRM").await;
        tab.see("The webhook is disabled").await;
        tab.row("disabled").await;
        // A disabled one can be tested, not triggered.
        tab.goto(&format!("/webhooks/{webhook}")).await;
        assert!(!tab.has("button", "Trigger CRM...").await);
        if scripts {
            tab.click("button", "Send a test").await;
        } else {
            tab.follow("button", "Send a test").await;
        }
        tab.see("at the first attempt").await;
        tab.goto("/webhooks").await;
        tab.follow("button", "Enable CRM").await;
        tab.see("The webhook is enabled").await;
        tab.goto(&format!("/webhooks/{webhook}")).await;
        let history = tab.find("table", "Recent deliveries of CRM").await;
        let text = history.text(&tab).await;
        assert!(text.contains("webhook.test") && text.contains("succeeded"), "{text}");
        tab.is_clean().await;
    }
}
