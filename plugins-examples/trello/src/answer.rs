//! What Trello's answers mean. It says what is wrong as plain text or as JSON, and never how long to wait:
//! <https://developer.atlassian.com/cloud/trello/guides/rest-api/rate-limits/>.

use std::time::Duration;

use hookwright_sdk::text::{one_line, truncate, web_link};
use hookwright_sdk::{Exchange, Response, Verdict};
use serde::Deserialize;

/// Trello counts requests in windows of this length.
const WINDOW: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    id: String,
    short_url: Option<String>,
}

pub(crate) fn verdict(exchange: &Exchange) -> Verdict {
    let response = exchange.response();
    match response.status() {
        200..300 => created(exchange),
        404 => gone(exchange),
        400 => Verdict::rejected().message(format!("Trello refused the card: {}", reason(response))),
        401 => Verdict::disable().message(format!("Trello does not accept key and token: {}", reason(response))),
        // Whoever goes on too fast is shut out for longer.
        429 => Verdict::retry().wait(WINDOW * exchange.attempt().clamp(1, 30)),
        _ => Verdict::by_status(),
    }
}

fn created(exchange: &Exchange) -> Verdict {
    let verdict = Verdict::delivered();
    let Some(card) = exchange.response().json::<Created>() else {
        return verdict;
    };
    let verdict = match card.short_url.as_deref().and_then(web_link) {
        Some(url) => verdict.link(url),
        None => verdict,
    };
    match exchange.request().correlation_key() {
        Some(key) => verdict.remember(key, card.id),
        None => verdict,
    }
}

/// Somebody deleted the card that was to be edited.
fn gone(exchange: &Exchange) -> Verdict {
    match exchange.request().correlation_key() {
        Some(key) if exchange.request().method() == "PUT" => {
            Verdict::rejected().message("The card is not there any more; the next event makes a new one.").forget(key)
        }
        _ => Verdict::by_status(),
    }
}

fn reason(response: &Response) -> String {
    #[derive(Deserialize)]
    struct Reason {
        message: String,
    }
    let reason = response.json::<Reason>().map(|reason| reason.message);
    let text = reason.as_deref().or(response.text()).unwrap_or("no reason given");
    truncate(&one_line(text), 300).into_owned()
}
