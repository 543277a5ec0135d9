//! Digests: what a webhook collects arrives once, together and in order, whatever happens meanwhile.

use std::time::Duration;

use hookwright_tests::{
    api::Api,
    eventually::eventually,
    example::example,
    receiver::{Receiver, Recorded, Reply},
    server::Installation,
    stage::Stage,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_mins(1);

fn collecting(url: &str, digest: &Value) -> Value {
    json!({ "url": url, "events": ["ticket.*"], "digest": digest })
}

fn ticket(n: usize) -> Value {
    json!({ "ticket": { "id": n, "key": format!("QA-{n}"), "title": format!("Ticket {n}"), "status": "open" } })
}

/// Posts so many events in arrays.
async fn publish(api: &Api, first: usize, events: usize) {
    for chunk in (first..first + events).collect::<Vec<_>>().chunks(100) {
        let events: Vec<Value> =
            chunk.iter().map(|n| json!({ "type": "ticket.created", "payload": ticket(*n) })).collect();
        api.post("/events", &Value::Array(events)).await.expect("the events are accepted");
    }
}

/// The numbers of the events of a standard body with a digest, in its order.
fn numbers(request: &Recorded) -> Vec<usize> {
    let body = request.json();
    assert_eq!(body["type"], "digest", "{body:#}");
    let number = |event: &Value| event["payload"]["ticket"]["id"].as_u64().and_then(|n| usize::try_from(n).ok());
    body["data"]["events"].as_array().expect("events").iter().map(|event| number(event).expect("a number")).collect()
}

async fn thousand(installation: Installation) {
    const EVENTS: usize = 1000;
    let Stage { server: _server, api, receiver } = Stage::on(installation).await;
    receiver.on("/slack", [Reply::ok().body("ok")]);
    api.install(example("slack")).await;
    let digest = json!({ "count": EVENTS });
    api.register(&collecting(&receiver.url("/plain"), &digest)).await;
    let mut slack = collecting(&receiver.url("/slack"), &digest);
    slack["plugin"] = json!({ "name": "slack", "version": "0.3.0" });
    let slack = api.register(&slack).await;
    publish(&api, 0, EVENTS - 1).await;
    let waiting = api.get(&format!("/webhooks/{}/digest", slack.id)).await.expect("shown").body;
    assert_eq!(waiting["events"], EVENTS - 1);
    assert_eq!((receiver.count("/plain"), receiver.count("/slack")), (0, 0), "one is missing");
    let collected = api.list(&format!("/webhooks/{}/deliveries?status=collecting", slack.id)).await;
    assert_eq!(collected.len(), EVENTS - 1);
    publish(&api, EVENTS - 1, 1).await;
    let (plain, slack_request) = (receiver.wait("/plain", 1).await, receiver.wait("/slack", 1).await);
    assert!(numbers(&plain).into_iter().eq(0..EVENTS), "all, in order");
    // As much as Slack takes.
    let message = slack_request.json();
    let blocks = message["blocks"].as_array().expect("blocks");
    assert_eq!(blocks.len(), 50, "{message:#}");
    assert_eq!(message["text"], "1000 events: 1000 ticket.created");
    assert_eq!(blocks[49]["text"]["text"], "_and 952 more_");
    assert!(blocks[1]["text"]["text"].as_str().is_some_and(|text| text.contains("QA-0")), "{}", blocks[1]);
    eventually(PATIENCE, "the log says so", async || {
        let collected = api.list(&format!("/webhooks/{}/deliveries?status=collected", slack.id)).await;
        (collected.len() == EVENTS).then_some(())
    })
    .await;
    let sent = api.list(&format!("/webhooks/{}/deliveries?status=succeeded", slack.id)).await;
    assert_eq!(sent.len(), 1, "{sent:#?}");
    let first = api.list(&format!("/webhooks/{}/deliveries?status=collected", slack.id)).await;
    assert!(first.iter().all(|delivery| delivery["digest"] == sent[0]["id"]));
    api.all_settled().await;
    assert_eq!((receiver.count("/plain"), receiver.count("/slack")), (1, 1), "once");
}

#[tokio::test]
async fn a_thousand_events_arrive_once_and_in_order() {
    thousand(Installation::new()).await;
}

#[tokio::test]
async fn a_thousand_events_arrive_once_and_in_order_on_postgres() {
    thousand(Installation::on_postgres().await).await;
}

#[tokio::test]
async fn what_has_no_room_goes_out_in_further_digests() {
    let installation = Installation::new().env("HOOKWRIGHT_DIGESTS_EVENTS_MAX", "10");
    let Stage { server: _server, api, receiver } = Stage::on(installation).await;
    api.register(&collecting(&receiver.url("/hook"), &json!({ "quiet_ms": 1000 }))).await;
    publish(&api, 0, 25).await;
    receiver.wait("/hook", 3).await;
    let requests = receiver.all();
    let mores: Vec<Value> = requests.iter().map(|request| request.json()["data"]["digest"]["more"].clone()).collect();
    assert_eq!(mores, [json!(15), json!(5), json!(0)]);
    let all: Vec<usize> = requests.iter().flat_map(|request| numbers(request)).collect();
    assert!(all.into_iter().eq(0..25));
}

#[tokio::test]
async fn a_digest_goes_out_at_its_times_and_an_empty_one_never() {
    let installation = Installation::new()
        .env("HOOKWRIGHT_SCHEDULES_INTERVAL_MIN_MS", "1000")
        .env("HOOKWRIGHT_SCHEDULES_SWEEP_MS", "20");
    let Stage { server: _server, api, receiver } = Stage::on(installation).await;
    let webhook = api.register(&collecting(&receiver.url("/hook"), &json!({ "cron": "* * * * * *" }))).await;
    for round in 1..=2 {
        publish(&api, round, 1).await;
        receiver.wait("/hook", round).await;
    }
    let sent = api.list(&format!("/webhooks/{}/deliveries?event_type=digest", webhook.id)).await;
    assert_eq!(sent.len(), 2, "seconds without events have none");
}

/// Aborts while a digest is closed; afterwards it arrives once.
async fn crash(installation: Installation, failpoint: &str) {
    let receiver = Receiver::start().await;
    let server = installation.start().await;
    let api = server.api();
    let webhook = api.register(&collecting(&receiver.url("/hook"), &json!({ "count": 4 }))).await;
    publish(&api, 0, 3).await;
    let server = server.stop().await.env("FAILPOINTS", &format!("{failpoint}=return")).start().await;
    let last = json!({ "type": "ticket.created", "payload": ticket(3) });
    // The answer may be lost with the server.
    drop(server.api().post("/events", &last).await);
    let server = server.aborted().await.plain_env().start().await;
    let api = server.api();
    let request = receiver.wait("/hook", 1).await;
    assert!(numbers(&request).into_iter().eq(0..4), "{failpoint}");
    api.all_settled().await;
    assert_eq!(receiver.count("/hook"), 1, "{failpoint}");
    let deliveries = api.list(&format!("/webhooks/{}/deliveries", webhook.id)).await;
    let of = |status: &str| deliveries.iter().filter(|delivery| delivery["status"] == status).count();
    assert_eq!((of("collected"), of("succeeded"), deliveries.len()), (4, 1, 5), "{failpoint}: {deliveries:#?}");
}

#[tokio::test]
async fn a_crash_before_a_digest_is_stored_loses_and_doubles_nothing() {
    crash(Installation::new(), "before-digest").await;
}

#[tokio::test]
async fn a_crash_while_a_digest_is_stored_loses_and_doubles_nothing() {
    crash(Installation::new(), "within-digest").await;
}

#[tokio::test]
async fn a_crash_while_a_digest_is_stored_loses_and_doubles_nothing_on_postgres() {
    crash(Installation::on_postgres().await, "within-digest").await;
}

#[tokio::test]
async fn a_crash_after_a_digest_is_stored_loses_and_doubles_nothing() {
    crash(Installation::new(), "after-digest").await;
}

#[tokio::test]
async fn two_nodes_send_each_digest_once() {
    let receiver = Receiver::start().await;
    let first = Installation::on_postgres().await.start().await;
    let second = first.second().start().await;
    let (here, there) = (first.api(), second.api());
    here.register(&collecting(&receiver.url("/hook"), &json!({ "count": 10 }))).await;
    tokio::join!(publish(&here, 0, 50), publish(&there, 50, 50));
    receiver.wait("/hook", 10).await;
    here.all_settled().await;
    let mut all: Vec<usize> = receiver.all().iter().flat_map(|request| numbers(request)).collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..100), "each once");
}

#[tokio::test]
async fn what_is_collected_is_shown_sent_at_once_or_given_up() {
    let Stage { server: _server, api, receiver } = Stage::open().await;
    let webhook = api.register(&collecting(&receiver.url("/hook"), &json!({ "count": 100 }))).await;
    let path = format!("/webhooks/{}", webhook.id);
    let shown = api.get(&path).await.expect("shown").body;
    assert_eq!(shown["digest"], json!({ "count": 100, "max_ms": 86_400_000 }), "no event waits for ever");
    let none = api.post(&format!("{path}/digest/send"), &Value::Null).await.expect_err("nothing").problem();
    assert_eq!((none.status, none.code.as_str()), (409, "wrong_state"));
    let [first, second] =
        [api.publish_one("ticket.created", ticket(1)).await, api.publish_one("ticket.created", ticket(2)).await];
    assert_eq!(api.delivery(&first.id).await.status, "collecting");
    api.post(&format!("/deliveries/{}/cancel", second.id), &json!({})).await.expect("given up");
    let refused =
        api.post(&format!("/deliveries/{}/retry", first.id), &json!({})).await.expect_err("it waits").problem();
    assert!(refused.detail.contains("digest"), "{}", refused.detail);
    let waiting = api.get(&format!("{path}/digest")).await.expect("shown").body;
    assert_eq!(waiting["events"], 1);
    let sent = api.post(&format!("{path}/digest/send"), &Value::Null).await.expect("sent");
    assert_eq!((sent.status, &sent.body["events"]), (202, &json!(1)));
    let digest = receiver.wait("/hook", 1).await;
    assert_eq!(numbers(&digest), [1]);
    // A test goes out at once, as itself.
    api.post(&format!("{path}/test"), &json!({})).await.expect("tested");
    assert_eq!(receiver.count("/hook"), 2);
    let digest = api.list(&format!("{path}/deliveries?event_type=digest")).await;
    let event = digest[0]["event_id"].as_str().expect("an id");
    let replayed =
        api.post(&format!("/events/{event}/replay"), &json!({})).await.expect_err("of one webhook").problem();
    assert_eq!(replayed.status, 409);
}

#[tokio::test]
async fn what_is_wrong_with_a_digest_is_told_with_its_field() {
    let Stage { server: _server, api, receiver } = Stage::open().await;
    let url = receiver.url("/hook");
    for (digest, pointer) in [
        (json!({}), "/digest"),
        (json!({ "max_ms": 5000 }), "/digest"),
        (json!({ "count": 0 }), "/digest/count"),
        (json!({ "count": 1001 }), "/digest/count"),
        (json!({ "quiet_ms": 999 }), "/digest/quiet_ms"),
        (json!({ "quiet_ms": 86_400_001 }), "/digest/quiet_ms"),
        (json!({ "count": 1, "max_ms": 999 }), "/digest/max_ms"),
        (json!({ "cron": "x" }), "/digest/cron"),
        (json!({ "count": 1, "time_zone": "UTC" }), "/digest/time_zone"),
        (json!({ "cron": "0 9 * * *", "time_zone": "Berlin" }), "/digest/time_zone"),
        (json!({ "counts": 1 }), "/digest/counts"),
    ] {
        let problem = api.post("/webhooks", &collecting(&url, &digest)).await.expect_err(pointer).problem();
        assert_eq!(problem.pointers(), [pointer], "{digest}: {}", problem.detail);
    }
    let webhook = api.register(&collecting(&url, &json!({ "count": 1000, "quiet_ms": 1000 }))).await;
    let path = format!("/webhooks/{}", webhook.id);
    let changed =
        api.patch(&path, &json!({ "digest": { "quiet_ms": null, "cron": "@daily" } })).await.expect("changed");
    assert_eq!(changed.body["digest"]["count"], 1000, "what is not named stays");
    assert_eq!(changed.body["digest"]["quiet_ms"], Value::Null);
    let changed = api.patch(&path, &json!({ "digest": null })).await.expect("changed");
    assert_eq!(changed.body["digest"], Value::Null);
    let reserved =
        api.post("/events", &json!({ "type": "digest", "payload": {} })).await.expect_err("reserved").problem();
    assert_eq!(reserved.pointers(), ["/type"]);
}
