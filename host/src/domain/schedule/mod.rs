//! Time as a source of events: what a project wants to happen when, and when that is.

mod due;
mod expression;
mod runs;
mod words;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::clock::Millis;
use super::event::{Event, Field};
use super::id::{EventId, ProjectId, ScheduleId};
use super::pattern::EventType;

pub use due::{Decision, decide};
pub use expression::{EXPRESSION_MAX_CHARS, Expression, InvalidExpression};
pub use runs::{InvalidZone, Zone};

/// Most characters of a schedule's name.
pub const NAME_MAX_CHARS: usize = 255;
/// Most characters of its description.
pub const DESCRIPTION_MAX_CHARS: usize = 2000;
/// How many coming runs are shown.
pub const RUNS_SHOWN: usize = 5;

/// What becomes of runs that were due while no server ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = MissedRuns)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// One run makes up for all of them.
    #[default]
    RunOnce,
    /// Nothing.
    Skip,
}

impl Missed {
    /// The text in the API and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RunOnce => "run_once",
            Self::Skip => "skip",
        }
    }

    /// Reads that text.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::RunOnce, Self::Skip].into_iter().find(|missed| missed.as_str() == text)
    }
}

/// A run that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastRun {
    /// When it was due; when it was asked for, if a person did.
    pub due_at: Millis,
    /// When it was made.
    pub ran_at: Millis,
    /// What it emitted.
    pub event: EventId,
}

/// An event that is emitted again and again.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Its id.
    pub id: ScheduleId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// When it runs,
    pub expression: Expression,
    /// by the clocks of this zone.
    pub zone: Zone,
    /// The type of its events.
    pub event_type: EventType,
    /// What they are about.
    pub subject: Option<String>,
    /// What they hold: JSON.
    pub payload: Bytes,
    /// What becomes of runs that were missed.
    pub missed: Missed,
    /// Whether it runs by itself.
    pub enabled: bool,
    /// When it is due next; never when it is disabled, or when no run is left.
    pub next_run: Option<Millis>,
    /// The run that was made last.
    pub last_run: Option<LastRun>,
    /// The last run that was missed and not made.
    pub skipped_at: Option<Millis>,
    /// Grows with each change by a person.
    pub version: i64,
    /// When it was made.
    pub created_at: Millis,
    /// When it was last changed by a person.
    pub updated_at: Millis,
}

/// An attribute of the events of schedules: which one.
const SCHEDULE_ATTRIBUTE: &str = "schedule";

impl Schedule {
    /// The event of a run that was due then; `occurred_at` tells when that was.
    pub fn event(&self, id: EventId, due: Millis, now: Millis) -> Event {
        Event {
            id,
            project: self.project,
            event_type: self.event_type.clone(),
            subject: self.subject.clone(),
            occurred_at: due,
            received_at: now,
            content_type: "application/json".to_owned(),
            attributes: vec![Field::new(SCHEDULE_ATTRIBUTE, self.id.to_string())],
            payload: Some(self.payload.clone()),
            request_id: None,
        }
    }

    /// When it runs next after this time, if it is enabled.
    pub fn next_after(&self, now: Millis) -> Option<Millis> {
        if self.enabled { self.expression.next_after(now, self.zone) } else { None }
    }
}
