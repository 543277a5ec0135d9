//! What must not get in.

use hookwright_tests::guest::Forge;
use serde_json::{Value, json};

use crate::admission::{large_bomb, slow_bomb};

/// A golden case, and what it expects.
fn case(expect: &Value) -> Value {
    json!([{ "name": "a ticket", "event": { "type": "ticket.created", "payload": { "n": 1 } }, "expect": expect }])
}

pub(super) fn all() -> Vec<(&'static str, Vec<u8>)> {
    let forge = Forge::new;
    let skips = |name: &str| forge(name).returns(&hookwright_tests::guest::Output::Skip("nothing to do".to_owned()));
    let mut two_manifests = forge("two-manifests").component();
    two_manifests = forge("other").with_manifest(two_manifests);
    vec![
        ("no-wasm", b"GIF89a".to_vec()),
        ("cut-off", forge("cut-off").component()[..200].to_vec()),
        ("core-module", forge("core-module").module()),
        ("no-manifest", forge("x").without_manifest().component()),
        ("manifest-of-another-shape", forge("x").manifest("events", json!("all")).component()),
        ("manifest-with-a-bad-name", forge("../x").component()),
        ("manifest-with-a-bad-version", forge("x").manifest("version", json!("latest")).component()),
        ("two-manifests", two_manifests),
        ("large-manifest", forge("x").manifest("summary", json!("x".repeat(1024 * 1024))).component()),
        ("many-cases", forge("x").manifest("cases", json!(vec![json!({}); 101])).component()),
        ("lying-manifest", forge("x").manifest("interpreter", json!({ "statuses": ["2xx"] })).component()),
        ("case-of-another-shape", skips("case-shape").manifest("cases", json!([{ "name": "a" }])).component()),
        ("case-fails", skips("case-fails").manifest("cases", case(&json!({ "skip": "something else" }))).component()),
        ("case-traps", forge("case-traps").manifest("cases", case(&json!({ "skip": "" }))).component()),
        (
            "case-loops",
            forge("case-loops").transform("(loop (br 0))").manifest("cases", case(&json!({ "skip": "" }))).component(),
        ),
        ("large-component", vec![0; 32 * 1024 * 1024 + 1]),
        ("import-of-another-wasi", imports("wasi:clocks/wall-clock@0.3.0")),
        ("import-of-what-looks-like-wasi", imports("wasix:sockets/tcp@0.2.3")),
        ("import-of-what-is-not-there", imports("hookwright:plugin/network@1.0.0")),
        ("wrong-world", forge("x").wrap("(component)")),
        ("newer-contract", forge("x").contract("hookwright:plugin@2.0.0").component()),
        ("newer-minor-contract", forge("x").contract("hookwright:plugin@1.1.0").component()),
        ("older-contract", forge("x").contract("hookwright:plugin@0.9.0").component()),
        ("many-memories", forge("x").items(&"(memory 1)".repeat(8)).component()),
        ("large-memory", forge("x").memory_pages(513).component()),
        ("many-tables", forge("x").items(&"(table 1 funcref)".repeat(17)).component()),
        ("large-table", forge("x").items("(table 20001 funcref)").component()),
        ("wrong-types", wrong_types()),
        ("loop-at-start", forge("loop-at-start").items("(func $spin (loop (br 0))) (start $spin)").component()),
        ("trap-at-start", forge("trap-at-start").items("(func $fall (unreachable)) (start $fall)").component()),
        ("data-beyond-memory", forge("data-beyond").items("(data (i32.const 1114112) \"x\")").component()),
        ("bomb-by-time", slow_bomb("bomb-by-time")),
        ("bomb-by-memory", large_bomb("bomb-by-memory", 400_000)),
    ]
}

/// A component that wants an instance of this name.
fn imports(name: &str) -> Vec<u8> {
    Forge::new("x").wrap(&format!("(component (import \"{name}\" (instance)))"))
}

/// A component that exports a transformer of the right name with a function of other types.
fn wrong_types() -> Vec<u8> {
    Forge::new("wrong-types").wrap(
        r#"(component
          (core module $m (func (export "f") (param i32)))
          (core instance $i (instantiate $m))
          (func $f (param "n" u32) (canon lift (core func $i "f")))
          (instance $t (export "transform" (func $f)))
          (export "hookwright:plugin/transformer@1.0.0" (instance $t)))"#,
    )
}
