//! What the answers of Azure DevOps mean. To whoever it does not know it shows a page for signing in, and calls
//! that a success.

use hookwright_sdk::text::web_link;
use hookwright_sdk::{Exchange, Verdict};
use serde::Deserialize;

#[derive(Deserialize)]
struct Created {
    #[serde(rename = "_links")]
    links: Links,
}

#[derive(Deserialize)]
struct Links {
    html: Link,
}

#[derive(Deserialize)]
struct Link {
    href: String,
}

pub(crate) fn verdict(exchange: &Exchange) -> Verdict {
    let response = exchange.response();
    let rejected = |what: &str| Verdict::rejected().message(format!("{what}: {}", response.reason(&["message"])));
    let is_page = response.text().is_some_and(|text| text.trim_start().starts_with('<'));
    match response.status() {
        203 | 302 | 401 => stranger(),
        200..300 if is_page => stranger(),
        200..300 => match response.json::<Created>() {
            Some(made) if made.links.html.href.len() <= 2048 => match web_link(&made.links.html.href) {
                Some(url) => Verdict::delivered().link(url),
                None => Verdict::delivered(),
            },
            _ => Verdict::delivered(),
        },
        400 => rejected("Azure DevOps refused the work item"),
        403 => rejected("The token may not write work items"),
        404 => rejected("There is no such organization, project or type of work items"),
        _ => Verdict::by_status(),
    }
}

fn stranger() -> Verdict {
    Verdict::disable().message("Azure DevOps asks to sign in: the personal access token is wrong, expired or revoked.")
}
