//! Tests that can go on for as long as one likes: how often, from where, and what to say meanwhile.

/// How often a test does what it does: as the environment says (`make soak`), or a few times.
pub fn times(name: &str, few: usize) -> usize {
    number(name).map_or(few, |times| usize::try_from(times).expect("not that often"))
}

/// The seed of this run, printed so that it can be repeated.
pub fn seed() -> u64 {
    let seed = number("HOOKWRIGHT_TEST_SEED").unwrap_or_else(rand::random);
    println!("HOOKWRIGHT_TEST_SEED={seed}");
    seed
}

/// Says how far a test is, about ten times.
pub fn progress(what: &str, done: usize, of: usize) {
    if done.is_multiple_of(of.div_ceil(10)) {
        println!("{what}: {done} of {of}");
    }
}

/// What came of it; `make soak` shows these lines again at its end.
pub fn summary(line: &str) {
    println!("soak: {line}");
}

#[expect(clippy::disallowed_methods, reason = "the server's `config` does not know the tests' settings")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}
