//! The pages of plugins: added, uploaded, tried, compared, backtested, promoted, deleted.

use std::time::Duration;

use hookwright_tests::{
    browser::{Browser, Tab},
    company::ADA,
    eventually::eventually,
    example::example,
    guest::{Forge, Guest, Output, Request},
    receiver::Reply,
    server::Installation,
    site::sign_in,
    stage::Stage,
};
use serde_json::json;
use tempfile::NamedTempFile;

/// Somebody who may do everything, in front of a server with a gallery.
pub(crate) async fn open() -> (Stage, Browser, Tab) {
    let stage = Stage::on(Installation::new().with_gallery()).await;
    ADA.arrive(&stage.api).await;
    let browser = Browser::start().await;
    let tab = browser.tab(stage.server.url()).await;
    sign_in(&tab, ADA).await;
    (stage, browser, tab)
}

/// A version that makes this body of every event.
fn saying(version: &str, text: &str) -> Vec<u8> {
    let request = Request { json: json!({ "text": text }).to_string(), ..Request::default() };
    Forge::new("speaker").manifest("version", json!(version)).returns(&Output::Deliver(vec![request])).component()
}

/// Uploads a component; the file is there until somebody has seen what came of it.
async fn upload(tab: &Tab, component: &[u8]) -> NamedTempFile {
    let file = tempfile::Builder::new().suffix(".wasm").tempfile().expect("a file");
    std::fs::write(file.path(), component).expect("it is written");
    tab.goto("/plugins").await;
    tab.attach("Component (.wasm)", file.path()).await;
    tab.click("button", "Upload").await;
    file
}

#[tokio::test]
async fn a_ready_plugin_is_added_with_one_click() {
    let (stage, _browser, tab) = open().await;
    tab.goto("/plugins").await;
    for name in [
        "azure-devops",
        "discord",
        "github-issues",
        "jira",
        "lead-router",
        "pivotal-tracker",
        "slack",
        "teams",
        "trello",
    ] {
        tab.find("heading", &format!("{name} ...")).await;
    }
    tab.follow("button", "Add slack").await;
    tab.heading("slack ...").await;
    tab.see("The plugin is ready").await;
    let found = stage.api.list("/plugins").await;
    assert_eq!((found.len(), &found[0]["name"]), (1, &json!("slack")));
    tab.goto("/plugins").await;
    assert!(!tab.has("button", "Add slack").await);
    tab.find("link", "Open slack").await;
    // Whoever may only look is offered nothing else.
    let looks = stage.api.allowed(&["plugins:read"]).await;
    assert_eq!(looks.post("/gallery/trello", &json!({})).await.expect_err("may not").problem().status, 403);
    assert_eq!(stage.api.post("/gallery/nothing", &json!({})).await.expect_err("none").problem().status, 404);
    tab.is_clean().await;
}

#[tokio::test]
async fn an_upload_tells_which_check_it_fails() {
    let (stage, _browser, tab) = open().await;
    for scripts in [true, false] {
        tab.scripts(scripts).await;
        let _file = upload(&tab, b"no component").await;
        tab.see("The plugin was not taken").await;
        // Its size is fine.
        tab.see("passed").await;
        tab.see("not reached").await;
        tab.is_clean().await;
    }
    tab.scripts(true).await;
    let case = json!({
        "name": "says hello", "event": { "type": "ticket.created", "payload": {} }, "config": {},
        "expect": { "requests": [{ "method": "POST", "json": { "text": "hello" } }] },
    });
    let wrong = Forge::new("liar").manifest("cases", json!([case])).returns(&Output::Deliver(vec![Request::default()]));
    let _file = upload(&tab, &wrong.component()).await;
    tab.see("The plugin was not taken").await;
    tab.see("Golden cases").await;
    assert!(stage.api.list("/plugins").await.iter().all(|plugin| plugin["status"] != "ready"));
}

#[tokio::test]
async fn a_plugin_is_uploaded_tried_backtested_and_promoted() {
    let (stage, _browser, tab) = open().await;
    let _file = upload(&tab, &saying("1.0.0", "hello")).await;
    tab.see("The plugin is ready").await;
    assert_eq!(tab.path().await, "/plugins/speaker/versions/1.0.0");
    stage.receiver.on("/hook", [Reply::ok()]);
    let run = json!({ "name": "speaker", "version": "1.0.0", "config": {} });
    let webhook = json!({ "name": "Choir", "url": stage.receiver.url("/hook"), "events": ["ticket.*"], "plugin": run });
    let webhook = stage.api.register(&webhook).await.id;
    for n in 0..3 {
        let delivery = stage.api.publish_one("ticket.created", json!({ "n": n })).await;
        stage.api.settled(&delivery.id).await;
    }
    let _file = upload(&tab, &saying("1.1.0", "good morning")).await;
    tab.see("The plugin is ready").await;

    // What it makes is there at once, and again while one types.
    tab.follow("link", "Try it").await;
    tab.see("good morning").await;
    tab.fill("Payload", "{\"n\": ").await;
    tab.see("is not JSON").await;
    tab.fill("Payload", "{\"n\": 1}").await;
    tab.gone("is not JSON").await;
    tab.see("good morning").await;
    tab.find("meter", "CPU time").await;
    tab.click("DisclosureTriangle", "More").await;
    tab.choose("Compare with version", "1.0.0").await;
    tab.see("1 difference").await;
    tab.see("hello").await;
    tab.is_clean().await;

    tab.goto(&format!("/webhooks/{webhook}/backtest?version=speaker%201.1.0")).await;
    tab.follow("button", "How many events?").await;
    tab.see("about 3 events").await;
    tab.follow("button", "Begin the backtest").await;
    tab.find("button", "Promote speaker 1.1.0").await;
    let changed = tab.row("ticket.created").await;
    assert!(changed.text(&tab).await.contains("changed"));
    tab.follow("link", "0 newly failing...").await;
    tab.see("nothing of this kind").await;
    tab.back().await;
    tab.follow("button", "Promote speaker 1.1.0").await;
    tab.see("has taken over what was tried").await;
    let found = stage.api.get(&format!("/webhooks/{webhook}")).await.expect("it is there").body;
    assert_eq!(found["plugin"]["version"], "1.1.0");
    let delivery = stage.api.publish_one("ticket.created", json!({})).await;
    assert_eq!(stage.api.settled(&delivery.id).await.status, "succeeded");
    assert!(stage.receiver.wait("/hook", 4).await.text().contains("good morning"));

    // What is used is not deleted, what is not is.
    tab.goto("/plugins/speaker/versions/1.1.0/delete").await;
    tab.follow("button", "Delete this version").await;
    tab.see("webhooks use it").await;
    tab.goto("/plugins/speaker/versions/1.0.0").await;
    tab.follow("link", "Delete…").await;
    tab.follow("button", "Delete this version").await;
    tab.see("The version is deleted").await;
    assert_eq!(stage.api.list("/plugins").await.len(), 1);
    tab.is_clean().await;
}

#[tokio::test]
async fn whatever_goes_wrong_in_the_playground_is_told() {
    let (stage, _browser, tab) = open().await;
    stage.api.install(Guest::Trapper.component()).await;
    stage.api.install(example("jira")).await;
    for scripts in [true, false] {
        tab.scripts(scripts).await;
        tab.goto("/plugins/trapper/versions/0.1.0/playground").await;
        tab.see("It fails").await;
        tab.see("plugin.crashed").await;
        tab.goto("/plugins/jira/versions/0.1.0/playground").await;
        tab.see("/rest/api/3/issue").await;
        tab.fill("Configuration", "{}").await;
        if !scripts {
            tab.follow("button", "Run").await;
        }
        tab.see("It cannot be run like this").await;
        tab.see("project_key").await;
        tab.is_clean().await;
    }
    // The server goes away under it.
    tab.scripts(true).await;
    tab.goto("/plugins/jira/versions/0.1.0/playground").await;
    tab.see("/rest/api/3/issue").await;
    let _installation = stage.server.stop().await;
    tab.fill("Event type (needed)", "ticket.updated").await;
    tab.see("It could not be run").await;
}

#[tokio::test]
async fn a_paused_version_is_resumed() {
    let (stage, _browser, tab) = open().await;
    stage.api.install(Guest::Trapper.component()).await;
    let run = json!({ "name": "trapper", "version": "0.1.0", "config": {} });
    stage.api.register(&json!({ "url": stage.receiver.url("/hook"), "events": ["*"], "plugin": run })).await;
    for _ in 0..25 {
        stage.api.publish("ticket.created", json!({})).await;
    }
    eventually(Duration::from_mins(1), "the version is paused", async || {
        let found = stage.api.get("/plugins/trapper/versions/0.1.0").await.expect("it is there").body;
        found["paused"].is_object().then_some(())
    })
    .await;
    tab.goto("/plugins/trapper/versions/0.1.0").await;
    tab.see("paused").await;
    tab.follow("button", "Resume").await;
    tab.see("It is run again").await;
}
