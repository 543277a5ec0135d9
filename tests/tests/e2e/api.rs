//! How lists, patches and deletions behave, and who gets in.

use std::{collections::HashSet, os::unix::fs::PermissionsExt};

use hookwright_tests::{
    api::Api,
    server::{Installation, Server},
};
use serde_json::{Value, json};

async fn start() -> (Server, Api) {
    let server = Installation::new().start().await;
    let api = server.api();
    (server, api)
}

fn webhook() -> Value {
    json!({ "url": "http://127.0.0.1:9/hook", "events": ["ticket.*"] })
}

#[tokio::test]
async fn lists_are_walked_by_cursor() {
    let (_server, api) = start().await;
    let mut accepted = HashSet::new();
    for n in 0..120 {
        accepted.insert(api.publish("ticket.created", json!({ "n": n })).await.id);
    }
    let mut pages = Vec::new();
    let mut seen = Vec::new();
    let mut path = "/events".to_owned();
    loop {
        let page = api.get(&path).await.expect("a page");
        pages.push(page.items().len());
        seen.extend(page.items().iter().map(|event| event["id"].as_str().expect("an id").to_owned()));
        let Some(cursor) = page.body["next_cursor"].as_str() else {
            break;
        };
        // What comes while somebody is reading must not shift the pages.
        api.publish("ticket.updated", json!({})).await;
        path = format!("/events?cursor={cursor}");
    }
    assert_eq!(pages, [50, 50, 20], "newest first");
    assert_eq!(seen.len(), 120);
    assert_eq!(seen.into_iter().collect::<HashSet<_>>(), accepted);
}

#[tokio::test]
async fn limits_have_bounds() {
    let (_server, api) = start().await;
    for _ in 0..3 {
        api.publish("ticket.created", json!({})).await;
    }
    for path in ["/events", "/deliveries", "/webhooks", "/plugins"] {
        for limit in ["0", "201", "-1", "many"] {
            let problem = api.get(&format!("{path}?limit={limit}")).await.expect_err("out of bounds").problem();
            assert_eq!((problem.status, problem.code.as_str()), (400, "invalid_query"), "{path}?limit={limit}");
        }
        let problem = api.get(&format!("{path}?cursor=nonsense")).await.expect_err("no cursor").problem();
        assert_eq!((problem.status, problem.code.as_str()), (400, "invalid_query"), "{path}: {problem:?}");
        api.get(&format!("{path}?limit=200")).await.expect("the largest page");
    }
    let page = api.get("/events?limit=2").await.expect("a page");
    assert_eq!(page.items().len(), 2);
    assert!(page.body["next_cursor"].is_string(), "{:#}", page.body);
}

#[tokio::test]
async fn a_patch_merges() {
    let (_server, api) = start().await;
    let mut full = webhook();
    full["name"] = json!("Tickets");
    full["timeout_ms"] = json!(5_000);
    full["retry"] = json!([0, 1_000]);
    let made = api.register(&full).await;
    let path = format!("/webhooks/{}", made.id);
    let before = api.get(&path).await.expect("the webhook").body;

    let after = api.patch(&path, &json!({ "events": ["story.*"], "name": null })).await.expect("patched").body;
    assert_eq!((&after["events"], &after["url"]), (&json!(["story.*"]), &before["url"]));
    assert!(after["name"].as_str().is_none_or(str::is_empty), "null removes: {after:#}");
    for field in ["timeout_ms", "retry", "enabled"] {
        assert_eq!(after[field], before[field], "{field} was not in the patch");
    }
    assert_eq!(api.get(&path).await.expect("the webhook").body["events"], json!(["story.*"]));

    for (patch, pointer) in [
        (json!({ "colour": "red" }), "/colour"),
        (json!({ "url": "nowhere" }), "/url"),
        (json!({ "url": null }), "/url"),
    ] {
        let problem = api.patch(&path, &patch).await.expect_err("refused").problem();
        assert_eq!((problem.status, problem.pointers()), (422, vec![pointer]), "{patch}: {problem:?}");
    }
    assert_eq!(api.get(&path).await.expect("the webhook").body["url"], before["url"], "all or nothing");
}

#[tokio::test]
async fn what_is_deleted_is_gone() {
    let (_server, api) = start().await;
    let made = api.register(&webhook()).await;
    let path = format!("/webhooks/{}", made.id);
    assert_eq!(api.delete(&path).await.expect("deleted").status, 204);

    assert_eq!(api.get(&path).await.expect_err("gone").problem().status, 404);
    assert_eq!(api.patch(&path, &json!({ "name": "x" })).await.expect_err("gone").problem().status, 404);
    assert_eq!(api.delete(&path).await.expect_err("gone").problem().status, 404);
    assert_eq!(api.list("/webhooks").await, [] as [Value; 0]);
    assert!(api.publish("ticket.created", json!({})).await.deliveries.is_empty());
}

#[tokio::test]
async fn what_never_was_is_not_found() {
    let (_server, api) = start().await;
    for path in [
        "/webhooks/whk_00000000000000000000000000",
        "/events/evt_00000000000000000000000000",
        "/deliveries/nonsense",
        "/nowhere",
    ] {
        assert_eq!(api.get(path).await.expect_err("nothing there").problem().status, 404, "{path}");
    }
    assert_eq!(api.delete("/events").await.expect_err("no such method").problem().status, 405);
}

#[tokio::test]
async fn nobody_gets_in_without_the_right_token() {
    let (server, api) = start().await;
    let right = server.admin_token();
    let mut wrong = right.clone();
    let last = if wrong.pop() == Some('A') { 'B' } else { 'A' };
    wrong.push(last);
    for token in [None, Some(wrong.as_str()), Some("nonsense"), Some("")] {
        let stranger = api.with_token(token);
        for path in ["/events", "/webhooks", "/deliveries", "/plugins"] {
            let problem = stranger.get(path).await.expect_err("refused").problem();
            assert_eq!(problem.status, 401, "{path} with {token:?}");
        }
        let event = json!({ "type": "a.b", "payload": {} });
        let problem = stranger.post("/events", &event).await.expect_err("refused").problem();
        assert_eq!(problem.status, 401);
    }
    assert_eq!(api.list("/events").await, [] as [Value; 0]);
}

#[tokio::test]
async fn the_token_file_is_private() {
    let (server, _api) = start().await;
    for name in ["admin-token", "hookwright.keys"] {
        let mode = std::fs::metadata(server.folder().join(name)).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
