//! What others published: schemas of what destinations take, and events of providers. `../schemas` has them from packages;
//! `CHECKS_SCHEMAS` names that folder once they are installed. Without it nothing of it is looked at, so that a plugin's
//! tests run where there is only Rust; `make test` sets it.

use std::borrow::Cow;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

use hookwright_sdk::Request;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::KINDS;

fn folder() -> Option<PathBuf> {
    std::env::var_os("CHECKS_SCHEMAS").map(PathBuf::from)
}

/// An event as its provider sends it.
#[derive(Deserialize)]
struct Published {
    /// The provider's type with its name in front: `github.issues.opened`.
    r#type: String,
    payload: Value,
}

/// The events that providers published, each by its own type and by two of the catalogue: what it is about stands then where
/// the catalogue has such a thing.
///
/// # Panics
/// When they are not where `CHECKS_SCHEMAS` says.
pub fn events() -> impl Iterator<Item = (&'static str, Cow<'static, Value>)> {
    all().iter().enumerate().flat_map(|(index, Published { r#type, payload })| {
        let as_known = |shift: usize| {
            let kind = KINDS[(index + shift) % KINDS.len()];
            (kind, Cow::Owned(known(kind, payload)))
        };
        [(r#type.as_str(), Cow::Borrowed(payload)), as_known(0), as_known(KINDS.len() / 2)]
    })
}

/// The payload with the first thing in it that has an id, also under the name that this type has for it.
fn known(kind: &str, payload: &Value) -> Value {
    let name = match kind.split('.').next() {
        Some("test") => "run",
        Some(family) => family,
        None => kind,
    };
    let mut payload = payload.clone();
    let mut things = payload.as_object().into_iter().flat_map(Map::values);
    if let Some(thing) = things.find(|value| value.get("id").is_some()).cloned() {
        payload[name] = thing;
    }
    payload
}

fn all() -> &'static [Published] {
    static EVENTS: LazyLock<Vec<Published>> = LazyLock::new(|| {
        let Some(folder) = folder() else { return Vec::new() };
        let path = folder.join("../target/schemas/payloads.json");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).expect("payloads")
    });
    &EVENTS
}

/// Checks a request by the schema that its destination publishes: one of those in `../schemas/destinations.js`.
///
/// # Panics
/// When the destination would refuse it, with what is wrong.
pub fn takes(destination: &str, request: &Request) {
    static JUDGE: LazyLock<Option<Mutex<Judge>>> =
        LazyLock::new(|| folder().map(|folder| Mutex::new(Judge::start(folder))));
    let Some(judge) = &*JUDGE else { return };
    let headers: Map<String, Value> = request.headers().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let line = json!({"to": destination, "method": request.method(), "path": request.path(), "headers": headers,
        "body": request.body_text()});
    let mistakes = judge.lock().unwrap_or_else(PoisonError::into_inner).ask(&line);
    assert!(mistakes.is_empty(), "{destination} takes no such request: {mistakes:#?}\n{line}");
}

/// A process that reads requests and says what is wrong with them. It ends with this one.
struct Judge {
    _process: Child,
    requests: ChildStdin,
    mistakes: BufReader<ChildStdout>,
}

impl Judge {
    fn start(folder: PathBuf) -> Self {
        let command = Command::new("node")
            .arg("judge.js")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut process = command.expect("Node.js");
        let (requests, mistakes) = (process.stdin.take().expect("a pipe"), process.stdout.take().expect("a pipe"));
        Self { _process: process, requests, mistakes: BufReader::new(mistakes) }
    }

    fn ask(&mut self, request: &Value) -> Vec<String> {
        writeln!(self.requests, "{request}").expect("a judge that reads");
        let mut line = String::new();
        self.mistakes.read_line(&mut line).expect("a judge that answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the judge says {line:?}: {error}"))
    }
}
