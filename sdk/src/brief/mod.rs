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
pub use template::PLACEHOLDERS;

use std::collections::BTreeMap;

use crate::text::{one_line, truncate};

/// What an event says. Texts are the provider's own: neither escaped nor cut, and may hold line breaks where
/// nothing else is said.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it is.
    pub text: String,
    /// http or https.
    pub url: Option<String>,
}

impl Brief {
    /// Key and title; never empty.
    #[must_use]
    pub fn name(&self) -> String {
        let name = match &self.key {
            Some(key) => format!("{key} {}", self.title),
            None => self.title.clone(),
        };
        match one_line(&name) {
            name if name.is_empty() => "(no title)".to_owned(),
            name => name.into_owned(),
        }
    }

    /// The first word of the event type: `retro`, `ticket`, `story`, `lead`, `workflow`, `test`.
    #[must_use]
    pub fn family(&self) -> &str {
        self.event_type.split('.').next().unwrap_or_default()
    }

    /// Whether later events may be about the same thing, so that it is worth remembering.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        matches!(self.family(), "ticket" | "story")
    }

    /// Whether it tells the whole description. An update that does not must not wipe what an earlier event told.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.text.is_some() || self.family() != "ticket"
    }

    /// The value of a fact.
    #[must_use]
    pub fn fact(&self, id: &str) -> Option<&str> {
        self.facts.iter().find(|fact| fact.id == id).map(|fact| fact.value.as_str())
    }

    /// The facts that a configuration wants, in its order; without one all but the retro, which `from` says.
    #[must_use]
    pub fn picked(&self, fields: Option<&[String]>) -> Vec<&Fact> {
        match fields {
            None => self.facts.iter().filter(|fact| fact.id != "retro").collect(),
            Some(ids) => ids.iter().filter_map(|id| self.facts.iter().find(|fact| fact.id == id)).collect(),
        }
    }

    /// Who is to do it, as the destination calls them; the fact is left out then.
    pub fn take_owner<'a>(&mut self, people: &'a BTreeMap<String, String>) -> Option<&'a str> {
        let owner = people.get(self.owner.as_ref()?)?;
        self.forget("owner");
        Some(owner)
    }

    /// What a configuration puts on everything, then what it has for this one's labels; none twice.
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
    pub fn forget(&mut self, id: &str) {
        self.facts.retain(|fact| fact.id != id);
    }

    /// The facts for a message: like [`Brief::picked`], without what the title and the lines say already.
    #[must_use]
    pub fn message_facts(&self, fields: Option<&[String]>) -> Vec<&Fact> {
        let mut facts = self.picked(fields);
        facts.retain(|fact| self.kind != Kind::Moved || fact.id != "status");
        facts
    }

    /// What a message says below the title: whoever sees an update knows the description.
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
    pub fn message_lines(&self) -> impl Iterator<Item = &Line> {
        self.changes.iter().chain(&self.lines)
    }
}

fn about(what: &str, id: &str) -> String {
    truncate(&one_line(&format!("{what}:{id}")), 255).into_owned()
}

#[cfg(test)]
mod tests;
