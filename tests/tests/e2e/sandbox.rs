//! Plugins that misbehave harm nothing but their own deliveries, which say what happened.

use std::{
    collections::HashSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hookwright_tests::{
    api::{Delivery, Error},
    eventually::eventually,
    guest::{Forge, Guest, LAST_WORDS, Output, Request},
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

/// Where a guest writes down what it saw, and how much: 4 numbers of 16 letters, between quotes.
const SEEN_AT: u32 = 32_768;
const SEEN_BYTES: u32 = 2 + 4 * 16;

/// A guest that sends what clocks and randomness say, as letters, sleeps for an hour between, and writes to stderr.
fn looks_around() -> Vec<u8> {
    let body = Request { json_at: Some((SEEN_AT, SEEN_BYTES)), ..Request::default() };
    Forge::new("looks-around")
        .wasi()
        .items(&format!(
            r#"(data (i32.const {SEEN_AT}) "\22") (data (i32.const {}) "\22") (global $at (mut i32) (i32.const {}))
               (data (i32.const 1536) "first\0ase")
               (func $note (param $number i64) (local $digits i32)
                 (loop
                   (i32.store8 (global.get $at) (i32.add (i32.const 97) (i32.wrap_i64 (i64.and (local.get $number) (i64.const 15)))))
                   (global.set $at (i32.add (global.get $at) (i32.const 1)))
                   (local.set $number (i64.shr_u (local.get $number) (i64.const 4)))
                   (local.set $digits (i32.add (local.get $digits) (i32.const 1)))
                   (br_if 0 (i32.lt_u (local.get $digits) (i32.const 16)))))"#,
            SEEN_AT + SEEN_BYTES - 1,
            SEEN_AT + 1,
        ))
        .transform(
            "(call $note (call $random))
             (call $wall (i32.const 512)) (call $note (i64.load (i32.const 512)))
             (call $block (call $subscribe (i64.const 3600000000000)))
             (call $wall (i32.const 512)) (call $note (i64.load (i32.const 512)))
             (call $bytes (i64.const 8) (i32.const 512)) (call $note (i64.load (i32.load (i32.const 512))))
             (call $write (call $stderr) (i32.const 1536) (i32.const 8) (i32.const 512))
             (call $write (call $stderr) (i32.const 1540) (i32.const 2) (i32.const 512))",
        )
        .returns(&Output::Deliver(vec![body]))
        .component()
}

/// The numbers that such a guest noted.
fn numbers(body: &str) -> Vec<u64> {
    let digits: Vec<u64> = body.bytes().map(|letter| u64::from(letter - b'a')).collect();
    digits.chunks(16).map(|digits| digits.iter().rev().fold(0, |number, digit| number << 4 | digit)).collect()
}

#[expect(clippy::disallowed_methods, reason = "compared with what a plugin is told")]
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// What WASI offers derives from the event: two webhooks get the same for the same event, another event gives another.
/// An hour of sleep passes at once, and what is printed is the log.
#[tokio::test]
async fn clocks_and_randomness_derive_from_the_event() {
    let stage = Stage::open().await;
    let plugin = stage.api.install(looks_around()).await;
    let run = json!({ "name": plugin.name, "version": plugin.version, "config": {}, "secrets": {} });
    for path in ["/one", "/two"] {
        stage.api.register(&json!({ "url": stage.receiver.url(path), "events": ["*"], "plugin": run })).await;
    }
    let mut seen = Vec::new();
    for round in 1..=2 {
        let posted_at = unix_seconds();
        let event = stage.api.publish("any.event", json!({})).await;
        let arrived = stage.receiver.wait_for(2 * round, |_| true).await;
        let bodies: Vec<_> = arrived.iter().skip(2 * (round - 1)).map(|request| request.json()).collect();
        assert_eq!(bodies[0], bodies[1], "the same event");
        let numbers = numbers(bodies[0].as_str().expect("a text"));
        let [_, before, after, _] = numbers[..] else { panic!("{numbers:?}") };
        assert!((posted_at..=unix_seconds()).contains(&before), "{before}");
        assert_eq!(after - before, 3_600);
        seen.push((numbers[0], numbers[3]));
        let delivery = stage.api.settled(&event.deliveries[0].id).await;
        let logs = delivery.plugin.expect("a run").logs;
        let logs: Vec<_> = logs.iter().skip(1).map(|line| (line.level.as_str(), line.message.as_str())).collect();
        assert_eq!(logs, [("error", "first"), ("error", "set")]);
    }
    let different: HashSet<u64> = seen.iter().flat_map(|(first, second)| [*first, *second]).collect();
    assert_eq!(different.len(), 4, "{seen:?}");
}
