//! An issue in Jira for each thing that somebody has to do, edited, commented and moved by what happens later.
//!
//! The webhook's URL is Jira's own address; issues are posted to `/rest/api/3/issue` below it (Cloud), or to
//! `/rest/api/2/issue` (Server and Data Center).

mod adf;
mod answer;
mod issue;
mod wiki;

use std::collections::BTreeMap;

use hookwright_sdk::brief::{Brief, Kind};
use hookwright_sdk::{
    Credential, Event, Exchange, Failure, Method, Outcome, Plugin, Request, Secret, Verdict, Webhook, memory,
};
use serde::Deserialize;
use serde_json::Value;

use issue::{Change, Comment, New, Transition};

/// The host takes this many requests from one event.
const MAX_ISSUES: usize = 100;

/// What a webhook's owner may set; `plugin.toml` says the same to the form in the UI.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which Jira it is.
    #[serde(default)]
    api: Api,
    /// Whose token it is; on Cloud only.
    email: Option<String>,
    /// For example `QA`.
    project_key: String,
    /// The type of issues.
    #[serde(default = "task")]
    issue_type: String,
    /// The type by the first word of the event type, where it is another one.
    #[serde(default)]
    issue_types: BTreeMap<String, String>,
    /// The summary, with placeholders.
    #[serde(default = "title")]
    title: String,
    /// Which facts are shown, in this order; all without a choice.
    fields: Option<Vec<String>>,
    /// Labels that every issue gets.
    #[serde(default)]
    labels: Vec<String>,
    /// From a label, as events name them, to one in Jira.
    #[serde(default)]
    label_map: BTreeMap<String, String>,
    /// From an owner, as events name them, to an account id (Cloud) or a user name.
    #[serde(default)]
    assignees: BTreeMap<String, String>,
    /// From a priority, as events name them, to one in Jira.
    #[serde(default)]
    priorities: BTreeMap<String, String>,
    /// Whether the due date is set as such; the screen for new issues must have the field.
    #[serde(default = "yes")]
    due_date: bool,
    /// Further fields of every new issue, as Jira's API takes them.
    #[serde(default)]
    extra: BTreeMap<String, Value>,
    /// What becomes of news about what has an issue already.
    #[serde(default)]
    updates: Updates,
    /// From a status, as events name them, to the id of a transition.
    #[serde(default)]
    transitions: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Api {
    #[default]
    Cloud,
    Server,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Updates {
    #[default]
    Edit,
    Comment,
    Create,
    Skip,
}

fn task() -> String {
    "Task".to_owned()
}

fn title() -> String {
    "{key} {title}".to_owned()
}

fn yes() -> bool {
    true
}

/// The plugin.
#[derive(Debug)]
pub struct Jira;

impl Plugin for Jira {
    type Config = Config;

    fn transform(event: &Event, config: &Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
        let credential = config.credential()?;
        let brief = Brief::of(event)?;
        let requests = match brief.kind {
            Kind::Changed | Kind::Moved => match (config.updates, memory::recall(&brief.about)) {
                (Updates::Skip, _) => return Ok(Outcome::skip("It has an issue already, and `updates` is `skip`.")),
                (Updates::Edit | Updates::Comment, Some(key)) => vec![update(brief, &key, config)],
                _ => vec![create(brief, config)],
            },
            _ => match brief.tasks(MAX_ISSUES) {
                Err(why) => return Ok(Outcome::skip(why)),
                Ok(tasks) => tasks.into_iter().map(|task| create(task, config)).collect(),
            },
        };
        Ok(Outcome::deliver(requests.into_iter().map(|request| request.credential(credential.clone()))))
    }

    fn interpret(exchange: &Exchange, _config: &Config) -> Verdict {
        answer::verdict(exchange)
    }
}

impl Config {
    fn credential(&self) -> Result<Credential, Failure> {
        match (self.api, &self.email) {
            (Api::Cloud, Some(email)) => Ok(Credential::basic(email, Secret::named("token"))),
            (Api::Cloud, None) => Err(Failure::new("config.invalid", "`email` is missing: whose API token it is.")),
            (Api::Server, _) => Ok(Credential::bearer(Secret::named("token"))),
        }
    }
}

fn create(task: Brief, config: &Config) -> Request {
    let request = Request::post().label(format!("issue: {}", task.name())).segments(path(config));
    let request = if task.is_followed() { request.correlation(&task.about) } else { request };
    request.json(&New::of(task, config))
}

/// Moves, comments or edits the issue of this key. Only one of them: requests of one event know nothing of
/// each other's answers.
fn update(news: Brief, key: &str, config: &Config) -> Request {
    let label = format!("{key}: {}", news.headline);
    let about = news.about.clone();
    let transition = news.status.as_ref().and_then(|status| config.transitions.get(status));
    let request = match transition.filter(|_| news.kind == Kind::Moved) {
        Some(id) => issue_request(Method::Post, key, Some("transitions"), config).json(&Transition::to(id)),
        None if news.kind == Kind::Moved || config.updates == Updates::Comment => {
            issue_request(Method::Post, key, Some("comment"), config).json(&Comment::on(&news, config))
        }
        None => issue_request(Method::Put, key, None, config).json(&Change::of(news, config)),
    };
    request.label(label).correlation(about)
}

fn issue_request(method: Method, key: &str, part: Option<&str>, config: &Config) -> Request {
    Request::new(method).segments(path(config)).segment(key).segments(part)
}

fn path(config: &Config) -> [&'static str; 4] {
    ["rest", "api", if config.api == Api::Cloud { "3" } else { "2" }, "issue"]
}

hookwright_sdk::export!(Jira, interpreting);
