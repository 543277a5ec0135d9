//! Deliveries that wait for earlier ones of the same webhook: each has a place in a sequence, and all but the first of its key
//! are blocked. Whoever places or settles one holds the row of its webhook's sequence, so that neither overlooks the other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::super::StoreError;
use super::super::db::Tx;
use super::super::record::InOrder;
use super::super::rows::Rows;
use super::super::value::values;
use crate::domain::clock::Millis;

/// A key of a webhook, and a place in the webhook's sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Place {
    pub(super) webhook: Uuid,
    pub(super) key: Uuid,
    pub(super) sequence: i64,
}

/// Where work of deliveries with an order stands.
pub(in super::super) type Places = HashMap<Uuid, Place>;

/// New work with an order.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewInOrder {
    pub(super) work: Uuid,
    pub(super) webhook: Uuid,
    pub(super) order: InOrder,
}

/// Gives new work its places, in the order in which it comes.
pub(super) async fn places(tx: &mut Tx, new: &[NewInOrder]) -> Result<Places, StoreError> {
    const ADVANCE: &str = "INSERT INTO webhook_sequences (webhook_id, next) {values}
        ON CONFLICT (webhook_id) DO UPDATE SET next = webhook_sequences.next + excluded.next
        RETURNING webhook_id, next";
    let mut counts: BTreeMap<Uuid, i64> = BTreeMap::new();
    for new in new {
        *counts.entry(new.webhook).or_default() += 1;
    }
    let advanced: Vec<(Uuid, i64)> =
        tx.fetch_rows(&Rows::of(ADVANCE, &counts, |(webhook, count)| values![*webhook, *count])).await?;
    let mut next: HashMap<Uuid, i64> = advanced
        .into_iter()
        .map(|(webhook, after)| (webhook, after - counts.get(&webhook).copied().unwrap_or_default()))
        .collect();
    let place = |new: &NewInOrder| {
        let next = next.entry(new.webhook).or_default();
        let place = Place { webhook: new.webhook, key: new.order.key, sequence: *next };
        *next += 1;
        (new.work, place)
    };
    Ok(new.iter().map(place).collect())
}

/// Blocks new work behind what is open of its key.
pub(super) async fn block(tx: &mut Tx, new: &[NewInOrder]) -> Result<(), StoreError> {
    const BLOCK: &str = "UPDATE open_work SET is_blocked = TRUE, due_at = {2} {from}
        WHERE open_work.id = {1} AND EXISTS (
            SELECT 1 FROM open_work earlier WHERE earlier.webhook_id = open_work.webhook_id
                AND earlier.order_key = open_work.order_key AND earlier.sequence < open_work.sequence)";
    tx.execute_rows(&Rows::of(BLOCK, new, |new| values![new.work, new.order.until.0])).await?;
    Ok(())
}

/// Where this work stands; keeps its webhooks' sequences from moving until the transaction ends.
pub(in super::super) async fn held(tx: &mut Tx, work: &BTreeSet<Uuid>) -> Result<Places, StoreError> {
    const SELECT: &str = "SELECT id, webhook_id, order_key, sequence FROM open_work {join}
        WHERE id = {1} AND order_key IS NOT NULL";
    const LOCK: &str = "SELECT webhook_id FROM webhook_sequences {join} WHERE webhook_id = {1}
        ORDER BY webhook_id FOR UPDATE OF webhook_sequences";
    let rows: Vec<(Uuid, Uuid, Uuid, i64)> = tx.fetch_rows(&Rows::of(SELECT, work, |work| values![*work])).await?;
    let places: Places =
        rows.into_iter().map(|(id, webhook, key, sequence)| (id, Place { webhook, key, sequence })).collect();
    if tx.locks_rows() {
        let webhooks: BTreeSet<Uuid> = places.values().map(|place| place.webhook).collect();
        let _: Vec<(Uuid,)> = tx.fetch_rows(&Rows::of(LOCK, &webhooks, |webhook| values![*webhook])).await?;
    }
    Ok(places)
}

/// Lets the first of each key go on, if it waited only for what is gone now; gives how many do. What waits for a person
/// goes on waiting.
pub(in super::super) async fn release(tx: &mut Tx, places: &[Place], now: Millis) -> Result<u64, StoreError> {
    const RELEASE: &str =
        "UPDATE open_work SET is_blocked = FALSE, due_at = CASE WHEN due_at = {4} THEN due_at ELSE {3} END
        {from} WHERE open_work.is_blocked AND open_work.id = (
            SELECT first.id FROM open_work first WHERE first.webhook_id = {1} AND first.order_key = {2}
            ORDER BY first.sequence, first.id LIMIT 1)";
    let row = |place: &Place| values![place.webhook, place.key, now.0, Millis::NEVER.0];
    tx.execute_rows(&Rows::of(RELEASE, places, row)).await
}
