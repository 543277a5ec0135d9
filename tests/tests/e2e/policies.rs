//! What answers lead to: a webhook that is disabled, that pauses, that slows down, and requests that wait for a person.

use std::time::Duration;

use hookwright_tests::{
    api::Delivery,
    eventually::eventually,
    guest::{Forge, Output, Request},
    receiver::Reply,
    server::Installation,
    stage::Stage,
};
use serde_json::{Value, json};

async fn webhook(stage: &Stage, id: &str) -> Value {
    stage.api.get(&format!("/webhooks/{id}")).await.expect("the webhook").body
}

async fn deliver(stage: &Stage, kind: &str) -> Delivery {
    let delivery = stage.api.publish_one(kind, json!({})).await;
    stage.api.settled(&delivery.id).await
}

#[tokio::test]
async fn gone_at_the_webhooks_own_url_disables_it_and_holds_what_is_open() {
    let stage = Stage::open().await;
    stage.receiver.on("/hook", [Reply::status(500), Reply::status(410), Reply::ok()]);
    let hook = json!({ "url": stage.receiver.url("/hook"), "events": ["ticket.*"], "retry": [0, 3_600_000] });
    let id = stage.api.register(&hook).await.id;
    let open = stage.api.publish_one("ticket.created", json!({})).await;
    stage.receiver.wait("/hook", 1).await;
    let gone = deliver(&stage, "ticket.created").await;
    assert_eq!((gone.status.as_str(), gone.attempt().status_code), ("failed", Some(410)), "{gone:#?}");
    let shown = webhook(&stage, &id).await;
    assert_eq!(shown["enabled"], json!(false), "{shown:#}");
    assert!(shown["disabled_reason"].as_str().is_some_and(|reason| reason.contains("410")), "{shown:#}");
    assert_eq!(deliver(&stage, "ticket.created").await.status, "skipped");
    assert_eq!(stage.api.delivery(&open.id).await.status, "retrying");
    assert_eq!(stage.receiver.count("/hook"), 2);
    stage.api.patch(&format!("/webhooks/{id}"), &json!({ "enabled": true })).await.expect("enabled");
    assert_eq!(stage.api.settled(&open.id).await.status, "succeeded");
}

#[tokio::test]
async fn gone_below_the_webhooks_url_is_final_for_that_request_only() {
    let stage = Stage::open().await;
    let request = |path: &str| Request { path: vec![path.to_owned()], ..Request::default() };
    let plugin = Forge::new("below").returns(&Output::Deliver(vec![request("gone"), request("there")]));
    let plugin = stage.api.install(plugin.component()).await;
    stage.receiver.on("/api/gone", [Reply::status(410)]);
    let hook = json!({
        "url": stage.receiver.url("/api"), "events": ["*"], "retry": [0, 10],
        "plugin": { "name": plugin.name, "version": plugin.version },
    });
    let id = stage.api.register(&hook).await.id;
    let delivery = deliver(&stage, "ticket.created").await;
    let statuses: Vec<_> = delivery.requests.iter().map(|request| request.status.as_str()).collect();
    assert_eq!((delivery.status.as_str(), statuses), ("failed", vec!["failed", "succeeded"]));
    assert_eq!(delivery.requests[0].attempts.len(), 1, "no repetition would change it");
    assert_eq!(webhook(&stage, &id).await["enabled"], json!(true));
}

/// Three failed deliveries without a success disable a webhook here, and they need not be far apart.
async fn soon_given_up(installation: Installation) -> Stage {
    let installation = installation
        .env("HOOKWRIGHT_DELIVERY_DISABLE_AFTER_MS", "1")
        .env("HOOKWRIGHT_DELIVERY_DISABLE_AFTER_FAILURES", "3")
        .env("HOOKWRIGHT_DELIVERY_SLOW_DOWN_MAX_MS", "0");
    Stage::on(installation).await
}

async fn given_up(installation: Installation) {
    let stage = soon_given_up(installation).await;
    let fails = [Reply::status(404), Reply::status(401)];
    let replies = fails.iter().cloned().chain([Reply::ok()]).chain(std::iter::repeat_n(Reply::status(500), 3));
    stage.receiver.on("/hook", replies);
    let hook = json!({ "url": stage.receiver.url("/hook"), "events": ["ticket.*"], "retry": [0] });
    let id = stage.api.register(&hook).await.id;
    let told = json!({ "url": stage.receiver.url("/told"), "events": ["hookwright.webhook.disabled"] });
    stage.api.register(&told).await;
    for (status, enabled) in
        [("failed", true), ("failed", true), ("succeeded", true), ("failed", true), ("failed", true), ("failed", false)]
    {
        assert_eq!(deliver(&stage, "ticket.created").await.status, status);
        // Its result is there before the webhook is disabled for it.
        if !enabled {
            stage.receiver.wait("/told", 1).await;
        }
        assert_eq!(webhook(&stage, &id).await["enabled"], json!(enabled), "a success begins the count anew");
    }
    let reason = webhook(&stage, &id).await["disabled_reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("nothing has arrived since") && reason.contains("3 deliveries"), "{reason}");
    let event = stage.receiver.wait("/told", 1).await.json();
    assert_eq!((&event["data"]["webhook"]["id"], &event["data"]["reason"]), (&json!(id), &json!(reason)));

    // Who enables it gives it another chance.
    stage.api.patch(&format!("/webhooks/{id}"), &json!({ "enabled": true })).await.expect("enabled");
    for _ in 0..2 {
        assert_eq!(deliver(&stage, "ticket.created").await.status, "failed");
    }
    assert_eq!(webhook(&stage, &id).await["enabled"], json!(true));
    assert_eq!(stage.receiver.count("/told"), 1);
}

#[tokio::test]
async fn auto_disable_when_nothing_arrives_and_enough_has_failed() {
    given_up(Installation::new()).await;
}

#[tokio::test]
async fn auto_disable_when_nothing_arrives_and_enough_has_failed_on_postgres() {
    given_up(Installation::on_postgres().await).await;
}

#[tokio::test]
async fn auto_disable_takes_its_time() {
    let installation = Installation::new().env("HOOKWRIGHT_DELIVERY_DISABLE_AFTER_MS", "3600000");
    let stage = Stage::on(installation.env("HOOKWRIGHT_DELIVERY_DISABLE_AFTER_FAILURES", "1")).await;
    stage.receiver.on("/hook", [Reply::status(404)]);
    let hook = json!({ "url": stage.receiver.url("/hook"), "events": ["*"], "retry": [0] });
    let id = stage.api.register(&hook).await.id;
    for _ in 0..15 {
        assert_eq!(deliver(&stage, "ticket.created").await.status, "failed");
    }
    assert_eq!(webhook(&stage, &id).await["enabled"], json!(true), "an hour has not passed");
}

#[tokio::test]
async fn what_persons_send_does_not_disable_and_shows_that_the_receiver_is_back() {
    let stage = soon_given_up(Installation::new()).await;
    stage.receiver.on("/hook", [Reply::status(404)]);
    let hook = json!({ "url": stage.receiver.url("/hook"), "events": ["ticket.*"], "retry": [0] });
    let id = stage.api.register(&hook).await.id;
    let by_hand = async |what: &str| stage.api.post(&format!("/webhooks/{id}/{what}"), &json!({})).await.expect("sent");
    for what in ["test", "trigger", "test", "trigger"] {
        assert_eq!(by_hand(what).await.body["status"], "failed");
    }
    for _ in 0..2 {
        assert_eq!(deliver(&stage, "ticket.created").await.status, "failed");
    }
    assert_eq!(webhook(&stage, &id).await["enabled"], json!(true));
    stage.receiver.on("/hook", [Reply::ok(), Reply::status(404)]);
    assert_eq!(by_hand("trigger").await.body["status"], "succeeded");
    for _ in 0..2 {
        assert_eq!(deliver(&stage, "ticket.created").await.status, "failed");
    }
    assert_eq!(webhook(&stage, &id).await["enabled"], json!(true), "counted anew");
}

#[tokio::test]
async fn a_receiver_that_says_for_how_long_gets_nothing_of_the_webhook_for_so_long() {
    let stage = Stage::open().await;
    let busy = Reply::status(429).header("retry-after", "2");
    stage.receiver.on("/hook", [busy, Reply::ok()]);
    let hook = json!({ "url": stage.receiver.url("/hook"), "events": ["*"], "retry": [0, 0] });
    let id = stage.api.register(&hook).await.id;
    stage.api.publish("ticket.created", json!({ "n": 0 })).await;
    let first = stage.receiver.wait("/hook", 1).await;
    eventually(Duration::from_secs(10), "its requests pause", async || {
        (webhook(&stage, &id).await["breaker"]["state"] == "open").then_some(())
    })
    .await;
    for n in 1..5 {
        stage.api.publish("ticket.created", json!({ "n": n })).await;
    }
    let arrived = stage.receiver.wait_for(6, |request| request.path == "/hook").await;
    let waited = arrived[1].at - first.at;
    assert!(waited >= Duration::from_millis(1990), "{waited:?}");
    stage.api.all_settled().await;
    for delivery in stage.api.list("/deliveries").await {
        assert_eq!(delivery["status"], "succeeded", "{delivery:#}");
    }
}

#[tokio::test]
async fn a_receiver_that_answers_5xx_gets_more_time_between_requests() {
    let stage = Stage::on(
        Installation::new()
            .env("HOOKWRIGHT_DELIVERY_BREAKER_FAILURES", "0")
            .env("HOOKWRIGHT_DELIVERY_SLOW_DOWN_MAX_MS", "300"),
    )
    .await;
    // Four in a row: 50, 100, 200, 300 ms; then it is well again.
    stage.receiver.on("/hook", std::iter::repeat_n(Reply::status(502), 4).chain([Reply::ok()]));
    let hook =
        json!({ "url": stage.receiver.url("/hook"), "events": ["*"], "retry": [0, 0, 0, 0, 0], "order": "strict" });
    stage.api.register(&hook).await;
    let events: Vec<_> = (0..12).map(|n| json!({ "type": "ticket.created", "payload": { "n": n } })).collect();
    stage.api.post("/events", &json!(events)).await.expect("taken");
    let arrived = stage.receiver.wait_for(16, |request| request.path == "/hook").await;
    let gap = |number: usize| (arrived[number].at - arrived[number - 1].at).as_millis();
    for (number, least) in [(1, 50), (2, 100), (3, 200), (4, 300)] {
        assert!(gap(number) + 10 >= least, "{} ms before the request {number}", gap(number));
    }
    let last = (arrived[15].at - arrived[9].at).as_millis();
    assert!(last < 6 * 150, "when it is well it gets them as before: {last} ms for six");
}

#[tokio::test]
async fn what_may_have_arrived_is_held_for_a_person_when_the_webhook_wants_that() {
    let stage = Stage::open().await;
    stage.receiver.on("/hook", [Reply::cut(), Reply::ok()]);
    let hook = json!({
        "url": stage.receiver.url("/hook"), "events": ["ticket.*"], "retry": [0, 10, 10], "on_uncertain": "hold",
    });
    stage.api.register(&hook).await;
    let held = deliver(&stage, "ticket.created").await;
    assert_eq!((held.status.as_str(), held.request().status.as_str()), ("held", "held"), "{held:#?}");
    assert!(held.reason.as_deref().is_some_and(|reason| reason.contains("a person decides")), "{held:#?}");
    assert_eq!(
        (held.attempt().outcome.as_str(), held.attempt().error_class.as_deref()),
        ("uncertain", Some("connection_lost"))
    );
    assert_eq!(stage.api.list("/deliveries?status=held").await.len(), 1);
    // A later event drives out what might still be under way.
    assert_eq!(deliver(&stage, "ticket.updated").await.status, "succeeded");
    assert_eq!(stage.api.delivery(&held.id).await.request().attempts.len(), 1);

    // What surely did not arrive is tried again.
    stage.receiver.on("/hook", [Reply::status(503), Reply::ok()]);
    assert_eq!(deliver(&stage, "ticket.created").await.status, "succeeded");
}
