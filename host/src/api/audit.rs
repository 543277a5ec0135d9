//! `/audit`: who did what to what, from where, and what it changed.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::Caller;
use super::extract::{Query, page};
use super::lines::{Lines, lines};
use super::problem::Answer;
use crate::domain::audit::Origin;
use crate::domain::clock::Millis;
use crate::domain::id::{AuditId, ProjectId};
use crate::domain::page::{Cursor, LIMIT_MAX, Page, PageRequest};
use crate::domain::permission::Permission;
use crate::domain::problem::{FieldError, Problem};
use crate::domain::selection::SELECTION_MAX_CHARS;
use crate::store::{AuditSearch, LoggedEntry, StoreError};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(super) struct EntryBody {
    id: AuditId,
    at: Millis,
    /// None for what is the whole server's.
    project: Option<ProjectId>,
    actor: ActorBody,
    action: String,
    target: TargetBody,
    #[serde(flatten)]
    origin: Origin,
    /// What has changed, as it was.
    #[schema(value_type = Option<Value>)]
    before: Option<Box<RawValue>>,
    /// What has changed, as it became.
    #[schema(value_type = Option<Value>)]
    after: Option<Box<RawValue>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditActor)]
struct ActorBody {
    kind: String,
    id: Option<String>,
    name: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditTarget)]
struct TargetBody {
    kind: String,
    id: String,
}

fn entry_body(entry: LoggedEntry) -> EntryBody {
    let (kind, id, name) = entry.actor;
    let json = |text: Option<String>| text.and_then(|text| RawValue::from_string(text).ok());
    EntryBody {
        id: entry.id,
        at: entry.id.made_at(),
        project: entry.project,
        actor: ActorBody { kind, id, name },
        action: entry.action,
        target: TargetBody { kind: entry.target.0, id: entry.target.1 },
        origin: Origin { address: entry.address, request_id: entry.request_id, user_agent: entry.user_agent },
        before: json(entry.before),
        after: json(entry.after),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Done by this one: the id of a user or a token.
    #[param(min_length = 1, max_length = 255)]
    actor_id: Option<String>,
    /// Of this action, like `webhook.updated`; `webhook.*` stands for all that begin so.
    #[param(min_length = 1, max_length = 255)]
    action: Option<String>,
    /// Done to this one: its id, or its name.
    #[param(min_length = 1, max_length = 255)]
    target_id: Option<String>,
    /// At this time or later.
    #[param(value_type = Option<Millis>)]
    since: Option<String>,
    /// Before this time.
    #[param(value_type = Option<Millis>)]
    until: Option<String>,
    /// Of all projects, and of the server itself: for whoever may read the log of all.
    #[serde(default)]
    all_projects: bool,
}

impl AuditQuery {
    fn read(self, api: &Api, caller: &Caller) -> Answer<AuditSearch> {
        let project = if self.all_projects {
            caller.needs_everywhere(Permission::AuditRead)?;
            None
        } else {
            caller.needs(Permission::AuditRead)?;
            Some(caller.project())
        };
        let mut wrong = Vec::new();
        for (name, text) in [("actor_id", &self.actor_id), ("action", &self.action), ("target_id", &self.target_id)] {
            let is_wrong = |text: &String| !(1..=SELECTION_MAX_CHARS).contains(&text.chars().count());
            if text.as_ref().is_some_and(is_wrong) {
                wrong.push(FieldError::new(format!("/{name}"), format!("is 1 to {SELECTION_MAX_CHARS} characters")));
            }
        }
        let mut time = |name: &str, text: Option<String>| {
            let text = text?;
            let time = Millis::parse(&text);
            if time.is_none() {
                let detail = "expected a time like `2026-01-31T12:00:00Z` (RFC 3339)";
                wrong.push(FieldError::new(format!("/{name}"), detail));
            }
            time
        };
        let (since, until) = (time("since", self.since), time("until", self.until));
        if since.zip(until).is_some_and(|(since, until)| since >= until) {
            wrong.push(FieldError::new("/until", "is later than `since`"));
        }
        if !wrong.is_empty() {
            return Err(Problem::parameters(wrong).into());
        }
        let (actor, action, target) = (self.actor_id, self.action, self.target_id);
        // `webhook.*` stands for all that begin so, as in patterns of event types.
        let action = action.map(|action| action.strip_suffix('*').map(ToOwned::to_owned).unwrap_or(action));
        Ok(AuditSearch { project, actor, action, target, since, until, rows: api.config.log.scan_rows })
    }
}

/// Lines of the project that is worked in, newest first; with `all_projects` of all, and of the server itself.
#[utoipa::path(
    get,
    path = "/audit",
    params(AuditQuery),
    security(("token" = [Permission::AuditRead])),
    responses((status = OK, body = Page<EntryBody>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<AuditQuery>,
) -> Answer<axum::Json<Page<EntryBody>>> {
    let (limit, cursor) = (query.limit, query.cursor.clone());
    let search = query.read(&api, &caller)?;
    let page = page(limit, cursor.as_deref())?;
    Ok(axum::Json(api.store.audit_log(&search, page).await?.map(entry_body)))
}

/// All lines that are looked for, newest first, one line of JSON each (NDJSON).
#[utoipa::path(
    get,
    path = "/audit/export",
    params(AuditQuery),
    security(("token" = [Permission::AuditRead])),
    responses(
        (status = OK, body = EntryBody, content_type = "application/x-ndjson", description = "One line for each entry.")
    )
)]
pub(super) async fn export(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<AuditQuery>,
) -> Answer<Response> {
    if query.limit.is_some() || query.cursor.is_some() {
        caller.needs(Permission::AuditRead)?;
        return Err(Problem::query("an export is whole: it has no `limit` and no `cursor`").into());
    }
    let search = query.read(&api, &caller)?;
    Ok(lines(|lines| write(api, search, lines)))
}

async fn write(api: Api, search: AuditSearch, lines: Lines) -> Result<(), StoreError> {
    let mut cursor = None;
    loop {
        let found = api.store.audit_log(&search, PageRequest { limit: LIMIT_MAX, cursor }).await?;
        for entry in found.items {
            if !lines.write(&entry_body(entry)).await {
                return Ok(());
            }
        }
        cursor = found.next_cursor.as_deref().and_then(Cursor::decode);
        if cursor.is_none() {
            return Ok(());
        }
    }
}
