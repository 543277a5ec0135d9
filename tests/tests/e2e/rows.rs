//! The rows of the requirements, each as a short story from its user's side, by the name that it has there. Rows that stand with
//! their subject have no second test here: B1 in `filters`, B2 in `signing`, D3 in `event_types`, E2 and E7 in `triggers`, E4 in
//! `accounts` and `triggers`, E5 in `audit`.

use std::time::Duration;

use hookwright_tests::{
    api::Api, catalogue::retro, eventually::eventually, example::example, receiver::Reply, server::Installation,
    stage::Stage,
};
use serde_json::{Value, json};
use sqlx::Connection as _;

async fn body(api: &Api, path: &str) -> Value {
    api.get(path).await.expect("an answer").body
}

/// The boards that somebody set a URL for are called when their retro is completed, and get its actions.
#[tokio::test]
async fn a1_a_completed_retro_calls_the_url_that_was_set_for_it_with_its_actions() {
    let stage = Stage::open().await;
    let webhook = json!({
        "url": stage.receiver.url("/board-7"), "events": ["retro.completed"], "filter": "subject == \"ret-7\"",
    });
    let secret = stage.api.register(&webhook).await.signing_secret;
    let event = |subject: &str, titles: &[&str]| json!({ "type": "retro.completed", "subject": subject, "payload": retro(titles) });
    let other = stage.api.post("/events", &event("ret-8", &["Not ours"])).await.expect("accepted").body;
    assert_eq!(other["deliveries"], json!([]), "no URL is set for this one");
    let ours = stage
        .api
        .post("/events", &event("ret-7", &["Page the on-call", "Write it down"]))
        .await
        .expect("accepted")
        .body;
    let request = stage.receiver.wait("/board-7", 1).await;
    request.verify(&secret).expect("it is signed");
    let got = request.json();
    assert_eq!((&got["type"], &got["data"]["retro"]["id"]), (&json!("retro.completed"), &json!("ret-7")));
    let titles: Vec<&Value> =
        got["data"]["actions"].as_array().expect("actions").iter().map(|action| &action["title"]).collect();
    assert_eq!(titles, [&json!("Page the on-call"), &json!("Write it down")]);
    let id = ours["deliveries"][0]["id"].as_str().expect("an id");
    assert_eq!(stage.api.settled(id).await.status, "succeeded");
    assert_eq!(stage.receiver.all().len(), 1);
}

/// A catch hook reads any JSON: without a plugin it gets exactly what the guide says, or the payload as it was posted.
#[tokio::test]
async fn a3_a_generic_catch_hook_gets_plain_documented_json() {
    let stage = Stage::open().await;
    stage.api.register(&json!({ "url": stage.receiver.url("/catch"), "events": ["retro.completed"] })).await;
    let raw = json!({ "url": stage.receiver.url("/raw"), "events": ["retro.completed"], "envelope": "raw" });
    stage.api.register(&raw).await;
    let payload = retro(&["Page the on-call"]);
    stage.api.publish("retro.completed", payload.clone()).await;
    let caught = stage.receiver.wait("/catch", 1).await;
    assert_eq!((caught.method.as_str(), caught.header("content-type")), ("POST", "application/json"));
    let got = caught.json();
    let fields: Vec<&str> = got.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(fields, ["type", "timestamp", "data"]);
    let guide = include_str!("../../../docs/DELIVERY.md");
    assert!(guide.contains("`{\"type\": …, \"timestamp\": …, \"data\": <the payload>}`"), "the guide says so");
    assert_eq!((&got["type"], &got["data"]), (&json!("retro.completed"), &payload));
    assert_eq!(stage.receiver.wait("/raw", 1).await.json(), payload);
}

/// What the catalogue shows as an example is all that an integration needs: nobody calls the provider back.
#[tokio::test]
async fn a4_nobody_needs_the_providers_private_api() {
    let stage = Stage::open().await;
    let slack = stage.api.install(example("slack")).await;
    let mut payload = body(&stage.api, "/event-types/retro.completed").await["example"].clone();
    // The provider is there, and would notice.
    payload["retro"]["url"] = json!(stage.receiver.url("/provider/retro"));
    for action in payload["actions"].as_array_mut().expect("actions") {
        action["url"] = json!(stage.receiver.url("/provider/action"));
    }
    let plugin = json!({ "name": "slack", "version": slack.version, "config": {} });
    for (path, plugin) in [("/slack", plugin), ("/plain", Value::Null)] {
        let webhook = json!({ "url": stage.receiver.url(path), "events": ["retro.completed"], "plugin": plugin });
        stage.api.register(&webhook).await;
    }
    let event = stage.api.publish("retro.completed", payload.clone()).await;
    for made in &event.deliveries {
        assert_eq!(stage.api.settled(&made.id).await.status, "succeeded");
    }
    let message = stage.receiver.wait("/slack", 1).await.text().to_owned();
    for action in payload["actions"].as_array().expect("actions") {
        let title = action["title"].as_str().expect("a title");
        let start: String = title.chars().take_while(|c| c.is_alphanumeric() || *c == ' ' || *c == '-').collect();
        assert!(message.contains(start.trim()), "{title} in {message}");
    }
    assert_eq!(stage.receiver.count_of(|request| request.path.starts_with("/provider")), 0);
}

/// One consumer reads JSON, another a form with `payload=`, as GitHub sends it: both can verify what they got.
#[tokio::test]
async fn b3_a_consumer_chooses_between_json_and_a_form() {
    let stage = Stage::open().await;
    let mut secrets = Vec::new();
    for (path, content_type) in [("/json", "json"), ("/form", "form")] {
        let webhook =
            json!({ "url": stage.receiver.url(path), "events": ["lead.submitted"], "content_type": content_type });
        secrets.push(stage.api.register(&webhook).await.signing_secret);
    }
    let lead =
        json!({ "lead": { "id": "l1", "name": "Zoë & Ünal = 100%", "email": "z@example.com" }, "programs": ["arts"] });
    stage.api.publish("lead.submitted", lead.clone()).await;
    let (as_json, as_form) = (stage.receiver.wait("/json", 1).await, stage.receiver.wait("/form", 1).await);
    assert_eq!(as_json.header("content-type"), "application/json");
    assert_eq!(as_form.header("content-type"), "application/x-www-form-urlencoded");
    as_json.verify(&secrets[0]).expect("signed over the JSON");
    as_form.verify(&secrets[1]).expect("signed over the form");
    let encoded = as_form.text().strip_prefix("payload=").expect("one field, as GitHub has it").replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&encoded).decode_utf8().expect("UTF-8");
    let decoded: Value = serde_json::from_str(&decoded).expect("JSON");
    assert_eq!((&decoded["data"], &as_json.json()["data"]), (&lead, &lead));
}

/// Events are chosen, and a secret of the consumer's own tells what is legitimate from what is not.
#[tokio::test]
async fn b4_a_consumer_chooses_events_and_verifies_them_with_a_secret() {
    let stage = Stage::open().await;
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let webhook = json!({
        "url": stage.receiver.url("/crm"), "events": ["lead.submitted", "story.*"], "signing_secret": secret,
    });
    stage.api.register(&webhook).await;
    assert!(stage.api.publish("ticket.created", json!({})).await.deliveries.is_empty());
    for kind in ["lead.submitted", "story.created", "story.updated"] {
        assert_eq!(stage.api.publish(kind, json!({ "n": 1 })).await.deliveries.len(), 1, "{kind}");
    }
    let requests = stage.receiver.wait_for(3, |request| request.path == "/crm").await;
    for request in requests {
        request.verify(secret).expect("legitimate");
        assert!(request.verify("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").is_err(), "another secret");
        let mut forged = (*request).clone();
        forged.body = request.text().replace("\"n\":1", "\"n\":2").into();
        assert!(forged.verify(secret).is_err(), "another body");
    }
}

/// As on GitHub's hook page: request and response with headers and bodies, and a button that delivers again.
#[tokio::test]
async fn b5_the_log_shows_request_and_response_and_delivers_again() {
    let stage = Stage::open().await;
    stage
        .receiver
        .on("/crm", [Reply::status(422).header("x-reason", "closed").body("we are closed"), Reply::status(202)]);
    stage.api.register(&json!({ "url": stage.receiver.url("/crm"), "events": ["*"], "retry": [0] })).await;
    let made = stage.api.publish_one("lead.submitted", json!({ "lead": { "id": "l1" } })).await;
    assert_eq!(stage.api.settled(&made.id).await.status, "failed");
    let failed = stage.api.list("/deliveries?status=failed&status_code=422").await;
    assert_eq!((failed.len(), &failed[0]["id"]), (1, &json!(made.id)));
    let shown = stage.api.delivery(&made.id).await;
    let (request, attempt, sent) = (shown.request(), shown.attempt(), stage.receiver.wait("/crm", 1).await);
    assert_eq!(request.body.as_str().expect("a body").as_bytes(), sent.body);
    assert_eq!(attempt.request_headers.get("webhook-signature"), Some(sent.header("webhook-signature")));
    assert_eq!((attempt.status_code, attempt.response_body.as_deref()), (Some(422), Some("we are closed")));
    let headers = attempt.response_headers.as_ref().expect("headers");
    assert_eq!(headers.get("x-reason"), Some("closed"));

    stage.api.post(&format!("/deliveries/{}/retry", made.id), &json!({})).await.expect("delivered again");
    let again = stage.receiver.wait("/crm", 2).await;
    assert_eq!((again.header("webhook-id"), &again.body), (sent.header("webhook-id"), &sent.body));
    let shown = eventually(Duration::from_secs(30), "it is recorded", async || {
        let shown = stage.api.delivery(&made.id).await;
        (shown.status == "succeeded").then_some(shown)
    })
    .await;
    let statuses: Vec<_> = shown.request().attempts.iter().map(|attempt| attempt.status_code).collect();
    assert_eq!(statuses, [Some(422), Some(202)], "both stay in the log");
}

/// Each project has the URLs that were set on it, also the same one, and hears of its own stories only.
#[tokio::test]
async fn c1_any_project_has_any_url_and_hears_of_its_own_stories() {
    let stage = Stage::open().await;
    let projects = [stage.api.elsewhere().await, stage.api.elsewhere().await];
    let mut secrets = Vec::new();
    for project in &projects {
        let webhook = json!({ "url": stage.receiver.url("/shared"), "events": ["story.created", "story.updated"] });
        secrets.push(project.register(&webhook).await.signing_secret);
    }
    for (index, project) in projects.iter().enumerate() {
        for kind in ["story.created", "story.updated"] {
            let story = json!({ "story": { "id": index, "title": "Sign in", "state": "started", "url": "https://pm.example/1" } });
            assert_eq!(project.publish(kind, story).await.deliveries.len(), 1, "{kind}");
        }
    }
    for request in stage.receiver.wait_for(4, |request| request.path == "/shared").await {
        let index = request.json()["data"]["story"]["id"].as_u64().expect("a number");
        let index = usize::try_from(index).expect("0 or 1");
        request.verify(&secrets[index]).expect("by the secret of its project");
        assert!(request.verify(&secrets[1 - index]).is_err(), "and by no other");
    }
    for project in &projects {
        assert_eq!(project.list("/deliveries").await.len(), 2);
    }
}

/// Nothing is looked for now and then: where the sweep comes once an hour, an event arrives all the same, at once.
#[tokio::test]
async fn c3_an_event_is_sent_the_moment_it_happens() {
    let installation = Installation::new().env("HOOKWRIGHT_DELIVERY_SWEEP_MS", "3600000");
    let stage = Stage::on(installation).await;
    stage.api.register(&json!({ "url": stage.receiver.url("/pm"), "events": ["story.*"] })).await;
    for n in 1..=5 {
        stage.api.publish("story.created", json!({ "story": { "id": n } })).await;
        assert_eq!(stage.receiver.wait("/pm", n).await.json()["data"]["story"]["id"], json!(n));
    }
}

/// Whoever reports on the database finds the two tables, and an `enabled` that means what it says.
#[tokio::test]
async fn d1_the_tables_webhooks_and_webhook_deliveries_and_the_enabled_flag() {
    let stage = Stage::open().await;
    let webhook = stage.api.register(&json!({ "url": stage.receiver.url("/qa"), "events": ["ticket.*"] })).await;
    stage.api.publish("ticket.created", json!({})).await;
    stage.receiver.wait("/qa", 1).await;
    stage.api.all_settled().await;
    let path = format!("/webhooks/{}", webhook.id);
    assert_eq!(stage.api.patch(&path, &json!({ "enabled": false })).await.expect("disabled").body["enabled"], false);
    stage.api.publish("ticket.created", json!({})).await;
    stage.api.all_settled().await;
    assert_eq!(stage.receiver.count("/qa"), 1);

    let file = format!("sqlite:{}", stage.server.folder().join("hookwright.db").display());
    let mut database = sqlx::SqliteConnection::connect(&file).await.expect("the database");
    let enabled: Vec<(bool,)> =
        sqlx::query_as("SELECT enabled FROM webhooks").fetch_all(&mut database).await.expect("the table webhooks");
    assert_eq!(enabled, [(false,)]);
    let statuses: Vec<(String,)> = sqlx::query_as("SELECT status FROM webhook_deliveries ORDER BY id")
        .fetch_all(&mut database)
        .await
        .expect("the table webhook_deliveries");
    assert_eq!(statuses, [("succeeded".to_owned(),), ("skipped".to_owned(),)]);

    stage.api.patch(&path, &json!({ "enabled": true })).await.expect("enabled");
    stage.api.publish("ticket.created", json!({})).await;
    stage.receiver.wait("/qa", 2).await;
    stage.api.delete(&path).await.expect("deleted");
    assert!(stage.api.publish("ticket.created", json!({})).await.deliveries.is_empty());
}

/// A POST that fails is repeated after waits that double, signed each time, and its status can be followed.
#[tokio::test]
async fn d2_post_retries_with_exponential_backoff_signature_and_status() {
    let stage = Stage::open().await;
    stage.receiver.on("/qa", [Reply::status(503), Reply::status(500), Reply::hang(), Reply::ok()]);
    let webhook = json!({
        "url": stage.receiver.url("/qa"), "events": ["test.*"], "timeout_ms": 300,
        "retry": { "initial_ms": 250, "factor": 2.0, "max_ms": 60_000, "attempts": 5 },
    });
    let secret = stage.api.register(&webhook).await.signing_secret;
    let made = stage.api.publish_one("test.run_completed", json!({ "run": { "id": 1 } })).await;
    stage.receiver.wait("/qa", 1).await;
    let followed = eventually(Duration::from_secs(30), "it is retrying", async || {
        let delivery = stage.api.delivery(&made.id).await;
        (delivery.status != "pending").then_some(delivery.status)
    })
    .await;
    assert!(matches!(followed.as_str(), "retrying" | "succeeded"), "{followed}");
    let delivery = stage.api.settled(&made.id).await;
    assert_eq!(delivery.status, "succeeded");
    let requests = stage.receiver.wait_for(4, |request| request.path == "/qa").await;
    for request in &requests {
        assert_eq!(request.method, "POST");
        request.verify(&secret).expect("each attempt is signed");
        assert_eq!(request.header("webhook-id"), requests[0].header("webhook-id"));
    }
    // Each wait is twice the one before, but for a fifth of each.
    let wait = |n: usize| requests[n].at.duration_since(requests[n - 1].at);
    for (n, nominal_ms) in [(1, 250_u64), (2, 500), (3, 1000)] {
        assert!(wait(n) >= Duration::from_millis(nominal_ms * 4 / 5), "wait {n}: {:?}", wait(n));
    }
    let outcomes: Vec<&str> = delivery.request().attempts.iter().map(|attempt| attempt.outcome.as_str()).collect();
    assert_eq!(outcomes, ["failed", "failed", "uncertain", "succeeded"]);
}

/// The four addresses that the QA app calls, as it calls them.
#[tokio::test]
async fn d4_the_four_routes_of_the_qa_app() {
    let stage = Stage::open().await;
    let (base, token) = (stage.server.url(), stage.server.admin_token());
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let form = json!({ "url": stage.receiver.url("/qa"), "events": ["ticket.*"] });
    let made =
        client.post(format!("{base}/api/v1/webhooks")).bearer_auth(&token).json(&form).send().await.expect("an answer");
    assert_eq!(made.status(), 201);
    let made: Value = made.json().await.expect("JSON");
    let id = made["id"].as_str().expect("an id");
    let get = async |path: String| -> Value {
        let answer = client.get(format!("{base}{path}")).bearer_auth(&token).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.expect("JSON")
    };
    assert_eq!(get("/api/v1/webhooks".to_owned()).await["items"][0]["id"], json!(id));
    let test =
        client.post(format!("{base}/api/v1/webhooks/{id}/test")).bearer_auth(&token).send().await.expect("an answer");
    assert_eq!(test.status(), 200);
    let test: Value = test.json().await.expect("JSON");
    assert_eq!(test["status"], "succeeded");
    stage.receiver.wait("/qa", 1).await.verify(made["signing_secret"].as_str().expect("a secret")).expect("signed");
    let deliveries = get(format!("/api/v1/webhooks/{id}/deliveries")).await;
    assert_eq!((&deliveries["items"][0]["id"], &deliveries["items"][0]["trigger"]), (&test["id"], &json!("test")));
}

/// Each integration has a URL, a bearer token that nobody gets to see again, and a state.
#[tokio::test]
async fn e1_an_integration_has_a_url_a_bearer_token_and_a_state() {
    let stage = Stage::open().await;
    let form = json!({
        "name": "billing", "url": stage.receiver.url("/billing/secret-path"), "events": ["*"], "bearer_token": "b1lling-token",
    });
    let id = stage.api.register(&form).await.id;
    let path = format!("/webhooks/{id}");
    let shown = body(&stage.api, &path).await;
    assert_eq!((&shown["enabled"], &shown["name"]), (&json!(true), &json!("billing")));
    assert!(!shown.to_string().contains("b1lling-token") && !shown.to_string().contains("secret-path"), "{shown:#}");
    stage.api.publish("story.created", json!({})).await;
    let request = stage.receiver.wait("/billing/secret-path", 1).await;
    assert_eq!(request.header("authorization"), "Bearer b1lling-token");
    stage.api.patch(&path, &json!({ "bearer_token": "another-token" })).await.expect("changed");
    stage.api.publish("story.created", json!({})).await;
    let request = stage.receiver.wait("/billing/secret-path", 2).await;
    assert_eq!(request.header("authorization"), "Bearer another-token");
    stage.api.patch(&path, &json!({ "enabled": false })).await.expect("disabled");
    stage.api.publish("story.created", json!({})).await;
    stage.api.all_settled().await;
    assert_eq!((stage.receiver.all().len(), &body(&stage.api, &path).await["enabled"]), (2, &json!(false)));
}

/// Any library for Standard Webhooks understands what arrives; whoever calls the API shows a bearer token.
#[tokio::test]
async fn e6_standard_webhooks_and_bearer_tokens() {
    let stage = Stage::open().await;
    stage.receiver.on("/hook", [Reply::status(500), Reply::ok()]);
    let form = json!({ "url": stage.receiver.url("/hook"), "events": ["*"], "retry": [0, 1_100] });
    let secret = stage.api.register(&form).await.signing_secret;
    assert!(secret.starts_with("whsec_"), "as the specification writes secrets");
    stage.api.publish("story.created", json!({ "n": 1 })).await;
    let (first, again) = (stage.receiver.wait("/hook", 1).await, stage.receiver.wait("/hook", 2).await);
    for request in [&first, &again] {
        // The official library checks the three headers, the signature and the age.
        request.verify(&secret).expect("verified");
    }
    assert_eq!(first.header("webhook-id"), again.header("webhook-id"), "a repeat can be told");
    let time = |at: &str| at.parse::<i64>().expect("seconds");
    assert!(
        time(again.header("webhook-timestamp")) > time(first.header("webhook-timestamp")),
        "each attempt has its time"
    );
    assert_ne!(first.header("webhook-signature"), again.header("webhook-signature"));
    let stranger = stage.api.with_token(None).get("/webhooks").await.expect_err("refused").problem();
    assert_eq!((stranger.status, stranger.code.as_str()), (401, "unauthorized"));
}
