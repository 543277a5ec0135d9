//! Order, rate limits, the breaker, and room that is shared fairly.

use std::time::Duration;

use hookwright_tests::{
    api::Api,
    receiver::{Receiver, Recorded, Reply},
    server::Installation,
    stage::Stage,
};
use serde_json::{Value, json};

/// Posts events with a subject and a number, all in one array.
async fn publish(api: &Api, events: impl IntoIterator<Item = (&'static str, usize)>) {
    let event = |(subject, n)| json!({ "type": "ticket.updated", "subject": subject, "payload": { "n": n } });
    let events: Vec<Value> = events.into_iter().map(event).collect();
    api.post("/events", &json!(events)).await.expect("events are taken");
}

/// The numbers of the events of requests that arrived, in their order.
fn numbers<'a>(arrived: impl IntoIterator<Item = &'a Recorded>) -> Vec<u64> {
    arrived.into_iter().map(|request| request.json()["data"]["n"].as_u64().expect("a number")).collect()
}

async fn strict_order(installation: Installation) {
    let receiver = Receiver::start().await;
    let server = installation.start().await;
    let api = server.api();
    // The first fails twice: all others wait for it.
    receiver.on("/strict", [Reply::status(500), Reply::status(500), Reply::ok()]);
    let webhook = json!({
        "url": receiver.url("/strict"), "events": ["*"], "order": "strict", "retry": [0, 50, 50],
    });
    api.register(&webhook).await;
    publish(&api, (0..30).map(|n| ("PAY-1", n))).await;
    publish(&api, (30..40).map(|n| ("PAY-2", n))).await;
    receiver.wait("/strict", 42).await;
    let arrived = receiver.all();
    let expected: Vec<u64> = [0, 0].into_iter().chain(0..40).collect();
    assert_eq!(numbers(arrived.iter().map(|request| &**request)), expected);
    assert!(arrived.windows(2).all(|pair| pair[0].at <= pair[1].at));
}

#[tokio::test]
async fn a_strict_webhook_gets_its_events_in_the_order_in_which_they_were_posted() {
    strict_order(Installation::new()).await;
}

#[tokio::test]
async fn a_strict_webhook_gets_its_events_in_order_on_postgres() {
    strict_order(Installation::on_postgres().await).await;
}

#[tokio::test]
async fn order_by_subject_holds_back_only_what_is_about_the_same() {
    let stage = Stage::open().await;
    stage.receiver.when(|request| request.json()["data"]["n"] == 0, [Reply::status(503), Reply::ok()]);
    let webhook = json!({
        "url": stage.receiver.url("/hook"), "events": ["*"], "order": "subject", "retry": [0, 400],
    });
    stage.api.register(&webhook).await;
    publish(&stage.api, [("A", 0), ("A", 1), ("B", 2), ("B", 3), ("A", 4)]).await;
    stage.receiver.wait("/hook", 6).await;
    let arrived = numbers(stage.receiver.all().iter().map(|request| &**request));
    let of = |wanted: &[u64]| arrived.iter().copied().filter(|n| wanted.contains(n)).collect::<Vec<_>>();
    assert_eq!((of(&[0, 1, 4]), of(&[2, 3])), (vec![0, 0, 1, 4], vec![2, 3]));
    let last_of_b = arrived.iter().position(|n| *n == 3);
    assert!(last_of_b < arrived.iter().rposition(|n| *n == 0), "B does not wait for A: {arrived:?}");
}

#[tokio::test]
async fn a_delivery_waits_for_an_earlier_one_no_longer_than_order_wait() {
    let stage = Stage::open().await;
    stage.receiver.when(|request| request.json()["data"]["n"] == 0, [Reply::status(503)]);
    let webhook = json!({
        "url": stage.receiver.url("/hook"), "events": ["*"], "order": "strict", "order_wait_ms": 300,
        "retry": [0, 3_600_000],
    });
    stage.api.register(&webhook).await;
    publish(&stage.api, [("A", 0), ("A", 1)]).await;
    stage.receiver.wait("/hook", 2).await;
    let arrived = stage.receiver.all();
    assert_eq!(numbers(arrived.iter().map(|request| &**request)), [0, 1]);
    assert!(arrived[1].at - arrived[0].at >= Duration::from_millis(200), "{:?}", arrived[1].at - arrived[0].at);
}

#[tokio::test]
async fn order_holds_across_a_crash() {
    let receiver = Receiver::start().await;
    let server = Installation::new().start().await;
    let api = server.api();
    api.register(&json!({ "url": receiver.url("/strict"), "events": ["*"], "order": "strict" })).await;
    publish(&api, (0..200).map(|n| ("A", n))).await;
    receiver.wait("/strict", 20).await;
    let _server = server.kill().await.start().await;
    receiver.wait_for(1, |request| request.json()["data"]["n"] == 199).await;
    let arrived = numbers(receiver.all().iter().map(|request| &**request));
    assert!(arrived.is_sorted(), "a repeat is allowed, a step back is not: {arrived:?}");
    assert!(arrived.len() <= 201, "only the one that was on its way is repeated");
}

#[tokio::test]
async fn a_rate_limit_spreads_requests_and_uses_up_no_attempt() {
    let stage = Stage::open().await;
    let webhook = json!({
        "url": stage.receiver.url("/hook"), "events": ["*"], "rate_limit": { "requests": 10, "per_ms": 500 },
    });
    stage.api.register(&webhook).await;
    publish(&stage.api, (0..30).map(|n| ("A", n))).await;
    stage.receiver.wait("/hook", 30).await;
    let arrived = stage.receiver.all();
    for window in arrived.windows(12) {
        let took = window[11].at - window[0].at;
        // 12 requests are 11 gaps of 50 ms; what is sent on time may arrive late.
        assert!(took >= Duration::from_millis(450), "{took:?}");
    }
    stage.api.all_settled().await;
    for delivery in stage.api.list("/deliveries").await {
        let delivery = stage.api.delivery(delivery["id"].as_str().expect("an id")).await;
        assert_eq!((delivery.status.as_str(), delivery.request().attempts.len()), ("succeeded", 1));
    }
}

#[tokio::test]
async fn a_breaker_keeps_requests_from_a_receiver_that_fails_until_a_probe_succeeds() {
    let receiver = Receiver::start().await;
    let server = Installation::new()
        .env("HOOKWRIGHT_DELIVERY_BREAKER_FAILURES", "5")
        .env("HOOKWRIGHT_DELIVERY_BREAKER_PAUSE_MS", "600")
        .start()
        .await;
    let api = server.api();
    // Five failures open it; then the probe fails, the next one succeeds.
    receiver.on("/hook", std::iter::repeat_n(Reply::status(500), 6).chain([Reply::ok()]));
    let webhook = json!({
        "url": receiver.url("/hook"), "events": ["*"], "order": "strict", "retry": vec![0; 8],
    });
    api.register(&webhook).await;
    publish(&api, (0..20).map(|n| ("A", n))).await;
    receiver.wait("/hook", 26).await;
    let arrived = receiver.all();
    let gap = |number: usize| arrived[number].at - arrived[number - 1].at;
    assert!(gap(4) < Duration::from_millis(500), "{:?}", gap(4));
    assert!(gap(5) >= Duration::from_millis(599), "a pause, then a probe: {:?}", gap(5));
    assert!(gap(6) >= Duration::from_millis(1199), "a failed probe doubles the pause: {:?}", gap(6));
    api.all_settled().await;
    for delivery in api.list("/deliveries").await {
        assert_eq!(delivery["status"], "succeeded", "waiting for the breaker uses up no attempt: {delivery:#}");
    }
}

#[tokio::test]
async fn a_receiver_that_hangs_takes_nothing_from_the_others() {
    let receiver = Receiver::start().await;
    let server = Installation::new()
        .env("HOOKWRIGHT_DELIVERY_IN_HAND_MAX", "16")
        .env("HOOKWRIGHT_DELIVERY_IN_HAND_PER_WEBHOOK", "8")
        .env("HOOKWRIGHT_DELIVERY_IN_HAND_PER_TARGET", "8")
        .start()
        .await;
    let api = server.api();
    let hanging = Receiver::start().await;
    for path in ["/one", "/two", "/three"] {
        hanging.on(path, [Reply::hang()]);
        api.register(&json!({ "url": hanging.url(path), "events": ["*"], "timeout_ms": 60_000 })).await;
    }
    api.register(&json!({ "url": receiver.url("/fine"), "events": ["*"] })).await;
    publish(&api, (0..200).map(|n| ("A", n))).await;
    // Three webhooks of one target share eight places; the other target has the rest to itself.
    receiver.wait("/fine", 200).await;
    assert!(hanging.all().len() <= 8, "{}", hanging.all().len());
}
