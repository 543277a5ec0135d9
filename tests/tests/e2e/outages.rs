//! PostgreSQL stops at once and comes back: whoever asks meanwhile is told, nothing accepted is lost, and the server
//! goes on by itself.

use hookwright_tests::{
    api::Api,
    cluster::Cluster,
    crowd::Crowd,
    receiver::Receiver,
    server::Installation,
    soak::{progress, seed, summary, times},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::load::{self, IN_HAND, nothing_is_lost};

/// So many events for each outage.
const EVENTS: usize = 600;
/// So many publishers are refused in each.
const REFUSED: usize = 16;
const FEW: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outages_of_postgres_lose_nothing() {
    let outages = times("HOOKWRIGHT_SOAK_OUTAGES", FEW);
    let mut random = StdRng::seed_from_u64(seed());
    let events = outages * EVENTS;

    let receiver = Receiver::start().await;
    let cluster = Cluster::start().await;
    let server = load::start(Installation::stored_in(&cluster.url()).short_leases()).await;
    let api = server.api();
    load::register(&api, &receiver).await;
    let crowd = Crowd::start(events, vec![server.api()]);
    for done in 1..=outages {
        crowd.more_accepted(random.random_range(1..EVENTS / 2)).await;
        cluster.stop_at_once().await;
        tokio::join!(crowd.more_refused(REFUSED), everybody_is_told(&api));
        cluster.start_again().await;
        crowd.more_accepted(EVENTS / 4).await;
        progress("outages of PostgreSQL", done, outages);
    }
    let refusals = crowd.refusals();
    let accepted = crowd.done().await;
    let repeats = nothing_is_lost(&api, &receiver, &accepted).await;
    let most = outages * IN_HAND;
    assert!(repeats <= most, "{repeats} repeats are more than {outages} times what is in hand at most");
    summary(&format!(
        "{outages} outages of PostgreSQL: {events} events, none lost, {refusals} refused meanwhile, {repeats} repeats \
         (at most {most} in hand)"
    ));
}

/// Connections that the server does not use at the time do not know that they are broken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_that_nobody_noticed_refuses_nobody() {
    let receiver = Receiver::start().await;
    let cluster = Cluster::start().await;
    let server = load::start(Installation::stored_in(&cluster.url())).await;
    let api = server.api();
    load::register(&api, &receiver).await;
    // Opens as many connections as the server ever does.
    Crowd::start(200, vec![server.api()]).done().await;
    api.all_settled().await;
    cluster.stop_at_once().await;
    cluster.start_again().await;
    for n in 0..30 {
        api.publish("load.tick", json!({ "n": n })).await;
        api.get("/deliveries?limit=1").await.expect("deliveries");
    }
}

/// Who reads or changes something is told the same as who publishes.
async fn everybody_is_told(api: &Api) {
    let webhook = json!({ "url": "http://127.0.0.1/", "events": ["*"] });
    let (deliveries, events, webhook) =
        tokio::join!(api.get("/deliveries?limit=1"), api.get("/events?limit=1"), api.post("/webhooks", &webhook));
    for answer in [deliveries, events, webhook] {
        let problem = answer.expect_err("there is no database").problem();
        assert_eq!((problem.status, problem.code.as_str()), (503, "store_unavailable"), "{problem:?}");
        assert!(problem.retry_after.is_some(), "{problem:?}");
    }
}
