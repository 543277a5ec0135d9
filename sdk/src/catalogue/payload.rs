//! One struct for each payload and its parts. Times are RFC 3339 text, dates `2026-01-31`.

/// `retro.completed`: a retrospective and what came out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetroCompleted {
    /// The retrospective.
    pub retro: Retro,
    /// What was agreed; may be empty.
    pub actions: Vec<Action>,
}

/// A retrospective.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retro {
    pub id: String,
    pub name: String,
    pub url: Option<String>,
}

/// Something to do, agreed in a retrospective.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    pub id: String,
    pub title: String,
    pub description: Option<String>,
    pub owner: Option<String>,
    pub due_on: Option<String>,
    pub url: Option<String>,
}

/// `ticket.created`, `ticket.updated`, `ticket.status_changed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketEvent {
    pub ticket: Ticket,
    /// The status before.
    pub from: Option<String>,
    /// The status after.
    pub to: Option<String>,
    /// What an update changed: `{"priority": {"from": "low", "to": "high"}}`, or a list of field names.
    pub changes: Vec<Change>,
    /// Who did it.
    pub actor: Option<String>,
}

/// A ticket, as it is after the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub id: String,
    /// What people call it, for example `QA-42`.
    pub key: Option<String>,
    pub title: String,
    pub description: Option<String>,
    pub status: Option<String>,
    pub priority: Option<String>,
    pub url: Option<String>,
    pub assignee: Option<String>,
    pub labels: Vec<String>,
}

/// One changed field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub field: String,
    pub from: Option<String>,
    pub to: Option<String>,
}

/// `story.created`, `story.updated`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoryEvent {
    pub story: Story,
    pub project: Option<String>,
    /// Who did it.
    pub actor: Option<String>,
}

/// A user story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    pub id: String,
    pub title: String,
    /// An estimate, as the provider writes it: `3`, `0.5`.
    pub points: Option<String>,
    pub state: Option<String>,
    pub url: Option<String>,
    pub tasks: Vec<Task>,
}

/// A step of a story: text, or `{title, done?}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    pub title: String,
    pub done: bool,
}

/// `lead.submitted`. Everything in it was typed by a stranger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadSubmitted {
    pub lead: Lead,
    /// The programs that the applicant chose.
    pub programs: Vec<String>,
}

/// Somebody who asks to be called back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lead {
    pub id: String,
    pub name: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub company: Option<String>,
    pub message: Option<String>,
}

/// `workflow.started`, `workflow.step_completed`, `workflow.completed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowEvent {
    pub workflow: Workflow,
    /// The step that was completed.
    pub step: Option<String>,
    pub status: Option<String>,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
}

/// A workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workflow {
    pub id: String,
    pub name: String,
    pub url: Option<String>,
}

/// `test.run_created`, `test.run_completed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestRunEvent {
    pub run: TestRun,
}

/// A run of a test suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestRun {
    pub id: String,
    pub suite: String,
    pub url: Option<String>,
    pub passed: Option<u64>,
    pub failed: Option<u64>,
    pub skipped: Option<u64>,
    pub failures: Vec<FailedTest>,
}

impl TestRun {
    /// True when a test is known to have failed.
    pub fn has_failed(&self) -> bool {
        self.failed.is_some_and(|failed| failed > 0) || !self.failures.is_empty()
    }
}

/// A test that failed: text, or `{name, message?}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedTest {
    pub name: String,
    pub message: Option<String>,
}

impl WorkflowEvent {
    /// True for a status that says so: `failed`, `failure`, `error`, `errored`, `timed_out`, `aborted`.
    pub fn has_failed(&self) -> bool {
        const BAD: [&str; 6] = ["failed", "failure", "error", "errored", "timed_out", "aborted"];
        self.status.as_deref().is_some_and(|status| BAD.iter().any(|bad| status.eq_ignore_ascii_case(bad)))
    }
}
