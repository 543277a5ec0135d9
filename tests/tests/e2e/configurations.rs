//! What a webhook tells its plugin is checked by the schema that the plugin brings.

use hookwright_tests::{api::Problem, example::example, guest::Forge, stage::Stage};
use serde_json::{Value, json};

const LIST: &str = "5abbe4b7ddc1b351ef961414";
const SECRET: &str = "hunter2-hunter2";

/// A plugin of this version that skips everything.
fn plugin(version: &str, config: Value, secrets: Value) -> Vec<u8> {
    Forge::new("routed")
        .manifest("version", json!(version))
        .manifest("config", config)
        .manifest("secrets", secrets)
        .component()
}

fn errors(problem: &Problem) -> Vec<(&str, &str)> {
    assert_eq!((problem.status, problem.code.as_str()), (422, "invalid"), "{problem:?}");
    assert!(!format!("{problem:?}").contains("hunter2"), "a secret is not repeated: {problem:?}");
    problem.errors.iter().map(|fault| (fault.pointer.as_str(), fault.detail.as_str())).collect()
}

#[tokio::test]
async fn every_mistake_is_told_at_its_field() {
    let stage = Stage::open().await;
    let version = stage.api.install(example("trello")).await.version;
    let webhook = |plugin: Value| json!({ "url": stage.receiver.url("/trello"), "events": ["*"], "plugin": plugin });
    let refused =
        async |plugin: Value| stage.api.post("/webhooks", &webhook(plugin)).await.expect_err("refused").problem();

    let problem = refused(json!({
        "name": "trello", "version": version,
        "config": { "list_id": SECRET, "position": 1, "label_ids": [LIST, "x"], "colour": SECRET, "a/b": 1 },
        "secrets": { "key": SECRET, "tokn": SECRET, "x/y": SECRET },
    }))
    .await;
    let mut found = errors(&problem);
    found.sort_unstable();
    let pointers: Vec<_> = found.iter().map(|(pointer, _)| *pointer).collect();
    assert_eq!(
        pointers,
        [
            "/plugin/config/a~1b",
            "/plugin/config/colour",
            "/plugin/config/label_ids/1",
            "/plugin/config/list_id",
            "/plugin/config/position",
            "/plugin/config/position",
            "/plugin/secrets/token",
            "/plugin/secrets/tokn",
            "/plugin/secrets/x~1y",
        ]
    );
    assert!(found[1].1.contains("it knows list_id, title, fields"), "{found:?}");
    assert!(found[3].1.contains("^[0-9a-fA-F]{24}$") && found[3].1.contains(LIST), "{found:?}");
    assert!(found[6].1.contains("is needed: Token made with that key"), "{found:?}");
    assert!(found[7].1.contains("it wants key, token"), "{found:?}");

    let problem = refused(json!({ "name": "trello", "version": version })).await;
    let pointers: Vec<_> = errors(&problem).into_iter().map(|(pointer, _)| pointer).collect();
    assert_eq!(pointers, ["/plugin/config/list_id", "/plugin/secrets/key", "/plugin/secrets/token"]);
    for config in [json!([]), json!("x"), json!(1)] {
        let problem = refused(json!({ "name": "trello", "version": version, "config": config })).await;
        assert_eq!(errors(&problem)[0], ("/plugin/config", "is a JSON object"));
    }
    assert!(stage.api.list("/webhooks").await.is_empty());
}

#[tokio::test]
async fn another_version_is_checked_by_its_own_schema() {
    let stage = Stage::open().await;
    let first = json!({ "properties": { "room": { "type": "string" } }, "additionalProperties": false });
    let second = json!({ "properties": { "room": { "type": "integer" } }, "required": ["room", "team"] });
    stage.api.install(plugin("1.0.0", first, json!({ "old": {} }))).await;
    stage
        .api
        .install(plugin(
            "2.0.0",
            second,
            json!({ "new": { "description": "A new one" }, "more": { "required": false } }),
        ))
        .await;
    let used = json!({ "name": "routed", "version": "1.0.0", "config": { "room": "a" }, "secrets": { "old": SECRET } });
    let webhook = json!({ "url": stage.receiver.url("/x"), "events": ["x.*"], "plugin": used });
    let path = format!("/webhooks/{}", stage.api.register(&webhook).await.id);
    let patch = async |plugin: Value| stage.api.patch(&path, &json!({ "plugin": plugin })).await;

    let problem = patch(json!({ "version": "2.0.0" })).await.expect_err("refused").problem();
    let mut found = errors(&problem);
    found.sort_unstable();
    assert_eq!(found[0], ("/plugin/config/room", "is an integer, not a string"));
    assert_eq!(found[1], ("/plugin/config/team", "is needed"));
    assert_eq!(found[2], ("/plugin/secrets/new", "is needed: A new one"));
    assert!(found[3].0 == "/plugin/secrets/old" && found[3].1.contains("`null` takes it away"), "{found:?}");
    assert_eq!(found.len(), 4, "{found:?}");
    let problem = patch(json!({ "config": { "room": 1 } })).await.expect_err("refused").problem();
    assert_eq!(errors(&problem), [("/plugin/config/room", "is a string, not a number")]);

    let moved = json!({ "version": "2.0.0", "config": { "room": 1, "team": SECRET }, "secrets": { "old": null, "new": SECRET } });
    let answer = patch(moved).await.expect("moved");
    assert_eq!(
        (&answer.body["plugin"]["version"], &answer.body["plugin"]["secrets"]),
        (&json!("2.0.0"), &json!({ "new": "••••" }))
    );
}

#[tokio::test]
async fn a_schema_that_is_none_is_refused_with_the_plugin() {
    let stage = Stage::open().await;
    let refusal = async |component: Vec<u8>| {
        let problem = stage.api.upload(component).await.expect_err("refused").problem();
        assert_eq!((problem.status, problem.code.as_str()), (422, "plugin_refused"), "{problem:?}");
        *problem.plugin_error.expect("what is wrong")
    };
    for (config, place) in [
        (json!({ "properties": { "a": { "type": "strin" } } }), "/properties/a/type"),
        (json!({ "properties": { "a": { "pattern": "(?=a)b+" } } }), "/properties/a/pattern"),
        (json!({ "$ref": format!("{}/schema", stage.receiver.url("")) }), "/$ref"),
        (json!({ "$ref": "file:///etc/hostname" }), "/$ref"),
    ] {
        let error = refusal(plugin("1.0.0", config, json!({}))).await;
        let message = error["message"].as_str().expect("a text");
        assert_eq!(error["code"], "plugin.bad_manifest");
        assert!(message.contains(&format!("`{place}`")), "{message}");
    }
    assert_eq!(stage.receiver.all().len(), 0, "nothing is fetched");
    let wide: Value = (0..2000).map(|n| (format!("p{n}"), json!(true))).collect::<serde_json::Map<_, _>>().into();
    let error = refusal(plugin("1.0.0", json!({ "properties": wide }), json!({}))).await;
    assert_eq!(
        (&error["code"], &error["limit"], &error["allowed"]),
        (&json!("plugin.too_large"), &json!("schema.nodes"), &json!(2000))
    );

    let case =
        json!([{ "name": "wide", "event": { "type": "a.b" }, "config": { "room": 1 }, "expect": { "skip": "" } }]);
    let config = json!({ "properties": { "room": { "type": "string" } } });
    let error = refusal(Forge::new("routed").manifest("config", config).manifest("cases", case).component()).await;
    let message = error["message"].as_str().expect("a text");
    assert_eq!(error["code"], "plugin.bad_manifest");
    assert!(message.contains("`wide`") && message.contains("`/config/room`: is a string, not a number"), "{message}");
    // Refused before anything was stored: the same version may come again.
    stage.api.install(plugin("1.0.0", json!({}), json!({}))).await;
}

/// A plugin's author and a webhook's owner who want to keep the server busy.
#[tokio::test]
async fn a_configuration_that_is_costly_to_check_is_refused_and_holds_nobody_up() {
    let stage = Stage::open().await;
    let string = json!({ "type": "string", "pattern": "^(([a-z]+)+)+$" });
    stage.api.install(plugin("1.0.0", json!({ "additionalProperties": string }), json!({}))).await;
    let webhook = |config: Value| json!({ "url": stage.receiver.url("/x"), "events": ["x.*"], "plugin": { "name": "routed", "version": "1.0.0", "config": config } });
    let refused =
        async |config: Value| stage.api.post("/webhooks", &webhook(config)).await.expect_err("refused").problem();
    let problem = refused(json!({ "a": "a".repeat(60_000) + "!" })).await;
    assert_eq!(errors(&problem).len(), 1);
    let many: Value = (0..100).map(|n| (format!("n{n}"), json!("!"))).collect::<serde_json::Map<_, _>>().into();
    let problem = refused(many).await;
    let found = errors(&problem);
    assert_eq!((found.len(), found[20]), (21, ("/plugin/config", "has more mistakes than these 20")));
    stage
        .api
        .install(plugin("2.0.0", json!({ "allOf": vec![json!({ "additionalProperties": string }); 3] }), json!({})))
        .await;
    let mut webhook = webhook(json!({ "a": "a".repeat(60_000) }));
    webhook["plugin"]["version"] = json!("2.0.0");
    let problem = stage.api.post("/webhooks", &webhook).await.expect_err("refused").problem();
    let found = errors(&problem);
    assert!(
        found.len() == 1 && found[0].0 == "/plugin/config" && found[0].1.contains("plugins.schema.steps"),
        "{found:?}"
    );
}
