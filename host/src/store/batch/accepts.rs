//! Events with their deliveries.

use super::super::StoreError;
use super::super::db::Tx;
use super::super::record::{Accept, Beginning, NewDelivery, WorkKind};
use super::super::rows::execute_rows;
use super::work::{self, NewWork};
use crate::domain::delivery::DeliveryStatus;
use crate::domain::event::{Event, Field};

pub(super) async fn write(tx: &mut Tx, accepts: &[&Accept]) -> Result<(), StoreError> {
    const INSERT_EVENTS: &str = "INSERT INTO events
        (id, project_id, type, subject, occurred_at, received_at, content_type, attributes, payload) VALUES {rows}";
    const INSERT_DELIVERIES: &str = "INSERT INTO webhook_deliveries
        (id, project_id, event_id, webhook_id, revision, trigger_kind, actor, status, reason, requests_total, requests_open,
         requests_succeeded, requests_held, requests_cancelled, created_at, settled_at) VALUES {rows}";
    execute_rows!(tx, INSERT_EVENTS, 9, accepts, |query, accept| query
        .bind(accept.event.id.uuid())
        .bind(accept.event.project.uuid())
        .bind(accept.event.event_type.as_str())
        .bind(accept.event.subject.as_deref())
        .bind(accept.event.occurred_at.0)
        .bind(accept.event.received_at.0)
        .bind(accept.event.content_type.as_str())
        .bind(attributes(&accept.event.attributes))
        .bind(accept.event.payload.as_deref()));
    let deliveries: Vec<(&Event, &NewDelivery)> =
        accepts.iter().flat_map(|accept| accept.deliveries.iter().map(|delivery| (&*accept.event, delivery))).collect();
    execute_rows!(tx, INSERT_DELIVERIES, 16, &deliveries, |query, (event, delivery)| query
        .bind(delivery.id.uuid())
        .bind(event.project.uuid())
        .bind(event.id.uuid())
        .bind(delivery.webhook_id.uuid())
        .bind(delivery.revision)
        .bind(delivery.trigger.as_str())
        .bind(delivery.actor.as_deref())
        .bind(status(delivery).as_str())
        .bind(reason(delivery))
        .bind(first_requests(delivery))
        .bind(first_requests(delivery))
        .bind(0_i64)
        .bind(0_i64)
        .bind(0_i64)
        .bind(event.received_at.0)
        .bind((!status(delivery).is_open()).then_some(event.received_at.0)));
    let work: Vec<NewWork> = deliveries.iter().filter_map(|(event, delivery)| first_work(event, delivery)).collect();
    work::insert(tx, &work).await
}

fn attributes(fields: &[Field]) -> String {
    // Almost no event has any.
    if fields.is_empty() { "[]".to_owned() } else { serde_json::to_string(fields).expect("fields are plain data") }
}

const fn status(delivery: &NewDelivery) -> DeliveryStatus {
    match delivery.beginning {
        Beginning::Open { .. } => DeliveryStatus::Pending,
        Beginning::Skipped { .. } => DeliveryStatus::Skipped,
    }
}

fn reason(delivery: &NewDelivery) -> Option<&str> {
    match &delivery.beginning {
        Beginning::Open { .. } => None,
        Beginning::Skipped { reason } => Some(reason),
    }
}

/// The request of a webhook without plugin is there from the beginning.
const fn first_requests(delivery: &NewDelivery) -> i64 {
    match delivery.beginning {
        Beginning::Open { kind: WorkKind::Send, .. } => 1,
        Beginning::Open { kind: WorkKind::Transform, .. } | Beginning::Skipped { .. } => 0,
    }
}

fn first_work(event: &Event, delivery: &NewDelivery) -> Option<NewWork> {
    let Beginning::Open { kind, due, lease } = delivery.beginning else { return None };
    let id = match kind {
        WorkKind::Transform => delivery.id.uuid(),
        WorkKind::Send => delivery.id.request(0).uuid(),
    };
    Some(NewWork { id, kind, project: event.project, webhook: delivery.webhook_id, due, lease })
}
