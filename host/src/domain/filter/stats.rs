//! What became of a filter's evaluations, on this node since the filter was set or the node started.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

use super::{FilterError, Verdict};
use crate::domain::clock::Millis;
use crate::domain::id::EventId;

/// The last evaluation that gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LastError {
    /// When.
    pub at: Millis,
    /// For which event.
    pub event_id: EventId,
    /// Why.
    pub message: String,
}

/// Counts of events that were stored.
#[derive(Debug, Default)]
pub struct FilterStats {
    matched: AtomicU64,
    not_matched: AtomicU64,
    errors: AtomicU64,
    last_error: Mutex<Option<LastError>>,
}

impl FilterStats {
    /// Counts what came of an event.
    pub fn count(&self, verdict: &Verdict, event: EventId, at: Millis) {
        match verdict {
            Verdict::Match => self.matched.fetch_add(1, Ordering::Relaxed),
            Verdict::NoMatch => self.not_matched.fetch_add(1, Ordering::Relaxed),
            Verdict::Error(error) => self.count_error(error, event, at),
        };
    }

    fn count_error(&self, error: &FilterError, event_id: EventId, at: Millis) -> u64 {
        *self.last_error.lock() = Some(LastError { at, event_id, message: error.to_string() });
        self.errors.fetch_add(1, Ordering::Relaxed)
    }

    /// Events that were wanted.
    pub fn matched(&self) -> u64 {
        self.matched.load(Ordering::Relaxed)
    }

    /// Events that were not.
    pub fn not_matched(&self) -> u64 {
        self.not_matched.load(Ordering::Relaxed)
    }

    /// Events for which there was no answer.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// The last of those.
    pub fn last_error(&self) -> Option<LastError> {
        self.last_error.lock().clone()
    }
}
