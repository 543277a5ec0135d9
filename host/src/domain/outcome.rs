//! What a plugin's run comes to once its requests are checked: compared with another run's, and told by its digest.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::delivery::DeliveryStatus;
use super::plugin::{Digest, PluginFailure};
use super::recording::Kept;
use super::request::FrozenRequest;

/// Most characters of a reason that is kept.
pub const REASON_MAX_CHARS: usize = 1024;
/// Why nothing is sent when a plugin returns no request and no reason.
pub const NO_REQUESTS: &str = "the plugin asked for no request";

/// What a run comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// These are sent; at least one.
    Requests(Vec<FrozenRequest>),
    /// Nothing is sent, on purpose.
    Skipped(String),
    /// It gave nothing.
    Failed {
        /// Why.
        failure: PluginFailure,
        /// When the plugin wants to be run again, in milliseconds.
        retry_after_ms: Option<u64>,
    },
}

/// An outcome without what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeKind {
    /// Requests are sent.
    Requests,
    /// Nothing is sent, on purpose.
    Skipped,
    /// It gave nothing.
    Failed,
}

impl Outcome {
    /// A failure after which nothing is asked for.
    pub const fn failed(failure: PluginFailure) -> Self {
        Self::Failed { failure, retry_after_ms: None }
    }

    /// What kind it is.
    pub const fn kind(&self) -> OutcomeKind {
        match self {
            Self::Requests(_) => OutcomeKind::Requests,
            Self::Skipped(_) => OutcomeKind::Skipped,
            Self::Failed { .. } => OutcomeKind::Failed,
        }
    }

    /// SHA-256 of the outcome: of the requests as they are stored (`spec` as JSON, and the body), of the reason, or of the
    /// failure. How much of a limit was used differs from run to run and does not count.
    pub fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        match self {
            Self::Requests(requests) => {
                part(b"requests");
                for FrozenRequest { spec, body } in requests {
                    part(&serde_json::to_vec(spec).expect("a request is plain data"));
                    part(body);
                }
            }
            Self::Skipped(reason) => {
                part(b"skipped");
                part(reason.as_bytes());
            }
            Self::Failed { failure, .. } => {
                part(b"failed");
                part(failure.code.as_bytes());
                match &failure.limit {
                    Some(hit) => part(hit.limit.as_bytes()),
                    None => part(failure.message.as_bytes()),
                }
            }
        }
        Digest(hash.finalize().into())
    }

    /// The same for people and to be compared: secrets by name, bodies of JSON as JSON.
    pub fn shown(&self) -> Value {
        match self {
            Self::Requests(requests) => json!({ "requests": requests.iter().map(shown).collect::<Vec<_>>() }),
            Self::Skipped(reason) => json!({ "skipped": reason }),
            Self::Failed { failure, .. } => json!({ "failed": failure }),
        }
    }
}

/// A request with its body, as JSON.
fn shown(request: &FrozenRequest) -> Value {
    let mut shown = serde_json::to_value(&request.spec).expect("a request is plain data");
    if !request.body.is_empty() {
        shown["body"] = match (serde_json::from_slice(&request.body), std::str::from_utf8(&request.body)) {
            (Ok(json), _) => json,
            (_, Ok(text)) => Value::from(text),
            _ => json!({ "base64": STANDARD.encode(&request.body) }),
        };
    }
    shown
}

/// What kind of outcome a delivery had, by what is stored of it; none when its plugin has not run, or did not need to
/// because the webhook was disabled.
pub fn past(status: DeliveryStatus, run: Option<&Kept>, requests: u32) -> Option<OutcomeKind> {
    match run {
        Some(Kept { error: Some(_), .. }) => Some(OutcomeKind::Failed),
        Some(_) if status == DeliveryStatus::Skipped => Some(OutcomeKind::Skipped),
        _ if requests > 0 => Some(OutcomeKind::Requests),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::domain::request::{BodyKind, RequestSpec};

    fn request(body: &'static str) -> FrozenRequest {
        let spec = RequestSpec {
            label: "card".to_owned(),
            method: "POST".to_owned(),
            path: Vec::new(),
            query: Vec::new(),
            headers: Vec::new(),
            body_kind: BodyKind::Json,
            content_type: None,
            credentials: Vec::new(),
            correlation: None,
        };
        FrozenRequest { spec, body: Bytes::from_static(body.as_bytes()) }
    }

    #[test]
    fn every_byte_that_is_sent_is_in_the_digest() {
        let labelled =
            FrozenRequest { spec: RequestSpec { label: "x".to_owned(), ..request("{}").spec }, ..request("{}") };
        let digests = [
            Outcome::Requests(vec![request("{}")]),
            Outcome::Requests(vec![request("{ }")]),
            Outcome::Requests(vec![request("{}"), request("{}")]),
            Outcome::Requests(vec![labelled]),
            Outcome::Skipped("a".to_owned()),
            Outcome::Skipped("b".to_owned()),
            Outcome::failed(PluginFailure::new("a", "m")),
            Outcome::failed(PluginFailure::new("a", "n")),
            Outcome::failed(PluginFailure::limit("a", "m", "cpu_ms", 51, 50)),
        ]
        .map(|outcome| outcome.digest());
        for (index, digest) in digests.iter().enumerate() {
            assert!(!digests[..index].contains(digest), "{index}");
        }
        let slower = Outcome::failed(PluginFailure::limit("a", "another message", "cpu_ms", 52, 50));
        assert_eq!(slower.digest(), digests[8], "how much was used is no part of it");
    }

    #[test]
    fn what_became_of_a_delivery_is_known_only_once_its_plugin_has_run() {
        use DeliveryStatus::{Parked, Pending, Skipped, Succeeded};
        let (ran, error) = (Kept::default(), Some(PluginFailure::new("plugin.crashed", "x")));
        let failed = Kept { error, ..Kept::default() };
        assert_eq!(past(Parked, Some(&failed), 0), Some(OutcomeKind::Failed));
        assert_eq!(past(Skipped, Some(&failed), 0), Some(OutcomeKind::Failed), "dropped because it failed");
        assert_eq!(past(Succeeded, Some(&failed), 1), Some(OutcomeKind::Failed), "sent unchanged because it failed");
        assert_eq!(past(Skipped, Some(&ran), 0), Some(OutcomeKind::Skipped));
        assert_eq!(past(Succeeded, Some(&ran), 2), Some(OutcomeKind::Requests));
        assert_eq!(past(Succeeded, None, 1), Some(OutcomeKind::Requests), "without a plugin");
        assert_eq!(past(Skipped, None, 0), None, "the webhook was disabled");
        assert_eq!(past(Pending, None, 0), None);
    }
}
