//! Recent deliveries in numbers, and being told when there are new ones.

use std::time::Duration;

use futures_util::StreamExt as _;
use hookwright_tests::{api::Api, eventually::eventually, receiver::Reply, stage::Stage};
use serde_json::json;

#[tokio::test]
async fn the_overview_counts_what_became_of_deliveries() {
    let stage = Stage::open().await;
    stage.receiver.on("/good", [Reply::ok()]);
    stage.receiver.on("/bad", [Reply::status(500)]);
    let good = stage.api.deliver_once(&stage.receiver.url("/good"), json!({})).await;
    let bad = stage.api.deliver_once(&stage.receiver.url("/bad"), json!({})).await;
    let told = stage.api.get("/overview").await.expect("an overview").body;
    assert_eq!(told["counts"], json!({ "succeeded": 1, "failed": 1, "open": 0, "unsent": 0 }));
    assert_eq!((&told["attention"]["failed"], &told["complete"]), (&json!(1), &json!(true)));
    assert_eq!(told["buckets"].as_array().map(Vec::len), Some(24));
    assert_eq!(told["buckets"][23]["succeeded"], 1, "{told:#}");
    assert_eq!(told["latency_ms"]["count"], 1);
    let webhooks = told["webhooks"].as_array().expect("webhooks");
    let of = |id: &str| webhooks.iter().find(|share| share["webhook_id"] == id).expect("its share");
    assert_eq!((&of(&good.webhook_id)["succeeded"], &of(&bad.webhook_id)["failed"]), (&json!(1), &json!(1)));
    for hours in ["0", "745", "x"] {
        assert_eq!(
            stage.api.get(&format!("/overview?hours={hours}")).await.expect_err("refused").problem().status,
            400
        );
    }
    let elsewhere = stage.api.elsewhere().await;
    assert_eq!(elsewhere.get("/overview").await.expect("one of its own").body["counts"]["succeeded"], 0);
}

/// Listens, and gives what is said, line by line.
async fn listen(server: &str, api: &Api) -> impl futures_util::Stream<Item = String> + Unpin + use<> {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = client.get(format!("{server}/api/v1/live")).bearer_auth(api.token());
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    // What breaks off says nothing more.
    let said = |piece: reqwest::Result<_>| {
        piece.map_or_else(|_| String::new(), |piece: bytes::Bytes| String::from_utf8_lossy(&piece).into_owned())
    };
    Box::pin(answer.bytes_stream().map(said))
}

#[tokio::test]
async fn whoever_listens_is_told_of_deliveries_of_their_project() {
    let stage = Stage::open().await;
    stage.receiver.on("/hook", [Reply::ok()]);
    let elsewhere = stage.api.elsewhere().await;
    let mut own = listen(stage.server.url(), &stage.api).await;
    let mut others = listen(stage.server.url(), &elsewhere).await;
    assert!(own.next().await.expect("a beginning").starts_with("retry:"));
    assert!(others.next().await.expect("a beginning").starts_with("retry:"));
    let delivery = stage.api.deliver_once(&stage.receiver.url("/hook"), json!({})).await;
    let told = tokio::time::timeout(Duration::from_secs(20), own.next()).await.expect("it is told").expect("a line");
    assert!(told.starts_with("event: deliveries\ndata: ") && told.contains(&delivery.id), "{told}");
    // Another project hears of its own only; that one came later.
    let hook = json!({ "url": stage.receiver.url("/hook"), "events": ["x.y"] });
    elsewhere.register(&hook).await;
    let later = elsewhere.publish_one("x.y", json!({})).await;
    let told = tokio::time::timeout(Duration::from_secs(20), others.next()).await.expect("it is told").expect("a line");
    assert!(told.contains(&later.id) && told.contains("\"made\":1"), "{told}");
}

#[tokio::test]
async fn a_stream_does_not_keep_the_server_from_stopping() {
    let stage = Stage::open().await;
    let mut own = listen(stage.server.url(), &stage.api).await;
    own.next().await.expect("a beginning");
    let begun = std::time::Instant::now();
    stage.server.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    eventually(Duration::from_secs(5), "the stream ends", async || own.next().await.is_none().then_some(())).await;
}
