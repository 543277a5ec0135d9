//! What was accepted survives kills at random moments under load.

use std::time::Duration;

use hookwright_tests::{
    crowd::Crowd,
    receiver::Receiver,
    server::Installation,
    soak::{progress, seed, summary, times},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::sleep;

use crate::load::{self, IN_HAND, by_request, nothing_is_lost};

/// So many events for each kill.
const EVENTS: usize = 250;
const FEW: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_nothing() {
    survive_kills("kills on SQLite", Installation::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_nothing_on_postgres() {
    survive_kills("kills on PostgreSQL", Installation::on_postgres().await.short_leases()).await;
}

async fn survive_kills(what: &str, installation: Installation) {
    let kills = times("HOOKWRIGHT_SOAK_KILLS", FEW);
    let mut random = StdRng::seed_from_u64(seed());
    let events = kills * EVENTS;
    let mut moments: Vec<_> = (0..kills).map(|_| random.random_range(1..=events)).collect();
    moments.sort_unstable();

    let receiver = Receiver::start().await;
    let mut server = load::start(installation).await;
    load::register(&server.api(), &receiver).await;
    let crowd = Crowd::start(events, vec![server.api()]);
    for (done, moment) in (1..).zip(moments) {
        crowd.accepted(moment).await;
        // Waits for nothing: it moves the kill away from the answer that the count comes with.
        sleep(Duration::from_micros(random.random_range(0..20_000))).await;
        server = server.kill().await.start().await;
        crowd.go_on_with(vec![server.api()]);
        progress(what, done, kills);
    }
    assert_eq!(crowd.refusals(), 0, "a healthy server refuses nothing");
    let accepted = crowd.done().await;
    let repeats = nothing_is_lost(&server.api(), &receiver, &accepted).await;
    let most = kills * IN_HAND;
    assert!(repeats <= most, "{repeats} repeats are more than {kills} times what is in hand at most");
    let worst = by_request(&receiver).values().map(Vec::len).max().unwrap_or_default();
    assert!(worst <= kills + 1, "one request came {worst} times, more often than a kill explains");
    summary(&format!("{kills} {what}: {events} events, none lost, {repeats} repeats (at most {most} in hand)"));
}
