//! The way of somebody who has just installed the server, in a browser: from the first page to a delivery that was mended.

use std::fs;

use hookwright_tests::{
    browser::Browser,
    company::{ADA, PASSWORD},
    receiver::Reply,
    server::Installation,
    stage::Stage,
};
use serde_json::json;

const TICKET: &str = r#"{"ticket": {"id": "17", "key": "PAY-17", "title": "Checkout times out", "status": "open", "url": "https://tickets.example/PAY-17"}}"#;

#[tokio::test]
async fn from_a_fresh_server_to_a_mended_delivery() {
    let stage = Stage::on(Installation::new().with_gallery()).await;
    let issue = json!({ "id": "1", "key": "QA-7", "self": "https://octo.atlassian.net/rest/api/3/issue/1" });
    stage.receiver.on("/rest/api/3/issue", [Reply::status(201).body(issue.to_string())]);
    let browser = Browser::start().await;
    let tab = browser.tab(stage.server.url()).await;

    // Set-up.
    tab.goto("/").await;
    tab.goto("/setup").await;
    tab.fill("Admin token (needed)", "wrong").await;
    tab.fill("Your name (needed)", ADA.name).await;
    tab.fill("Email address (needed)", ADA.email).await;
    tab.fill("Password (needed)", PASSWORD).await;
    tab.follow("button", "Make my account").await;
    tab.see("is not the admin token").await;
    let token = fs::read_to_string(stage.server.folder().join("admin-token")).expect("the first token");
    tab.fill("Admin token (needed)", token.trim()).await;
    tab.fill("Password (needed)", PASSWORD).await;
    tab.follow("button", "Make my account").await;
    tab.find("button", "Sign out").await;

    // A webhook with jira.
    tab.follow("link", "Plugins").await;
    tab.follow("button", "Add jira").await;
    tab.see("The plugin is ready").await;
    tab.follow("link", "Register a webhook with it").await;
    tab.fill("Name", "Jira").await;
    tab.fill("URL (needed)", "http://10.0.0.1/").await;
    tab.follow("button", "Register").await;
    tab.see("This was not saved").await;
    tab.fill("URL (needed)", &stage.receiver.url("")).await;
    tab.field("ticket.*").await.tick(&tab, true).await;
    tab.choose("Plugin", "jira 0.1.0").await;
    tab.fill("E-mail address", "robot@example.com").await;
    tab.fill("Project (needed)", "QA").await;
    tab.fill("token...", "jira-s3cret").await;
    tab.follow("button", "Register").await;
    tab.see("shown this once").await;
    tab.follow("link", "I stored it, go to the webhook").await;
    tab.heading("Jira").await;

    // An event, seen as it arrives by somebody who only watches.
    let watching = browser.tab(stage.server.url()).await;
    watching.goto("/deliveries").await;
    watching.see("No delivery yet").await;
    tab.follow("link", "Events").await;
    tab.follow("link", "Send an event").await;
    tab.fill("Type (needed)", "ticket.created").await;
    tab.fill("Payload (needed)", TICKET).await;
    tab.follow("button", "Send").await;
    watching.see("1 new").await;
    watching.click("button", "1 new...").await;
    watching.see("ticket.created").await;
    watching.is_clean().await;

    // What became of it.
    stage.api.all_settled().await;
    watching.goto("/deliveries").await;
    watching.follow("link", "ticket.created").await;
    watching.see("succeeded").await;
    watching.see("/rest/api/3/issue").await;
    watching.see("PAY-17 Checkout times out").await;
    assert!(!watching.text().await.contains("jira-s3cret"));

    // The receiver breaks, and is mended.
    stage.receiver.on("/rest/api/3/issue", [Reply::status(500).body("out of order")]);
    tab.goto("/events/new").await;
    tab.fill("Type (needed)", "ticket.created").await;
    tab.fill("Payload (needed)", &TICKET.replace("17", "18")).await;
    tab.follow("button", "Send").await;
    tab.goto("/deliveries").await;
    // The list is live: it needs no new look.
    let row = tab.row("retrying").await;
    let link = row.find(&tab, "link", "ticket.created").await;
    tab.loads("the delivery", link.click(&tab)).await;
    tab.see("500").await;
    tab.see("out of order").await;
    stage.receiver.on("/rest/api/3/issue", [Reply::status(201).body(issue.to_string())]);
    tab.follow("button", "Retry the same bytes").await;
    tab.until("it has arrived", async || {
        tab.reload().await;
        tab.text().await.contains("succeeded").then_some(())
    })
    .await;
    tab.is_clean().await;
}
