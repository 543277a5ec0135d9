//! What Trello's answers mean. It says what is wrong as plain text or as JSON, and never how long to wait:
//! <https://developer.atlassian.com/cloud/trello/guides/rest-api/rate-limits/>.

use std::time::Duration;

use hookwright_sdk::text::web_link;
use hookwright_sdk::{Exchange, Verdict};
use serde::Deserialize;

/// Trello counts requests in windows of this length.
const WINDOW: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    id: String,
    short_url: Option<String>,
}

pub(crate) fn verdict(exchange: &Exchange) -> Verdict {
    let response = exchange.response();
    let why = || response.reason(&["message"]);
    match response.status() {
        200..300 => made(exchange),
        404 => gone(exchange),
        400 => Verdict::rejected().message(format!("Trello refused the card: {}", why())),
        401 => Verdict::disable().message(format!("Trello does not accept key and token: {}", why())),
        // Whoever goes on too fast is shut out for longer.
        429 => Verdict::retry().wait(WINDOW * exchange.attempt().clamp(1, 30)),
        _ => Verdict::by_status(),
    }
}

fn made(exchange: &Exchange) -> Verdict {
    let verdict = Verdict::delivered();
    // What a comment is answered with has an id as well.
    let is_card = exchange.request().path().len() <= 2;
    let card = exchange.response().json::<Made>().filter(|card| is_card && is_id(&card.id));
    let Some(card) = card else { return verdict };
    let verdict = match card.short_url.as_deref().and_then(web_link).filter(|url| url.len() <= 2048) {
        Some(url) => verdict.link(url),
        None => verdict,
    };
    match exchange.request().correlation_key() {
        Some(about) => verdict.remember(about, card.id),
        None => verdict,
    }
}

/// It becomes a part of an address.
fn is_id(id: &str) -> bool {
    (1..=100).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Somebody deleted the card that was to be changed.
fn gone(exchange: &Exchange) -> Verdict {
    match exchange.request().correlation_key() {
        Some(about) if exchange.request().path().len() > 1 => {
            Verdict::rejected().message("The card is not there any more; the next event makes a new one.").forget(about)
        }
        _ => Verdict::by_status(),
    }
}
