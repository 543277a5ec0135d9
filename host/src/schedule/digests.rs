//! Digests that are due are closed.

use super::{Timetable, is_done};
use crate::domain::digest::{Bounds, digest_event};
use crate::domain::event::Event;
use crate::domain::id::{DeliveryId, EventId};
use crate::store::{ClosedDigest, Collecting, StoreError};

/// Digests that are looked at together.
const AT_ONCE: u32 = 100;

impl Timetable {
    /// Closes each digest that is due once; what had no room in it is due again at once. Gives how many.
    pub(super) async fn close_due(&self) -> Result<usize, StoreError> {
        let mut done = 0;
        for collecting in self.0.store.due_digests(self.now(), AT_ONCE).await? {
            done += usize::from(is_done(self.close(collecting).await));
        }
        if let (1.., Some(ingest)) = (done, &self.0.ingest) {
            ingest.wake();
        }
        Ok(done)
    }

    async fn close(&self, collecting: Collecting) -> Result<bool, StoreError> {
        let (store, entropy, config) = (&self.0.store, &self.0.entropy, &self.0.digests);
        let subscriptions = store.subscriptions();
        // Made on another node just now: seen in the next round.
        let Some(webhook) = subscriptions.webhook(collecting.webhook) else { return Ok(false) };
        let now = self.now();
        // It may collect no more: what is left goes out as it is.
        let at_once = Bounds { until: now, quiet: now, count: u32::MAX };
        let rest = webhook.digest.as_ref().map_or(at_once, |digest| digest.bounds(now));
        let collected = store.collected(webhook.id, rest.count.min(config.events_max), config.bytes_max).await?;
        let events: Vec<&Event> = collected.iter().map(|collected| &*collected.event).collect();
        let more = collecting.events.saturating_sub(events.len() as u64);
        let event = digest_event(EventId::new(now, entropy.id()), webhook, &events, more, now);
        fail::fail_point!("before-digest", |_| std::process::abort());
        let closed = ClosedDigest {
            webhook: webhook.id,
            // Nobody asked for less: there was no room.
            goes_on: more > 0 && events.len() < rest.count as usize,
            delivery: DeliveryId::with_room(now, entropy.id()),
            event: event.into(),
            rest,
            order_wait_ms: self.0.order_wait_ms,
            now,
            collected,
        };
        let done = store.close_digest(closed).await?;
        if done {
            fail::fail_point!("after-digest", |_| std::process::abort());
        }
        Ok(done)
    }
}
