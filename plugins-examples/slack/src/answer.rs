//! What Slack's answers mean: one word as plain text,
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#errors>.

use hookwright_sdk::text::join;
use hookwright_sdk::{Exchange, Verdict};

/// Words that say that the webhook is of no use any more.
const GONE: [&str; 6] =
    ["no_service", "no_active_hooks", "invalid_token", "channel_not_found", "channel_is_archived", "no_team"];

pub(crate) fn verdict(exchange: &Exchange) -> Verdict {
    let response = exchange.response();
    let why = response.reason(&["error"]);
    match response.status() {
        200 => Verdict::delivered(),
        404 | 410 => Verdict::disable().message(join(&["Slack takes no more messages here: ", &why])),
        400 | 403 if GONE.contains(&why.as_str()) => {
            Verdict::disable().message(join(&["Slack takes no more messages here: ", &why]))
        }
        400 | 403 => Verdict::rejected().message(join(&["Slack refused the message: ", &why])),
        // For 429 it says in `Retry-After` how long to wait, which the host reads.
        _ => Verdict::by_status(),
    }
}
