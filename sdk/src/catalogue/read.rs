//! From the tree to the structs.

use super::node::Node;
use super::payload::{
    Action, Change, FailedTest, Lead, LeadSubmitted, Retro, RetroCompleted, Story, StoryEvent, Task, TestRun,
    TestRunEvent, Ticket, TicketEvent, Workflow, WorkflowEvent,
};
use crate::text::join;

pub(super) trait Read: Sized {
    fn read(node: &Node<'_>) -> Result<Self, Wrong>;
}

/// A field that is not as it must be.
pub(crate) struct Wrong {
    /// For example `actions[1].title`; empty for the payload itself.
    pub(super) path: String,
    pub(super) what: &'static str,
}

impl Wrong {
    fn new(path: &str, what: &'static str) -> Self {
        Self { path: path.to_owned(), what }
    }

    fn inside(mut self, outer: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = join(&[outer, dot, &self.path]);
        self
    }
}

/// A part of a payload, and what it is called there.
pub(crate) struct Part<'n> {
    pub(crate) node: &'n Node<'n>,
    name: &'n str,
    index: Option<usize>,
}

impl<'n> Part<'n> {
    fn text(&self, name: &str) -> Result<String, Wrong> {
        self.node.text(name).map_err(|wrong| self.told(wrong))
    }

    /// Its id, and what it is called, in the field of this name.
    pub(crate) fn known(&self, name: &str) -> Result<(String, String), Wrong> {
        Ok((self.text("id")?, self.text(name)?))
    }

    pub(crate) fn parts(&self, name: &'n str) -> Result<Vec<Part<'n>>, Wrong> {
        self.node.parts(name).map_err(|wrong| self.told(wrong))
    }

    fn told(&self, wrong: Wrong) -> Wrong {
        match self.index {
            None => wrong.inside(self.name),
            Some(index) => wrong.inside(&join(&[self.name, "[", &index.to_string(), "]"])),
        }
    }
}

impl<'n> Node<'n> {
    pub(crate) fn text(&self, name: &str) -> Result<String, Wrong> {
        match self.field(name) {
            None => Err(Wrong::new(name, "is missing")),
            Some(Node::Text(text)) => Ok(text.to_string()),
            Some(Node::List(_)) => Err(Wrong::new(name, "is a list, not text")),
            Some(value) => value.label().ok_or_else(|| Wrong::new(name, "is an object without a name")),
        }
    }

    pub(crate) fn optional(&self, name: &str) -> Option<String> {
        self.field(name)?.label()
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.optional(name)?.parse().ok()
    }

    pub(crate) fn labels(&self, name: &str) -> Vec<String> {
        match self.field(name) {
            Some(Node::List(items)) => items.iter().filter_map(Node::label).collect(),
            other => other.and_then(Node::label).into_iter().collect(),
        }
    }

    pub(crate) fn part(&'n self, name: &'n str) -> Result<Part<'n>, Wrong> {
        let node = self.field(name).ok_or_else(|| Wrong::new(name, "is missing"))?;
        Ok(Part { node, name, index: None })
    }

    pub(crate) fn parts(&'n self, name: &'n str) -> Result<Vec<Part<'n>>, Wrong> {
        match self.field(name) {
            None => Ok(Vec::new()),
            Some(Node::List(items)) => {
                let mut parts = Vec::with_capacity(items.len());
                for (index, node) in items.iter().enumerate() {
                    parts.push(Part { node, name, index: Some(index) });
                }
                Ok(parts)
            }
            Some(_) => Err(Wrong::new(name, "is not a list")),
        }
    }

    fn of<T: Read>(&self, name: &str) -> Result<T, Wrong> {
        let part = self.part(name)?;
        T::read(part.node).map_err(|wrong| part.told(wrong))
    }

    pub(super) fn all<T: Read>(&self, name: &str) -> Result<Vec<T>, Wrong> {
        self.parts(name)?.iter().map(|part| T::read(part.node).map_err(|wrong| part.told(wrong))).collect()
    }
}

impl Read for RetroCompleted {
    fn read(node: &Node<'_>) -> Result<Self, Wrong> {
        Ok(Self { retro: node.of("retro")?, actions: node.all("actions")? })
    }
}

impl Read for Retro {
    fn read(node: &Node<'_>) -> Result<Self, Wrong> {
        Ok(Self { id: node.text("id")?, name: node.text("name")?, url: node.optional("url") })
    }
}

impl Read for Action {
    fn read(node: &Node<'_>) -> Result<Self, Wrong> {
        Ok(Self {
            id: node.text("id")?,
            title: node.text("title")?,
            description: node.optional("description"),
            owner: node.optional("owner"),
            due_on: node.optional("due_on"),
            url: node.optional("url"),
        })
    }
}

impl Read for TicketEvent {
    fn read(node: &Node<'_>) -> Result<Self, Wrong> {
        Ok(Self {
            ticket: node.of("ticket")?,
            from: node.optional("from"),
            to: node.optional("to"),
            changes: node.field("changes").map(changes).unwrap_or_default(),
            actor: node.optional("actor"),
        })
    }
}

impl Read for Ticket {
    fn read(node: &Node<'_>) -> Result<Self, Wrong> {
        Ok(Self {
            id: node.text("id")?,
            key: node.optional("key"),
            title: node.text("title")?,
            description: node.optional("description"),
            status: node.optional("status"),
            priority: node.optional("priority"),
            url: node.optional("url"),
            assignee: node.optional("assignee"),
            labels: node.labels("labels"),
        })
    }
}

fn changes(node: &Node<'_>) -> Vec<Change> {
    let change = |field: String, value: Option<&Node<'_>>| Change {
        field,
        from: value.and_then(|value| value.optional("from")),
        // A bare value instead of {from, to} is what the field has now.
        to: value.and_then(|value| if value.entries().next().is_some() { value.optional("to") } else { value.label() }),
    };
    let mapped = node.entries().map(|(field, value)| change(field.to_owned(), Some(value)));
    let listed = node.items().iter().filter_map(|item| {
        let parts = matches!(item, Node::Map(_)).then_some(item);
        Some(change(item.optional("field").or_else(|| item.label())?, parts))
    });
    mapped.chain(listed).collect()
}

impl Read for StoryEvent {
    fn read(node: &Node<'_>) -> Result<Self, Wrong> {
        Ok(Self { story: node.of("story")?, project: node.optional("project"), actor: node.optional("actor") })
    }
}

impl Read for Story {
    fn read(node: &Node<'_>) -> Result<Self, Wrong> {
        Ok(Self {
            id: node.text("id")?,
            title: node.text("title")?,
            points: node.optional("points"),
            state: node.optional("state"),
            url: node.optional("url"),
            tasks: node.all("tasks")?,
        })
    }
}

impl Read for Task {
    fn read(node: &Node<'_>) -> Result<Self, Wrong> {
        Ok(Self { title: node.label().unwrap_or_default(), done: node.optional("done").as_deref() == Some("true") })
    }
}

impl Read for LeadSubmitted {
    fn read(node: &Node<'_>) -> Result<Self, Wrong> {
        Ok(Self { lead: node.of("lead")?, programs: node.labels("programs") })
    }
}

impl Read for Lead {
    fn read(node: &Node<'_>) -> Result<Self, Wrong> {
        Ok(Self {
            id: node.text("id")?,
            name: node.text("name")?,
            email: node.optional("email"),
            phone: node.optional("phone"),
            company: node.optional("company"),
            message: node.optional("message"),
        })
    }
}

impl Read for WorkflowEvent {
    fn read(node: &Node<'_>) -> Result<Self, Wrong> {
        Ok(Self {
            workflow: node.of("workflow")?,
            step: node.optional("step"),
            status: node.optional("status"),
            started_at: node.optional("started_at"),
            finished_at: node.optional("finished_at"),
        })
    }
}

impl Read for Workflow {
    fn read(node: &Node<'_>) -> Result<Self, Wrong> {
        Ok(Self { id: node.text("id")?, name: node.text("name")?, url: node.optional("url") })
    }
}

impl Read for TestRunEvent {
    fn read(node: &Node<'_>) -> Result<Self, Wrong> {
        Ok(Self { run: node.of("run")? })
    }
}

impl Read for TestRun {
    fn read(node: &Node<'_>) -> Result<Self, Wrong> {
        Ok(Self {
            id: node.text("id")?,
            suite: node.text("suite")?,
            url: node.optional("url"),
            passed: node.number("passed"),
            failed: node.number("failed"),
            skipped: node.number("skipped"),
            failures: node.all("failures")?,
        })
    }
}

impl Read for FailedTest {
    fn read(node: &Node<'_>) -> Result<Self, Wrong> {
        Ok(Self { name: node.label().unwrap_or_default(), message: node.optional("message") })
    }
}
