//! The payloads of the event catalogue, typed.
//!
//! Tolerant where that costs nothing: unknown fields are ignored, every optional field may be absent or
//! null, and a text may be a number, or an object with a `name`, `title`, `key`, `email` or `id`.

mod node;
mod payload;
mod read;

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
        Ok(match event.kind() {
            "retro.completed" => Self::RetroCompleted(part(event)?),
            "ticket.created" => Self::TicketCreated(part(event)?),
            "ticket.updated" => Self::TicketUpdated(part(event)?),
            "ticket.status_changed" => Self::TicketStatusChanged(part(event)?),
            "story.created" => Self::StoryCreated(part(event)?),
            "story.updated" => Self::StoryUpdated(part(event)?),
            "lead.submitted" => Self::LeadSubmitted(part(event)?),
            "workflow.started" => Self::WorkflowStarted(part(event)?),
            "workflow.step_completed" => Self::WorkflowStepCompleted(part(event)?),
            "workflow.completed" => Self::WorkflowCompleted(part(event)?),
            "test.run_created" => Self::TestRunCreated(part(event)?),
            "test.run_completed" => Self::TestRunCompleted(part(event)?),
            _ => Self::Custom,
        })
    }
}

fn part<T: Read>(event: &Event) -> Result<T, Failure> {
    let payload = event.tree()?;
    T::read(&payload).map_err(|wrong| failure(&wrong))
}

pub(crate) fn failure(wrong: &Wrong) -> Failure {
    let message = join(&["The payload is not as expected: `", &wrong.path, "` ", wrong.what, "."]);
    Failure::new("payload.invalid", message)
}

#[cfg(test)]
mod tests;
