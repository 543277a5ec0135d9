//! The log of deliveries: found by what they are, within bounds, and taken away as lines.

use hookwright_tests::{api::Api, receiver::Reply, server::Installation, stage::Stage};
use serde_json::{Value, json};

/// Two deliveries that arrived and one that did not, of two webhooks.
async fn with_some(installation: Installation) -> (Stage, [String; 3]) {
    let stage = Stage::on(installation).await;
    let (api, receiver) = (&stage.api, &stage.receiver);
    for (path, events) in [("/tickets", "ticket.*"), ("/stories", "story.*")] {
        api.register(&json!({ "url": receiver.url(path), "events": [events], "retry": [0] })).await;
    }
    receiver.on("/stories", [Reply::status(418).body("a teapot named Zoë")]);
    let first = api.publish_one("ticket.created", json!({ "who": "Ada" })).await.id;
    let second = api.publish_one("ticket.updated", json!({ "who": "Zoë" })).await.id;
    let third = api.publish_one("story.created", json!({ "who": "Bob" })).await.id;
    for id in [&first, &second, &third] {
        api.settled(id).await;
    }
    (stage, [first, second, third])
}

async fn ids(api: &Api, query: &str) -> Vec<String> {
    let items = api.list(&format!("/deliveries?{query}")).await;
    items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn deliveries_are_found_by_what_they_are() {
    let (stage, [first, second, third]) = with_some(Installation::new()).await;
    let api = &stage.api;
    let view = api.delivery(&third).await;
    let (webhook, event) = (view.webhook_id, view.event_id.expect("an event"));
    for (query, expected) in [
        (String::new(), vec![&third, &second, &first]),
        (format!("webhook_id={webhook}"), vec![&third]),
        (format!("event_id={event}"), vec![&third]),
        ("event_type=ticket.updated".to_owned(), vec![&second]),
        ("status=failed".to_owned(), vec![&third]),
        ("status=succeeded".to_owned(), vec![&second, &first]),
        ("status_code=418".to_owned(), vec![&third]),
        ("status_code=200&event_type=ticket.created".to_owned(), vec![&first]),
        ("trigger=event".to_owned(), vec![&third, &second, &first]),
        ("trigger=test".to_owned(), vec![]),
        ("plugin=slack".to_owned(), vec![]),
        ("since=2020-01-01T00:00:00Z&until=2100-01-01T00:00:00Z".to_owned(), vec![&third, &second, &first]),
        ("until=2020-01-01T00:00:00Z".to_owned(), vec![]),
        ("q=Zo%C3%AB&since=2020-01-01T00:00:00Z".to_owned(), vec![&third, &second]),
        ("q=teapot&since=2020-01-01T00:00:00Z&status=failed".to_owned(), vec![&third]),
        ("q=teapot&since=2020-01-01T00:00:00Z&status=succeeded".to_owned(), vec![]),
    ] {
        assert_eq!(ids(api, &query).await, expected.into_iter().cloned().collect::<Vec<_>>(), "{query}");
    }
    let of_webhook = api.list(&format!("/webhooks/{webhook}/deliveries?status=failed")).await;
    assert_eq!((of_webhook.len(), &of_webhook[0]["id"]), (1, &json!(third)));
    assert!(api.list(&format!("/webhooks/{webhook}/deliveries?status=succeeded")).await.is_empty());
}

#[tokio::test]
async fn what_is_not_understood_is_told_with_its_parameter() {
    let (stage, _) = with_some(Installation::new()).await;
    let longest = "x".repeat(255);
    for (query, pointers) in [
        ("status=lost", vec!["/status"]),
        ("trigger=moon", vec!["/trigger"]),
        ("webhook_id=dlv_1", vec!["/webhook_id"]),
        ("event_id=1", vec!["/event_id"]),
        ("status_code=99", vec!["/status_code"]),
        ("status_code=1000", vec!["/status_code"]),
        ("status_code=ok", vec!["/status_code"]),
        ("since=yesterday", vec!["/since"]),
        ("since=2026-01-02T00:00:00Z&until=2026-01-02T00:00:00Z", vec!["/until"]),
        ("q=x", vec!["/since"]),
        ("q=&since=2026-01-02T00:00:00Z", vec!["/q"]),
        ("event_type=", vec!["/event_type"]),
        (&format!("plugin={longest}x"), vec!["/plugin"]),
        ("status=lost&trigger=moon", vec!["/status", "/trigger"]),
        ("limit=0", vec!["/limit"]),
        ("limit=201", vec!["/limit"]),
        ("cursor=x", vec!["/cursor"]),
    ] {
        let problem = stage.api.get(&format!("/deliveries?{query}")).await.expect_err(query).problem();
        assert_eq!((problem.status, problem.code.as_str()), (400, "invalid_query"), "{query}");
        assert_eq!(problem.pointers(), pointers, "{query}: {problem:?}");
    }
    assert_eq!(stage.api.get("/deliveries?colour=red").await.expect_err("unknown").problem().status, 400);
    for query in ["status_code=100", "status_code=999", &format!("plugin={longest}")] {
        stage.api.get(&format!("/deliveries?{query}")).await.expect("at the edge");
    }
    for query in ["limit=1", "cursor=x"] {
        let problem = stage.api.get(&format!("/deliveries/export?{query}")).await.expect_err("an export is whole");
        assert_eq!(problem.problem().status, 400);
    }
}

#[tokio::test]
async fn one_request_looks_at_a_bounded_part_and_says_where_to_go_on() {
    let installation = Installation::new().env("HOOKWRIGHT_LOG_SCAN_ROWS", "2").env("HOOKWRIGHT_LOG_SEARCH_ROWS", "1");
    let (stage, [first, ..]) = with_some(installation).await;
    for (query, pages) in [("event_type=ticket.created", 2), ("q=Ada&since=2020-01-01T00:00:00Z", 3)] {
        let (mut cursor, mut asked) = (String::new(), 0);
        let found = loop {
            let page = stage.api.get(&format!("/deliveries?{query}{cursor}")).await.expect("a page");
            asked += 1;
            if let Some(item) = page.items().first() {
                break item["id"].clone();
            }
            cursor = format!("&cursor={}", page.body["next_cursor"].as_str().expect("there is more"));
        };
        assert_eq!((found, asked), (json!(first), pages), "{query}");
        assert_eq!(ids(&stage.api, query).await, std::slice::from_ref(&first), "also by whoever follows the cursors");
    }
}

/// The lines of an export.
async fn export(stage: &Stage, token: &str, query: &str) -> (String, Vec<Value>) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = format!("{}/api/v1/deliveries/export?{query}", stage.server.url());
    let answer = client.get(url).bearer_auth(token).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let media_type = answer.headers()["content-type"].to_str().expect("a media type").to_owned();
    let text = answer.text().await.expect("the whole export");
    assert!(text.is_empty() || text.ends_with('\n'));
    (media_type, text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect())
}

#[tokio::test]
async fn the_log_is_taken_away_as_lines() {
    let (stage, all) = with_some(Installation::new()).await;
    let token = stage.server.admin_token();
    let (media_type, lines) = export(&stage, &token, "").await;
    assert_eq!((media_type.as_str(), lines.len()), ("application/x-ndjson", 3));
    for (line, id) in lines.iter().zip(all.iter().rev()) {
        let view = stage.api.get(&format!("/deliveries/{id}")).await.expect("a delivery").body;
        assert_eq!(line, &view, "as it is shown, newest first");
    }
    assert!(lines[0]["requests"][0]["attempts"][0]["response_body"].as_str().expect("a body").contains("teapot"));
    let (_, failed) = export(&stage, &token, "status=failed").await;
    assert_eq!((failed.len(), &failed[0]["id"]), (1, &json!(all[2])));
    assert!(export(&stage, &token, "status=parked").await.1.is_empty());
}

#[tokio::test]
async fn an_export_takes_little_memory_however_long_it_is() {
    const DELIVERIES: usize = 120;
    const PAYLOAD: usize = 500_000;
    let stage = Stage::open().await;
    stage.api.register(&json!({ "url": stage.receiver.url("/hook"), "events": ["*"], "retry": [0] })).await;
    let text = "x".repeat(PAYLOAD);
    for _ in 0..DELIVERIES {
        stage.api.publish("ticket.created", json!({ "text": text })).await;
    }
    stage.api.all_settled().await;
    let before = stage.server.peak_bytes();
    let (_, lines) = export(&stage, &stage.server.admin_token(), "").await;
    assert_eq!(lines.len(), DELIVERIES);
    let more = stage.server.peak_bytes().saturating_sub(before);
    let all = (DELIVERIES * PAYLOAD) as u64;
    assert!(more < all / 2, "{more} bytes more for {all} bytes of payloads");
}

#[tokio::test]
async fn payloads_and_bodies_are_for_those_who_may_read_events() {
    let (stage, all) = with_some(Installation::new()).await;
    let api = stage.api.allowed(&["deliveries:read"]).await;
    assert_eq!(api.list("/deliveries?status=failed").await.len(), 1);
    let problem = api.get("/deliveries?q=x&since=2020-01-01T00:00:00Z").await.expect_err("no text").problem();
    assert_eq!((problem.status, problem.code.as_str()), (403, "forbidden"));
    let text = export(&stage, api.token(), "").await.1.iter().map(ToString::to_string).collect::<String>();
    assert!(text.contains(&all[0]) && !text.contains("teapot") && !text.contains("Ada"), "{text}");
    let both = stage.api.allowed(&["deliveries:read", "events:read"]).await;
    assert!(export(&stage, both.token(), "").await.1.iter().any(|line| line.to_string().contains("teapot")));
    let retrier = stage.api.allowed(&["deliveries:retry"]).await;
    for path in ["/deliveries", "/deliveries/export"] {
        assert_eq!(retrier.get(path).await.expect_err("not allowed").problem().status, 403, "{path}");
    }
    let webhook = stage.api.delivery(&all[0]).await.webhook_id;
    let event = stage.api.delivery(&all[0]).await.event_id.expect("an event");
    let since = json!({ "since": "2020-01-01T00:00:00Z", "status": "failed", "dry_run": true });
    for (path, body) in [
        (format!("/deliveries/{}/retry", all[0]), json!({})),
        (format!("/deliveries/{}/cancel", all[0]), json!({})),
        ("/deliveries/resend".to_owned(), since.clone()),
        ("/deliveries/cancel".to_owned(), since),
        (format!("/events/{event}/replay"), json!({})),
        (format!("/webhooks/{webhook}/recover"), json!({ "since": "2020-01-01T00:00:00Z" })),
    ] {
        let problem = api.post(&path, &body).await.expect_err("it needs deliveries:retry").problem();
        assert_eq!(problem.status, 403, "{path}");
        // What it does besides is told elsewhere.
        if let Err(failure) = retrier.post(&path, &body).await {
            assert_ne!(failure.problem().status, 403, "{path}");
        }
    }
}
