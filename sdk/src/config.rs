use serde::de::DeserializeOwned;

use crate::{Failure, Webhook, json};

pub(crate) fn parse<C: DeserializeOwned>(webhook: &Webhook) -> Result<C, Failure> {
    let text = match webhook.configuration() {
        "" => "{}",
        text => text,
    };
    serde_json::from_str(text).map_err(|error| json::failure("config.invalid", "The configuration", text, &error))
}
