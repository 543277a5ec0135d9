//! The example plugins at work: what an event becomes, and who gets which credentials.

use hookwright_tests::{
    catalogue::retro,
    example::example,
    receiver::{Recorded, Reply},
    stage::Stage,
};
use serde_json::{Value, json};

const KEY: &str = "trello-key-5f1c";
const TOKEN: &str = "trello-token-9ab2";
const LIST: &str = "5abbe4b7ddc1b351ef961414";

/// A webhook on Trello as `receiver` plays it.
async fn trello(stage: &Stage, retry: Value) -> String {
    let plugin = stage.api.install(example("trello")).await;
    let webhook = stage
        .api
        .register(&json!({
            "url": stage.receiver.url("/trello"),
            "events": ["retro.completed"],
            "retry": retry,
            "plugin": {
                "name": plugin.name,
                "version": plugin.version,
                "config": { "list_id": LIST },
                "secrets": { "key": KEY, "token": TOKEN },
            },
        }))
        .await;
    webhook.id
}

fn is_card(request: &Recorded, title: &str) -> bool {
    request.path == "/trello/cards" && request.json()["name"].as_str().is_some_and(|name| name.contains(title))
}

#[tokio::test]
async fn a_retro_becomes_a_slack_message() {
    let stage = Stage::open().await;
    let plugin = stage.api.install(example("slack")).await;
    let webhook = stage
        .api
        .register(&json!({
            "url": stage.receiver.url("/services/T0/B0/x"),
            "events": ["retro.completed"],
            "plugin": { "name": plugin.name, "version": plugin.version, "config": {}, "secrets": {} },
        }))
        .await;
    let delivery = stage.api.publish_one("retro.completed", retro(&["Fix the build", "Buy cake"])).await;

    let request = stage.receiver.wait("/services/T0/B0/x", 1).await;
    assert_eq!((request.method.as_str(), request.header("content-type")), ("POST", "application/json"));
    let message = request.json();
    assert!(message["text"].as_str().is_some_and(|text| text.contains("Sprint 7")), "{message:#}");
    assert!(message["blocks"].as_array().is_some_and(|blocks| !blocks.is_empty()), "{message:#}");
    let blocks = message["blocks"].to_string();
    assert!(blocks.contains("Fix the build") && blocks.contains("Buy cake"), "{message:#}");
    request.verify(&webhook.signing_secret).expect("plugin requests are signed as well");

    let settled = stage.api.settled(&delivery.id).await;
    assert_eq!(settled.status, "succeeded", "{settled:#?}");
    let run = settled.plugin.expect("the run of the plugin");
    assert_eq!((&run.name, &run.version), (&plugin.name, &plugin.version));
    assert!(run.cpu_us.is_some_and(|used| used > 0) && run.memory_bytes.is_some_and(|used| used > 0), "{run:?}");
}

#[tokio::test]
async fn four_actions_become_four_cards_and_only_the_failed_one_is_repeated() {
    let stage = Stage::open().await;
    trello(&stage, json!([0, 50, 50])).await;
    let titles = ["Fix the build", "Buy cake", "Call Bob", "Draw a map"];
    stage.receiver.when(|request| is_card(request, "Buy cake"), [Reply::status(500), Reply::ok()]);

    let delivery = stage.api.publish_one("retro.completed", retro(&titles)).await;
    let settled = stage.api.settled(&delivery.id).await;
    assert_eq!(settled.status, "succeeded", "{settled:#?}");

    let counts = titles.map(|title| stage.receiver.count_of(|request| is_card(request, title)));
    assert_eq!(counts, [1, 2, 1, 1]);
    assert_eq!(stage.receiver.all().len(), 5);
    for card in stage.receiver.all() {
        assert_eq!((card.method.as_str(), card.path.as_str()), ("POST", "/trello/cards"));
        let expected = format!("OAuth oauth_consumer_key=\"{KEY}\", oauth_token=\"{TOKEN}\"");
        assert_eq!(card.header("authorization"), expected);
        let body = card.json();
        assert_eq!(body["idList"], json!(LIST));
        assert!(body["desc"].is_string(), "{body:#}");
    }

    let repeated: Vec<_> = stage.receiver.wait_for(2, |request| is_card(request, "Buy cake")).await;
    assert_eq!(repeated[0].header("webhook-id"), repeated[1].header("webhook-id"));
    assert_eq!(repeated[0].body, repeated[1].body);
    let attempts: Vec<_> = settled.requests.iter().map(|request| request.attempts.len()).collect();
    assert_eq!(attempts, [1, 2, 1, 1], "{settled:#?}");
}

#[tokio::test]
async fn a_plugin_with_nothing_to_say_skips() {
    let stage = Stage::open().await;
    trello(&stage, json!([0])).await;
    let delivery = stage.api.publish_one("retro.completed", retro(&[])).await;
    let settled = stage.api.settled(&delivery.id).await;
    assert_eq!(settled.status, "skipped", "{settled:#?}");
    assert!(settled.reason.is_some_and(|reason| !reason.is_empty()));
    assert!(settled.requests.is_empty());
    assert_eq!(stage.receiver.all().len(), 0);
}

#[tokio::test]
async fn a_plugin_is_uploaded_once() {
    let stage = Stage::open().await;
    let bytes = example("slack");
    let first = stage.api.upload(bytes.clone()).await.expect("accepted");
    assert_eq!((first.status, &first.body["status"]), (201, &json!("ready")));
    let again = stage.api.upload(bytes.clone()).await.expect("the same bytes");
    assert_eq!((again.status, &again.body["digest"]), (200, &first.body["digest"]));

    // An empty custom section makes other bytes of the same component.
    let mut other = bytes;
    other.extend_from_slice(&[0, 2, 1, b'x']);
    let problem = stage.api.upload(other).await.expect_err("the version is taken").problem();
    assert_eq!(problem.status, 409);
    let problem = stage.api.upload(b"\0asm\x01\0\0\0".to_vec()).await.expect_err("no component").problem();
    assert_eq!(problem.status, 422);

    let names: Vec<_> = stage.api.list("/plugins").await.iter().map(|plugin| plugin["name"].clone()).collect();
    assert_eq!(names, [json!("slack")]);
}

/// What an author uploads is small: manifest, golden cases and names for traps are in it.
#[test]
fn slack_is_smaller_than_150_kilobytes() {
    let bytes = example("slack").len();
    assert!(bytes < 150_000, "{bytes} bytes; docs/ARCHITECTURE.md says what plugins are kept small by");
}
