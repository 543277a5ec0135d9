//! Every way to do harm that we know of: each ends in a message of its own, and nobody else notices.

mod runs;
mod snapshot;
mod uploads;

use std::collections::HashSet;

use hookwright_tests::{
    api::{Api, Error},
    server::Installation,
    stage::Stage,
};
use serde_json::{Value, json};
use snapshot::Snapshot;

/// How much the server may grow at its peak.
const GROWTH_BYTES: u64 = 256 * 1024 * 1024;
/// What an uninvolved webhook gets meanwhile, for each guest that runs.
const BYSTANDERS: usize = 5;

fn installation() -> Installation {
    Installation::new()
        .env("HOOKWRIGHT_PLUGINS_COMPILE_CPU_S", "3")
        .env("HOOKWRIGHT_PLUGINS_COMPILE_MEMORY_BYTES", "402653184")
        // A bomb that ends by CPU time must not end by time because the machine is busy.
        .env("HOOKWRIGHT_PLUGINS_WALL_TIMES_CPU", "100")
        .env("HOOKWRIGHT_PLUGINS_UPLOAD_WAIT_MS", "40000")
}

#[tokio::test]
async fn nothing_gets_in_or_out_and_nobody_else_notices() {
    let stage = Stage::on(installation()).await;
    let before = stage.server.resident_bytes();
    let good = json!({ "url": stage.receiver.url("/good"), "events": ["good.*"] });
    let good = stage.api.register(&good).await.id;
    let mut snapshot = Snapshot::default();
    for (name, component) in uploads::all() {
        let problem = stage.api.upload(component).await.expect_err(name).problem();
        let error = problem.plugin_error.as_ref().unwrap_or_else(|| panic!("{problem:?}"));
        snapshot.note(
            name,
            &format!("refused ({})", problem.status),
            &serde_json::from_value(Value::clone(error)).expect("an error"),
        );
    }

    let mut sent = 0;
    let mut deliveries = Vec::new();
    for (name, component) in runs::all() {
        // A name of its own for each, since all come from one forge.
        stage.api.install(component).await;
        let delivery = harmed(&stage, name).await;
        for _ in 0..BYSTANDERS {
            stage.api.publish_one("good.event", json!({ "n": sent })).await;
            sent += 1;
        }
        deliveries.push((name, delivery));
    }
    for (name, id) in &deliveries {
        let delivery = stage.api.settled(id).await;
        let run = delivery.plugin.as_ref().expect("the run of the plugin");
        let error = run.error.clone().unwrap_or_else(|| panic!("{name}: {delivery:#?}"));
        assert!(delivery.requests.is_empty(), "{name}: {delivery:#?}");
        assert!(run.logs.len() <= 64, "{name}: {} lines", run.logs.len());
        assert!(run.memory_bytes.unwrap_or(0) <= 32 * 1024 * 1024, "{name}: {run:?}");
        snapshot.note(name, &delivery.status, &error);
    }
    let mut read = 0;
    for (name, component) in runs::interpreters() {
        stage.api.install(component).await;
        let delivery = stage.api.settled(&harmed(&stage, name).await).await;
        // The request arrived, and that is what counts.
        assert_eq!((delivery.status.as_str(), delivery.requests.len()), ("succeeded", 1), "{name}: {delivery:#?}");
        let verdict = delivery.attempt().verdict.clone().unwrap_or_else(|| panic!("{name}: {delivery:#?}"));
        let error = serde_json::from_value(verdict["error"].clone()).expect(name);
        snapshot.note(name, &delivery.status, &error);
        read += 1;
    }
    let grown = stage.server.peak_bytes().saturating_sub(before);
    assert!(grown < GROWTH_BYTES, "the server has grown by {grown} bytes");

    let arrived = stage.receiver.wait_for(sent, |request| request.path == "/good").await;
    let numbers: HashSet<_> = arrived.iter().map(|request| request.json()["data"]["n"].as_u64()).collect();
    assert_eq!(numbers.len(), sent, "each of them");
    stage.api.all_settled().await;
    let good = stage.api.list(&format!("/webhooks/{good}/deliveries")).await;
    assert_eq!(good.iter().filter(|delivery| delivery["status"] == "succeeded").count(), sent);
    assert_eq!(stage.receiver.all().len(), sent + read, "nothing else was sent to anybody");
    assert!(snapshot.len() >= 30, "{} guests", snapshot.len());
    snapshot.check();
}

/// An event for a webhook that passes it through this plugin.
async fn harmed(stage: &Stage, name: &str) -> String {
    let kind = format!("bad.{}", name.replace('-', "_"));
    let secrets: Value = if name.starts_with("secret-") { json!({ "key": "s3cret-of-a-test" }) } else { json!({}) };
    let run = json!({ "name": name, "version": "0.1.0", "config": {}, "secrets": secrets });
    // The URL has a query of its own.
    let webhook = json!({ "url": stage.receiver.url("/bad?room=1"), "events": [kind], "plugin": run });
    stage.api.register(&webhook).await;
    stage.api.publish_one(&kind, json!({})).await.id
}

/// A limit that a webhook lowers holds for it, and is told with what was used.
#[tokio::test]
async fn a_webhook_lowers_limits_and_raises_none() {
    let stage = Stage::on(Installation::new().env("HOOKWRIGHT_PLUGINS_WALL_TIMES_CPU", "100")).await;
    for (name, component) in runs::all().into_iter().filter(|(name, _)| ["loop", "memory-growth"].contains(name)) {
        stage.api.install(component).await;
        let error = limited(&stage.api, &stage.receiver.url("/x"), name).await;
        let limit = error.limit.as_deref().expect("a limit");
        let allowed = match name {
            "loop" => ("cpu_ms", 20.0),
            _ => ("memory_bytes", 2_097_152.0),
        };
        assert_eq!((limit, error.allowed), (allowed.0, Some(allowed.1)), "{error:?}");
    }
    let plugin = |limits: Value| json!({ "name": "loop", "version": "0.1.0", "config": {}, "limits": limits });
    let webhook = |limits| json!({ "url": stage.receiver.url("/x"), "events": ["x.*"], "plugin": plugin(limits) });
    for (limit, value) in
        [("cpu_ms", 51), ("cpu_ms", 0), ("memory_bytes", 33_554_433), ("requests", 101), ("log_lines", 65)]
    {
        let problem = stage.api.post("/webhooks", &webhook(json!({ limit: value }))).await.expect_err(limit).problem();
        assert_eq!((problem.status, problem.pointers()), (422, vec![format!("/plugin/limits/{limit}").as_str()]));
    }
    let problem = stage.api.post("/webhooks", &webhook(json!({ "cpu": 1 }))).await.expect_err("unknown").problem();
    assert_eq!(problem.pointers(), ["/plugin/limits/cpu"]);

    let id = stage.api.register(&webhook(json!({ "cpu_ms": 50, "requests": 7 }))).await.id;
    let path = format!("/webhooks/{id}");
    let limits = async |change: Value| {
        let answer = stage.api.patch(&path, &json!({ "plugin": { "limits": change } })).await;
        answer.map(|answer| answer.body["plugin"]["limits"].clone())
    };
    assert_eq!(
        limits(json!({ "cpu_ms": 10, "log_lines": 0 })).await.expect("changed"),
        json!({ "cpu_ms": 10, "requests": 7, "log_lines": 0 })
    );
    assert_eq!(limits(json!({ "requests": null })).await.expect("changed"), json!({ "cpu_ms": 10, "log_lines": 0 }));
    assert_eq!(limits(json!({ "cpu": 1 })).await.expect_err("unknown").problem().pointers(), ["/plugin/limits/cpu"]);
    assert_eq!(limits(Value::Null).await.expect("changed"), json!({}));
}

async fn limited(api: &Api, url: &str, name: &str) -> Error {
    let limits = json!({ "cpu_ms": 20, "memory_bytes": 2_097_152 });
    let plugin = json!({ "name": name, "version": "0.1.0", "config": {}, "limits": limits });
    let delivery = api.deliver_once(url, json!({ "plugin": plugin })).await;
    delivery.plugin.and_then(|run| run.error).expect("an error")
}
