//! The payloads of the event catalogue, typed.
//!
//! Tolerant where that costs nothing: unknown fields are ignored, every optional field may be absent or
//! null, and a text may be a number, or an object with a `name`, `title`, `key`, `email` or `id`.

mod digest;
mod node;
mod payload;
mod read;

pub use digest::{Digest, Part};
pub use payload::{
    Action, Change, FailedTest, Lead, LeadSubmitted, Retro, RetroCompleted, Story, StoryEvent, Task, TestRun,
    TestRunEvent, Ticket, TicketEvent, Workflow, WorkflowEvent,
};

pub(crate) use node::Node;
use read::{Read, Wrong};

use crate::{Event, Failure};

/// The event type of what a webhook has collected.
const DIGEST: &str = "digest";
/// Event types of the catalogue.
const KINDS: [&str; 12] = [
    "retro.completed",
    "ticket.created",
    "ticket.updated",
    "ticket.status_changed",
    "story.created",
    "story.updated",
    "lead.submitted",
    "workflow.started",
    "workflow.step_completed",
    "workflow.completed",
    "test.run_created",
    "test.run_completed",
];

/// An event's payload by its event type.
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
        let is_known = |kind: &str| kind == DIGEST || KINDS.contains(&kind);
        if !is_known(event.kind()) {
            return Ok(Self::Custom);
        }
        let payload: Node<'_> = event.json()?;
        Self::read(event.kind(), &payload).map_err(|wrong| {
            let message = format!("The payload is not as expected: `{}` {}.", wrong.path, wrong.what);
            Failure::new("payload.invalid", message)
        })
    }

    /// A payload that is read already.
    fn read(kind: &str, payload: &Node<'_>) -> Result<Self, Wrong> {
        Ok(match kind {
            "retro.completed" => Self::RetroCompleted(Read::read(payload)?),
            "ticket.created" => Self::TicketCreated(Read::read(payload)?),
            "ticket.updated" => Self::TicketUpdated(Read::read(payload)?),
            "ticket.status_changed" => Self::TicketStatusChanged(Read::read(payload)?),
            "story.created" => Self::StoryCreated(Read::read(payload)?),
            "story.updated" => Self::StoryUpdated(Read::read(payload)?),
            "lead.submitted" => Self::LeadSubmitted(Read::read(payload)?),
            "workflow.started" => Self::WorkflowStarted(Read::read(payload)?),
            "workflow.step_completed" => Self::WorkflowStepCompleted(Read::read(payload)?),
            "workflow.completed" => Self::WorkflowCompleted(Read::read(payload)?),
            "test.run_created" => Self::TestRunCreated(Read::read(payload)?),
            "test.run_completed" => Self::TestRunCompleted(Read::read(payload)?),
            DIGEST => Self::Digest(Read::read(payload)?),
            _ => Self::Custom,
        })
    }
}

#[cfg(test)]
mod tests;
