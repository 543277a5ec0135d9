use std::time::Duration;

use crate::bindings::types;
use crate::request::Request;

/// What becomes of an event.
///
/// ```
/// use hookwright_sdk::{Outcome, Request};
///
/// let outcome = Outcome::deliver([Request::post().text("Hello")]);
/// assert!(matches!(outcome, Outcome::Deliver(requests) if requests.len() == 1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Send these requests, each with its own retries; at most 100. An empty list is a skip.
    Deliver(Vec<Request>),
    /// Send nothing, on purpose; the text says why, for people. At most 1 KiB.
    Skip(String),
}

impl Outcome {
    /// Sends these requests.
    ///
    /// ```
    /// use hookwright_sdk::{Outcome, Request};
    ///
    /// let tasks = ["Fix the build", "Write it down"];
    /// Outcome::deliver(tasks.map(|task| Request::post().segment("cards").json(&task)));
    /// ```
    pub fn deliver(requests: impl IntoIterator<Item = Request>) -> Self {
        Self::Deliver(requests.into_iter().collect())
    }

    /// Sends nothing; `why` is shown to people.
    ///
    /// ```
    /// assert_eq!(hookwright_sdk::Outcome::skip("no owner"), hookwright_sdk::Outcome::Skip("no owner".to_owned()));
    /// ```
    pub fn skip(why: impl Into<String>) -> Self {
        Self::Skip(why.into())
    }
}

impl Outcome {
    /// For the host; the failure of the first request that it would refuse.
    pub(crate) fn checked(self) -> Result<types::Outcome, Failure> {
        match self {
            Self::Deliver(requests) => {
                requests.into_iter().map(Request::checked).collect::<Result<_, _>>().map(types::Outcome::Deliver)
            }
            Self::Skip(why) => Ok(types::Outcome::Skip(why)),
        }
    }
}

/// Why no outcome could be made. Without [`Failure::retry_after`] the delivery is parked until somebody has
/// it reprocessed.
///
/// ```
/// use hookwright_sdk::Failure;
///
/// let failure = Failure::new("config.list_missing", "No list is set for tickets.");
/// assert_eq!(failure.code(), "config.list_missing");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    code: String,
    message: String,
    retry_after: Option<Duration>,
}

impl Failure {
    /// `code` is a stable name for programs (`config.list_missing`, at most 64 characters), `message` one
    /// sentence for the person who can mend it (at most 2 KiB).
    ///
    /// ```
    /// hookwright_sdk::Failure::new("payload.no_owner", "The lead has no owner.");
    /// ```
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), retry_after: None }
    }

    /// Has the host try again after this time; at least a second, at most 24 hours.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// hookwright_sdk::Failure::new("busy", "Not now.").retry_after(Duration::from_secs(60));
    /// ```
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The stable name.
    ///
    /// ```
    /// assert_eq!(hookwright_sdk::Failure::new("a.b", "Why.").code(), "a.b");
    /// ```
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The sentence for people.
    ///
    /// ```
    /// assert_eq!(hookwright_sdk::Failure::new("a.b", "Why.").message(), "Why.");
    /// ```
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
