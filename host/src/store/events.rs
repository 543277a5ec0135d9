//! Events: stored together with their deliveries, then only read.

use bytes::Bytes;
use sqlx::{FromRow, SqliteConnection};
use uuid::Uuid;

use super::record::{Accept, Beginning, NewDelivery, WorkKind};
use super::{Store, StoreError};
use crate::domain::clock::Millis;
use crate::domain::event::Event;
use crate::domain::id::{EventId, ProjectId};
use crate::domain::page::{Page, PageRequest};
use crate::domain::pattern::EventType;

/// An event's row; also a part of rows that join it.
#[derive(Debug, FromRow)]
pub(super) struct EventRow {
    pub(super) event_id: Uuid,
    project_id: Uuid,
    event_type: String,
    subject: Option<String>,
    occurred_at: i64,
    received_at: i64,
    event_content_type: String,
    attributes: String,
    payload: Option<Vec<u8>>,
}

impl EventRow {
    pub(super) fn into_event(self) -> Result<Event, StoreError> {
        let id = EventId::from_uuid(self.event_id);
        let corrupt = |column| StoreError::Corrupt { table: "events", column, id: id.to_string() };
        Ok(Event {
            id,
            project: ProjectId::from_uuid(self.project_id),
            event_type: EventType::parse(&self.event_type).map_err(|_| corrupt("type"))?,
            subject: self.subject,
            occurred_at: Millis(self.occurred_at),
            received_at: Millis(self.received_at),
            content_type: self.event_content_type,
            attributes: serde_json::from_str(&self.attributes).map_err(|_| corrupt("attributes"))?,
            payload: self.payload.map(Bytes::from),
        })
    }
}

pub(super) async fn insert(conn: &mut SqliteConnection, accept: &Accept) -> Result<(), StoreError> {
    let event = &accept.event;
    sqlx::query(
        "INSERT INTO events (id, project_id, type, subject, occurred_at, received_at, content_type, attributes, payload)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(event.id.uuid())
    .bind(event.project.uuid())
    .bind(event.event_type.as_str())
    .bind(event.subject.as_deref())
    .bind(event.occurred_at.0)
    .bind(event.received_at.0)
    .bind(event.content_type.as_str())
    .bind(serde_json::to_string(&event.attributes).expect("fields are plain data"))
    .bind(event.payload.as_deref())
    .execute(&mut *conn)
    .await?;
    for delivery in &accept.deliveries {
        insert_delivery(conn, event, delivery).await?;
    }
    Ok(())
}

async fn insert_delivery(conn: &mut SqliteConnection, event: &Event, delivery: &NewDelivery) -> Result<(), StoreError> {
    let (status, reason, requests, settled_at) = match &delivery.beginning {
        Beginning::Open { kind: WorkKind::Transform, .. } => ("pending", None, 0, None),
        Beginning::Open { kind: WorkKind::Send, .. } => ("pending", None, 1, None),
        Beginning::Skipped { reason } => ("skipped", Some(reason.as_str()), 0, Some(event.received_at.0)),
    };
    sqlx::query(
        "INSERT INTO webhook_deliveries (id, project_id, event_id, webhook_id, revision, trigger_kind, actor, status, reason,
            requests_total, requests_open, requests_succeeded, requests_held, requests_cancelled, created_at, settled_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, 0, 0, 0, $11, $12)",
    )
    .bind(delivery.id.uuid())
    .bind(event.project.uuid())
    .bind(event.id.uuid())
    .bind(delivery.webhook_id.uuid())
    .bind(delivery.revision)
    .bind(delivery.trigger.as_str())
    .bind(delivery.actor.as_deref())
    .bind(status)
    .bind(reason)
    .bind(requests)
    .bind(event.received_at.0)
    .bind(settled_at)
    .execute(&mut *conn)
    .await?;
    if let Beginning::Open { kind, due, lease } = delivery.beginning {
        let work = match kind {
            WorkKind::Transform => delivery.id.uuid(),
            WorkKind::Send => delivery.id.request(0).uuid(),
        };
        super::claims::insert_work(conn, work, kind, event.project, delivery.webhook_id, due, lease).await?;
    }
    Ok(())
}

const EVENT_COLUMNS: &str =
    "e.id AS event_id, e.project_id, e.type AS event_type, e.subject, e.occurred_at, e.received_at,
    e.content_type AS event_content_type, e.attributes, e.payload";

impl Store {
    /// One event.
    pub async fn event(&self, project: ProjectId, id: EventId) -> Result<Option<Event>, StoreError> {
        let sql = format!("SELECT {EVENT_COLUMNS} FROM events e WHERE e.id = $1 AND e.project_id = $2");
        let row: Option<EventRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(id.uuid())
            .bind(project.uuid())
            .fetch_optional(&self.read)
            .await?;
        row.map(EventRow::into_event).transpose()
    }

    /// A project's events, newest first, perhaps of one type only.
    pub async fn events(
        &self,
        project: ProjectId,
        event_type: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<Event>, StoreError> {
        let sql = format!(
            "SELECT {EVENT_COLUMNS} FROM events e
             WHERE e.project_id = $1 AND e.id < $2 AND ($3 IS NULL OR e.type = $3) ORDER BY e.id DESC LIMIT $4"
        );
        let rows: Vec<EventRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(project.uuid())
            .bind(page.cursor.map_or(Uuid::max(), |cursor| cursor.0))
            .bind(event_type)
            .bind(i64::from(page.limit) + 1)
            .fetch_all(&self.read)
            .await?;
        let events = rows.into_iter().map(EventRow::into_event).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::from_rows(events, page.limit, |event| event.id.uuid()))
    }
}
