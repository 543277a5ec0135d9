//! A story in Pivotal Tracker, or in a service with its API, for each thing that somebody has to do.
//!
//! The webhook's URL is the service's `/services/v5`; stories are posted to `/projects/ID/stories` below it.

mod answer;
mod story;

use std::collections::BTreeMap;

use hookwright_sdk::brief::{Brief, FACTS, Updates};
use hookwright_sdk::{
    Credential, Event, Exchange, Failure, Outcome, Plugin, Request, Secret, Verdict, Webhook, configuration,
};
use serde::Serialize;

/// The host takes this many requests from one event.
const MAX_STORIES: usize = 100;

/// What a webhook's owner may set.
#[configuration]
#[derive(Debug)]
pub struct Config {
    /// The number in the project's address.
    #[config(title = "Project", minimum = 1, examples = [99])]
    project_id: u64,
    /// The type of stories.
    #[config(default)]
    story_type: StoryType,
    /// The type by the first word of the event type, where it is another one: retro, ticket, story, lead,
    /// workflow, test.
    #[config(
        default,
        examples = [{"retro": "chore", "ticket": "bug"}],
        keys(choices = ["retro", "ticket", "story", "lead", "workflow", "test"]),
    )]
    story_types: BTreeMap<String, StoryType>,
    /// The story's name. Placeholders: {key} {title} {headline} {type} {status} {priority} {owner} {project}
    /// {retro} and the like.
    #[config(title = "Name", default = "{key} {title}", max_length = 200, examples = ["[{retro}] {title}"])]
    title: String,
    /// Which facts stand in the description, in this order. All when left out.
    #[config(unique_items = true, items(choices = FACTS))]
    fields: Option<Vec<String>>,
    /// Labels that every story gets.
    #[config(default, max_items = 20, examples = [["retro"]], items(min_length = 1, max_length = 255))]
    labels: Vec<String>,
    /// From a label (of a lead: a program), as your events name it, to a label in Tracker.
    #[config(default, examples = [{"defect": "bug"}], values(min_length = 1, max_length = 255))]
    label_map: BTreeMap<String, String>,
    /// From an owner, as your events name them, to the number of a member of the project.
    #[config(default, examples = [{"ada": 101}], values(minimum = 1))]
    owners: BTreeMap<String, u64>,
    /// Sets a story's points as its estimate; they must be of the project's point scale.
    #[config(default)]
    estimate: bool,
    /// Your descriptions are Markdown already: they are not escaped.
    #[config(default)]
    markdown: bool,
    /// What updates and status changes do: nothing, or create another story.
    #[config(default)]
    updates: Updates,
}

#[configuration]
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum StoryType {
    #[default]
    Feature,
    Bug,
    Chore,
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
        .credential(Credential::header("X-TrackerToken", Secret::named("token")))
}

hookwright_sdk::export!(PivotalTracker, interpreting);
