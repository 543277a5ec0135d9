//! From a posted event to stored deliveries: match, commit, hand over.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::deliver::{Dispatcher, Slot};
use crate::domain::clock::Clock;
use crate::domain::delivery::Trigger;
use crate::domain::entropy::Entropy;
use crate::domain::event::Event;
use crate::domain::id::{DeliveryId, WebhookId};
use crate::domain::webhook::{State, Webhook};
use crate::store::{
    Accept, Beginning, ClaimedSend, ClaimedTransform, ClaimedWork, DeliveryHead, LoadedRequest, NewDelivery, Store,
    StoreError, WorkKind,
};

/// A delivery that was made.
#[derive(Debug, Clone, Copy)]
pub struct Made {
    /// The delivery.
    pub id: DeliveryId,
    /// Where it goes.
    pub webhook_id: WebhookId,
}

/// Takes events. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ingest {
    store: Store,
    dispatcher: Arc<Dispatcher>,
    clock: Clock,
    entropy: Entropy,
    tasks: TaskTracker,
}

/// A delivery about to be stored, with the place that is kept for it.
struct Planned {
    new: NewDelivery,
    webhook: Arc<Webhook>,
    slot: Option<Slot>,
}

impl Ingest {
    /// Takes events for this store and dispatcher.
    pub fn new(store: Store, dispatcher: Arc<Dispatcher>, clock: Clock, entropy: Entropy) -> Self {
        Self { store, dispatcher, clock, entropy, tasks: TaskTracker::new() }
    }

    /// Stores an event with a delivery for each webhook that wants it. When this answers, they are on disk.
    pub async fn accept(&self, event: Event) -> Result<Vec<Made>, StoreError> {
        let snapshot = self.store.subscriptions();
        let planned = snapshot
            .of_project(event.project)
            .iter()
            .filter(|webhook| webhook.wants(&event.event_type))
            .map(|webhook| self.plan(webhook, Trigger::Event, None))
            .collect();
        self.commit(event, planned).await
    }

    /// Stores an event for one webhook only, whatever the webhook wants.
    pub async fn deliver_to(
        &self,
        event: Event,
        webhook: &Arc<Webhook>,
        trigger: Trigger,
        actor: String,
    ) -> Result<(Made, tokio::sync::oneshot::Receiver<()>), StoreError> {
        let planned = self.plan(webhook, trigger, Some(actor));
        let made = Made { id: planned.new.id, webhook_id: webhook.id };
        let settled = self.dispatcher.watch(made.id);
        self.commit(event, vec![planned]).await?;
        Ok((made, settled))
    }

    fn plan(&self, webhook: &Arc<Webhook>, trigger: Trigger, actor: Option<String>) -> Planned {
        let now = self.clock.now();
        let mut slot = None;
        let beginning = match &webhook.state {
            State::Disabled { reason } if trigger != Trigger::Test => {
                Beginning::Skipped { reason: format!("the webhook is disabled: {reason}") }
            }
            _ => {
                slot = self.dispatcher.reserve(webhook.id);
                let kind = if webhook.configuration.plugin.is_some() { WorkKind::Transform } else { WorkKind::Send };
                Beginning::Open { kind, due: now, lease: slot.as_ref().map(|_| self.dispatcher.lease()) }
            }
        };
        let new = NewDelivery {
            id: DeliveryId::with_room(now, self.entropy.id()),
            webhook_id: webhook.id,
            revision: webhook.configuration.revision,
            trigger,
            actor,
            beginning,
        };
        Planned { new, webhook: webhook.clone(), slot }
    }

    async fn commit(&self, event: Event, planned: Vec<Planned>) -> Result<Vec<Made>, StoreError> {
        let this = self.clone();
        // A client that goes away must not keep what was committed from being delivered.
        let committed = self.tasks.spawn(async move {
            let event = Arc::new(event);
            let deliveries = planned.iter().map(|planned| planned.new.clone()).collect();
            this.store.accept(Accept { event: event.clone(), deliveries }).await?;
            fail::fail_point!("after-event-commit", |_| std::process::abort());
            Ok(this.hand_over(&event, planned))
        });
        committed.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the server is stopping".to_owned())))
    }

    fn hand_over(&self, event: &Arc<Event>, planned: Vec<Planned>) -> Vec<Made> {
        let mut made = Vec::with_capacity(planned.len());
        let mut waiting = false;
        for Planned { new, webhook, slot } in planned {
            made.push(Made { id: new.id, webhook_id: new.webhook_id });
            let Beginning::Open { kind, lease, .. } = new.beginning else { continue };
            let (Some(slot), Some(lease)) = (slot, lease) else {
                waiting = true;
                continue;
            };
            let head = DeliveryHead {
                id: new.id,
                project: event.project,
                webhook_id: new.webhook_id,
                trigger: new.trigger,
                event: event.clone(),
                configuration: webhook.configuration.clone(),
            };
            let work = match kind {
                WorkKind::Transform => ClaimedWork::Transform(ClaimedTransform { head, lease, attempts: 0 }),
                WorkKind::Send => ClaimedWork::Send(ClaimedSend {
                    request: new.id.request(0),
                    head,
                    content: LoadedRequest::Plain,
                    lease,
                    attempts: 0,
                    only_request: true,
                }),
            };
            self.dispatcher.start(work, slot);
        }
        if waiting {
            self.dispatcher.wake();
        }
        made
    }

    /// Says that work has become due.
    pub fn wake(&self) {
        self.dispatcher.wake();
    }

    /// Waits for commits that are on their way.
    pub async fn stop(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
