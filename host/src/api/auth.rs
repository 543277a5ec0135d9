//! Who calls, in which project, and what they may do there.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Api;
use super::context::Context;
use super::door::{By, Principal};
use super::problem::{Answer, Refused};
use super::rates::Kind;
use crate::domain::account::Grants;
use crate::domain::audit::{Actor, ActorKind, Entry, Target};
use crate::domain::clock::Millis;
use crate::domain::id::{AuditId, DEFAULT_PROJECT, ProjectId, SessionId, UserId};
use crate::domain::permission::{Permission, Permissions};
use crate::domain::problem::{FieldError, Problem, ProblemCode};
use crate::domain::requester::Requester;
use crate::domain::token::PlainToken;

/// Names the project that is worked in, by its id or its external id.
pub(super) const PROJECT_HEADER: &str = "x-project";
/// Proves that a request with a cookie comes from a page of ours.
pub(super) const CSRF_HEADER: &str = "x-csrf-token";

/// Who calls.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    principal: Arc<Principal>,
    /// None when they may work in several, and have named none.
    project: Option<ProjectId>,
    permissions: Permissions,
    context: Arc<Context>,
    /// What proves where their requests come from, for those who come with a cookie.
    csrf: Option<String>,
}

fn forbidden(wanted: Permission, place: &str) -> Refused {
    Problem::new(ProblemCode::Forbidden, format!("this needs the permission `{wanted}`{place}")).into()
}

impl Caller {
    /// Refuses a caller that lacks this permission.
    pub(super) fn needs(&self, wanted: Permission) -> Answer<()> {
        if self.may(wanted) {
            return Ok(());
        }
        self.needs_project()?;
        Err(forbidden(wanted, ""))
    }

    /// Refuses a caller that has none of these permissions.
    pub(super) fn needs_one_of(&self, wanted: &[Permission]) -> Answer<()> {
        match wanted.iter().find(|wanted| self.may(**wanted)).or(wanted.first()) {
            Some(wanted) => self.needs(*wanted),
            None => Ok(()),
        }
    }

    /// Refuses a caller that lacks this permission for all projects.
    pub(super) fn needs_everywhere(&self, wanted: Permission) -> Answer<()> {
        if self.principal.grants.everywhere.allow(wanted) {
            return Ok(());
        }
        Err(forbidden(wanted, " for all projects"))
    }

    /// Refuses a caller that may work in several projects and has not said in which.
    fn needs_project(&self) -> Answer<()> {
        if self.project.is_some() {
            return Ok(());
        }
        let detail = "name the project in the header `X-Project`, by its id or its external id";
        Err(Problem::new(ProblemCode::ProjectNeeded, detail).into())
    }

    /// Whether the caller has this permission.
    pub(super) fn may(&self, wanted: Permission) -> bool {
        self.permissions.allow(wanted)
    }

    /// Whether bodies and payloads may be shown: whoever may only trigger sees that there are events, not what is in them.
    pub(super) fn may_read_events(&self) -> bool {
        self.permissions.show_payloads()
    }

    /// Refuses a caller that may not see what is in events.
    pub(super) fn needs_payloads(&self) -> Answer<()> {
        if self.may_read_events() {
            return Ok(());
        }
        self.needs_project()?;
        Err(forbidden(Permission::EventsRead, ""))
    }

    /// The project that is worked in. Asked only of those who may do something in one.
    pub(super) fn project(&self) -> ProjectId {
        self.project.unwrap_or(ProjectId::from_uuid(uuid::Uuid::nil()))
    }

    /// The same when the body names one, at `at`, in which the caller may do this.
    pub(super) async fn project_named(
        &self,
        api: &Api,
        named: Option<ProjectId>,
        wanted: Permission,
        at: &str,
    ) -> Answer<ProjectId> {
        let Some(named) = named.filter(|named| *named != self.project()) else { return Ok(self.project()) };
        let is_allowed = self.principal.grants.within(named).allow(wanted);
        if is_allowed && find_project(api, &named.to_string()).await? == Some(named) {
            return Ok(named);
        }
        let error = FieldError::new(format!("{at}/project"), "there is no such project");
        Err(Problem::invalid(vec![error]).into())
    }

    /// Everything that the caller may do.
    pub(super) fn grants(&self) -> &Grants {
        &self.principal.grants
    }

    /// The session and the user that they came as.
    pub(super) fn session(&self) -> Option<(SessionId, UserId)> {
        match self.principal.by {
            By::Session(session, user) => Some((session, user)),
            By::Token(_) => None,
        }
    }

    /// Who it is.
    pub(super) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The project that is worked in, if that is clear.
    pub(super) const fn chosen_project(&self) -> Option<ProjectId> {
        self.project
    }

    /// What proves where their requests come from.
    pub(super) fn csrf(&self) -> Option<&str> {
        self.csrf.as_deref()
    }

    /// What surrounds the request.
    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// Who it is, for logs.
    pub(super) fn actor(&self) -> String {
        self.principal.actor.to_string()
    }

    /// Who asks, and in which request.
    pub(super) fn requester(&self) -> Requester {
        Requester { name: self.actor(), request_id: Some(self.context.id.as_ref().to_owned()) }
    }

    /// A line of the audit log about something in the project that is worked in.
    pub(super) fn entry(&self, api: &Api, action: &'static str, target: Target) -> Entry {
        self.entry_in(api, Some(self.project()), action, target)
    }

    /// A line about something in a project, or of the whole server.
    pub(super) fn entry_in(
        &self,
        api: &Api,
        project: Option<ProjectId>,
        action: &'static str,
        target: Target,
    ) -> Entry {
        Entry { actor: self.principal.actor.clone(), project, ..entry(api, &self.context, action, target) }
    }
}

/// A line about what nobody did who was let in.
pub(super) fn entry(api: &Api, context: &Context, action: &'static str, target: Target) -> Entry {
    Entry {
        id: AuditId::new(api.clock.now(), api.entropy.id()),
        project: None,
        actor: Actor::nobody(),
        origin: context.origin(),
        action,
        target,
        before: None,
        after: None,
    }
}

fn unauthorized(detail: &str) -> Refused {
    Problem::new(ProblemCode::Unauthorized, detail).into()
}

/// The name of the cookie. Over https browsers take one of this name only from here, for this host alone
/// (RFC 6265bis §4.1.3.2).
pub(super) const fn cookie_name(is_https: bool) -> &'static str {
    if is_https { "__Host-hookwright" } else { "hookwright" }
}

/// The session's secret in the cookie, if there is one.
fn cookie(headers: &HeaderMap, is_https: bool) -> Option<PlainToken> {
    let name = cookie_name(is_https);
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
        .map(PlainToken::from_text)
}

/// What goes with a session's secret and can be shown to the pages of this server: whoever knows it does not know the secret.
pub(super) fn csrf_token(secret: &PlainToken) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("hookwright csrf {}", secret.expose())))
}

/// Refuses a change that a page of somebody else may have made a browser ask for.
fn check_csrf(parts: &Parts, expected: &str) -> Answer<()> {
    if matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let given = parts.headers.get(CSRF_HEADER).map_or(&b""[..], |value| value.as_bytes());
    if given.ct_eq(expected.as_bytes()).into() {
        return Ok(());
    }
    let detail = "with a cookie a change needs the header `X-CSRF-Token` as the login, or `GET /api/v1/me`, told it";
    Err(Problem::new(ProblemCode::CsrfFailed, detail).into())
}

/// Whoever comes with this token, as the store knows them.
async fn by_token(api: &Api, plain: &PlainToken) -> Answer<Principal> {
    let token = api.store.token(plain.hash()).await?.ok_or_else(|| unauthorized("the token is not valid"))?;
    Ok(Principal {
        by: By::Token(token.id),
        actor: Actor { kind: ActorKind::Token, id: Some(token.id.to_string()), name: token.name },
        grants: Grants::of(token.project, token.permissions),
        until: token.expires_at,
        session: None,
    })
}

/// Whoever comes with this session, as the store knows them.
async fn by_session(api: &Api, secret: &PlainToken) -> Answer<Principal> {
    let found = api.store.logged_in(secret.hash()).await?;
    let found = found.ok_or_else(|| unauthorized("the session has ended; log in again"))?;
    let idle_until = found.session.seen_at.plus(api.config.accounts.session_idle_ms);
    let id = found.user.id;
    Ok(Principal {
        by: By::Session(found.session.id, id),
        actor: Actor { kind: ActorKind::User, id: Some(id.to_string()), name: found.user.email },
        grants: found.grants,
        until: Some(found.session.expires_at.min(idle_until)),
        session: Some(found.session),
    })
}

/// The project of this id or external id, if there is one.
async fn find_project(api: &Api, text: &str) -> Answer<Option<ProjectId>> {
    let now = api.clock.now();
    if let Some(known) = api.door.project_known(text, now) {
        return Ok(Some(known));
    }
    let found = match text.parse() {
        Ok(id) => api.store.project(id).await?,
        Err(_) => api.store.project_called(text).await?,
    };
    let found = found.map(|project| project.id);
    if let Some(project) = found {
        api.door.remember_project(text, project, now);
    }
    Ok(found)
}

/// The project that the request is about: the one that it names, or the only one that the caller knows, or the default one.
async fn chosen_project(api: &Api, headers: &HeaderMap, grants: &Grants) -> Answer<Option<ProjectId>> {
    if let Some(named) = headers.get(PROJECT_HEADER) {
        let found = match named.to_str() {
            Ok(text) => find_project(api, text.trim()).await?,
            Err(_) => None,
        };
        let known = found.filter(|project| grants.knows(*project));
        return Ok(Some(known.ok_or_else(|| Problem::not_found("project"))?));
    }
    if grants.knows(DEFAULT_PROJECT) {
        return Ok(Some(DEFAULT_PROJECT));
    }
    let mut projects = grants.of_projects.keys();
    Ok(projects.next().copied().filter(|_| projects.next().is_none()))
}

/// Whether it posts events, which have a quota of their own.
fn kind(parts: &Parts) -> Kind {
    let is_publish = parts.method == Method::POST && parts.uri.path().ends_with("/events");
    if is_publish { Kind::Publish } else { Kind::Api }
}

fn is_over(principal: &Principal, now: Millis) -> bool {
    principal.until.is_some_and(|until| now >= until)
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refused> {
        let context = Context::from(&parts.extensions);
        let bearer = parts.headers.get(header::AUTHORIZATION);
        let secret = match bearer {
            Some(value) => {
                let text = value.to_str().ok().and_then(|text| text.split_once(' '));
                let token = text.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
                let (_, token) = token.ok_or_else(|| unauthorized("the Authorization header is not `Bearer TOKEN`"))?;
                PlainToken::from_text(token.trim())
            }
            None => cookie(&parts.headers, context.is_https).ok_or_else(|| {
                unauthorized("send `Authorization: Bearer TOKEN`; the first token is in the admin token file")
            })?,
        };
        let now = api.clock.now();
        let hash = secret.hash();
        let csrf = bearer.is_none().then(|| csrf_token(&secret));
        // A session is no bearer token and a token no cookie: what was seen as the one is not taken for the other.
        let fits = |principal: &Principal| matches!(principal.by, By::Token(_)) == csrf.is_none();
        let known = api.door.known(hash, now).filter(|principal| fits(principal));
        let principal = if let Some(known) = known {
            known
        } else {
            let found = if csrf.is_none() { by_token(api, &secret).await } else { by_session(api, &secret).await };
            let found = Arc::new(found?);
            if !is_over(&found, now) {
                api.door.remember(hash, found.clone(), now);
            }
            found
        };
        if is_over(&principal, now) {
            let what = if csrf.is_none() { "the token has expired" } else { "the session has ended; log in again" };
            return Err(unauthorized(what));
        }
        if let Some(csrf) = &csrf {
            check_csrf(parts, csrf)?;
        }
        if let Some(rate) = api.door.rates.count(principal.counted_as(), kind(parts), now) {
            // Once for each request.
            let _ = context.rate.set(rate);
            if rate.is_exceeded {
                let detail = "more was asked for than `limits` of this server allow; `RateLimit` says when to go on";
                let problem = Problem::new(ProblemCode::TooManyRequests, detail);
                return Err(Problem { retry_after_s: Some(rate.retry_after_s()), ..problem }.into());
            }
        }
        let project = chosen_project(api, &parts.headers, &principal.grants).await?;
        let permissions = project.map_or(Permissions::NONE, |project| principal.grants.within(project));
        Ok(Self { principal, project, permissions, context, csrf })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; hookwright=one"));
        headers.append(header::COOKIE, HeaderValue::from_static("__Host-hookwright=two"));
        let found = |is_https| cookie(&headers, is_https).map(|token| token.expose().to_owned());
        assert_eq!(found(false).as_deref(), Some("one"));
        assert_eq!(found(true).as_deref(), Some("two"), "over https the other one counts for nothing");
        assert!(cookie(&HeaderMap::new(), false).is_none());
    }

    #[test]
    fn the_csrf_token_is_not_the_secret() {
        let [one, other] = [[1; 32], [2; 32]].map(PlainToken::from_bytes);
        assert_ne!(csrf_token(&one), csrf_token(&other));
        assert!(!csrf_token(&one).contains(one.expose()));
    }
}
