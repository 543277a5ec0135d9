//! What was accepted survives a crash at each step of a delivery, and a stop.

use std::collections::HashSet;

use hookwright_tests::{catalogue::retro, example::example, receiver::Receiver, server::Installation};
use serde_json::json;

/// How often a receiver may see a request that was under way when the server died.
enum Seen {
    /// The crash came before the request was sent or after its result was recorded.
    Once,
    /// Sent, but nothing on disk says so.
    Twice,
}

/// Aborts at a failpoint, starts again and insists on the delivery.
async fn crash(failpoint: &str, seen: Seen) {
    crash_on(Installation::new(), failpoint, seen).await;
}

async fn crash_on(installation: Installation, failpoint: &str, seen: Seen) {
    let receiver = Receiver::start().await;
    let server = installation.env("FAILPOINTS", &format!("{failpoint}=return")).start().await;
    let api = server.api();
    let webhook = api.register(&json!({ "url": receiver.url("/hook"), "events": ["ticket.*"] })).await;
    // The answer may or may not make it out before the process dies.
    let answer = api.try_publish("ticket.created", json!({ "n": 1 })).await;
    let installation = server.aborted().await;

    let server = installation.plain_env().start().await;
    let api = server.api();
    let events = api.list("/events").await;
    assert_eq!(events.len(), 1, "it was committed: {events:#?}");
    if let Ok(accepted) = answer {
        assert_eq!(events[0]["id"], json!(accepted.id));
    }
    let deliveries = api.list(&format!("/webhooks/{}/deliveries", webhook.id)).await;
    assert_eq!(deliveries.len(), 1, "{deliveries:#?}");
    let settled = api.settled(deliveries[0]["id"].as_str().expect("an id")).await;
    assert_eq!(settled.status, "succeeded", "{settled:#?}");

    // A later event drives out what might still be under way.
    let later = api.publish_one("ticket.updated", json!({ "n": 2 })).await;
    assert_eq!(api.settled(&later.id).await.status, "succeeded");
    let first: Vec<_> = receiver.all().into_iter().filter(|request| request.json()["data"]["n"] == json!(1)).collect();
    let expected = match seen {
        Seen::Once => 1,
        Seen::Twice => 2,
    };
    assert_eq!(first.len(), expected, "{settled:#?}");
    for request in &first {
        assert_eq!(request.header("webhook-id"), settled.request().id, "a receiver can tell the repeat");
        assert_eq!(request.body, first[0].body);
        request.verify(&webhook.signing_secret).expect("the signature is right");
    }
}

#[tokio::test]
async fn a_crash_after_the_event_is_committed_on_postgres() {
    crash_on(Installation::on_postgres().await.short_leases(), "after-event-commit", Seen::Once).await;
}

#[tokio::test]
async fn a_crash_after_the_request_is_sent_on_postgres() {
    crash_on(Installation::on_postgres().await.short_leases(), "after-send", Seen::Twice).await;
}

#[tokio::test]
async fn a_crash_after_the_event_is_committed() {
    crash("after-event-commit", Seen::Once).await;
}

#[tokio::test]
async fn a_crash_after_the_claim() {
    crash("after-claim", Seen::Once).await;
}

#[tokio::test]
async fn a_crash_after_the_request_is_sent() {
    crash("after-send", Seen::Twice).await;
}

#[tokio::test]
async fn a_crash_before_the_result_is_recorded() {
    crash("before-record", Seen::Twice).await;
}

#[tokio::test]
async fn a_crash_after_the_result_is_recorded() {
    crash("after-record", Seen::Once).await;
}

/// A plugin's requests are fixed with the first one's result.
#[tokio::test]
async fn a_crash_after_the_requests_are_frozen() {
    let cards = cards_across_a_crash("after-freeze").await;
    assert_eq!(cards.len(), 4, "each card once");
}

/// Nothing is fixed yet, so the plugin runs again: it makes the same bytes, and they go out under the same id.
#[tokio::test]
async fn a_crash_before_a_plugins_first_result_is_recorded_repeats_the_same_request() {
    let cards = cards_across_a_crash("before-record").await;
    assert_eq!(cards.len(), 5, "one card twice");
    assert_eq!(cards[0], cards[1], "the same id and the same bytes");
}

/// Four cards of one event, with a crash at a point of the first: the id and body of each request that arrived.
async fn cards_across_a_crash(point: &str) -> Vec<(String, Vec<u8>)> {
    let receiver = Receiver::start().await;
    let server = Installation::new().env("FAILPOINTS", &format!("{point}=return")).start().await;
    let api = server.api();
    let plugin = api.install(example("trello")).await;
    let run = json!({
        "name": plugin.name,
        "version": plugin.version,
        "config": { "list_id": "5abbe4b7ddc1b351ef961414" },
        "secrets": { "key": "k", "token": "t" },
    });
    api.register(&json!({ "url": receiver.url("/trello"), "events": ["retro.*"], "plugin": run })).await;
    let _ = api.try_publish("retro.completed", retro(&["One", "Two", "Three", "Four"])).await;
    let installation = server.aborted().await;

    let server = installation.plain_env().start().await;
    let api = server.api();
    let deliveries = api.list("/deliveries").await;
    assert_eq!(deliveries.len(), 1, "{deliveries:#?}");
    let settled = api.settled(deliveries[0]["id"].as_str().expect("an id")).await;
    assert_eq!((settled.status.as_str(), settled.requests.len()), ("succeeded", 4), "{settled:#?}");
    let sent: Vec<_> =
        receiver.all().iter().map(|card| (card.header("webhook-id").to_owned(), card.body.to_vec())).collect();
    let frozen: HashSet<_> = settled.requests.iter().map(|request| request.id.clone()).collect();
    assert_eq!(sent.iter().map(|(id, _)| id.clone()).collect::<HashSet<_>>(), frozen);
    sent
}

#[tokio::test]
async fn a_clean_stop_and_start_keeps_everything() {
    let receiver = Receiver::start().await;
    let server = Installation::new().start().await;
    let api = server.api();
    let webhook = api.register(&json!({ "url": receiver.url("/hook"), "events": ["*"] })).await;
    let token = server.admin_token();
    let delivery = api.publish_one("ticket.created", json!({ "n": 1 })).await;
    let before = api.settled(&delivery.id).await;

    let server = server.stop().await.start().await;
    assert_eq!(server.admin_token(), token, "only the first start makes a token");
    let api = server.api();
    let after = api.delivery(&delivery.id).await;
    assert_eq!((&after.status, &after.request().id), (&before.status, &before.request().id));
    api.publish_one("ticket.created", json!({ "n": 2 })).await;
    let second = receiver.wait("/hook", 2).await;
    assert_eq!(second.json()["data"]["n"], json!(2), "the first is not repeated");
    second.verify(&webhook.signing_secret).expect("the key is still the same");
}
