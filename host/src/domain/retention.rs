//! How long history is kept.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::clock::Millis;
use super::id::{ProjectId, first_at};

/// Longest that can be asked for, in days.
pub const DAYS_MAX: u32 = 36_500;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What is kept for a time of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// What providers posted.
    Payloads,
    /// What was sent, and what was answered.
    Attempts,
    /// Who did what.
    Audit,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Payloads, Self::Attempts, Self::Audit];

    /// The text in the database and the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payloads => "payloads",
            Self::Attempts => "attempts",
            Self::Audit => "audit",
        }
    }
}

/// How long each is kept, in days; 0 is for ever. What a project does not say is as the server has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = Retention)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// What providers posted.
    #[serde(default)]
    pub payload_days: Option<u32>,
    /// What was sent, and what was answered.
    #[serde(default)]
    pub attempts_days: Option<u32>,
    /// Who did what.
    #[serde(default)]
    pub audit_days: Option<u32>,
}

impl Retention {
    /// Whether nothing is said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What is said, and otherwise what these say.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            payload_days: self.payload_days.or(others.payload_days),
            attempts_days: self.attempts_days.or(others.attempts_days),
            audit_days: self.audit_days.or(others.audit_days),
        }
    }

    fn days(&self, kind: Kind) -> Option<u32> {
        match kind {
            Kind::Payloads => self.payload_days,
            Kind::Attempts => self.attempts_days,
            Kind::Audit => self.audit_days,
        }
    }

    /// What is older than this is no longer kept; everything is when there is none.
    pub fn kept_from(&self, kind: Kind, now: Millis) -> Option<Millis> {
        let days = self.days(kind).filter(|days| *days > 0)?;
        Some(Millis(now.0.saturating_sub(i64::from(days) * DAY_MS)))
    }
}

/// From when on each project keeps what is of one kind.
#[derive(Debug, Clone, Default)]
pub struct Cutoffs {
    of: Vec<(ProjectId, Option<Millis>)>,
}

impl Cutoffs {
    /// The cutoffs of these projects.
    pub fn new(projects: &[(ProjectId, Retention)], kind: Kind, now: Millis) -> Self {
        let mut of: Vec<_> =
            projects.iter().map(|(project, retention)| (*project, retention.kept_from(kind, now))).collect();
        of.sort_unstable_by_key(|(project, _)| *project);
        Self { of }
    }

    /// From when on this project keeps it; always when there is none.
    pub fn kept_from(&self, project: ProjectId) -> Option<Millis> {
        let found = self.of.binary_search_by_key(&project, |(project, _)| *project).ok()?;
        self.of[found].1
    }

    /// Each project that does not keep everything.
    pub fn iter(&self) -> impl Iterator<Item = (ProjectId, Millis)> {
        self.of.iter().filter_map(|(project, from)| Some((*project, (*from)?)))
    }

    /// Nothing that is made later is removed.
    pub fn latest(&self) -> Option<uuid::Uuid> {
        self.iter().map(|(_, from)| first_at(from)).max()
    }

    /// Everything that was made before is removed, whatever its project; nothing is when one keeps everything.
    pub fn earliest(&self) -> Option<uuid::Uuid> {
        let from = |(_, from): &(ProjectId, Option<Millis>)| *from;
        self.of.iter().map(from).collect::<Option<Vec<Millis>>>()?.into_iter().min().map(first_at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::id::DEFAULT_PROJECT;
    use super::*;

    const NOW: Millis = Millis(1_769_860_800_000);

    fn days(days: u32) -> Retention {
        Retention { payload_days: Some(days), ..Retention::default() }
    }

    #[test]
    fn a_project_says_it_or_the_server_does() {
        let server = Retention { payload_days: Some(90), attempts_days: Some(30), audit_days: Some(365) };
        assert_eq!(days(7).or(server), Retention { payload_days: Some(7), ..server });
        assert_eq!(days(7).kept_from(Kind::Payloads, NOW), Some(Millis(NOW.0 - 7 * DAY_MS)));
        assert_eq!(days(0).kept_from(Kind::Payloads, NOW), None, "for ever");
        assert_eq!(days(DAYS_MAX).kept_from(Kind::Attempts, NOW), None);
        assert!(Retention::default().is_default() && !server.is_default());
    }

    #[test]
    fn what_every_project_is_done_with_can_go_as_a_whole() {
        let other = ProjectId::new(NOW, 1);
        let cutoffs = Cutoffs::new(&[(other, days(2)), (DEFAULT_PROJECT, days(9))], Kind::Payloads, NOW);
        let before = |days: i64| first_at(Millis(NOW.0 - days * DAY_MS));
        assert_eq!((cutoffs.earliest(), cutoffs.latest()), (Some(before(9)), Some(before(2))));
        assert_eq!(cutoffs.kept_from(other), Some(Millis(NOW.0 - 2 * DAY_MS)));
        assert_eq!(cutoffs.kept_from(ProjectId::new(NOW, 2)), None, "of one that is not known nothing goes");
        let keeps = Cutoffs::new(&[(other, days(2)), (DEFAULT_PROJECT, days(0))], Kind::Payloads, NOW);
        assert_eq!((keeps.earliest(), keeps.latest()), (None, Some(before(2))));
    }
}
