//! What an event says, in one form for all event types: for destinations that have no form of their own for
//! each of them.
//!
//! ```
//! use hookwright_sdk::{brief::Brief, testing};
//!
//! let ticket = serde_json::json!({"ticket": {"id": 42, "key": "QA-42", "title": "Export fails", "status": "open"}});
//! let brief = Brief::of(&testing::event("ticket.created").payload(ticket).build())?;
//! assert_eq!(brief.about, "ticket:42");
//! assert_eq!(brief.fill("[{status}] {key} {title}"), "[open] QA-42 Export fails");
//! # Ok::<(), hookwright_sdk::Failure>(())
//! ```

mod digest;
mod markdown;
mod read;
mod tasks;
mod template;

pub use markdown::Markdown;
pub use tasks::Updates;
pub use template::{FACTS, PLACEHOLDERS};

use std::collections::BTreeMap;

use crate::text::{join, one_line, truncate};

/// What an event says. Texts are the provider's own: neither escaped nor cut, and may hold line breaks where
/// nothing else is said.
///
/// ```
/// use hookwright_sdk::{brief::Brief, testing};
///
/// let ticket = serde_json::json!({"ticket": {"id": 42, "title": "Export fails"}});
/// let brief = Brief::of(&testing::event("ticket.created").payload(ticket).build())?;
/// assert_eq!((brief.headline.as_str(), brief.title.as_str()), ("New ticket: Export fails", "Export fails"));
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brief {
    /// What it is about over all its events, for example `ticket:42`: a key for
    /// [`crate::Request::correlation`], at most 255 characters. Empty for event types that are not of the catalogue.
    pub about: String,
    /// What kind of news it is.
    pub kind: Kind,
    /// The event type.
    pub event_type: String,
    /// One line for a message: `New ticket: QA-42 Export fails`.
    pub headline: String,
    /// What people call it, for example `QA-42`.
    pub key: Option<String>,
    /// What is to be done or what it is called, in one line; may be empty.
    pub title: String,
    /// A longer description, of several lines, without other control characters; never empty.
    pub text: Option<String>,
    /// What else is known, each with a short value.
    pub facts: Vec<Fact>,
    /// What an update changed.
    pub changes: Vec<Line>,
    /// Tasks of a story, or tests that failed.
    pub lines: Vec<Line>,
    /// Where a person finds it: http or https.
    pub url: Option<String>,
    /// What stands on the link.
    pub link_label: &'static str,
    /// What it comes from, if that is something else.
    pub from: Option<Link>,
    /// The day by which it is to be done, as the provider wrote it.
    pub due: Option<String>,
    /// Who is to do it.
    pub owner: Option<String>,
    /// How things of its kind are sorted.
    pub labels: Vec<String>,
    /// The status after the event.
    pub status: Option<String>,
    /// How urgent it is.
    pub priority: Option<String>,
    /// An estimate.
    pub points: Option<String>,
    /// Good or bad news.
    pub tone: Tone,
    /// The payload laid out, of an event type that is not of the catalogue.
    pub code: Option<String>,
    /// The actions of a retro, or the events of a digest.
    pub items: Vec<Brief>,
}

/// What kind of news an event is.
///
/// ```
/// use hookwright_sdk::{brief::{Brief, Kind}, testing};
///
/// let ticket = serde_json::json!({"ticket": {"id": 42, "title": "Export fails"}});
/// let brief = Brief::of(&testing::event("ticket.created").payload(ticket).build())?;
/// assert_eq!(brief.kind, Kind::New);
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A retro with what is to be done, in `items`.
    Retro,
    /// Something new.
    New,
    /// Something changed, in `changes`.
    Changed,
    /// Something has a new status.
    Moved,
    /// Something failed.
    Failed,
    /// Something goes well.
    News,
    /// What a webhook has collected: its events, each as its own brief, in `items`.
    Digest,
    /// An event type that is not of the catalogue.
    Custom,
    /// A trigger by hand without an event.
    #[default]
    Empty,
}

/// Good or bad news.
///
/// ```
/// use hookwright_sdk::{brief::{Brief, Tone}, testing};
///
/// let run = serde_json::json!({"run": {"id": 1, "suite": "unit", "failed": 2}});
/// let brief = Brief::of(&testing::event("test.run_completed").payload(run).build())?;
/// assert_eq!(brief.tone, Tone::Bad);
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Neither.
    #[default]
    Plain,
    /// Good.
    Good,
    /// Bad.
    Bad,
}

/// A name with its value.
///
/// ```
/// use hookwright_sdk::{brief::Brief, testing};
///
/// let ticket = serde_json::json!({"ticket": {"id": 42, "title": "Export fails", "status": "open"}});
/// let brief = Brief::of(&testing::event("ticket.created").payload(ticket).build())?;
/// let fact = &brief.facts[0];
/// assert_eq!((fact.id, fact.name, fact.value.as_str()), ("status", "Status", "open"));
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// For configurations and title templates: one of [`PLACEHOLDERS`].
    pub id: &'static str,
    /// For people.
    pub name: &'static str,
    /// One line, never empty.
    pub value: String,
}

/// One of several things.
///
/// ```
/// use hookwright_sdk::{brief::Brief, testing};
///
/// let story = serde_json::json!({"story": {"id": 1, "title": "Export", "tasks": ["Write it"]}});
/// let brief = Brief::of(&testing::event("story.created").payload(story).build())?;
/// assert_eq!((brief.lines[0].name.as_str(), brief.lines[0].done), ("Write it", Some(false)));
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is called; may be empty.
    pub name: String,
    /// More about it.
    pub note: Option<String>,
    /// Whether it is done; none if it is nothing to do.
    pub done: Option<bool>,
}

/// Something with an address.
///
/// ```
/// use hookwright_sdk::{brief::Brief, testing};
///
/// let retro = serde_json::json!({"retro": {"id": 1, "name": "May"}, "actions": [{"id": 2, "title": "Fix it"}]});
/// let brief = Brief::of(&testing::event("retro.completed").payload(retro).build())?;
/// assert_eq!(brief.items[0].from.as_ref().map(|from| from.text.as_str()), Some("retro May"));
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it is.
    pub text: String,
    /// http or https.
    pub url: Option<String>,
}

impl Brief {
    /// Key and title; never empty.
    ///
    /// ```
    /// use hookwright_sdk::{brief::Brief, testing};
    ///
    /// let ticket = serde_json::json!({"ticket": {"id": 42, "title": "Export fails", "key": "QA-42"}});
    /// let brief = Brief::of(&testing::event("ticket.created").payload(ticket).build())?;
    /// assert_eq!(brief.name(), "QA-42 Export fails");
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> String {
        let name = match &self.key {
            Some(key) => join(&[key, " ", &self.title]),
            None => self.title.clone(),
        };
        match one_line(&name) {
            name if name.is_empty() => "(no title)".to_owned(),
            name => name.into_owned(),
        }
    }

    /// The first word of the event type: `retro`, `ticket`, `story`, `lead`, `workflow`, `test`.
    ///
    /// ```
    /// use hookwright_sdk::{brief::Brief, testing};
    ///
    /// let ticket = serde_json::json!({"ticket": {"id": 42, "title": "Export fails"}});
    /// let brief = Brief::of(&testing::event("ticket.created").payload(ticket).build())?;
    /// assert_eq!(brief.family(), "ticket");
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    #[must_use]
    pub fn family(&self) -> &str {
        self.event_type.split('.').next().unwrap_or_default()
    }

    /// Whether later events may be about the same thing, so that it is worth remembering.
    ///
    /// ```
    /// use hookwright_sdk::{brief::Brief, testing};
    ///
    /// let ticket = serde_json::json!({"ticket": {"id": 42, "title": "Export fails"}});
    /// let brief = Brief::of(&testing::event("ticket.created").payload(ticket).build())?;
    /// assert!(brief.is_followed());
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    #[must_use]
    pub fn is_followed(&self) -> bool {
        matches!(self.family(), "ticket" | "story")
    }

    /// Whether it tells the whole description. An update that does not must not wipe what an earlier event told.
    ///
    /// ```
    /// use hookwright_sdk::{brief::Brief, testing};
    ///
    /// let ticket = serde_json::json!({"ticket": {"id": 42, "title": "Export fails"}});
    /// let brief = Brief::of(&testing::event("ticket.created").payload(ticket).build())?;
    /// assert!(!brief.is_whole());
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.text.is_some() || self.family() != "ticket"
    }

    /// The value of a fact.
    ///
    /// ```
    /// use hookwright_sdk::{brief::Brief, testing};
    ///
    /// let ticket = serde_json::json!({"ticket": {"id": 42, "title": "Export fails", "status": "open"}});
    /// let brief = Brief::of(&testing::event("ticket.created").payload(ticket).build())?;
    /// assert_eq!((brief.fact("status"), brief.fact("due")), (Some("open"), None));
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    #[must_use]
    pub fn fact(&self, id: &str) -> Option<&str> {
        self.facts.iter().find(|fact| fact.id == id).map(|fact| fact.value.as_str())
    }

    /// The facts that a configuration wants, in its order; without one all but the retro, which `from` says.
    ///
    /// ```
    /// use hookwright_sdk::{brief::Brief, testing};
    ///
    /// let ticket = serde_json::json!({"ticket": {"id": 42, "title": "Export fails", "status": "open", "priority": "high"}});
    /// let brief = Brief::of(&testing::event("ticket.created").payload(ticket).build())?;
    /// let fields = ["priority".to_owned()];
    /// assert_eq!(brief.picked(Some(&fields))[0].value, "high");
    /// assert_eq!(brief.picked(None).len(), 2);
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    #[must_use]
    pub fn picked(&self, fields: Option<&[String]>) -> Vec<&Fact> {
        match fields {
            None => self.facts.iter().filter(|fact| fact.id != "retro").collect(),
            Some(ids) => ids.iter().filter_map(|id| self.facts.iter().find(|fact| fact.id == id)).collect(),
        }
    }

    /// Who is to do it, as the destination calls them; the fact is left out then.
    ///
    /// ```
    /// use hookwright_sdk::{brief::Brief, testing};
    ///
    /// let ticket = serde_json::json!({"ticket": {"id": 42, "title": "Export fails", "assignee": "ada"}});
    /// let mut brief = Brief::of(&testing::event("ticket.created").payload(ticket).build())?;
    /// let people = [("ada".to_owned(), "U0123".to_owned())].into();
    /// assert_eq!(brief.take_owner(&people), Some("U0123"));
    /// assert_eq!(brief.fact("owner"), None);
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    pub fn take_owner<'a>(&mut self, people: &'a BTreeMap<String, String>) -> Option<&'a str> {
        let owner = people.get(self.owner.as_ref()?)?;
        self.forget("owner");
        Some(owner)
    }

    /// What a configuration puts on everything, then what it has for this one's labels; none twice.
    ///
    /// ```
    /// use hookwright_sdk::{brief::Brief, testing};
    ///
    /// let ticket = serde_json::json!({"ticket": {"id": 42, "title": "Export fails", "labels": ["defect"]}});
    /// let brief = Brief::of(&testing::event("ticket.created").payload(ticket).build())?;
    /// let (always, map) = (["retro".to_owned()], [("defect".to_owned(), "bug".to_owned())].into());
    /// assert_eq!(brief.labels_by(&always, &map), ["retro", "bug"]);
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    #[must_use]
    pub fn labels_by<'a>(&self, always: &'a [String], map: &'a BTreeMap<String, String>) -> Vec<&'a str> {
        let mut labels: Vec<&str> = Vec::new();
        for label in always.iter().chain(self.labels.iter().filter_map(|label| map.get(label))) {
            if !labels.contains(&label.as_str()) {
                labels.push(label);
            }
        }
        labels
    }

    /// Leaves out a fact for which the destination has a place of its own.
    ///
    /// ```
    /// use hookwright_sdk::{brief::Brief, testing};
    ///
    /// let ticket = serde_json::json!({"ticket": {"id": 42, "title": "Export fails", "status": "open"}});
    /// let mut brief = Brief::of(&testing::event("ticket.created").payload(ticket).build())?;
    /// brief.forget("status");
    /// assert_eq!(brief.fact("status"), None);
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    pub fn forget(&mut self, id: &str) {
        self.facts.retain(|fact| fact.id != id);
    }

    /// The facts for a message: like [`Brief::picked`], without what the title and the lines say already.
    ///
    /// ```
    /// use hookwright_sdk::{brief::Brief, testing};
    ///
    /// let ticket = serde_json::json!({"ticket": {"id": 42, "title": "Export fails", "status": "done"}});
    /// let brief = Brief::of(&testing::event("ticket.status_changed").payload(ticket).build())?;
    /// // The headline says the status already.
    /// assert!(brief.message_facts(None).is_empty());
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    #[must_use]
    pub fn message_facts(&self, fields: Option<&[String]>) -> Vec<&Fact> {
        let mut facts = self.picked(fields);
        facts.retain(|fact| self.kind != Kind::Moved || fact.id != "status");
        facts
    }

    /// What a message says below the title: whoever sees an update knows the description.
    ///
    /// ```
    /// use hookwright_sdk::{brief::Brief, testing};
    ///
    /// let ticket = serde_json::json!({"ticket": {"id": 42, "title": "Export fails", "description": "Always."}});
    /// let brief = Brief::of(&testing::event("ticket.created").payload(ticket).build())?;
    /// assert_eq!(brief.message_text(), Some("Always."));
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    #[must_use]
    pub fn message_text(&self) -> Option<&str> {
        match self.kind {
            // The headline says only the key.
            Kind::Moved => Some(&self.title).filter(|_| self.key.is_some()).map(String::as_str),
            Kind::Changed if !self.changes.is_empty() => None,
            _ => self.text.as_deref(),
        }
        .filter(|text| !text.trim().is_empty())
    }

    /// All lines for a message: what changed, then tasks or failures.
    ///
    /// ```
    /// use hookwright_sdk::{brief::Brief, testing};
    ///
    /// let update = serde_json::json!({"ticket": {"id": 42, "title": "Export fails"}, "changes": {"priority": {"to": "high"}}});
    /// let brief = Brief::of(&testing::event("ticket.updated").payload(update).build())?;
    /// assert_eq!(brief.message_lines().next().and_then(|line| line.note.as_deref()), Some("nothing → high"));
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    pub fn message_lines(&self) -> impl Iterator<Item = &Line> {
        self.changes.iter().chain(&self.lines)
    }
}

#[inline(never)]
fn about(what: &str, id: &str) -> String {
    truncate(&one_line(&join(&[what, ":", id])), 255).into_owned()
}

#[cfg(test)]
mod tests;
