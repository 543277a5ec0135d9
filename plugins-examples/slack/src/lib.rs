//! One message in a Slack channel for each event.
//!
//! The webhook's URL is the one that Slack gives for an *incoming webhook*; the message is posted to it.

mod answer;
mod blocks;
mod markup;
mod messages;

use hookwright_sdk::brief::Brief;
use hookwright_sdk::{Event, Exchange, Failure, Outcome, Plugin, Request, Verdict, Webhook};
use serde::Deserialize;

/// What a webhook's owner may set; `plugin.toml` says the same to the form in the UI.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The title, with placeholders.
    title: String,
    /// Which facts are shown, in this order; all without a choice.
    fields: Option<Vec<String>>,
    /// Who is called: `here`, `channel`, a user's id or a user group's id.
    mention: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self { title: "{headline}".to_owned(), fields: None, mention: None }
    }
}

/// The plugin.
#[derive(Debug)]
pub struct Slack;

impl Plugin for Slack {
    type Config = Config;

    fn transform(event: &Event, config: &Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
        let brief = Brief::of(event)?;
        let message = messages::message(&brief, config);
        Ok(Outcome::deliver([Request::post().label(&brief.headline).json(&message)]))
    }

    fn interpret(exchange: &Exchange, _config: &Config) -> Verdict {
        answer::verdict(exchange)
    }
}

hookwright_sdk::export!(Slack, interpreting);
