//! The ready integrations against what their destinations answer. `answers.json` has a row for each answer that a
//! destination is known to give, with the only right reaction to it.

use std::collections::BTreeMap;
use std::time::Duration;

use hookwright_tests::{
    api::{Plugin, Webhook},
    eventually::eventually,
    example::example,
    receiver::{Recorded, Reply},
    stage::Stage,
};
use hyper::header::HeaderName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::failover::ms_of_day;

/// A destination as it is registered, and what it answers.
#[derive(Debug, Deserialize)]
struct Destination {
    plugin: String,
    /// Behind the receiver's address: what somebody would register.
    base: String,
    event: Event,
    config: Value,
    secrets: Value,
    expect: Expected,
    rows: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Event {
    r#type: String,
    payload: Value,
}

/// What the destination must get.
#[derive(Debug, Deserialize)]
struct Expected {
    method: String,
    /// Behind the base.
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
}

/// An answer and what becomes of the delivery.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    answer: Answer,
    becomes: String,
    /// A part of what people are told.
    #[serde(default)]
    says: String,
    #[serde(default)]
    disabled: bool,
    link: Option<String>,
    /// Seconds to the next attempt, least and most.
    wait_s: Option<(u64, u64)>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
}

impl Answer {
    fn reply(&self) -> Reply {
        let reply = Reply::status(self.status).body(self.body.clone());
        self.headers.iter().fold(reply, |reply, (name, value)| {
            let name: HeaderName = name.parse().expect("a header name");
            // The few names of a table of tests may live as long as the process.
            reply.header(name.as_str().to_owned().leak(), value)
        })
    }
}

#[tokio::test]
async fn every_answer_of_a_destination_has_the_one_right_reaction() {
    let destinations: Vec<Destination> =
        serde_json::from_str(include_str!("integrations/answers.json")).expect("a table of answers");
    let stage = Stage::open().await;
    let mut plugins = BTreeMap::new();
    for (index, destination) in destinations.iter().enumerate() {
        let name = &destination.plugin;
        if !plugins.contains_key(name) {
            plugins.insert(name.clone(), stage.api.install(example(name)).await);
        }
        for (row, wanted) in destination.rows.iter().enumerate() {
            react(&stage, &plugins[name], destination, wanted, &format!("{name}-{index}-{row}")).await;
        }
    }
}

async fn react(stage: &Stage, plugin: &Plugin, destination: &Destination, row: &Row, id: &str) {
    let base = format!("/{id}{}", destination.base);
    stage.receiver.on(&format!("{base}{}", destination.expect.path), [row.answer.reply()]);
    let webhook = register(stage, plugin, destination, &base, id).await;
    let mut payload = destination.event.payload.clone();
    payload["row"] = json!(id);
    let delivery = stage.api.publish_one(&destination.event.r#type, payload).await.id;

    let shown = eventually(Duration::from_secs(30), "an attempt", async || {
        let delivery = stage.api.get(&format!("/deliveries/{delivery}")).await.expect("the delivery").body;
        (delivery["status"] != "pending").then_some(delivery)
    })
    .await;
    assert_eq!(shown["status"], row.becomes, "{id} {row:?}: {shown:#}");
    let request = &shown["requests"][0];
    let attempt = &request["attempts"][0];
    let told = format!("{} {}", shown["reason"], attempt["verdict"]["message"]);
    assert!(told.contains(&row.says), "{id} {row:?}: {told}");
    assert_eq!(attempt["verdict"]["link"].as_str(), row.link.as_deref(), "{id} {row:?}");
    if let Some((least, most)) = row.wait_s {
        const DAY: u64 = 24 * 60 * 60 * 1000;
        let wait = (ms_of_day(&request["next_attempt_at"]) + DAY - ms_of_day(&attempt["started_at"])) % DAY;
        assert!((least * 1000..=most * 1000).contains(&wait), "{id} {row:?}: {wait} ms");
    }
    let path = format!("/webhooks/{}", webhook.id);
    let enabled = &stage.api.get(&path).await.expect("the webhook").body["enabled"];
    assert_eq!(enabled, !row.disabled, "{id} {row:?}");
    check(&*stage.receiver.wait(&format!("{base}{}", destination.expect.path), 1).await, &destination.expect);
    stage.api.delete(&path).await.expect("gone");
}

async fn register(stage: &Stage, plugin: &Plugin, destination: &Destination, base: &str, id: &str) -> Webhook {
    let webhook = json!({
        "url": stage.receiver.url(base),
        "events": [destination.event.r#type],
        "filter": format!("payload.row == \"{id}\""),
        "retry": [0, 10_000],
        "plugin": {
            "name": plugin.name, "version": plugin.version, "config": destination.config, "secrets": destination.secrets,
        },
    });
    stage.api.register(&webhook).await
}

fn check(request: &Recorded, expected: &Expected) {
    assert_eq!(request.method.as_str(), expected.method);
    assert_eq!(request.query.as_deref().unwrap_or_default(), expected.query, "{request:?}");
    for (name, value) in &expected.headers {
        assert_eq!(request.header(name), value, "{name} of {request:?}");
    }
}

#[tokio::test]
async fn a_ticket_lives_on_in_jira() {
    let stage = Stage::open().await;
    let plugin = stage.api.install(example("jira")).await;
    let made = json!({ "id": "1", "key": "QA-7", "self": "https://octo.atlassian.net/rest/api/3/issue/1" });
    stage.receiver.on("/rest/api/3/issue", [Reply::status(201).body(made.to_string())]);
    stage.receiver.when(|request| request.path.starts_with("/rest/api/3/issue/"), [Reply::status(204)]);
    let config = json!({ "email": "robot@example.com", "project_key": "QA", "transitions": { "done": "31" } });
    let webhook = json!({
        "url": stage.receiver.url(""),
        "events": ["ticket.*"],
        "plugin": { "name": plugin.name, "version": plugin.version, "config": config, "secrets": { "token": "t" } },
    });
    stage.api.register(&webhook).await;

    let publish = async |kind: &str, title: &str, status: &str| {
        let ticket = json!({ "id": "42", "title": title, "description": "Often.", "status": status });
        let event =
            json!({ "type": kind, "subject": "42", "payload": { "ticket": ticket, "from": "open", "to": status } });
        let accepted = stage.api.post("/events", &event).await.expect("accepted");
        let delivery = accepted.body["deliveries"][0]["id"].as_str().expect("one delivery").to_owned();
        assert_eq!(stage.api.settled(&delivery).await.status, "succeeded", "{kind}");
    };
    publish("ticket.created", "Export fails", "open").await;
    publish("ticket.updated", "Export fails for all", "open").await;
    publish("ticket.status_changed", "Export fails for all", "blocked").await;
    publish("ticket.status_changed", "Export fails for all", "done").await;

    let requests = stage.receiver.all();
    let lines: Vec<_> = requests.iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    let issue = "/rest/api/3/issue";
    let expected = [
        format!("POST {issue}"),
        format!("PUT {issue}/QA-7"),
        format!("POST {issue}/QA-7/comment"),
        format!("POST {issue}/QA-7/transitions"),
    ];
    assert_eq!(lines, expected);
    assert_eq!(requests[1].json()["fields"]["summary"], "Export fails for all");
    assert!(requests[2].text().contains("open → blocked"), "{}", requests[2].text());
    assert_eq!(requests[3].json(), json!({ "transition": { "id": "31" } }));
}

#[tokio::test]
async fn a_lead_comes_to_the_departments_of_its_programs_and_to_no_other() {
    let stage = Stage::open().await;
    let plugin = stage.api.install(example("lead-router")).await;
    for (department, programs) in [
        ("arts", json!({ "Film": { "path": "film" }, "Music": { "path": "music" } })),
        ("business", json!({ "Small business": { "path": "small" }, "Export": { "path": "export" } })),
        ("housing", json!({ "Housing": {} })),
    ] {
        let webhook = json!({
            "url": stage.receiver.url(&format!("/{department}")),
            "events": ["lead.submitted"],
            "plugin": { "name": plugin.name, "version": plugin.version, "config": { "programs": programs } },
        });
        stage.api.register(&webhook).await;
    }
    let lead = json!({ "id": "9", "name": "Hedy Lamarr", "email": "hedy@example.com" });
    let accepted =
        stage.api.publish("lead.submitted", json!({ "lead": lead, "programs": ["Music", "Export", "Film"] })).await;
    let mut skipped = 0;
    for delivery in &accepted.deliveries {
        let settled = stage.api.settled(&delivery.id).await;
        match settled.status.as_str() {
            "skipped" => {
                assert!(settled.reason.is_some_and(|reason| reason.contains("this department has: Housing")));
                skipped += 1;
            }
            status => assert_eq!(status, "succeeded"),
        }
    }
    let mut places: Vec<_> = stage.receiver.all().iter().map(|request| request.path.clone()).collect();
    places.sort();
    assert_eq!(places, ["/arts/film", "/arts/music", "/business/export"]);
    assert_eq!(skipped, 1, "housing");
}
