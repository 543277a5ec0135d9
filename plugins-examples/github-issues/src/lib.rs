//! An issue on GitHub for each thing that somebody has to do.
//!
//! The webhook's URL is `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise Server; issues are
//! posted to `/repos/OWNER/NAME/issues` below it.

mod answer;
mod issue;

use std::collections::BTreeMap;

use hookwright_sdk::brief::{Brief, FACTS, Updates};
use hookwright_sdk::{
    Credential, Event, Exchange, Failure, Outcome, Plugin, Request, Secret, Verdict, Webhook, configuration,
};

/// The host takes this many requests from one event.
const MAX_ISSUES: usize = 100;

/// What a webhook's owner may set.
#[configuration]
#[derive(Debug)]
pub struct Config {
    /// Owner and name of the repository that gets the issues.
    #[config(
        pattern = "^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{0,99}[A-Za-z0-9_-]$",
        examples = ["octo-org/website"],
    )]
    repository: String,
    /// The issue's title. Placeholders: {key} {title} {headline} {type} {status} {priority} {owner} {project}
    /// {retro} and the like.
    #[config(default = "{key} {title}", max_length = 200, examples = ["[{retro}] {title}"])]
    title: String,
    /// Which facts stand in the description, in this order. All when left out.
    #[config(unique_items = true, items(choices = FACTS))]
    fields: Option<Vec<String>>,
    /// Labels that every issue gets.
    #[config(default, max_items = 50, examples = [["retro"]], items(min_length = 1, max_length = 50))]
    labels: Vec<String>,
    /// From a label (of a lead: a program), as your events name it, to a label on GitHub.
    #[config(default, examples = [{"defect": "bug"}], values(min_length = 1, max_length = 50))]
    label_map: BTreeMap<String, String>,
    /// From an owner, as your events name them, to a login on GitHub.
    #[config(default, examples = [{"ada": "ada-lovelace"}], values(pattern = "^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$"))]
    assignees: BTreeMap<String, String>,
    /// Your descriptions are Markdown already: they are not escaped, and may mention people.
    #[config(default)]
    markdown: bool,
    /// What updates and status changes do: nothing, or create another issue.
    #[config(default)]
    updates: Updates,
}

/// The plugin.
#[derive(Debug)]
pub struct GithubIssues;

impl Plugin for GithubIssues {
    type Config = Config;

    fn transform(event: &Event, config: &Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
        let (owner, name) = config.repository.split_once('/').ok_or_else(|| {
            Failure::new("config.invalid", "`repository` is OWNER/NAME, for example octo-org/website.")
        })?;
        Ok(match Brief::of(event)?.new_tasks(MAX_ISSUES, config.updates) {
            Err(why) => Outcome::skip(why),
            Ok(tasks) => {
                Outcome::deliver(tasks.into_iter().map(|task| create(task, config).segments(path(owner, name))))
            }
        })
    }

    fn interpret(exchange: &Exchange, _config: &Config) -> Verdict {
        answer::verdict(exchange)
    }
}

fn path<'a>(owner: &'a str, name: &'a str) -> [&'a str; 4] {
    ["repos", owner, name, "issues"]
}

/// <https://docs.github.com/rest/issues/issues#create-an-issue>
fn create(task: Brief, config: &Config) -> Request {
    let label = format!("issue: {}", task.name());
    Request::post()
        .label(label)
        .header("Accept", "application/vnd.github+json")
        .header("X-GitHub-Api-Version", "2022-11-28")
        .json(&issue::issue(task, config))
        .credential(Credential::bearer(Secret::named("token")))
}

hookwright_sdk::export!(GithubIssues, interpreting);
