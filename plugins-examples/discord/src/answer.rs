//! What Discord's answers mean: <https://docs.discord.com/developers/topics/rate-limits>.

use std::time::Duration;

use hookwright_sdk::{Exchange, Verdict};
use serde::Deserialize;

use crate::Config;

#[derive(Deserialize)]
struct Sent {
    id: String,
    channel_id: String,
}

#[derive(Deserialize)]
struct Limited {
    /// Seconds.
    retry_after: f64,
}

pub(crate) fn verdict(exchange: &Exchange, config: &Config) -> Verdict {
    let response = exchange.response();
    match response.status() {
        200 => match (response.json::<Sent>(), &config.server_id) {
            (Some(Sent { id, channel_id }), Some(server)) if is_id(&id) && is_id(&channel_id) => {
                Verdict::delivered().link(format!("https://discord.com/channels/{server}/{channel_id}/{id}"))
            }
            _ => Verdict::delivered(),
        },
        // It names the field: {"message": "Invalid Form Body", "code": 50035, "errors": {"embeds": …}}.
        400 => Verdict::rejected().message(format!("Discord refused the message: {}", response.reason(&[]))),
        401 | 404 => {
            let why = response.reason(&["message"]);
            Verdict::disable().message(format!("Discord does not know this webhook any more: {why}"))
        }
        429 => match response.json::<Limited>() {
            // A little more than asked for: whoever comes too early is shut out for longer.
            Some(Limited { retry_after }) if (0.0..86_400.0).contains(&retry_after) => {
                Verdict::retry().wait(Duration::from_secs_f64(retry_after + 0.5)).message("Discord asks to wait.")
            }
            _ => Verdict::by_status(),
        },
        _ => Verdict::by_status(),
    }
}

/// Snowflakes are numbers.
fn is_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}
