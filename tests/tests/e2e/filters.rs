//! Which events a webhook wants beyond their types: filters, what they cost, and why an event did not match.

use hookwright_tests::{
    api::{Accepted, Api},
    receiver::Receiver,
    server::Installation,
    stage::Stage,
};
use serde_json::{Value, json};

/// A webhook that is registered for everything, with these fields.
async fn hook(api: &Api, receiver: &Receiver, path: &str, fields: Value) -> String {
    let mut webhook = json!({ "url": receiver.url(path), "events": ["*"] });
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    webhook.as_object_mut().expect("an object").extend(fields);
    api.register(&webhook).await.id
}

async fn filtered(stage: &Stage, path: &str, filter: &str) -> String {
    hook(&stage.api, &stage.receiver, path, json!({ "filter": filter })).await
}

fn went_to(accepted: &Accepted) -> Vec<&str> {
    accepted.deliveries.iter().map(|delivery| delivery.webhook_id.as_str()).collect()
}

async fn webhook(api: &Api, id: &str) -> Value {
    api.get(&format!("/webhooks/{id}")).await.expect("the webhook").body
}

async fn explain(api: &Api, id: &str, body: Value) -> Value {
    api.post(&format!("/webhooks/{id}/explain"), &body).await.expect("an explanation").body
}

fn lead(programs: &[&str]) -> Value {
    let lead = json!({ "id": "lead-1", "name": "Ada", "email": "ada@example.com", "message": "I would like to apply" });
    json!({ "lead": lead, "programs": programs })
}

#[tokio::test]
async fn b1_a_lead_is_sent_to_the_departments_of_the_programs_it_chose() {
    let stage = Stage::open().await;
    let mut departments = Vec::new();
    for (path, filter) in [
        ("/arts", r#""arts" in payload.programs"#),
        ("/sport", r#""sport" in payload.programs || "dance" in payload.programs"#),
        ("/nobody-else", r#""arts" !in payload.programs && "sport" !in payload.programs"#),
    ] {
        let webhook = json!({ "url": stage.receiver.url(path), "events": ["lead.submitted"], "filter": filter });
        departments.push(stage.api.register(&webhook).await.id);
    }
    let [arts, sport, nobody_else] = departments.as_slice() else { panic!("{departments:?}") };
    for (programs, expected) in [
        (vec!["arts"], vec![arts]),
        (vec!["science", "sport"], vec![sport]),
        (vec!["arts", "dance"], vec![arts, sport]),
        (vec!["science"], vec![nobody_else]),
        (vec![], vec![nobody_else]),
    ] {
        let accepted = stage.api.publish("lead.submitted", lead(&programs)).await;
        assert_eq!(went_to(&accepted), expected, "{programs:?}");
    }
    stage.api.all_settled().await;
    let counts = ["/arts", "/sport", "/nobody-else"].map(|path| stage.receiver.count(path));
    assert_eq!(counts, [2, 2, 2]);
    let seen = stage.receiver.wait("/arts", 1).await.json();
    assert_eq!(seen["data"], lead(&["arts"]), "the payload is as it was posted");
}

#[tokio::test]
async fn a_filter_is_checked_when_it_is_saved() {
    let stage = Stage::open().await;
    let url = stage.receiver.url("/hook");
    let id = filtered(&stage, "/hook", "payload.n == 1").await;
    let path = format!("/webhooks/{id}");
    let text = |bytes: usize| format!("type == \"{}\"", "x".repeat(bytes - 10));
    for (filter, told) in [
        (json!("payload.n =="), "line 1, column 13"),
        (json!("payload.n == 1 &&\n  ticket.n == 1"), "line 2, column 3"),
        (json!("while true {}"), "line 1, column 1"),
        (json!("payload.n.lower() == 1"), "there is no function `lower`"),
        (json!(text(2049)), "has 2049 bytes; allowed are 2048"),
        (json!("(".repeat(2000)), "nested too deeply"),
        (json!(""), "missing"),
        (json!(7), "string"),
    ] {
        let create = json!({ "url": url, "events": ["*"], "filter": filter });
        let refused = stage.api.post("/webhooks", &create).await.expect_err("refused").problem();
        let patched = stage.api.patch(&path, &json!({ "filter": filter })).await.expect_err("refused").problem();
        for problem in [refused, patched] {
            assert_eq!((problem.status, problem.pointers()), (422, vec!["/filter"]), "{filter}: {problem:?}");
            assert!(problem.errors[0].detail.contains(told), "{filter}: {problem:?}");
        }
    }
    stage.api.patch(&path, &json!({ "filter": text(2048) })).await.expect("the longest filter");
    assert_eq!(webhook(&stage.api, &id).await["filter"], json!(text(2048)));
    let body = stage.api.patch(&path, &json!({ "filter": null })).await.expect("null takes it away").body;
    assert_eq!((&body["filter"], body.get("filter_stats")), (&Value::Null, None));
    assert_eq!(stage.api.list("/webhooks").await.len(), 1, "nothing of what was refused is there");
}

#[tokio::test]
async fn what_filters_said_is_counted() {
    let stage = Stage::open().await;
    let id = filtered(&stage, "/hook", "payload.n > 2").await;
    let other = hook(&stage.api, &stage.receiver, "/other", json!({ "events": ["ticket.*"], "filter": "false" })).await;
    let unfiltered = hook(&stage.api, &stage.receiver, "/all", json!({})).await;
    let stats = async |id: &str| webhook(&stage.api, id).await["filter_stats"].clone();
    let none = json!({ "evaluated": 0, "matched": 0, "not_matched": 0, "errors": 0, "last_error": null });
    assert_eq!(stats(&id).await, none);

    stage.api.patch(&format!("/webhooks/{id}"), &json!({ "filter": "payload.wanted" })).await.expect("changed");
    for (payload, matches) in [
        (json!({ "wanted": true }), true),
        (json!({ "wanted": false }), false),
        (json!({ "wanted": "yes" }), false),
        (json!({ "n": 1 }), false),
    ] {
        let accepted = stage.api.publish("a.b", payload.clone()).await;
        assert_eq!(went_to(&accepted).contains(&id.as_str()), matches, "{payload}");
        assert!(went_to(&accepted).contains(&unfiltered.as_str()), "an error stops nobody else");
    }
    // What is posted again is not another event.
    let twice = json!({ "type": "a.b", "payload": { "wanted": true }, "idempotency_key": "once" });
    for _ in 0..2 {
        stage.api.post("/events", &twice).await.expect("accepted");
    }
    let last = stage.api.publish("a.b", json!({ "wanted": [] })).await;
    let counts = stats(&id).await;
    for (name, count) in [("evaluated", 6), ("matched", 2), ("not_matched", 1), ("errors", 3)] {
        assert_eq!(counts[name], json!(count), "{name}: {counts:#}");
    }
    assert_eq!(counts["last_error"]["event_id"], json!(last.id));
    assert_eq!(counts["last_error"]["message"], json!("gives an array, not true or false"));
    assert!(counts["last_error"]["at"].is_string(), "{counts:#}");
    assert_eq!(stats(&other).await, none, "its pattern did not match");
    assert_eq!(stats(&unfiltered).await, Value::Null);
    let listed = stage.api.list("/webhooks").await;
    assert!(listed.iter().any(|webhook| webhook["filter_stats"] == counts), "{listed:#?}");
}

#[tokio::test]
async fn a_filter_costs_no_more_than_the_server_allows() {
    let installation = Installation::new().env("HOOKWRIGHT_FILTERS_OPERATIONS_MAX", "200");
    let stage = Stage::on(installation).await;
    let id = filtered(&stage, "/hook", "7 in payload").await;
    let publish = async |length: usize| {
        let accepted = stage
            .api
            .publish("a.b", json!(vec![7; 1].into_iter().chain(vec![0; length]).rev().collect::<Vec<_>>()))
            .await;
        accepted.deliveries.len()
    };
    assert_eq!(publish(150).await, 1);
    assert_eq!(publish(250).await, 0);
    let stats = webhook(&stage.api, &id).await["filter_stats"].clone();
    assert_eq!(stats["last_error"]["message"], json!("takes more than 200 operations"), "{stats:#}");
}

#[tokio::test]
async fn filters_see_the_whole_event() {
    let stage = Stage::open().await;
    for (path, filter) in [
        ("/type", r#"type.starts_with("ticket.")"#),
        ("/subject", r#"subject == "PAY-17""#),
        ("/time", r#"occurred_at.starts_with("2026-01-31")"#),
        ("/source", r#"attributes.source == "/tickets" && attributes.region == "eu""#),
        ("/not-json", "payload == ()"),
    ] {
        filtered(&stage, path, filter).await;
    }
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/tickets"),
        ("ce-type", "ticket.created"),
        ("ce-subject", "PAY-17"),
        ("ce-time", "2026-01-31T12:00:00Z"),
        ("ce-region", "eu"),
        ("content-type", "text/plain"),
    ];
    let answer = stage.api.post_with("/events", &headers, b"plain text".to_vec()).await.expect("accepted");
    assert_eq!(answer.body["deliveries"].as_array().map(Vec::len), Some(5), "{:#}", answer.body);
    let accepted = stage.api.publish("story.created", json!({})).await;
    assert!(accepted.deliveries.is_empty(), "{accepted:?}");
}

#[tokio::test]
async fn a_disabled_webhook_records_only_what_its_filter_wants() {
    let stage = Stage::open().await;
    let id = hook(&stage.api, &stage.receiver, "/hook", json!({ "enabled": false, "filter": "payload.n == 1" })).await;
    stage.api.publish("a.b", json!({ "n": 2 })).await;
    let skipped = stage.api.publish_one("a.b", json!({ "n": 1 })).await;
    let recorded = stage.api.list(&format!("/webhooks/{id}/deliveries")).await;
    assert_eq!(recorded.len(), 1, "{recorded:#?}");
    assert_eq!((&recorded[0]["id"], &recorded[0]["status"]), (&json!(skipped.id), &json!("skipped")));
}

#[tokio::test]
async fn a_test_goes_past_the_filter() {
    let stage = Stage::open().await;
    let id = filtered(&stage, "/hook", "false").await;
    let answer = stage.api.post(&format!("/webhooks/{id}/test"), &json!({})).await.expect("a result");
    assert_eq!(answer.body["status"], json!("succeeded"), "{:#}", answer.body);
}

/// Every change of a filter is in force for the next event.
async fn follows_changes(changing: &Api, publishing: &Api) {
    let webhook =
        json!({ "url": "http://127.0.0.1:9/hook", "events": ["*"], "filter": "payload.n == 0", "retry": [0] });
    let id = changing.register(&webhook).await.id;
    for n in 0..20 {
        let change = json!({ "filter": format!("payload.n == {n}") });
        changing.patch(&format!("/webhooks/{id}"), &change).await.expect("changed");
        assert_eq!(publishing.publish("a.b", json!({ "n": n })).await.deliveries.len(), 1, "{n}");
        assert_eq!(publishing.publish("a.b", json!({ "n": n + 1 })).await.deliveries.len(), 0, "{n}");
    }
    changing.patch(&format!("/webhooks/{id}"), &json!({ "filter": null })).await.expect("changed");
    assert_eq!(publishing.publish("a.b", json!({ "n": -1 })).await.deliveries.len(), 1);
}

#[tokio::test]
async fn a_changed_filter_meets_the_next_event() {
    let server = Installation::new().start().await;
    follows_changes(&server.api(), &server.api()).await;
}

#[tokio::test]
async fn a_filter_changed_on_one_node_meets_the_next_event_on_the_other() {
    let first = Installation::on_postgres().await.start().await;
    let second = first.second().start().await;
    follows_changes(&first.api(), &second.api()).await;
}

/// The checks by name: whether they passed.
fn passed(explanation: &Value) -> Vec<(&str, bool)> {
    let checks = explanation["checks"].as_array().expect("checks");
    let check = |check: &'_ Value| check["passed"].as_bool().expect("a boolean");
    checks.iter().map(|each| (each["check"].as_str().expect("a name"), check(each))).collect()
}

#[tokio::test]
async fn an_explanation_goes_step_by_step() {
    let stage = Stage::open().await;
    let fields = json!({ "events": ["story.*", "ticket.*"], "filter": "payload.n == 1" });
    let id = hook(&stage.api, &stage.receiver, "/hook", fields).await;
    let event = |kind: &str, payload: Value| json!({ "type": kind, "payload": payload });
    let steps = |pattern, filter| vec![("project", true), ("enabled", true), ("pattern", pattern), ("filter", filter)];

    let matching = explain(&stage.api, &id, event("ticket.created", json!({ "n": 1 }))).await;
    assert_eq!((&matching["matches"], passed(&matching)), (&json!(true), steps(true, true)), "{matching:#}");
    assert_eq!(matching["checks"][2]["pattern"], json!("ticket.*"));
    assert!(matching["checks"][3]["operations"].as_u64().is_some_and(|operations| operations > 0), "{matching:#}");
    assert_eq!(matching.get("deliveries"), None, "nobody has posted it");

    for (event, pattern, filter, reason) in [
        (event("tickets.created", json!({ "n": 1 })), false, true, "no pattern matches `tickets.created`"),
        (event("hookwright.webhook.disabled", json!({ "n": 1 })), false, true, "no pattern matches `hookwright."),
        (event("ticket.created", json!({ "n": 2 })), true, false, "the filter is false"),
        (event("ticket.created", Value::Null), true, false, "the filter is false"),
        (
            event("other", json!({ "n": 2 })),
            false,
            false,
            "no pattern matches `other`; the webhook has `story.*`, `ticket.*`",
        ),
    ] {
        let explanation = explain(&stage.api, &id, event.clone()).await;
        assert_eq!((&explanation["matches"], passed(&explanation)), (&json!(false), steps(pattern, filter)), "{event}");
        let told = explanation["reason"].as_str().expect("a reason");
        assert!(told.starts_with(reason), "{told}");
    }
    let path = format!("/webhooks/{id}");
    stage.api.patch(&path, &json!({ "filter": "payload.n" })).await.expect("changed");
    let explanation = explain(&stage.api, &id, event("ticket.created", json!({ "n": 1 }))).await;
    let told = explanation["reason"].as_str().expect("a reason");
    assert!(told.contains("gives a number, not true or false"), "{told}");

    stage.api.patch(&path, &json!({ "filter": null, "enabled": false })).await.expect("changed");
    let explanation = explain(&stage.api, &id, event("ticket.created", json!({}))).await;
    let checks = [("project", true), ("enabled", false), ("pattern", true), ("filter", true)];
    assert_eq!((&explanation["matches"], passed(&explanation)), (&json!(false), checks.to_vec()));
    let told = explanation["reason"].as_str().expect("a reason");
    assert!(told.starts_with("the webhook is disabled"), "{told}");

    let stats = webhook(&stage.api, &id).await;
    assert_eq!(stats.get("filter_stats"), None);
    assert_eq!(stage.api.list("/events").await, [] as [Value; 0], "nothing was stored");
    assert_eq!(stage.receiver.count("/hook"), 0);
}

#[tokio::test]
async fn a_stored_event_is_explained_with_its_deliveries() {
    let stage = Stage::open().await;
    let id = filtered(&stage, "/hook", r#"payload.n == 1 && subject == "s" && attributes.source == "/a""#).await;
    let other = filtered(&stage, "/other", "true").await;
    let event = |n: u32| json!({ "specversion": "1.0", "id": n.to_string(), "source": "/a", "type": "a.b", "subject": "s", "data": { "n": n } });
    let mut ids = Vec::new();
    for n in [1, 2] {
        let body = event(n).to_string().into_bytes();
        let answer = stage.api.post_bytes("/events", "application/cloudevents+json", body).await.expect("accepted");
        ids.push(answer.body["id"].clone());
    }
    stage.api.all_settled().await;

    let explanation = explain(&stage.api, &id, json!({ "event_id": ids[0] })).await;
    assert_eq!(explanation["matches"], json!(true), "{explanation:#}");
    let deliveries = explanation["deliveries"].as_array().expect("its deliveries");
    assert_eq!(deliveries.len(), 1, "not those at other webhooks: {explanation:#}");
    assert_eq!((&deliveries[0]["webhook_id"], &deliveries[0]["status"]), (&json!(id), &json!("succeeded")));

    let explanation = explain(&stage.api, &id, json!({ "event_id": ids[1] })).await;
    assert_eq!((&explanation["matches"], &explanation["deliveries"]), (&json!(false), &json!([])), "{explanation:#}");
    let explanation = explain(&stage.api, &other, json!({ "event_id": ids[1] })).await;
    assert_eq!(explanation["matches"], json!(true));
    let stats = webhook(&stage.api, &id).await["filter_stats"].clone();
    assert_eq!(stats["evaluated"], json!(2), "explaining does not count");
}

#[tokio::test]
async fn an_explanation_needs_one_event_and_no_more() {
    let stage = Stage::open().await;
    let id = filtered(&stage, "/hook", "true").await;
    let stored = stage.api.publish("a.b", json!({})).await.id;
    let path = format!("/webhooks/{id}/explain");
    let missing = "evt_00000000000000000000000000000000";
    for (body, pointers) in [
        (json!({}), vec!["/event_id"]),
        (json!({ "subject": "s" }), vec!["/event_id"]),
        (json!({ "event_id": missing }), vec!["/event_id"]),
        (json!({ "event_id": "evt_1" }), vec!["/event_id"]),
        (json!({ "event_id": stored, "payload": null, "type": "a.b" }), vec!["/type", "/payload"]),
        (json!({ "type": "a.b" }), vec!["/payload"]),
        (json!({ "payload": {} }), vec!["/type"]),
        (json!({ "type": "a b", "payload": {}, "subject": "" }), vec!["/type", "/subject"]),
        (json!({ "type": "a.b", "payload": {}, "subject": "x".repeat(256) }), vec!["/subject"]),
        (json!({ "type": "a.b", "payload": {}, "occurred_at": "now" }), vec!["/occurred_at"]),
        (json!({ "type": "a.b", "payload": {}, "colour": "red" }), vec!["/colour"]),
    ] {
        let problem = stage.api.post(&path, &body).await.expect_err("refused").problem();
        assert_eq!((problem.status, problem.pointers()), (422, pointers), "{body}: {problem:?}");
    }
    let nowhere = format!("/webhooks/whk_{}/explain", "0".repeat(32));
    let problem = stage.api.post(&nowhere, &json!({ "event_id": stored })).await.expect_err("refused").problem();
    assert_eq!(problem.status, 404);
    let body = json!({
        "type": "a.b", "payload": {}, "subject": "x".repeat(255), "occurred_at": "2026-01-31T12:00:00Z",
        "attributes": [{ "name": "source", "value": "/a" }],
    });
    assert_eq!(explain(&stage.api, &id, body).await["matches"], json!(true));
}

#[tokio::test]
async fn order_and_rate_limit_are_kept() {
    let stage = Stage::open().await;
    let plain = hook(&stage.api, &stage.receiver, "/plain", json!({})).await;
    let body = webhook(&stage.api, &plain).await;
    assert_eq!(body["order"], json!("none"));
    assert_eq!((&body["order_wait_ms"], &body["rate_limit"]), (&Value::Null, &Value::Null));

    let rate = |requests: u32, per_ms: u32| json!({ "requests": requests, "per_ms": per_ms });
    let fields = json!({ "order": "strict", "order_wait_ms": 86_400_000, "rate_limit": rate(1_000_000, 86_400_000) });
    let id = hook(&stage.api, &stage.receiver, "/hook", fields.clone()).await;
    let body = webhook(&stage.api, &id).await;
    for field in ["order", "order_wait_ms", "rate_limit"] {
        assert_eq!(body[field], fields[field], "{field}");
    }
    let path = format!("/webhooks/{id}");
    for (patch, field, after) in [
        (json!({ "order": "subject" }), "order", json!("subject")),
        (json!({ "order_wait_ms": 1 }), "order_wait_ms", json!(1)),
        (json!({ "rate_limit": { "requests": 1 } }), "rate_limit", rate(1, 86_400_000)),
        (json!({ "rate_limit": { "per_ms": 1 } }), "rate_limit", rate(1, 1)),
        (json!({ "rate_limit": null }), "rate_limit", Value::Null),
        (json!({ "rate_limit": rate(5, 1000) }), "rate_limit", rate(5, 1000)),
        (json!({ "order": null }), "order", json!("none")),
        (json!({ "order_wait_ms": null }), "order_wait_ms", Value::Null),
    ] {
        let answered = stage.api.patch(&path, &patch).await.expect("patched").body;
        assert_eq!(answered[field], after, "{patch}");
        assert_eq!(webhook(&stage.api, &id).await[field], after, "{patch}");
    }
    stage.api.patch(&path, &json!({ "rate_limit": null })).await.expect("patched");
    for (fields, pointer) in [
        (json!({ "order": "sorted" }), "/order"),
        (json!({ "order_wait_ms": 0 }), "/order_wait_ms"),
        (json!({ "order_wait_ms": 86_400_001 }), "/order_wait_ms"),
        (json!({ "rate_limit": rate(0, 1) }), "/rate_limit/requests"),
        (json!({ "rate_limit": rate(1, 0) }), "/rate_limit/per_ms"),
        (json!({ "rate_limit": rate(1_000_001, 1) }), "/rate_limit/requests"),
        (json!({ "rate_limit": rate(1, 86_400_001) }), "/rate_limit/per_ms"),
        (json!({ "rate_limit": { "requests": 1 } }), "/rate_limit/per_ms"),
        (json!({ "rate_limit": { "requests": 1, "per_ms": 1, "burst": 1 } }), "/rate_limit/burst"),
    ] {
        let mut create = json!({ "url": stage.receiver.url("/hook"), "events": ["*"] });
        create.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        let created = stage.api.post("/webhooks", &create).await.expect_err("refused").problem();
        let patched = stage.api.patch(&path, &fields).await.expect_err("refused").problem();
        for problem in [created, patched] {
            assert_eq!((problem.status, problem.pointers()), (422, vec![pointer]), "{fields}: {problem:?}");
        }
    }
}
