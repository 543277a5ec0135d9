use serde_json::Value;

use crate::bindings::types;
use crate::log::Level;
use crate::testing::event::WEBHOOK_ID;
use crate::testing::exchange::ExchangeBuilder;
use crate::testing::form::Expect;
use crate::{Event, Failure, Outcome, Plugin, Request, Verdict, Webhook, guest, mock};

/// What one run of a plugin came to.
///
/// ```
/// # use hookwright_sdk::{Event, Exchange, Failure, Outcome, Plugin, Request, Verdict, Webhook, testing};
/// #
/// # struct Hello;
/// #
/// # impl Plugin for Hello {
/// #     type Config = serde_json::Value;
/// #
/// #     fn transform(event: &Event, _config: &Self::Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
/// #         match event.kind() {
/// #             "a.skipped" => Ok(Outcome::skip("no")),
/// #             "a.failed" => Err(Failure::new("a.b", "Why.")),
/// #             _ => Ok(Outcome::deliver([Request::post().json(&1)])),
/// #         }
/// #     }
/// #
/// #     fn interpret(_exchange: &Exchange, _config: &Self::Config) -> Verdict {
/// #         Verdict::delivered().remember("a", "b")
/// #     }
/// # }
/// let run = testing::run::<Hello>(&testing::event("a.b").build(), serde_json::json!({}));
/// assert!(run.result.is_ok() && run.logs.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What the plugin returned.
    pub result: Result<Outcome, Failure>,
    /// What it logged.
    pub logs: Vec<(Level, String)>,
}

impl Run {
    /// The requests.
    ///
    /// ```
    /// # use hookwright_sdk::{Event, Exchange, Failure, Outcome, Plugin, Request, Verdict, Webhook, testing};
    /// #
    /// # struct Hello;
    /// #
    /// # impl Plugin for Hello {
    /// #     type Config = serde_json::Value;
    /// #
    /// #     fn transform(event: &Event, _config: &Self::Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
    /// #         match event.kind() {
    /// #             "a.skipped" => Ok(Outcome::skip("no")),
    /// #             "a.failed" => Err(Failure::new("a.b", "Why.")),
    /// #             _ => Ok(Outcome::deliver([Request::post().json(&1)])),
    /// #         }
    /// #     }
    /// #
    /// #     fn interpret(_exchange: &Exchange, _config: &Self::Config) -> Verdict {
    /// #         Verdict::delivered().remember("a", "b")
    /// #     }
    /// # }
    /// let run = testing::run::<Hello>(&testing::event("a.b").build(), serde_json::json!({}));
    /// assert_eq!(run.requests().len(), 1);
    /// ```
    ///
    /// # Panics
    /// If the plugin skipped or failed.
    #[track_caller]
    pub fn requests(&self) -> &[Request] {
        match &self.result {
            Ok(Outcome::Deliver(requests)) => requests,
            other => panic!("requests were expected, not {other:?}"),
        }
    }

    /// The body of the only request, as JSON.
    ///
    /// ```
    /// # use hookwright_sdk::{Event, Exchange, Failure, Outcome, Plugin, Request, Verdict, Webhook, testing};
    /// #
    /// # struct Hello;
    /// #
    /// # impl Plugin for Hello {
    /// #     type Config = serde_json::Value;
    /// #
    /// #     fn transform(event: &Event, _config: &Self::Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
    /// #         match event.kind() {
    /// #             "a.skipped" => Ok(Outcome::skip("no")),
    /// #             "a.failed" => Err(Failure::new("a.b", "Why.")),
    /// #             _ => Ok(Outcome::deliver([Request::post().json(&1)])),
    /// #         }
    /// #     }
    /// #
    /// #     fn interpret(_exchange: &Exchange, _config: &Self::Config) -> Verdict {
    /// #         Verdict::delivered().remember("a", "b")
    /// #     }
    /// # }
    /// let run = testing::run::<Hello>(&testing::event("a.b").build(), serde_json::json!({}));
    /// assert_eq!(run.body(), 1);
    /// ```
    ///
    /// # Panics
    /// If there is not exactly one request, with a JSON body.
    #[track_caller]
    pub fn body(&self) -> Value {
        let [request] = self.requests() else { panic!("one request was expected, not {}", self.requests().len()) };
        let text = request.body_text().expect("a body");
        serde_json::from_str(text).expect("a JSON body")
    }

    /// Why the event was skipped.
    ///
    /// ```
    /// # use hookwright_sdk::{Event, Exchange, Failure, Outcome, Plugin, Request, Verdict, Webhook, testing};
    /// #
    /// # struct Hello;
    /// #
    /// # impl Plugin for Hello {
    /// #     type Config = serde_json::Value;
    /// #
    /// #     fn transform(event: &Event, _config: &Self::Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
    /// #         match event.kind() {
    /// #             "a.skipped" => Ok(Outcome::skip("no")),
    /// #             "a.failed" => Err(Failure::new("a.b", "Why.")),
    /// #             _ => Ok(Outcome::deliver([Request::post().json(&1)])),
    /// #         }
    /// #     }
    /// #
    /// #     fn interpret(_exchange: &Exchange, _config: &Self::Config) -> Verdict {
    /// #         Verdict::delivered().remember("a", "b")
    /// #     }
    /// # }
    /// let run = testing::run::<Hello>(&testing::event("a.skipped").build(), serde_json::json!({}));
    /// assert_eq!(run.skipped(), "no");
    /// ```
    ///
    /// # Panics
    /// If it was not.
    #[track_caller]
    pub fn skipped(&self) -> &str {
        match &self.result {
            Ok(Outcome::Skip(why)) => why,
            other => panic!("a skip was expected, not {other:?}"),
        }
    }

    /// All that was made, as `expect` of a golden case says it.
    ///
    /// ```
    /// # use hookwright_sdk::{Event, Exchange, Failure, Outcome, Plugin, Request, Verdict, Webhook, testing};
    /// #
    /// # struct Hello;
    /// #
    /// # impl Plugin for Hello {
    /// #     type Config = serde_json::Value;
    /// #
    /// #     fn transform(event: &Event, _config: &Self::Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
    /// #         match event.kind() {
    /// #             "a.skipped" => Ok(Outcome::skip("no")),
    /// #             "a.failed" => Err(Failure::new("a.b", "Why.")),
    /// #             _ => Ok(Outcome::deliver([Request::post().json(&1)])),
    /// #         }
    /// #     }
    /// #
    /// #     fn interpret(_exchange: &Exchange, _config: &Self::Config) -> Verdict {
    /// #         Verdict::delivered().remember("a", "b")
    /// #     }
    /// # }
    /// let run = testing::run::<Hello>(&testing::event("a.skipped").build(), serde_json::json!({}));
    /// assert_eq!(run.made(), serde_json::json!({"skip": "no"}));
    /// ```
    ///
    /// # Panics
    /// Never: it has a JSON form.
    pub fn made(&self) -> Value {
        serde_json::to_value(Expect::of(&self.result)).expect("an expectation with a JSON form")
    }

    /// Why no outcome was made.
    ///
    /// ```
    /// # use hookwright_sdk::{Event, Exchange, Failure, Outcome, Plugin, Request, Verdict, Webhook, testing};
    /// #
    /// # struct Hello;
    /// #
    /// # impl Plugin for Hello {
    /// #     type Config = serde_json::Value;
    /// #
    /// #     fn transform(event: &Event, _config: &Self::Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
    /// #         match event.kind() {
    /// #             "a.skipped" => Ok(Outcome::skip("no")),
    /// #             "a.failed" => Err(Failure::new("a.b", "Why.")),
    /// #             _ => Ok(Outcome::deliver([Request::post().json(&1)])),
    /// #         }
    /// #     }
    /// #
    /// #     fn interpret(_exchange: &Exchange, _config: &Self::Config) -> Verdict {
    /// #         Verdict::delivered().remember("a", "b")
    /// #     }
    /// # }
    /// let run = testing::run::<Hello>(&testing::event("a.failed").build(), serde_json::json!({}));
    /// assert_eq!(run.failure().code(), "a.b");
    /// ```
    ///
    /// # Panics
    /// If one was.
    #[track_caller]
    pub fn failure(&self) -> &Failure {
        match &self.result {
            Err(failure) => failure,
            other => panic!("a failure was expected, not {other:?}"),
        }
    }
}

/// Runs a plugin on one event, with this configuration.
///
/// ```
/// # use hookwright_sdk::{Event, Exchange, Failure, Outcome, Plugin, Request, Verdict, Webhook, testing};
/// #
/// # struct Hello;
/// #
/// # impl Plugin for Hello {
/// #     type Config = serde_json::Value;
/// #
/// #     fn transform(event: &Event, _config: &Self::Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
/// #         match event.kind() {
/// #             "a.skipped" => Ok(Outcome::skip("no")),
/// #             "a.failed" => Err(Failure::new("a.b", "Why.")),
/// #             _ => Ok(Outcome::deliver([Request::post().json(&1)])),
/// #         }
/// #     }
/// #
/// #     fn interpret(_exchange: &Exchange, _config: &Self::Config) -> Verdict {
/// #         Verdict::delivered().remember("a", "b")
/// #     }
/// # }
/// let event = testing::event("ticket.created").build();
/// let run = testing::run::<Hello>(&event, serde_json::json!({}));
/// assert_eq!(run.requests()[0].body_text(), Some("1"));
/// ```
pub fn run<P: Plugin>(event: &Event, config: impl Into<Value>) -> Run {
    mock::take_logs();
    let made = guest::transform::<P>(event, &webhook(config.into().to_string()));
    // What the host would refuse fails here as there.
    let result = made.and_then(|outcome| outcome.clone().checked().map(|_| outcome));
    Run { result, logs: mock::take_logs() }
}

/// Has a plugin read an answer, with this configuration. The facts in its verdict are remembered.
///
/// ```
/// # use hookwright_sdk::{Event, Exchange, Failure, Outcome, Plugin, Request, Verdict, Webhook, testing};
/// #
/// # struct Hello;
/// #
/// # impl Plugin for Hello {
/// #     type Config = serde_json::Value;
/// #
/// #     fn transform(event: &Event, _config: &Self::Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
/// #         match event.kind() {
/// #             "a.skipped" => Ok(Outcome::skip("no")),
/// #             "a.failed" => Err(Failure::new("a.b", "Why.")),
/// #             _ => Ok(Outcome::deliver([Request::post().json(&1)])),
/// #         }
/// #     }
/// #
/// #     fn interpret(_exchange: &Exchange, _config: &Self::Config) -> Verdict {
/// #         Verdict::delivered().remember("a", "b")
/// #     }
/// # }
/// let exchange = testing::exchange(Request::post()).status(201);
/// let verdict = testing::interpret::<Hello>(exchange, serde_json::json!({}));
/// assert_eq!(verdict.facts().next(), Some(("a", Some("b"))));
/// assert_eq!(hookwright_sdk::memory::recall("a").as_deref(), Some("b"));
/// ```
pub fn interpret<P: Plugin>(exchange: ExchangeBuilder, config: impl Into<Value>) -> Verdict {
    let mut exchange = exchange;
    exchange.0.subscription.configuration = config.into().to_string();
    let verdict = guest::interpret::<P>(&exchange.build());
    for (key, value) in &verdict.0.facts {
        mock::change_fact(key, value.as_deref());
    }
    verdict
}

/// Sets what [`crate::memory::recall`] finds in this thread, in place of what was there.
///
/// ```
/// use hookwright_sdk::testing;
///
/// testing::set_facts([("ticket:42", "abc")]);
/// assert_eq!(hookwright_sdk::memory::recall("ticket:42").as_deref(), Some("abc"));
/// ```
pub fn set_facts<K: Into<String>, V: Into<String>>(facts: impl IntoIterator<Item = (K, V)>) {
    mock::set_facts(facts.into_iter().map(|(key, value)| (key.into(), value.into())).collect());
}

pub(super) fn webhook(configuration: String) -> Webhook {
    Webhook(types::Subscription { webhook_id: WEBHOOK_ID.into(), name: String::new(), configuration, meta: Vec::new() })
}
