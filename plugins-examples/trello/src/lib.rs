//! A card on a Trello board for each thing that somebody has to do, edited, commented and moved by what happens
//! later.
//!
//! The webhook's URL is `https://api.trello.com/1`; cards are posted to `/cards` below it.

mod answer;
mod card;

use std::collections::BTreeMap;

use hookwright_sdk::brief::{Brief, FACTS, Kind};
use hookwright_sdk::{
    Credential, Event, Exchange, Failure, Outcome, Plugin, Request, Secret, Verdict, Webhook, configuration, memory,
};
use serde::Serialize;

/// The host takes this many requests from one event.
const MAX_CARDS: usize = 100;

/// What a webhook's owner may set.
#[configuration]
#[derive(Debug)]
pub struct Config {
    /// Id of the list that gets the cards. Open a card of it, add .json to its address, look for idList.
    #[config(title = "List", pattern = "^[0-9a-fA-F]{24}$", examples = ["5abbe4b7ddc1b351ef961414"])]
    list_id: String,
    /// The card's title. Placeholders: {key} {title} {headline} {type} {status} {priority} {owner} {project}
    /// {retro} and the like.
    #[config(default = "{key} {title}", max_length = 200, examples = ["[{retro}] {title}"])]
    title: String,
    /// Which facts stand in the description, in this order. All when left out.
    #[config(unique_items = true, items(choices = FACTS))]
    fields: Option<Vec<String>>,
    /// Ids of labels that every card gets.
    #[config(title = "Labels", default, max_items = 50, items(pattern = "^[0-9a-fA-F]{24}$"))]
    label_ids: Vec<String>,
    /// From a label (of a lead: a program), as your events name it, to the id of a label of the board.
    #[config(default, examples = [{"defect": "5abbe4b7ddc1b351ef961416"}], values(pattern = "^[0-9a-fA-F]{24}$"))]
    label_map: BTreeMap<String, String>,
    /// From an owner, as your events name them, to the id of a board member, who is put on the card.
    #[config(default, examples = [{"ada": "5abbe4b7ddc1b351ef961415"}], values(pattern = "^[0-9a-fA-F]{24}$"))]
    members: BTreeMap<String, String>,
    /// Your descriptions are Markdown already: they are not escaped.
    #[config(default)]
    markdown: bool,
    /// Where on the list a new card is put.
    #[config(default)]
    position: Position,
    /// What updates and status changes do: edit the card of the ticket or story, comment on it, make another one,
    /// or nothing.
    #[config(default)]
    updates: Updates,
    /// From a status, as your events name it, to the id of the list that has such cards: a new status moves the
    /// card there.
    #[config(default, examples = [{"done": "5abbe4b7ddc1b351ef961417"}], values(pattern = "^[0-9a-fA-F]{24}$"))]
    lists: BTreeMap<String, String>,
}

#[configuration]
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "lowercase")]
enum Position {
    Top,
    #[default]
    Bottom,
}

#[configuration]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Updates {
    #[default]
    Edit,
    Comment,
    Card,
    Skip,
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
    let key = Secret::after("OAuth oauth_consumer_key=\"", "key").literal("\", oauth_token=\"");
    Credential::header("Authorization", key.secret("token").literal("\""))
}

hookwright_sdk::export!(Trello, interpreting);
