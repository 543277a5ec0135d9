//! The tools that are told of events: some answer well, some badly, some not at all.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    api::Api,
    example::example,
    guest::Guest,
    receiver::{Receiver, Reply},
};

/// Plugins that the company has added; the others are still to be had.
const PLUGINS: [&str; 4] = ["slack", "jira", "trello", "lead-router"];

/// How each tool answers.
pub(super) fn answer(receiver: &Receiver) {
    receiver.on("/services/T024BE7LD/B051/x", [Reply::ok().body("ok")]);
    let issue = json!({ "id": "10417", "key": "PAY-418", "self": "https://octo.atlassian.net/rest/api/3/issue/10417" });
    receiver.on("/jira/rest/api/3/issue", [Reply::status(201).body(issue.to_string())]);
    let refused = json!({ "errorMessages": [], "errors": { "summary": "Summary can't exceed 255 characters." } });
    let is_long = |request: &crate::receiver::Recorded| {
        request.path == "/jira/rest/api/3/issue"
            && String::from_utf8_lossy(&request.body).contains("A title without end")
    };
    receiver.when(is_long, [Reply::status(400).body(refused.to_string())]);
    receiver.when(|request| request.path.starts_with("/jira/rest/api/3/issue/"), [Reply::status(204)]);
    receiver.when(|request| request.path.starts_with("/trello/"), [Reply::status(401).body("invalid token")]);
    receiver.on("/warehouse", [Reply::ok()]);
    receiver.on("/hooks/catch/8812/b1", [Reply::status(503).header("retry-after", "600").body("upstream is busy")]);
    receiver.on("/partner", [Reply::status(404).body("<h1>Not found</h1>")]);
    receiver.on("/ledger", [Reply::cut()]);
    receiver.when(|request| request.path.starts_with("/loans"), [Reply::status(201)]);
}

/// Registers the webhooks; ids by name.
pub(super) async fn register(api: &Api, receiver: &Receiver) -> BTreeMap<String, String> {
    let mut versions = BTreeMap::new();
    for name in PLUGINS {
        versions.insert(name, api.install(example(name)).await.version);
    }
    versions.insert("trapper", api.install(Guest::Trapper.component()).await.version);
    let run = |name: &str, config: Value, secrets: Value| json!({ "name": name, "version": versions[name], "config": config, "secrets": secrets });
    let webhooks = [
        json!({
            "name": "Company Slack", "url": receiver.url("/services/T024BE7LD/B051/x"),
            "events": ["retro.completed", "ticket.*", "workflow.completed", "test.run_completed"],
            "labels": { "team": "all" },
            "plugin": run("slack", json!({ "title": "{headline}" }), json!({})),
        }),
        json!({
            "name": "Jira: checkout team", "url": receiver.url("/jira"), "events": ["ticket.*", "retro.completed"],
            "labels": { "team": "checkout" }, "description": "Issues in the project PAY",
            "plugin": run(
                "jira", json!({ "email": "robot@example.com", "project_key": "PAY" }), json!({ "token": "jira-secret-token" }),
            ),
        }),
        json!({
            "name": "Trello: retro actions", "url": receiver.url("/trello/1"), "events": ["retro.completed"],
            "plugin": run(
                "trello", json!({ "list_id": "5abbe4b7ddc1b351ef961414" }),
                json!({ "key": "trello-secret-key", "token": "trello-secret-token" }),
            ),
        }),
        json!({
            "name": "Data warehouse", "url": receiver.url("/warehouse"), "events": ["*"], "envelope": "raw",
            "bearer_token": "warehouse-secret", "description": "Everything, as it was posted",
        }),
        json!({
            "name": "Zapier: newsletter", "url": receiver.url("/hooks/catch/8812/b1"), "events": ["lead.submitted"],
            "content_type": "form",
        }),
        json!({
            "name": "Partner portal", "url": receiver.url("/partner"), "events": ["story.*"], "retry": [0],
            "headers": { "x-partner": "octo" }, "filter": "payload.story.points >= 2",
        }),
        json!({
            "name": "Old ticket mirror", "url": receiver.url("/mirror"), "events": ["ticket.*"], "enabled": false,
        }),
        json!({
            "name": "Ledger", "url": receiver.url("/ledger"), "events": ["workflow.completed"], "on_uncertain": "hold",
            "order": "subject",
        }),
        json!({
            "name": "Loans department", "url": receiver.url("/loans"), "events": ["lead.submitted"],
            "plugin": run("lead-router", json!({ "programs": { "Small business": { "path": "small" } } }), json!({})),
        }),
        json!({
            "name": "Digest (experiment)", "url": receiver.url("/digest"), "events": ["test.*"],
            "plugin": run("trapper", json!({}), json!({})),
        }),
    ];
    let mut ids = BTreeMap::new();
    for webhook in webhooks {
        let made = api.register(&webhook).await;
        ids.insert(webhook["name"].as_str().expect("a name").to_owned(), made.id);
    }
    ids
}
