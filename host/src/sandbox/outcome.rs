//! From what a run returned to what it comes to: its requests keep to the rules, or it failed.

use url::Url;

use super::{Ran, Transformed};
use crate::domain::outcome::{NO_REQUESTS, Outcome, REASON_MAX_CHARS};
use crate::domain::plugin::{Manifest, PluginFailure};
use crate::domain::rules::{RequestLimits, freeze};

/// Most characters of what a plugin says of its own failure.
const MESSAGE_MAX_CHARS: usize = 2048;

/// What a run comes to for a webhook with this URL. Its requests may name the secrets of this manifest.
pub fn outcome(ran: &Ran<Transformed>, manifest: &Manifest, limits: &RequestLimits, url: &Url) -> Outcome {
    match &ran.result {
        Ok(Transformed::Deliver(requests)) if requests.is_empty() => Outcome::Skipped(NO_REQUESTS.to_owned()),
        Ok(Transformed::Deliver(requests)) => {
            let own_query: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
            let is_known = |name: &str| manifest.secrets.contains_key(name);
            match freeze(requests.clone(), limits, &own_query, &is_known) {
                Ok(frozen) => Outcome::Requests(frozen),
                Err(broken) => Outcome::failed(PluginFailure::broken_rule(&broken)),
            }
        }
        Ok(Transformed::Skip(reason)) => Outcome::Skipped(reason.chars().take(REASON_MAX_CHARS).collect()),
        Ok(Transformed::Failed { code, message, retry_after_ms }) => {
            let message: String = format!("{code}: {message}").chars().take(MESSAGE_MAX_CHARS).collect();
            Outcome::Failed { failure: PluginFailure::new("plugin.failed", message), retry_after_ms: *retry_after_ms }
        }
        Err(failure) => Outcome::failed(failure.clone()),
    }
}
