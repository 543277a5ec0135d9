//! What is promised of deliveries and stands with no other subject: counts, the default schedule, dates to wait for, plugins that
//! ask for time, patterns.

use std::time::Duration;

use hookwright_tests::{
    eventually::eventually,
    guest::{Forge, Output, Request},
    receiver::Reply,
    stage::Stage,
};
use serde_json::{Value, json};

use super::failover::ms_of_day;

const PATIENCE: Duration = Duration::from_secs(30);
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The first so many attempts of a delivery's only request have been made, and nothing is being sent.
async fn tried(stage: &Stage, id: &str, attempts: usize) -> Value {
    eventually(PATIENCE, "it was tried", async || {
        let view = stage.api.get(&format!("/deliveries/{id}")).await.expect("a delivery").body;
        let made = view["requests"][0]["attempts"].as_array().map_or(0, Vec::len);
        (made == attempts && view["requests"][0]["status"] != "sending").then_some(view)
    })
    .await
}

/// Milliseconds from the end of the last attempt to the next one; times of day, so it is less than a day.
fn next_wait_ms(view: &Value) -> u64 {
    let request = &view["requests"][0];
    let last = request["attempts"].as_array().and_then(|attempts| attempts.last()).expect("an attempt");
    let ended = ms_of_day(&last["started_at"]) + last["duration_ms"].as_u64().expect("a number");
    (ms_of_day(&request["next_attempt_at"]) + DAY_MS - ended % DAY_MS) % DAY_MS
}

/// A delivery is failed when one of its requests is, and says that three of four arrived.
#[tokio::test]
async fn a_delivery_has_counts_three_of_four() {
    let stage = Stage::open().await;
    let request = |n: usize| Request { path: vec![format!("r{n}")], ..Request::default() };
    let four = Output::Deliver((1..=4).map(request).collect());
    stage.api.install(Forge::new("four").returns(&four).component()).await;
    stage.receiver.on("/hook/r3", [Reply::status(422)]);
    let plugin = json!({ "name": "four", "version": "0.1.0", "config": {} });
    stage.api.register(&json!({ "url": stage.receiver.url("/hook"), "events": ["*"], "plugin": plugin })).await;
    let made = stage.api.publish_one("ticket.created", json!({})).await;
    let settled = stage.api.settled(&made.id).await;
    let statuses: Vec<&str> = settled.requests.iter().map(|request| request.status.as_str()).collect();
    assert_eq!((settled.status.as_str(), statuses), ("failed", vec!["succeeded", "succeeded", "failed", "succeeded"]));
    let listed = stage.api.list("/deliveries").await;
    assert_eq!((&listed[0]["requests_succeeded"], &listed[0]["requests_total"]), (&json!(3), &json!(4)));
}

/// A plugin that gives `deliver([])` has skipped, which is no success.
#[tokio::test]
async fn a_delivery_of_no_requests_is_skipped() {
    let stage = Stage::open().await;
    stage.api.install(Forge::new("none").returns(&Output::Deliver(Vec::new())).component()).await;
    let plugin = json!({ "name": "none", "version": "0.1.0", "config": {} });
    stage.api.register(&json!({ "url": stage.receiver.url("/hook"), "events": ["*"], "plugin": plugin })).await;
    let made = stage.api.publish_one("ticket.created", json!({})).await;
    let settled = stage.api.settled(&made.id).await;
    assert_eq!((settled.status.as_str(), settled.requests.len()), ("skipped", 0), "{settled:#?}");
    assert_eq!((stage.receiver.all().len(), stage.api.list("/deliveries?status=succeeded").await.len()), (0, 0));
}

/// 0 s, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h, each ±20 %. Who is in a hurry has each tried now, which keeps the
/// schedule.
#[tokio::test]
async fn the_default_schedule_is_0_s_5_s_5_min_30_min_2_h_5_h_10_h_14_h_20_h_24_h() {
    const SECONDS: [u64; 9] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
    let stage = Stage::open().await;
    // Nothing that slows a receiver's requests down, and no success.
    stage.receiver.on("/hook", [Reply::status(404)]);
    stage.api.register(&json!({ "url": stage.receiver.url("/hook"), "events": ["*"] })).await;
    let id = stage.api.publish_one("ticket.created", json!({})).await.id;
    for (index, seconds) in SECONDS.into_iter().enumerate() {
        let view = tried(&stage, &id, index + 1).await;
        assert_eq!(view["status"], "retrying");
        let (least, most) = (seconds * 800 % DAY_MS, seconds * 1200 % DAY_MS + 1000);
        let wait = next_wait_ms(&view);
        // The longest may be more than a day, and only the time of day is told apart here.
        let fits = if seconds * 1200 < DAY_MS { (least..=most).contains(&wait) } else { wait >= least || wait <= most };
        assert!(fits, "after attempt {}: {wait} ms, expected {seconds} s ±20 %", index + 1);
        stage.api.post(&format!("/deliveries/{id}/retry"), &json!({})).await.expect("tried now");
    }
    let settled = stage.api.settled(&id).await;
    assert_eq!((settled.status.as_str(), settled.request().attempts.len()), ("failed", 10), "then it has failed");
}

/// `Retry-After` in both forms is waited for, and up to 24 hours.
#[tokio::test]
async fn retry_after_in_both_forms_up_to_24_hours() {
    let stage = Stage::open().await;
    for (name, value, seconds) in [
        ("seconds", "3600", 3600),
        ("more-than-a-day", "172800", 86_400),
        ("date", "Wed, 01 Jan 2070 00:00:00 GMT", 86_400),
    ] {
        let path = format!("/{name}");
        stage.receiver.on(&path, [Reply::status(503).header("retry-after", value)]);
        let webhook =
            json!({ "url": stage.receiver.url(&path), "events": [format!("a.{name}")], "retry": [0, 10, 10] });
        stage.api.register(&webhook).await;
        let id = stage.api.publish_one(&format!("a.{name}"), json!({})).await.id;
        let wait = next_wait_ms(&tried(&stage, &id, 1).await);
        let off = wait.abs_diff(seconds * 1000 % DAY_MS);
        assert!(off.min(DAY_MS - off) < 5_000, "{name}: {wait} ms");
    }
}

/// A plugin that asks for time fails nothing: its delivery stays pending, and says what it waits for.
#[tokio::test]
async fn a_failure_with_retry_after_keeps_the_delivery_pending() {
    let stage = Stage::open().await;
    stage.api.install(Forge::new("later").returns(&Output::Later(3_600_000)).component()).await;
    let plugin = json!({ "name": "later", "version": "0.1.0", "config": {} });
    stage.api.register(&json!({ "url": stage.receiver.url("/hook"), "events": ["*"], "plugin": plugin })).await;
    let id = stage.api.publish_one("ticket.created", json!({})).await.id;
    let reason = eventually(PATIENCE, "it says what it waits for", async || {
        let delivery = stage.api.delivery(&id).await;
        assert_eq!(delivery.status, "pending", "{delivery:#?}");
        delivery.reason
    })
    .await;
    assert!(reason.contains("come back later"), "{reason}");
    assert!(stage.api.list("/deliveries?status=parked").await.is_empty());
    // Whoever gives it up need not wait.
    stage.api.post(&format!("/deliveries/{id}/cancel"), &json!({})).await.expect("given up");
    assert_eq!(stage.api.delivery(&id).await.status, "cancelled");
}

/// `ticket.*` is any depth below, not `ticket` itself and not `tickets`; undeclared types are accepted.
#[tokio::test]
async fn patterns_match_at_any_depth_and_undeclared_types_are_accepted() {
    let stage = Stage::open().await;
    for (path, pattern) in [("/exact", "ticket.created"), ("/any-depth", "ticket.*"), ("/all", "*")] {
        stage.api.register(&json!({ "url": stage.receiver.url(path), "events": [pattern] })).await;
    }
    for (kind, wanted) in [
        ("ticket.created", 3),
        ("ticket.comment.added", 2),
        ("ticket.comment.reaction.added", 2),
        ("tickets.created", 1),
        ("nobody.declared.this", 1),
    ] {
        assert_eq!(stage.api.publish(kind, json!({})).await.deliveries.len(), wanted, "{kind}");
    }
}
