//! What becomes of work that is under way when its webhook is changed, disabled, enabled or deleted: what is fixed when, and
//! what each attempt takes anew.

use std::time::Duration;

use hookwright_tests::{
    api::Delivery,
    eventually::eventually,
    guest::{Credential, Field, Forge, Output, Request},
    receiver::Reply,
    server::Installation,
    stage::Stage,
};
use serde_json::{Value, json};

/// The next attempt never comes by itself within a test.
const LATER: u64 = 3_600_000;

async fn change(stage: &Stage, webhook: &str, change: Value) -> Value {
    stage.api.patch(&format!("/webhooks/{webhook}"), &change).await.expect("changed").body
}

/// Waits until the first attempt of a delivery has failed and the next one is waited for.
async fn retrying(stage: &Stage, id: &str) -> Delivery {
    eventually(Duration::from_secs(30), "the first attempt has failed", async || {
        let delivery = stage.api.delivery(id).await;
        let waits =
            delivery.status == "retrying" && delivery.requests.iter().all(|request| request.status != "sending");
        waits.then_some(delivery)
    })
    .await
}

/// Has what waits go on now.
async fn go_on(stage: &Stage, webhook: &str) {
    change(stage, webhook, json!({ "enabled": false })).await;
    change(stage, webhook, json!({ "enabled": true })).await;
}

#[tokio::test]
async fn what_is_fixed_when_a_delivery_is_made_and_what_each_attempt_takes_anew() {
    let stage = Stage::open().await;
    stage.receiver.on("/old", [Reply::status(500)]);
    let webhook = json!({
        "url": stage.receiver.url("/old?from=old"), "events": ["*"], "retry": [0, LATER],
        "bearer_token": "old-bearer", "headers": { "x-team": "old-team" }, "body_token": "old-token",
    });
    let webhook = stage.api.register(&webhook).await;
    let delivery = stage.api.publish_one("ticket.created", json!({ "n": 1 })).await;
    retrying(&stage, &delivery.id).await;
    let rotated = stage.api.post(&format!("/webhooks/{}/rotate-secret", webhook.id), &json!({ "overlap_ms": 0 })).await;
    let secret = rotated.expect("rotated").body["signing_secret"].as_str().expect("a secret").to_owned();
    let new = json!({
        "url": stage.receiver.url("/new?from=new"), "events": ["story.*"], "content_type": "form",
        "bearer_token": "new-bearer", "headers": { "x-team": "new-team" }, "body_token": "new-token",
        "github_signature": true, "retry": [0, 0, 0], "timeout_ms": 7_000,
    });
    change(&stage, &webhook.id, new).await;
    go_on(&stage, &webhook.id).await;
    let settled = stage.api.settled(&delivery.id).await;
    assert_eq!((settled.status.as_str(), settled.request().attempts.len()), ("succeeded", 2), "{settled:#?}");

    let (first, second) = (stage.receiver.wait("/old", 1).await, stage.receiver.wait("/new", 1).await);
    // Fixed: event, envelope, content type, and that there is a token.
    let without_token = |request: &hookwright_tests::receiver::Recorded| {
        let mut body = request.json();
        let token = body.as_object_mut().expect("an object").remove("token").expect("a token");
        (body, token)
    };
    let ((body, token), (new_body, new_token)) = (without_token(&first), without_token(&second));
    assert_eq!(body, new_body, "what was accepted does not change");
    assert_eq!((first.header("content-type"), second.header("content-type")), ("application/json", "application/json"));
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    // Taken at each attempt: URL, secrets, keys, bearer token, headers of the webhook, policy.
    assert_eq!((token, new_token), (json!("old-token"), json!("new-token")));
    assert_eq!(second.query.as_deref(), Some("from=new"));
    assert_eq!((second.header("authorization"), second.header("x-team")), ("Bearer new-bearer", "new-team"));
    first.verify(&webhook.signing_secret).expect("signed with the key of that time");
    second.verify(&secret).expect("signed with the new key");
    second.verify(&webhook.signing_secret).expect_err("the old one is revoked");
    assert!(second.headers.contains_key("x-hub-signature-256"));

    // What is made now has the configuration of now.
    stage.api.publish_one("story.created", json!({})).await;
    assert_eq!(stage.receiver.wait("/new", 2).await.header("content-type"), "application/x-www-form-urlencoded");
}

/// A plugin of this version that makes one request, which says so.
fn plugin(version: &str) -> Vec<u8> {
    let request = Request {
        method: "PUT".to_owned(),
        path: vec!["cards".to_owned(), version.to_owned()],
        query: vec![Field::new("q", version)],
        headers: vec![Field::new("x-version", version)],
        json: json!({ "made_by": version }).to_string(),
        credentials: vec![Credential::bearer("key")],
        ..Request::default()
    };
    Forge::new("routed")
        .manifest("version", json!(version))
        .manifest("secrets", json!({ "key": {} }))
        .returns(&Output::Deliver(vec![request]))
        .component()
}

#[tokio::test]
async fn what_is_fixed_when_transformed_and_that_the_request_rules_are_checked_again() {
    let stage = Stage::open().await;
    for version in ["1.0.0", "2.0.0"] {
        stage.api.install(plugin(version)).await;
    }
    stage.receiver.on("/api/cards/1.0.0", [Reply::status(500), Reply::ok()]);
    let webhook = json!({
        "url": stage.receiver.url("/api"), "events": ["*"], "retry": [0, LATER, LATER],
        "plugin": { "name": "routed", "version": "1.0.0", "secrets": { "key": "old-key-old-key" } },
    });
    let webhook = stage.api.register(&webhook).await;
    let delivery = stage.api.publish_one("ticket.created", json!({})).await;
    retrying(&stage, &delivery.id).await;
    // A name in the webhook's own query that the request repeats: that was fine when it was made.
    let moved = json!({
        "url": stage.receiver.url("/api?q=mine"),
        "plugin": { "version": "2.0.0", "secrets": { "key": "new-key-new-key" } },
    });
    change(&stage, &webhook.id, moved).await;
    go_on(&stage, &webhook.id).await;
    let refused = eventually(Duration::from_secs(30), "the second attempt is over", async || {
        let delivery = stage.api.delivery(&delivery.id).await;
        (delivery.request().attempts.len() == 2).then_some(delivery)
    })
    .await;
    let attempt = &refused.request().attempts[1];
    assert_eq!(attempt.error_class.as_deref(), Some("invalid_request"), "{attempt:#?}");
    assert_eq!(stage.receiver.all().len(), 1, "nothing is sent that breaks a rule");

    change(&stage, &webhook.id, json!({ "url": stage.receiver.url("/api") })).await;
    go_on(&stage, &webhook.id).await;
    let settled = stage.api.settled(&delivery.id).await;
    assert_eq!((settled.status.as_str(), settled.request().attempts.len()), ("succeeded", 3), "{settled:#?}");
    assert_eq!(settled.plugin.map(|run| run.version).as_deref(), Some("1.0.0"), "fixed when the delivery was made");
    let sent = stage.receiver.all();
    for (request, key) in sent.iter().zip(["old-key-old-key", "new-key-new-key"]) {
        // Fixed: method, path, query, headers of the plugin, body, names of secrets.
        assert_eq!((request.method.as_str(), request.path.as_str()), ("PUT", "/api/cards/1.0.0"));
        assert_eq!((request.query.as_deref(), request.header("x-version")), (Some("q=1.0.0"), "1.0.0"));
        assert_eq!(request.json(), json!({ "made_by": "1.0.0" }));
        // Taken at each attempt: what the secret is.
        assert_eq!(request.header("authorization"), format!("Bearer {key}"));
    }
    assert_eq!(sent.len(), 2);
}

/// A webhook with one delivery that waits for its second attempt and one behind it that was not begun.
async fn with_open_work(stage: &Stage) -> (String, String, String) {
    stage.receiver.on("/hook", [Reply::status(500), Reply::ok()]);
    let webhook =
        json!({ "url": stage.receiver.url("/hook"), "events": ["*"], "retry": [0, LATER], "order": "strict" });
    let webhook = stage.api.register(&webhook).await;
    let tried = stage.api.publish_one("ticket.created", json!({ "n": 1 })).await;
    let behind = stage.api.publish_one("ticket.created", json!({ "n": 2 })).await;
    retrying(stage, &tried.id).await;
    (webhook.id, tried.id, behind.id)
}

#[tokio::test]
async fn disabling_holds_open_work_and_enabling_resumes_it() {
    let stage = Stage::open().await;
    let (webhook, tried, behind) = with_open_work(&stage).await;
    let disabled = change(&stage, &webhook, json!({ "enabled": false })).await;
    assert_eq!(disabled["disabled_reason"], "disabled by hand");
    let held = stage.api.delivery(&tried).await;
    assert_eq!((held.status.as_str(), held.request().status.as_str()), ("retrying", "retrying"), "it is still open");
    let view = stage.api.get(&format!("/deliveries/{tried}")).await.expect("the delivery").body;
    assert_eq!(view["requests"][0]["next_attempt_at"], Value::Null, "and no time is set for it");
    // What comes meanwhile is recorded as skipped.
    let skipped = stage.api.publish_one("ticket.created", json!({ "n": 3 })).await;
    let skipped = stage.api.delivery(&skipped.id).await;
    assert_eq!(skipped.status, "skipped");
    assert!(skipped.reason.is_some_and(|reason| reason.contains("disabled by hand")));
    assert_eq!(stage.receiver.count("/hook"), 1);

    let enabled = change(&stage, &webhook, json!({ "enabled": true, "open_work": "resume" })).await;
    assert_eq!((&enabled["enabled"], enabled.get("disabled_reason")), (&json!(true), None));
    for delivery in [&tried, &behind] {
        assert_eq!(stage.api.settled(delivery).await.status, "succeeded");
    }
    let numbers: Vec<_> = stage.receiver.all().iter().map(|request| request.json()["data"]["n"].clone()).collect();
    assert_eq!(numbers, [1, 1, 2], "in their order, and not what was skipped");
}

async fn enabling_cancels(installation: Installation) {
    let stage = Stage::on(installation).await;
    let (webhook, tried, behind) = with_open_work(&stage).await;
    let path = format!("/webhooks/{webhook}");
    for body in [json!({ "open_work": "cancel" }), json!({ "open_work": "cancel", "enabled": false })] {
        let problem = stage.api.patch(&path, &body).await.expect_err("it is enabled").problem();
        assert_eq!((problem.status, problem.pointers()), (422, vec!["/open_work"]), "{body}");
    }
    change(&stage, &webhook, json!({ "enabled": false })).await;
    for body in [json!({ "open_work": "cancel" }), json!({ "open_work": "drop", "enabled": true })] {
        let problem = stage.api.patch(&path, &body).await.expect_err("it stays disabled").problem();
        assert_eq!((problem.status, problem.pointers()), (422, vec!["/open_work"]), "{body}");
    }
    change(&stage, &webhook, json!({ "enabled": true, "open_work": "cancel" })).await;
    for delivery in [&tried, &behind] {
        let cancelled = stage.api.delivery(delivery).await;
        assert_eq!((cancelled.status.as_str(), cancelled.request().status.as_str()), ("cancelled", "cancelled"));
        let reason = cancelled.reason.expect("a reason");
        assert!(reason.contains("while the webhook was disabled"), "{reason}");
    }
    assert_eq!(stage.api.delivery(&tried).await.request().attempts.len(), 1, "history stays");
    let next = stage.api.publish_one("ticket.created", json!({ "n": 4 })).await;
    assert_eq!(stage.api.settled(&next.id).await.status, "succeeded", "nothing waits for what was cancelled");
    let numbers: Vec<_> = stage.receiver.all().iter().map(|request| request.json()["data"]["n"].clone()).collect();
    assert_eq!(numbers, [1, 4]);
}

#[tokio::test]
async fn enabling_cancels_open_work_when_the_admin_wants_that() {
    enabling_cancels(Installation::new()).await;
}

#[tokio::test]
async fn enabling_cancels_open_work_when_the_admin_wants_that_on_postgres() {
    enabling_cancels(Installation::on_postgres().await).await;
}

#[tokio::test]
async fn deleting_a_webhook_cancels_open_work_with_the_reason_and_keeps_history() {
    let stage = Stage::open().await;
    let (webhook, tried, behind) = with_open_work(&stage).await;
    stage.api.delete(&format!("/webhooks/{webhook}")).await.expect("deleted");
    for (delivery, attempts) in [(&tried, 1), (&behind, 0)] {
        let cancelled = stage.api.delivery(delivery).await;
        assert_eq!((cancelled.status.as_str(), cancelled.request().status.as_str()), ("cancelled", "cancelled"));
        assert_eq!(cancelled.reason.as_deref(), Some("the webhook was deleted"));
        assert_eq!(cancelled.request().attempts.len(), attempts);
        assert!(cancelled.request().body.as_str().is_some_and(|body| body.contains("ticket.created")));
    }
    assert_eq!(stage.api.list("/deliveries").await.len(), 2);
    assert_eq!(stage.receiver.count("/hook"), 1);
}
