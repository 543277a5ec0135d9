//! A work item in Azure DevOps for each thing that somebody has to do.
//!
//! The webhook's URL is `https://dev.azure.com/ORGANIZATION/PROJECT`; work items are posted to
//! `/_apis/wit/workitems/$TYPE` below it.

mod answer;
mod html;
mod item;

use std::collections::BTreeMap;

use hookwright_sdk::brief::{Brief, Updates};
use hookwright_sdk::{Credential, Event, Exchange, Failure, Outcome, Plugin, Request, Verdict, Webhook};
use serde::Deserialize;

/// The host takes this many requests from one event.
const MAX_ITEMS: usize = 100;

/// What a webhook's owner may set; `plugin.toml` says the same to the form in the UI.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The type of work items.
    r#type: String,
    /// The type by the first word of the event type, where it is another one.
    types: BTreeMap<String, String>,
    /// The title, with placeholders.
    title: String,
    /// Which facts are shown, in this order; all without a choice.
    fields: Option<Vec<String>>,
    /// For example `Fabrikam\Web`.
    area_path: Option<String>,
    /// For example `Fabrikam\Sprint 12`.
    iteration_path: Option<String>,
    /// Tags that every item gets.
    tags: Vec<String>,
    /// From a label, as events name them, to a tag.
    tag_map: BTreeMap<String, String>,
    /// From an owner, as events name them, to a sign-in address.
    assignees: BTreeMap<String, String>,
    /// From a priority, as events name them, to 1 to 4.
    priorities: BTreeMap<String, u8>,
    /// The field for the due date, where the process has one.
    due_field: Option<String>,
    /// What becomes of news about what has an item already.
    updates: Updates,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            r#type: "Task".to_owned(),
            types: BTreeMap::new(),
            title: "{key} {title}".to_owned(),
            fields: None,
            area_path: None,
            iteration_path: None,
            tags: Vec::new(),
            tag_map: BTreeMap::new(),
            assignees: BTreeMap::new(),
            priorities: BTreeMap::new(),
            due_field: None,
            updates: Updates::Skip,
        }
    }
}

/// The plugin.
#[derive(Debug)]
pub struct AzureDevops;

impl Plugin for AzureDevops {
    type Config = Config;

    fn transform(event: &Event, config: &Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
        Ok(match Brief::of(event)?.new_tasks(MAX_ITEMS, config.updates) {
            Err(why) => Outcome::skip(why),
            Ok(tasks) => Outcome::deliver(tasks.into_iter().map(|task| create(task, config))),
        })
    }

    fn interpret(exchange: &Exchange, _config: &Config) -> Verdict {
        answer::verdict(exchange)
    }
}

/// <https://learn.microsoft.com/rest/api/azure/devops/wit/work-items/create>
fn create(task: Brief, config: &Config) -> Request {
    let r#type = config.types.get(task.family()).unwrap_or(&config.r#type);
    Request::post()
        .label(format!("{type}: {}", task.name()))
        .segments(["_apis", "wit", "workitems"])
        .segment(format!("${type}"))
        .query("api-version", "7.1")
        // Plain JSON is refused.
        .header("Content-Type", "application/json-patch+json")
        .json(&item::item(task, config))
        .credential(Credential::basic("").secret("pat"))
}

hookwright_sdk::export!(AzureDevops, interpreting);
