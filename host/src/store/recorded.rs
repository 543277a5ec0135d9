//! Deliveries as their plugins saw them: what each was given, and what came of it. Read to be run again.

use std::sync::Arc;

use sqlx::FromRow;
use uuid::Uuid;

use super::claims::{DeliveryHead, configuration};
use super::db::reading;
use super::deliveries::plain_request;
use super::events::{EVENT_COLUMNS, EventRow};
use super::{Store, StoreError};
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, Trigger};
use crate::domain::id::{DeliveryId, EventId, ProjectId, WebhookId};
use crate::domain::outcome::{Outcome, OutcomeKind, past};
use crate::domain::pattern::EventType;
use crate::domain::plugin::Digest;
use crate::domain::recording::{Given, Kept};
use crate::domain::request::FrozenRequest;

/// A delivery as its plugin saw it.
#[derive(Debug, Clone)]
pub struct RecordedDelivery {
    /// Event, trigger and the configuration of then.
    pub head: DeliveryHead,
    /// Where the webhook is: its origin, masked.
    pub origin: String,
    /// What is kept of the run; none when there was none.
    pub run: Option<Kept>,
    /// The version that the configuration names.
    pub version: Option<Digest>,
    /// Where the delivery stands.
    pub status: DeliveryStatus,
    /// Why.
    pub reason: Option<String>,
    /// How many requests it has.
    pub requests: u32,
    /// Since when what it was given, or what came of it, is no longer kept.
    pub removed_at: Option<Millis>,
    /// What the webhook is called now, for runs that do not say.
    webhook_name: String,
}

/// A delivery that may be one to compare with.
#[derive(Debug, Clone)]
pub struct Scanned {
    /// Which.
    pub id: DeliveryId,
    /// Its event.
    pub event: EventId,
    /// The event's type.
    pub event_type: EventType,
}

/// Some deliveries of a webhook, newest first.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Those to compare with.
    pub found: Vec<Scanned>,
    /// Behind which to go on; none at the end.
    pub next: Option<Uuid>,
}

#[derive(Debug, FromRow)]
struct RecordedRow {
    id: Uuid,
    webhook_id: Uuid,
    trigger_kind: String,
    status: String,
    reason: Option<String>,
    run: Option<String>,
    requests_total: i64,
    removed_at: Option<i64>,
    revision: i64,
    content_type: String,
    envelope: String,
    body_token: bool,
    plugin_version_id: Option<Uuid>,
    plugin_config: Option<String>,
    plugin_limits: Option<String>,
    plugin_name: Option<String>,
    plugin_version: Option<String>,
    plugin_abilities: Option<String>,
    plugin_digest: Option<Vec<u8>>,
    origin: String,
    webhook_name: String,
    #[sqlx(flatten)]
    event: EventRow,
}

fn columns() -> String {
    format!(
        "SELECT d.id, d.webhook_id, d.trigger_kind, d.status, d.reason, d.run, d.requests_total,
            coalesce(d.attempts_removed_at, e.payload_removed_at) AS removed_at, d.revision,
            c.content_type, c.envelope, c.body_token, c.plugin_version_id, c.plugin_config, c.plugin_limits,
            p.name AS plugin_name, p.version AS plugin_version, p.abilities AS plugin_abilities,
            p.digest AS plugin_digest, w.origin, w.name AS webhook_name, {EVENT_COLUMNS}
         FROM webhook_deliveries d
         JOIN events e ON e.id = d.event_id
         JOIN webhooks w ON w.id = d.webhook_id
         JOIN webhook_configurations c ON c.webhook_id = d.webhook_id AND c.revision = d.revision
         LEFT JOIN plugin_versions p ON p.id = c.plugin_version_id"
    )
}

impl RecordedRow {
    fn into_recorded(self) -> Result<RecordedDelivery, StoreError> {
        let id = DeliveryId::from_uuid(self.id);
        let corrupt = |column| StoreError::Corrupt { table: "webhook_deliveries", column, id: id.to_string() };
        let plugin = (
            self.plugin_version_id,
            self.plugin_config,
            self.plugin_limits,
            self.plugin_name,
            self.plugin_version,
            self.plugin_abilities,
        );
        let bodies = (self.content_type.as_str(), self.envelope.as_str(), self.body_token);
        let configuration = configuration(self.revision, bodies, plugin).ok_or_else(|| corrupt("revision"))?;
        let event = Arc::new(self.event.into_event()?);
        let head = DeliveryHead {
            id,
            project: event.project,
            webhook_id: WebhookId::from_uuid(self.webhook_id),
            is_ordered: false,
            trigger: Trigger::parse(&self.trigger_kind).ok_or_else(|| corrupt("trigger_kind"))?,
            event,
            configuration: Arc::new(configuration),
        };
        Ok(RecordedDelivery {
            head,
            origin: self.origin,
            // A run that could not begin may have left nothing readable.
            run: self.run.as_deref().and_then(|run| serde_json::from_str(run).ok()),
            version: self.plugin_digest.and_then(|digest| digest.try_into().ok()).map(Digest),
            status: DeliveryStatus::parse(&self.status).ok_or_else(|| corrupt("status"))?,
            reason: self.reason,
            requests: u32::try_from(self.requests_total).unwrap_or(0),
            removed_at: self.removed_at.map(Millis),
            webhook_name: self.webhook_name,
        })
    }
}

impl RecordedDelivery {
    /// The configuration that its plugin was given: JSON text; none without a plugin.
    pub fn configuration(&self) -> Option<&str> {
        self.head.configuration.plugin.as_ref().map(|plugin| plugin.config.as_str())
    }

    /// What its plugin was given, or a candidate is, with this configuration.
    pub fn given<'a>(&'a self, configuration: &'a str) -> Given<'a> {
        let name = self.run.as_ref().and_then(|run| run.webhook_name.as_deref());
        Given {
            event: &self.head.event,
            trigger: self.head.trigger,
            delivery: self.head.id,
            webhook: self.head.webhook_id,
            webhook_name: name.unwrap_or(&self.webhook_name),
            configuration,
            recalled: self.run.as_ref().map_or(&[], |run| &run.recalled),
        }
    }

    /// What came of it; none when nothing has yet.
    pub fn kind(&self) -> Option<OutcomeKind> {
        past(self.status, self.run.as_ref(), self.requests)
    }
}

impl Store {
    /// One delivery as its plugin saw it.
    pub async fn recorded(&self, project: ProjectId, id: DeliveryId) -> Result<Option<RecordedDelivery>, StoreError> {
        let sql = format!("{} WHERE d.id = $1 AND d.project_id = $2", columns());
        let row: Option<RecordedRow> = reading!(&self.db, pool => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(id.uuid())
            .bind(project.uuid())
            .fetch_optional(pool)
            .await?);
        row.map(RecordedRow::into_recorded).transpose()
    }

    /// Several of them, newest first.
    pub async fn recorded_many(&self, ids: &[DeliveryId]) -> Result<Vec<RecordedDelivery>, StoreError> {
        let sql = format!("{} WHERE d.id IN ({{ids}}) ORDER BY d.id DESC", columns());
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let rows: Vec<RecordedRow> = self.db.fetch_listed(&sql, &ids).await?;
        rows.into_iter().map(RecordedRow::into_recorded).collect()
    }

    /// What came of a delivery, with the requests as they are stored; none when nothing has yet, or when their bytes are no
    /// longer kept.
    pub async fn recorded_outcome(&self, recorded: &RecordedDelivery) -> Result<Option<Outcome>, StoreError> {
        const REQUESTS: &str = "SELECT id, spec, body FROM requests WHERE id BETWEEN $1 AND $2 ORDER BY id";
        let Some(kind) = recorded.kind() else { return Ok(None) };
        let failure = recorded.run.as_ref().and_then(|run| run.error.clone());
        match (kind, failure) {
            (OutcomeKind::Skipped, _) => {
                return Ok(Some(Outcome::Skipped(recorded.reason.clone().unwrap_or_default())));
            }
            (OutcomeKind::Failed, Some(failure)) => return Ok(Some(Outcome::failed(failure))),
            _ => {}
        }
        let id = recorded.head.id;
        if recorded.head.configuration.plugin.is_none() {
            let plain = plain_request(&recorded.head.event, &recorded.head.configuration);
            return Ok(Some(Outcome::Requests(vec![plain])));
        }
        let rows: Vec<(Uuid, Option<String>, Option<Vec<u8>>)> = reading!(&self.db, pool => sqlx::query_as(REQUESTS)
            .bind(id.request(0).uuid())
            .bind(id.last_request().uuid())
            .fetch_all(pool)
            .await?);
        let corrupt = || StoreError::Corrupt { table: "requests", column: "spec", id: id.to_string() };
        let mut requests = Vec::with_capacity(rows.len());
        for (_, spec, body) in rows {
            let (Some(spec), Some(body)) = (spec, body) else { return Ok(None) };
            let spec = serde_json::from_str(&spec).map_err(|_| corrupt())?;
            requests.push(FrozenRequest { spec, body: body.into() });
        }
        Ok(Some(Outcome::Requests(requests)))
    }

    /// Looks at the next `most` deliveries of a webhook behind this one, newest first, and gives those that say what became
    /// of an event: not by hand, with an outcome, and the last of their event that has one, of those before `latest`. The
    /// bounds are ids.
    pub async fn scan_outcomes(
        &self,
        project: ProjectId,
        webhook: WebhookId,
        (from, before): (Uuid, Uuid),
        latest: Uuid,
        most: u32,
    ) -> Result<Scan, StoreError> {
        const SELECT: &str = "SELECT d.id, d.event_id, e.type, d.trigger_kind,
                (d.run IS NOT NULL OR d.requests_total > 0)
                    AND d.attempts_removed_at IS NULL AND e.payload_removed_at IS NULL,
                EXISTS (SELECT 1 FROM webhook_deliveries x WHERE x.event_id = d.event_id AND x.webhook_id = d.webhook_id
                    AND x.id > d.id AND x.id < $6 AND x.trigger_kind NOT IN ('manual', 'test')
                    AND (x.run IS NOT NULL OR x.requests_total > 0))
            FROM webhook_deliveries d JOIN events e ON e.id = d.event_id
            WHERE d.webhook_id = $1 AND d.project_id = $2 AND d.id >= $3 AND d.id < $4 ORDER BY d.id DESC LIMIT $5";
        type Row = (Uuid, Uuid, String, String, bool, bool);
        let rows: Vec<Row> = reading!(&self.db, pool => sqlx::query_as(SELECT)
            .bind(webhook.uuid())
            .bind(project.uuid())
            .bind(from)
            .bind(before)
            .bind(i64::from(most))
            .bind(latest)
            .fetch_all(pool)
            .await?);
        let next = if rows.len() < most as usize { None } else { rows.last().map(|row| row.0) };
        let is_meant = |(_, _, _, trigger, has_outcome, is_superseded): &Row| {
            let by_hand = Trigger::parse(trigger).is_none_or(Trigger::is_by_hand);
            !by_hand && *has_outcome && !is_superseded
        };
        let scanned = |(id, event, kind, ..): Row| {
            let corrupt = || StoreError::Corrupt { table: "events", column: "type", id: event.to_string() };
            let event_type = EventType::parse(&kind).map_err(|_| corrupt())?;
            Ok(Scanned { id: DeliveryId::from_uuid(id), event: EventId::from_uuid(event), event_type })
        };
        let found = rows.into_iter().filter(is_meant).map(scanned).collect::<Result<_, StoreError>>()?;
        Ok(Scan { found, next })
    }
}
