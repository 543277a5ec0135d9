//! A story in Pivotal Tracker, or in a service with its API, for each thing that somebody has to do.
//!
//! The webhook's URL is the service's `/services/v5`; stories are posted to `/projects/ID/stories` below it.

mod answer;
mod story;

use std::collections::BTreeMap;

use hookwright_sdk::brief::{Brief, Updates};
use hookwright_sdk::{Credential, Event, Exchange, Failure, Outcome, Plugin, Request, Verdict, Webhook};
use serde::{Deserialize, Serialize};

/// The host takes this many requests from one event.
const MAX_STORIES: usize = 100;

/// What a webhook's owner may set; `plugin.toml` says the same to the form in the UI.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The project's number.
    project_id: u64,
    /// The type of stories.
    #[serde(default)]
    story_type: StoryType,
    /// The type by the first word of the event type, where it is another one.
    #[serde(default)]
    story_types: BTreeMap<String, StoryType>,
    /// The name, with placeholders.
    #[serde(default = "title")]
    title: String,
    /// Which facts are shown, in this order; all without a choice.
    fields: Option<Vec<String>>,
    /// Labels that every story gets.
    #[serde(default)]
    labels: Vec<String>,
    /// From a label, as events name them, to one in Tracker.
    #[serde(default)]
    label_map: BTreeMap<String, String>,
    /// From an owner, as events name them, to a person's number.
    #[serde(default)]
    owners: BTreeMap<String, u64>,
    /// Whether a story's points are set as its estimate.
    #[serde(default)]
    estimate: bool,
    /// Whether descriptions are Markdown already.
    #[serde(default)]
    markdown: bool,
    /// What becomes of news about what has a story already.
    #[serde(default)]
    updates: Updates,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum StoryType {
    #[default]
    Feature,
    Bug,
    Chore,
}

fn title() -> String {
    "{key} {title}".to_owned()
}

/// The plugin.
#[derive(Debug)]
pub struct PivotalTracker;

impl Plugin for PivotalTracker {
    type Config = Config;

    fn transform(event: &Event, config: &Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
        Ok(match Brief::of(event)?.new_tasks(MAX_STORIES, config.updates) {
            Err(why) => Outcome::skip(why),
            Ok(tasks) => Outcome::deliver(tasks.into_iter().map(|task| create(task, config))),
        })
    }

    fn interpret(exchange: &Exchange, _config: &Config) -> Verdict {
        answer::verdict(exchange)
    }
}

fn create(task: Brief, config: &Config) -> Request {
    Request::post()
        .label(format!("story: {}", task.name()))
        .segment("projects")
        .segment(config.project_id.to_string())
        .segment("stories")
        .json(&story::story(task, config))
        .credential(Credential::header("X-TrackerToken").secret("token"))
}

hookwright_sdk::export!(PivotalTracker, interpreting);
