//! Webhooks at which requests fail: remembered from the first failure to the next success, and their failed deliveries counted.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use super::super::StoreError;
use super::super::db::Tx;
use super::super::record::{Finish, Health};
use super::super::rows::Rows;
use super::super::value::values;
use crate::domain::clock::Millis;
use crate::domain::delivery::DeliveryStatus;
use crate::domain::event::Event;
use crate::domain::giving_up::Failing;
use crate::domain::id::{DeliveryId, WebhookId};

/// What these results add to what is known of a webhook.
struct Added {
    now: Millis,
    is_news: bool,
    failed: HashSet<DeliveryId>,
}

/// What was noted.
pub(super) struct Noted<'a> {
    /// What is known then of webhooks at which requests fail, where something was added.
    pub(super) failing: HashMap<WebhookId, Failing>,
    /// What tells of webhooks at which something arrives again, after deliveries had failed for good: once for each.
    pub(super) recovered: Vec<&'a Event>,
}

/// Notes what these results tell; `status` says where the deliveries stand that they moved. Mostly there is nothing to note.
pub(super) async fn write<'a>(
    tx: &mut Tx,
    finishes: &[&'a Finish],
    status: impl Fn(DeliveryId) -> Option<DeliveryStatus>,
) -> Result<Noted<'a>, StoreError> {
    const FORGET: &str = "DELETE FROM webhook_failures {using} WHERE webhook_id = {1} RETURNING webhook_id, deliveries";
    const COUNT: &str = "INSERT INTO webhook_failures (webhook_id, since_at, deliveries) {values}
        ON CONFLICT (webhook_id) DO UPDATE SET deliveries = webhook_failures.deliveries + excluded.deliveries
        RETURNING webhook_id, since_at, deliveries";
    let recovering = || finishes.iter().copied().filter(|finish| finish.health == Health::Recovers);
    let well: BTreeSet<WebhookId> = recovering().map(|finish| finish.webhook_id).collect();
    let forgotten: Vec<(Uuid, i64)> =
        tx.fetch_rows(&Rows::of(FORGET, &well, |webhook| values![webhook.uuid()])).await?;
    let first = |(webhook, deliveries): (Uuid, i64)| {
        let mut of_webhook = recovering().filter(|finish| finish.webhook_id.uuid() == webhook && deliveries > 0);
        of_webhook.find_map(|finish| finish.recovered.as_deref())
    };
    let recovered = forgotten.into_iter().filter_map(first).collect();
    // In the order of the ids, so that two nodes do not wait for each other.
    let mut added: BTreeMap<WebhookId, Added> = BTreeMap::new();
    for finish in finishes {
        let Health::Fails { known } = finish.health else { continue };
        if well.contains(&finish.webhook_id) {
            continue;
        }
        let webhook = added.entry(finish.webhook_id);
        let added = webhook.or_insert_with(|| Added { now: finish.now, is_news: false, failed: HashSet::new() });
        added.is_news |= !known;
        let delivery = finish.request.delivery();
        if status(delivery) == Some(DeliveryStatus::Failed) {
            added.failed.insert(delivery);
        }
    }
    let added = added.iter().filter(|(_, added)| added.is_news || !added.failed.is_empty());
    let rows = Rows::of(COUNT, added, |(webhook, added)| {
        values![webhook.uuid(), added.now.0, i64::try_from(added.failed.len()).unwrap_or(i64::MAX)]
    });
    let known: Vec<(Uuid, i64, i64)> = tx.fetch_rows(&rows).await?;
    let failing = |(webhook, since, deliveries): (Uuid, i64, i64)| {
        let failing = Failing { since: Millis(since), deliveries: u32::try_from(deliveries).unwrap_or(u32::MAX) };
        (WebhookId::from_uuid(webhook), failing)
    };
    Ok(Noted { failing: known.into_iter().map(failing).collect(), recovered })
}
