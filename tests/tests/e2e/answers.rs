//! What a plugin makes of answers decides what happens next.

use std::time::Duration;

use hookwright_tests::{
    api::Delivery,
    eventually::eventually,
    guest::{Forge, Output, Request, Verdict},
    receiver::Reply,
    stage::Stage,
};
use serde_json::{Value, json};

const EVERY: &[&str] = &["1xx", "2xx", "3xx", "4xx", "5xx"];

/// A plugin that makes one request of each event.
fn plugin(name: &str) -> Forge {
    Forge::new(name).returns(&Output::Deliver(vec![Request::default()]))
}

/// Installs a plugin and has one event pass through it, which gets these answers. Gives the id of the delivery and of the
/// webhook.
async fn asked(stage: &Stage, plugin: &Forge, replies: Vec<Reply>, options: Value) -> (String, String) {
    let plugin = stage.api.install(plugin.component()).await;
    let path = format!("/{}", plugin.name);
    stage.receiver.on(&path, replies);
    let mut webhook = json!({
        "url": stage.receiver.url(&path),
        "events": [plugin.name],
        "retry": [0, 60_000],
        "plugin": { "name": plugin.name, "version": plugin.version, "config": {} },
    });
    webhook.as_object_mut().expect("an object").extend(options.as_object().cloned().expect("an object"));
    let webhook = stage.api.register(&webhook).await;
    (stage.api.publish_one(&plugin.name, json!({})).await.id, webhook.id)
}

async fn settled(stage: &Stage, plugin: &Forge, reply: Reply) -> Delivery {
    let (delivery, _) = asked(stage, plugin, vec![reply], json!({})).await;
    stage.api.settled(&delivery).await
}

async fn raw(stage: &Stage, id: &str) -> Value {
    stage.api.get(&format!("/deliveries/{id}")).await.expect("the delivery").body
}

/// Waits until the first attempt is over.
async fn tried(stage: &Stage, id: &str) -> Value {
    eventually(Duration::from_secs(30), "an attempt", async || {
        let delivery = raw(stage, id).await;
        (delivery["status"] != "pending").then_some(delivery)
    })
    .await
}

#[tokio::test]
async fn an_error_in_a_200_is_no_success_and_a_404_may_be_one() {
    let stage = Stage::open().await;
    let rejected = Verdict { message: Some("the list is gone".to_owned()), ..Verdict::of(Verdict::REJECTED) };
    let delivery = settled(&stage, &plugin("rejects").says(EVERY, &rejected), Reply::ok()).await;
    assert_eq!(delivery.status, "failed", "{delivery:#?}");
    assert!(delivery.reason.as_deref().is_some_and(|reason| reason.contains("the list is gone")), "{delivery:#?}");
    let attempt = delivery.attempt();
    assert_eq!((attempt.outcome.as_str(), attempt.error_class.as_deref()), ("failed", Some("verdict")));

    let delivered = Verdict { link: Some("https://a.example/1".to_owned()), ..Verdict::of(Verdict::DELIVERED) };
    let delivery = settled(&stage, &plugin("accepts").says(EVERY, &delivered), Reply::status(404)).await;
    assert_eq!(delivery.status, "succeeded", "{delivery:#?}");
    let verdict = &raw(&stage, &delivery.id).await["requests"][0]["attempts"][0]["verdict"];
    assert_eq!((&verdict["decision"], &verdict["link"]), (&json!("delivered"), &json!("https://a.example/1")));
    assert!(verdict["cpu_us"].as_u64().is_some_and(|used| used > 0), "{verdict:#}");

    let by_status = Verdict::of(Verdict::BY_STATUS);
    let delivery = settled(&stage, &plugin("shrugs").says(EVERY, &by_status), Reply::status(404)).await;
    assert_eq!(delivery.status, "failed", "{delivery:#?}");
    assert_eq!(delivery.attempt().error_class.as_deref(), Some("status"));
}

#[tokio::test]
async fn a_plugin_is_asked_for_the_statuses_that_its_manifest_lists() {
    let stage = Stage::open().await;
    let rejects = plugin("only-404").says(&["404"], &Verdict::of(Verdict::REJECTED));
    let delivery = settled(&stage, &rejects, Reply::status(201)).await;
    assert_eq!(delivery.status, "succeeded", "{delivery:#?}");
    let raw = raw(&stage, &delivery.id).await;
    assert!(raw["requests"][0]["attempts"][0].get("verdict").is_none(), "{raw:#}");
}

#[tokio::test]
async fn a_retry_waits_as_long_as_the_plugin_says() {
    let stage = Stage::open().await;
    let verdict = Verdict { wait_ms: Some(1000), ..Verdict::of(Verdict::RETRY) };
    let retries = plugin("retries").says(&["418"], &verdict);
    // The schedule would wait for a minute.
    let (id, _) = asked(&stage, &retries, vec![Reply::status(418), Reply::ok()], json!({})).await;
    let delivery = stage.api.settled(&id).await;
    assert_eq!(delivery.status, "succeeded", "{delivery:#?}");
    let outcomes: Vec<_> = delivery.request().attempts.iter().map(|attempt| attempt.outcome.as_str()).collect();
    assert_eq!(outcomes, ["failed", "succeeded"]);
}

#[tokio::test]
async fn uncertain_is_held_or_retried_as_the_webhook_says() {
    let stage = Stage::open().await;
    let uncertain = |name| plugin(name).says(EVERY, &Verdict::of(Verdict::UNCERTAIN));
    let (id, _) = asked(&stage, &uncertain("holds"), vec![Reply::ok()], json!({ "on_uncertain": "hold" })).await;
    let delivery = tried(&stage, &id).await;
    assert_eq!(delivery["status"], "held", "{delivery:#}");
    assert_eq!(delivery["requests"][0]["attempts"][0]["outcome"], "uncertain");
    let (id, _) = asked(&stage, &uncertain("tries"), vec![Reply::ok()], json!({})).await;
    let delivery = tried(&stage, &id).await;
    assert_eq!(delivery["status"], "retrying", "{delivery:#}");
}

#[tokio::test]
async fn a_verdict_can_disable_the_webhook() {
    let stage = Stage::open().await;
    let verdict = Verdict { message: Some("the token is dead".to_owned()), ..Verdict::of(Verdict::DISABLE) };
    let (delivery, webhook) = asked(&stage, &plugin("ends").says(EVERY, &verdict), vec![Reply::ok()], json!({})).await;
    assert_eq!(stage.api.settled(&delivery).await.status, "failed");
    let webhook = stage.api.get(&format!("/webhooks/{webhook}")).await.expect("the webhook").body;
    assert_eq!(webhook["enabled"], false, "{webhook:#}");
    assert!(webhook["disabled_reason"].as_str().is_some_and(|why| why.contains("the token is dead")), "{webhook:#}");
}

#[tokio::test]
async fn items_of_a_request_have_ends_of_their_own() {
    let stage = Stage::open().await;
    let items = vec![("first".to_owned(), Verdict::DELIVERED), ("second".to_owned(), Verdict::REJECTED)];
    let verdict = Verdict { items, ..Verdict::of(Verdict::DELIVERED) };
    let delivery = settled(&stage, &plugin("many").says(EVERY, &verdict), Reply::ok()).await;
    assert_eq!(delivery.status, "succeeded", "{delivery:#?}");
    let verdict = &raw(&stage, &delivery.id).await["requests"][0]["attempts"][0]["verdict"];
    assert_eq!(
        verdict["items"],
        json!([{ "label": "first", "decision": "delivered" }, { "label": "second", "decision": "rejected" }])
    );
}

/// Whatever an interpreter does, the request is not sent more often and not later than without it.
#[tokio::test]
async fn without_a_verdict_the_status_counts() {
    let stage = Stage::open().await;
    let facts = (0..33).map(|n| (format!("key-{n}"), Some("x".to_owned()))).collect();
    let link = Some("javascript:alert(1)".to_owned());
    let flood = "(local $n i32) (loop (call $recall (i32.const 1024) (i32.const 4) (i32.const 512)) (br 0))";
    for (plugin, code) in [
        (plugin("traps").interprets(EVERY, ""), "plugin.crashed"),
        (plugin("loops").interprets(EVERY, "(loop (br 0))"), "plugin.timeout"),
        (plugin("floods").interprets(EVERY, flood), "plugin.too_many_recalls"),
        (plugin("lies").says(EVERY, &Verdict { link, ..Verdict::of(Verdict::REJECTED) }), "plugin.bad_output"),
        (plugin("learns").says(EVERY, &Verdict { facts, ..Verdict::of(Verdict::REJECTED) }), "plugin.bad_output"),
    ] {
        let delivery = settled(&stage, &plugin, Reply::ok()).await;
        assert_eq!((delivery.status.as_str(), delivery.request().attempts.len()), ("succeeded", 1), "{delivery:#?}");
        let attempt = &raw(&stage, &delivery.id).await["requests"][0]["attempts"][0];
        assert_eq!(attempt["verdict"]["error"]["code"], code, "{attempt:#}");
        let facts = stage.api.list(&format!("/webhooks/{}/facts", delivery.webhook_id)).await;
        assert!(facts.is_empty(), "{facts:#?}");
    }
}
