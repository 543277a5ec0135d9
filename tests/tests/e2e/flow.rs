//! From an event to what the receiver gets, and to what the delivery log says about it.

use hookwright_tests::{
    receiver::{Receiver, Recorded, Reply},
    server::Installation,
    stage::Stage,
};
use serde_json::{Value, json};

#[tokio::test]
async fn an_event_arrives_signed() {
    let stage = Stage::open().await;
    let webhook =
        stage.api.register(&json!({ "url": stage.receiver.url("/hook?from=us"), "events": ["ticket.*"] })).await;
    assert!(webhook.signing_secret.starts_with("whsec_"), "{webhook:?}");

    let payload = json!({ "ticket": { "id": 42, "title": "Grüße, 世界", "labels": [] } });
    let event = json!({
        "type": "ticket.created",
        "payload": payload,
        "subject": "ticket-42",
        "occurred_at": "2026-01-31T12:00:00.250Z",
    });
    let answer = stage.api.post("/events", &event).await.expect("the event is accepted");
    assert_eq!(answer.status, 202);
    assert_eq!((&answer.body["type"], &answer.body["duplicate"]), (&json!("ticket.created"), &json!(false)));
    assert_eq!(answer.body["deliveries"][0]["webhook_id"], json!(webhook.id));

    let request = stage.receiver.wait("/hook", 1).await;
    assert_eq!((request.method.as_str(), request.query.as_deref()), ("POST", Some("from=us")));
    assert_eq!(request.header("content-type"), "application/json");
    assert!(request.header("webhook-id").starts_with("req_"), "{:?}", request.headers);
    let body = request.json();
    let keys: Vec<_> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["type", "timestamp", "data"]);
    assert_eq!((&body["type"], &body["data"]), (&json!("ticket.created"), &payload));
    let timestamp = body["timestamp"].as_str().expect("a timestamp");
    assert!(timestamp.starts_with("2026-01-31T12:00:00"), "{timestamp}");

    request.verify(&webhook.signing_secret).expect("the signature is right");
    let mut changed = request.body.to_vec();
    let last = changed.len() - 2;
    changed[last] ^= 1;
    let forged = Recorded { body: changed.into(), ..Recorded::clone(&request) };
    forged.verify(&webhook.signing_secret).expect_err("one changed byte");
}

#[tokio::test]
async fn one_event_reaches_every_webhook_that_matches() {
    let stage = Stage::open().await;
    for (path, pattern) in [("/exact", "ticket.created"), ("/prefix", "ticket.*"), ("/all", "*"), ("/not", "story.*")] {
        stage.api.register(&json!({ "url": stage.receiver.url(path), "events": [pattern] })).await;
    }
    let accepted = stage.api.publish("ticket.created", json!({ "n": 1 })).await;
    assert_eq!(accepted.deliveries.len(), 3, "{accepted:?}");
    for delivery in &accepted.deliveries {
        assert_eq!(stage.api.settled(&delivery.id).await.status, "succeeded");
    }
    let counts = ["/exact", "/prefix", "/all", "/not"].map(|path| stage.receiver.count(path));
    assert_eq!(counts, [1, 1, 1, 0]);
}

#[tokio::test]
async fn an_event_that_matches_nothing_makes_no_delivery() {
    let stage = Stage::open().await;
    stage.api.register(&json!({ "url": stage.receiver.url("/hook"), "events": ["ticket.*"] })).await;
    let accepted = stage.api.publish("tickets.created", json!({})).await;
    assert!(accepted.deliveries.is_empty(), "{accepted:?}");
    assert_eq!(stage.api.list(&format!("/deliveries?event_id={}", accepted.id)).await, [] as [Value; 0]);

    let event = stage.api.get(&format!("/events/{}", accepted.id)).await.expect("the event is kept");
    assert_eq!(event.body["type"], json!("tickets.created"));
}

#[tokio::test]
async fn a_disabled_webhook_records_a_skip_and_sends_nothing() {
    let stage = Stage::open().await;
    let hook = json!({ "url": stage.receiver.url("/hook"), "events": ["*"], "enabled": false });
    let webhook = stage.api.register(&hook).await;
    let accepted = stage.api.publish("ticket.created", json!({})).await;

    let recorded = stage.api.list(&format!("/webhooks/{}/deliveries", webhook.id)).await;
    assert_eq!(recorded.len(), 1, "{recorded:#?}");
    assert_eq!((&recorded[0]["status"], &recorded[0]["event_id"]), (&json!("skipped"), &json!(accepted.id)));

    stage.api.patch(&format!("/webhooks/{}", webhook.id), &json!({ "enabled": true })).await.expect("enabled");
    stage.api.publish_one("ticket.updated", json!({})).await;
    assert_eq!(stage.receiver.wait("/hook", 1).await.json()["type"], json!("ticket.updated"));
    assert_eq!(stage.receiver.count("/hook"), 1);
}

#[tokio::test]
async fn a_test_is_answered_with_its_result() {
    let stage = Stage::open().await;
    stage.receiver.on("/hook", [Reply::status(500).body("not today"), Reply::ok()]);
    let hook = json!({ "url": stage.receiver.url("/hook"), "events": ["ticket.*"], "retry": [0, 10, 10] });
    let webhook = stage.api.register(&hook).await;
    let test = format!("/webhooks/{}/test", webhook.id);

    let failed = stage.api.post(&test, &json!({})).await.expect("a result");
    assert_eq!((failed.status, &failed.body["status"]), (200, &json!("failed")), "{:#}", failed.body);
    assert_eq!(failed.body["trigger"], json!("test"));
    assert_eq!(failed.body["requests"][0]["attempts"][0]["status_code"], json!(500));
    assert_eq!(failed.body["requests"][0]["attempts"][0]["response_body"], json!("not today"));

    let passed = stage.api.post(&test, &json!({})).await.expect("a result");
    assert_eq!(passed.body["status"], json!("succeeded"), "{:#}", passed.body);
    stage.receiver.wait("/hook", 2).await.verify(&webhook.signing_secret).expect("a test is signed");

    // A failed test is never repeated by itself, although the schedule would have allowed it by now.
    let failed = stage.api.delivery(failed.body["id"].as_str().expect("an id")).await;
    assert_eq!((failed.status.as_str(), failed.request().attempts.len()), ("failed", 1));
    assert_eq!(stage.receiver.count("/hook"), 2);
}

#[tokio::test]
async fn the_log_shows_what_went_over_the_wire() {
    let stage = Stage::open().await;
    stage.receiver.on("/hook", [Reply::status(201).header("x-answer", "made").body("thank you")]);
    let webhook = stage.api.register(&json!({ "url": stage.receiver.url("/hook"), "events": ["*"] })).await;
    let accepted = stage.api.publish("ticket.created", json!({ "n": 7 })).await;
    let delivery = stage.api.settled(&accepted.deliveries[0].id).await;

    assert_eq!(delivery.event_id.as_deref(), Some(accepted.id.as_str()));
    assert_eq!((delivery.webhook_id.as_str(), delivery.event_type.as_str()), (webhook.id.as_str(), "ticket.created"));
    assert_eq!((delivery.trigger.as_str(), delivery.status.as_str()), ("event", "succeeded"));
    let sent = stage.receiver.wait("/hook", 1).await;
    let request = delivery.request();
    assert_eq!((request.method.as_str(), request.status.as_str()), ("POST", "succeeded"));
    assert_eq!(request.id, sent.header("webhook-id"));
    assert_eq!(request.body.as_str().expect("the body as text").as_bytes(), sent.body);

    let [attempt] = request.attempts.as_slice() else { panic!("{delivery:#?}") };
    assert_eq!((attempt.number, attempt.status_code, attempt.truncated), (1, Some(201), false));
    assert_eq!(attempt.error_class, None);
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature", "content-type"] {
        assert_eq!(attempt.request_headers.get(name), Some(sent.header(name)), "{name}");
    }
    let headers = attempt.response_headers.as_ref().expect("the headers of the answer");
    assert_eq!(headers.get("x-answer"), Some("made"));
    assert_eq!(attempt.response_body.as_deref(), Some("thank you"));

    for path in [
        format!("/deliveries?webhook_id={}&event_id={}&status=succeeded", webhook.id, accepted.id),
        format!("/webhooks/{}/deliveries", webhook.id),
    ] {
        let items = stage.api.list(&path).await;
        assert_eq!(items.len(), 1, "{path}: {items:#?}");
        assert_eq!(items[0]["id"], json!(delivery.id), "{path}");
    }
    assert_eq!(stage.api.list("/deliveries?status=failed").await, [] as [Value; 0]);
}

#[tokio::test]
async fn bodies_can_be_a_form_or_raw() {
    let stage = Stage::open().await;
    for (path, choice) in [("/form", json!({ "content_type": "form" })), ("/raw", json!({ "envelope": "raw" }))] {
        let mut webhook = json!({ "url": stage.receiver.url(path), "events": ["*"] });
        webhook.as_object_mut().expect("an object").extend(choice.as_object().expect("an object").clone());
        stage.api.register(&webhook).await;
    }
    // Bytes as no serializer would write them, to see that `raw` passes them on as they are.
    let payload = r#"{ "a & b" :  1.50, "ü":"+" }"#;
    let event = format!(r#"{{"type":"ticket.created","payload":{payload}}}"#);
    stage.api.post_bytes("/events", "application/json", event.into_bytes()).await.expect("the event is accepted");

    assert_eq!(stage.receiver.wait("/raw", 1).await.text(), payload);
    let form = stage.receiver.wait("/form", 1).await;
    assert_eq!(form.header("content-type"), "application/x-www-form-urlencoded");
    let encoded = form.text().strip_prefix("payload=").expect("the field `payload`").replace('+', "%20");
    let decoded = percent_encoding::percent_decode_str(&encoded).decode_utf8().expect("UTF-8");
    let data = &serde_json::from_str::<Value>(&decoded).expect("JSON")["data"];
    assert_eq!(data, &json!({ "a & b": 1.5, "ü": "+" }));
}

#[tokio::test]
async fn an_endless_answer_is_cut_and_kept_short() {
    let stage = Stage::open().await;
    stage.receiver.on("/hook", [Reply::endless()]);
    let hook = json!({ "url": stage.receiver.url("/hook"), "events": ["*"], "retry": [0], "timeout_ms": 10_000 });
    stage.api.register(&hook).await;
    let delivery = stage.api.publish_one("ticket.created", json!({})).await;
    let settled = stage.api.settled(&delivery.id).await;
    assert_eq!(settled.status, "succeeded", "a 200 is a success however long its body: {settled:#?}");
    let attempt = &settled.request().attempts[0];
    assert!(attempt.truncated);
    assert!(attempt.response_body.as_ref().is_some_and(|body| (1..=16 * 1024).contains(&body.len())));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let stage = Stage::open().await;
    let elsewhere = Receiver::start().await;
    stage.receiver.on("/hook", [Reply::status(307).header("location", &elsewhere.url("/trap"))]);
    let hook = json!({ "url": stage.receiver.url("/hook"), "events": ["*"], "retry": [0, 10] });
    stage.api.register(&hook).await;
    let delivery = stage.api.publish_one("ticket.created", json!({})).await;
    let settled = stage.api.settled(&delivery.id).await;
    assert_eq!(settled.status, "failed", "{settled:#?}");
    assert_eq!(settled.request().attempts[0].status_code, Some(307));
    assert_eq!((stage.receiver.count("/hook"), elsewhere.all().len()), (2, 0));
}

#[tokio::test]
async fn the_way_through_is_the_same_on_postgres() {
    let stage = Stage::on(Installation::on_postgres().await).await;
    stage.receiver.on("/hook", [Reply::status(500), Reply::ok()]);
    let webhook = stage
        .api
        .register(&json!({ "url": stage.receiver.url("/hook"), "events": ["ticket.*"], "retry": [0, 10] }))
        .await;
    let delivery = stage.api.publish_one("ticket.created", json!({ "n": 7 })).await;
    let settled = stage.api.settled(&delivery.id).await;
    assert_eq!(settled.status, "succeeded", "{settled:#?}");
    assert_eq!(settled.request().attempts.len(), 2);
    for sent in stage.receiver.wait_for(2, |request| request.path == "/hook").await {
        sent.verify(&webhook.signing_secret).expect("the signature is right");
    }
}
