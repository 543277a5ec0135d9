//! The log of deliveries: looked through from its newest or its oldest end. However rare what is looked for, one request looks
//! at a bounded number of deliveries, and says where to go on.

use std::fmt::Write as _;

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::super::db::in_snapshot;
use super::super::{Store, StoreError};
use super::view::{DeliverySummary, SUMMARY_COLUMNS, SUMMARY_JOINS, SummaryRow};
use crate::domain::delivery::{DeliveryStatus, Trigger};
use crate::domain::id::{DeliveryId, EventId, ProjectId, WebhookId, first_at};
use crate::domain::page::{Cursor, Page, PageRequest};
use crate::domain::selection::Selection;

/// What is looked for in the log.
#[derive(Debug, Clone)]
pub struct Search {
    /// Deliveries that are all of this,
    pub selection: Selection,
    /// with these bytes in the event's payload or in an answer.
    pub text: Option<String>,
    /// At most so many deliveries are looked at; at least 1.
    pub rows: u32,
}

impl Search {
    /// Looks for these, at no more than so many.
    pub const fn new(selection: Selection, rows: u32) -> Self {
        Self { selection, text: None, rows }
    }
}

/// From which end the log is looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Newest,
    Oldest,
}

/// A part of what was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Oldest first.
    pub ids: Vec<DeliveryId>,
    /// Behind which delivery to go on; none at the end.
    pub next: Option<Uuid>,
}

/// What deliveries must be; each parameter that is null does not matter. A delivery's requests are a range of ids. None of it
/// may be taken for what an index finds: that is said apart.
macro_rules! wanted {
    ($last_request:literal, $payload_has:literal, $body_has:literal) => {
        concat!(
            "(d.project_id = $1) IS TRUE
            AND ($6 IS NULL OR d.webhook_id = $6) AND ($7 IS NULL OR d.event_id = $7) AND ($8 IS NULL OR d.status = $8)
            AND ($13 IS NULL OR d.trigger_kind = $13)
            AND ($9 IS NULL OR EXISTS (SELECT 1 FROM events x WHERE x.id = d.event_id AND x.type = $9))
            AND ($11 IS NULL AND $12 IS NULL OR EXISTS (SELECT 1 FROM webhook_configurations xc
                JOIN plugin_versions xp ON xp.id = xc.plugin_version_id
                WHERE xc.webhook_id = d.webhook_id AND xc.revision = d.revision
                    AND ($11 IS NULL OR xp.name = $11) AND ($12 IS NULL OR xp.version = $12)))
            AND ($10 IS NULL OR EXISTS (SELECT 1 FROM attempts a WHERE a.request_id > d.id AND a.request_id <= ",
            $last_request,
            " AND a.status_code = $10))
            AND ($14 IS NULL OR EXISTS (SELECT 1 FROM events x WHERE x.id = d.event_id AND ",
            $payload_has,
            ") OR EXISTS (SELECT 1 FROM attempts a WHERE a.request_id > d.id AND a.request_id <= ",
            $last_request,
            " AND ",
            $body_has,
            "))"
        )
    };
}

const WANTED_ON_SQLITE: &str = wanted!(
    "CAST(substr(d.id, 1, 14) || x'ffff' AS BLOB)",
    "instr(x.payload, $14) > 0",
    "instr(a.response_body, $14) > 0"
);
const WANTED_ON_POSTGRES: &str = wanted!(
    "(left(d.id::text, 32) || 'ffff')::uuid",
    "position($14 IN x.payload) > 0",
    "position($14 IN a.response_body) > 0"
);

/// What of it an index finds. The rest is looked at row by row, so no other condition may stand here: rows that it passes
/// over would not be counted.
const fn by_index(selection: &Selection) -> &'static str {
    let is_unsent = matches!(&selection.status, Some(status) if !matches!(status, DeliveryStatus::Pending | DeliveryStatus::Succeeded));
    match (selection.event_id.is_some(), selection.webhook_id.is_some(), is_unsent) {
        (true, _, _) => "AND d.event_id = $7",
        (false, true, true) => "AND d.webhook_id = $6 AND d.status = $8 AND d.status NOT IN ('pending', 'succeeded')",
        (false, true, false) => "AND d.webhook_id = $6",
        (false, false, true) => "AND d.project_id = $1 AND d.status = $8 AND d.status NOT IN ('pending', 'succeeded')",
        (false, false, false) => "",
    }
}

/// The statements of a search, with the same parameters: the last of the deliveries that are looked at, and what is wanted
/// of all up to that.
struct Statements {
    edge: String,
    page: String,
}

impl Statements {
    fn new(search: &Search, from: From, columns: &str, joins: &str, is_shared: bool) -> Self {
        let (behind, order, up_to) = match from {
            From::Newest => ("<", "DESC", ">="),
            From::Oldest => (">", "ASC", "<="),
        };
        let wanted = if is_shared { WANTED_ON_POSTGRES } else { WANTED_ON_SQLITE };
        let range = format!("d.id {behind} $2 AND d.id >= $3 AND d.id < $4 {}", by_index(&search.selection));
        let edge =
            format!("SELECT d.id FROM webhook_deliveries d WHERE {range} ORDER BY d.id {order} LIMIT 1 OFFSET $5");
        let mut page = format!("SELECT {columns} FROM webhook_deliveries d {joins} WHERE {range} AND {wanted}");
        write!(page, " AND d.id {up_to} $15 ORDER BY d.id {order} LIMIT $5").expect("text can be written to");
        Self { edge, page }
    }
}

/// Binds what both statements have.
macro_rules! bound {
    ($query:expr, $project:expr, $search:expr, $after:expr, $limit:expr) => {{
        let selection = &$search.selection;
        let (since, until) = (selection.since.map(first_at), selection.until.map(first_at));
        $query
            .bind($project.uuid())
            .bind($after)
            .bind(since.unwrap_or(Uuid::nil()))
            .bind(until.unwrap_or(Uuid::max()))
            .bind($limit)
            .bind(selection.webhook_id.map(WebhookId::uuid))
            .bind(selection.event_id.map(EventId::uuid))
            .bind(selection.status.map(DeliveryStatus::as_str))
            .bind(selection.event_type.as_deref())
            .bind(selection.status_code.map(i64::from))
            .bind(selection.plugin.as_deref())
            .bind(selection.plugin_version.as_deref())
            .bind(selection.trigger.map(Trigger::as_str))
            .bind($search.text.as_deref().map(str::as_bytes))
    }};
}

impl Store {
    /// Deliveries of a project, newest first. A page may be short, or empty, and yet not the last one: then as many were
    /// looked at as may be.
    pub async fn deliveries(
        &self,
        project: ProjectId,
        search: &Search,
        page: PageRequest,
    ) -> Result<Page<DeliverySummary>, StoreError> {
        let sql = Statements::new(search, From::Newest, SUMMARY_COLUMNS, SUMMARY_JOINS, self.is_shared());
        let after = page.cursor.map_or(Uuid::max(), |cursor| cursor.0);
        let limit = i64::from(page.limit);
        let (edge, rows): (Option<Uuid>, Vec<SummaryRow>) = in_snapshot!(&self.db, connection => {
            let edge = sqlx::query_scalar(AssertSqlSafe(sql.edge));
            let edge: Option<Uuid> = bound!(edge, project, search, after, i64::from(search.rows) - 1)
                .fetch_optional(&mut *connection)
                .await?;
            let rows = sqlx::query_as(AssertSqlSafe(sql.page));
            let rows = bound!(rows, project, search, after, limit + 1)
                .bind(edge.unwrap_or(Uuid::nil()))
                .fetch_all(&mut *connection)
                .await?;
            (edge, rows)
        });
        let items = rows.into_iter().map(SummaryRow::into_summary).collect::<Result<Vec<_>, _>>()?;
        let mut page = Page::from_rows(items, page.limit, |item| item.id.uuid());
        page.next_cursor = page.next_cursor.or_else(|| edge.map(|edge| Cursor(edge).encode()));
        Ok(page)
    }

    /// The next `most` of what is looked for behind this one, oldest first.
    pub async fn find_deliveries(
        &self,
        project: ProjectId,
        search: &Search,
        after: Option<Uuid>,
        most: u32,
    ) -> Result<Found, StoreError> {
        let sql = Statements::new(search, From::Oldest, "d.id", "", self.is_shared());
        let after = after.unwrap_or(Uuid::nil());
        let (edge, mut rows): (Option<Uuid>, Vec<(Uuid,)>) = in_snapshot!(&self.db, connection => {
            let edge = sqlx::query_scalar(AssertSqlSafe(sql.edge));
            let edge: Option<Uuid> = bound!(edge, project, search, after, i64::from(search.rows) - 1)
                .fetch_optional(&mut *connection)
                .await?;
            let rows = sqlx::query_as(AssertSqlSafe(sql.page));
            let rows = bound!(rows, project, search, after, i64::from(most) + 1)
                .bind(edge.unwrap_or(Uuid::max()))
                .fetch_all(&mut *connection)
                .await?;
            (edge, rows)
        });
        let is_more = rows.len() > most as usize;
        rows.truncate(most as usize);
        let next = if is_more { rows.last().map(|(id,)| *id) } else { edge };
        Ok(Found { ids: rows.into_iter().map(|(id,)| DeliveryId::from_uuid(id)).collect(), next })
    }
}

#[cfg(test)]
impl Store {
    /// How the database does the statements of a search.
    pub(in super::super) async fn plans(&self, search: &Search) -> Vec<String> {
        use sqlx::Row as _;
        let sql = Statements::new(search, From::Newest, SUMMARY_COLUMNS, SUMMARY_JOINS, self.is_shared());
        let mut plans = Vec::new();
        for statement in [sql.edge, sql.page] {
            let project = crate::domain::id::DEFAULT_PROJECT;
            let lines: Vec<String> = match &self.db {
                super::super::db::Db::Sqlite { read, .. } => {
                    let explain = format!("EXPLAIN QUERY PLAN {statement}");
                    let query = bound!(sqlx::query(AssertSqlSafe(explain)), project, search, Uuid::max(), 50_i64);
                    let rows = query.bind(Uuid::nil()).fetch_all(read).await.unwrap();
                    rows.iter().map(|row| row.get::<String, _>("detail")).collect()
                }
                super::super::db::Db::Postgres(pool) => {
                    let explain = format!("EXPLAIN {statement}");
                    let query = bound!(sqlx::query(AssertSqlSafe(explain)), project, search, Uuid::max(), 50_i64);
                    let rows = query.bind(Uuid::nil()).fetch_all(pool).await.unwrap();
                    rows.iter().map(|row| row.get::<String, _>(0)).collect()
                }
            };
            plans.push(lines.join("\n"));
        }
        plans
    }
}
