//! Plugins in other languages than Rust, under the limits that all have: the same example in each, and one that does what
//! plugins should not (`tests/guests`).

use std::time::Duration;

use hookwright_tests::{
    api::{Delivery, Line, Plugin},
    eventually::eventually,
    example::example,
    receiver::Reply,
    stage::Stage,
};
use serde_json::{Value, json};

/// A large component takes its time to compile in a debug build on a busy machine.
const CHECKED: Duration = Duration::from_mins(4);

async fn installed(stage: &Stage, name: &str) -> Plugin {
    let uploaded: Plugin = stage.api.upload(example(name)).await.expect("the component is accepted").read();
    let path = format!("/plugins/{}/versions/{}", uploaded.name, uploaded.version);
    eventually(CHECKED, "the component is checked", async || {
        let answer = stage.api.get(&path).await.expect("it is there");
        assert_ne!(answer.body["status"], "refused", "{:#}", answer.body);
        let plugin: Plugin = answer.read();
        (plugin.status == "ready").then_some(plugin)
    })
    .await
}

fn answer(body: &Value) -> Reply {
    Reply::ok().body(body.to_string())
}

/// A webhook with the example, and its id.
async fn tracker(stage: &Stage, name: &str) -> String {
    let plugin = installed(stage, name).await;
    let webhook = json!({
        "url": stage.receiver.url("/api"),
        "events": ["ticket.*"],
        "retry": [0, 60_000],
        "plugin": {
            "name": plugin.name,
            "version": plugin.version,
            "config": { "project": "web" },
            "secrets": { "token": "tracker-token" },
        },
    });
    stage.api.register(&webhook).await.id
}

async fn ticket(stage: &Stage, kind: &str, id: &str, status: &str) -> Delivery {
    let ticket = json!({ "id": id, "title": "Export fails", "status": status });
    let event = json!({ "type": kind, "subject": id, "payload": { "ticket": ticket } });
    let accepted = stage.api.post("/events", &event).await.expect("accepted");
    stage.api.settled(accepted.body["deliveries"][0]["id"].as_str().expect("an id")).await
}

fn verdict(delivery: &Delivery) -> &Value {
    let attempts = &delivery.request().attempts;
    attempts.last().and_then(|attempt| attempt.verdict.as_ref()).unwrap_or_else(|| panic!("no verdict: {delivery:#?}"))
}

/// What happens to a ticket happens to its issue, in whatever language that is written.
async fn keeps_an_issue_for_each_ticket(name: &str, broken: &str) {
    let stage = Stage::open().await;
    let webhook = tracker(&stage, name).await;
    let made = json!({ "issue": { "id": 7, "url": "https://tracker.example.com/7" } });
    let busy = json!({ "error": { "code": "busy", "message": "Later.", "retry_after_s": 1 } });
    // A success that is an error; then another attempt, long before the schedule's.
    stage.receiver.on("/api/issues", [answer(&busy), answer(&made)]);
    let created = ticket(&stage, "ticket.created", "42", "open").await;
    assert_eq!((created.status.as_str(), created.request().attempts.len()), ("succeeded", 2), "{created:#?}");
    assert_eq!(verdict(&created)["link"], "https://tracker.example.com/7");
    let posted = stage.receiver.wait("/api/issues", 1).await;
    assert_eq!((posted.method.as_str(), posted.header("authorization")), ("POST", "Bearer tracker-token"));
    assert_eq!(posted.json()["state"], "open");
    let run = created.plugin.expect("a run");
    let said: Vec<_> = run.logs.iter().map(|line| (line.level.as_str(), line.message.as_str())).collect();
    assert_eq!(said, [("info", "42 has no issue yet")]);

    stage.receiver.on("/api/issues/7", [answer(&made), Reply::status(404)]);
    let changed = ticket(&stage, "ticket.status_changed", "42", "done").await;
    assert_eq!(changed.status, "succeeded", "{changed:#?}");
    let edited = stage.receiver.wait("/api/issues/7", 1).await;
    assert_eq!((edited.method.as_str(), &edited.json()["state"]), ("PATCH", &json!("closed")));
    // Somebody deleted it: the issue is forgotten, and the next change makes a new one, which the tracker refuses.
    let gone = ticket(&stage, "ticket.updated", "42", "open").await;
    assert_eq!(gone.status, "failed", "{gone:#?}");
    assert!(gone.reason.as_deref().is_some_and(|reason| reason.contains("not there any more")), "{gone:#?}");
    assert!(stage.api.list(&format!("/webhooks/{webhook}/facts")).await.is_empty());
    let refused = json!({ "error": { "code": "no_such_project", "message": "There is no project web." } });
    stage.receiver.on("/api/issues", [answer(&refused)]);
    let rejected = ticket(&stage, "ticket.updated", "42", "open").await;
    assert_eq!((rejected.status.as_str(), &verdict(&rejected)["decision"]), ("failed", &json!("rejected")));
    assert!(rejected.reason.as_deref().is_some_and(|reason| reason.contains("There is no project web.")));

    // A payload that the plugin does not expect.
    let delivery = stage.api.publish_one("ticket.created", json!({})).await;
    let parked = stage.api.settled(&delivery.id).await;
    assert_eq!((parked.status.as_str(), parked.reason.as_deref()), ("parked", Some(broken)), "{parked:#?}");
}

#[tokio::test]
async fn javascript_keeps_an_issue_for_each_ticket() {
    let broken =
        "the plugin threw TypeError: cannot read property 'id' of undefined, at transform (src/plugin.js:15:36)";
    keeps_an_issue_for_each_ticket("tracker-javascript", broken).await;
}

#[tokio::test]
async fn python_keeps_an_issue_for_each_ticket() {
    let broken = "the plugin threw KeyError: 'ticket', at transform (plugin.py:25)";
    keeps_an_issue_for_each_ticket("tracker-python", broken).await;
}

/// What a language says of its mistakes.
struct Mistakes {
    thrown: &'static str,
    promise: &'static str,
    mistyped: &'static str,
}

async fn says_what_goes_wrong(name: &str, mistakes: &Mistakes) {
    let stage = Stage::open().await;
    let plugin = installed(&stage, name).await;
    let webhook = |path: &str, events: &[&str]| {
        json!({
            "url": stage.receiver.url(path),
            "events": events,
            "retry": [0],
            "plugin": { "name": plugin.name, "version": plugin.version, "secrets": { "token": "odd-token" } },
        })
    };
    stage.api.register(&webhook("/odd", &["odd.*"])).await;
    let odd = async |kind: &str| {
        let delivery = stage.api.publish_one(kind, json!({})).await;
        stage.api.settled(&delivery.id).await
    };

    for (kind, message) in
        [("odd.throws", mistakes.thrown), ("odd.promises", mistakes.promise), ("odd.mistypes", mistakes.mistyped)]
    {
        let parked = odd(kind).await;
        let error = parked.plugin.as_ref().and_then(|run| run.error.as_ref()).expect("an error");
        let message = format!("the plugin threw TypeError: {message}");
        assert_eq!((error.code.as_str(), error.message.as_str()), ("plugin.crashed", message.as_str()), "{parked:#?}");
    }
    let failed = odd("odd.fails").await;
    assert_eq!(failed.reason.as_deref(), Some("odd.failed: As it was told."), "{failed:#?}");
    let looping = odd("odd.loops").await.plugin.and_then(|run| run.error).expect("an error");
    assert_eq!((looping.code.as_str(), looping.limit.as_deref()), ("plugin.timeout", Some("cpu_ms")), "{looping:#?}");
    assert!(!looping.message.contains("_Py"), "frames of the interpreter: {looping:#?}");

    let talked = odd("odd.talks").await;
    assert_eq!(talked.status, "succeeded", "{talked:#?}");
    let logs = talked.plugin.expect("a run").logs;
    let said: Vec<_> = logs.iter().map(|Line { level, message }| (level.as_str(), message.as_str())).collect();
    let of = if name.ends_with("python") { "one {'of': 2}" } else { "one {\"of\":2}" };
    assert_eq!(said, [("debug", of), ("info", "two"), ("warn", "three"), ("error", "four")]);

    // Whatever there is of a request.
    assert_eq!(odd("odd.sends").await.status, "succeeded");
    let put = stage.receiver.wait("/odd/%C3%A4/b", 1).await;
    assert_eq!((put.method.as_str(), put.query.as_deref()), ("PUT", Some("q=1&r=%C3%BC")));
    assert_eq!((put.header("x-odd"), put.header("x-token")), ("yes", "t=odd-token"));
    assert_eq!((put.header("content-type"), put.body.as_ref()), ("application/x-odd", [0, 255].as_slice()));
    assert_eq!(stage.receiver.wait("/odd/form", 1).await.text(), "a=1+2");
    assert_eq!(stage.receiver.wait("/odd/text", 1).await.text(), "{}");

    // The same event, twice: the same time and the same chance. Another event has its own.
    stage.api.register(&webhook("/first", &["odd.tells"])).await;
    stage.api.register(&webhook("/second", &["odd.tells"])).await;
    for _ in 0..2 {
        stage.api.publish("odd.tells", json!({})).await;
    }
    let bodies = async |path: &str| {
        stage.receiver.wait(path, 2).await;
        let mut bodies: Vec<String> = stage
            .receiver
            .all()
            .iter()
            .filter(|request| request.path == path)
            .map(|request| request.json().to_string())
            .collect();
        bodies.sort();
        bodies
    };
    let (first, second) = (bodies("/first").await, bodies("/second").await);
    assert_eq!(first, second);
    assert_ne!(first[0], first[1]);
    let told: Value = serde_json::from_str(&first[0]).expect("JSON");
    assert_ne!(told["random"][0], told["random"][1], "{told}");
    assert_ne!(told["random"], serde_json::from_str::<Value>(&first[1]).expect("JSON")["random"]);
}

#[tokio::test]
async fn what_goes_wrong_in_javascript_is_told() {
    let mistakes = Mistakes {
        thrown: "cannot read property 'course' of null, at inner (src/plugin.js:47:12) < odd.throws (src/plugin.js:9:25) < \
                 transform (src/plugin.js:51:30)",
        promise: "transform gives a promise, but there is nothing to wait for in a plugin: it must be a plain function",
        mistyped: "requests[0] has \"lable\", but may only have label, method, path, query, headers, body, credentials, \
                   correlation",
    };
    says_what_goes_wrong("odd-javascript", &mistakes).await;
}

#[tokio::test]
async fn what_goes_wrong_in_python_is_told() {
    let mistakes = Mistakes {
        thrown: "'NoneType' object is not subscriptable, at inner (plugin.py:16) < <lambda> (plugin.py:55) < transform \
                 (plugin.py:67)",
        promise: "the outcome is of the type coroutine, not a dictionary",
        mistyped: "requests[0] has 'lable', but may only have label, method, path, query, headers, body, credentials, \
                   correlation",
    };
    says_what_goes_wrong("odd-python", &mistakes).await;
}
