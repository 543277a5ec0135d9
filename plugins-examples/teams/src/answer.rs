//! What the answers of Power Automate mean, which takes the card before Teams has seen it.

use hookwright_sdk::{Exchange, Verdict};

/// Where Power Automate says what is wrong.
const REASON: [&str; 3] = ["error.message", "error.code", "message"];

pub(crate) fn verdict(exchange: &Exchange) -> Verdict {
    let response = exchange.response();
    let text = response.text().unwrap_or_default();
    match response.status() {
        // A connector of Office 365, and some workflows, hide the refusal in a 200.
        200..300 if text.contains("429") && is_failure(text) => Verdict::retry().message("Teams asks to wait."),
        200..300 if is_failure(text) => refused(&response.reason(&REASON)),
        200..300 => Verdict::delivered()
            .message("Taken by Power Automate; whether the card can be shown is seen in Teams only."),
        400 if text.contains("WorkflowTriggerIsNotEnabled") => gone("the workflow is switched off"),
        400 | 413 => refused(&response.reason(&REASON)),
        401 | 403 | 404 | 410 => gone(&response.reason(&REASON)),
        _ => Verdict::by_status(),
    }
}

fn is_failure(text: &str) -> bool {
    text.contains("message delivery failed")
}

fn refused(why: &str) -> Verdict {
    Verdict::rejected().message(format!("Teams refused the card: {why}"))
}

fn gone(why: &str) -> Verdict {
    Verdict::disable().message(format!("The workflow takes no more cards: {why}"))
}
