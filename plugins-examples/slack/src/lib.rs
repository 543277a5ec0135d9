//! One message in a Slack channel for each event.
//!
//! The webhook's URL is the one that Slack gives for an *incoming webhook*; the message is posted to it.

mod blocks;
mod markup;
mod messages;

use hookwright_sdk::{Event, Failure, Outcome, Plugin, Request, Webhook};
use serde::Deserialize;

/// What a webhook's owner may set; `plugin.toml` says the same to the form in the UI.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Put before every title, for example the team's name.
    title_prefix: String,
    /// Who is called: `here`, `channel`, a user's id or a user group's id.
    mention: Option<String>,
    /// Whether status, owner and the like are shown.
    show_fields: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { title_prefix: String::new(), mention: None, show_fields: true }
    }
}

/// The plugin.
#[derive(Debug)]
pub struct Slack;

impl Plugin for Slack {
    type Config = Config;

    fn transform(event: &Event, config: &Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
        let message = messages::message(event, config)?;
        Ok(Outcome::deliver([Request::post().label(event.kind()).json(&message)]))
    }
}

hookwright_sdk::export!(Slack);
