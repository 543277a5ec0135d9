//! A golden case: an event and a configuration, and what must come of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::Event;
use crate::testing::event::event;
use crate::testing::form::Expect;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    #[expect(dead_code, reason = "for people, and required")]
    name: String,
    event: CaseEvent,
    #[serde(default)]
    pub(super) config: Value,
    #[serde(default)]
    pub(super) facts: BTreeMap<String, String>,
    /// May be absent only while `UPDATE_CASES` writes it.
    pub(super) expect: Option<Expect>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseEvent {
    r#type: String,
    payload: Option<Value>,
    subject: Option<String>,
    id: Option<String>,
    occurred_at: Option<String>,
    trigger: Option<String>,
}

impl Case {
    /// # Panics
    /// With the file's name, if it is not a case.
    pub(super) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(super) fn event(&self) -> Event {
        let parts = &self.event;
        let mut builder = event(&parts.r#type);
        if let Some(payload) = &parts.payload {
            builder = builder.payload(payload.clone());
        }
        if let Some(subject) = &parts.subject {
            builder = builder.subject(subject);
        }
        if let Some(id) = &parts.id {
            builder = builder.id(id);
        }
        if let Some(time) = &parts.occurred_at {
            builder = builder.occurred_at(time);
        }
        if let Some(trigger) = &parts.trigger {
            builder = builder.trigger(trigger);
        }
        builder.build()
    }
}

/// The cases of a folder, by name.
///
/// # Panics
/// If the folder cannot be read or has none: a test without cases proves nothing.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    assert!(!files.is_empty(), "no cases in {}", folder.display());
    files.sort();
    files
}

/// Writes the expectation into the file and leaves the rest as it is.
pub(super) fn update(path: &Path, expect: &Expect) {
    let text = fs::read_to_string(path).expect("a readable case");
    let mut case: Value = serde_json::from_str(&text).expect("a case in JSON");
    case["expect"] = serde_json::to_value(expect).expect("an expectation with a JSON form");
    let text = serde_json::to_string_pretty(&case).expect("a case with a JSON form");
    fs::write(path, text + "\n").expect("a writable case");
}
