//! What surrounds every request: its id, the headers of its answer, and how many there may be.

use hookwright_tests::{
    api::{Answer, Api},
    server::Installation,
    stage::Stage,
};
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

/// Whoever sends nonsense learns that it is nonsense, not that somebody else was faster.
#[tokio::test]
async fn what_cannot_be_read_is_told_before_what_has_changed() {
    let stage = Stage::open().await;
    let api = &stage.api;
    let id = |answer: Answer| answer.body["id"].as_str().expect("an id").to_owned();
    let webhook = api.register(&json!({ "url": stage.receiver.url("/hook"), "events": ["a.*"] })).await.id;
    let token = json!({ "name": "spare", "permissions": ["events:read"] });
    let token = id(api.post("/tokens", &token).await.expect("a token"));
    let user = id(api.post("/users", &json!({ "email": "ada@example.com", "name": "Ada" })).await.expect("a user"));
    let schedule = json!({ "cron": "0 9 * * *", "event_type": "a.b" });
    let schedule = id(api.post("/schedules", &schedule).await.expect("a schedule"));
    api.post("/event-types", &json!({ "name": "a.b" })).await.expect("a type");
    let (client, admin) = (client(), stage.server.admin_token());
    let ask = async |method: &str, path: &str, body: &str| {
        let request = client.request(method.parse().expect("a method"), format!("{}/api/v1{path}", stage.server.url()));
        let request =
            request.bearer_auth(&admin).header("if-match", "\"77\"").header("content-type", "application/json");
        request.body(body.to_owned()).send().await.expect("an answer").status().as_u16()
    };
    let paths = [
        format!("/webhooks/{webhook}"),
        format!("/tokens/{token}"),
        format!("/users/{user}"),
        format!("/schedules/{schedule}"),
        "/event-types/a.b".to_owned(),
    ];
    for path in paths {
        assert_eq!(ask("PATCH", &path, "{").await, 400, "{path}");
        assert_eq!(ask("PATCH", &path, "{}").await, 412, "{path}");
    }
    // Of what is not there yet, too.
    for (path, wrong, right) in [
        ("/projects/by-external-id/new", json!({ "name": "" }), json!({ "name": "New" })),
        (
            "/webhooks/by-external-id/new",
            json!({ "url": "ftp://example.com", "events": ["a.*"] }),
            json!({ "url": stage.receiver.url("/hook"), "events": ["a.*"] }),
        ),
    ] {
        assert_eq!(ask("PUT", path, &wrong.to_string()).await, 422, "{path}");
        assert_eq!(ask("PUT", path, &right.to_string()).await, 412, "{path}");
    }
}

#[tokio::test]
async fn an_idempotency_key_is_checked_in_whatever_form_events_come() {
    let stage = Stage::open().await;
    let event = json!({ "specversion": "1.0", "id": "1", "source": "s", "type": "a.b", "data": {} });
    let line = json!({ "type": "a.b", "payload": {} });
    for (media_type, body) in [
        ("application/json", line.clone()),
        ("application/x-ndjson", line),
        ("application/cloudevents+json", event.clone()),
        ("application/cloudevents-batch+json", json!([event])),
    ] {
        for key in ["", &"k".repeat(256)] {
            let headers = [("content-type", media_type), ("idempotency-key", key)];
            let refused = stage.api.post_with("/events", &headers, body.to_string().into_bytes()).await;
            let problem = refused.expect_err("it is refused").problem();
            assert!(problem.status == 422 && problem.detail.contains("Idempotency-Key"), "{media_type}: {problem:?}");
        }
    }
    assert!(stage.api.list("/events").await.is_empty(), "nothing was stored");
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
