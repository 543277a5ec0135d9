//! Deliveries of webhooks that collect: each has a place in its webhook's digest instead of open work. Whoever adds to a
//! digest holds its head, so that places are in the order of commits.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::super::StoreError;
use super::super::db::Tx;
use super::super::record::Beginning;
use super::super::rows::Rows;
use super::super::value::values;
use super::accepts::Made;
use crate::domain::clock::Millis;
use crate::domain::digest::Bounds;

/// What a commit adds to one digest.
struct Added {
    project: Uuid,
    events: u32,
    bounds: Bounds,
}

/// Gives deliveries that are collected their places; nothing is asked of the database when there are none.
pub(super) async fn collect(tx: &mut Tx, made: &[Made<'_>]) -> Result<(), StoreError> {
    const ADD: &str = "INSERT INTO digest_heads
            (webhook_id, project_id, events, next, until_at, quiet_at, events_max, due_at) {values}
        ON CONFLICT (webhook_id) DO UPDATE SET events = digest_heads.events + excluded.events,
            next = digest_heads.next + excluded.next,
            events_max = excluded.events_max,
            quiet_at = excluded.quiet_at,
            due_at = CASE WHEN digest_heads.events + excluded.events >= excluded.events_max THEN 0
                WHEN excluded.quiet_at < digest_heads.until_at THEN excluded.quiet_at ELSE digest_heads.until_at END
        RETURNING webhook_id, next";
    const PLACE: &str = "INSERT INTO digest_events (webhook_id, sequence, delivery_id, event_id, project_id) {values}";
    let collected = || {
        made.iter().filter_map(|made| match made.delivery.beginning {
            Beginning::Collected { bounds } => Some((made, bounds)),
            Beginning::Open { .. } | Beginning::Skipped { .. } => None,
        })
    };
    // In one order everywhere, so that two nodes do not wait for each other.
    let mut added: BTreeMap<Uuid, Added> = BTreeMap::new();
    for (made, bounds) in collected() {
        let webhook = added.entry(made.delivery.webhook_id.uuid()).or_insert_with(|| Added {
            project: made.project.uuid(),
            events: 0,
            bounds,
        });
        webhook.events += 1;
        webhook.bounds.quiet = webhook.bounds.quiet.max(bounds.quiet);
    }
    if added.is_empty() {
        return Ok(());
    }
    let rows = Rows::of(ADD, &added, |(webhook, Added { project, events, bounds })| {
        let (count, due): (i64, Millis) = (i64::from(*events), bounds.due(*events));
        values![*webhook, *project, count, count, bounds.until.0, bounds.quiet.0, i64::from(bounds.count), due.0]
    });
    let heads: Vec<(Uuid, i64)> = tx.fetch_rows(&rows).await?;
    let first = |(webhook, next): (Uuid, i64)| {
        let events = added.get(&webhook).map_or(0, |added| added.events);
        (webhook, next - i64::from(events))
    };
    let mut next: HashMap<Uuid, i64> = heads.into_iter().map(first).collect();
    let mut places = Rows::new(PLACE);
    for (made, _) in collected() {
        let webhook = made.delivery.webhook_id.uuid();
        let place = next.entry(webhook).or_default();
        let (delivery, event) = (made.delivery.id.uuid(), made.event.uuid());
        places.push(values![webhook, *place, delivery, event, made.project.uuid()]);
        *place += 1;
    }
    tx.execute_rows(&places).await?;
    Ok(())
}
