//! The three main tasks by keyboard alone: no mouse is touched after signing in.

use std::time::Duration;

use hookwright_tests::{
    browser::{Browser, Tab},
    company::{ADA, PASSWORD},
    eventually::eventually,
    receiver::Reply,
    server::Installation,
    stage::Stage,
};
use serde_json::json;

async fn open() -> (Stage, Browser, Tab) {
    let stage = Stage::on(Installation::new().with_gallery()).await;
    ADA.arrive(&stage.api).await;
    let browser = Browser::start().await;
    let tab = browser.tab(stage.server.url()).await;
    tab.goto("/sign-in").await;
    tab.tab_to("textbox", "Email address (needed)").await;
    tab.type_text(ADA.email).await;
    tab.tab_to("textbox", "Password (needed)").await;
    tab.type_text(PASSWORD).await;
    tab.press_to_load("Enter").await;
    (stage, browser, tab)
}

/// Goes to what has this role and name, and presses Enter.
async fn enter(tab: &Tab, role: &str, name: &str) {
    tab.tab_to(role, name).await;
    tab.press_to_load("Enter").await;
}

#[tokio::test]
async fn a_failed_delivery_is_found_and_retried() {
    let (stage, _browser, tab) = open().await;
    stage.receiver.on("/hook", [Reply::status(500), Reply::ok()]);
    stage
        .api
        .register(&json!({ "name": "Hook", "url": stage.receiver.url("/hook"), "events": ["*"], "retry": [0] }))
        .await;
    let delivery = stage.api.publish_one("ticket.created", json!({})).await;
    stage.api.settled(&delivery.id).await;
    // `g` and a letter lead to a page, `j` to a row, `o` opens it, `r` retries.
    tab.press("g").await;
    tab.press_to_load("d").await;
    assert_eq!(tab.path().await, "/deliveries");
    tab.press("j").await;
    assert_eq!(tab.focused().await, Some(("link".to_owned(), "ticket.created".to_owned())));
    tab.press_to_load("o").await;
    tab.see("500").await;
    tab.press_to_load("r").await;
    stage.receiver.wait("/hook", 2).await;
    eventually(Duration::from_secs(30), "it has arrived", async || {
        (stage.api.delivery(&delivery.id).await.status == "succeeded").then_some(())
    })
    .await;
    tab.is_clean().await;
}

#[tokio::test]
async fn a_webhook_with_slack_is_made_and_tested() {
    let (stage, _browser, tab) = open().await;
    stage.receiver.on("/services/x", [Reply::ok().body("ok")]);
    tab.press("g").await;
    tab.press_to_load("p").await;
    enter(&tab, "button", "Add slack").await;
    tab.press("g").await;
    tab.press_to_load("w").await;
    enter(&tab, "link", "Register...").await;
    tab.tab_to("textbox", "Name").await;
    tab.type_text("Slack").await;
    tab.tab_to("textbox", "URL (needed)").await;
    tab.type_text(&stage.receiver.url("/services/x")).await;
    tab.tab_to("checkbox", "ticket.*").await;
    tab.press(" ").await;
    tab.tab_to("field", "Plugin").await;
    tab.press("ArrowDown").await;
    tab.find("field", "Title").await;
    tab.tab_to("button", "Send a test").await;
    tab.press("Enter").await;
    tab.see("succeeded").await;
    enter(&tab, "button", "Register").await;
    tab.see("shown this once").await;
    let made = stage.api.list("/webhooks").await;
    assert_eq!((made.len(), &made[0]["plugin"]["name"]), (1, &json!("slack")));
    tab.is_clean().await;
}

#[tokio::test]
async fn a_plugin_is_added_tried_and_found_by_the_palette() {
    let (_stage, _browser, tab) = open().await;
    tab.press("Control+k").await;
    tab.until("the palette takes the words", async || {
        tab.focused().await.filter(|(_, name)| name == "Go to").map(|_| ())
    })
    .await;
    tab.type_text("plug").await;
    tab.press_to_load("Enter").await;
    assert_eq!(tab.path().await, "/plugins");
    enter(&tab, "button", "Add jira").await;
    tab.see("The plugin is ready").await;
    tab.press_to_load("t").await;
    tab.see("/rest/api/3/issue").await;
    tab.tab_to("textbox", "Event type (needed)").await;
    tab.retype("ticket.created").await;
    tab.tab_to("textbox", "Payload").await;
    tab.retype(r#"{"ticket": {"id": "1", "title": "By keys alone"}}"#).await;
    tab.press("Control+Enter").await;
    tab.see("By keys alone").await;
    // In a field a key is a letter, and Tab leaves the field again.
    tab.press("?").await;
    assert!(!tab.has("dialog", "Keys").await);
    tab.tab_to("button", "Run").await;
    tab.press("?").await;
    tab.find("dialog", "Keys").await;
    tab.press("Escape").await;
    tab.until("the dialog is closed", async || (!tab.has("dialog", "Keys").await).then_some(())).await;
    assert_eq!(tab.focused().await, Some(("button".to_owned(), "Run".to_owned())), "it gives the focus back");
    tab.is_clean().await;
}
