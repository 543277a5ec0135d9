//! The store against a simple model of it: random sequences of what a server does, two nodes at once on PostgreSQL, with
//! crashes in between. Whatever the store says and shows must be what the model says.
//!
//! `HOOKWRIGHT_MODEL_CASES` sets how many sequences are played on each database; `HOOKWRIGHT_TEST_SEED` repeats a run.

mod book;
mod judge;
mod op;
mod player;

use std::cell::RefCell;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use super::stage::Stage;
use op::Script;
use player::{Nodes, Player};

/// Sequences for each database, unless told otherwise.
const CASES: u32 = 256;
/// Scripts played on one database before the next one gets a fresh one.
const FRESH: u32 = 500;
/// How long a failure is made shorter, in milliseconds.
const SHRINK_MS: u32 = 60_000;

/// Whether everything was as the model says.
type Verdict<T = ()> = Result<T, TestCaseError>;

#[test]
fn sqlite_is_as_the_model_says() {
    play("SQLite", 1, 1, async || Stage::sqlite_in_memory().await);
}

/// In lanes, because most of the time goes by waiting for the server.
#[test]
fn postgres_is_as_the_model_says() {
    const LANES: u32 = 3;
    play("PostgreSQL", LANES, 2, async || Stage::postgres().await);
}

/// Plays random scripts in lanes beside each other, each on a database of its own as long as they come out well.
fn play(database: &'static str, lanes: u32, nodes: usize, open: impl AsyncFn() -> Stage + Sync) {
    let cases = number("HOOKWRIGHT_MODEL_CASES").and_then(|cases| u32::try_from(cases).ok()).unwrap_or(CASES);
    let seed = number("HOOKWRIGHT_TEST_SEED").unwrap_or_else(rand::random);
    println!("HOOKWRIGHT_TEST_SEED={seed} ({cases} cases on {database})");
    let open = &open;
    let found: Vec<String> = std::thread::scope(|scope| {
        let play = |lane: u32| {
            let seed = seed.wrapping_add(u64::from(lane));
            scope.spawn(move || lane_of(database, nodes, cases.div_ceil(lanes), seed, open))
        };
        let playing: Vec<_> = (0..lanes).map(play).collect();
        playing.into_iter().filter_map(|lane| lane.join().expect("failures are found, not thrown")).collect()
    });
    assert!(found.is_empty(), "HOOKWRIGHT_TEST_SEED={seed}, {database}: {}", found.join("\n"));
    println!("soak: model: {cases} cases on {database}, nothing found");
}

/// Plays one lane; says what was found.
fn lane_of(database: &str, nodes: usize, cases: u32, seed: u64, open: &impl AsyncFn() -> Stage) -> Option<String> {
    // One thread: what is handed over together shares a commit.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases, failure_persistence: None, max_shrink_time: SHRINK_MS, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let (kept, played) = (RefCell::new(None), RefCell::new(0_u32));
    let result = runner.run(&op::script(), |script: Script| {
        let number = played.replace_with(|played| *played + 1);
        let mut taken = kept.borrow_mut().take();
        if number > 0 && number.is_multiple_of(FRESH) {
            println!("model: {number} of {cases} cases on {database}");
            taken = None;
        }
        let (left, verdict) = runtime.block_on(async {
            let fit = match taken {
                Some(fit) => fit,
                None => Nodes::open(open().await, nodes).await,
            };
            Player::new(fit, number, script.seed).play(&script.ops).await
        });
        kept.replace(left);
        verdict
    });
    match result {
        Ok(()) => None,
        Err(TestError::Fail(reason, script)) => Some(format!("{reason}\nshortest:\n{script:?}")),
        Err(TestError::Abort(reason)) => Some(reason.to_string()),
    }
}

#[expect(clippy::disallowed_methods, reason = "the server's `config` does not know the tests' settings")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}
