//! Long work that goes on by itself, in steps: how far it is, and how it ended.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::backtest::Backtest;
use super::clock::Millis;
use super::delivery::text_enum;
use super::id::{JobId, ProjectId, WebhookId};
use super::requester::Requester;
use super::selection::Selection;

text_enum!(
    /// Where a job stands.
    JobState {
        /// Not begun.
        Pending = "pending",
        /// Begun.
        Running = "running",
        /// Done to its end.
        Succeeded = "succeeded",
        /// Ended before its end; what was done stays done.
        Failed = "failed",
        /// Ended by a person; what was done stays done.
        Cancelled = "cancelled",
    }
);

impl JobState {
    /// Whether there is work to come.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Running)
    }
}

text_enum!(
    /// What a job does.
    JobKind {
        /// Makes new deliveries of parked ones.
        Reprocess = "reprocess",
        /// Sends deliveries again.
        Resend = "resend",
        /// Gives deliveries up.
        Cancel = "cancel",
        /// Sends events that did not get to a webhook.
        Recover = "recover",
        /// Tries a version and a configuration on events that were delivered.
        Backtest = "backtest",
    }
);

impl JobKind {
    /// Which jobs it takes turns with.
    pub const fn lane(self) -> JobLane {
        match self {
            Self::Backtest => JobLane::Slow,
            Self::Reprocess | Self::Resend | Self::Cancel | Self::Recover => JobLane::Quick,
        }
    }
}

/// Jobs whose steps take so long that others do not wait for them go on beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobLane {
    /// A step is a transaction.
    Quick,
    /// A step runs plugins: backtests.
    Slow,
}

/// Which parked deliveries of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParkedSelection {
    /// Of this webhook.
    pub webhook_id: WebhookId,
    /// Made at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Millis>,
    /// Made before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
    /// With this error code of the plugin's run, such as `plugin.timeout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// Of this version of the plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin_version: Option<String>,
}

/// Events of a time that a webhook wants and that did not get to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Missed {
    /// This webhook.
    pub webhook_id: WebhookId,
    /// Received at this time or later.
    pub since: Millis,
    /// Received before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
}

/// What a job does, with all it needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobWork {
    /// Makes new deliveries of these, oldest first, none twice.
    Reprocess(ParkedSelection),
    /// Sends these again, oldest first: what of them did not arrive.
    Resend(Selection),
    /// Gives these up, oldest first.
    Cancel(Selection),
    /// Sends these, oldest first, none twice.
    Recover(Missed),
    /// Tries this on these, newest first; nothing is sent.
    Backtest(Backtest),
}

impl JobWork {
    /// Its kind.
    pub const fn kind(&self) -> JobKind {
        match self {
            Self::Reprocess(_) => JobKind::Reprocess,
            Self::Resend(_) => JobKind::Resend,
            Self::Cancel(_) => JobKind::Cancel,
            Self::Recover(_) => JobKind::Recover,
            Self::Backtest(_) => JobKind::Backtest,
        }
    }
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Progress {
    /// So much is done.
    pub done: u64,
    /// Of so much, as it was counted when the job was made; none when nobody knows.
    pub total: Option<u64>,
    /// So much could not be done.
    pub failed: u64,
}

/// Long work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Its project.
    pub project: ProjectId,
    /// What it does.
    pub work: JobWork,
    /// Where it stands.
    pub state: JobState,
    /// How far it is.
    pub progress: Progress,
    /// Why it ended before its end.
    pub reason: Option<String>,
    /// Who asked for it.
    pub requester: Requester,
    /// When it was made. What came later is none of its business.
    pub created_at: Millis,
    /// When its first step was begun.
    pub started_at: Option<Millis>,
    /// When it came to its end.
    pub ended_at: Option<Millis>,
}
