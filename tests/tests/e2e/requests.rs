//! What surrounds every request: its id, the headers of its answer, and how many there may be.

use hookwright_tests::{api::Api, server::Installation, stage::Stage};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

fn client() -> Client {
    Client::builder().no_proxy().build().expect("a client")
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).unwrap_or_else(|| panic!("no {name} in {answer:?}")).to_str().expect("text")
}

#[tokio::test]
async fn every_answer_says_what_browsers_must_not_do() {
    let server = Installation::new().start().await;
    let (client, token) = (client(), server.admin_token());
    for (path, status) in [("/healthz", 200), ("/api/v1/webhooks", 200), ("/api/v1/nothing", 404), ("/nothing", 404)] {
        let answer = client.get(format!("{}{path}", server.url())).bearer_auth(&token).send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{path}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(header(&answer, name), value, "{path}");
        }
    }
}

#[tokio::test]
async fn a_request_is_known_by_its_id_in_answer_problem_and_log() {
    let server = Installation::new().start().await;
    let (client, token) = (client(), server.admin_token());
    let get = |path: &str, id: &str| {
        client.get(format!("{}/api/v1{path}", server.url())).bearer_auth(&token).header("x-request-id", id).send()
    };
    let answer = get("/webhooks/whk_1", "from-the-proxy:7").await.expect("an answer");
    assert_eq!(header(&answer, "x-request-id"), "from-the-proxy:7");
    let problem: Value = answer.json().await.expect("JSON");
    assert_eq!((&problem["status"], &problem["request_id"]), (&json!(404), &json!("from-the-proxy:7")));
    let made = get("/webhooks", "not a <good> id").await.expect("an answer");
    assert_eq!(header(&made, "x-request-id").len(), 32, "one of our own");
    let other = get("/webhooks", "").await.expect("an answer");
    assert_ne!(header(&made, "x-request-id"), header(&other, "x-request-id"));
    let request = client.post(format!("{}/api/v1/tokens", server.url())).bearer_auth(&token);
    let form = json!({ "name": "x", "permissions": ["events:read"] });
    request.header("x-request-id", "abc.1").json(&form).send().await.expect("an answer");
    let lines = server.api().list("/audit?action=token.created").await;
    assert_eq!(lines[0]["request_id"], "abc.1", "{lines:#?}");
}

#[tokio::test]
async fn events_deliveries_and_jobs_lead_to_the_request_that_they_came_of() {
    let stage = Stage::open().await;
    let webhook = stage.api.register(&json!({ "url": stage.receiver.url("/hook"), "events": ["a.*"] })).await;
    let post = async |path: &str, id: &str, body: Value| {
        let media_type = ("content-type", "application/json");
        let headers = [("x-request-id", id), media_type];
        stage.api.post_with(path, &headers, body.to_string().into_bytes()).await.expect("taken").body
    };
    let posted = post("/events", "posted-1", json!({ "type": "a.b", "payload": {} })).await;
    let event = stage.api.get(&format!("/events/{}", posted["id"].as_str().unwrap())).await.expect("the event").body;
    assert_eq!(event["request_id"], "posted-1");
    let delivery = posted["deliveries"][0]["id"].as_str().expect("a delivery");
    let read = async |id: &str| stage.api.get(&format!("/deliveries/{id}")).await.expect("the delivery").body;
    assert_eq!(read(delivery).await["request_id"], "posted-1", "as its event");
    let trigger = format!("/webhooks/{}/trigger", webhook.id);
    let again = post(&trigger, "again-2", json!({ "mode": "event", "event_id": posted["id"] })).await;
    assert_eq!((&again["request_id"], &again["event_id"]), (&json!("again-2"), &posted["id"]));
    let bare = post(&trigger, "bare-3", json!({})).await;
    let event = stage.api.get(&format!("/events/{}", bare["event_id"].as_str().unwrap())).await.expect("the event");
    assert_eq!((&bare["request_id"], &event.body["request_id"]), (&json!("bare-3"), &json!("bare-3")));
    let job = post(
        "/deliveries/resend",
        "many-4",
        json!({ "webhook_id": webhook.id, "status": "failed", "since": "2026-01-01T00:00:00Z" }),
    )
    .await;
    assert_eq!(job["request_id"], "many-4");
}

#[tokio::test]
async fn a_token_may_ask_so_often_and_is_told_how_often() {
    let installation = Installation::new().env("HOOKWRIGHT_LIMITS_REQUESTS", "5");
    let server = installation.env("HOOKWRIGHT_LIMITS_WINDOW_MS", "3600000").start().await;
    let (client, token) = (client(), server.admin_token());
    let get = || client.get(format!("{}/api/v1/webhooks", server.url())).bearer_auth(&token).send();
    for left in (0..5).rev() {
        let answer = get().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(header(&answer, "ratelimit-policy"), "\"api\";q=5;w=3600");
        let limit = header(&answer, "ratelimit");
        assert!(limit.starts_with(&format!("\"api\";r={left};t=")), "{limit}");
    }
    let answer = get().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(header(&answer, "retry-after").parse::<u32>().expect("seconds") > 3000);
    let problem: Value = answer.json().await.expect("JSON");
    assert_eq!(problem["code"], "too_many_requests");
    // Posts of events have no limit unless there is one set.
    let api: Api = server.api();
    for _ in 0..10 {
        api.publish("a.b", json!({})).await;
    }
}
