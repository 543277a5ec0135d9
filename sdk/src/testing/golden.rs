use std::path::PathBuf;
use std::{env, panic};

use crate::Plugin;
use crate::testing::case::{self, Case};
use crate::testing::diff::diff;
use crate::testing::form::Expect;
use crate::testing::run::{run, set_facts};

/// Runs the plugin on every `*.json` in this folder of the plugin's crate and compares. The host runs the
/// same files when the plugin is uploaded.
///
/// A case is `{"name", "event": {"type", "payload"?, "subject"?, "id"?, "occurred_at"?, "trigger"?},
/// "config"?, "facts"?, "expect"}`, and `expect` one of `{"requests": […]}`, `{"skip": "reason"}` and
/// `{"failure": {"code", "message"?}}`. With `UPDATE_CASES=1` in the environment `expect` is written
/// instead of compared.
///
/// ```
/// use hookwright_sdk::{Plugin, testing};
///
/// // In a test: `golden::<MyPlugin>("cases")`.
/// fn cases<P: Plugin>() {
///     testing::golden::<P>("cases");
/// }
/// ```
///
/// # Panics
/// When a case differs, with the difference; when a file is not a case; when there is none.
pub fn golden<P: Plugin>(folder: &str) {
    let root = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let update = env::var_os("UPDATE_CASES").is_some_and(|value| value == "1");
    let mut differences = Vec::new();
    for path in case::files(&root.join(folder)) {
        let case = Case::read(&path);
        let name = path.display();
        set_facts(&case.facts);
        let config = if case.config.is_null() { serde_json::json!({}) } else { case.config.clone() };
        let run = panic::catch_unwind(|| run::<P>(&case.event(), config))
            .unwrap_or_else(|_| panic!("{name}: the plugin panicked"));
        let actual = Expect::of(&run.result);
        match &case.expect {
            _ if update => case::update(&path, &actual),
            None => differences.push(format!("{name}: nothing is expected yet\n")),
            Some(expected) => {
                let actual = actual.like(expected);
                if actual != *expected {
                    differences.push(format!("{name}\n{}", diff(&pretty(expected), &pretty(&actual))));
                }
            }
        }
    }
    set_facts::<String, String>([]);
    let differences = differences.join("\n");
    assert!(differences.is_empty(), "\n{differences}UPDATE_CASES=1 writes what is there now into the cases.");
}

fn pretty(expect: &Expect) -> String {
    serde_json::to_string_pretty(expect).expect("an expectation with a JSON form")
}
