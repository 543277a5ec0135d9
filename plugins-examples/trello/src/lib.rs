//! A card on a Trello board for each thing that somebody has to do.
//!
//! The webhook's URL is `https://api.trello.com/1`; cards are posted to `/cards` below it.

mod answer;
mod card;
mod cards;

use std::collections::BTreeMap;

use hookwright_sdk::{Credential, Event, Exchange, Failure, Outcome, Plugin, Request, Verdict, Webhook, memory};
use serde::{Deserialize, Serialize};

use card::Card;
use cards::Plan;

/// What a webhook's owner may set; `plugin.toml` says the same to the form in the UI.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The list that cards are put on: 24 hexadecimal digits.
    list_id: String,
    /// Labels that every card gets.
    #[serde(default)]
    label_ids: Vec<String>,
    /// From an owner, as events name them, to the id of a member of the board.
    #[serde(default)]
    members: BTreeMap<String, String>,
    /// Where on the list.
    #[serde(default)]
    position: Position,
    /// What becomes of events about something that may have a card already.
    #[serde(default)]
    updates: Updates,
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
    Card,
    Skip,
}

/// The plugin.
#[derive(Debug)]
pub struct Trello;

impl Plugin for Trello {
    type Config = Config;

    fn transform(event: &Event, config: &Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
        Ok(match cards::plan(event, config)? {
            Plan::Skip(why) => Outcome::skip(why),
            Plan::Cards(cards) => Outcome::deliver(cards.into_iter().map(|card| create(&card, config))),
            Plan::Edit(card) => Outcome::deliver([match memory::recall(&card.correlation()) {
                Some(id) => edit(&card, &id, config),
                None => create(&card, config),
            }]),
        })
    }

    fn interpret(exchange: &Exchange, _config: &Config) -> Verdict {
        answer::verdict(exchange)
    }
}

fn create(card: &Card, config: &Config) -> Request {
    Request::post()
        .label(format!("card: {}", card.name))
        .segment("cards")
        .correlation(card.correlation())
        .json(&card.body(config))
        .credential(authorization())
}

/// Says what changed on the card of this id, wherever people have moved it meanwhile.
fn edit(card: &Card, id: &str, config: &Config) -> Request {
    Request::put()
        .label(format!("edit: {}", card.name))
        .segment("cards")
        .segment(id)
        .correlation(card.correlation())
        .json(&card.changes(config))
        .credential(authorization())
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
