//! Signatures as receivers check them, with other people's code, while keys are rotated; and the token in the body for those
//! who only compare.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use hookwright_tests::{
    api::Problem,
    eventually::eventually,
    receiver::{Recorded, Reply},
    server::Installation,
    stage::Stage,
};
use serde_json::{Value, json};
use sha2::Sha256;

/// What a receiver compares `X-Hub-Signature-256` with, as GitHub's documentation tells it to.
fn github(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(body);
    let bytes = mac.finalize().into_bytes();
    bytes.iter().fold("sha256=".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

fn signatures(request: &Recorded) -> usize {
    request.header("webhook-signature").split(' ').count()
}

async fn rotate(stage: &Stage, webhook: &str, body: &Value) -> String {
    let answer = stage.api.post(&format!("/webhooks/{webhook}/rotate-secret"), body).await.expect("rotated");
    assert_eq!((answer.status, &answer.body["id"]), (200, &json!(webhook)), "{:#}", answer.body);
    answer.body["signing_secret"].as_str().expect("the new secret, this once").to_owned()
}

/// The bytes of the payload are such as no serializer would write.
async fn publish(stage: &Stage, kind: &str, n: u32) {
    let event = format!(r#"{{"type":"{kind}","payload":{{ "a & b" :  1.50, "ü":"+", "n":{n} }}}}"#);
    stage.api.post_bytes("/events", "application/json", event.into_bytes()).await.expect("the event is accepted");
}

#[tokio::test]
async fn every_body_is_signed_over_its_exact_bytes_before_during_and_after_a_rotation() {
    let published = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(github("It's a Secret to Everybody", b"Hello, World!"), published, "GitHub's own example");
    let stage = Stage::open().await;
    for (name, choice, start) in [
        ("json", json!({}), r#"{"type":"body.json","#),
        ("raw", json!({ "envelope": "raw" }), r#"{ "a & b" :  1.50, "#),
        ("form", json!({ "content_type": "form" }), "payload=%7B%22type%22"),
        ("raw-form", json!({ "content_type": "form", "envelope": "raw" }), "payload=%7B+%22a+%26+b%22"),
    ] {
        let (path, kind) = (format!("/{name}"), format!("body.{name}"));
        let mut webhook = json!({ "url": stage.receiver.url(&path), "events": [kind], "github_signature": true });
        webhook.as_object_mut().expect("an object").extend(choice.as_object().expect("an object").clone());
        let webhook = stage.api.register(&webhook).await;
        let first = webhook.signing_secret;

        publish(&stage, &kind, 1).await;
        let before = stage.receiver.wait(&path, 1).await;
        assert!(before.text().starts_with(start), "{name}: {}", before.text());
        before.verify(&first).expect("signed with the only key");
        assert_eq!(before.header("x-hub-signature-256"), github(&first, &before.body), "{name}");
        assert_eq!(signatures(&before), 1);

        let second = rotate(&stage, &webhook.id, &json!({})).await;
        assert_ne!(first, second);
        publish(&stage, &kind, 2).await;
        let during = stage.receiver.wait(&path, 2).await;
        for secret in [&first, &second] {
            during.verify(secret).expect("for a day both keys sign");
        }
        assert_eq!(during.header("x-hub-signature-256"), github(&second, &during.body), "{name}: one has room");
        assert_eq!(signatures(&during), 2);

        let third = rotate(&stage, &webhook.id, &json!({ "overlap_ms": 0 })).await;
        publish(&stage, &kind, 3).await;
        let after = stage.receiver.wait(&path, 3).await;
        after.verify(&third).expect("signed with the new key");
        for secret in [&first, &second] {
            after.verify(secret).expect_err("a revoked key signs no more");
        }
        assert_eq!(after.header("x-hub-signature-256"), github(&third, &after.body), "{name}");
        assert_eq!(signatures(&after), 1);
    }
}

#[tokio::test]
async fn githubs_header_is_an_option() {
    let stage = Stage::open().await;
    let hook = json!({ "url": stage.receiver.url("/hook"), "events": ["*"] });
    let webhook = stage.api.register(&hook).await;
    let path = format!("/webhooks/{}", webhook.id);
    for (n, chosen) in [(1, None), (2, Some(true)), (3, Some(false))] {
        if let Some(chosen) = chosen {
            let patched = stage.api.patch(&path, &json!({ "github_signature": chosen })).await.expect("patched");
            assert_eq!(patched.body["github_signature"], json!(chosen));
        }
        stage.api.publish("ticket.created", json!({ "n": n })).await;
        let request = stage.receiver.wait("/hook", n).await;
        request.verify(&webhook.signing_secret).expect("Standard Webhooks is always there");
        assert_eq!(request.headers.contains_key("x-hub-signature-256"), chosen == Some(true), "{n}");
    }
    // Nobody else may set it.
    let problem = stage
        .api
        .patch(&path, &json!({ "headers": { "X-Hub-Signature-256": "sha256=0" } }))
        .await
        .expect_err("refused")
        .problem();
    assert_eq!(problem.pointers(), ["/headers/X-Hub-Signature-256"]);
}

#[tokio::test]
async fn an_old_key_signs_until_its_overlap_is_over_and_is_dropped() {
    let stage = Stage::open().await;
    let webhook = stage.api.register(&json!({ "url": stage.receiver.url("/hook"), "events": ["*"] })).await;
    let path = format!("/webhooks/{}", webhook.id);
    rotate(&stage, &webhook.id, &json!({ "overlap_ms": 300 })).await;
    let keys = async || {
        let shown = stage.api.get(&path).await.expect("the webhook").body;
        shown["signing_keys"].as_array().expect("keys").clone()
    };
    eventually(Duration::from_secs(30), "the old key has expired", async || (keys().await.len() == 1).then_some(()))
        .await;
    stage.api.publish("ticket.created", json!({})).await;
    let request = stage.receiver.wait("/hook", 1).await;
    request.verify(&webhook.signing_secret).expect_err("its time is over");
    assert_eq!(signatures(&request), 1);
}

#[tokio::test]
async fn a_rotation_says_what_is_wrong_with_it_and_shows_its_secret_once() {
    let stage = Stage::open().await;
    let webhook = stage.api.register(&json!({ "url": stage.receiver.url("/hook"), "events": ["*"] })).await;
    let path = format!("/webhooks/{}", webhook.id);
    let refused = async |body: Value| -> Problem {
        stage.api.post(&format!("{path}/rotate-secret"), &body).await.expect_err("refused").problem()
    };
    for (body, pointer) in [
        (json!({ "overlap_ms": 2_592_000_001_u64 }), "/overlap_ms"),
        (json!({ "overlap_ms": -1 }), "/overlap_ms"),
        (json!({ "overlap": 0 }), "/overlap"),
        (json!({ "signing_secret": "hunter2" }), "/signing_secret"),
        (json!({ "signing_secret": webhook.signing_secret }), "/signing_secret"),
    ] {
        let problem = refused(body.clone()).await;
        assert_eq!((problem.status, problem.pointers()), (422, vec![pointer]), "{body}: {problem:?}");
    }
    let missing = "/webhooks/whk_00000000000070008000000000000009/rotate-secret";
    assert_eq!(stage.api.post(missing, &json!({})).await.expect_err("none").problem().status, 404);

    // One that is brought, for as long as can be.
    let own = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let body = json!({ "signing_secret": own, "overlap_ms": 2_592_000_000_u64 });
    assert_eq!(rotate(&stage, &webhook.id, &body).await, own);
    let shown = stage.api.get(&path).await.expect("the webhook").body;
    assert!(!shown.to_string().contains("whsec_") && !shown.to_string().contains(&own[6..]), "{shown:#}");
    let keys = shown["signing_keys"].as_array().expect("keys");
    assert_eq!((keys.len(), &keys[0]["expires_at"]), (2, &Value::Null), "{shown:#}");
    assert!(keys[1]["expires_at"].is_string() && keys[1]["created_at"] == shown["created_at"], "{shown:#}");
    // The old one again: what was given out by mistake can be taken back.
    assert_eq!(rotate(&stage, &webhook.id, &json!({ "signing_secret": webhook.signing_secret })).await.len(), 50);

    for _ in 0..3 {
        rotate(&stage, &webhook.id, &json!({})).await;
    }
    let problem = refused(json!({})).await;
    assert_eq!((problem.status, problem.code.as_str()), (409, "wrong_state"), "five keys sign: {problem:?}");
    let last = rotate(&stage, &webhook.id, &json!({ "overlap_ms": 0 })).await;
    stage.api.publish("ticket.created", json!({})).await;
    let request = stage.receiver.wait("/hook", 1).await;
    request.verify(&last).expect("the newest key signs");
    assert_eq!(signatures(&request), 1);

    // A patch keeps the keys.
    stage.api.patch(&path, &json!({ "name": "x" })).await.expect("patched");
    stage.api.publish("ticket.created", json!({})).await;
    stage.receiver.wait("/hook", 2).await.verify(&last).expect("the same key");
}

#[tokio::test]
async fn a_rotation_is_refused_when_the_webhook_has_changed_meanwhile() {
    let stage = Stage::open().await;
    let webhook = stage.api.register(&json!({ "url": stage.receiver.url("/hook"), "events": ["*"] })).await;
    let path = format!("/webhooks/{}/rotate-secret", webhook.id);
    let with = async |tag: &str| stage.api.post_with(&path, &[("if-match", tag)], Vec::new()).await;
    assert_eq!(with("\"7\"").await.expect_err("another version").problem().status, 412);
    assert_eq!(with("\"1\"").await.expect("this version").status, 200);
    assert_eq!(with("\"1\"").await.expect_err("it has changed").problem().status, 412);
}

const TOKEN: &str = "t0ken &=+ ü";

#[tokio::test]
async fn b2_a_token_inside_the_payload_is_checked_by_the_consumer_and_seen_by_nobody_else() {
    let stage = Stage::open().await;
    for (name, choice) in [
        ("json", json!({})),
        ("form", json!({ "content_type": "form" })),
        ("raw-form", json!({ "content_type": "form", "envelope": "raw" })),
    ] {
        let (path, kind) = (format!("/{name}"), format!("lead.{name}"));
        stage.receiver.on(&path, [Reply::echo()]);
        let mut webhook = json!({ "url": stage.receiver.url(&path), "events": [kind], "body_token": TOKEN });
        webhook.as_object_mut().expect("an object").extend(choice.as_object().expect("an object").clone());
        let webhook = stage.api.register(&webhook).await;
        let delivery = stage.api.publish_one(&kind, json!({ "lead": { "name": "Ada" } })).await;
        let request = stage.receiver.wait(&path, 1).await;
        if name == "json" {
            let body = request.json();
            let keys: Vec<_> = body.as_object().expect("an object").keys().map(String::as_str).collect();
            assert_eq!(keys, ["type", "timestamp", "token", "data"]);
            assert_eq!((&body["token"], &body["data"]["lead"]["name"]), (&json!(TOKEN), &json!("Ada")));
        } else {
            let fields: Vec<(String, String)> = form(request.text());
            let [(payload, json), (token, value)] = fields.as_slice() else { panic!("{fields:?}") };
            assert_eq!((payload.as_str(), token.as_str(), value.as_str()), ("payload", "token", TOKEN));
            assert!(json.contains("Ada") && !json.contains("token"), "{json}");
        }
        request.verify(&webhook.signing_secret).expect("signed with the token in it");

        let settled = stage.api.settled(&delivery.id).await;
        assert_eq!(settled.status, "succeeded", "{settled:#?}");
        let body = settled.request().body.as_str().expect("a body");
        assert!(body.contains("[secret:body_token]") && body.contains("Ada"), "{body}");
        let echoed = settled.attempt().response_body.as_deref().expect("an answer");
        assert!(echoed.contains("[secret:body_token]"), "{echoed}");
        let shown = stage.api.get(&format!("/webhooks/{}", webhook.id)).await.expect("the webhook").body;
        assert_eq!(shown["body_token"], json!("••••"));
        for text in [format!("{settled:?}"), shown.to_string()] {
            assert!(!text.contains("t0ken"), "{text}");
        }
    }
}

/// The fields of a form.
fn form(text: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let text = text.replace('+', "%20");
        percent_encoding::percent_decode_str(&text).decode_utf8().expect("UTF-8").into_owned()
    };
    let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (decode(name), decode(value))).expect("a pair");
    text.split('&').map(pair).collect()
}

#[tokio::test]
async fn a_token_in_the_body_can_be_changed_and_taken_away_and_needs_a_place() {
    let stage = Stage::open().await;
    let hook = json!({ "url": stage.receiver.url("/hook"), "events": ["*"] });
    let with = |more: Value| {
        let mut hook = hook.clone();
        hook.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        hook
    };
    for more in [
        json!({ "body_token": "token", "envelope": "raw" }),
        json!({ "body_token": "" }),
        json!({ "body_token": "••••" }),
    ] {
        let problem = stage.api.post("/webhooks", &with(more.clone())).await.expect_err("refused").problem();
        assert_eq!((problem.status, problem.pointers()), (422, vec!["/body_token"]), "{more}");
    }
    let webhook = stage.api.register(&with(json!({ "body_token": "first-token" }))).await;
    let path = format!("/webhooks/{}", webhook.id);
    let problem = stage.api.patch(&path, &json!({ "envelope": "raw" })).await.expect_err("no place").problem();
    assert_eq!(problem.pointers(), ["/body_token"]);
    for (n, (change, token)) in (1..).zip([
        (json!({ "body_token": "second-token" }), json!("second-token")),
        (json!({ "name": "kept" }), json!("second-token")),
        (json!({ "body_token": null }), Value::Null),
    ]) {
        stage.api.patch(&path, &change).await.expect("patched");
        stage.api.publish("ticket.created", json!({})).await;
        assert_eq!(stage.receiver.wait("/hook", n).await.json()["token"], token, "{change}");
    }
    let revisions = stage.api.list(&format!("{path}/revisions")).await;
    let shown: Vec<_> = revisions.iter().map(|revision| revision["body_token"].as_bool().expect("yes or no")).collect();
    assert_eq!(shown, [false, true], "whether there is a token is fixed with a delivery, which one is not");

    // Another host gets nothing that was entrusted to this one.
    stage.api.patch(&path, &json!({ "body_token": "third-token" })).await.expect("patched");
    let elsewhere = hookwright_tests::receiver::Receiver::start().await;
    let moved = stage.api.patch(&path, &json!({ "url": elsewhere.url("/hook") })).await.expect("moved").body;
    assert_eq!(moved["body_token"], Value::Null);
    stage.api.publish("ticket.created", json!({})).await;
    assert_eq!(elsewhere.wait("/hook", 1).await.json().get("token"), None);
}

#[tokio::test]
async fn a_key_that_is_revoked_on_one_node_signs_nothing_on_the_other() {
    let stage = Stage::on(Installation::on_postgres().await).await;
    let second = stage.server.second().start().await;
    let webhook = stage.api.register(&json!({ "url": stage.receiver.url("/hook"), "events": ["*"] })).await;
    let new = rotate(&stage, &webhook.id, &json!({ "overlap_ms": 0 })).await;
    // Within a second; matched with what it knows by then.
    let other = second.api();
    let mut sent = 0;
    eventually(Duration::from_secs(5), "the other node signs with the new key only", async || {
        sent += 1;
        other.publish("ticket.created", json!({})).await;
        let request = stage.receiver.wait("/hook", sent).await;
        (request.verify(&new).is_ok() && request.verify(&webhook.signing_secret).is_err()).then_some(())
    })
    .await;
}
