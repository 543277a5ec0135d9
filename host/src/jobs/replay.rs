//! One event, sent anew to the webhooks that want it now.

use super::{Jobs, MATCHINGS_MAX, Parts};
use crate::domain::clock::Millis;
use crate::domain::event::{Event, Idempotency};
use crate::domain::explanation::explain;
use crate::domain::id::{DeliveryId, WebhookId};
use crate::domain::requester::Requester;
use crate::store::{Replay, Replayed, StoreError};

/// Why nothing was made of it.
#[derive(Debug, thiserror::Error)]
pub enum NotReplayed {
    /// There is no such webhook.
    #[error("there is no such webhook")]
    NoSuchWebhook,
    /// The webhook that was named does not want it.
    #[error("{0}")]
    NotWanted(String),
    /// It was made for one webhook.
    #[error("the event was made for one webhook, by a test, by hand or as its digest; send its delivery again instead")]
    OfOneWebhook,
    /// More webhooks want it than are served in one commit.
    #[error("{0} webhooks want it, more than are served at once ({1}, `ingest.fan_out_commit`); name one at a time")]
    TooMany(usize, usize),
    /// Its payload was removed after its time.
    #[error("the event's payload is no longer kept")]
    NoLongerKept(Option<Millis>),
    /// The key was used for something else.
    #[error("the idempotency key was used for something else")]
    KeyReused,
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was made: deliveries with their webhooks, and the webhooks that were left out with the reason.
type Made = (Vec<(DeliveryId, WebhookId)>, Vec<(WebhookId, String)>);

impl Jobs {
    /// Makes new deliveries of a stored event: for the webhook that is named, or for each that wants it now; none where one is
    /// on its way.
    pub async fn replay(
        &self,
        event: &Event,
        only: Option<WebhookId>,
        requester: Requester,
        key: Option<Idempotency>,
    ) -> Result<Made, NotReplayed> {
        let Parts { store, filters, replays_max, .. } = &self.0.parts;
        if event.is_payload_gone() {
            return Err(NotReplayed::NoLongerKept(store.payload_removed_at(event.project, event.id).await?));
        }
        if event.event_type.is_digest() {
            return Err(NotReplayed::OfOneWebhook);
        }
        for _ in 0..MATCHINGS_MAX {
            let snapshot = store.subscriptions();
            let webhooks = match only {
                None => {
                    let of_project = snapshot.of_project(event.project).iter();
                    of_project
                        .filter(|webhook| explain(webhook, event, filters).matches)
                        .map(|webhook| webhook.id)
                        .collect()
                }
                Some(id) => {
                    let of_project = |project| project == event.project;
                    let webhook = snapshot.webhook(id).filter(|webhook| of_project(webhook.project));
                    let explained = explain(webhook.ok_or(NotReplayed::NoSuchWebhook)?, event, filters);
                    if !explained.matches {
                        return Err(NotReplayed::NotWanted(explained.reason));
                    }
                    vec![id]
                }
            };
            if webhooks.len() > *replays_max {
                return Err(NotReplayed::TooMany(webhooks.len(), *replays_max));
            }
            let remake = self.remake(requester.clone());
            let (project, subject, matched_at) = (event.project, event.subject.clone(), snapshot.revision());
            let replay = Replay { project, event: event.id, subject, webhooks, matched_at, key, remake };
            match self.asked().replay(replay).await? {
                Replayed::Made(made, left_out) => return Ok((made, left_out)),
                Replayed::NoLongerKept => {
                    return Err(NotReplayed::NoLongerKept(store.payload_removed_at(event.project, event.id).await?));
                }
                Replayed::OfOneWebhook => return Err(NotReplayed::OfOneWebhook),
                Replayed::KeyReused => return Err(NotReplayed::KeyReused),
                Replayed::Stale => store.sync_subscriptions().await?,
            }
        }
        Err(StoreError::Contended.into())
    }
}
