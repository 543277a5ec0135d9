//! Who gets in: tokens and sessions seen lately, projects that there are, and how much each caller may ask for.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::logins::Logins;
use super::rates::Rates;
use crate::config::Config;
use crate::domain::account::{Grants, Session};
use crate::domain::audit::Actor;
use crate::domain::clock::Millis;
use crate::domain::id::{ProjectId, SessionId, TokenId, UserId};
use crate::domain::token::TokenHash;
use crate::store::{Store, StoreError};

/// How long a caller is believed without asking the store: whoever is revoked, disabled or logged out on another node is
/// refused here after that.
const BELIEVED_MS: u64 = 1000;
/// Callers, and projects, remembered at once.
const REMEMBERED_MAX: usize = 10_000;

/// By what somebody is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum By {
    /// A token.
    Token(TokenId),
    /// A session, of this user.
    Session(SessionId, UserId),
}

/// Somebody who may come in.
#[derive(Debug, Clone)]
pub(super) struct Principal {
    pub(super) by: By,
    pub(super) actor: Actor,
    pub(super) grants: Grants,
    /// Until then; none for ever.
    pub(super) until: Option<Millis>,
    /// The session that they came with.
    pub(super) session: Option<Session>,
}

impl Principal {
    /// The same for all of a user's sessions.
    pub(super) const fn counted_as(&self) -> uuid::Uuid {
        match self.by {
            By::Token(id) => id.uuid(),
            By::Session(_, user) => user.uuid(),
        }
    }
}

#[derive(Debug, Default)]
struct Seen {
    principals: HashMap<TokenHash, (Arc<Principal>, Millis)>,
    /// When they came last, of those of which that was not yet stored.
    used: HashMap<By, Millis>,
}

/// Who gets in.
#[derive(Debug)]
pub struct Door {
    seen: Mutex<Seen>,
    projects: Mutex<HashMap<String, (ProjectId, Millis)>>,
    pub(super) rates: Rates,
    pub(super) logins: Logins,
}

impl Door {
    /// Nobody has come yet.
    pub fn new(config: &Config) -> Self {
        Self {
            seen: Mutex::default(),
            projects: Mutex::default(),
            rates: Rates::new(config.limits),
            logins: Logins::new(config.accounts),
        }
    }

    /// Somebody who was here a moment ago.
    pub(super) fn known(&self, hash: TokenHash, now: Millis) -> Option<Arc<Principal>> {
        let mut seen = self.seen.lock();
        let principal = seen.principals.get(&hash).filter(|(_, until)| now < *until)?.0.clone();
        seen.used.insert(principal.by, now);
        Some(principal)
    }

    /// Remembers somebody who was let in at `now`, which was before the store was asked.
    pub(super) fn remember(&self, hash: TokenHash, principal: Arc<Principal>, now: Millis) {
        let mut seen = self.seen.lock();
        if seen.principals.len() >= REMEMBERED_MAX {
            seen.principals.retain(|_, (_, until)| now < *until);
        }
        if seen.principals.len() >= REMEMBERED_MAX {
            seen.principals.clear();
        }
        seen.used.insert(principal.by, now);
        seen.principals.insert(hash, (principal, now.plus(BELIEVED_MS)));
    }

    /// Believes nobody any more without asking: something of what they may do has changed.
    pub(super) fn forget_all(&self) {
        self.seen.lock().principals.clear();
        self.projects.lock().clear();
    }

    /// The project of this name, if that was asked a moment ago.
    pub(super) fn project_known(&self, text: &str, now: Millis) -> Option<ProjectId> {
        self.projects.lock().get(text).filter(|(_, until)| now < *until).map(|(project, _)| *project)
    }

    pub(super) fn remember_project(&self, text: &str, project: ProjectId, now: Millis) {
        let mut projects = self.projects.lock();
        if projects.len() >= REMEMBERED_MAX {
            projects.clear();
        }
        projects.insert(text.to_owned(), (project, now.plus(BELIEVED_MS)));
    }

    /// Stores when tokens and sessions were used last: now and then, and never while somebody waits.
    pub async fn note_uses(&self, store: &Store) -> Result<(), StoreError> {
        let used = std::mem::take(&mut self.seen.lock().used);
        let (mut tokens, mut sessions) = (Vec::new(), Vec::new());
        for (by, at) in used {
            match by {
                By::Token(id) => tokens.push((id, at)),
                By::Session(id, _) => sessions.push((id, at)),
            }
        }
        // In one order, so that nodes that do so at the same time do not stand in each other's way.
        tokens.sort_unstable();
        sessions.sort_unstable();
        if !tokens.is_empty() {
            store.touch_tokens(tokens).await?;
        }
        if !sessions.is_empty() {
            store.touch_sessions(sessions).await?;
        }
        Ok(())
    }
}
