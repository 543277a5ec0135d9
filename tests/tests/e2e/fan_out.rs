//! Events that more webhooks want than are served in one commit.

use std::collections::{BTreeMap, BTreeSet};

use hookwright_tests::{
    api::Api,
    receiver::{Receiver, Recorded},
    server::Installation,
};
use serde_json::{Value, json};

const STEP: usize = 5;

fn narrow(installation: Installation) -> Installation {
    installation.env("HOOKWRIGHT_INGEST_FAN_OUT_STEP", &STEP.to_string())
}

/// Webhooks that want everything, each with a path of its own.
async fn register(api: &Api, receiver: &Receiver, options: impl Iterator<Item = Value>) {
    for (number, mut webhook) in options.enumerate() {
        webhook["url"] = json!(receiver.url(&format!("/hook/{number}")));
        webhook["events"] = json!(["*"]);
        api.register(&webhook).await;
    }
}

fn is_hook(request: &Recorded) -> bool {
    request.path.starts_with("/hook/")
}

async fn wide(installation: Installation) {
    let receiver = Receiver::start().await;
    let server = narrow(installation).start().await;
    let api = server.api();
    register(&api, &receiver, std::iter::repeat_n(json!({}), STEP)).await;
    let event = json!({ "type": "ticket.created", "payload": { "n": 1 } });
    let edge = api.post("/events", &event).await.expect("taken").body;
    assert_eq!(edge["deliveries"].as_array().map(Vec::len), Some(STEP));
    assert_eq!(edge["deliveries_to_come"], Value::Null, "as many as fit one commit: {edge}");
    receiver.wait_for(STEP, is_hook).await;

    register(&api, &receiver, std::iter::repeat_n(json!({}), STEP + 2)).await;
    let event = json!({ "type": "ticket.created", "payload": { "n": 2 }, "idempotency_key": "wide" });
    let taken = api.post("/events", &event).await.expect("taken").body;
    assert_eq!(taken["deliveries"].as_array().map(Vec::len), Some(STEP));
    assert_eq!(taken["deliveries_to_come"], STEP + 2, "{taken}");
    receiver.wait_for(3 * STEP + 2, is_hook).await;
    api.all_settled().await;
    let again = api.post("/events", &event).await.expect("taken").body;
    assert_eq!((again["duplicate"].clone(), again["deliveries"].as_array().map(Vec::len)), (json!(true), Some(12)));
    let ids: BTreeSet<String> = receiver.all().iter().map(|request| request.header("webhook-id").to_owned()).collect();
    assert_eq!((ids.len(), receiver.all().len()), (17, 17), "each once");
}

#[tokio::test]
async fn a_wide_event_reaches_every_webhook_once() {
    wide(Installation::new()).await;
}

#[tokio::test]
async fn a_wide_event_reaches_every_webhook_once_on_postgres() {
    wide(Installation::on_postgres().await).await;
}

#[tokio::test]
async fn the_steps_of_a_wide_event_go_on_after_a_crash() {
    let receiver = Receiver::start().await;
    let server = narrow(Installation::new()).start().await;
    register(&server.api(), &receiver, std::iter::repeat_n(json!({}), 14)).await;
    let installation = server.stop().await;
    let server = installation.env("FAILPOINTS", "after-fan-out-claim=1*off->return").start().await;
    // The answer may be lost with the server; the first five deliveries are on disk with the event.
    drop(server.api().try_publish("ticket.created", json!({ "n": 1 })).await);
    let server = server.aborted().await.plain_env();
    let _server = narrow(server).start().await;
    for number in 0..14 {
        receiver.wait(&format!("/hook/{number}"), 1).await;
    }
}

#[tokio::test]
async fn webhooks_with_an_order_get_wide_events_in_their_order() {
    let receiver = Receiver::start().await;
    let server = narrow(Installation::new()).start().await;
    let api = server.api();
    // More of them than fit a step, among others.
    let options = (0..21).map(|n| if n % 3 == 0 { json!({ "order": "strict" }) } else { json!({}) });
    register(&api, &receiver, options).await;
    let events: Vec<Value> = (0..10).map(|n| json!({ "type": "ticket.created", "payload": { "n": n } })).collect();
    let taken = api.post("/events", &json!(events)).await.expect("taken").body;
    for event in taken.as_array().expect("one answer for each") {
        assert_eq!(event["deliveries"].as_array().map(Vec::len), Some(7), "the ordered ones: {event}");
        assert_eq!(event["deliveries_to_come"], 14);
    }
    receiver.wait_for(210, is_hook).await;
    let mut by_path: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for request in receiver.all() {
        let n = request.json()["data"]["n"].as_u64().expect("a number");
        by_path.entry(request.path.clone()).or_default().push(n);
    }
    assert_eq!(by_path.len(), 21);
    for (path, mut numbers) in by_path {
        if path.trim_start_matches("/hook/").parse::<usize>().expect("a number") % 3 == 0 {
            assert!(numbers.is_sorted(), "{path}: {numbers:?}");
        }
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..10), "{path}");
    }
}

#[tokio::test]
async fn the_events_of_an_array_share_what_one_commit_makes() {
    let receiver = Receiver::start().await;
    let server = Installation::new().env("HOOKWRIGHT_INGEST_FAN_OUT_COMMIT", "7").start().await;
    let api = server.api();
    register(&api, &receiver, std::iter::repeat_n(json!({}), 3)).await;
    let events: Vec<Value> = (0..4).map(|n| json!({ "type": "ticket.created", "payload": { "n": n } })).collect();
    let taken = api.post("/events", &json!(events)).await.expect("taken").body;
    let counts: Vec<_> = taken
        .as_array()
        .expect("one answer for each")
        .iter()
        .map(|event| (event["deliveries"].as_array().map_or(0, Vec::len), event["deliveries_to_come"].as_u64()))
        .collect();
    assert_eq!(counts, [(3, None), (3, None), (1, Some(2)), (0, Some(3))]);
    receiver.wait_for(12, is_hook).await;
    api.all_settled().await;
    assert_eq!(receiver.all().len(), 12);
}
