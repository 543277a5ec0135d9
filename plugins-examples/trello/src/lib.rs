//! A card on a Trello board for each thing that somebody has to do, edited, commented and moved by what happens
//! later.
//!
//! The webhook's URL is `https://api.trello.com/1`; cards are posted to `/cards` below it.

mod answer;
mod card;

use std::collections::BTreeMap;

use hookwright_sdk::brief::{Brief, Kind};
use hookwright_sdk::{Credential, Event, Exchange, Failure, Outcome, Plugin, Request, Verdict, Webhook, memory};
use serde::{Deserialize, Serialize};

/// The host takes this many requests from one event.
const MAX_CARDS: usize = 100;

/// What a webhook's owner may set; `plugin.toml` says the same to the form in the UI.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The list that cards are put on: 24 hexadecimal digits.
    list_id: String,
    /// The title, with placeholders.
    #[serde(default = "title")]
    title: String,
    /// Which facts are shown, in this order; all without a choice.
    fields: Option<Vec<String>>,
    /// Labels that every card gets.
    #[serde(default)]
    label_ids: Vec<String>,
    /// From a label, as events name them, to the id of one of the board.
    #[serde(default)]
    label_map: BTreeMap<String, String>,
    /// From an owner, as events name them, to the id of a member of the board.
    #[serde(default)]
    members: BTreeMap<String, String>,
    /// Whether descriptions are Markdown already.
    #[serde(default)]
    markdown: bool,
    /// Where on the list.
    #[serde(default)]
    position: Position,
    /// What becomes of events about something that may have a card already.
    #[serde(default)]
    updates: Updates,
    /// From a status, as events name them, to the list that has such cards.
    #[serde(default)]
    lists: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Position {
    Top,
    #[default]
    Bottom,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Updates {
    #[default]
    Edit,
    Comment,
    Card,
    Skip,
}

fn title() -> String {
    "{key} {title}".to_owned()
}

/// The plugin.
#[derive(Debug)]
pub struct Trello;

impl Plugin for Trello {
    type Config = Config;

    fn transform(event: &Event, config: &Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
        let brief = Brief::of(event)?;
        let requests = match brief.kind {
            Kind::Changed | Kind::Moved => match (config.updates, memory::recall(&brief.about)) {
                (Updates::Skip, _) => return Ok(Outcome::skip("It has a card already, and `updates` is `skip`.")),
                (Updates::Edit | Updates::Comment, Some(id)) => vec![update(brief, &id, config)],
                _ => vec![create(brief, config)],
            },
            _ => match brief.tasks(MAX_CARDS) {
                Err(why) => return Ok(Outcome::skip(why)),
                Ok(tasks) => tasks.into_iter().map(|task| create(task, config)).collect(),
            },
        };
        Ok(Outcome::deliver(requests.into_iter().map(|request| request.credential(authorization()))))
    }

    fn interpret(exchange: &Exchange, _config: &Config) -> Verdict {
        answer::verdict(exchange)
    }
}

fn create(task: Brief, config: &Config) -> Request {
    let request = Request::post().label(format!("card: {}", task.name())).segment("cards");
    let request = if task.is_followed() { request.correlation(&task.about) } else { request };
    request.json(&card::card(task, config))
}

/// Edits the card of this id, wherever people have moved it meanwhile, or says on it what happened.
fn update(news: Brief, id: &str, config: &Config) -> Request {
    let (name, about) = (news.name(), news.about.clone());
    let moves =
        news.kind == Kind::Moved && news.status.as_ref().is_some_and(|status| config.lists.contains_key(status));
    let request = if config.updates == Updates::Comment && !moves {
        let comments = ["cards", id, "actions", "comments"];
        Request::post().label(format!("comment: {name}")).segments(comments).json(&card::comment(&news))
    } else {
        Request::put().label(format!("edit: {name}")).segments(["cards", id]).json(&card::edit(news, config))
    };
    request.correlation(about)
}

/// Keeps key and token out of the address, where proxies would log them.
fn authorization() -> Credential {
    Credential::header("Authorization")
        .literal("OAuth oauth_consumer_key=\"")
        .secret("key")
        .literal("\", oauth_token=\"")
        .secret("token")
        .literal("\"")
}

hookwright_sdk::export!(Trello, interpreting);
