//! Two nodes on one PostgreSQL under load, of which one dies or sleeps: nothing is lost, and nothing is under way twice.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use hookwright_tests::{
    api::Api,
    crowd::Crowd,
    eventually::eventually,
    receiver::{Receiver, Reply},
    server::{Installation, Server},
    soak::{progress, seed, summary, times},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::load::{self, IN_HAND, by_request, nothing_is_lost};

const PATIENCE: Duration = Duration::from_mins(1);
/// How long an attempt may take. It begins so long before its lease ends, so two of them begin so far apart.
const ATTEMPT: Duration = Duration::from_secs(2);
/// Two of them arrive so far apart: the first may have been on its way for a second.
const APART: Duration = Duration::from_secs(1);
/// So many events for each time that a node dies or sleeps.
const EVENTS: usize = 600;

struct Nodes {
    receiver: Receiver,
    first: Server,
    second: Server,
    database: PgConnection,
}

/// A node that dies or sleeps keeps what it has in hand from the others until its leases end.
fn long_leases(installation: Installation) -> Installation {
    let attempt = ATTEMPT.as_millis().to_string();
    installation
        .short_leases()
        .env("HOOKWRIGHT_DELIVERY_TIMEOUT_MS", &attempt)
        .env("HOOKWRIGHT_DELIVERY_TIMEOUT_MAX_MS", &attempt)
}

/// Two nodes under load, whose receiver takes its time, so that much is under way at any moment.
async fn loaded_nodes(events: usize) -> (Nodes, Crowd) {
    let receiver = Receiver::start().await;
    receiver.on("/hook", [Reply::ok().after(Duration::from_millis(100))]);
    let url = Installation::fresh_postgres().await;
    let database = PgConnection::connect(&url).await.expect("PostgreSQL answers");
    let first = load::start(long_leases(Installation::stored_in(&url))).await;
    let second = first.second().start().await;
    load::register(&first.api(), &receiver).await;
    let crowd = Crowd::start(events, vec![first.api(), second.api()]);
    (Nodes { receiver, first, second, database }, crowd)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_killed_under_load_is_replaced_and_nothing_is_under_way_twice() {
    let kills = times("HOOKWRIGHT_SOAK_NODE_KILLS", 2);
    let mut random = StdRng::seed_from_u64(seed());
    let events = kills * EVENTS;
    let (mut nodes, crowd) = loaded_nodes(events).await;
    for done in 1..=kills {
        crowd.more_accepted(random.random_range(1..EVENTS / 2)).await;
        let gone = nodes.first.kill().await;
        crowd.go_on_with(vec![nodes.second.api()]);
        // The next time it is the other's turn.
        (nodes.first, nodes.second) = (nodes.second, gone.start().await);
        crowd.go_on_with(vec![nodes.first.api(), nodes.second.api()]);
        progress("kills of one node of two", done, kills);
    }
    let accepted = crowd.done().await;
    let repeats = nothing_is_lost(&nodes.first.api(), &nodes.receiver, &accepted).await;
    let most = kills * IN_HAND;
    assert!(repeats <= most, "{repeats} repeats are more than {kills} times what a node has in hand at most");
    never_under_way_twice(&nodes.receiver);
    summary(&format!(
        "{kills} kills of one node of two: {events} events, none lost, {repeats} repeats (at most {most} in hand), \
         none within a lease"
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_frozen_under_load_past_its_leases_is_late_and_nothing_is_under_way_twice() {
    let freezes = times("HOOKWRIGHT_SOAK_NODE_FREEZES", 1);
    let mut random = StdRng::seed_from_u64(seed());
    let events = freezes * EVENTS;
    let (mut nodes, crowd) = loaded_nodes(events).await;
    let mut done = 0;
    let mut after = EVENTS / 2;
    while done < freezes {
        crowd.more_accepted(random.random_range(1..after)).await;
        nodes.first.freeze();
        crowd.go_on_with(vec![nodes.second.api()]);
        let had_some = taken_over(&mut nodes.database).await >= ATTEMPT;
        nodes.first.thaw();
        (nodes.first, nodes.second) = (nodes.second, nodes.first);
        crowd.go_on_with(vec![nodes.first.api(), nodes.second.api()]);
        // One that had nothing in hand at that moment shows nothing.
        if !had_some {
            after = EVENTS / 20;
            continue;
        }
        after = EVENTS / 2;
        done += 1;
        progress("freezes of one node of two", done, freezes);
    }
    let accepted = crowd.done().await;
    let api = nodes.first.api();
    let repeats = nothing_is_lost(&api, &nodes.receiver, &accepted).await;
    let most = freezes * IN_HAND;
    assert!(repeats <= most, "{repeats} repeats are more than {freezes} times what a node has in hand at most");
    never_under_way_twice(&nodes.receiver);
    let late = late_results(&api, &nodes.receiver).await;
    assert!(late >= freezes, "each time at least one was late");
    summary(&format!(
        "{freezes} freezes of one node of two: {events} events, none lost, {repeats} repeats (at most {most} in hand), \
         none within a lease, {late} late results kept"
    ));
}

/// The leases that are given.
async fn leases(connection: &mut PgConnection) -> HashSet<String> {
    const SELECT: &str = "SELECT id || ' ' || lease_token FROM open_work WHERE lease_token IS NOT NULL";
    let leases: Vec<String> = sqlx::query_scalar(SELECT).fetch_all(connection).await.expect("leases");
    leases.into_iter().collect()
}

/// Waits until the other node has all that the frozen one had in hand: no lease of this moment is left. Says how long that
/// took: the other node's own leases are gone as soon as their attempts are over.
async fn taken_over(database: &mut PgConnection) -> Duration {
    let began = Instant::now();
    let before = leases(database).await;
    eventually(PATIENCE, "leases end", async || leases(database).await.is_disjoint(&before).then_some(())).await;
    began.elapsed()
}

/// Whatever came again came when the attempt before it was over: no two nodes had it in hand at once.
fn never_under_way_twice(receiver: &Receiver) {
    for (id, arrivals) in by_request(receiver) {
        for pair in arrivals.windows(2) {
            let apart = pair[1].at.duration_since(pair[0].at);
            assert!(apart >= APART, "{id} came again after {apart:?}");
        }
    }
}

/// Looks at every request that came again: each attempt is kept, begun when the one before was over, and all but one are
/// late. Says how many are.
async fn late_results(api: &Api, receiver: &Receiver) -> usize {
    let mut late = 0;
    for (id, arrivals) in by_request(receiver).into_iter().filter(|(_, arrivals)| arrivals.len() > 1) {
        let delivery = format!("dlv_{}0000", &id["req_".len()..id.len() - 4]);
        let attempts = eventually(PATIENCE, "every attempt is recorded", async || {
            let view = api.get(&format!("/deliveries/{delivery}")).await.expect("a delivery").body;
            let attempts = view["requests"][0]["attempts"].as_array().expect("attempts").clone();
            (attempts.len() >= arrivals.len()).then_some(attempts)
        })
        .await;
        let mut begun: Vec<_> = attempts.iter().map(|attempt| ms_of_day(&attempt["started_at"])).collect();
        begun.sort_unstable();
        for pair in begun.windows(2) {
            assert!(u128::from(pair[1] - pair[0]) >= ATTEMPT.as_millis(), "{id}: {attempts:#?}");
        }
        let in_time = attempts.iter().filter(|attempt| attempt["late"] == json!(false)).count();
        assert_eq!(in_time, 1, "{id}: {attempts:#?}");
        late += attempts.len() - in_time;
    }
    late
}

/// A time as the API writes it, in milliseconds since midnight.
pub(crate) fn ms_of_day(time: &Value) -> u64 {
    let time = time.as_str().expect("a time");
    let part = |range: std::ops::Range<usize>| time[range].parse::<u64>().expect("digits");
    ((part(11..13) * 60 + part(14..16)) * 60 + part(17..19)) * 1000 + part(20..23)
}
