//! Makes one mistake for each event type. The tests know the lines.

use hookwright_sdk::{Credential, Event, Failure, Outcome, Plugin, Request, Secret, Webhook, log};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub struct Config {
    #[serde(default)]
    pub list: String,
}

#[derive(Deserialize)]
struct Payload {
    ticket: Ticket,
}

#[derive(Deserialize)]
struct Ticket {
    title: String,
}

#[derive(Debug)]
pub struct Mistakes;

impl Plugin for Mistakes {
    type Config = Config;

    fn transform(event: &Event, config: &Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
        log::info(&format!("the list is {:?}", config.list));
        Ok(Outcome::deliver([match event.kind() {
            "a.payload" => Request::post().text(event.json::<Payload>()?.ticket.title),
            "a.secret" => Request::post().credential(Credential::bearer(Secret::named("tokn"))),
            "a.trap" => Request::post().text(first_word(event.payload_text().unwrap_or_default())),
            "a.loop" => Request::post().text(forever(event.kind())),
            "a.refused" => Request::post().label("card").segments(["cards", ".."]),
            _ => Request::post().credential(Credential::bearer(Secret::named("token"))).text("well"),
        }]))
    }
}

#[inline(never)]
fn first_word(text: &str) -> String {
    text.split(' ').filter(|word| word.len() > 100).next().expect("a word").to_owned()
}

#[inline(never)]
fn forever(text: &str) -> String {
    let mut text = text.to_owned();
    loop {
        text = text.chars().rev().collect();
        if text.is_empty() {
            return text;
        }
    }
}

hookwright_sdk::export!(Mistakes);
