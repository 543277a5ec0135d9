//! A story as the API takes it.

use hookwright_sdk::brief::{Brief, Line, Markdown};
use hookwright_sdk::text::{one_line, truncate};
use serde::Serialize;

use crate::{Config, StoryType};

const MAX_NAME: usize = 5000;
const MAX_DESCRIPTION: usize = 20_000;
const MAX_LABELS: usize = 50;
const MAX_TASK: usize = 1000;
const MAX_TASKS: usize = 100;

#[derive(Serialize)]
pub(crate) struct Story<'a> {
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(rename = "story_type")]
    kind: StoryType,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimate: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_ids: Option<[u64; 1]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tasks: Vec<Task>,
}

#[derive(Serialize)]
struct Task {
    description: String,
    complete: bool,
}

pub(crate) fn story(mut it: Brief, config: &Config) -> Story<'_> {
    let owner = it.owner.as_ref().and_then(|owner| config.owners.get(owner));
    if owner.is_some() {
        it.forget("owner");
    }
    let kind = config.story_types.get(it.family()).copied().unwrap_or(config.story_type);
    // Only features are estimated, unless a project says otherwise.
    let points = it.points.as_ref().filter(|_| config.estimate && kind == StoryType::Feature);
    let estimate = points.and_then(|points| points.parse().ok());
    if estimate.is_some() {
        it.forget("points");
    }
    // Tasks have a place of their own; of too many the rest stays in the description.
    let is_list = it.lines.iter().all(|line| line.done.is_some());
    let own = if is_list { it.lines.len().min(MAX_TASKS) } else { 0 };
    let tasks = it.lines.drain(..own).filter_map(|line| task(&line)).collect();
    let mut labels = it.labels_by(&config.labels, &config.label_map);
    labels.truncate(MAX_LABELS);
    let fields = config.fields.as_deref();
    let markdown = Markdown { fields, is_markdown: config.markdown, ..Markdown::within(MAX_DESCRIPTION) };
    Story {
        name: truncate(&it.fill(&config.title), MAX_NAME).into_owned(),
        description: markdown.description(&it),
        kind,
        estimate,
        labels,
        owner_ids: owner.map(|id| [*id]),
        tasks,
    }
}

fn task(line: &Line) -> Option<Task> {
    let description = truncate(&one_line(&line.name), MAX_TASK).into_owned();
    (!description.is_empty()).then(|| Task { description, complete: line.done == Some(true) })
}
