//! Events of a time that a webhook wants and that did not get to it, oldest first.

use std::sync::Arc;

use uuid::Uuid;

use super::{Forecast, Jobs, MATCHINGS_MAX, Parts};
use crate::domain::clock::Millis;
use crate::domain::event::Event;
use crate::domain::explanation::explain;
use crate::domain::id::{EventId, ProjectId, first_at};
use crate::domain::job::Missed;
use crate::domain::recovery::received_before;
use crate::domain::webhook::Webhook;
use crate::store::{ClaimedJob, JobStep, Recovered, StoreError, Wanted};

/// Events that are looked at in one step for each that may be sent, where their payloads are not needed.
const LOOKED_AT: u32 = 10;
/// Events whose payloads are in memory at once.
const PAYLOADS: u32 = 50;

/// Some events of a time: those that the webhook wants, and behind which to go on.
struct Looked {
    wanted: Vec<Wanted>,
    seen: u32,
    next: Option<Uuid>,
}

impl Jobs {
    /// Which events would be sent.
    pub async fn forecast_missed(&self, project: ProjectId, missed: &Missed) -> Result<Forecast<EventId>, StoreError> {
        let Parts { store, config, .. } = &self.0.parts;
        let (now, snapshot) = (self.now(), store.subscriptions());
        let Some(webhook) = snapshot.webhook(missed.webhook_id) else { return Ok(Forecast::of(&[], true)) };
        let (mut all, mut cursor, mut left) = (Vec::new(), None, config.count_rows);
        loop {
            let looked = self.look(project, webhook, missed, now, cursor, left).await?;
            left = left.saturating_sub(looked.seen);
            all.extend(store.missed(webhook.id, looked.wanted, now).await?);
            cursor = looked.next;
            if cursor.is_none() || left == 0 {
                return Ok(Forecast::of(&all, cursor.is_none()));
            }
        }
    }

    /// The next events of that time that were received before it was asked for: at most so many are looked at, and at most a
    /// step of them wanted.
    async fn look(
        &self,
        project: ProjectId,
        webhook: &Arc<Webhook>,
        missed: &Missed,
        asked_at: Millis,
        cursor: Option<Uuid>,
        most: u32,
    ) -> Result<Looked, StoreError> {
        let Parts { store, config, filters, .. } = &self.0.parts;
        let step = u32::try_from(config.step).unwrap_or(u32::MAX);
        let has_filter = webhook.filter.is_some();
        let room = if has_filter { PAYLOADS } else { step.saturating_mul(LOOKED_AT) }.min(most);
        let before_first = |time| Uuid::from_u128(first_at(time).as_u128().saturating_sub(1));
        let until = first_at(received_before(missed.until, asked_at));
        let after = cursor.unwrap_or_else(|| before_first(missed.since));
        let events = store.events_between(after, until, room, has_filter).await?;
        let is_end = events.len() < room as usize;
        let (mut wanted, mut last) = (Vec::new(), None);
        let is_wanted = |event: &Event| event.project == project && explain(webhook, event, filters).matches;
        for event in events {
            if wanted.len() >= config.step {
                return Ok(Looked { wanted, seen: room, next: last });
            }
            last = Some(event.id.uuid());
            if is_wanted(&event) {
                wanted.push(Wanted { event: event.id, subject: event.subject });
            }
        }
        Ok(Looked { wanted, seen: room, next: if is_end { None } else { last } })
    }

    pub(super) async fn recover_step(&self, job: &ClaimedJob, missed: &Missed) -> Result<Option<JobStep>, StoreError> {
        let Parts { store, .. } = &self.0.parts;
        for _ in 0..MATCHINGS_MAX {
            let snapshot = store.subscriptions();
            let looked = match snapshot.webhook(missed.webhook_id) {
                Some(webhook) => self.look(job.project, webhook, missed, job.created_at, job.cursor, u32::MAX).await?,
                // The step finds out whether it is gone.
                None => Looked { wanted: Vec::new(), seen: 0, next: job.cursor.or(Some(Uuid::nil())) },
            };
            let (wanted, remake) = ((looked.wanted, snapshot.revision()), self.remake(job.requester.clone()));
            match store.recover_step(job, missed.webhook_id, wanted, looked.next, remake).await? {
                Recovered::Step(step) => return Ok(step),
                Recovered::Stale => store.sync_subscriptions().await?,
            }
        }
        Err(StoreError::Contended)
    }
}
