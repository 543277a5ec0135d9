//! What the server itself tells of deliveries: to whom, when, and what it never tells of.

use hookwright_tests::{
    receiver::{Recorded, Reply},
    stage::Stage,
};
use serde_json::{Value, json};

const EXHAUSTED: &str = "hookwright.delivery.exhausted";
const RECOVERED: &str = "hookwright.delivery.recovered";

/// A webhook at `/hook` for tickets, tried twice, and one at `/told` that names this event.
async fn told_of(stage: &Stage, kind: &str) -> String {
    let hook =
        json!({ "url": stage.receiver.url("/hook"), "events": ["ticket.*"], "retry": [0, 50], "name": "tickets" });
    let hook = stage.api.register(&hook).await.id;
    stage.api.register(&json!({ "url": stage.receiver.url("/told"), "events": [kind], "retry": [0] })).await;
    hook
}

fn told(kind: &'static str) -> impl Fn(&Recorded) -> bool {
    move |request: &Recorded| request.path == "/told" && request.json()["type"] == kind
}

/// The types of all events, oldest first.
async fn types(stage: &Stage) -> Vec<String> {
    let events = stage.api.list("/events").await;
    events.iter().rev().map(|event| event["type"].as_str().expect("a type").to_owned()).collect()
}

#[tokio::test]
async fn whoever_names_it_is_told_once_of_a_delivery_that_failed_for_good() {
    let stage = Stage::open().await;
    let hook = told_of(&stage, EXHAUSTED).await;
    stage.api.register(&json!({ "url": stage.receiver.url("/star"), "events": ["*"] })).await;
    stage.receiver.on("/hook", [Reply::status(500)]);
    let publish = async || {
        let made = stage.api.publish("ticket.created", json!({})).await;
        let own = made.deliveries.into_iter().find(|delivery| delivery.webhook_id == hook).expect("a delivery");
        (made.id, own.id)
    };
    let (event, failed) = publish().await;
    assert_eq!(stage.api.settled(&failed).await.status, "failed");
    let data = stage.receiver.wait_for(1, told(EXHAUSTED)).await[0].json()["data"].clone();
    assert_eq!(data["delivery"]["id"], json!(failed), "{data:#}");
    assert!(data["delivery"]["reason"].as_str().expect("a reason").contains("2 attempts"), "{data:#}");
    assert_eq!(data["event"], json!({ "id": event, "type": "ticket.created" }));
    assert_eq!((&data["webhook"]["id"], &data["webhook"]["name"]), (&json!(hook), &json!("tickets")));
    assert!(!data.to_string().contains("/hook"), "the URL is masked: {data:#}");
    // What arrives at the second attempt did not fail.
    stage.receiver.on("/hook", [Reply::status(500), Reply::ok()]);
    let (_, arrived) = publish().await;
    assert_eq!(stage.api.settled(&arrived).await.status, "succeeded");
    // Sent again and failed again is another time.
    stage.receiver.on("/hook", [Reply::status(500)]);
    stage.api.post(&format!("/deliveries/{failed}/retry"), &json!({})).await.expect("sent again");
    assert_eq!(stage.api.settled(&failed).await.status, "failed");
    stage.receiver.wait_for(2, told(EXHAUSTED)).await;
    stage.api.all_settled().await;
    assert_eq!(stage.receiver.count("/told"), 2);
    let of_star = stage.receiver.all().into_iter().filter(|request| request.path == "/star");
    assert!(of_star.into_iter().all(|request| !request.text().contains("hookwright.")), "by name only");
}

#[tokio::test]
async fn whoever_names_it_is_told_once_that_something_arrives_again() {
    let stage = Stage::open().await;
    let hook = told_of(&stage, RECOVERED).await;
    stage.api.register(&json!({ "url": stage.receiver.url("/star"), "events": ["*"] })).await;
    let fails = || Reply::status(500);
    // A second attempt that arrives is no recovery; two deliveries fail; then three arrive.
    stage.receiver.on("/hook", [fails(), Reply::ok(), fails(), fails(), fails(), fails(), Reply::ok()]);
    let mut last = String::new();
    for expected in ["succeeded", "failed", "failed", "succeeded", "succeeded", "succeeded"] {
        let made = stage.api.publish("ticket.created", json!({})).await.deliveries;
        let own = made.into_iter().find(|delivery| delivery.webhook_id == hook).expect("a delivery");
        assert_eq!(stage.api.settled(&own.id).await.status, expected);
        if expected == "succeeded" && last.is_empty() && stage.receiver.count("/hook") > 2 {
            last = own.id;
        }
    }
    let data = stage.receiver.wait_for(1, told(RECOVERED)).await[0].json()["data"].clone();
    assert_eq!((&data["delivery"]["id"], &data["webhook"]["id"]), (&json!(last), &json!(hook)), "{data:#}");
    assert!(!data.to_string().contains("/hook"), "the URL is masked: {data:#}");
    stage.api.all_settled().await;
    assert_eq!(types(&stage).await.iter().filter(|kind| *kind == RECOVERED).count(), 1);
    let of_star = stage.receiver.all().into_iter().filter(|request| request.path == "/star");
    assert!(of_star.into_iter().all(|request| !request.text().contains("hookwright.")), "by name only");
}

#[tokio::test]
async fn nobody_posts_what_the_server_tells() {
    let stage = Stage::open().await;
    for kind in [EXHAUSTED, RECOVERED, "hookwright.anything"] {
        let problem = stage.api.try_publish(kind, json!({})).await.expect_err("it is the server's own").problem();
        assert_eq!((problem.status, problem.pointers()), (422, vec!["/type"]));
    }
}

#[tokio::test]
async fn a_delivery_of_several_requests_is_told_of_once_and_at_its_end() {
    use hookwright_tests::guest::{Forge, Output, Request};
    let stage = Stage::open().await;
    let request = |n: u32| Request { json: format!(r#"{{"n":{n}}}"#), ..Request::default() };
    let forge = Forge::new("three").returns(&Output::Deliver(vec![request(0), request(1), request(2)]));
    stage.api.install(forge.component()).await;
    let plugin = json!({ "name": "three", "version": "0.1.0", "config": {}, "secrets": {} });
    stage.api.register(&json!({ "url": stage.receiver.url("/hook"), "events": ["ticket.*"], "plugin": plugin })).await;
    stage.api.register(&json!({ "url": stage.receiver.url("/told"), "events": [EXHAUSTED] })).await;
    // The last one arrives, and the delivery has failed all the same.
    stage.receiver.when(|sent| sent.path == "/hook" && sent.json()["n"] != 2, [Reply::status(400)]);
    let id = stage.api.publish_one("ticket.created", json!({})).await.id;
    assert_eq!(stage.api.settled(&id).await.status, "failed");
    stage.receiver.wait_for(1, told(EXHAUSTED)).await;
    stage.api.all_settled().await;
    assert_eq!(stage.receiver.count("/told"), 1);
}

#[tokio::test]
async fn what_tells_of_failures_and_fails_itself_is_not_told_of() {
    let stage = Stage::open().await;
    told_of(&stage, "hookwright.*").await;
    stage.receiver.on("/hook", [Reply::status(500)]);
    stage.receiver.on("/told", [Reply::status(500)]);
    stage.api.publish("ticket.created", json!({})).await;
    stage.receiver.wait("/told", 1).await;
    stage.api.all_settled().await;
    assert_eq!(types(&stage).await, ["ticket.created", EXHAUSTED]);
    // When its receiver is well again that is not told either: nothing had failed but what tells.
    let watcher = json!({ "url": stage.receiver.url("/told"), "events": ["hookwright.*"] });
    stage.api.register(&watcher).await;
    stage.receiver.on("/told", [Reply::ok()]);
    stage.api.publish("ticket.updated", json!({})).await;
    stage.receiver.wait_for(3, told(EXHAUSTED)).await;
    stage.api.all_settled().await;
    assert_eq!(types(&stage).await, ["ticket.created", EXHAUSTED, "ticket.updated", EXHAUSTED]);
}

#[tokio::test]
async fn a_test_that_fails_is_not_told_of() {
    let stage = Stage::open().await;
    let hook = told_of(&stage, EXHAUSTED).await;
    stage.receiver.on("/hook", [Reply::status(500)]);
    let tested = stage.api.post(&format!("/webhooks/{hook}/test"), &json!({})).await.expect("a test").body;
    assert_eq!(tested["status"], "failed", "{tested:#}");
    assert_eq!(types(&stage).await, ["webhook.test"]);
}

#[tokio::test]
async fn what_is_told_stays_in_its_project() {
    let stage = Stage::open().await;
    told_of(&stage, EXHAUSTED).await;
    let other = stage.api.elsewhere().await;
    let all: Value = json!({ "url": stage.receiver.url("/other"), "events": [EXHAUSTED, "*"] });
    other.register(&all).await;
    stage.receiver.on("/hook", [Reply::status(500)]);
    stage.api.publish("ticket.created", json!({})).await;
    stage.receiver.wait_for(1, told(EXHAUSTED)).await;
    stage.api.all_settled().await;
    assert_eq!((other.list("/events").await.len(), stage.receiver.count("/other")), (0, 0));
    // And the other way round: nothing of the one is sent again, shown or given up by the other.
    let failed = stage.api.list("/deliveries?status=failed").await[0]["id"].as_str().expect("an id").to_owned();
    for act in ["retry", "cancel"] {
        let problem = other.post(&format!("/deliveries/{failed}/{act}"), &json!({})).await.expect_err("not theirs");
        assert_eq!(problem.problem().status, 404);
    }
    assert!(other.list("/deliveries").await.is_empty());
    let many = json!({ "status": "failed", "since": "2020-01-01T00:00:00Z", "dry_run": true });
    assert_eq!(other.post("/deliveries/resend", &many).await.expect("a count").body["deliveries"], 0);
}
