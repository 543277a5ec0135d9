//! What a webhook's configuration was stays visible.

use hookwright_tests::{guest::Forge, stage::Stage};
use serde_json::{Value, json};

const SECRET: &str = "hunter2-hunter2";

#[tokio::test]
async fn every_change_of_the_configuration_is_kept() {
    let stage = Stage::open().await;
    for version in ["1.0.0", "2.0.0"] {
        let wanted = json!({ "key": { "required": false } });
        let plugin = Forge::new("routed").manifest("version", json!(version)).manifest("secrets", wanted);
        stage.api.install(plugin.component()).await;
    }
    let used = json!({ "name": "routed", "version": "1.0.0", "config": { "room": "a" }, "secrets": { "key": SECRET } });
    let webhook = json!({ "url": stage.receiver.url("/x"), "events": ["x.*"], "plugin": used, "bearer_token": SECRET });
    let path = format!("/webhooks/{}", stage.api.register(&webhook).await.id);
    for change in [
        json!({ "plugin": { "version": "2.0.0", "config": { "room": "b" }, "limits": { "cpu_ms": 7 } } }),
        json!({ "content_type": "form", "envelope": "raw" }),
        json!({ "name": "no new revision", "plugin": { "secrets": { "key": "another" } } }),
        json!({ "plugin": null }),
    ] {
        stage.api.patch(&path, &change).await.expect("changed");
    }

    let path = format!("{path}/revisions");
    let revisions = stage.api.list(&path).await;
    let shown: Vec<_> = revisions
        .iter()
        .map(|revision| {
            json!([revision["revision"], revision["content_type"], revision["envelope"], revision["plugin"]])
        })
        .collect();
    let new = json!({ "name": "routed", "version": "2.0.0", "config": { "room": "b" }, "limits": { "cpu_ms": 7 } });
    let old = json!({ "name": "routed", "version": "1.0.0", "config": { "room": "a" }, "limits": {} });
    assert_eq!(
        shown,
        [
            json!([4, "form", "raw", null]),
            json!([3, "form", "raw", new]),
            json!([2, "json", "standard", new]),
            json!([1, "json", "standard", old]),
        ]
    );
    assert!(revisions.iter().all(|revision| revision["created_at"].is_string()), "{revisions:?}");
    assert!(!Value::from(revisions).to_string().contains("hunter2"), "secrets have no history");

    let page = stage.api.get(&format!("{path}?limit=3")).await.expect("a page");
    assert_eq!(page.items().len(), 3);
    let cursor = page.body["next_cursor"].as_str().expect("there is more");
    let page = stage.api.get(&format!("{path}?limit=3&cursor={cursor}")).await.expect("a page");
    assert_eq!((&page.items()[0]["revision"], page.items().len()), (&json!(1), 1));
    assert_eq!(page.body["next_cursor"], Value::Null);
    let missing = "/webhooks/whk_00000000000070008000000000000009/revisions";
    assert_eq!(stage.api.get(missing).await.expect_err("none").problem().status, 404);
}
