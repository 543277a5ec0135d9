//! A server under load: what every test that breaks something meanwhile starts from, and what must be true in the end.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use hookwright_tests::{
    api::{Api, Webhook},
    receiver::{Receiver, Recorded},
    server::{Installation, Server},
};
use serde_json::json;

/// Most attempts that one server has on their way at once.
pub(crate) const IN_HAND: usize = 64;

/// A server with a known limit on what it has in hand.
pub(crate) async fn start(installation: Installation) -> Server {
    installation.env("HOOKWRIGHT_DELIVERY_IN_HAND_MAX", &IN_HAND.to_string()).start().await
}

pub(crate) async fn register(api: &Api, receiver: &Receiver) -> Webhook {
    api.register(&json!({ "url": receiver.url("/hook"), "events": ["load.*"] })).await
}

/// Waits until everything is delivered, and insists that what was accepted is kept and has arrived. Says how often
/// something arrived again.
pub(crate) async fn nothing_is_lost(api: &Api, receiver: &Receiver, accepted: &HashMap<usize, String>) -> usize {
    api.all_settled().await;
    let arrived = receiver.all();
    let received: HashSet<_> = arrived.iter().map(|request| request.json()["data"]["n"].clone()).collect();
    let lost: Vec<_> = accepted.iter().filter(|(number, _)| !received.contains(&json!(number))).collect();
    assert!(lost.is_empty(), "accepted and never received: {lost:?}");
    let events = api.list("/events").await;
    let kept: HashSet<_> = events.iter().filter_map(|event| event["id"].as_str()).collect();
    assert!(accepted.values().all(|id| kept.contains(id.as_str())), "every accepted event is kept");
    let succeeded = api.list("/deliveries?status=succeeded").await.len();
    assert_eq!(succeeded, kept.len(), "none is failed, parked or cancelled");
    arrived.len() - by_request(receiver).len()
}

/// What arrived, by the id that a receiver tells repeats by; in the order of its arrival.
pub(crate) fn by_request(receiver: &Receiver) -> HashMap<String, Vec<Arc<Recorded>>> {
    let mut arrived: HashMap<String, Vec<Arc<Recorded>>> = HashMap::new();
    for request in receiver.all() {
        arrived.entry(request.header("webhook-id").to_owned()).or_default().push(request);
    }
    arrived
}
