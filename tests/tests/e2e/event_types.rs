//! Types of events: those that every project knows, its own, and payloads that are held against them.

use hookwright_tests::{api::Api, catalogue::retro, server::Installation};
use serde_json::{Value, json};

/// A type with a schema that asks for a number.
fn build(validation: &str) -> Value {
    json!({
        "name": "build.done", "description": "A build has ended", "validation": validation, "example": { "n": 1 },
        "schema": { "type": "object", "required": ["n"], "properties": { "n": { "type": "integer" } } },
    })
}

async fn stats(api: &Api) -> (Value, Value) {
    let body = api.get("/event-types/build.done").await.expect("the type").body;
    (body["stats"]["checked"].clone(), body["stats"]["invalid"].clone())
}

#[tokio::test]
async fn d3_every_project_knows_the_catalogue_and_describes_types_of_its_own() {
    let server = Installation::new().start().await;
    let api = server.api();
    let names = async || -> Vec<String> {
        let listed = api.get("/event-types").await.expect("the types");
        listed.items().iter().map(|described| described["name"].as_str().expect("a name").to_owned()).collect()
    };
    let known = [
        "lead.submitted",
        "retro.completed",
        "story.created",
        "story.updated",
        "test.run_completed",
        "test.run_created",
        "ticket.created",
        "ticket.status_changed",
        "ticket.updated",
        "workflow.completed",
        "workflow.started",
        "workflow.step_completed",
    ];
    assert_eq!(names().await, known);
    let ticket = api.get("/event-types/ticket.created").await.expect("the type").body;
    assert_eq!((&ticket["builtin"], &ticket["validation"]), (&json!(true), &json!("off")));
    assert!(ticket["schema"]["properties"]["ticket"].is_object() && ticket["example"]["ticket"]["key"] == "PAY-17");
    let made = api.post("/event-types", &build("off")).await.expect("a type of its own");
    assert_eq!((made.status, &made.body["builtin"]), (201, &json!(false)));
    assert_eq!(names().await.len(), 13);
    assert_eq!(api.post("/event-types", &build("off")).await.expect_err("twice").problem().status, 409);
    for (form, pointer) in [
        (json!({ "name": "no spaces" }), "/name"),
        (json!({ "name": "hookwright.own" }), "/name"),
        (json!({ "name": "a.b", "validation": "enforce" }), "/validation"),
        (json!({ "name": "a.b", "schema": { "type": "nonsense" } }), "/schema/type"),
        (json!({ "name": "a.b", "schema": { "$ref": "https://example.com/schema" } }), "/schema/$ref"),
        (json!({ "name": "a.b", "schema": { "type": "object" }, "example": 1 }), "/example"),
    ] {
        let problem = api.post("/event-types", &form).await.expect_err("wrong").problem();
        assert_eq!((problem.status, problem.pointers()), (422, vec![pointer]), "{form}: {problem:?}");
    }
    let path = "/event-types/ticket.created";
    let patched = api.patch(path, &json!({ "description": "Ours" })).await.expect("patched").body;
    assert_eq!((&patched["description"], &patched["schema"]), (&json!("Ours"), &ticket["schema"]));
    api.delete(path).await.expect("forgotten");
    assert_eq!(api.get(path).await.expect("as every project knows it").body, ticket);
    assert_eq!(api.delete(path).await.expect_err("nothing of its own").problem().status, 409);
    api.delete("/event-types/build.done").await.expect("deleted");
    assert_eq!(api.get("/event-types/build.done").await.expect_err("gone").problem().status, 404);
    api.publish("build.done", json!("anything")).await;
}

#[tokio::test]
async fn d3_payloads_are_refused_counted_or_left_alone_as_their_type_says() {
    let server = Installation::new().start().await;
    let api = server.api();
    api.post("/event-types", &build("enforce")).await.expect("a type");
    api.publish("build.done", json!({ "n": 1 })).await;
    let problem = api.try_publish("build.done", json!({ "n": "one" })).await.expect_err("refused").problem();
    assert_eq!((problem.status, problem.pointers()), (422, vec!["/payload/n"]));
    let array = json!([{ "type": "build.done", "payload": { "n": 1 } }, { "type": "build.done", "payload": {} }]);
    let problem = api.post("/events", &array).await.expect_err("all or nothing").problem();
    assert_eq!(problem.pointers(), ["/1/payload/n"]);
    let cloud =
        json!({ "specversion": "1.0", "id": "1", "source": "/ci", "type": "build.done", "data": { "n": true } });
    let cloud = cloud.to_string().into_bytes();
    let refused =
        api.post_bytes("/events", "application/cloudevents+json", cloud).await.expect_err("refused").problem();
    assert_eq!(refused.pointers(), ["/data/n"]);
    let headers = [("ce-specversion", "1.0"), ("ce-id", "2"), ("ce-source", "/ci"), ("ce-type", "build.done")];
    let refused = api.post_with("/events", &headers, b"{}".to_vec()).await.expect_err("refused").problem();
    assert_eq!(refused.pointers(), ["/data/n"]);
    api.post_with("/events", &headers, br#"{"n": 2}"#.to_vec()).await.expect("taken");
    let lines = [r#"{"type":"build.done","payload":{"n":3}}"#, r#"{"type":"build.done","payload":{"n":"x"}}"#];
    let answers = api.post_lines("/events", &lines.map(str::to_owned)).await;
    assert_eq!((answers[0]["type"].as_str(), &answers[1]["error"]["status"]), (Some("build.done"), &json!(422)));
    assert_eq!(api.list("/events").await.len(), 3, "what is refused is not stored");
    assert_eq!(stats(&api).await, (json!(9), json!(5)));

    api.patch("/event-types/build.done", &json!({ "validation": "warn" })).await.expect("patched");
    let taken = api.publish("build.done", json!({ "n": "one" })).await;
    let event = api.get(&format!("/events/{}", taken.id)).await.expect("the event").body;
    assert_eq!(event["schema_errors"][0]["pointer"], "/n", "{event:#}");
    assert_eq!(stats(&api).await, (json!(1), json!(1)));
    api.patch("/event-types/build.done", &json!({ "validation": "off" })).await.expect("patched");
    let taken = api.publish("build.done", json!({ "n": "one" })).await;
    let event = api.get(&format!("/events/{}", taken.id)).await.expect("the event").body;
    assert!(event.get("schema_errors").is_none(), "{event:#}");
    // The catalogue can be enforced too, and in one project only.
    api.patch("/event-types/retro.completed", &json!({ "validation": "enforce" })).await.expect("patched");
    api.publish("retro.completed", retro(&["Shorter stand-ups"])).await;
    let problem = api.try_publish("retro.completed", json!({ "retro": {} })).await.expect_err("refused").problem();
    assert!(problem.pointers().contains(&"/payload/actions"), "{problem:?}");
    api.post("/projects", &json!({ "name": "other", "external_id": "other" })).await.expect("a project");
    api.in_project("other").publish("retro.completed", json!({})).await;
}
