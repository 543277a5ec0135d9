//! Steps of wide events: claimed under a lease, oldest event first.

use std::sync::Arc;

use uuid::Uuid;

use super::record::Lease;
use super::value::values;
use super::{Store, StoreError};
use crate::domain::clock::Millis;
use crate::domain::delivery::Trigger;
use crate::domain::event::Event;
use crate::domain::id::{EventId, ProjectId, WebhookId};

/// Deliveries of an event to be made.
#[derive(Debug, Clone)]
pub struct FanOutStep {
    /// The event.
    pub event: Arc<Event>,
    /// Which step.
    pub step: i64,
    /// To which webhooks; when it names none, to those that want it.
    pub webhooks: Vec<WebhookId>,
    /// Why they are made.
    pub trigger: Trigger,
    /// The lease on it.
    pub lease: Lease,
}

/// Ids as they are stored: one after the other.
pub(super) fn packed(webhooks: &[WebhookId]) -> Vec<u8> {
    webhooks.iter().flat_map(|webhook| webhook.uuid().into_bytes()).collect()
}

/// Reads them.
pub(super) fn unpacked(bytes: &[u8]) -> Option<Vec<WebhookId>> {
    let (ids, rest) = bytes.as_chunks();
    rest.is_empty().then(|| ids.iter().map(|id| WebhookId::from_uuid(Uuid::from_bytes(*id))).collect())
}

impl Store {
    /// Claims the next step that is due at `now`.
    pub async fn claim_fan_out(&self, now: Millis, lease: Lease) -> Result<Option<FanOutStep>, StoreError> {
        const UPDATE: &str = "UPDATE fan_out_steps SET lease_token = $1, due_at = $2
            WHERE (event_id, step) = (SELECT event_id, step FROM fan_out_steps WHERE due_at <= $3
                                      ORDER BY event_id, step LIMIT 1)
            RETURNING event_id, step, project_id, webhooks, trigger_kind";
        const UPDATE_BESIDE_OTHERS: &str = "UPDATE fan_out_steps SET lease_token = $1, due_at = $2
            WHERE (event_id, step) = (SELECT event_id, step FROM fan_out_steps WHERE due_at <= $3
                                      ORDER BY event_id, step LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING event_id, step, project_id, webhooks, trigger_kind";
        let claimed: Vec<(Uuid, i64, Uuid, Vec<u8>, String)> = self
            .db
            .transact(move |tx| {
                Box::pin(async move {
                    let sql = if tx.locks_rows() { UPDATE_BESIDE_OTHERS } else { UPDATE };
                    tx.fetch(sql, &values![lease.token, lease.until.0, now.0]).await
                })
            })
            .await?;
        let Some((event, step, project, webhooks, trigger)) = claimed.into_iter().next() else { return Ok(None) };
        let id = EventId::from_uuid(event);
        let corrupt = |column| StoreError::Corrupt { table: "fan_out_steps", column, id: id.to_string() };
        let webhooks = unpacked(&webhooks).ok_or_else(|| corrupt("webhooks"))?;
        let trigger = Trigger::parse(&trigger).ok_or_else(|| corrupt("trigger_kind"))?;
        let event = self.event(ProjectId::from_uuid(project), id).await?.ok_or_else(|| corrupt("event_id"))?;
        Ok(Some(FanOutStep { event: Arc::new(event), step, webhooks, trigger, lease }))
    }
}
