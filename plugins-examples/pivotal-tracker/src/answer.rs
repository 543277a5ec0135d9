//! What the API's answers mean: success is 200, not 201, and a token that is not known may be 403.

use hookwright_sdk::text::web_link;
use hookwright_sdk::{Exchange, Verdict};
use serde::Deserialize;

#[derive(Deserialize)]
struct Created {
    url: String,
}

/// `{"kind": "error", "code": "invalid_parameter", "error": …, "general_problem": …}`
const REASON: [&str; 3] = ["general_problem", "error", "possible_fix"];

pub(crate) fn verdict(exchange: &Exchange) -> Verdict {
    let response = exchange.response();
    let why = || response.reason(&REASON);
    match response.status() {
        200..300 => {
            let url = response.json::<Created>().map(|made| made.url).filter(|url| url.len() <= 2048);
            match url.as_deref().and_then(web_link) {
                Some(url) => Verdict::delivered().link(url),
                None => Verdict::delivered(),
            }
        }
        401 => Verdict::disable().message(format!("The token is not accepted: {}", why())),
        403 if response.reason(&["code"]) == "invalid_authentication" => {
            Verdict::disable().message(format!("The token is not accepted: {}", why()))
        }
        400 | 403 | 422 => Verdict::rejected().message(format!("The story was refused: {}", why())),
        404 => Verdict::rejected().message(format!("There is no such project, or the token may not see it: {}", why())),
        _ => Verdict::by_status(),
    }
}
