//! Events: stored together with their deliveries, then only read.

use bytes::Bytes;
use sqlx::FromRow;
use uuid::Uuid;

use super::db::reading;
use super::value::values;
use super::{Store, StoreError};
use crate::domain::clock::Millis;
use crate::domain::event::{Event, IDEMPOTENCY_MS};
use crate::domain::id::{DeliveryId, EventId, ProjectId, WebhookId};
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
    event_request_id: Option<String>,
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
            request_id: self.event_request_id.map(Into::into),
        })
    }
}

pub(super) const EVENT_COLUMNS: &str =
    "e.id AS event_id, e.project_id, e.type AS event_type, e.subject, e.occurred_at, e.received_at,
    e.content_type AS event_content_type, e.attributes, e.payload, e.request_id AS event_request_id";

impl Store {
    /// One event.
    pub async fn event(&self, project: ProjectId, id: EventId) -> Result<Option<Event>, StoreError> {
        let sql = format!("SELECT {EVENT_COLUMNS} FROM events e WHERE e.id = $1 AND e.project_id = $2");
        let row: Option<EventRow> = reading!(&self.db, pool => {
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id.uuid()).bind(project.uuid()).fetch_optional(pool).await?
        });
        row.map(EventRow::into_event).transpose()
    }

    /// Since when the payload of an event is no longer kept; none as long as it is.
    pub async fn payload_removed_at(&self, project: ProjectId, id: EventId) -> Result<Option<Millis>, StoreError> {
        const SELECT: &str = "SELECT payload_removed_at FROM events WHERE id = $1 AND project_id = $2";
        let removed_at: Option<Option<i64>> = reading!(&self.db, pool => {
            sqlx::query_scalar(SELECT).bind(id.uuid()).bind(project.uuid()).fetch_optional(pool).await?
        });
        Ok(removed_at.flatten().map(Millis))
    }

    /// The deliveries of an event, oldest first.
    pub async fn deliveries_of_event(&self, id: EventId) -> Result<Vec<(DeliveryId, WebhookId)>, StoreError> {
        const SELECT: &str = "SELECT id, webhook_id FROM webhook_deliveries WHERE event_id = $1 ORDER BY id LIMIT 1000";
        let rows: Vec<(Uuid, Uuid)> =
            reading!(&self.db, pool => sqlx::query_as(SELECT).bind(id.uuid()).fetch_all(pool).await?);
        Ok(rows.into_iter().map(|(id, webhook)| (DeliveryId::from_uuid(id), WebhookId::from_uuid(webhook))).collect())
    }

    /// Forgets idempotency keys that no longer count, a few at a time; says how many.
    pub async fn forget_keys(&self, now: Millis) -> Result<u64, StoreError> {
        const DELETE: &str = "DELETE FROM idempotency_keys
            WHERE id IN (SELECT id FROM idempotency_keys WHERE created_at <= $1 ORDER BY created_at LIMIT 1000)";
        let expired = now.0.saturating_sub(i64::try_from(IDEMPOTENCY_MS).unwrap_or(i64::MAX));
        self.db.transact(move |tx| Box::pin(async move { tx.execute(DELETE, &values![expired]).await })).await
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
        let rows: Vec<EventRow> = reading!(&self.db, pool => {
            sqlx::query_as(sqlx::AssertSqlSafe(sql))
                .bind(project.uuid())
                .bind(page.cursor.map_or(Uuid::max(), |cursor| cursor.0))
                .bind(event_type)
                .bind(i64::from(page.limit) + 1)
                .fetch_all(pool)
                .await?
        });
        let events = rows.into_iter().map(EventRow::into_event).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::from_rows(events, page.limit, |event| event.id.uuid()))
    }
}
