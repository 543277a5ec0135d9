//! An issue's fields as Jira takes them:
//! <https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/>.

use std::collections::BTreeMap;

use hookwright_sdk::brief::Brief;
use hookwright_sdk::text::{day, truncate};
use serde::Serialize;
use serde_json::Value;

use crate::adf::{self, Document};
use crate::{Api, Config, wiki};

/// Jira says both "can't exceed 255" and "must be less than 255".
const MAX_SUMMARY: usize = 254;
const MAX_LABELS: usize = 100;

/// A new issue.
#[derive(Serialize)]
pub(crate) struct New<'a> {
    fields: Fields<'a>,
}

/// An issue's new content.
#[derive(Serialize)]
pub(crate) struct Change<'a> {
    fields: Changes<'a>,
}

/// What happened, below an issue.
#[derive(Serialize)]
pub(crate) struct Comment {
    body: Text,
}

/// An issue's way to another status.
#[derive(Serialize)]
pub(crate) struct Transition<'a> {
    transition: Numbered<'a>,
}

#[derive(Serialize)]
struct Numbered<'a> {
    id: &'a str,
}

/// Text with layout on Cloud, wiki markup elsewhere.
#[derive(Serialize)]
#[serde(untagged)]
enum Text {
    Document(Document),
    Plain(String),
}

/// Fields that the plugin fills in.
const OURS: [&str; 8] = ["project", "issuetype", "summary", "description", "assignee", "priority", "labels", "duedate"];

#[derive(Serialize)]
struct Fields<'a> {
    project: Project<'a>,
    issuetype: Named<'a>,
    #[serde(flatten)]
    text: Changes<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duedate: Option<String>,
    #[serde(flatten)]
    extra: BTreeMap<&'a String, &'a Value>,
}

/// What an edit changes: what the event says, and not what people arrange in Jira.
#[derive(Serialize)]
struct Changes<'a> {
    summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assignee: Option<Person<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Named<'a>>,
}

#[derive(Serialize)]
struct Project<'a> {
    key: &'a str,
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Person<'a> {
    AccountId(&'a str),
    Name(&'a str),
}

impl<'a> New<'a> {
    pub(crate) fn of(task: Brief, config: &'a Config) -> Self {
        Self { fields: fields(task, config) }
    }
}

impl<'a> Change<'a> {
    /// An update without a description leaves the one that is there.
    pub(crate) fn of(news: Brief, config: &'a Config) -> Self {
        let is_whole = news.is_whole();
        let fields = changes(news, config);
        Self { fields: if is_whole { fields } else { Changes { description: None, ..fields } } }
    }
}

impl Comment {
    pub(crate) fn on(news: &Brief, config: &Config) -> Self {
        let body = match config.api {
            Api::Cloud => Text::Document(adf::comment(news)),
            Api::Server => Text::Plain(wiki::comment(news)),
        };
        Self { body }
    }
}

impl<'a> Transition<'a> {
    pub(crate) fn to(id: &'a str) -> Self {
        Self { transition: Numbered { id } }
    }
}

fn fields(mut task: Brief, config: &Config) -> Fields<'_> {
    let duedate = task.due.as_deref().filter(|_| config.due_date).and_then(day).map(str::to_owned);
    if duedate.is_some() {
        task.forget("due");
    }
    let mut labels = task.labels_by(&config.labels, &config.label_map);
    labels.truncate(MAX_LABELS);
    let name = config.issue_types.get(task.family()).unwrap_or(&config.issue_type);
    Fields {
        project: Project { key: &config.project_key },
        issuetype: Named { name },
        labels,
        duedate,
        // Two fields of one name would be no JSON that anybody reads the same way.
        extra: config.extra.iter().filter(|(name, _)| !OURS.contains(&name.as_str())).collect(),
        text: changes(task, config),
    }
}

fn changes(mut task: Brief, config: &Config) -> Changes<'_> {
    let assignee = task.take_owner(&config.assignees).map(|person| match config.api {
        Api::Cloud => Person::AccountId(person),
        Api::Server => Person::Name(person),
    });
    let priority = task.priority.as_ref().and_then(|priority| config.priorities.get(priority));
    if priority.is_some() {
        task.forget("priority");
    }
    Changes {
        summary: truncate(&task.fill(&config.title), MAX_SUMMARY).into_owned(),
        description: description(&task, config),
        assignee,
        priority: priority.map(|name| Named { name }),
    }
}

fn description(task: &Brief, config: &Config) -> Option<Text> {
    let fields = config.fields.as_deref();
    match config.api {
        Api::Cloud => adf::description(task, fields).map(Text::Document),
        Api::Server => wiki::description(task, fields).map(Text::Plain),
    }
}
