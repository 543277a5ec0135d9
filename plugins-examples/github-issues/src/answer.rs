//! What GitHub's answers mean: <https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api>.

use std::time::Duration;

use hookwright_sdk::text::{one_line, truncate, web_link};
use hookwright_sdk::{Exchange, Response, Verdict};
use serde::Deserialize;

/// What GitHub asks for when it says nothing else.
const PAUSE: Duration = Duration::from_mins(1);

#[derive(Deserialize)]
struct Created {
    html_url: String,
}

/// `{"message": "Validation Failed", "errors": [{"resource": "Issue", "field": "title", "code": "missing_field"}]}`
#[derive(Deserialize)]
struct Refused {
    message: String,
    #[serde(default)]
    errors: Vec<Mistake>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Mistake {
    field: String,
    code: String,
    message: String,
}

pub(crate) fn verdict(exchange: &Exchange) -> Verdict {
    let response = exchange.response();
    let rejected = |what: &str| Verdict::rejected().message(format!("{what}: {}", reason(response)));
    match response.status() {
        201 => match response.json::<Created>().and_then(|made| web_link(&made.html_url).map(str::to_owned)) {
            Some(url) if url.len() <= 2048 => Verdict::delivered().link(url),
            _ => Verdict::delivered(),
        },
        401 => Verdict::disable().message(format!("GitHub does not accept the token: {}", reason(response))),
        403 | 429 if is_limit(response) => limited(response),
        403 => rejected("The token may not write issues"),
        404 => rejected("There is no such repository, or the token may not see it"),
        410 => rejected("The repository has no issues"),
        422 => rejected("GitHub refused the issue"),
        _ => Verdict::by_status(),
    }
}

fn is_limit(response: &Response) -> bool {
    response.status() == 429
        || response.header("retry-after").is_some()
        || response.header("x-ratelimit-remaining") == Some("0")
        || reason(response).contains("rate limit")
}

/// The wait stands in `retry-after`, or as the time at which the limit is reset, or nowhere.
fn limited(response: &Response) -> Verdict {
    let verdict = Verdict::retry().message("GitHub's rate limit is reached.");
    if response.header("retry-after").is_some() {
        return verdict;
    }
    let reset = response.header("x-ratelimit-reset").and_then(|reset| response.seconds_until(reset.parse().ok()?));
    let spent = response.header("x-ratelimit-remaining") == Some("0");
    match reset.filter(|_| spent) {
        Some(seconds) => verdict.wait(Duration::from_secs(seconds.saturating_add(1))),
        None => verdict.wait(PAUSE),
    }
}

fn reason(response: &Response) -> String {
    let Some(Refused { message, errors }) = response.json() else { return response.reason(&["message"]) };
    let errors = errors.iter().map(|it| format!("{} {} {}", it.field, it.code, it.message));
    let text = [message].into_iter().chain(errors).collect::<Vec<_>>().join("; ");
    truncate(&one_line(&text), 300).into_owned()
}
