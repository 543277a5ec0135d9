//! Who calls, and what they may do.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use parking_lot::Mutex;

use super::Api;
use super::problem::{Answer, Refused};
use crate::domain::clock::Millis;
use crate::domain::id::{DEFAULT_PROJECT, ProjectId};
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::token::{Permission, PlainToken, Token, TokenHash};

/// How long a token is believed without asking the store: a revoked one is refused after that.
const BELIEVED_MS: u64 = 1000;
/// Tokens remembered at once.
const REMEMBERED_MAX: usize = 10_000;

/// Tokens seen lately, by their hash.
#[derive(Debug, Default)]
pub struct TokenCache {
    seen: Mutex<HashMap<TokenHash, (Arc<Token>, Millis)>>,
}

impl TokenCache {
    fn get(&self, hash: TokenHash, now: Millis) -> Option<Arc<Token>> {
        let seen = self.seen.lock();
        seen.get(&hash).filter(|(_, until)| now < *until).map(|(token, _)| token.clone())
    }

    fn put(&self, hash: TokenHash, token: Arc<Token>, now: Millis) {
        let mut seen = self.seen.lock();
        if seen.len() >= REMEMBERED_MAX {
            seen.clear();
        }
        seen.insert(hash, (token, now.plus(BELIEVED_MS)));
    }
}

/// Who calls.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    token: Arc<Token>,
}

impl Caller {
    /// Refuses a caller that lacks this permission.
    pub(super) fn needs(&self, wanted: Permission) -> Answer<()> {
        if self.may(wanted) {
            return Ok(());
        }
        Err(Problem::new(ProblemCode::Forbidden, format!("this needs the permission `{wanted}`")).into())
    }

    /// Whether the caller has this permission.
    pub(super) fn may(&self, wanted: Permission) -> bool {
        self.token.allows(wanted)
    }

    /// Whether bodies and payloads may be shown: whoever may only trigger sees that there are events, not what is in them.
    pub(super) fn may_read_events(&self) -> bool {
        self.token.permissions.iter().any(|permission| permission.shows_payloads())
    }

    /// Refuses a caller that may not see what is in events.
    pub(super) fn needs_payloads(&self) -> Answer<()> {
        if self.may_read_events() {
            return Ok(());
        }
        let needed = Permission::EventsRead;
        Err(Problem::new(ProblemCode::Forbidden, format!("this needs the permission `{needed}`")).into())
    }

    /// The project that is worked in: the token's own, or the default one.
    pub(super) fn project(&self) -> ProjectId {
        self.token.project.unwrap_or(DEFAULT_PROJECT)
    }

    /// The same when the client names one.
    pub(super) fn project_named(&self, named: Option<ProjectId>) -> Answer<ProjectId> {
        match named {
            Some(named) if named != self.project() => {
                Err(Problem::field("/project", "there is no such project").into())
            }
            _ => Ok(self.project()),
        }
    }

    /// Who it is, for logs.
    pub(super) fn actor(&self) -> String {
        format!("token {}", self.token.name)
    }
}

fn unauthorized(detail: &str) -> Refused {
    Problem::new(ProblemCode::Unauthorized, detail).into()
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refused> {
        let header = parts.headers.get(AUTHORIZATION).ok_or_else(|| {
            unauthorized("send `Authorization: Bearer TOKEN`; the first token is in the admin token file")
        })?;
        let text = header.to_str().ok().and_then(|text| {
            text.split_once(' ')
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                .map(|(_, token)| token.trim())
        });
        let hash =
            PlainToken::from_text(text.ok_or_else(|| unauthorized("the Authorization header is not `Bearer TOKEN`"))?)
                .hash();
        let now = api.clock.now();
        if let Some(token) = api.tokens.get(hash, now) {
            return Ok(Self { token });
        }
        let token = api.store.token(hash).await?.ok_or_else(|| unauthorized("the token is not valid"))?;
        let token = Arc::new(token);
        api.tokens.put(hash, token.clone(), now);
        Ok(Self { token })
    }
}
