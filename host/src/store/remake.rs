//! New deliveries of events that are stored already, each in place of an old one if there is one: with the webhook's version
//! and configuration of now, and in its order.

use uuid::Uuid;

use super::StoreError;
use super::batch::{Made, insert_deliveries};
use super::db::Tx;
use super::record::{Beginning, InOrder, NewDelivery, WorkKind};
use super::rows::Rows;
use super::value::values;
use crate::domain::clock::Millis;
use crate::domain::delivery::Trigger;
use crate::domain::entropy::Entropy;
use crate::domain::id::{DeliveryId, EventId, ProjectId, WebhookId};
use crate::domain::requester::Requester;
use crate::domain::webhook::Order;

/// What new deliveries are made with.
#[derive(Debug, Clone)]
pub struct Remake {
    /// Who asked for it.
    pub requester: Requester,
    /// Longest wait for an earlier delivery in milliseconds, when a webhook with an order says nothing.
    pub order_wait_ms: u64,
    /// For ids.
    pub entropy: Entropy,
    /// Now.
    pub now: Millis,
}

/// Why a webhook gets nothing.
pub(super) const GONE: &str = "the webhook was deleted";
pub(super) const DISABLED: &str = "the webhook is disabled";

/// A webhook as it is now.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) id: WebhookId,
    project: ProjectId,
    pub(super) revision: i64,
    pub(super) has_plugin: bool,
    pub(super) order: Order,
    pub(super) order_wait_ms: Option<u64>,
}

/// An event that gets a new delivery.
#[derive(Debug)]
pub(super) struct Again<'a> {
    pub(super) webhook: &'a Current,
    pub(super) event: EventId,
    /// What the event is about.
    pub(super) subject: Option<&'a str>,
    /// The delivery in whose place it is.
    pub(super) old: Option<DeliveryId>,
}

/// The webhook as it is until the transaction ends, or why it gets nothing.
pub(super) async fn current(
    tx: &mut Tx,
    project: ProjectId,
    id: WebhookId,
) -> Result<Result<Current, &'static str>, StoreError> {
    const SELECT: &str = "SELECT w.enabled, w.revision, c.plugin_version_id, w.delivery_order, w.order_wait_ms
        FROM webhooks w JOIN webhook_configurations c ON c.webhook_id = w.id AND c.revision = w.revision
        WHERE w.id = $1 AND w.project_id = $2 AND w.deleted_at IS NULL";
    const SELECT_LOCKED: &str = "SELECT w.enabled, w.revision, c.plugin_version_id, w.delivery_order, w.order_wait_ms
        FROM webhooks w JOIN webhook_configurations c ON c.webhook_id = w.id AND c.revision = w.revision
        WHERE w.id = $1 AND w.project_id = $2 AND w.deleted_at IS NULL FOR SHARE OF w";
    type Row = (bool, i64, Option<Uuid>, String, Option<i64>);
    let select = if tx.locks_rows() { SELECT_LOCKED } else { SELECT };
    let rows: Vec<Row> = tx.fetch(select, &values![id.uuid(), project.uuid()]).await?;
    let Some((enabled, revision, plugin, order, order_wait_ms)) = rows.into_iter().next() else {
        return Ok(Err(GONE));
    };
    if !enabled {
        return Ok(Err(DISABLED));
    }
    let corrupt = || StoreError::Corrupt { table: "webhooks", column: "delivery_order", id: id.to_string() };
    Ok(Ok(Current {
        id,
        project,
        revision,
        has_plugin: plugin.is_some(),
        order: Order::parse(&order).ok_or_else(corrupt)?,
        order_wait_ms: order_wait_ms.and_then(|ms| u64::try_from(ms).ok()),
    }))
}

/// Makes a new delivery of each, in their order. The new one says in whose place it is, and a parked one which took over.
pub(super) async fn make(
    tx: &mut Tx,
    again: &[Again<'_>],
    remake: &Remake,
    now: Millis,
) -> Result<Vec<DeliveryId>, StoreError> {
    const LINK_OLD: &str = "UPDATE webhook_deliveries SET reprocessed_by = {2} {from}
        WHERE id = {1} AND status = 'parked' AND reprocessed_by IS NULL";
    const LINK_NEW: &str = "UPDATE webhook_deliveries SET repeats = {2} {from} WHERE id = {1}";
    let mut ids: Vec<DeliveryId> = again.iter().map(|_| DeliveryId::with_room(now, remake.entropy.id())).collect();
    // Those of one step are made in the same millisecond, and are to be in the order of the old ones.
    ids.sort_unstable();
    let new = |(again, id): (&Again<'_>, DeliveryId)| {
        let webhook = again.webhook;
        let wait_ms = webhook.order_wait_ms.unwrap_or(remake.order_wait_ms);
        NewDelivery {
            id,
            webhook_id: webhook.id,
            revision: webhook.revision,
            trigger: Trigger::Reprocess,
            requester: Some(remake.requester.clone()),
            beginning: Beginning::Open {
                kind: if webhook.has_plugin { WorkKind::Transform } else { WorkKind::Send },
                due: now,
                lease: None,
            },
            order: webhook.order.key(again.subject).map(|key| InOrder { key, until: now.plus(wait_ms) }),
        }
    };
    let made: Vec<NewDelivery> = again.iter().zip(ids).map(new).collect();
    let rows = again.iter().zip(&made).map(|(again, delivery)| Made {
        project: again.webhook.project,
        event: again.event,
        delivery,
    });
    insert_deliveries(tx, &rows.collect::<Vec<_>>()).await?;
    let links = again.iter().zip(&made).filter_map(|(again, new)| Some((again.old?.uuid(), new.id.uuid())));
    let links: Vec<(Uuid, Uuid)> = links.collect();
    tx.execute_rows(&Rows::of(LINK_OLD, &links, |(old, new)| values![*old, *new])).await?;
    tx.execute_rows(&Rows::of(LINK_NEW, &links, |(old, new)| values![*new, *old])).await?;
    Ok(made.into_iter().map(|new| new.id).collect())
}
