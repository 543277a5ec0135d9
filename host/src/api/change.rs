//! The one way in which what has a version is changed: told in the audit log, refused when somebody else was faster, answered
//! with what it is now.

use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::Api;
use super::etag::{etag, is_changed_meanwhile};
use super::problem::{Answer, Refused};
use crate::domain::audit::Entry;
use crate::store::{Store, StoreError};

/// What storing a change came to.
pub(super) enum Outcome {
    Done,
    /// Somebody else was faster.
    Stale,
    Refused(Refused),
}

impl From<bool> for Outcome {
    fn from(is_done: bool) -> Self {
        if is_done { Self::Done } else { Self::Stale }
    }
}

/// Something that changes, as it is shown.
pub(super) struct Change<B> {
    /// What it is called.
    pub(super) what: &'static str,
    /// Its version afterwards.
    pub(super) version: i64,
    pub(super) before: B,
    pub(super) after: B,
}

impl<B: Serialize> Change<B> {
    /// Stores it with its line in the log. It may be about what somebody may do, so nobody is believed any more.
    pub(super) async fn store<F>(self, api: &Api, entry: Entry, store: impl FnOnce(Store) -> F) -> Answer<Response>
    where
        F: Future<Output = Result<Outcome, StoreError>>,
    {
        let Self { what, version, before, after } = self;
        match store(api.store.audited(entry.change(before, &after))).await? {
            Outcome::Done => {}
            Outcome::Stale => return Err(is_changed_meanwhile(what).into()),
            Outcome::Refused(refused) => return Err(refused),
        }
        api.door.forget_all();
        Ok((etag(version), axum::Json(after)).into_response())
    }
}
