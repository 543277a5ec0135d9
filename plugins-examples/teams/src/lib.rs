//! One card in a Microsoft Teams channel for each event.
//!
//! The webhook's URL is the one that a *workflow* gives that starts "when a Teams webhook request is
//! received"; the card is posted to it.

mod answer;
mod card;

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
    /// Whether the card is as wide as the channel.
    full_width: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { title: "{headline}".to_owned(), fields: None, full_width: true }
    }
}

/// The plugin.
#[derive(Debug)]
pub struct Teams;

impl Plugin for Teams {
    type Config = Config;

    fn transform(event: &Event, config: &Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
        let brief = Brief::of(event)?;
        Ok(Outcome::deliver([Request::post().label(&brief.headline).json(&card::message(&brief, config))]))
    }

    fn interpret(exchange: &Exchange, _config: &Config) -> Verdict {
        answer::verdict(exchange)
    }
}

hookwright_sdk::export!(Teams, interpreting);
