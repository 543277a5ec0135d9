//! One struct for each payload and its parts. Times are RFC 3339 text, dates `2026-01-31`.

/// `retro.completed`: a retrospective and what came out of it.
///
/// ```
/// use hookwright_sdk::{catalogue::Known, testing};
///
/// let payload = serde_json::json!({"retro": {"id": 1, "name": "May"}, "actions": [{"id": 2, "title": "Fix it", "owner": "ada"}]});
/// let event = testing::event("retro.completed").payload(payload).build();
/// let Known::RetroCompleted(it) = event.catalogue()? else { panic!("retro.completed") };
/// assert_eq!(it.actions.len(), 1);
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetroCompleted {
    /// The retrospective.
    pub retro: Retro,
    /// What was agreed; may be empty.
    pub actions: Vec<Action>,
}

/// A retrospective.
///
/// ```
/// use hookwright_sdk::{catalogue::Known, testing};
///
/// let payload = serde_json::json!({"retro": {"id": 1, "name": "May"}, "actions": [{"id": 2, "title": "Fix it", "owner": "ada"}]});
/// let event = testing::event("retro.completed").payload(payload).build();
/// let Known::RetroCompleted(it) = event.catalogue()? else { panic!("retro.completed") };
/// assert_eq!(it.retro.name, "May");
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retro {
    pub id: String,
    pub name: String,
    pub url: Option<String>,
}

/// Something to do, agreed in a retrospective.
///
/// ```
/// use hookwright_sdk::{catalogue::Known, testing};
///
/// let payload = serde_json::json!({"retro": {"id": 1, "name": "May"}, "actions": [{"id": 2, "title": "Fix it", "owner": "ada"}]});
/// let event = testing::event("retro.completed").payload(payload).build();
/// let Known::RetroCompleted(it) = event.catalogue()? else { panic!("retro.completed") };
/// assert_eq!(it.actions[0].owner.as_deref(), Some("ada"));
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
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
///
/// ```
/// use hookwright_sdk::{catalogue::Known, testing};
///
/// let payload = serde_json::json!({"ticket": {"id": 42, "title": "Export fails"}, "changes": {"priority": {"to": "high"}}});
/// let event = testing::event("ticket.updated").payload(payload).build();
/// let Known::TicketUpdated(it) = event.catalogue()? else { panic!("ticket.updated") };
/// assert_eq!((it.from, it.to), (None, None));
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
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
///
/// ```
/// use hookwright_sdk::{catalogue::Known, testing};
///
/// let payload = serde_json::json!({"ticket": {"id": 42, "title": "Export fails"}, "changes": {"priority": {"to": "high"}}});
/// let event = testing::event("ticket.updated").payload(payload).build();
/// let Known::TicketUpdated(it) = event.catalogue()? else { panic!("ticket.updated") };
/// assert_eq!((it.ticket.id.as_str(), it.ticket.title.as_str()), ("42", "Export fails"));
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
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
///
/// ```
/// use hookwright_sdk::{catalogue::Known, testing};
///
/// let payload = serde_json::json!({"ticket": {"id": 42, "title": "Export fails"}, "changes": {"priority": {"to": "high"}}});
/// let event = testing::event("ticket.updated").payload(payload).build();
/// let Known::TicketUpdated(it) = event.catalogue()? else { panic!("ticket.updated") };
/// assert_eq!((it.changes[0].field.as_str(), it.changes[0].to.as_deref()), ("priority", Some("high")));
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub field: String,
    pub from: Option<String>,
    pub to: Option<String>,
}

/// `story.created`, `story.updated`.
///
/// ```
/// use hookwright_sdk::{catalogue::Known, testing};
///
/// let payload = serde_json::json!({"story": {"id": 1, "title": "Export", "points": 3, "tasks": ["Write it"]}});
/// let event = testing::event("story.created").payload(payload).build();
/// let Known::StoryCreated(it) = event.catalogue()? else { panic!("story.created") };
/// assert_eq!(it.project, None);
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoryEvent {
    pub story: Story,
    pub project: Option<String>,
    /// Who did it.
    pub actor: Option<String>,
}

/// A user story.
///
/// ```
/// use hookwright_sdk::{catalogue::Known, testing};
///
/// let payload = serde_json::json!({"story": {"id": 1, "title": "Export", "points": 3, "tasks": ["Write it"]}});
/// let event = testing::event("story.created").payload(payload).build();
/// let Known::StoryCreated(it) = event.catalogue()? else { panic!("story.created") };
/// assert_eq!(it.story.points.as_deref(), Some("3"));
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
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
///
/// ```
/// use hookwright_sdk::{catalogue::Known, testing};
///
/// let payload = serde_json::json!({"story": {"id": 1, "title": "Export", "points": 3, "tasks": ["Write it"]}});
/// let event = testing::event("story.created").payload(payload).build();
/// let Known::StoryCreated(it) = event.catalogue()? else { panic!("story.created") };
/// assert!(!it.story.tasks[0].done);
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    pub title: String,
    pub done: bool,
}

/// `lead.submitted`. Everything in it was typed by a stranger.
///
/// ```
/// use hookwright_sdk::{catalogue::Known, testing};
///
/// let payload = serde_json::json!({"lead": {"id": 1, "name": "Ada"}, "programs": ["housing"]});
/// let event = testing::event("lead.submitted").payload(payload).build();
/// let Known::LeadSubmitted(it) = event.catalogue()? else { panic!("lead.submitted") };
/// assert_eq!(it.programs, ["housing"]);
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadSubmitted {
    pub lead: Lead,
    /// The programs that the applicant chose.
    pub programs: Vec<String>,
}

/// Somebody who asks to be called back.
///
/// ```
/// use hookwright_sdk::{catalogue::Known, testing};
///
/// let payload = serde_json::json!({"lead": {"id": 1, "name": "Ada"}, "programs": ["housing"]});
/// let event = testing::event("lead.submitted").payload(payload).build();
/// let Known::LeadSubmitted(it) = event.catalogue()? else { panic!("lead.submitted") };
/// assert_eq!(it.lead.name, "Ada");
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
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
///
/// ```
/// use hookwright_sdk::{catalogue::Known, testing};
///
/// let payload = serde_json::json!({"workflow": {"id": 1, "name": "Release"}, "status": "failed"});
/// let event = testing::event("workflow.completed").payload(payload).build();
/// let Known::WorkflowCompleted(it) = event.catalogue()? else { panic!("workflow.completed") };
/// assert_eq!(it.status.as_deref(), Some("failed"));
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
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
///
/// ```
/// use hookwright_sdk::{catalogue::Known, testing};
///
/// let payload = serde_json::json!({"workflow": {"id": 1, "name": "Release"}, "status": "failed"});
/// let event = testing::event("workflow.completed").payload(payload).build();
/// let Known::WorkflowCompleted(it) = event.catalogue()? else { panic!("workflow.completed") };
/// assert_eq!(it.workflow.name, "Release");
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workflow {
    pub id: String,
    pub name: String,
    pub url: Option<String>,
}

/// `test.run_created`, `test.run_completed`.
///
/// ```
/// use hookwright_sdk::{catalogue::Known, testing};
///
/// let payload = serde_json::json!({"run": {"id": 1, "suite": "unit", "failed": 1, "failures": ["it adds"]}});
/// let event = testing::event("test.run_completed").payload(payload).build();
/// let Known::TestRunCompleted(it) = event.catalogue()? else { panic!("test.run_completed") };
/// assert_eq!(it.run.id, "1");
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestRunEvent {
    pub run: TestRun,
}

/// A run of a test suite.
///
/// ```
/// use hookwright_sdk::{catalogue::Known, testing};
///
/// let payload = serde_json::json!({"run": {"id": 1, "suite": "unit", "failed": 1, "failures": ["it adds"]}});
/// let event = testing::event("test.run_completed").payload(payload).build();
/// let Known::TestRunCompleted(it) = event.catalogue()? else { panic!("test.run_completed") };
/// assert_eq!((it.run.suite.as_str(), it.run.passed), ("unit", None));
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
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
    ///
    /// ```
    /// use hookwright_sdk::{catalogue::Known, testing};
    ///
    /// let payload = serde_json::json!({"run": {"id": 1, "suite": "unit", "failed": 1, "failures": ["it adds"]}});
    /// let event = testing::event("test.run_completed").payload(payload).build();
    /// let Known::TestRunCompleted(it) = event.catalogue()? else { panic!("test.run_completed") };
    /// assert!(it.run.has_failed());
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    pub fn has_failed(&self) -> bool {
        self.failed.is_some_and(|failed| failed > 0) || !self.failures.is_empty()
    }
}

/// A test that failed: text, or `{name, message?}`.
///
/// ```
/// use hookwright_sdk::{catalogue::Known, testing};
///
/// let payload = serde_json::json!({"run": {"id": 1, "suite": "unit", "failed": 1, "failures": ["it adds"]}});
/// let event = testing::event("test.run_completed").payload(payload).build();
/// let Known::TestRunCompleted(it) = event.catalogue()? else { panic!("test.run_completed") };
/// assert_eq!(it.run.failures[0].name, "it adds");
/// # Ok::<(), hookwright_sdk::Failure>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedTest {
    pub name: String,
    pub message: Option<String>,
}

impl WorkflowEvent {
    /// True for a status that says so: `failed`, `failure`, `error`, `errored`, `timed_out`, `aborted`.
    ///
    /// ```
    /// use hookwright_sdk::{catalogue::Known, testing};
    ///
    /// let payload = serde_json::json!({"workflow": {"id": 1, "name": "Release"}, "status": "failed"});
    /// let event = testing::event("workflow.completed").payload(payload).build();
    /// let Known::WorkflowCompleted(it) = event.catalogue()? else { panic!("workflow.completed") };
    /// assert!(it.has_failed());
    /// # Ok::<(), hookwright_sdk::Failure>(())
    /// ```
    pub fn has_failed(&self) -> bool {
        self.status.as_deref().is_some_and(is_bad)
    }
}

/// Whether a status says that something has failed.
pub(crate) fn is_bad(status: &str) -> bool {
    const BAD: [&str; 6] = ["failed", "failure", "error", "errored", "timed_out", "aborted"];
    BAD.iter().any(|bad| status.eq_ignore_ascii_case(bad))
}
