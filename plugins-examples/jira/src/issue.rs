//! An issue's fields as Jira takes them:
//! <https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/>.

use std::collections::BTreeMap;

use hookwright_sdk::brief::Brief;
use hookwright_sdk::text::{day, truncate};
use serde::Serialize;
use serde_json::Value;

use crate::adf::Document;
use crate::{Api, Config};

/// Jira says both "can't exceed 255" and "must be less than 255".
const MAX_SUMMARY: usize = 254;
const MAX_LABELS: usize = 100;

/// Text with layout on Cloud, wiki markup elsewhere.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Text {
    Document(Document),
    Plain(String),
}

/// Fields that the plugin fills in.
const OURS: [&str; 8] = ["project", "issuetype", "summary", "description", "assignee", "priority", "labels", "duedate"];

#[derive(Serialize)]
pub(crate) struct Fields<'a> {
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
pub(crate) struct Changes<'a> {
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

pub(crate) fn fields(mut task: Brief, config: &Config) -> Fields<'_> {
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

/// What an edit says: an update without a description leaves the one that is there.
pub(crate) fn edit(news: Brief, config: &Config) -> Changes<'_> {
    let is_whole = news.is_whole();
    let changes = changes(news, config);
    if is_whole { changes } else { Changes { description: None, ..changes } }
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
        description: config.text(&task),
        assignee,
        priority: priority.map(|name| Named { name }),
    }
}
