//! What Jira's answers mean: <https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/#status-codes>.

use std::collections::BTreeMap;

use hookwright_sdk::text::{one_line, truncate, web_link};
use hookwright_sdk::{Exchange, Response, Verdict};
use serde::Deserialize;

#[derive(Deserialize)]
struct Created {
    key: String,
    /// `https://SITE/rest/api/3/issue/10001`
    #[serde(rename = "self")]
    address: String,
}

/// `{"errorMessages": [], "errors": {"priority": "Priority name 'P1' is not valid"}}`
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Refused {
    error_messages: Vec<String>,
    errors: BTreeMap<String, String>,
}

pub(crate) fn verdict(exchange: &Exchange) -> Verdict {
    let response = exchange.response();
    let rejected = |what: &str| Verdict::rejected().message(format!("{what}: {}", reason(response)));
    match response.status() {
        200..300 => delivered(exchange),
        401 => Verdict::disable().message(format!("Jira does not accept the token: {}", reason(response))),
        404 => missing(exchange),
        400 | 413 => rejected("Jira refused it"),
        403 => rejected("The token's owner may not do this"),
        429 => {
            let why = response.header("ratelimit-reason").unwrap_or("no reason given");
            // How long to wait stands in `Retry-After`, which the host reads.
            Verdict::retry().message(format!("Jira asks to wait: {}", truncate(why, 100)))
        }
        _ => Verdict::by_status(),
    }
}

fn delivered(exchange: &Exchange) -> Verdict {
    let verdict = Verdict::delivered();
    let Some(made) = exchange.response().json::<Created>().filter(|made| is_key(&made.key)) else { return verdict };
    let site = made.address.split_once("/rest/").map(|(site, _)| format!("{site}/browse/{}", made.key));
    let verdict = match site.as_deref().and_then(web_link).filter(|url| url.len() <= 2048) {
        Some(url) => verdict.link(url),
        None => verdict,
    };
    match exchange.request().correlation_key() {
        Some(about) if !about.is_empty() => verdict.remember(about, made.key),
        _ => verdict,
    }
}

/// Somebody deleted the issue that was to be changed, or there is no such project.
fn missing(exchange: &Exchange) -> Verdict {
    let request = exchange.request();
    match request.correlation_key() {
        Some(about) if request.path().len() > 4 && !about.is_empty() => Verdict::rejected()
            .message("The issue is not there any more, or the token may not see it; the next event makes a new one.")
            .forget(about),
        _ => {
            let why = reason(exchange.response());
            Verdict::rejected().message(format!("There is no such project, or the token may not see it: {why}"))
        }
    }
}

/// It becomes a part of an address: `QA-42`.
fn is_key(key: &str) -> bool {
    (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn reason(response: &Response) -> String {
    let refused = response.json::<Refused>().unwrap_or_default();
    let fields = refused.errors.iter().map(|(field, why)| format!("{field}: {why}"));
    let all = refused.error_messages.iter().cloned().chain(fields).collect::<Vec<_>>().join("; ");
    if all.is_empty() { response.reason(&["message"]) } else { truncate(&one_line(&all), 300).into_owned() }
}
