//! What persons send: tests and triggers, one attempt each, answered with its result.

use hookwright_tests::{
    api::{Answer, Api, Delivery},
    catalogue::retro,
    example::example,
    guest::Forge,
    receiver::{Receiver, Reply},
    server::{Installation, Server},
    stage::Stage,
};
use serde_json::{Value, json};

async fn register(stage: &Stage, path: &str, options: Value) -> String {
    let mut webhook = json!({ "url": stage.receiver.url(path), "events": ["ticket.*"] });
    webhook.as_object_mut().expect("an object").extend(options.as_object().expect("an object").clone());
    stage.api.register(&webhook).await.id
}

/// Triggers a webhook and gives the answer.
async fn trigger(api: &Api, webhook: &str, body: Value) -> Answer {
    api.post(&format!("/webhooks/{webhook}/trigger"), &body).await.expect("triggered")
}

async fn problem(api: &Api, path: &str, body: Value) -> (u16, String, Vec<String>) {
    let problem = api.post(path, &body).await.expect_err("refused").problem();
    let pointers = problem.pointers().into_iter().map(str::to_owned).collect();
    (problem.status, problem.code, pointers)
}

#[tokio::test]
async fn e2_the_mode_default_sends_an_empty_body_whatever_bodies_are_like() {
    let stage = Stage::open().await;
    for (name, choice) in [
        ("json", json!({ "body_token": "some-token" })),
        ("form", json!({ "content_type": "form", "body_token": "some-token" })),
        ("raw", json!({ "envelope": "raw" })),
    ] {
        let path = format!("/{name}");
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let mut options = json!({ "bearer_token": "b3arer", "signing_secret": secret });
        options.as_object_mut().expect("an object").extend(choice.as_object().expect("an object").clone());
        let webhook = register(&stage, &path, options).await;
        let answer = trigger(&stage.api, &webhook, json!({ "mode": "default" })).await;
        assert_eq!((answer.status, answer.location.as_deref()), (200, None), "{:#}", answer.body);
        let delivery: Delivery = answer.read();
        assert_eq!((delivery.status.as_str(), delivery.trigger.as_str()), ("succeeded", "manual"));
        assert_eq!(delivery.event_type, "webhook.triggered");
        assert!(delivery.actor.as_ref().is_some_and(|actor| actor.to_string().contains("admin")), "{delivery:?}");
        assert_eq!((delivery.request().method.as_str(), &delivery.request().body), ("POST", &json!("")));

        let request = stage.receiver.wait(&path, 1).await;
        assert_eq!((request.body.len(), request.header("content-length")), (0, "0"));
        assert!(!request.headers.contains_key("content-type"), "{:?}", request.headers);
        assert_eq!(request.header("authorization"), "Bearer b3arer");
        request.verify(secret).expect("an empty body is signed too");
        // Without a body it is the same.
        let bare = stage.api.post_with(&format!("/webhooks/{webhook}/trigger"), &[], Vec::new()).await;
        assert_eq!(bare.expect("triggered").body["status"], "succeeded");
        assert!(stage.receiver.wait(&path, 2).await.body.is_empty());
    }
}

#[tokio::test]
async fn e2_the_mode_event_sends_that_events_payload_whatever_the_webhook_subscribes_to() {
    let stage = Stage::open().await;
    let webhook = register(&stage, "/hook", json!({ "filter": "false", "order": "strict" })).await;
    let payload = json!({ "run": { "id": 7, "suite": "Grüße" } });
    let event = stage.api.publish("test.run_completed", payload.clone()).await;
    assert!(event.deliveries.is_empty(), "it does not want such events");
    for n in 1..=2 {
        let answer = trigger(&stage.api, &webhook, json!({ "mode": "event", "event_id": event.id })).await;
        let delivery: Delivery = answer.read();
        assert_eq!((answer.status, delivery.status.as_str()), (200, "succeeded"), "{delivery:#?}");
        assert_eq!((delivery.event_id.as_deref(), delivery.trigger.as_str()), (Some(event.id.as_str()), "manual"));
        let request = stage.receiver.wait("/hook", n).await;
        assert_eq!((&request.json()["type"], &request.json()["data"]), (&json!("test.run_completed"), &payload));
        assert_eq!(request.header("webhook-id"), delivery.request().id, "each trigger is a request of its own");
    }
    let listed = stage.api.list(&format!("/deliveries?event_id={}", event.id)).await;
    assert_eq!(listed.len(), 2, "the execution history has both");
    assert!(listed.iter().all(|item| item["trigger"] == "manual" && item["actor"].is_string()), "{listed:#?}");
    assert_eq!(stage.api.list("/events").await.len(), 1, "the event is not stored again");
}

#[tokio::test]
async fn a_trigger_says_what_is_wrong_with_it() {
    let stage = Stage::open().await;
    let webhook = register(&stage, "/hook", json!({})).await;
    let path = format!("/webhooks/{webhook}/trigger");
    let event = stage.api.publish("story.created", json!({})).await.id;
    let unknown = "evt_00000000000070008000000000000009";
    for (body, expected) in [
        (json!({ "mode": "event" }), (422, "/event_id")),
        (json!({ "mode": "default", "event_id": event }), (422, "/event_id")),
        (json!({ "event_id": event }), (422, "/event_id")),
        (json!({ "mode": "both" }), (422, "/mode")),
        (json!({ "mode": "default", "payload": {} }), (422, "/payload")),
        (json!({ "mode": "event", "event_id": "nonsense" }), (422, "/event_id")),
        (json!({ "mode": "event", "event_id": unknown }), (404, "")),
    ] {
        let (status, _, pointers) = problem(&stage.api, &path, body.clone()).await;
        assert_eq!((status, pointers.first().map_or("", String::as_str)), expected, "{body}");
    }
    let missing = "/webhooks/whk_00000000000070008000000000000009/trigger";
    assert_eq!(problem(&stage.api, missing, json!({})).await.0, 404);
    assert!(stage.receiver.all().is_empty());
    assert!(stage.api.list("/deliveries").await.is_empty());
}

#[tokio::test]
async fn a_disabled_webhook_is_tested_and_not_triggered() {
    let stage = Stage::open().await;
    let webhook = register(&stage, "/hook", json!({ "enabled": false })).await;
    let (status, code, _) = problem(&stage.api, &format!("/webhooks/{webhook}/trigger"), json!({})).await;
    assert_eq!((status, code.as_str()), (409, "wrong_state"));
    assert!(stage.receiver.all().is_empty());
    let tested = stage.api.post(&format!("/webhooks/{webhook}/test"), &json!({})).await.expect("tested").body;
    assert_eq!((&tested["status"], &tested["trigger"]), (&json!("succeeded"), &json!("test")), "{tested:#}");
    assert_eq!(stage.receiver.count("/hook"), 1);
}

#[tokio::test]
async fn e7_a_failed_trigger_shows_its_error_at_once_and_is_never_repeated_by_itself() {
    let stage = Stage::open().await;
    stage.receiver.on("/hook", [Reply::status(503).header("retry-after", "0").body("not today"), Reply::ok()]);
    let webhook = register(&stage, "/hook", json!({ "retry": [0, 10, 10], "on_uncertain": "hold" })).await;
    let failed: Delivery = trigger(&stage.api, &webhook, json!({})).await.read();
    assert_eq!((failed.status.as_str(), failed.attempt().status_code), ("failed", Some(503)), "{failed:#?}");
    assert_eq!(failed.attempt().response_body.as_deref(), Some("not today"));
    assert!(failed.reason.as_deref().is_some_and(|reason| reason.contains("503")), "{failed:#?}");

    // Nobody knows whether this one arrived: whoever triggered it is told so, nothing is held for somebody else.
    stage.receiver.on("/hook", [Reply::cut(), Reply::ok()]);
    let lost: Delivery = trigger(&stage.api, &webhook, json!({})).await.read();
    assert_eq!((lost.status.as_str(), lost.request().status.as_str()), ("failed", "uncertain"), "{lost:#?}");
    assert_eq!(
        (lost.attempt().outcome.as_str(), lost.attempt().error_class.as_deref()),
        ("uncertain", Some("connection_lost"))
    );

    // A later event drives out what might still be under way.
    let later = stage.api.publish_one("ticket.created", json!({})).await;
    assert_eq!(stage.api.settled(&later.id).await.status, "succeeded");
    assert_eq!(stage.receiver.count("/hook"), 3);
    for delivery in [failed, lost] {
        assert_eq!(stage.api.delivery(&delivery.id).await.request().attempts.len(), 1);
    }
}

#[tokio::test]
async fn a_trigger_without_a_result_in_time_is_answered_with_its_address() {
    let stage = Stage::on(Installation::new().env("HOOKWRIGHT_DELIVERY_RESULT_WAIT_MS", "200")).await;
    stage.receiver.on("/hook", [Reply::hang()]);
    let webhook = register(&stage, "/hook", json!({ "timeout_ms": 1500 })).await;
    for what in ["trigger", "test"] {
        let answer = stage.api.post(&format!("/webhooks/{webhook}/{what}"), &json!({})).await.expect("taken");
        let id = answer.body["id"].as_str().expect("an id").to_owned();
        assert_eq!((answer.status, answer.location), (202, Some(format!("/api/v1/deliveries/{id}"))));
        assert_eq!(
            (&answer.body["status"], &answer.body["requests"][0]["status"]),
            (&json!("pending"), &json!("sending"))
        );
        let settled = stage.api.settled(&id).await;
        assert_eq!((settled.status.as_str(), settled.attempt().error_class.as_deref()), ("failed", Some("timeout")));
    }
}

/// Aborts at a failpoint while somebody waits, starts again and gives the delivery.
async fn interrupted(
    installation: Installation,
    point: &str,
    what: &str,
    plugin: bool,
) -> (Server, Receiver, Delivery) {
    let receiver = Receiver::start().await;
    let server = installation.env("FAILPOINTS", &format!("{point}=return")).start().await;
    let api = server.api();
    let mut webhook = json!({ "url": receiver.url("/hook"), "events": ["*"], "retry": [0, 10, 10] });
    if plugin {
        let slack = api.install(example("slack")).await;
        webhook["plugin"] = json!({ "name": slack.name, "version": slack.version });
    }
    let webhook = api.register(&webhook).await;
    let body = if what == "test" { json!({ "type": "custom.made" }) } else { json!({ "mode": "default" }) };
    // The answer does not make it out before the process dies.
    let _ = api.post(&format!("/webhooks/{}/{what}", webhook.id), &body).await;
    let server = server.aborted().await.plain_env().start().await;
    let api = server.api();
    let deliveries = api.list(&format!("/webhooks/{}/deliveries", webhook.id)).await;
    assert_eq!(deliveries.len(), 1, "it was committed: {deliveries:#?}");
    let settled = api.settled(deliveries[0]["id"].as_str().expect("an id")).await;
    // A later event drives out what might still be under way.
    let later = api.publish_one("custom.later", json!({})).await;
    assert_eq!(api.settled(&later.id).await.status, "succeeded");
    (server, receiver, settled)
}

fn told(delivery: &Delivery) {
    assert_eq!(delivery.status, "failed", "{delivery:#?}");
    let reason = delivery.reason.as_deref().expect("a reason");
    assert!(reason.contains("interrupted") && reason.contains("may have been delivered"), "{reason}");
}

#[tokio::test]
async fn what_a_crash_interrupts_is_not_sent_again_by_itself_and_says_that_it_may_have_been_delivered() {
    for (point, what, arrived) in [
        ("after-send", "test", 1),
        ("after-send", "trigger", 1),
        ("before-record", "trigger", 1),
        ("after-claim", "trigger", 0),
        ("after-event-commit", "test", 0),
    ] {
        let (_server, receiver, delivery) = interrupted(Installation::new(), point, what, false).await;
        told(&delivery);
        assert_eq!(receiver.count("/hook"), arrived + 1, "{point}: and the later event");
        let attempt = delivery.attempt();
        assert_eq!((attempt.outcome.as_str(), attempt.error_class.as_deref()), ("uncertain", Some("interrupted")));
    }
}

#[tokio::test]
async fn what_a_crash_interrupts_is_not_sent_again_by_itself_on_postgres() {
    let installation = Installation::on_postgres().await.short_leases();
    let (_server, receiver, delivery) = interrupted(installation, "after-send", "trigger", false).await;
    told(&delivery);
    assert_eq!(receiver.count("/hook"), 2);
}

#[tokio::test]
async fn what_a_crash_interrupts_of_a_plugin_is_not_sent_again_by_itself() {
    for (point, what) in [("after-send", "test"), ("before-record", "trigger")] {
        let (_server, receiver, delivery) = interrupted(Installation::new(), point, what, true).await;
        told(&delivery);
        assert_eq!(receiver.count("/hook"), 2, "{point}");
    }
}

#[tokio::test]
async fn what_was_recorded_before_a_crash_stays_what_it_was() {
    let (_server, receiver, delivery) = interrupted(Installation::new(), "after-record", "trigger", false).await;
    assert_eq!((delivery.status.as_str(), delivery.request().attempts.len()), ("succeeded", 1));
    assert_eq!(receiver.count("/hook"), 2);
}

#[tokio::test]
async fn triggers_and_tests_go_past_an_open_breaker_and_close_it() {
    let stage = Stage::on(
        Installation::new()
            .env("HOOKWRIGHT_DELIVERY_BREAKER_FAILURES", "1")
            .env("HOOKWRIGHT_DELIVERY_BREAKER_PAUSE_MS", "300000"),
    )
    .await;
    for what in ["trigger", "test"] {
        let path = format!("/{what}");
        stage.receiver.on(&path, [Reply::status(500), Reply::ok()]);
        let webhook = register(&stage, &path, json!({ "events": [format!("{what}.made")], "retry": [0] })).await;
        let first = stage.api.publish_one(&format!("{what}.made"), json!({})).await;
        assert_eq!(stage.api.settled(&first.id).await.status, "failed");
        let waiting = stage.api.publish_one(&format!("{what}.made"), json!({})).await;
        let shown = stage.api.get(&format!("/webhooks/{webhook}")).await.expect("the webhook").body;
        assert_eq!(shown["breaker"]["state"], "open", "{shown:#}");

        let answer = stage.api.post(&format!("/webhooks/{webhook}/{what}"), &json!({})).await.expect("sent");
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!("succeeded")), "{:#}", answer.body);
        // Its success shows that the receiver is back.
        assert_eq!(stage.api.settled(&waiting.id).await.status, "succeeded");
        let second = &stage.receiver.wait_for(3, |request| request.path == path).await[1];
        assert!(!second.text().contains(".made"), "it came before what waited: {}", second.text());
    }
}

#[tokio::test]
async fn triggers_wait_for_no_earlier_delivery() {
    let stage = Stage::open().await;
    stage.receiver.on("/hook", [Reply::status(400), Reply::ok()]);
    let webhook = register(&stage, "/hook", json!({ "order": "strict", "retry": [0, 3_600_000] })).await;
    let stuck = stage.api.publish_one("ticket.created", json!({ "n": 1 })).await;
    stage.receiver.wait("/hook", 1).await;
    let behind = stage.api.publish_one("ticket.created", json!({ "n": 2 })).await;
    let sent: Delivery = trigger(&stage.api, &webhook, json!({})).await.read();
    assert_eq!(sent.status, "succeeded", "{sent:#?}");
    assert_eq!(stage.receiver.count("/hook"), 2);
    assert_eq!(stage.api.delivery(&stuck.id).await.status, "retrying");
    assert_eq!(stage.api.delivery(&behind.id).await.status, "pending", "order holds for all else");
}

#[tokio::test]
async fn a_trigger_goes_before_a_backlog() {
    let stage = Stage::on(Installation::new().env("HOOKWRIGHT_DELIVERY_IN_HAND_PER_WEBHOOK", "1")).await;
    stage.receiver.on("/hook", [Reply::hang(), Reply::ok()]);
    let webhook = register(&stage, "/hook", json!({ "timeout_ms": 700, "retry": [0, 3_600_000] })).await;
    for n in 0..20 {
        stage.api.publish("ticket.created", json!({ "n": n })).await;
    }
    stage.receiver.wait("/hook", 1).await;
    let sent: Delivery = trigger(&stage.api, &webhook, json!({})).await.read();
    assert_eq!(sent.status, "succeeded", "{sent:#?}");
    let arrived = stage.receiver.wait_for(21, |request| request.path == "/hook").await;
    assert!(arrived[1].body.is_empty(), "it is the next one when there is room: {}", arrived[1].text());
}

#[tokio::test]
async fn triggers_keep_to_the_rate_limit() {
    let stage = Stage::on(Installation::new().env("HOOKWRIGHT_DELIVERY_RESULT_WAIT_MS", "5000")).await;
    let webhook = register(&stage, "/hook", json!({ "rate_limit": { "requests": 1, "per_ms": 800 } })).await;
    for _ in 0..3 {
        let answer = trigger(&stage.api, &webhook, json!({})).await;
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!("succeeded")), "{:#}", answer.body);
    }
    let arrived = stage.receiver.all();
    for pair in arrived.windows(2) {
        let gap = pair[1].at - pair[0].at;
        assert!(gap >= std::time::Duration::from_millis(750), "{gap:?}");
    }
}

#[tokio::test]
async fn a_trigger_that_waits_long_for_the_rate_limit_waits_in_the_store() {
    let stage = Stage::on(Installation::new().env("HOOKWRIGHT_DELIVERY_RESULT_WAIT_MS", "300")).await;
    let webhook = register(&stage, "/hook", json!({ "rate_limit": { "requests": 1, "per_ms": 3_600_000 } })).await;
    assert_eq!(trigger(&stage.api, &webhook, json!({})).await.status, 200);
    let waiting = trigger(&stage.api, &webhook, json!({})).await;
    assert_eq!((waiting.status, &waiting.body["status"]), (202, &json!("pending")), "{:#}", waiting.body);
    let id = waiting.body["id"].as_str().expect("an id").to_owned();
    assert_eq!(stage.receiver.count("/hook"), 1);
    // It was never on its way, so a crash does not end it: nobody remembers the limit, and it goes out the first time.
    let Stage { server, receiver, .. } = stage;
    let server = server.kill().await.start().await;
    let settled = server.api().settled(&id).await;
    assert_eq!((settled.status.as_str(), settled.request().attempts.len()), ("succeeded", 1), "{settled:#?}");
    assert_eq!(receiver.count("/hook"), 2);
}

#[tokio::test]
async fn a_trigger_passes_through_a_plugin_without_a_payload() {
    let stage = Stage::open().await;
    let slack = stage.api.install(example("slack")).await;
    let webhook =
        register(&stage, "/slack", json!({ "plugin": { "name": slack.name, "version": slack.version } })).await;
    let sent: Delivery = trigger(&stage.api, &webhook, json!({})).await.read();
    assert_eq!(sent.status, "succeeded", "{sent:#?}");
    let message = stage.receiver.wait("/slack", 1).await.json();
    assert!(message.to_string().contains("Triggered without an event"), "{message:#}");

    let event = stage.api.publish("retro.completed", retro(&["Fix the build"])).await;
    let sent = trigger(&stage.api, &webhook, json!({ "mode": "event", "event_id": event.id })).await;
    assert_eq!(sent.body["status"], "succeeded", "{:#}", sent.body);
    let message = stage.receiver.wait("/slack", 2).await.json();
    assert!(message.to_string().contains("Fix the build"), "{message:#}");

    // One that has nothing to say without an event says so.
    let trello = stage.api.install(example("trello")).await;
    let plugin = json!({
        "name": trello.name,
        "version": trello.version,
        "config": { "list_id": "5abbe4b7ddc1b351ef961414" },
        "secrets": { "key": "k3y-k3y", "token": "t0k3n" },
    });
    let webhook = register(&stage, "/trello", json!({ "plugin": plugin })).await;
    let skipped: Delivery = trigger(&stage.api, &webhook, json!({})).await.read();
    assert_eq!(skipped.status, "skipped", "{skipped:#?}");
    assert!(skipped.reason.as_deref().is_some_and(|reason| reason.contains("without an event")), "{skipped:#?}");
}

#[tokio::test]
async fn a_plugin_that_fails_on_a_trigger_is_not_run_again_for_it() {
    let stage = Stage::on(Installation::new().env("HOOKWRIGHT_PLUGINS_TRAPS_IN_A_ROW", "3")).await;
    let plugin = stage.api.install(Forge::new("traps").transform("(unreachable)").component()).await;
    let webhook =
        register(&stage, "/hook", json!({ "plugin": { "name": plugin.name, "version": plugin.version } })).await;
    let failed: Delivery = trigger(&stage.api, &webhook, json!({})).await.read();
    assert_eq!(failed.status, "parked", "{failed:#?}");
    assert_eq!(failed.plugin.and_then(|run| run.error).map(|error| error.code).as_deref(), Some("plugin.crashed"));
    let shown = stage.api.get(&format!("/webhooks/{webhook}")).await.expect("the webhook").body;
    assert!(shown["plugin"]["paused"].is_null(), "{shown:#}");
    // An event is given a second run, which is the third in a row that traps; had the trigger been given one, this one's
    // first would have been that, and it would wait.
    let event = stage.api.publish_one("ticket.created", json!({})).await;
    assert_eq!(stage.api.settled(&event.id).await.status, "parked");
    let shown = stage.api.get(&format!("/webhooks/{webhook}")).await.expect("the webhook").body;
    assert!(shown["plugin"]["paused"].is_object(), "{shown:#}");
}

#[tokio::test]
async fn e4_triggering_is_a_permission_of_its_own() {
    let stage = &Stage::open().await;
    let webhook = register(stage, "/hook", json!({})).await;
    let event = stage.api.publish_one("ticket.created", json!({ "secret": "s3cr3t" })).await;
    stage.api.settled(&event.id).await;
    let event_id = stage.api.list("/events").await[0]["id"].clone();
    let by_event = json!({ "mode": "event", "event_id": event_id });
    let (trigger_path, test_path) = (format!("/webhooks/{webhook}/trigger"), format!("/webhooks/{webhook}/test"));

    let others =
        ["webhooks:read", "webhooks:write", "events:read", "events:publish", "deliveries:read", "deliveries:retry"];
    let other = stage.api.allowed(&others).await;
    for (path, body) in [(&trigger_path, &by_event), (&trigger_path, &json!({})), (&test_path, &json!({}))] {
        assert_eq!(problem(&other, path, body.clone()).await.0, 403, "{path}");
    }

    let may = stage.api.allowed(&["can_trigger_integrations"]).await;
    // It shows what can be triggered, and what came of it.
    for path in ["/webhooks", "/events", "/deliveries"] {
        assert!(!may.list(path).await.is_empty(), "{path}");
    }
    let shown = may.get(&format!("/events/{}", event_id.as_str().expect("an id"))).await.expect("the event").body;
    assert_eq!((&shown["payload"], &shown["type"]), (&Value::Null, &json!("ticket.created")));
    for body in [by_event.clone(), json!({})] {
        let answer = trigger(&may, &webhook, body).await;
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!("succeeded")), "{:#}", answer.body);
        let request = &answer.body["requests"][0];
        assert!(request.get("body").is_none() && request["attempts"][0]["response_body"].is_null(), "{request:#}");
        assert!(!answer.body.to_string().contains("s3cr3t"));
    }
    assert_eq!(problem(&may, &format!("/webhooks/{webhook}/rotate-secret"), json!({})).await.0, 403);
    assert_eq!(may.get(&format!("/webhooks/{webhook}/facts")).await.expect_err("payloads").problem().status, 403);

    // Payloads and bodies need `events:read` besides.
    let reads = stage.api.allowed(&["can_trigger_integrations", "events:read"]).await;
    let answer = trigger(&reads, &webhook, by_event).await;
    assert!(
        answer.body["requests"][0]["body"].as_str().is_some_and(|body| body.contains("s3cr3t")),
        "{:#}",
        answer.body
    );
}

#[tokio::test]
async fn events_and_webhooks_of_another_project_are_not_there_for_a_trigger() {
    let stage = &Stage::open().await;
    let (own_webhook, own_event) =
        (register(stage, "/own", json!({})).await, stage.api.publish("ticket.created", json!({})).await.id);
    stage.receiver.wait("/own", 1).await;
    let other = stage.api.elsewhere().await;
    let webhook = json!({ "url": stage.receiver.url("/other"), "events": ["story.*"] });
    let webhook = other.register(&webhook).await.id;
    let theirs = other.publish("ticket.created", json!({})).await.id;
    let by = |event: &str| json!({ "mode": "event", "event_id": event });
    assert_eq!(problem(&other, &format!("/webhooks/{webhook}/trigger"), by(&own_event)).await.0, 404);
    assert_eq!(problem(&stage.api, &format!("/webhooks/{own_webhook}/trigger"), by(&theirs)).await.0, 404);
    assert_eq!(problem(&other, &format!("/webhooks/{own_webhook}/trigger"), json!({})).await.0, 404);
    assert_eq!(problem(&other, &format!("/webhooks/{own_webhook}/rotate-secret"), json!({})).await.0, 404);
    assert_eq!(trigger(&other, &webhook, by(&theirs)).await.body["status"], "succeeded");
    assert_eq!((stage.receiver.count("/own"), stage.receiver.count("/other")), (1, 1));
}
