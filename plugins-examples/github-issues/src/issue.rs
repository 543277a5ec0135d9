//! An issue as GitHub takes it.

use hookwright_sdk::brief::{Brief, Markdown};
use hookwright_sdk::text::truncate;
use serde::Serialize;

use crate::Config;

/// GitHub's own words are "title is too long (maximum is 256 characters)".
const MAX_TITLE: usize = 256;
/// "body is too long (maximum is 65536 characters)".
const MAX_BODY: usize = 65_536;
const MAX_LABELS: usize = 100;

#[derive(Serialize)]
pub(crate) struct Issue<'a> {
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    body: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assignees: Option<[&'a str; 1]>,
}

pub(crate) fn issue(mut task: Brief, config: &Config) -> Issue<'_> {
    let assignees = task.take_owner(&config.assignees).map(|login| [login]);
    let mut labels = task.labels_by(&config.labels, &config.label_map);
    labels.truncate(MAX_LABELS);
    let fields = config.fields.as_deref();
    let markdown = Markdown { fields, is_markdown: config.markdown, ..Markdown::within(MAX_BODY) };
    let body = markdown.description(&task);
    let body = if config.markdown { body } else { unmentioned(&body) };
    Issue {
        title: truncate(&task.fill(&config.title), MAX_TITLE).into_owned(),
        body: truncate(&body, MAX_BODY).into_owned(),
        labels,
        assignees,
    }
}

/// What would notify people does not: a space without width parts the `@` from the name. An address keeps its `@`.
fn unmentioned(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, part) in text.split('@').enumerate() {
        if index > 0 {
            out.push('@');
            if !out[..out.len() - 1].ends_with(|before: char| before.is_alphanumeric() || before == '/') {
                out.push('\u{200b}');
            }
        }
        out.push_str(part);
    }
    out
}
