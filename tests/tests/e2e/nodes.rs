//! Two nodes on one PostgreSQL: they share the work, and one goes on when the other is gone or asleep.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use hookwright_tests::{
    api::Api,
    eventually::eventually,
    receiver::{Receiver, Reply},
    server::{Installation, Server},
};
use serde_json::json;

const EVENTS: usize = 200;
/// Leases last two seconds from before the event is committed; the request is seen a little later.
const MOST_OF_A_LEASE: Duration = Duration::from_millis(1500);
const PATIENCE: Duration = Duration::from_mins(1);

struct Nodes {
    receiver: Receiver,
    first: Server,
    second: Server,
}

async fn nodes() -> Nodes {
    nodes_on(Installation::on_postgres().await).await
}

async fn nodes_on(installation: Installation) -> Nodes {
    let receiver = Receiver::start().await;
    let first = installation.short_leases().start().await;
    let second = first.second().start().await;
    Nodes { receiver, first, second }
}

#[tokio::test]
async fn a_webhook_made_on_one_node_catches_the_next_event_on_the_other() {
    let nodes = nodes().await;
    let (first, second) = (nodes.first.api(), nodes.second.api());
    for round in 0..20 {
        let path = format!("/hook/{round}");
        nodes.receiver.on(&path, [Reply::ok()]);
        let pattern = format!("round.r{round}");
        first.register(&json!({ "url": nodes.receiver.url(&path), "events": [pattern] })).await;
        let accepted = second.publish(&pattern, json!({ "n": round })).await;
        assert_eq!(accepted.deliveries.len(), 1, "round {round}");
        nodes.receiver.wait(&path, 1).await;
    }
}

#[tokio::test]
async fn a_webhook_disabled_on_one_node_gets_nothing_from_the_other() {
    let nodes = nodes().await;
    let (first, second) = (nodes.first.api(), nodes.second.api());
    nodes.receiver.on("/hook", [Reply::ok()]);
    let webhook = first.register(&json!({ "url": nodes.receiver.url("/hook"), "events": ["*"] })).await;
    first.patch(&format!("/webhooks/{}", webhook.id), &json!({ "enabled": false })).await.expect("disabled");
    let delivery = second.publish_one("ticket.created", json!({})).await;
    assert_eq!(second.settled(&delivery.id).await.status, "skipped");
    assert_eq!(nodes.receiver.count("/hook"), 0);
}

#[tokio::test]
async fn two_nodes_share_the_work_and_send_nothing_twice() {
    // The failures may come in a row, and each attempt is to be made at once.
    let nodes = nodes_on(Installation::on_postgres().await.env("HOOKWRIGHT_DELIVERY_BREAKER_FAILURES", "0")).await;
    let (first, second) = (nodes.first.api(), nodes.second.api());
    // The first attempt fails, so that the second is claimed from the database by whoever comes first.
    nodes.receiver.on("/hook", [Reply::ok()]);
    nodes
        .receiver
        .when(|request| request.json()["data"]["n"].as_u64().is_some_and(|n| n % 4 == 0), [Reply::status(500)]);
    let webhook = json!({ "url": nodes.receiver.url("/hook"), "events": ["*"], "retry": [0, 300] });
    first.register(&webhook).await;
    for n in 0..EVENTS {
        let api = if n % 2 == 0 { &first } else { &second };
        api.publish("load.tick", json!({ "n": n })).await;
    }
    second.all_settled().await;
    let mut counts: HashMap<String, usize> = HashMap::new();
    for request in nodes.receiver.all() {
        *counts.entry(request.header("webhook-id").to_owned()).or_default() += 1;
    }
    assert_eq!(counts.len(), EVENTS);
    let twice = counts.values().filter(|count| **count == 2).count();
    assert_eq!(
        (twice, counts.values().sum::<usize>()),
        (EVENTS / 4, EVENTS + EVENTS / 4),
        "one attempt each, as scheduled"
    );
}

#[tokio::test]
async fn what_a_killed_node_had_in_hand_is_done_by_the_other() {
    let nodes = nodes().await;
    let first = nodes.first.api();
    nodes.receiver.on("/hook", [Reply::ok().after(Duration::from_millis(500)), Reply::ok()]);
    first.register(&json!({ "url": nodes.receiver.url("/hook"), "events": ["*"] })).await;
    let delivery = first.publish_one("ticket.created", json!({ "n": 1 })).await;
    nodes.receiver.wait("/hook", 1).await;
    let _gone = nodes.first.kill().await;
    let settled = nodes.second.api().settled(&delivery.id).await;
    assert_eq!(settled.status, "succeeded", "{settled:#?}");
    let seen = nodes.receiver.wait_for(2, |request| request.path == "/hook").await;
    assert!(seen.iter().all(|request| request.header("webhook-id") == settled.request().id), "the receiver can tell");
}

#[tokio::test]
async fn a_frozen_node_is_late_and_its_result_is_kept_as_late() {
    let nodes = nodes().await;
    let first = nodes.first.api();
    nodes.receiver.on("/hook", [Reply::ok().after(Duration::from_millis(400)), Reply::ok()]);
    first.register(&json!({ "url": nodes.receiver.url("/hook"), "events": ["*"] })).await;
    let delivery = first.publish_one("ticket.created", json!({ "n": 1 })).await;
    let sent = nodes.receiver.wait("/hook", 1).await;
    nodes.first.freeze();
    let second = nodes.second.api();
    let settled = second.settled(&delivery.id).await;
    assert_eq!(settled.status, "succeeded", "{settled:#?}");
    let again = nodes.receiver.wait("/hook", 2).await;
    assert!(again.at.duration_since(sent.at) >= MOST_OF_A_LEASE, "not within the lease");
    nodes.first.thaw();
    let view = eventually(PATIENCE, "the late attempt is recorded", async || {
        let view = second.get(&format!("/deliveries/{}", delivery.id)).await.expect("a delivery").body;
        let attempts = view["requests"][0]["attempts"].as_array().map_or(0, Vec::len);
        (attempts == 2).then_some(view)
    })
    .await;
    let late: Vec<_> =
        view["requests"][0]["attempts"].as_array().expect("attempts").iter().map(|a| a["late"].clone()).collect();
    assert!(late.contains(&json!(true)) && late.contains(&json!(false)), "{view:#}");
    assert_eq!(nodes.receiver.count("/hook"), 2);
}

#[tokio::test]
async fn two_nodes_keep_one_rate_limit_and_one_goes_on_when_the_other_is_gone() {
    let nodes = nodes().await;
    let (first, second) = (nodes.first.api(), nodes.second.api());
    nodes.receiver.on("/hook", [Reply::ok()]);
    let webhook = json!({
        "url": nodes.receiver.url("/hook"), "events": ["*"], "rate_limit": { "requests": 10, "per_ms": 500 },
    });
    first.register(&webhook).await;
    for n in 0..40 {
        let api = if n % 2 == 0 { &first } else { &second };
        api.publish("load.tick", json!({ "n": n })).await;
    }
    nodes.receiver.wait("/hook", 20).await;
    let _gone = nodes.first.kill().await;
    // Whichever of them had it; what the killed one had in hand may come twice.
    let arrived = eventually(PATIENCE, "everything arrives", async || {
        let arrived = nodes.receiver.all();
        let ids: HashSet<String> = arrived.iter().map(|request| request.header("webhook-id").to_owned()).collect();
        (ids.len() == 40).then_some(arrived)
    })
    .await;
    for window in arrived.windows(13) {
        let took = window[12].at - window[0].at;
        // 13 requests are 12 gaps of 50 ms, one of them without a wait where the other node takes over; what is sent on
        // time may arrive late.
        assert!(took >= Duration::from_millis(450), "{took:?}");
    }
}

#[tokio::test]
async fn a_breaker_that_opens_on_one_node_keeps_the_other_from_sending() {
    let receiver = Receiver::start().await;
    let installation = Installation::on_postgres()
        .await
        .env("HOOKWRIGHT_DELIVERY_BREAKER_FAILURES", "5")
        .env("HOOKWRIGHT_DELIVERY_BREAKER_PAUSE_MS", "3000");
    let first_node = installation.start().await;
    let second_node = first_node.second().start().await;
    let (first, second) = (first_node.api(), second_node.api());
    receiver.on("/hook", std::iter::repeat_n(Reply::status(500), 5).chain([Reply::ok()]));
    let retry = vec![0; 8];
    let webhook = first.register(&json!({ "url": receiver.url("/hook"), "events": ["*"], "retry": retry })).await;
    let path = format!("/webhooks/{}", webhook.id);
    let state = async |api: &Api| api.get(&path).await.expect("a webhook").body["breaker"]["state"].clone();
    assert_eq!(state(&second).await, "closed");
    first.publish("ticket.created", json!({ "n": 0 })).await;
    receiver.wait("/hook", 5).await;
    eventually(PATIENCE, "the other node knows", async || (state(&second).await == "open").then_some(())).await;
    for n in 1..=20 {
        second.publish("ticket.created", json!({ "n": n })).await;
    }
    receiver.wait("/hook", 26).await;
    let arrived = receiver.all();
    let pause = arrived[5].at - arrived[4].at;
    assert!(pause >= Duration::from_millis(2500), "nobody sends before the probe: {pause:?}");
    second.all_settled().await;
    eventually(PATIENCE, "it is closed again", async || (state(&second).await == "closed").then_some(())).await;
    assert_eq!(receiver.all().len(), 26);
}

#[tokio::test]
async fn an_idle_node_is_woken_for_what_another_one_leaves_it() {
    let receiver = Receiver::start().await;
    // Nobody would look for work by itself in time.
    let installation = Installation::on_postgres().await.env("HOOKWRIGHT_DELIVERY_SWEEP_MS", "600000");
    let first_node = installation.start().await;
    let second_node = first_node.second().start().await;
    let (first, second) = (first_node.api(), second_node.api());
    receiver.on("/hook", [Reply::ok()]);
    let webhook = json!({
        "url": receiver.url("/hook"), "events": ["*"], "rate_limit": { "requests": 1000, "per_ms": 1000 },
    });
    first.register(&webhook).await;
    first.publish("load.tick", json!({ "from": "first" })).await;
    receiver.wait("/hook", 1).await;
    // The first node has it now. The second one must have heard that the first is idle, which takes it half a second.
    eventually(PATIENCE, "the first node sends what was posted to the second", async || {
        second.publish("load.tick", json!({ "from": "second" })).await;
        (receiver.count("/hook") > 1).then_some(())
    })
    .await;
}
