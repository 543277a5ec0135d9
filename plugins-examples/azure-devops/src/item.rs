//! A work item as Azure DevOps takes it: one operation for each field.

use hookwright_sdk::brief::Brief;
use hookwright_sdk::text::{day, truncate};
use serde::Serialize;

use crate::{Config, html};

const MAX_TITLE: usize = 255;
const MAX_TAGS: usize = 100;
const MAX_URL: usize = 2000;

#[derive(Serialize)]
pub(crate) struct Add {
    op: &'static str,
    path: String,
    value: Value,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Number(u8),
    Link { rel: &'static str, url: String },
}

pub(crate) fn item(mut task: Brief, config: &Config) -> Vec<Add> {
    let owner = task.take_owner(&config.assignees).map(str::to_owned);
    let mut tags = task.labels_by(&config.tags, &config.tag_map);
    tags.truncate(MAX_TAGS);
    let tags = Some(tags.join("; ")).filter(|tags| !tags.is_empty());
    let priority = task.priority.as_ref().and_then(|priority| config.priorities.get(priority).copied());
    let due =
        config.due_field.as_ref().and_then(|field| Some((field, format!("{}T00:00:00Z", day(task.due.as_deref()?)?))));
    if due.is_some() {
        task.forget("due");
    }
    let link = task.url.clone().filter(|url| url.len() <= MAX_URL);
    let texts = [
        ("System.Title", Some(truncate(&task.fill(&config.title), MAX_TITLE).into_owned())),
        (
            "System.Description",
            Some(html::description(&task, config.fields.as_deref())).filter(|text| !text.is_empty()),
        ),
        ("System.AreaPath", config.area_path.clone()),
        ("System.IterationPath", config.iteration_path.clone()),
        ("System.Tags", tags),
        ("System.AssignedTo", owner),
    ];
    let texts = texts.into_iter().filter_map(|(name, text)| Some(field(name, Value::Text(text?))));
    let due = due.map(|(name, day)| field(name, Value::Text(day)));
    let priority = priority.map(|number| field("Microsoft.VSTS.Common.Priority", Value::Number(number)));
    let link = link.map(|url| Add {
        op: "add",
        path: "/relations/-".to_owned(),
        value: Value::Link { rel: "Hyperlink", url },
    });
    texts.chain(due).chain(priority).chain(link).collect()
}

fn field(name: &str, value: Value) -> Add {
    Add { op: "add", path: format!("/fields/{name}"), value }
}
