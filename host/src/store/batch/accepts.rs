//! Events with their deliveries.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::super::StoreError;
use super::super::db::Tx;
use super::super::record::{Accept, Accepted, Beginning, FanOut, NewDelivery, NewEvent, WorkKind};
use super::super::rows::Rows;
use super::super::value::values;
use super::order::{self, NewInOrder, Places};
use super::work::{self, NewWork};
use super::{digests, fan_out};
use crate::domain::delivery::DeliveryStatus;
use crate::domain::event::{Event, Field, IDEMPOTENCY_MS, Idempotency};
use crate::domain::id::{EventId, ProjectId};

/// Stores what is new; says for each accept, event by event, what it came to.
pub(super) async fn write(tx: &mut Tx, accepts: &[&Accept]) -> Result<Vec<Vec<Accepted>>, StoreError> {
    let is_stale = stale(tx, accepts).await?;
    let current: Vec<&Accept> = accepts.iter().copied().filter(|accept| !is_stale(accept)).collect();
    let mut keys = claim_keys(tx, &current).await?;
    let steps = fan_out::end(tx, current.iter().flat_map(|accept| &accept.events)).await?;
    let mut outcomes = Vec::with_capacity(accepts.len());
    let mut new = Vec::with_capacity(accepts.len());
    for accept in accepts {
        if is_stale(accept) {
            outcomes.push(vec![Accepted::Stale; accept.events.len()]);
            continue;
        }
        let judge = |event| if steps.is_taken(event) { Accepted::Taken } else { keys.judge(event) };
        let accepted: Vec<Accepted> = accept.events.iter().map(judge).collect();
        // All or none: a key that was used for something else spoils its whole accept.
        if !accepted.contains(&Accepted::Mismatch) {
            let is_new = |(event, accepted): (_, &Accepted)| (*accepted == Accepted::New).then_some(event);
            new.extend(accept.events.iter().zip(&accepted).filter_map(is_new));
        } else if accept.events.len() > 1 {
            keys.give_back(tx, &accept.events, &accepted).await?;
        }
        outcomes.push(accepted);
    }
    insert(tx, &new).await?;
    Ok(outcomes)
}

/// Tells what was matched with webhooks that have changed meanwhile.
async fn stale(tx: &mut Tx, accepts: &[&Accept]) -> Result<impl Fn(&Accept) -> bool + use<>, StoreError> {
    const REVISION: &str = "SELECT revision FROM subscriptions_revision";
    let revision: i64 = if accepts.iter().any(|accept| accept.matched_at.is_some()) {
        let rows: Vec<(i64,)> = tx.fetch(REVISION, &[]).await?;
        rows.first().map_or(0, |(revision,)| *revision)
    } else {
        0
    };
    Ok(move |accept: &Accept| accept.matched_at.is_some_and(|matched_at| matched_at < revision))
}

/// Keys of this batch: which were taken by it, and what the others belong to.
#[derive(Default)]
struct Keys {
    taken: HashMap<Uuid, EventId>,
    known: HashMap<Uuid, (EventId, Vec<u8>)>,
}

impl Keys {
    fn judge(&self, new: &NewEvent) -> Accepted {
        let Some(key) = new.idempotency() else { return Accepted::New };
        if self.taken.get(&key.id) == Some(&new.event.id) {
            return Accepted::New;
        }
        match self.known.get(&key.id) {
            Some((event, fingerprint)) if fingerprint.as_slice() == key.fingerprint => Accepted::Duplicate(*event),
            _ => Accepted::Mismatch,
        }
    }

    /// Frees the keys that an accept took which is not stored after all.
    async fn give_back(&mut self, tx: &mut Tx, events: &[NewEvent], accepted: &[Accepted]) -> Result<(), StoreError> {
        const DELETE: &str = "DELETE FROM idempotency_keys {using} WHERE id = {1}";
        let taken: Vec<Uuid> = events
            .iter()
            .zip(accepted)
            .filter(|(_, accepted)| **accepted == Accepted::New)
            .filter_map(|(event, _)| event.idempotency().map(|key| key.id))
            .collect();
        for id in &taken {
            self.taken.remove(id);
            self.known.remove(id);
        }
        tx.execute_rows(&Rows::of(DELETE, taken, |id| values![id])).await?;
        Ok(())
    }
}

/// Forgets a key that no longer counts.
pub(in super::super) const EXPIRE_KEY: &str =
    "DELETE FROM idempotency_keys {using} WHERE id = {1} AND created_at <= {2}";
/// Takes a key that nobody has.
pub(in super::super) const TAKE_KEY: &str =
    "INSERT INTO idempotency_keys (id, project_id, fingerprint, event_id, created_at) {values}
    ON CONFLICT (id) DO NOTHING RETURNING id, event_id, fingerprint";
/// What a key belongs to.
pub(in super::super) const KNOWN_KEY: &str =
    "SELECT id, event_id, fingerprint FROM idempotency_keys {join} WHERE id = {1}";

async fn claim_keys(tx: &mut Tx, accepts: &[&Accept]) -> Result<Keys, StoreError> {
    let mut wanted: Vec<(Idempotency, &Event)> = Vec::new();
    let mut seen = HashSet::new();
    for new in accepts.iter().flat_map(|accept| &accept.events) {
        let Some(key) = new.idempotency() else { continue };
        if seen.insert(key.id) {
            wanted.push((key, &new.event));
        }
    }
    let mut keys = Keys::default();
    if wanted.is_empty() {
        return Ok(keys);
    }
    // In one order everywhere, so that two nodes do not wait for each other.
    wanted.sort_unstable_by_key(|(key, _)| key.id);
    let expiry = i64::try_from(IDEMPOTENCY_MS).unwrap_or(i64::MAX);
    let expired = |event: &Event| event.received_at.0.saturating_sub(expiry);
    tx.execute_rows(&Rows::of(EXPIRE_KEY, &wanted, |(key, event)| values![key.id, expired(event)])).await?;
    let rows = Rows::of(TAKE_KEY, &wanted, |(key, event)| {
        values![key.id, event.project.uuid(), &key.fingerprint[..], event.id.uuid(), event.received_at.0]
    });
    let taken: Vec<(Uuid, Uuid, Vec<u8>)> = tx.fetch_rows(&rows).await?;
    for (id, event, fingerprint) in taken {
        keys.taken.insert(id, EventId::from_uuid(event));
        keys.known.insert(id, (EventId::from_uuid(event), fingerprint));
    }
    let others = wanted.iter().map(|(key, _)| key.id).filter(|id| !keys.taken.contains_key(id));
    let known: Vec<(Uuid, Uuid, Vec<u8>)> = tx.fetch_rows(&Rows::of(KNOWN_KEY, others, |id| values![id])).await?;
    keys.known.extend(known.into_iter().map(|(id, event, fingerprint)| (id, (EventId::from_uuid(event), fingerprint))));
    Ok(keys)
}

async fn insert(tx: &mut Tx, events: &[&NewEvent]) -> Result<(), StoreError> {
    let stored = events.iter().filter(|new| matches!(new.fan_out, FanOut::Begin { .. }));
    insert_events(tx, stored.map(|new| &*new.event)).await?;
    fan_out::begin(tx, events).await?;
    let deliveries = events.iter().flat_map(|new| {
        let (project, event) = (new.event.project, new.event.id);
        new.deliveries.iter().map(move |delivery| Made { project, event, delivery })
    });
    insert_deliveries(tx, &deliveries.collect::<Vec<_>>()).await
}

/// Stores events.
pub(in super::super) async fn insert_events(
    tx: &mut Tx,
    events: impl Iterator<Item = &Event>,
) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO events
        (id, project_id, type, subject, occurred_at, received_at, content_type, attributes, payload,
         request_id) {values}";
    let rows = Rows::of(INSERT, events, |event| {
        values![
            event.id.uuid(),
            event.project.uuid(),
            event.event_type.as_str(),
            event.subject.as_deref(),
            event.occurred_at.0,
            event.received_at.0,
            event.content_type.as_str(),
            attributes(&event.attributes),
            event.payload.as_deref(),
            event.request_id.as_deref(),
        ]
    });
    tx.execute_rows(&rows).await?;
    Ok(())
}

/// A delivery of an event that is stored.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Made<'a> {
    pub(in super::super) project: ProjectId,
    pub(in super::super) event: EventId,
    pub(in super::super) delivery: &'a NewDelivery,
}

/// Stores deliveries with their first work.
pub(in super::super) async fn insert_deliveries(tx: &mut Tx, made: &[Made<'_>]) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO webhook_deliveries
        (id, project_id, event_id, webhook_id, revision, trigger_kind, actor, request_id, status, reason, requests_total,
         requests_open, requests_succeeded, requests_held, requests_cancelled, created_at, settled_at) {values}";
    let rows = Rows::of(INSERT, made, |Made { project, event, delivery }| {
        // So that the log is found by time as it is found by id; perhaps long after its event.
        let at = delivery.id.made_at();
        let requester = delivery.requester.as_ref();
        values![
            delivery.id.uuid(),
            project.uuid(),
            event.uuid(),
            delivery.webhook_id.uuid(),
            delivery.revision,
            delivery.trigger.as_str(),
            requester.map(|requester| requester.name.as_str()),
            requester.and_then(|requester| requester.request_id.as_deref()),
            status(delivery).as_str(),
            reason(delivery),
            first_requests(delivery),
            first_requests(delivery),
            0_i64,
            0_i64,
            0_i64,
            at.0,
            (!status(delivery).is_open()).then_some(at.0),
        ]
    });
    tx.execute_rows(&rows).await?;
    let ordered: Vec<NewInOrder> = made.iter().filter_map(|made| in_order(made.delivery)).collect();
    let places = order::places(tx, &ordered).await?;
    let work = made.iter().filter_map(|made| first_work(made, &places));
    work::insert(tx, &work.collect::<Vec<_>>()).await?;
    order::block(tx, &ordered).await?;
    digests::collect(tx, made).await
}

fn attributes(fields: &[Field]) -> Cow<'static, str> {
    // Almost no event has any.
    if fields.is_empty() { "[]".into() } else { serde_json::to_string(fields).expect("fields are plain data").into() }
}

const fn status(delivery: &NewDelivery) -> DeliveryStatus {
    match delivery.beginning {
        Beginning::Open { .. } => DeliveryStatus::Pending,
        Beginning::Collected { .. } => DeliveryStatus::Collecting,
        Beginning::Skipped { .. } => DeliveryStatus::Skipped,
    }
}

fn reason(delivery: &NewDelivery) -> Option<&str> {
    match &delivery.beginning {
        Beginning::Open { .. } | Beginning::Collected { .. } => None,
        Beginning::Skipped { reason } => Some(reason),
    }
}

/// The request of a webhook without plugin is there from the beginning.
const fn first_requests(delivery: &NewDelivery) -> i64 {
    match delivery.beginning {
        Beginning::Open { kind: WorkKind::Send, .. } => 1,
        Beginning::Open { kind: WorkKind::Transform, .. } | Beginning::Collected { .. } | Beginning::Skipped { .. } => {
            0
        }
    }
}

/// The delivery's first work; none when it begins as settled.
fn first_id(delivery: &NewDelivery) -> Option<Uuid> {
    match delivery.beginning {
        Beginning::Open { kind: WorkKind::Transform, .. } => Some(delivery.id.uuid()),
        Beginning::Open { kind: WorkKind::Send, .. } => Some(delivery.id.request(0).uuid()),
        Beginning::Collected { .. } | Beginning::Skipped { .. } => None,
    }
}

fn in_order(delivery: &NewDelivery) -> Option<NewInOrder> {
    Some(NewInOrder { work: first_id(delivery)?, webhook: delivery.webhook_id.uuid(), order: delivery.order? })
}

fn first_work(made: &Made<'_>, places: &Places) -> Option<NewWork> {
    let (project, delivery) = (made.project, made.delivery);
    let Beginning::Open { kind, due, lease } = delivery.beginning else { return None };
    let id = first_id(delivery)?;
    let place = places.get(&id).copied();
    let by_hand = delivery.trigger.is_by_hand();
    Some(NewWork { id, kind, project, webhook: delivery.webhook_id, due, lease, attempts: 0, place, by_hand })
}
