//! Events on a machine that the server does not reach.

use std::time::Duration;

use hookwright_tests::{
    api::Api,
    eventually::eventually,
    example::example,
    receiver::{Receiver, Reply},
    server::Installation,
    stage::Stage,
};
use serde_json::{Value, json};

use super::{Going, PATIENCE, Person, id};

/// A listener that has begun, and what it says of itself.
async fn listen(person: &Person, local: &Receiver, rest: &[&str]) -> (Going, Value) {
    let to = local.url("/dev?from=here");
    let mut going = person.start(&[&["listen", "--forward-to", &to, "--json"], rest].concat());
    let begun = going.json().await;
    assert_eq!(begun["type"], "listening", "{begun}");
    (going, begun)
}

async fn webhooks(api: &Api) -> Vec<Value> {
    api.list("/webhooks").await
}

/// The server opens no network at all, so that it could not send anything to this machine.
#[tokio::test]
async fn events_are_forwarded_as_they_were_signed_and_the_webhook_goes_with_ctrl_c() {
    let stage = Stage::on(Installation::new().closed()).await;
    let (person, local) = (Person::admin(&stage), Receiver::start().await);
    local.on("/dev", [Reply::status(201), Reply::status(500), Reply::ok()]);
    let (mut going, begun) = listen(&person, &local, &["--event", "ticket.*"]).await;
    let secret = begun["signing_secret"].as_str().expect("a secret");
    let webhook = webhooks(&stage.api).await.remove(0);
    assert_eq!((&webhook["id"], &webhook["listener"]), (&begun["webhook_id"], &json!(true)));
    assert!(webhook["expires_at"].is_string(), "it goes by itself if nobody ends it: {webhook:#}");

    let first = stage.api.publish_one("ticket.created", json!({ "ticket": { "title": "Größe 1 < 2" } })).await;
    let told = going.json().await;
    assert_eq!(
        (&told["type"], &told["status"], &told["delivery_id"]),
        (&json!("forwarded"), &json!(201), &json!(first.id))
    );
    assert!(told["duration_ms"].is_u64() && told["warnings"] == json!([]), "{told}");
    let request = local.wait("/dev", 1).await;
    request.verify(secret).expect("the very bytes that were signed");
    assert_eq!((request.method.as_str(), request.query.as_deref()), ("POST", Some("from=here")));
    assert_eq!(request.json()["data"]["ticket"]["title"], "Größe 1 < 2");
    assert_eq!(request.header("webhook-id"), told["request_id"].as_str().expect("an id"));
    assert_eq!(request.header("content-type"), "application/json");
    assert!(request.header("user-agent").starts_with("Hookwright/"));

    // What the machine says fails nothing on the server, and nothing is repeated.
    let second = stage.api.publish_one("ticket.updated", json!({})).await;
    assert_eq!(going.json().await["status"], 500);
    let shown = stage.api.settled(&second.id).await;
    assert_eq!((shown.status.as_str(), shown.request().attempts.len()), ("succeeded", 1));
    assert_eq!(shown.attempt().status_code, None, "nobody answered the server");
    assert!(shown.attempt().error.as_ref().is_some_and(|told| told.contains("not sent")), "{shown:#?}");
    // A person sends it again, and it is forwarded again.
    let again = json!({ "requests": [shown.request().id], "include_succeeded": true });
    stage.api.post(&format!("/deliveries/{}/retry", second.id), &again).await.expect("sent again");
    let told = going.json().await;
    assert_eq!((&told["status"], &told["attempt"]), (&json!(200), &json!(2)));
    // So are tests.
    let webhook = begun["webhook_id"].as_str().expect("an id").to_owned();
    let test = stage.api.post(&format!("/webhooks/{webhook}/test"), &json!({})).await.expect("tested");
    assert_eq!((test.status, &test.body["status"]), (200, &json!("succeeded")));
    assert_eq!(going.json().await["event_type"], "webhook.test");
    assert_eq!(local.count("/dev"), 4);
    assert!(stage.api.publish("story.created", json!({})).await.deliveries.is_empty(), "only what was asked for");

    let ran = going.interrupt().await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("4 forwarded, 1 of them without success; the webhook is gone"), "{}", ran.err);
    assert!(webhooks(&stage.api).await.is_empty());
    assert_eq!(stage.receiver.all().len(), 0);
}

#[tokio::test]
async fn a_machine_that_does_not_answer_is_told_of_and_the_rest_goes_on() {
    let stage = Stage::on(Installation::new().closed()).await;
    let (person, local) = (Person::admin(&stage), Receiver::start().await);
    local.on("/dev", [Reply::hang(), Reply::cut(), Reply::ok()]);
    let (mut going, _) = listen(&person, &local, &["--timeout", "500ms"]).await;
    stage.api.publish_one("ticket.created", json!({ "n": 1 })).await;
    let told = going.json().await;
    assert_eq!((&told["status"], &told["error"]), (&Value::Null, &json!("no answer in time")));
    stage.api.publish_one("ticket.created", json!({ "n": 2 })).await;
    assert!(going.json().await["error"].is_string());
    stage.api.publish_one("ticket.created", json!({ "n": 3 })).await;
    assert_eq!(going.json().await["status"], 200);
    drop(local);
    stage.api.publish_one("ticket.created", json!({ "n": 4 })).await;
    assert!(going.json().await["error"].is_string(), "nobody is there any more");
    let ran = going.interrupt().await;
    assert!(ran.err.contains("4 forwarded, 3 of them without success"), "{}", ran.err);
}

/// As a plugin would send it, with the names of secrets in the places of secrets.
#[tokio::test]
async fn what_a_plugin_makes_is_forwarded_below_the_address() {
    let stage = Stage::on(Installation::new().closed()).await;
    let (person, local) = (Person::admin(&stage), Receiver::start().await);
    let trello = stage.api.install(example("trello")).await;
    let config = person.file("config.json", r#"{"list_id": "5abbe4b7ddc1b351ef961414"}"#);
    for name in ["key", "token"] {
        person.file(name, &format!("s3cret-{name}-value"));
    }
    let plugin = format!("trello@{}", trello.version);
    let rest = [
        "--plugin",
        &plugin,
        "--plugin-config",
        config.to_str().expect("a path"),
        "--secret",
        "key=key",
        "--secret",
        "token=token",
        "--event",
        "retro.completed",
    ];
    let (mut going, begun) = listen(&person, &local, &rest).await;
    let payload = hookwright_tests::catalogue::retro(&["One", "Two"]);
    stage.api.publish_one("retro.completed", payload).await;
    for _ in 0..2 {
        let told = going.json().await;
        assert_eq!(told["status"], 200, "{told}");
    }
    let requests = local.wait_for(2, |request| request.path.starts_with("/dev/")).await;
    for request in requests {
        request.verify(begun["signing_secret"].as_str().expect("a secret")).expect("as it was signed");
        let all = format!("{:?} {:?} {}", request.query, request.headers, request.text());
        assert!(!all.contains("s3cret"), "secrets stay in the server: {all}");
    }
    // What a plugin skips is told, since nothing comes.
    stage
        .api
        .post(&format!("/webhooks/{}/trigger", begun["webhook_id"].as_str().expect("an id")), &json!({}))
        .await
        .expect("triggered");
    let told = going.json().await;
    assert_eq!((&told["type"], told["reason"].is_string()), (&json!("not_sent"), true), "{told}");
    going.interrupt().await;
}

/// A listener whose command was killed goes by itself; one that goes on is not taken away.
#[tokio::test]
async fn a_listener_that_nobody_listens_to_goes_by_itself() {
    let stage = Stage::on(Installation::new().closed()).await;
    let form = json!({ "url": "http://localhost:3000", "listener": true, "expires_in_ms": 300_000, "events": ["*"] });
    let kept = stage.api.register(&form).await.id;
    let brief = stage.api.register(&form).await.id;
    let changed =
        stage.api.patch(&format!("/webhooks/{brief}"), &json!({ "expires_in_ms": 1 })).await.expect("changed");
    assert!(changed.body["expires_at"].is_string());
    eventually(PATIENCE, "it goes", async || {
        let left: Vec<String> = webhooks(&stage.api).await.iter().map(|webhook| id(webhook).to_owned()).collect();
        (left == [kept.clone()]).then_some(())
    })
    .await;
    let lines = stage.api.list(&format!("/audit?target_id={brief}&action=webhook.deleted")).await;
    assert_eq!((lines.len(), &lines[0]["actor"]["kind"]), (1, &json!("system")));
}

#[tokio::test]
async fn a_listener_says_what_is_wrong_with_it() {
    let stage = Stage::on(Installation::new().closed()).await;
    for (form, pointer) in [
        (json!({ "url": "http://localhost:3000" }), "/expires_in_ms"),
        (json!({ "url": "http://localhost:3000", "expires_in_ms": 0 }), "/expires_in_ms"),
        (json!({ "url": "http://localhost:3000", "expires_in_ms": 3_600_001 }), "/expires_in_ms"),
        (json!({ "url": "http://localhost:3000/path", "expires_in_ms": 1000 }), "/url"),
        (json!({ "url": "http://me@localhost:3000", "expires_in_ms": 1000 }), "/url"),
        (json!({ "url": "ftp://localhost", "expires_in_ms": 1000 }), "/url"),
    ] {
        let mut form = form;
        form["listener"] = json!(true);
        form["events"] = json!(["*"]);
        let problem = stage.api.post("/webhooks", &form).await.expect_err("refused").problem();
        assert_eq!((problem.status, problem.pointers()), (422, vec![pointer]), "{form}: {problem:?}");
    }
    let edge = json!({ "url": "http://localhost:3000", "listener": true, "expires_in_ms": 3_600_000, "events": ["*"] });
    let id = stage.api.register(&edge).await.id;
    let path = format!("/webhooks/{id}");
    for (patch, pointer) in [
        (json!({ "expires_in_ms": null }), "/expires_in_ms"),
        (json!({ "url": "http://localhost:3000/path" }), "/url"),
        (json!({ "listener": false }), "/listener"),
    ] {
        let problem = stage.api.patch(&path, &patch).await.expect_err("refused").problem();
        assert_eq!((problem.status, problem.pointers()), (422, vec![pointer]), "{patch}: {problem:?}");
    }
    let person = Person::admin(&stage);
    let wrong = person.run(&["listen", "--forward-to", "localhost:3000"]).await;
    assert_eq!(wrong.code, Some(2), "{}", wrong.err);
    let filter = person.run(&["listen", "--forward-to", "http://localhost:3000", "--filter", "1 +"]).await;
    assert!(filter.code == Some(2) && filter.err.contains("/filter"), "{}", filter.err);
    assert_eq!(webhooks(&stage.api).await.len(), 1, "what could not begin leaves nothing behind");
}

/// A server that is away for a moment ends nothing.
#[tokio::test]
async fn listening_goes_on_when_the_server_is_back() {
    let stage = Stage::on(Installation::new().closed().env("HOOKWRIGHT_SERVER_STOP_GRACE_MS", "200")).await;
    let (person, local) = (Person::admin(&stage), Receiver::start().await);
    let (mut going, _) = listen(&person, &local, &[]).await;
    let port = stage.server.url().rsplit(':').next().expect("a port").to_owned();
    let installation = stage.server.stop().await;
    // The same address again: whatever stands there now is the server.
    let server = installation.start_at(&format!("127.0.0.1:{port}")).await;
    server.api().publish_one("ticket.created", json!({ "n": 1 })).await;
    let told = tokio::time::timeout(Duration::from_secs(30), going.json()).await.expect("forwarded");
    assert_eq!(told["status"], 200, "{told}");
    let ran = going.interrupt().await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(webhooks(&server.api()).await.is_empty());
}
