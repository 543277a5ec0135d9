//! What every plugin here is tested with: events of every kind, hostile, empty, long, of any shape and as providers send
//! them, tables of what the destinations take, and the schemas that they publish. The plugins know nothing of it.

mod answers;
mod cases;
mod defaults;
mod events;
pub mod published;
mod rules;
mod table;

pub use answers::understood;
pub use cases::cases;
pub use defaults::{defaults_agree, schema_agrees};
pub use events::{KINDS, of_any_shape, payload};
pub use rules::check_request;
pub use table::Table;

use hookwright_sdk::testing::{self, Run};
use hookwright_sdk::{Event, Outcome, Plugin, Request};
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

/// Texts that destinations choke on.
const TEXTS: [&str; 8] = [
    "",
    " \n\t",
    "Export fails for empty projects",
    "<!channel> & <@U1> </td><script>alert(1)</script> @everyone @octo/team [x](javascript:alert(1)) {code} !x! ||y||",
    "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} e\u{301} \u{202e}\u{0}\u{7f}",
    "a; b, c\r\nd\u{2028}e",
    "\\\"'`*_~#|{}[]()<>",
    "..",
];

/// Runs a plugin on events of every kind. What it makes of them is either requests that the host takes and
/// that `check` takes, or a skip with a reason, or the failure `payload.invalid`; a panic is none of these.
///
/// # Panics
/// When it is anything else.
pub fn holds<P: Plugin>(config: &Value, check: impl Fn(&Request)) {
    let long = TEXTS.concat().repeat(100);
    for kind in KINDS {
        for text in TEXTS.into_iter().chain([long.as_str()]) {
            for count in [0, 1, 120] {
                let payload = payload(kind, text, if text.len() > 1000 { count / 3 } else { count });
                judge(&run::<P>(&testing::event(kind).payload(payload).build(), config), &check);
            }
        }
        judge(&run::<P>(&testing::event(kind).build(), config), &check);
        judge(&run::<P>(&testing::event(kind).text("no JSON").build(), config), &check);
        judge(&run::<P>(&testing::event(kind).binary([0xff]).content_type("image/png").build(), config), &check);
    }
    for (kind, payload) in published::events() {
        judge(&run::<P>(&testing::event(kind).payload(payload.into_owned()).build(), config), &check);
    }
    let cases = std::env::var_os("CHECKS_CASES").and_then(|cases| cases.to_str()?.parse().ok()).unwrap_or(200);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let tested = runner.run(&events::of_any_shape(), |(kind, payload)| {
        judge(&run::<P>(&testing::event(kind).payload(payload).build(), config), &check);
        Ok(())
    });
    tested.unwrap_or_else(|error| panic!("{error}"));
}

fn run<P: Plugin>(event: &Event, config: &Value) -> Run {
    testing::run::<P>(event, config.clone())
}

/// Checks what a plugin made of an event: requests that the host takes and that `check` takes, or a skip with a reason, or the
/// failure `payload.invalid`.
///
/// # Panics
/// When it is anything else.
pub fn judge(run: &Run, check: &impl Fn(&Request)) {
    match &run.result {
        Ok(Outcome::Deliver(requests)) => {
            assert!((1..=100).contains(&requests.len()), "{} requests", requests.len());
            for request in requests {
                check_request(request);
                check(request);
            }
        }
        Ok(Outcome::Skip(why)) => assert!((1..=1024).contains(&why.trim().len()), "why skipped: {why:?}"),
        Err(failure) => {
            assert_eq!(failure.code(), "payload.invalid", "{failure:?}");
            assert!((1..=2048).contains(&failure.message().len()), "{failure:?}");
        }
    }
}

/// The body of a request as JSON.
///
/// # Panics
/// When it is not.
#[must_use]
pub fn body(request: &Request) -> Value {
    serde_json::from_str(request.body_text().expect("a body")).expect("JSON")
}
