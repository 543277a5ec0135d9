use std::time::Duration;

use crate::bindings::types;
use crate::request::Request;

/// What becomes of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Send these requests, each with its own retries; at most 100. An empty list is a skip.
    Deliver(Vec<Request>),
    /// Send nothing, on purpose; the text says why, for people. At most 1 KiB.
    Skip(String),
}

impl Outcome {
    /// Sends these requests.
    pub fn deliver(requests: impl IntoIterator<Item = Request>) -> Self {
        Self::Deliver(requests.into_iter().collect())
    }

    /// Sends nothing; `why` is shown to people.
    pub fn skip(why: impl Into<String>) -> Self {
        Self::Skip(why.into())
    }
}

impl From<Outcome> for types::Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Deliver(requests) => Self::Deliver(requests.into_iter().map(|request| request.0).collect()),
            Outcome::Skip(why) => Self::Skip(why),
        }
    }
}

/// Why no outcome could be made. Without [`Failure::retry_after`] the delivery is parked until somebody has
/// it reprocessed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    code: String,
    message: String,
    retry_after: Option<Duration>,
}

impl Failure {
    /// `code` is a stable name for programs (`config.list_missing`, at most 64 characters), `message` one
    /// sentence for the person who can mend it (at most 2 KiB).
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), retry_after: None }
    }

    /// Has the host try again after this time; at least a second, at most 24 hours.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The stable name.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The sentence for people.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl From<Failure> for types::Failure {
    fn from(failure: Failure) -> Self {
        Self {
            code: failure.code,
            message: failure.message,
            retry_after_ms: failure.retry_after.map(milliseconds),
            meta: Vec::new(),
        }
    }
}

pub(crate) fn milliseconds(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}
