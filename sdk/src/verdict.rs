use std::time::Duration;

use crate::bindings::types::{self, Decision};
use crate::memory;
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
    ///
    /// ```
    /// use hookwright_sdk::Verdict;
    ///
    /// assert_eq!(Verdict::by_status().message_text(), None);
    /// ```
    pub fn by_status() -> Self {
        Self::new(Decision::ByStatus)
    }

    /// Delivered. Never sent again.
    ///
    /// ```
    /// use hookwright_sdk::Verdict;
    ///
    /// Verdict::delivered().message("It was there already.");
    /// ```
    pub fn delivered() -> Self {
        Self::new(Decision::Delivered)
    }

    /// Not delivered, worth another attempt: after [`Verdict::wait`] or by the webhook's schedule.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use hookwright_sdk::Verdict;
    ///
    /// Verdict::retry().wait(Duration::from_secs(20));
    /// ```
    pub fn retry() -> Self {
        Self::new(Decision::Retry)
    }

    /// Not delivered and no attempt would help.
    ///
    /// ```
    /// use hookwright_sdk::Verdict;
    ///
    /// Verdict::rejected().message("The list is closed.");
    /// ```
    pub fn rejected() -> Self {
        Self::new(Decision::Rejected)
    }

    /// May have been delivered: the webhook's `on_uncertain` decides.
    ///
    /// ```
    /// use hookwright_sdk::Verdict;
    ///
    /// Verdict::uncertain().message("The answer broke off.");
    /// ```
    pub fn uncertain() -> Self {
        Self::new(Decision::Uncertain)
    }

    /// Not delivered, and the destination is gone or the credentials are dead: the webhook is disabled.
    ///
    /// ```
    /// use hookwright_sdk::Verdict;
    ///
    /// Verdict::disable().message("The token is not accepted any more.");
    /// ```
    pub fn disable() -> Self {
        Self::new(Decision::Disable)
    }

    /// One sentence for people; at most 1 KiB.
    ///
    /// ```
    /// use hookwright_sdk::Verdict;
    ///
    /// assert_eq!(Verdict::rejected().message("No.").message_text(), Some("No."));
    /// ```
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.0.message = Some(message.into());
        self
    }

    /// How long to wait before the next attempt; at most 24 hours.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use hookwright_sdk::Verdict;
    ///
    /// Verdict::retry().wait(Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.0.wait_ms = Some(milliseconds(wait));
        self
    }

    /// Where a person finds what was created: http or https, at most 2 KiB.
    ///
    /// ```
    /// use hookwright_sdk::Verdict;
    ///
    /// let verdict = Verdict::delivered().link("https://trello.com/c/abc");
    /// assert_eq!(verdict.link_url(), Some("https://trello.com/c/abc"));
    /// ```
    #[must_use]
    pub fn link(mut self, url: impl Into<String>) -> Self {
        self.0.link = Some(url.into());
        self
    }

    /// Remembers a fact for [`crate::memory::recall`]. Keys at most 255 characters, values 4 KiB, 32 facts.
    ///
    /// ```
    /// use hookwright_sdk::Verdict;
    ///
    /// let verdict = Verdict::delivered().remember("ticket:42", "abc");
    /// assert_eq!(verdict.facts().next(), Some(("ticket:42", Some("abc"))));
    /// ```
    #[must_use]
    pub fn remember(mut self, key: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.0.facts.push((memory::key(key.as_ref()).into_owned(), Some(value.into())));
        self
    }

    /// Forgets the fact under this key.
    ///
    /// ```
    /// use hookwright_sdk::Verdict;
    ///
    /// let verdict = Verdict::rejected().forget("ticket:42");
    /// assert_eq!(verdict.facts().next(), Some(("ticket:42", None)));
    /// ```
    #[must_use]
    pub fn forget(mut self, key: impl AsRef<str>) -> Self {
        self.0.facts.push((memory::key(key.as_ref()).into_owned(), None));
        self
    }

    /// Says what became of one of several items that the request carried; at most 1,000.
    ///
    /// ```
    /// use hookwright_sdk::{Item, Verdict};
    ///
    /// Verdict::delivered().item(Item::delivered("first")).item(Item::rejected("second").message("twice"));
    /// ```
    #[must_use]
    pub fn item(mut self, item: Item) -> Self {
        self.0.items.push(item.0);
        self
    }

    /// The sentence for people.
    ///
    /// ```
    /// use hookwright_sdk::Verdict;
    ///
    /// assert_eq!(Verdict::delivered().message_text(), None);
    /// ```
    pub fn message_text(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// The link.
    ///
    /// ```
    /// use hookwright_sdk::Verdict;
    ///
    /// assert_eq!(Verdict::delivered().link_url(), None);
    /// ```
    pub fn link_url(&self) -> Option<&str> {
        self.0.link.as_deref()
    }

    /// What is to be remembered, or forgotten where there is no value.
    ///
    /// ```
    /// use hookwright_sdk::Verdict;
    ///
    /// assert_eq!(Verdict::delivered().facts().count(), 0);
    /// ```
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
///
/// ```
/// use hookwright_sdk::{Item, Verdict};
///
/// Verdict::delivered().item(Item::rejected("Fix the build").message("There is one of this name."));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item(types::Item);

impl Item {
    /// The item of this name (at most 200 characters) was taken.
    ///
    /// ```
    /// hookwright_sdk::Item::delivered("Fix the build");
    /// ```
    pub fn delivered(label: impl Into<String>) -> Self {
        Self::new(label.into(), Decision::Delivered)
    }

    /// The item of this name (at most 200 characters) was refused.
    ///
    /// ```
    /// hookwright_sdk::Item::rejected("Fix the build");
    /// ```
    pub fn rejected(label: impl Into<String>) -> Self {
        Self::new(label.into(), Decision::Rejected)
    }

    /// Why, for people; at most 1 KiB.
    ///
    /// ```
    /// hookwright_sdk::Item::rejected("Fix the build").message("There is one of this name.");
    /// ```
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.0.message = Some(message.into());
        self
    }

    /// Where a person finds it: http or https.
    ///
    /// ```
    /// hookwright_sdk::Item::delivered("Fix the build").link("https://trello.com/c/abc");
    /// ```
    #[must_use]
    pub fn link(mut self, url: impl Into<String>) -> Self {
        self.0.link = Some(url.into());
        self
    }

    fn new(label: String, decision: Decision) -> Self {
        Self(types::Item { label, decision, message: None, link: None, meta: Vec::new() })
    }
}
