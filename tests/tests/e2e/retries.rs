//! What is sent again, when, and what the log says about each attempt.

use std::{sync::Arc, time::Duration};

use hookwright_tests::{
    api::Delivery,
    eventually::eventually,
    guest::{Forge, Output, Request},
    receiver::{Receiver, Recorded, Reply},
    server::Installation,
    stage::Stage,
};
use serde_json::{Value, json};

/// Sends one event to a receiver that answers by script.
async fn deliver(stage: &Stage, script: impl IntoIterator<Item = Reply>, options: Value) -> Delivery {
    stage.receiver.on("/hook", script);
    let mut webhook = json!({ "url": stage.receiver.url("/hook"), "events": ["*"], "retry": [0, 50, 50] });
    let Value::Object(options) = options else { panic!("options are an object") };
    webhook.as_object_mut().expect("an object").extend(options);
    let webhook = stage.api.register(&webhook).await;
    let delivery = stage.api.publish_one("ticket.created", json!({ "n": 1 })).await;
    let settled = stage.api.settled(&delivery.id).await;

    let sent = stage.receiver.all();
    assert_eq!(settled.request().attempts.len(), sent.len(), "every attempt is recorded: {settled:#?}");
    for (number, (attempt, sent)) in (1..).zip(settled.request().attempts.iter().zip(&sent)) {
        assert_eq!(attempt.number, number);
        assert_eq!(sent.header("webhook-id"), settled.request().id, "a repeat keeps its id");
        assert_eq!(sent.body, stage.receiver.all()[0].body, "a repeat keeps its body");
        sent.verify(&webhook.signing_secret).expect("every attempt is signed");
        assert_eq!(attempt.request_headers.get("webhook-signature"), Some(sent.header("webhook-signature")));
    }
    settled
}

/// The time between two attempts; 1 ms more for the server's times, which are whole milliseconds.
fn waited(sent: &[Arc<Recorded>]) -> Duration {
    sent[1].at - sent[0].at + Duration::from_millis(1)
}

/// A first attempt that failed in a way that a second one mended.
fn mended(delivery: &Delivery, status_code: Option<u16>, class: &str) {
    assert_eq!(delivery.status, "succeeded", "{delivery:#?}");
    let [failed, succeeded] = delivery.request().attempts.as_slice() else { panic!("{delivery:#?}") };
    assert_eq!((failed.status_code, succeeded.status_code), (status_code, Some(200)));
    assert_ne!(failed.outcome, succeeded.outcome);
    assert_eq!((succeeded.outcome.as_str(), &succeeded.error_class), ("succeeded", &None));
    assert_eq!(failed.error_class.as_deref(), Some(class), "{delivery:#?}");
}

#[tokio::test]
async fn a_server_error_is_retried() {
    let stage = Stage::open().await;
    let delivery = deliver(&stage, [Reply::status(500).body("oh"), Reply::ok()], json!({})).await;
    mended(&delivery, Some(500), "status");
    assert_eq!(delivery.request().attempts[0].response_body.as_deref(), Some("oh"));
    let sent = stage.receiver.all();
    // The schedule's 50 ms with at most 20 % of jitter.
    assert!(waited(&sent) >= Duration::from_millis(40));
}

/// Without a plugin only 2xx is success and nothing is final (but 410, which disables); with one, what the receiver will
/// never take is final.
#[tokio::test]
async fn each_status_is_retried_or_final_with_and_without_a_plugin() {
    const ALWAYS_RETRIED: [u16; 7] = [302, 401, 403, 408, 425, 429, 500];
    const FINAL_WITH_A_PLUGIN: [u16; 7] = [400, 404, 405, 409, 413, 415, 422];
    let stage = Stage::open().await;
    let plugin = Forge::new("plain").returns(&Output::Deliver(vec![Request::default()])).component();
    let plugin = stage.api.install(plugin).await;
    for status in ALWAYS_RETRIED.into_iter().chain(FINAL_WITH_A_PLUGIN) {
        for with_plugin in [false, true] {
            let name = format!("status-{status}.{with_plugin}");
            let path = format!("/{name}");
            stage.receiver.on(&path, [Reply::status(status), Reply::ok()]);
            let mut webhook = json!({ "url": stage.receiver.url(&path), "events": [name], "retry": [0, 10] });
            if with_plugin {
                webhook["plugin"] = json!({ "name": plugin.name, "version": plugin.version, "config": {} });
            }
            stage.api.register(&webhook).await;
            let delivery = stage.api.publish_one(&name, json!({})).await;
            let settled = stage.api.settled(&delivery.id).await;
            let is_final = with_plugin && FINAL_WITH_A_PLUGIN.contains(&status);
            let expected = if is_final { ("failed", 1) } else { ("succeeded", 2) };
            let became = (settled.status.as_str(), settled.request().attempts.len());
            assert_eq!(became, expected, "{status}, with a plugin: {with_plugin}");
        }
    }
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let stage = Stage::open().await;
    let busy = Reply::status(503).header("retry-after", "2");
    let delivery = deliver(&stage, [busy, Reply::ok()], json!({})).await;
    mended(&delivery, Some(503), "status");
    let sent = stage.receiver.all();
    assert!(waited(&sent) >= Duration::from_secs(2), "{:?}", waited(&sent));
}

#[tokio::test]
async fn a_timeout_is_retried() {
    let stage = Stage::open().await;
    let delivery = deliver(&stage, [Reply::hang(), Reply::ok()], json!({ "timeout_ms": 300 })).await;
    mended(&delivery, None, "timeout");
    assert!(delivery.request().attempts[0].duration_ms >= 299.0, "{delivery:#?}");
}

#[tokio::test]
async fn a_cut_connection_is_retried() {
    let stage = Stage::open().await;
    let delivery = deliver(&stage, [Reply::cut(), Reply::ok()], json!({})).await;
    mended(&delivery, None, "connection_lost");
}

#[tokio::test]
async fn a_refused_connection_is_retried_until_the_schedule_ends() {
    let stage = Stage::open().await;
    // Bound and released: nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("its address"));
    drop(listener);
    stage.api.register(&json!({ "url": url, "events": ["*"], "retry": [0, 10] })).await;
    let delivery = stage.api.publish_one("ticket.created", json!({})).await;
    let settled = stage.api.settled(&delivery.id).await;
    assert_eq!((settled.status.as_str(), settled.request().attempts.len()), ("failed", 2), "{settled:#?}");
    for attempt in &settled.request().attempts {
        assert_eq!(attempt.status_code, None);
        assert!(attempt.error_class.as_deref().is_some_and(|class| class == "connect"), "{attempt:#?}");
    }
}

#[tokio::test]
async fn a_list_ends_in_failure_after_its_last_attempt() {
    let stage = Stage::open().await;
    let delivery = deliver(&stage, [Reply::status(500)], json!({ "retry": [0, 20, 20] })).await;
    exhausted(&delivery, 3);
}

#[tokio::test]
async fn an_exponential_schedule_ends_as_well() {
    let stage = Stage::open().await;
    let retry = json!({ "initial_ms": 20, "factor": 2, "max_ms": 100, "attempts": 4 });
    let delivery = deliver(&stage, [Reply::status(502)], json!({ "retry": retry })).await;
    exhausted(&delivery, 4);
}

fn exhausted(delivery: &Delivery, attempts: usize) {
    assert_eq!((delivery.status.as_str(), delivery.request().status.as_str()), ("failed", "failed"));
    assert_eq!(delivery.request().attempts.len(), attempts);
    for attempt in &delivery.request().attempts {
        assert_ne!(attempt.outcome, "succeeded", "{attempt:#?}");
        assert!(attempt.error_class.is_some(), "{attempt:#?}");
    }
}

#[tokio::test]
async fn a_retry_that_waits_outlives_a_restart() {
    let receiver = Receiver::start().await;
    receiver.on("/hook", [Reply::status(500), Reply::ok()]);
    let server = Installation::new().start().await;
    let api = server.api();
    api.register(&json!({ "url": receiver.url("/hook"), "events": ["*"], "retry": [0, 2_000] })).await;
    let delivery = api.publish_one("ticket.created", json!({})).await;
    eventually(Duration::from_secs(10), "the first attempt is recorded", async || {
        (api.delivery(&delivery.id).await.status == "retrying").then_some(())
    })
    .await;

    let server = server.stop().await.start().await;
    let settled = server.api().settled(&delivery.id).await;
    assert_eq!((settled.status.as_str(), settled.request().attempts.len()), ("succeeded", 2), "{settled:#?}");
    let sent = receiver.wait_for(2, |request| request.path == "/hook").await;
    // 2 s with at most 20 % of jitter: a restart is no reason to come early.
    assert!(waited(&sent) >= Duration::from_millis(1_600), "{:?}", waited(&sent));
}

#[tokio::test]
async fn a_dead_receiver_does_not_hold_up_another() {
    let stage = Stage::open().await;
    stage.receiver.on("/dead", [Reply::hang()]);
    for path in ["/dead", "/alive"] {
        let webhook = json!({ "url": stage.receiver.url(path), "events": ["*"], "timeout_ms": 20_000 });
        stage.api.register(&webhook).await;
    }
    for n in 0..100 {
        stage.api.publish("ticket.created", json!({ "n": n })).await;
    }
    // Sooner than the first of the hundred timeouts next door.
    stage.receiver.follow(Duration::from_secs(15), |_| (stage.receiver.count("/alive") == 100).then_some(())).await;
}
