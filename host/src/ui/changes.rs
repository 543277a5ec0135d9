//! What has changed, field by field: before and after.

use askama::Template;
use serde_json::Value;

use crate::domain::difference::{Difference, differences};

/// How much of them is shown, in bytes.
const SHOWN_BYTES: usize = 16 * 1024;

#[derive(Debug)]
struct Line {
    at: String,
    was: Option<String>,
    now: Option<String>,
}

/// A table of changes.
#[derive(Debug, Template)]
#[template(path = "changes.html")]
pub(super) struct Changes {
    lines: Vec<Line>,
    was: &'static str,
    now: &'static str,
    /// Whether there are more than are shown.
    more: bool,
}

impl askama::filters::HtmlSafe for Changes {}

/// A text as it is, everything else as JSON.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Changes {
    /// These, under these heads.
    pub(super) fn new(found: Vec<Difference>, more: bool, (was, now): (&'static str, &'static str)) -> Self {
        let line = |difference: Difference| Line {
            at: if difference.at.is_empty() { "(everything)".to_owned() } else { difference.at },
            was: difference.was.as_ref().map(plain),
            now: difference.now.as_ref().map(plain),
        };
        Self { lines: found.into_iter().map(line).collect(), was, now, more }
    }

    /// Between two values.
    pub(super) fn between(was: &Value, now: &Value, heads: (&'static str, &'static str)) -> Self {
        let (found, is_all) = differences(was, now, SHOWN_BYTES);
        Self::new(found, !is_all, heads)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) const fn len(&self) -> usize {
        self.lines.len()
    }
}
