//! From a posted event to stored deliveries: match, commit, hand over.

mod fan_out;

use std::sync::Arc;

use fan_out::split;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::config::IngestConfig;
use crate::deliver::TooManyTrials;
use crate::deliver::{Dispatcher, Slot};
use crate::domain::clock::Millis;
use crate::domain::delivery::Trigger;
use crate::domain::digest::Digest;
use crate::domain::entropy::Entropy;
use crate::domain::event::{Event, Idempotency};
use crate::domain::filter::{Facts, Filter, Filters, Verdict};
use crate::domain::id::{DeliveryId, EventId, WebhookId};
use crate::domain::requester::Requester;
use crate::domain::webhook::{State, Webhook};
use crate::store::DeliveryView;
use crate::store::{
    Accept, Accepted, Beginning, ClaimedSend, ClaimedTransform, ClaimedWork, DeliveryHead, FanOut, InOrder,
    LoadedRequest, NewDelivery, NewEvent, Snapshot, Store, StoreError, WorkKind,
};
use crate::telemetry::metrics::METRICS;

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

impl Made {
    fn of(new: &NewDelivery) -> Self {
        Self { id: new.id, webhook_id: new.webhook_id }
    }
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
        /// Its deliveries, as far as they are made.
        deliveries: Vec<Made>,
        /// How many more will be made, one step after the other.
        to_come: usize,
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
    entropy: Entropy,
    config: IngestConfig,
    /// Told when there are steps of wide events to be done.
    wide: Arc<Notify>,
}

/// Where a delivery that is about to be stored goes, and the place that is kept for it.
struct Place {
    webhook: Arc<Webhook>,
    slot: Option<Slot>,
}

/// What is done about an event once it is stored.
#[derive(Default)]
struct Plan {
    /// One for each of its deliveries.
    places: Vec<Place>,
    /// What filters said, to be counted.
    verdicts: Vec<(Arc<Filter>, Verdict)>,
}

/// Events about to be stored, each with its plan.
#[derive(Default)]
struct Candidates {
    events: Vec<NewEvent>,
    plans: Vec<Plan>,
}

/// What events of a webhook are collected by, if they are. What a person asks for goes out at once.
fn collecting(webhook: &Webhook, trigger: Trigger) -> Option<&Digest> {
    webhook.digest.as_deref().filter(|_| matches!(trigger, Trigger::Event | Trigger::Schedule))
}

/// How many of an event's deliveries are made later.
fn to_come(new: &NewEvent) -> usize {
    match &new.fan_out {
        FanOut::Begin { later, .. } => later.iter().map(Vec::len).sum(),
        FanOut::Known | FanOut::Step { .. } => 0,
    }
}

/// Counts what was stored.
fn count(outcomes: &[Outcome]) {
    let stored = |wanted: bool| {
        let is_it = |outcome: &&Outcome| matches!(outcome, Outcome::Stored { duplicate, .. } if *duplicate == wanted);
        outcomes.iter().filter(is_it).count() as u64
    };
    METRICS.events.add(stored(false));
    METRICS.duplicates.add(stored(true));
}

impl Ingest {
    /// Takes events for this store and dispatcher.
    pub fn new(
        store: Store,
        dispatcher: Arc<Dispatcher>,
        filters: Arc<Filters>,
        entropy: Entropy,
        config: IngestConfig,
    ) -> Self {
        Self { store, dispatcher, filters, entropy, config, wide: Arc::default() }
    }

    /// Stores events, each with a delivery for every webhook that wants it: all or none. When this answers, they are on
    /// disk.
    pub async fn accept(&self, posted: Vec<Posted>) -> Result<Vec<Outcome>, StoreError> {
        let posted: Vec<(Arc<Event>, Option<Idempotency>)> =
            posted.into_iter().map(|posted| (Arc::new(posted.event), posted.idempotency)).collect();
        for _ in 0..MATCHINGS_MAX {
            let snapshot = self.store.subscriptions();
            let mut candidates = Candidates::default();
            let mut room = self.config.fan_out_commit;
            for (event, idempotency) in &posted {
                let (wanted, verdicts) = self.matched(&snapshot, event).await;
                let at_once = room.min(self.config.fan_out_step);
                let is_ordered = |webhook: &&Arc<Webhook>| webhook.order.key(event.subject.as_deref()).is_some();
                let (first, later) = split(wanted, is_ordered, at_once, self.config.fan_out_step);
                let later = later.iter().map(|step| step.iter().map(|webhook| webhook.id).collect()).collect();
                room = room.saturating_sub(first.len());
                let (deliveries, places) =
                    first.iter().map(|webhook| self.plan_for(webhook, event, Trigger::Event)).unzip();
                let fan_out = FanOut::Begin { idempotency: *idempotency, later };
                candidates.events.push(NewEvent { event: event.clone(), fan_out, deliveries });
                candidates.plans.push(Plan { places, verdicts });
            }
            if let Some(outcomes) = self.commit(candidates, Some(snapshot.revision())).await? {
                count(&outcomes);
                return Ok(outcomes);
            }
            // A webhook has changed, here or on another node, since the events were matched.
            self.store.sync_subscriptions().await?;
        }
        Err(StoreError::Contended)
    }

    /// The webhooks that want the event, and what their filters said. The payload is read only if one of them has a filter.
    async fn matched<'a>(
        &self,
        snapshot: &'a Snapshot,
        event: &Arc<Event>,
    ) -> (Vec<&'a Arc<Webhook>>, Vec<(Arc<Filter>, Verdict)>) {
        let (mut wanted, mut verdicts) = (Vec::new(), Vec::new());
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
            wanted.push(webhook);
        }
        (wanted, verdicts)
    }

    /// The delivery of an event to a webhook that wants it.
    fn plan_for(&self, webhook: &Arc<Webhook>, event: &Event, trigger: Trigger) -> (NewDelivery, Place) {
        self.plan(webhook, trigger, None, webhook.order.key(event.subject.as_deref()))
    }

    /// Makes a delivery of an event to one webhook only, whatever the webhook wants; a new event is stored with it.
    pub async fn deliver_to(
        &self,
        event: Event,
        is_new: bool,
        webhook: &Arc<Webhook>,
        trigger: Trigger,
        requester: Requester,
    ) -> Result<(Made, tokio::sync::oneshot::Receiver<()>), StoreError> {
        let (new, place) = self.plan(webhook, trigger, Some(requester), None);
        let made = Made { id: new.id, webhook_id: webhook.id };
        let settled = self.dispatcher.watch(made.id);
        let fan_out = if is_new { FanOut::Begin { idempotency: None, later: Vec::new() } } else { FanOut::Known };
        let event = NewEvent { event: Arc::new(event), fan_out, deliveries: vec![new] };
        let plan = Plan { places: vec![place], verdicts: Vec::new() };
        self.commit(Candidates { events: vec![event], plans: vec![plan] }, None).await?;
        Ok((made, settled))
    }

    fn plan(
        &self,
        webhook: &Arc<Webhook>,
        trigger: Trigger,
        requester: Option<Requester>,
        order_key: Option<Uuid>,
    ) -> (NewDelivery, Place) {
        let now = self.dispatcher.now();
        let mut slot = None;
        let mut order = None;
        let beginning = match (&webhook.state, collecting(webhook, trigger)) {
            (State::Disabled { reason }, _) if trigger != Trigger::Test => {
                Beginning::Skipped { reason: format!("the webhook is disabled: {reason}") }
            }
            (_, Some(digest)) => Beginning::Collected { bounds: digest.bounds(now) },
            _ => {
                // What a person waits for does not wait for others. What waits is not begun at once, though its turn may have come.
                order = order_key.map(|key| InOrder { key, until: now.plus(self.dispatcher.order_wait_ms(webhook)) });
                slot = if order.is_none() { self.dispatcher.reserve(webhook, trigger) } else { None };
                let kind = if webhook.configuration.plugin.is_some() { WorkKind::Transform } else { WorkKind::Send };
                Beginning::Open { kind, due: now, lease: slot.as_ref().map(|_| self.dispatcher.lease()) }
            }
        };
        let new = NewDelivery {
            id: DeliveryId::with_room(now, self.entropy.id()),
            webhook_id: webhook.id,
            revision: webhook.configuration.revision,
            trigger,
            requester,
            beginning,
            order,
        };
        (new, Place { webhook: webhook.clone(), slot })
    }

    /// Commits; none when the webhooks have changed since they were matched at that revision.
    async fn commit(
        &self,
        candidates: Candidates,
        matched_at: Option<i64>,
    ) -> Result<Option<Vec<Outcome>>, StoreError> {
        let Candidates { events, plans } = candidates;
        let this = self.clone();
        // A client that goes away must not keep what was committed from being delivered.
        let hand_over = move |events: Vec<NewEvent>, accepted: &[Accepted]| {
            if accepted.iter().all(|accepted| matches!(accepted, Accepted::New | Accepted::Duplicate(_))) {
                fail::fail_point!("after-event-commit", |_| std::process::abort());
                let stored = events.into_iter().zip(plans).zip(accepted);
                this.start(stored.filter(|(_, accepted)| **accepted == Accepted::New).map(|(stored, _)| stored));
            }
        };
        let made: Vec<Vec<Made>> = events.iter().map(|event| event.deliveries.iter().map(Made::of).collect()).collect();
        let ids: Vec<(EventId, usize)> = events.iter().map(|new| (new.event.id, to_come(new))).collect();
        let is_step = events.iter().any(|new| matches!(new.fan_out, FanOut::Step { .. }));
        let accept = Accept { events, matched_at };
        let accepted = if is_step {
            self.store.fan_out_then(accept, hand_over).await?
        } else {
            self.store.accept_then(accept, hand_over).await?
        };
        if accepted.contains(&Accepted::Stale) {
            return Ok(None);
        }
        let all_stored = !accepted.contains(&Accepted::Mismatch);
        let mut outcomes = Vec::with_capacity(accepted.len());
        for (((id, to_come), deliveries), accepted) in ids.into_iter().zip(made).zip(accepted) {
            outcomes.push(match accepted {
                Accepted::Mismatch => Outcome::KeyReused,
                Accepted::Stale | Accepted::Taken => Outcome::NotStored,
                _ if !all_stored => Outcome::NotStored,
                Accepted::New => Outcome::Stored { id, duplicate: false, deliveries, to_come },
                Accepted::Duplicate(id) => {
                    let earlier = self.store.deliveries_of_event(id).await?;
                    let made = |(id, webhook_id)| Made { id, webhook_id };
                    let deliveries = earlier.into_iter().map(made).collect();
                    Outcome::Stored { id, duplicate: true, deliveries, to_come: 0 }
                }
            });
        }
        Ok(Some(outcomes))
    }

    /// Starts the deliveries of events that are on disk.
    fn start(&self, stored: impl Iterator<Item = (NewEvent, Plan)>) {
        let mut wide = false;
        for (new, Plan { places, verdicts }) in stored {
            wide |= to_come(&new) > 0;
            let NewEvent { event, deliveries, .. } = new;
            for (filter, verdict) in verdicts {
                filter.stats().count(&verdict, event.id, event.received_at);
            }
            for (new, Place { webhook, slot }) in deliveries.into_iter().zip(places) {
                let Beginning::Open { kind, lease, .. } = new.beginning else { continue };
                let (Some(slot), Some(lease)) = (slot, lease) else {
                    self.dispatcher.left(&webhook);
                    continue;
                };
                let head = DeliveryHead {
                    id: new.id,
                    project: event.project,
                    webhook_id: new.webhook_id,
                    is_ordered: false,
                    trigger: new.trigger,
                    event: event.clone(),
                    configuration: webhook.configuration.clone(),
                };
                let work = match kind {
                    WorkKind::Transform => {
                        ClaimedWork::Transform(ClaimedTransform { head, lease, attempts: 0, is_interrupted: false })
                    }
                    WorkKind::Send => ClaimedWork::Send(ClaimedSend {
                        request: new.id.request(0),
                        head,
                        content: LoadedRequest::Plain,
                        lease,
                        freeze: None,
                        attempts: 0,
                        schedule_from: 0,
                        only_request: true,
                        is_interrupted: false,
                    }),
                };
                self.dispatcher.start(work, slot);
            }
        }
        if wide {
            self.wide.notify_one();
        }
    }

    /// Says that work has become due.
    pub fn wake(&self) {
        self.dispatcher.wake();
    }

    /// Sends an event to a webhook that is not registered, once; nothing is stored.
    pub async fn try_out(&self, webhook: &Webhook, event: Event) -> Result<DeliveryView, TooManyTrials> {
        self.dispatcher.try_out(webhook, event).await
    }

    /// When the breaker of a webhook lets a request pass again, if it is open.
    pub fn paused_until(&self, webhook: WebhookId) -> Option<Millis> {
        self.dispatcher.paused_until(webhook)
    }
}
