//! From a posted event to stored deliveries: match, commit, hand over.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::deliver::{Dispatcher, Slot};
use crate::domain::clock::Clock;
use crate::domain::delivery::Trigger;
use crate::domain::entropy::Entropy;
use crate::domain::event::{Event, Idempotency};
use crate::domain::filter::{Facts, Filter, Filters, Verdict};
use crate::domain::id::{DeliveryId, EventId, WebhookId};
use crate::domain::webhook::{State, Webhook};
use crate::store::{
    Accept, Accepted, Beginning, ClaimedSend, ClaimedTransform, ClaimedWork, DeliveryHead, LoadedRequest, NewDelivery,
    NewEvent, Snapshot, Store, StoreError, WorkKind,
};

/// An event is matched again so often when webhooks change while it is stored.
const MATCHINGS_MAX: u32 = 16;

/// Operations of filters after which others get their turn: some milliseconds.
const OPERATIONS_AT_A_STRETCH: u64 = 50_000;

/// A delivery that was made.
#[derive(Debug, Clone, Copy)]
pub struct Made {
    /// The delivery.
    pub id: DeliveryId,
    /// Where it goes.
    pub webhook_id: WebhookId,
}

/// An event as it was posted.
#[derive(Debug, Clone)]
pub struct Posted {
    /// The event.
    pub event: Event,
    /// What makes a repeated post the same event.
    pub idempotency: Option<Idempotency>,
}

/// What became of a posted event.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It is on disk with these deliveries.
    Stored {
        /// The event: another one's when it was posted before.
        id: EventId,
        /// Whether it was posted before.
        duplicate: bool,
        /// Its deliveries.
        deliveries: Vec<Made>,
    },
    /// Its idempotency key was used for something else; nothing of its group is stored.
    KeyReused,
    /// Another event of its group was refused.
    NotStored,
}

/// Takes events. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ingest {
    store: Store,
    dispatcher: Arc<Dispatcher>,
    filters: Arc<Filters>,
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

/// An event about to be stored.
struct Candidate {
    event: Arc<Event>,
    idempotency: Option<Idempotency>,
    planned: Vec<Planned>,
    /// What filters said, to be counted once it is stored.
    verdicts: Vec<(Arc<Filter>, Verdict)>,
}

impl Ingest {
    /// Takes events for this store and dispatcher.
    pub fn new(
        store: Store,
        dispatcher: Arc<Dispatcher>,
        filters: Arc<Filters>,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        Self { store, dispatcher, filters, clock, entropy, tasks: TaskTracker::new() }
    }

    /// Stores events, each with a delivery for every webhook that wants it: all or none. When this answers, they are on
    /// disk.
    pub async fn accept(&self, posted: Vec<Posted>) -> Result<Vec<Outcome>, StoreError> {
        let posted: Vec<(Arc<Event>, Option<Idempotency>)> =
            posted.into_iter().map(|posted| (Arc::new(posted.event), posted.idempotency)).collect();
        for _ in 0..MATCHINGS_MAX {
            let snapshot = self.store.subscriptions();
            let mut candidates = Vec::with_capacity(posted.len());
            for (event, idempotency) in &posted {
                candidates.push(self.matched(&snapshot, event, *idempotency).await);
            }
            if let Some(outcomes) = self.commit(candidates, Some(snapshot.revision())).await? {
                return Ok(outcomes);
            }
            // A webhook has changed, here or on another node, since the events were matched.
            self.store.sync_subscriptions().await?;
        }
        Err(StoreError::Contended)
    }

    /// An event with a delivery for every webhook that wants it. The payload is read only if one of them has a filter.
    async fn matched(&self, snapshot: &Snapshot, event: &Arc<Event>, idempotency: Option<Idempotency>) -> Candidate {
        let (mut planned, mut verdicts) = (Vec::new(), Vec::new());
        let (mut facts, mut stretch) = (None, 0);
        for webhook in snapshot.of_project(event.project) {
            if webhook.pattern_for(&event.event_type).is_none() {
                continue;
            }
            if let Some(filter) = &webhook.filter {
                let evaluation = self.filters.evaluate(filter, facts.get_or_insert_with(|| Facts::of(event)));
                let is_wanted = evaluation.verdict == Verdict::Match;
                verdicts.push((filter.clone(), evaluation.verdict));
                stretch += evaluation.operations;
                if stretch >= OPERATIONS_AT_A_STRETCH {
                    stretch = 0;
                    tokio::task::yield_now().await;
                }
                if !is_wanted {
                    continue;
                }
            }
            planned.push(self.plan(webhook, Trigger::Event, None));
        }
        Candidate { event: event.clone(), idempotency, planned, verdicts }
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
        let candidate =
            Candidate { event: Arc::new(event), idempotency: None, planned: vec![planned], verdicts: Vec::new() };
        self.commit(vec![candidate], None).await?;
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

    /// Commits; none when the webhooks have changed since they were matched at that revision.
    async fn commit(
        &self,
        candidates: Vec<Candidate>,
        matched_at: Option<i64>,
    ) -> Result<Option<Vec<Outcome>>, StoreError> {
        let this = self.clone();
        // A client that goes away must not keep what was committed from being delivered.
        let committed = self.tasks.spawn(async move {
            let events = candidates.iter().map(|candidate| NewEvent {
                event: candidate.event.clone(),
                idempotency: candidate.idempotency,
                deliveries: candidate.planned.iter().map(|planned| planned.new.clone()).collect(),
            });
            let accepted = this.store.accept(Accept { events: events.collect(), matched_at }).await?;
            if accepted.contains(&Accepted::Stale) {
                return Ok(None);
            }
            fail::fail_point!("after-event-commit", |_| std::process::abort());
            let all_stored = !accepted.contains(&Accepted::Mismatch);
            let mut outcomes = Vec::with_capacity(candidates.len());
            for (candidate, accepted) in candidates.into_iter().zip(accepted) {
                outcomes.push(match accepted {
                    Accepted::Mismatch => Outcome::KeyReused,
                    _ if !all_stored => Outcome::NotStored,
                    Accepted::Stale => Outcome::NotStored,
                    Accepted::New => {
                        let event = &candidate.event;
                        for (filter, verdict) in candidate.verdicts {
                            filter.stats().count(&verdict, event.id, event.received_at);
                        }
                        let deliveries = this.hand_over(event, candidate.planned);
                        Outcome::Stored { id: event.id, duplicate: false, deliveries }
                    }
                    Accepted::Duplicate(id) => {
                        let earlier = this.store.deliveries_of_event(id).await?;
                        let made = |(id, webhook_id)| Made { id, webhook_id };
                        Outcome::Stored { id, duplicate: true, deliveries: earlier.into_iter().map(made).collect() }
                    }
                });
            }
            Ok(Some(outcomes))
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
