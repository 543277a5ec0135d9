//! What answers teach a plugin is there for the events that come after: the card of a ticket is made once and then edited.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hookwright_tests::{
    api::{Api, Delivery, Ref},
    example::example,
    receiver::{Receiver, Recorded, Reply},
    server::Installation,
};
use hyper::HeaderMap;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

const LIST: &str = "5abbe4b7ddc1b351ef961414";

/// What an idempotent Trello would call the card that a request makes.
fn card_of(request: &Recorded) -> String {
    format!("card{}", request.header("webhook-id").trim_start_matches("req_"))
}

fn card() -> Reply {
    Reply::composed(|request| {
        let id = card_of(request);
        let body = json!({ "id": id, "shortUrl": format!("https://trello.com/c/{id}") });
        (HeaderMap::new(), Bytes::from(body.to_string()))
    })
}

/// A webhook on a Trello that has these answers for new cards.
async fn trello(api: &Api, receiver: &Receiver, answers: impl IntoIterator<Item = Reply>) -> String {
    receiver.on("/trello/cards", answers);
    let plugin = api.install(example("trello")).await;
    api.register(&json!({
        "url": receiver.url("/trello"),
        "events": ["ticket.*"],
        "retry": [0, 50, 50, 50],
        "plugin": {
            "name": plugin.name,
            "version": plugin.version,
            "config": { "list_id": LIST },
            "secrets": { "key": "k", "token": "t" },
        },
    }))
    .await
    .id
}

/// An event about a ticket.
async fn publish(api: &Api, kind: &str, ticket: &str, status: &str) -> Ref {
    let ticket = json!({ "id": ticket, "title": "Export fails", "description": "Often.", "status": status });
    let event = json!({ "type": kind, "subject": ticket["id"], "payload": { "ticket": ticket } });
    let accepted = api.post("/events", &event).await.expect("accepted");
    serde_json::from_value(accepted.body["deliveries"][0].clone()).expect("one delivery")
}

async fn succeeded(api: &Api, delivery: &Ref) -> Delivery {
    let settled = api.settled(&delivery.id).await;
    assert_eq!(settled.status, "succeeded", "{settled:#?}");
    settled
}

fn edits(receiver: &Receiver) -> Vec<Arc<Recorded>> {
    receiver.all().into_iter().filter(|request| request.method == "PUT").collect()
}

#[tokio::test]
async fn a_changed_ticket_edits_its_card() {
    let (receiver, server) = (Receiver::start().await, Installation::new().start().await);
    let api = server.api();
    let webhook = trello(&api, &receiver, [card()]).await;
    let shown = api.get(&format!("/webhooks/{webhook}")).await.expect("the webhook").body;
    assert_eq!(shown["order"], "subject", "the least that a memory needs");

    succeeded(&api, &publish(&api, "ticket.created", "42", "open").await).await;
    let made = receiver.wait("/trello/cards", 1).await;
    let change = publish(&api, "ticket.status_changed", "42", "done").await;
    succeeded(&api, &change).await;
    let edit = receiver.wait(&format!("/trello/cards/{}", card_of(&made)), 1).await;
    assert_eq!(edit.method, "PUT");
    assert!(edit.json()["desc"].as_str().is_some_and(|text| text.contains("done")), "{edit:?}");
    // Another ticket has a card of its own.
    succeeded(&api, &publish(&api, "ticket.updated", "43", "open").await).await;
    assert_eq!(receiver.count("/trello/cards"), 2);

    let delivery = api.get(&format!("/deliveries/{}", change.id)).await.expect("the delivery").body;
    assert_eq!(delivery["plugin"]["recalled"], json!([{ "key": "ticket:42", "value": card_of(&made) }]));
    let verdict = &delivery["requests"][0]["attempts"][0]["verdict"];
    assert_eq!(verdict["remembered"], Value::Null, "an answer without a card teaches nothing: {verdict:#}");
    let facts = api.list(&format!("/webhooks/{webhook}/facts")).await;
    let keys: Vec<_> = facts.iter().map(|fact| fact["key"].as_str().expect("a key")).collect();
    assert!(keys.len() == 2 && keys.contains(&"ticket:42") && keys.contains(&"ticket:43"), "{facts:#?}");

    // What is forgotten is made anew.
    api.delete(&format!("/webhooks/{webhook}/facts?key=ticket:42")).await.expect("forgotten");
    succeeded(&api, &publish(&api, "ticket.updated", "42", "open").await).await;
    assert_eq!(receiver.count("/trello/cards"), 3);
}

#[tokio::test]
async fn a_change_waits_for_the_card_that_it_changes() {
    change_waits(Installation::new()).await;
}

#[tokio::test]
async fn a_change_waits_for_the_card_that_it_changes_on_postgres() {
    change_waits(Installation::on_postgres().await).await;
}

/// The second event arrives while the card is still being tried to be made.
async fn change_waits(installation: Installation) {
    let (receiver, server) = (Receiver::start().await, installation.start().await);
    let api = server.api();
    trello(&api, &receiver, [Reply::status(500).after(Duration::from_millis(200)), Reply::status(503), card()]).await;
    let created = publish(&api, "ticket.created", "42", "open").await;
    let changed = publish(&api, "ticket.status_changed", "42", "done").await;
    succeeded(&api, &created).await;
    succeeded(&api, &changed).await;
    let requests = receiver.all();
    let methods: Vec<_> = requests.iter().map(|request| request.method.as_str()).collect();
    assert_eq!(methods, ["POST", "POST", "POST", "PUT"]);
    assert_eq!(requests[3].path, format!("/trello/cards/{}", card_of(&requests[2])));
}

#[tokio::test]
async fn a_crash_between_the_answer_and_its_recording_loses_no_card() {
    for failpoint in ["after-send", "after-interpret", "before-record", "after-record"] {
        let receiver = Receiver::start().await;
        let server = Installation::new().start().await;
        let webhook = trello(&server.api(), &receiver, [card()]).await;
        let server = server.stop().await.env("FAILPOINTS", &format!("{failpoint}=return")).start().await;
        let event = json!({ "id": "42", "title": "Export fails", "status": "open" });
        // The answer may or may not make it out before the process dies.
        let event = json!({ "type": "ticket.created", "subject": "42", "payload": { "ticket": event } });
        let _ = server.api().post("/events", &event).await;
        let server = server.aborted().await.plain_env().start().await;
        let api = server.api();
        let changed = publish(&api, "ticket.status_changed", "42", "done").await;
        succeeded(&api, &changed).await;
        let cards: Vec<_> =
            receiver.all().into_iter().filter(|request| request.method == "POST").map(|card| card_of(&card)).collect();
        assert!(cards.iter().all(|card| *card == cards[0]), "{failpoint}: a receiver can tell the repeat");
        let edits = edits(&receiver);
        assert_eq!(edits.len(), 1, "{failpoint}");
        assert_eq!(edits[0].path, format!("/trello/cards/{}", cards[0]), "{failpoint}");
        assert_eq!(api.list(&format!("/webhooks/{webhook}/facts")).await.len(), 1, "{failpoint}");
    }
}

/// The node that makes the card dies when the card is made and nobody knows yet; the change came to the other one.
#[tokio::test]
async fn a_node_edits_the_card_that_another_one_made_before_it_was_killed() {
    let receiver = Receiver::start().await;
    let url = Installation::fresh_postgres().await;
    let server = Installation::stored_in(&url).short_leases().start().await;
    trello(&server.api(), &receiver, [card()]).await;
    let first = server.stop().await.env("FAILPOINTS", "after-send=return").short_leases().start().await;
    let ticket = json!({ "id": "42", "title": "Export fails", "status": "open" });
    let event = json!({ "type": "ticket.created", "subject": "42", "payload": { "ticket": ticket } });
    // The answer may or may not make it out before the process dies.
    let _ = first.api().post("/events", &event).await;
    let made = receiver.wait("/trello/cards", 1).await;
    // Not before: it would make the card itself if it were faster.
    let second = first.second().plain_env().short_leases().start().await;
    let api = second.api();
    let changed = publish(&api, "ticket.status_changed", "42", "done").await;
    let _gone = first.aborted().await;
    succeeded(&api, &changed).await;
    let requests = receiver.all();
    let methods: Vec<_> = requests.iter().map(|request| request.method.as_str()).collect();
    assert_eq!(methods, ["POST", "POST", "PUT"]);
    assert_eq!(requests[0].header("webhook-id"), requests[1].header("webhook-id"), "a receiver can tell the repeat");
    assert_eq!(requests[2].path, format!("/trello/cards/{}", card_of(&made)));
}

/// What a plugin made from memory is on disk before it is sent: the repeat is the same, whatever is remembered by then.
#[tokio::test]
async fn what_was_made_from_memory_is_repeated_as_it_was() {
    let receiver = Receiver::start().await;
    let url = Installation::fresh_postgres().await;
    let server = Installation::stored_in(&url).short_leases().start().await;
    trello(&server.api(), &receiver, [card()]).await;
    succeeded(&server.api(), &publish(&server.api(), "ticket.created", "42", "open").await).await;
    let server = server.stop().await.env("FAILPOINTS", "after-send=return").short_leases().start().await;
    let ticket = json!({ "id": "42", "title": "Export fails", "status": "done" });
    let event = json!({ "type": "ticket.updated", "subject": "42", "payload": { "ticket": ticket } });
    // The answer may or may not make it out before the process dies.
    let _ = server.api().post("/events", &event).await;
    let installation = server.aborted().await.plain_env();
    let mut database = PgConnection::connect(&url).await.expect("PostgreSQL answers");
    let forgotten = sqlx::query("DELETE FROM facts").execute(&mut database).await.expect("facts");
    assert_eq!((forgotten.rows_affected(), edits(&receiver).len()), (1, 1));
    let server = installation.short_leases().start().await;
    server.api().all_settled().await;
    let edits = edits(&receiver);
    assert_eq!((edits.len(), receiver.count("/trello/cards")), (2, 1));
    assert_eq!(edits[0].header("webhook-id"), edits[1].header("webhook-id"));
    assert_eq!((&edits[0].path, &edits[0].body), (&edits[1].path, &edits[1].body));
}

#[tokio::test]
async fn a_memory_needs_an_order() {
    let (receiver, server) = (Receiver::start().await, Installation::new().start().await);
    let api = server.api();
    let webhook = trello(&api, &receiver, [card()]).await;
    let path = format!("/webhooks/{webhook}");
    let problem = api.patch(&path, &json!({ "order": "none" })).await.expect_err("refused").problem();
    assert_eq!((problem.status, problem.pointers()), (422, vec!["/order"]));
    let strict = api.patch(&path, &json!({ "order": "strict" })).await.expect("changed").body;
    assert_eq!(strict["order"], "strict");
    // Without the plugin nothing is remembered.
    let without = api.patch(&path, &json!({ "plugin": null, "order": "none" })).await.expect("changed").body;
    assert_eq!(without["order"], "none");
}
