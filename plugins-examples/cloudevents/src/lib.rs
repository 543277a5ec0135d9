//! Each event as a `CloudEvent` 1.0, posted to the webhook's URL:
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>.

mod attributes;
mod base64;

use std::collections::BTreeMap;

use hookwright_sdk::{Event, Exchange, Failure, Outcome, Plugin, Request, Verdict, Webhook, json, log};
use serde::Deserialize;

/// The host takes 64 headers of 8 KiB.
const MAX_HEADERS: usize = 60;
const MAX_HEADER: usize = 8000;

/// What a webhook's owner may set; `plugin.toml` says the same to the form in the UI.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the attributes stand.
    mode: Mode,
    /// Which producer it is: a URI reference.
    source: Option<String>,
    /// Put before the event type.
    type_prefix: String,
    /// Further attributes of every event.
    extensions: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// Everything in one JSON document.
    #[default]
    Structured,
    /// The attributes in headers, the payload as it is.
    Binary,
}

/// The plugin.
#[derive(Debug)]
pub struct CloudEvents;

impl Plugin for CloudEvents {
    type Config = Config;

    fn transform(event: &Event, config: &Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
        let attributes = attributes::attributes(event, config);
        let request = match config.mode {
            Mode::Structured => structured(event, attributes),
            Mode::Binary => binary(event, &attributes),
        };
        Ok(Outcome::deliver([request.label(event.kind())]))
    }

    fn interpret(exchange: &Exchange, _config: &Config) -> Verdict {
        let response = exchange.response();
        match response.status() {
            410 => Verdict::disable().message("The receiver says that it is gone for good."),
            // The host's own rules know these; 429 tells in `Retry-After` how long to wait.
            401 | 403 | 408 | 425 | 429 => Verdict::by_status(),
            400..500 => {
                let why = response.reason(&["detail", "message", "error"]);
                Verdict::rejected().message(format!("The receiver refused the event: {why}"))
            }
            _ => Verdict::by_status(),
        }
    }
}

fn structured(event: &Event, mut attributes: BTreeMap<&str, String>) -> Request {
    // The payload stands in the document as it was posted: its numbers and their order stay what they were.
    let data = match (event.payload_text(), event.payload_bytes()) {
        (Some(text), _) if attributes::is_json(event.content_type()) => {
            Some(text).filter(|text| json::is_valid(text)).map(str::to_owned)
        }
        (Some(text), _) => serde_json::to_string(text).ok(),
        _ => None,
    };
    if let (None, Some(bytes)) = (&data, event.payload_bytes()) {
        attributes.insert("data_base64", base64::encode(bytes));
    }
    let mut document = serde_json::to_string(&attributes).expect("texts have a JSON form");
    if let Some(data) = data {
        document.pop();
        document.push_str(",\"data\":");
        document.push_str(&data);
        document.push('}');
    }
    Request::post().header("Content-Type", "application/cloudevents+json").json_text(document)
}

fn binary(event: &Event, attributes: &BTreeMap<&str, String>) -> Request {
    let mut request = Request::post();
    let headers = attributes.iter().filter(|(name, _)| **name != "datacontenttype");
    for (index, (name, value)) in headers.enumerate() {
        let value = attributes::header(value);
        if index < MAX_HEADERS && value.len() <= MAX_HEADER {
            request = request.header(format!("ce-{name}"), value);
        } else {
            log::warn(&format!("the attribute `{name}` is left out: there is no room for it in the headers"));
        }
    }
    match (event.payload_text(), event.payload_bytes()) {
        (Some(text), _) if event.content_type() == "application/json" && json::is_valid(text) => {
            request.json_text(text)
        }
        (_, Some(bytes)) => request.bytes(event.content_type(), bytes),
        _ => request,
    }
}

hookwright_sdk::export!(CloudEvents, interpreting);
