//! What was accepted survives every crash: at random moments, and at each step of a delivery.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hookwright_tests::{
    api::{Api, Failure},
    catalogue::retro,
    example::example,
    receiver::Receiver,
    server::{Installation, Server},
};
use parking_lot::Mutex;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

const EVENTS: usize = 5_000;
const PUBLISHERS: usize = 16;
const PATIENCE: Duration = Duration::from_mins(2);

/// What the publishers share.
struct Crowd {
    next: AtomicUsize,
    /// Number of the event → its id, for those that got their 202.
    accepted: Mutex<HashMap<usize, String>>,
    progress: watch::Sender<usize>,
}

/// The server of the moment, and how many there were before it.
type Current = (usize, Api);

/// Publishes until all numbers are accepted; a number whose answer was lost is published again.
async fn publish(crowd: Arc<Crowd>, mut servers: watch::Receiver<Current>) {
    loop {
        let number = crowd.next.fetch_add(1, Ordering::Relaxed);
        if number >= EVENTS {
            return;
        }
        let id = loop {
            let (generation, api) = servers.borrow_and_update().clone();
            match api.try_publish("load.tick", json!({ "n": number })).await {
                Ok(accepted) => break accepted.id,
                Err(Failure::Problem(problem)) => panic!("a healthy server refused: {problem:?}"),
                Err(Failure::Transport(error)) => {
                    let next = servers.wait_for(|(newest, _)| *newest > generation);
                    timeout(PATIENCE, next)
                        .await
                        .unwrap_or_else(|_| panic!("no crash explains {error:?}"))
                        .expect("a server");
                }
            }
        };
        let count = {
            let mut accepted = crowd.accepted.lock();
            accepted.insert(number, id);
            accepted.len()
        };
        crowd.progress.send_if_modified(|progress| {
            let more = count > *progress;
            *progress = count.max(*progress);
            more
        });
    }
}

/// Kills the server at each of these counts of accepted events, a random while later.
async fn kill(
    mut server: Server,
    mut moments: Vec<usize>,
    mut random: StdRng,
    crowd: &Crowd,
    servers: &watch::Sender<Current>,
) -> Server {
    moments.sort_unstable();
    let mut progress = crowd.progress.subscribe();
    for (generation, moment) in (1..).zip(moments) {
        let reached = progress.wait_for(|accepted| *accepted >= moment);
        timeout(PATIENCE, reached).await.expect("events are accepted").expect("a count");
        // Waits for nothing: it moves the kill away from the answer that the count comes with.
        sleep(Duration::from_micros(random.random_range(0..20_000))).await;
        server = server.kill().await.start().await;
        servers.send_replace((generation, server.api()));
    }
    server
}

/// `HOOKWRIGHT_TEST_SEED` repeats the kills of an earlier run.
#[expect(clippy::disallowed_methods, reason = "the server's `config` does not know the tests' settings")]
fn seed() -> u64 {
    match std::env::var("HOOKWRIGHT_TEST_SEED") {
        Ok(seed) => seed.parse().expect("a seed is a number"),
        Err(_) => rand::random(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_lose_nothing() {
    survive_kills(Installation::new(), 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_kills_lose_nothing_on_postgres() {
    survive_kills(Installation::on_postgres().await.short_leases(), 10).await;
}

async fn survive_kills(installation: Installation, kills: usize) {
    let seed = seed();
    println!("HOOKWRIGHT_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let moments: Vec<_> = (0..kills).map(|_| random.random_range(1..=EVENTS)).collect();

    let receiver = Receiver::start().await;
    let server = installation.start().await;
    server.api().register(&json!({ "url": receiver.url("/hook"), "events": ["load.*"] })).await;
    let (servers, current) = watch::channel((0, server.api()));
    let crowd =
        Arc::new(Crowd { next: AtomicUsize::new(0), accepted: Mutex::default(), progress: watch::Sender::new(0) });
    let mut publishers = JoinSet::new();
    for _ in 0..PUBLISHERS {
        publishers.spawn(publish(Arc::clone(&crowd), current.clone()));
    }
    let (server, _) = tokio::join!(kill(server, moments, random, &crowd, &servers), publishers.join_all());

    let accepted = crowd.accepted.lock().clone();
    assert_eq!(accepted.len(), EVENTS);
    let api = server.api();
    api.all_settled().await;
    let received: HashSet<_> = receiver.all().iter().map(|request| request.json()["data"]["n"].clone()).collect();
    let lost: Vec<_> = accepted.iter().filter(|(number, _)| !received.contains(&json!(number))).collect();
    assert!(lost.is_empty(), "accepted and never received: {lost:?}");
    let events = api.list("/events").await;
    let kept: HashSet<_> = events.iter().filter_map(|event| event["id"].as_str()).collect();
    assert!(accepted.values().all(|id| kept.contains(id.as_str())), "every accepted event is kept");
    let succeeded = api.list("/deliveries?status=succeeded").await.len();
    assert_eq!(succeeded, kept.len(), "none is failed, parked or cancelled");
}

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
