use std::time::Duration;

use crate::bindings::types::{self, Decision};
use crate::outcome::milliseconds;

/// What an answer means.
///
/// ```
/// use hookwright_sdk::Verdict;
///
/// Verdict::delivered().link("https://trello.com/c/abc").remember("ticket:42", "abc");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict(pub(crate) types::Verdict);

impl Verdict {
    /// As the HTTP status says, by the host's own rules.
    pub fn by_status() -> Self {
        Self::new(Decision::ByStatus)
    }

    /// Delivered. Never sent again.
    pub fn delivered() -> Self {
        Self::new(Decision::Delivered)
    }

    /// Not delivered, worth another attempt: after [`Verdict::wait`] or by the webhook's schedule.
    pub fn retry() -> Self {
        Self::new(Decision::Retry)
    }

    /// Not delivered and no attempt would help.
    pub fn rejected() -> Self {
        Self::new(Decision::Rejected)
    }

    /// May have been delivered: the webhook's `on_uncertain` decides.
    pub fn uncertain() -> Self {
        Self::new(Decision::Uncertain)
    }

    /// Not delivered, and the destination is gone or the credentials are dead: the webhook is disabled.
    pub fn disable() -> Self {
        Self::new(Decision::Disable)
    }

    /// One sentence for people; at most 1 KiB.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.0.message = Some(message.into());
        self
    }

    /// How long to wait before the next attempt; at most 24 hours.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.0.wait_ms = Some(milliseconds(wait));
        self
    }

    /// Where a person finds what was created: http or https, at most 2 KiB.
    #[must_use]
    pub fn link(mut self, url: impl Into<String>) -> Self {
        self.0.link = Some(url.into());
        self
    }

    /// Remembers a fact for [`crate::memory::recall`]. Keys at most 255 characters, values 4 KiB, 32 facts.
    #[must_use]
    pub fn remember(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.facts.push((key.into(), Some(value.into())));
        self
    }

    /// Forgets the fact under this key.
    #[must_use]
    pub fn forget(mut self, key: impl Into<String>) -> Self {
        self.0.facts.push((key.into(), None));
        self
    }

    /// Says what became of one of several items that the request carried; at most 1,000.
    #[must_use]
    pub fn item(mut self, item: Item) -> Self {
        self.0.items.push(item.0);
        self
    }

    /// The sentence for people.
    pub fn message_text(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// The link.
    pub fn link_url(&self) -> Option<&str> {
        self.0.link.as_deref()
    }

    /// What is to be remembered, or forgotten where there is no value.
    pub fn facts(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.facts.iter().map(|(key, value)| (key.as_str(), value.as_deref()))
    }

    fn new(decision: Decision) -> Self {
        Self(types::Verdict {
            decision,
            message: None,
            wait_ms: None,
            link: None,
            facts: Vec::new(),
            items: Vec::new(),
            meta: Vec::new(),
        })
    }
}

/// The answer for one item of a request that carried several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item(types::Item);

impl Item {
    /// The item of this name (at most 200 characters) was taken.
    pub fn delivered(label: impl Into<String>) -> Self {
        Self::new(label.into(), Decision::Delivered)
    }

    /// The item of this name (at most 200 characters) was refused.
    pub fn rejected(label: impl Into<String>) -> Self {
        Self::new(label.into(), Decision::Rejected)
    }

    /// Why, for people; at most 1 KiB.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.0.message = Some(message.into());
        self
    }

    /// Where a person finds it: http or https.
    #[must_use]
    pub fn link(mut self, url: impl Into<String>) -> Self {
        self.0.link = Some(url.into());
        self
    }

    fn new(label: String, decision: Decision) -> Self {
        Self(types::Item { label, decision, message: None, link: None, meta: Vec::new() })
    }
}
