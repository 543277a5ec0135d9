//! What is needed to do claimed work: read for all of it at once, and what several deliveries share only once.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::FromRow;
use uuid::Uuid;

use super::claims::{
    ClaimedRow, ClaimedSend, ClaimedTransform, ClaimedWork, DeliveryHead, LoadedRequest, PluginColumns, configuration,
};
use super::events::{EVENT_COLUMNS, EventRow};
use super::record::{Lease, WorkKind};
use super::{Store, StoreError};
use crate::domain::delivery::Trigger;
use crate::domain::event::Event;
use crate::domain::id::{DeliveryId, RequestId, WebhookId};
use crate::domain::request::FrozenRequest;
use crate::domain::webhook::Configuration;

#[derive(Debug, FromRow)]
struct DeliveryRow {
    id: Uuid,
    webhook_id: Uuid,
    event_id: Uuid,
    trigger_kind: String,
    revision: i64,
    requests_total: i64,
    content_type: String,
    envelope: String,
    body_token: bool,
    plugin_version_id: Option<Uuid>,
    plugin_config: Option<String>,
    plugin_limits: Option<String>,
    plugin_name: Option<String>,
    plugin_version: Option<String>,
    plugin_abilities: Option<String>,
}

/// What was read for some claimed work.
#[derive(Debug, Default)]
struct Loaded {
    deliveries: HashMap<Uuid, DeliveryRow>,
    events: HashMap<Uuid, Arc<Event>>,
    /// By webhook and revision.
    configurations: HashMap<(Uuid, i64), Arc<Configuration>>,
    requests: HashMap<Uuid, (Option<String>, Option<Vec<u8>>)>,
}

const fn corrupt(table: &'static str, column: &'static str, id: String) -> StoreError {
    StoreError::Corrupt { table, column, id }
}

impl DeliveryRow {
    fn configuration(&mut self) -> Option<Configuration> {
        let plugin: PluginColumns = (
            self.plugin_version_id,
            self.plugin_config.take(),
            self.plugin_limits.take(),
            self.plugin_name.take(),
            self.plugin_version.take(),
            self.plugin_abilities.take(),
        );
        configuration(self.revision, (&self.content_type, &self.envelope, self.body_token), plugin)
    }
}

/// An event by its id; none if it cannot be read.
fn event(row: EventRow) -> Option<(Uuid, Arc<Event>)> {
    let id = row.event_id;
    match row.into_event() {
        Ok(event) => Some((id, Arc::new(event))),
        Err(error) => {
            tracing::error!(%error, "an event cannot be read");
            None
        }
    }
}

impl Loaded {
    /// One piece of work, from what was read.
    fn work(&mut self, row: &ClaimedRow, lease: Lease) -> Result<ClaimedWork, StoreError> {
        let missing = |column| corrupt("open_work", column, row.id.to_string());
        let kind = WorkKind::from_number(row.kind).ok_or_else(|| missing("kind"))?;
        let (head, only_request) = self.head(kind.delivery(row.id), row.is_ordered).ok_or_else(|| missing("id"))??;
        let attempts = u32::try_from(row.attempts).unwrap_or(u32::MAX);
        Ok(match kind {
            WorkKind::Transform => {
                let is_interrupted = row.is_interrupted;
                ClaimedWork::Transform(ClaimedTransform { head, lease, attempts, is_interrupted })
            }
            WorkKind::Send => {
                let request = RequestId::from_uuid(row.id);
                let content = self.request(request)?;
                let schedule_from = u32::try_from(row.schedule_from).unwrap_or(u32::MAX);
                ClaimedWork::Send(ClaimedSend {
                    head,
                    request,
                    content,
                    lease,
                    freeze: None,
                    attempts,
                    schedule_from,
                    only_request,
                    is_interrupted: row.is_interrupted,
                })
            }
        })
    }

    /// What it knows of its delivery, and whether that has one request only.
    fn head(&mut self, id: DeliveryId, is_ordered: bool) -> Option<Result<(DeliveryHead, bool), StoreError>> {
        let row = self.deliveries.get_mut(&id.uuid())?;
        let event = self.events.get(&row.event_id)?.clone();
        let configuration = match self.configurations.get(&(row.webhook_id, row.revision)) {
            Some(configuration) => configuration.clone(),
            None => match row.configuration() {
                Some(read) => {
                    let read = Arc::new(read);
                    self.configurations.insert((row.webhook_id, row.revision), read.clone());
                    read
                }
                None => return Some(Err(corrupt("webhook_configurations", "content_type", id.to_string()))),
            },
        };
        let Some(trigger) = Trigger::parse(&row.trigger_kind) else {
            return Some(Err(corrupt("webhook_deliveries", "trigger_kind", id.to_string())));
        };
        let head = DeliveryHead {
            id,
            project: event.project,
            webhook_id: WebhookId::from_uuid(row.webhook_id),
            is_ordered,
            trigger,
            event,
            configuration,
        };
        Some(Ok((head, row.requests_total == 1)))
    }

    fn request(&mut self, id: RequestId) -> Result<LoadedRequest, StoreError> {
        let Some((Some(spec), body)) = self.requests.remove(&id.uuid()) else { return Ok(LoadedRequest::Plain) };
        let spec = serde_json::from_str(&spec).map_err(|_| corrupt("requests", "spec", id.to_string()))?;
        Ok(LoadedRequest::Frozen(Arc::new(FrozenRequest { spec, body: body.unwrap_or_default().into() })))
    }
}

impl Store {
    /// Reads all that is needed to do claimed work, in a few statements however much it is.
    pub(super) async fn load(&self, rows: Vec<ClaimedRow>, lease: Lease) -> Result<Vec<ClaimedWork>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let mut loaded = self.read_for(&rows).await?;
        let mut work = Vec::with_capacity(rows.len());
        for row in rows {
            match loaded.work(&row, lease) {
                Ok(one) => work.push(one),
                // One unreadable row must not keep the others from being done; its lease ends by itself.
                Err(error) => tracing::error!(%error, "claimed work cannot be read"),
            }
        }
        Ok(work)
    }

    async fn read_for(&self, rows: &[ClaimedRow]) -> Result<Loaded, StoreError> {
        const DELIVERIES: &str = "SELECT d.id, d.webhook_id, d.event_id, d.trigger_kind, d.revision, d.requests_total,
                    c.content_type, c.envelope, c.body_token, c.plugin_version_id, c.plugin_config, c.plugin_limits,
                    p.name AS plugin_name, p.version AS plugin_version, p.abilities AS plugin_abilities
             FROM webhook_deliveries d
             JOIN webhook_configurations c ON c.webhook_id = d.webhook_id AND c.revision = d.revision
             LEFT JOIN plugin_versions p ON p.id = c.plugin_version_id
             WHERE d.id IN ({ids})";
        const REQUESTS: &str = "SELECT id, spec, body FROM requests WHERE id IN ({ids})";
        let kind = |row: &ClaimedRow| WorkKind::from_number(row.kind);
        let sends = rows.iter().filter(|row| kind(row) == Some(WorkKind::Send)).map(|row| row.id);
        let mut deliveries: Vec<Uuid> =
            rows.iter().filter_map(|row| Some(kind(row)?.delivery(row.id).uuid())).collect();
        deliveries.sort_unstable();
        deliveries.dedup();
        let found: Vec<DeliveryRow> = self.db.fetch_listed(DELIVERIES, &deliveries).await?;
        let requests: Vec<(Uuid, Option<String>, Option<Vec<u8>>)> =
            self.db.fetch_listed(REQUESTS, &sends.collect::<Vec<_>>()).await?;
        let mut events: Vec<Uuid> = found.iter().map(|row| row.event_id).collect();
        events.sort_unstable();
        events.dedup();
        let events: Vec<EventRow> = self
            .db
            .fetch_listed(&format!("SELECT {EVENT_COLUMNS} FROM events e WHERE e.id IN ({{ids}})"), &events)
            .await?;
        Ok(Loaded {
            events: events.into_iter().filter_map(event).collect(),
            deliveries: found.into_iter().map(|row| (row.id, row)).collect(),
            requests: requests.into_iter().map(|(id, spec, body)| (id, (spec, body))).collect(),
            configurations: HashMap::new(),
        })
    }
}
