//! The audit log: who did what to what, from where, and what it changed. Secrets are never in it.

use hookwright_tests::{api::Api, receiver::Reply, server::Installation, stage::Stage};
use serde_json::{Value, json};

/// The lines about something, newest first.
async fn lines_about(api: &Api, target: &str) -> Vec<Value> {
    api.list(&format!("/audit?target_id={target}")).await
}

fn actions(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["action"].as_str().expect("an action")).collect()
}

#[tokio::test]
async fn e5_every_change_of_a_webhook_is_told_with_before_and_after_and_no_secret() {
    let stage = Stage::open().await;
    stage.receiver.on("/hook", [Reply::ok()]);
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let webhook = json!({
        "url": stage.receiver.url("/hook?key=s3cret-url"), "events": ["ticket.*"], "name": "old", "signing_secret": secret,
        "bearer_token": "s3cret-bearer", "headers": { "x-team": "s3cret-header" },
    });
    let made = stage.api.register(&webhook).await;
    let path = format!("/webhooks/{}", made.id);
    stage.api.patch(&path, &json!({ "name": "new", "bearer_token": "s3cret-other" })).await.expect("patched");
    stage.api.post(&format!("{path}/rotate-secret"), &json!({})).await.expect("rotated");
    stage.api.post(&format!("{path}/test"), &json!({})).await.expect("tested");
    stage.api.post(&format!("{path}/trigger"), &json!({})).await.expect("triggered");
    stage.api.delete(&format!("{path}/facts")).await.expect("erased");
    stage.api.delete(&path).await.expect("deleted");
    let problem = stage.api.delete(&path).await.expect_err("gone").problem();
    assert_eq!(problem.status, 404);
    let lines = lines_about(&stage.api, &made.id).await;
    let expected = [
        "webhook.deleted",
        "webhook.facts_erased",
        "webhook.triggered",
        "webhook.tested",
        "webhook.secret_rotated",
        "webhook.updated",
        "webhook.created",
    ];
    assert_eq!(actions(&lines), expected);
    let updated = &lines[5];
    assert_eq!(updated["before"]["name"], "old", "{updated:#}");
    assert_eq!(
        (&updated["after"]["name"], &updated["after"]["secrets_changed"]),
        (&json!("new"), &json!(["bearer_token"]))
    );
    assert!(updated["before"].get("events").is_none(), "only what has changed: {updated:#}");
    assert_eq!((&updated["actor"]["kind"], &updated["actor"]["name"]), (&json!("token"), &json!("first admin token")));
    assert_eq!((&updated["address"], &updated["target"]["kind"]), (&json!("127.0.0.1"), &json!("webhook")));
    assert!(updated["request_id"].is_string() && updated["at"].is_string(), "{updated:#}");
    assert_eq!(lines[0]["before"]["name"], "new");
    let text = json!(lines).to_string();
    assert!(!text.contains("s3cret") && !text.contains(secret) && !text.contains("MfKQ9r8"), "{text}");
}

#[tokio::test]
async fn e5_what_people_send_again_is_told() {
    let stage = Stage::open().await;
    stage.receiver.on("/hook", [Reply::status(500), Reply::ok()]);
    let webhook = json!({ "url": stage.receiver.url("/hook"), "events": ["*"], "retry": [0] });
    let webhook = stage.api.register(&webhook).await;
    let sent = stage.api.publish("a.b", json!({})).await;
    let delivery = &sent.deliveries[0].id;
    assert_eq!(stage.api.settled(delivery).await.status, "failed");
    let path = format!("/deliveries/{delivery}");
    stage.api.post(&format!("{path}/retry"), &json!({})).await.expect("sent again");
    assert_eq!(stage.api.settled(delivery).await.status, "succeeded");
    stage.api.post(&format!("{path}/retry"), &json!({})).await.expect_err("all has arrived");
    stage.api.post(&format!("/events/{}/replay", sent.id), &json!({})).await.expect("replayed");
    assert_eq!(actions(&lines_about(&stage.api, delivery).await), ["delivery.retried"]);
    assert_eq!(actions(&lines_about(&stage.api, &sent.id).await), ["event.replayed"]);
    let since = "2020-01-01T00:00:00Z";
    stage.api.post("/deliveries/resend", &json!({ "status": "failed", "since": since })).await.expect("a job");
    stage.api.post(&format!("/webhooks/{}/recover", webhook.id), &json!({ "since": since })).await.expect("a job");
    let lines = stage.api.list("/audit?action=deliveries.*").await;
    assert_eq!(
        (actions(&lines), &lines[0]["after"]["resend"]["status"]),
        (vec!["deliveries.resent"], &json!("failed")),
        "{lines:#?}"
    );
    assert_eq!(actions(&lines_about(&stage.api, &webhook.id).await)[0], "webhook.recovered");
}

#[tokio::test]
async fn e5_logins_are_told_also_those_that_fail() {
    let server = Installation::new().start().await;
    let api = server.api();
    let form = json!({ "email": "ada@example.com", "name": "Ada", "password": "correct horse battery" });
    let user = api.post("/setup", &form).await.expect("the first user").body;
    let id = user["id"].as_str().expect("an id");
    let stranger = api.with_token(None);
    for (email, password) in [
        ("ada@example.com", "s3cret guess"),
        ("nobody@example.com", "s3cret guess"),
        ("ada@example.com", "correct horse battery"),
    ] {
        let _ = stranger.post("/sessions", &json!({ "email": email, "password": password })).await;
    }
    let lines = api.list("/audit?all_projects=true&action=session.*").await;
    assert_eq!(actions(&lines), ["session.created", "session.refused", "session.refused"]);
    assert_eq!((&lines[0]["actor"]["kind"], &lines[0]["actor"]["id"]), (&json!("user"), &json!(id)));
    assert_eq!(
        (&lines[1]["target"]["id"], &lines[1]["actor"]["kind"]),
        (&json!("nobody@example.com"), &json!("nobody"))
    );
    assert_eq!(
        (&lines[2]["target"]["id"], &lines[2]["after"]["reason"]),
        (&json!(id), &json!("the password is wrong"))
    );
    let text = json!(lines).to_string();
    assert!(!text.contains("s3cret") && !text.contains("horse"), "{text}");
    // What is the whole server's is not shown in a project.
    assert!(api.list("/audit?action=session.*").await.is_empty());
}

#[tokio::test]
async fn e5_the_log_is_exported_whole_and_only_for_those_who_may_read_it() {
    let server = Installation::new().start().await;
    let api = server.api();
    let mut made = Vec::new();
    for n in 0..3 {
        let webhook = json!({ "url": "http://127.0.0.1:9/", "events": ["*"], "name": format!("{n}") });
        made.push(api.register(&webhook).await.id);
    }
    let form = |permission: &str| json!({ "name": "x", "permissions": [permission] });
    let auditor = api.post("/tokens", &form("audit:read")).await.expect("a token").body;
    let auditor = api.with_token(auditor["token"].as_str());
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let export = |query: &str| {
        let request = client.get(format!("{}/api/v1/audit/export?{query}", server.url()));
        request.bearer_auth(server.admin_token()).send()
    };
    let answer = export("action=webhook.created").await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let text = answer.text().await.expect("the whole of it");
    let targets: Vec<String> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).expect("JSON")["target"]["id"].as_str().expect("an id").to_owned()
        })
        .collect();
    assert_eq!(targets, made.iter().rev().cloned().collect::<Vec<_>>());
    assert_eq!(export("limit=3").await.expect("an answer").status(), 400);
    assert_eq!(auditor.list("/audit").await.len(), 4, "three webhooks and a token");
    let everything = auditor.get("/audit?all_projects=true").await.expect_err("of its project only").problem();
    assert_eq!(everything.status, 403);
    for query in ["since=yesterday", "until=2020-01-01T00:00:00Z&since=2021-01-01T00:00:00Z", "action=", "colour=red"] {
        assert_eq!(auditor.get(&format!("/audit?{query}")).await.expect_err("wrong").problem().status, 400, "{query}");
    }
    // There is no way to change it.
    assert_eq!(api.delete("/audit").await.expect_err("append-only").problem().status, 405);
}
