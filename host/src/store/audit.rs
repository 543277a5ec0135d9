//! The audit log: written with what it tells of, read page by page, never changed.

use std::fmt::Write as _;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::db::{Tx, again, in_snapshot};
use super::value::values;
use super::{Store, StoreError};
use crate::domain::audit::Entry;
use crate::domain::clock::Millis;
use crate::domain::id::{AuditId, ProjectId, first_at};
use crate::domain::page::{Cursor, Page, PageRequest};

/// What is looked for in the log; what is not named does not matter.
#[derive(Debug, Clone, Default)]
pub struct AuditSearch {
    /// In this project; of all projects and the server itself when none.
    pub project: Option<ProjectId>,
    /// By this user or token.
    pub actor: Option<String>,
    /// This action, or those that begin with this when it ends with a dot.
    pub action: Option<String>,
    /// Done to this.
    pub target: Option<String>,
    /// At this time or later.
    pub since: Option<Millis>,
    /// Before this time.
    pub until: Option<Millis>,
    /// At most so many lines are looked at; at least 1.
    pub rows: u32,
}

/// A line as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEntry {
    /// Its id, which says when.
    pub id: AuditId,
    /// In which project; none for what is the whole server's.
    pub project: Option<ProjectId>,
    /// What kind of caller, their id and their name then.
    pub actor: (String, Option<String>, String),
    /// What was done.
    pub action: String,
    /// To what: the kind of thing and its id.
    pub target: (String, String),
    /// From where.
    pub address: Option<String>,
    /// By which request.
    pub request_id: Option<String>,
    /// What the client said it was.
    pub user_agent: Option<String>,
    /// JSON of what has changed, as it was.
    pub before: Option<String>,
    /// JSON of what has changed, as it became.
    pub after: Option<String>,
}

#[derive(Debug, FromRow)]
struct Row {
    id: Uuid,
    project_id: Uuid,
    actor_kind: String,
    actor_id: Option<String>,
    actor_name: String,
    action: String,
    target_kind: String,
    target_id: String,
    address: Option<String>,
    request_id: Option<String>,
    user_agent: Option<String>,
    was: Option<String>,
    became: Option<String>,
}

impl From<Row> for LoggedEntry {
    fn from(row: Row) -> Self {
        Self {
            id: AuditId::from_uuid(row.id),
            project: Some(row.project_id).filter(|id| !id.is_nil()).map(ProjectId::from_uuid),
            actor: (row.actor_kind, row.actor_id, row.actor_name),
            action: row.action,
            target: (row.target_kind, row.target_id),
            address: row.address,
            request_id: row.request_id,
            user_agent: row.user_agent,
            before: row.was,
            after: row.became,
        }
    }
}

/// What is stored for the project of what is the whole server's.
fn stored_project(project: Option<ProjectId>) -> Uuid {
    project.map_or(Uuid::nil(), ProjectId::uuid)
}

/// What an index finds, of which the most selective is taken. The rest is looked at row by row.
const fn by_index(search: &AuditSearch) -> &'static str {
    match (search.target.is_some(), search.actor.is_some(), search.project.is_some()) {
        (true, ..) => "AND target_id = $7",
        (false, true, _) => "AND actor_id = $5",
        (false, false, true) => "AND project_id = $4",
        (false, false, false) => "",
    }
}

const WANTED: &str = "($4 IS NULL OR project_id = $4) AND ($5 IS NULL OR actor_id = $5)
    AND ($6 IS NULL OR action = $6 OR (substr($6, length($6), 1) = '.' AND substr(action, 1, length($6)) = $6))
    AND ($7 IS NULL OR target_id = $7)";

macro_rules! bound {
    ($query:expr, $search:expr, $after:expr) => {
        $query
            .bind($after)
            .bind($search.since.map_or(Uuid::nil(), first_at))
            .bind($search.until.map_or(Uuid::max(), first_at))
            .bind($search.project.map(ProjectId::uuid))
            .bind($search.actor.as_deref())
            .bind($search.action.as_deref())
            .bind($search.target.as_deref())
    };
}

impl Store {
    /// The same store; what is changed through it is told of by this line, in the same transaction.
    #[must_use]
    pub fn audited(&self, entry: Entry) -> Self {
        Self { parts: self.parts.clone(), entry: Some(Arc::new(entry)) }
    }

    /// Writes the line that tells of this transaction, if there is one. Called when it is clear that it changes something.
    pub(super) async fn note(&self, tx: &mut Tx) -> Result<(), StoreError> {
        match &self.entry {
            Some(entry) => write(tx, entry).await,
            None => Ok(()),
        }
    }

    /// Writes a line about what is no change: a login that failed, something that is about to be sent by hand.
    pub async fn record(&self, entry: Entry) -> Result<(), StoreError> {
        again!({
            let entry = entry.clone();
            self.db.transact(move |tx| Box::pin(async move { write(tx, &entry).await })).await
        })
    }

    /// Lines, newest first. A page may be short, or empty, and yet not the last one: then as many were looked at as may be.
    pub async fn audit_log(&self, search: &AuditSearch, page: PageRequest) -> Result<Page<LoggedEntry>, StoreError> {
        const COLUMNS: &str =
            "id, project_id, actor_kind, actor_id, actor_name, action, target_kind, target_id, address,
            request_id, user_agent, was, became";
        let range = format!("id < $1 AND id >= $2 AND id < $3 {}", by_index(search));
        let edge = format!("SELECT id FROM audit_log WHERE {range} ORDER BY id DESC LIMIT 1 OFFSET $8");
        let mut rows = format!("SELECT {COLUMNS} FROM audit_log WHERE {range} AND {WANTED}");
        write!(rows, " AND id >= $9 ORDER BY id DESC LIMIT $8").expect("text can be written to");
        let after = page.cursor.map_or(Uuid::max(), |cursor| cursor.0);
        let (edge, rows): (Option<Uuid>, Vec<Row>) = in_snapshot!(&self.db, connection => {
            let edge: Option<Uuid> = bound!(sqlx::query_scalar(AssertSqlSafe(edge)), search, after)
                .bind(i64::from(search.rows) - 1)
                .fetch_optional(&mut *connection)
                .await?;
            let rows = bound!(sqlx::query_as(AssertSqlSafe(rows)), search, after)
                .bind(i64::from(page.limit) + 1)
                .bind(edge.unwrap_or(Uuid::nil()))
                .fetch_all(&mut *connection)
                .await?;
            (edge, rows)
        });
        let entries = rows.into_iter().map(LoggedEntry::from).collect();
        let mut page = Page::from_rows(entries, page.limit, |entry: &LoggedEntry| entry.id.uuid());
        page.next_cursor = page.next_cursor.or_else(|| edge.map(|edge| Cursor(edge).encode()));
        Ok(page)
    }
}

async fn write(tx: &mut Tx, entry: &Entry) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO audit_log (id, project_id, actor_kind, actor_id, actor_name, action, target_kind,
            target_id, address, request_id, user_agent, was, became)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let values = values![
        entry.id.uuid(),
        stored_project(entry.project),
        entry.actor.kind.as_str(),
        entry.actor.id.as_deref(),
        entry.actor.name.as_str(),
        entry.action,
        entry.target.kind,
        entry.target.id.as_str(),
        entry.origin.address.as_deref(),
        entry.origin.request_id.as_deref(),
        entry.origin.user_agent.as_deref(),
        entry.before.as_ref().map(ToString::to_string),
        entry.after.as_ref().map(ToString::to_string),
    ];
    tx.execute(INSERT, &values).await?;
    Ok(())
}
