//! One message in a Discord channel for each event.
//!
//! The webhook's URL is the one that Discord gives for a channel's webhook; the message is posted to it.

mod answer;
mod message;

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
    /// Who is called: `here`, `everyone` or a role's id.
    mention: Option<String>,
    /// Whose message it looks like.
    username: Option<String>,
    /// The thread of the channel that gets the message.
    thread_id: Option<String>,
    /// For links to the messages.
    server_id: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        let title = "{headline}".to_owned();
        Self { title, fields: None, mention: None, username: None, thread_id: None, server_id: None }
    }
}

/// The plugin.
#[derive(Debug)]
pub struct Discord;

impl Plugin for Discord {
    type Config = Config;

    fn transform(event: &Event, config: &Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
        let brief = Brief::of(event)?;
        let message = message::message(&brief, event.occurred_at(), config);
        // Without `wait` Discord says nothing of a message that it did not keep.
        let request = Request::post().label(&brief.headline).query("wait", "true").json(&message);
        Ok(Outcome::deliver([match &config.thread_id {
            Some(thread) => request.query("thread_id", thread),
            None => request,
        }]))
    }

    fn interpret(exchange: &Exchange, config: &Config) -> Verdict {
        answer::verdict(exchange, config)
    }
}

hookwright_sdk::export!(Discord, interpreting);
