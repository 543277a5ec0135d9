//! A work item in Azure DevOps for each thing that somebody has to do.
//!
//! The webhook's URL is `https://dev.azure.com/ORGANIZATION/PROJECT`; work items are posted to
//! `/_apis/wit/workitems/$TYPE` below it.

mod answer;
mod html;
mod item;

use std::collections::BTreeMap;

use hookwright_sdk::brief::{Brief, FACTS, Updates};
use hookwright_sdk::{
    Credential, Event, Exchange, Failure, Outcome, Plugin, Request, Secret, Verdict, Webhook, configuration,
};

/// The host takes this many requests from one event.
const MAX_ITEMS: usize = 100;

/// What a webhook's owner may set.
#[configuration]
#[derive(Debug)]
pub struct Config {
    /// The type of work items, as the project's process calls it.
    #[config(
        default = "Task",
        pattern = r#"^[^/\\%.$?:&*#+"<>|]+$"#,
        max_length = 100,
        examples = ["Task", "Issue", "User Story"],
    )]
    r#type: String,
    /// The type by the first word of the event type, where it is another one: retro, ticket, story, lead,
    /// workflow, test.
    #[config(
        default,
        examples = [{"ticket": "Bug", "story": "User Story"}],
        keys(choices = ["retro", "ticket", "story", "lead", "workflow", "test"]),
        values(pattern = r#"^[^/\\%.$?:&*#+"<>|]+$"#, max_length = 100),
    )]
    types: BTreeMap<String, String>,
    /// The work item's title. Placeholders: {key} {title} {headline} {type} {status} {priority} {owner} {project}
    /// {retro} and the like.
    #[config(default = "{key} {title}", max_length = 200, examples = ["[{retro}] {title}"])]
    title: String,
    /// Which facts stand in the description, in this order. All when left out.
    #[config(unique_items = true, items(choices = FACTS))]
    fields: Option<Vec<String>>,
    /// The area path; the project's own when left out.
    #[config(title = "Area", min_length = 1, max_length = 4000, examples = [r"Fabrikam\Web"])]
    area_path: Option<String>,
    /// The iteration path; the project's own when left out.
    #[config(title = "Iteration", min_length = 1, max_length = 4000, examples = [r"Fabrikam\Sprint 12"])]
    iteration_path: Option<String>,
    /// Tags that every work item gets.
    #[config(default, max_items = 50, examples = [["retro"]], items(pattern = "^[^;,]+$", max_length = 400))]
    tags: Vec<String>,
    /// From a label (of a lead: a program), as your events name it, to a tag.
    #[config(default, examples = [{"defect": "bug"}], values(pattern = "^[^;,]+$", max_length = 400))]
    tag_map: BTreeMap<String, String>,
    /// From an owner, as your events name them, to the address with which they sign in.
    #[config(default, examples = [{"ada": "ada@example.com"}], values(min_length = 1, max_length = 256))]
    assignees: BTreeMap<String, String>,
    /// From a priority, as your events name it, to 1 (first) to 4.
    #[config(default, examples = [{"urgent": 1, "high": 2}], values(minimum = 1, maximum = 4))]
    priorities: BTreeMap<String, u8>,
    /// Reference name of the field that takes the due date, if the type has one. Otherwise it stands in the
    /// description.
    #[config(
        title = "Field of the due date",
        pattern = "^[A-Za-z0-9_.]{1,128}$",
        examples = ["Microsoft.VSTS.Scheduling.DueDate"],
    )]
    due_field: Option<String>,
    /// What updates and status changes do: nothing, or create another work item.
    #[config(default)]
    updates: Updates,
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
        .credential(Credential::basic("", Secret::named("pat")))
}

hookwright_sdk::export!(AzureDevops, interpreting);
