//! The payloads of the event catalogue, typed.
//!
//! Tolerant where that costs nothing: unknown fields are ignored, every optional field may be absent or
//! null, and a text may be a number, or an object with a `name`, `title`, `key`, `email` or `id`.

mod digest;
mod node;
mod payload;
mod read;

pub use digest::{Collected, Digest};
pub use payload::{
    Action, Change, FailedTest, Lead, LeadSubmitted, Retro, RetroCompleted, Story, StoryEvent, Task, TestRun,
    TestRunEvent, Ticket, TicketEvent, Workflow, WorkflowEvent,
};

pub(crate) use node::Node;
pub(crate) use payload::is_bad;
use read::Read;
pub(crate) use read::Wrong;

use crate::text::join;
use crate::{Event, Failure};

/// The event type of what a webhook has collected.
pub(crate) const DIGEST: &str = "digest";

/// An event's payload by its event type.
///
/// ```
/// use hookwright_sdk::{catalogue::Known, testing};
///
/// let event = testing::event("lead.submitted").payload(serde_json::json!({"lead": {"id": 1, "name": "Ada"}, "programs": ["housing"]})).build();
/// assert!(matches!(event.catalogue()?, Known::LeadSubmitted(_)));
/// assert_eq!(testing::event("lead.submitted").build().catalogue()?, Known::Empty);
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Known {
    /// `retro.completed`
    RetroCompleted(RetroCompleted),
    /// `ticket.created`
    TicketCreated(TicketEvent),
    /// `ticket.updated`
    TicketUpdated(TicketEvent),
    /// `ticket.status_changed`
    TicketStatusChanged(TicketEvent),
    /// `story.created`
    StoryCreated(StoryEvent),
    /// `story.updated`
    StoryUpdated(StoryEvent),
    /// `lead.submitted`
    LeadSubmitted(LeadSubmitted),
    /// `workflow.started`
    WorkflowStarted(WorkflowEvent),
    /// `workflow.step_completed`
    WorkflowStepCompleted(WorkflowEvent),
    /// `workflow.completed`
    WorkflowCompleted(WorkflowEvent),
    /// `test.run_created`
    TestRunCreated(TestRunEvent),
    /// `test.run_completed`
    TestRunCompleted(TestRunEvent),
    /// `digest`: what the webhook has collected.
    Digest(Digest),
    /// An event type of the provider's own: see [`Event::json`] and [`Event::payload_text`].
    Custom,
    /// A trigger by hand without an event: there is no payload, whatever the event type.
    Empty,
}

impl Known {
    pub(crate) fn of(event: &Event) -> Result<Self, Failure> {
        if event.payload_bytes().is_none() {
            return Ok(Self::Empty);
        }
        // The payload of another type may be anything.
        match reader(event.kind()) {
            None => Ok(Self::Custom),
            Some(read) => read(&event.tree()?).map_err(|wrong| failure(&wrong)),
        }
    }
}

type Reader = fn(&Node<'_>) -> Result<Known, Wrong>;

/// How payloads of an event type of the catalogue are read; none for any other.
fn reader(kind: &str) -> Option<Reader> {
    Some(match kind {
        "retro.completed" => |it| Read::read(it).map(Known::RetroCompleted),
        "ticket.created" => |it| Read::read(it).map(Known::TicketCreated),
        "ticket.updated" => |it| Read::read(it).map(Known::TicketUpdated),
        "ticket.status_changed" => |it| Read::read(it).map(Known::TicketStatusChanged),
        "story.created" => |it| Read::read(it).map(Known::StoryCreated),
        "story.updated" => |it| Read::read(it).map(Known::StoryUpdated),
        "lead.submitted" => |it| Read::read(it).map(Known::LeadSubmitted),
        "workflow.started" => |it| Read::read(it).map(Known::WorkflowStarted),
        "workflow.step_completed" => |it| Read::read(it).map(Known::WorkflowStepCompleted),
        "workflow.completed" => |it| Read::read(it).map(Known::WorkflowCompleted),
        "test.run_created" => |it| Read::read(it).map(Known::TestRunCreated),
        "test.run_completed" => |it| Read::read(it).map(Known::TestRunCompleted),
        DIGEST => |it| Read::read(it).map(Known::Digest),
        _ => return None,
    })
}

pub(crate) fn failure(wrong: &Wrong) -> Failure {
    let message = join(&["The payload is not as expected: `", &wrong.path, "` ", wrong.what, "."]);
    Failure::new("payload.invalid", message)
}

#[cfg(test)]
mod tests;
