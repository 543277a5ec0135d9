//! Plugins that misbehave harm nothing but their own deliveries, which say what happened.

use std::{collections::HashSet, time::Duration};

use hookwright_tests::{
    api::{Delivery, Error},
    eventually::eventually,
    guest::{Guest, LAST_WORDS},
    stage::Stage,
};
use serde_json::json;

const GOOD: usize = 100;
const BAD: usize = 3;
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a guest for some events while another webhook gets a hundred; gives the first run's error.
async fn misbehave(guest: Guest) -> Error {
    let stage = Stage::open().await;
    let plugin = stage.api.install(guest.component()).await;
    assert_eq!((plugin.name.as_str(), plugin.version.as_str()), (guest.name(), "0.1.0"));
    let run = json!({ "name": plugin.name, "version": plugin.version, "config": {}, "secrets": {} });
    let bad = json!({ "url": stage.receiver.url("/bad"), "events": ["bad.*"], "plugin": run });
    stage.api.register(&bad).await;
    stage.api.register(&json!({ "url": stage.receiver.url("/good"), "events": ["good.*"] })).await;

    let mut deliveries = Vec::new();
    for _ in 0..BAD {
        deliveries.push(stage.api.publish_one("bad.event", json!({})).await.id);
    }
    for n in 0..GOOD {
        stage.api.publish_one("good.event", json!({ "n": n })).await;
    }
    let mut numbers = HashSet::new();
    for request in stage.receiver.wait_for(GOOD, |request| request.path == "/good").await {
        numbers.insert(request.json()["data"]["n"].as_u64().expect("a number"));
    }
    assert_eq!(numbers.len(), GOOD, "each of them, none instead of another");

    let mut runs = Vec::new();
    for id in &deliveries {
        runs.push(parked(&stage.api.settled(id).await, guest));
    }
    assert_eq!(stage.receiver.count("/bad"), 0);
    eventually(PATIENCE, "the good ones are recorded as succeeded", async || {
        let good = stage.api.list("/deliveries?status=succeeded").await;
        (good.len() == GOOD).then_some(())
    })
    .await;
    runs.remove(0)
}

/// The error of a delivery whose plugin failed.
fn parked(delivery: &Delivery, guest: Guest) -> Error {
    assert_eq!(delivery.status, "parked", "{delivery:#?}");
    assert!(delivery.reason.as_ref().is_some_and(|reason| !reason.is_empty()), "{delivery:#?}");
    assert!(delivery.requests.is_empty(), "{delivery:#?}");
    let run = delivery.plugin.as_ref().expect("the run of the plugin");
    assert_eq!(run.name, guest.name());
    assert!(run.logs.iter().any(|line| line.level == "info" && line.message == LAST_WORDS), "{run:#?}");
    run.error.clone().expect("an error")
}

/// A limit that is named together with what was used and what was allowed.
fn exceeded(error: &Error, code: &str, limits: &[&str]) {
    assert_eq!(error.code, code, "{error:?}");
    let limit = error.limit.as_deref().expect("a limit");
    assert!(limits.contains(&limit), "{error:?}");
    let (used, allowed) = error.used.zip(error.allowed).expect("what was used and what was allowed");
    assert!(allowed > 0.0 && used >= allowed, "{error:?}");
}

#[tokio::test]
async fn a_loop_ends_at_the_time_limit() {
    let error = misbehave(Guest::Looper).await;
    // Of a busy machine it may not get enough CPU time within the wall time.
    exceeded(&error, "plugin.timeout", &["cpu_ms", "wall_ms"]);
}

#[tokio::test]
async fn a_hoarder_ends_at_the_memory_limit() {
    let error = misbehave(Guest::Hoarder).await;
    exceeded(&error, "plugin.out_of_memory", &["memory_bytes"]);
}

#[tokio::test]
async fn a_trap_is_named() {
    let error = misbehave(Guest::Trapper).await;
    assert_eq!((error.code.as_str(), &error.limit), ("plugin.crashed", &None), "{error:?}");
    assert!(error.message.contains("unreachable"), "{error:?}");
}
