use serde_json::Value;

use crate::bindings::types;
use crate::log::Level;
use crate::testing::event::WEBHOOK_ID;
use crate::testing::exchange::ExchangeBuilder;
use crate::testing::form::Expect;
use crate::{Event, Failure, Outcome, Plugin, Request, Verdict, Webhook, guest, mock};

/// What one run of a plugin came to.
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
    /// # Panics
    /// Never: it has a JSON form.
    pub fn made(&self) -> Value {
        serde_json::to_value(Expect::of(&self.result)).expect("an expectation with a JSON form")
    }

    /// Why no outcome was made.
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
pub fn run<P: Plugin>(event: &Event, config: impl Into<Value>) -> Run {
    mock::take_logs();
    let result = guest::transform::<P>(event, &webhook(config.into().to_string()));
    Run { result, logs: mock::take_logs() }
}

/// Has a plugin read an answer, with this configuration. The facts in its verdict are remembered.
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
pub fn set_facts<K: Into<String>, V: Into<String>>(facts: impl IntoIterator<Item = (K, V)>) {
    mock::set_facts(facts.into_iter().map(|(key, value)| (key.into(), value.into())).collect());
}

pub(super) fn webhook(configuration: String) -> Webhook {
    Webhook(types::Subscription { webhook_id: WEBHOOK_ID.into(), name: String::new(), configuration, meta: Vec::new() })
}
