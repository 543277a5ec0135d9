//! An issue on GitHub for each thing that somebody has to do.
//!
//! The webhook's URL is `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise Server; issues are
//! posted to `/repos/OWNER/NAME/issues` below it.

mod answer;
mod issue;

use std::collections::BTreeMap;

use hookwright_sdk::brief::{Brief, Updates};
use hookwright_sdk::{Credential, Event, Exchange, Failure, Outcome, Plugin, Request, Verdict, Webhook};
use serde::Deserialize;

/// The host takes this many requests from one event.
const MAX_ISSUES: usize = 100;

/// What a webhook's owner may set; `plugin.toml` says the same to the form in the UI.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `OWNER/NAME`.
    repository: String,
    /// The title, with placeholders.
    #[serde(default = "title")]
    title: String,
    /// Which facts are shown, in this order; all without a choice.
    fields: Option<Vec<String>>,
    /// Labels that every issue gets.
    #[serde(default)]
    labels: Vec<String>,
    /// From a label, as events name them, to one on GitHub.
    #[serde(default)]
    label_map: BTreeMap<String, String>,
    /// From an owner, as events name them, to a login.
    #[serde(default)]
    assignees: BTreeMap<String, String>,
    /// Whether descriptions are Markdown already.
    #[serde(default)]
    markdown: bool,
    /// What becomes of news about what has an issue already.
    #[serde(default)]
    updates: Updates,
}

fn title() -> String {
    "{key} {title}".to_owned()
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
        .credential(Credential::bearer().secret("token"))
}

hookwright_sdk::export!(GithubIssues, interpreting);
