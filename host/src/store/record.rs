//! What is written, as values: each is one use case, many of them share a commit.

use std::sync::Arc;

use crate::domain::clock::Millis;
use crate::domain::delivery::{AttemptOutcome, DeliveryStatus, ErrorClass, Trigger};
use crate::domain::digest::Bounds;
use crate::domain::event::{Event, Idempotency};
use crate::domain::giving_up::Failing;
use crate::domain::id::{DeliveryId, EventId, ProjectId, RequestId, WebhookId};
use crate::domain::request::FrozenRequest;
use crate::domain::requester::Requester;
use crate::domain::verdict::Fact;

/// The right to work on something until a time. Work is finished only with the token it was claimed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Random; never 0.
    pub token: i64,
    /// Until then nobody else may work on it.
    pub until: Millis,
}

/// The two kinds of open work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkKind {
    /// Turn a delivery's event into requests.
    Transform,
    /// Send a request.
    Send,
}

impl WorkKind {
    pub(super) const fn number(self) -> i64 {
        match self {
            Self::Transform => 0,
            Self::Send => 1,
        }
    }

    pub(super) const fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Transform),
            1 => Some(Self::Send),
            _ => None,
        }
    }

    /// The delivery that work of this id is for.
    pub(super) fn delivery(self, id: uuid::Uuid) -> DeliveryId {
        match self {
            Self::Transform => DeliveryId::from_uuid(id),
            Self::Send => RequestId::from_uuid(id).delivery(),
        }
    }
}

/// How a new delivery begins.
#[derive(Debug, Clone)]
pub enum Beginning {
    /// Open work, due now, or leased by who makes it.
    Open {
        /// What is to be done first.
        kind: WorkKind,
        /// When it is due.
        due: Millis,
        /// Held by who makes it.
        lease: Option<Lease>,
    },
    /// Nothing to do by itself: it waits for its webhook's digest.
    Collected {
        /// When that is due.
        bounds: Bounds,
    },
    /// Nothing to do, on purpose.
    Skipped {
        /// Why, for people.
        reason: String,
    },
}

/// A delivery's part in an order: it waits for earlier ones of its webhook with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InOrder {
    /// What they have in common.
    pub key: uuid::Uuid,
    /// When it waits no longer.
    pub until: Millis,
}

/// A delivery to be made together with its event.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// Where it goes.
    pub webhook_id: WebhookId,
    /// The webhook's configuration revision.
    pub revision: i64,
    /// Why it is made.
    pub trigger: Trigger,
    /// Who asked for it, when a person did.
    pub requester: Option<Requester>,
    /// How it begins.
    pub beginning: Beginning,
    /// What it waits for; it must not be leased then.
    pub order: Option<InOrder>,
}

/// Whether an event is stored with its deliveries, and which of them.
#[derive(Debug, Clone)]
pub enum FanOut {
    /// It is new, and its deliveries are the first ones; those to these webhooks are made later, in steps.
    Begin {
        /// What makes a repeated post the same event.
        idempotency: Option<Idempotency>,
        /// For each step its webhooks; mostly none.
        later: Vec<Vec<WebhookId>>,
    },
    /// It is stored already, and its deliveries are further ones.
    Known,
    /// It is stored already, and its deliveries are those of a step.
    Step {
        /// Which.
        step: i64,
        /// The lease on the step.
        lease: Lease,
    },
}

/// An event and its deliveries.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The event.
    pub event: Arc<Event>,
    /// Whether there are more deliveries to come.
    pub fan_out: FanOut,
    /// Its deliveries.
    pub deliveries: Vec<NewDelivery>,
}

impl NewEvent {
    /// What makes a repeated post the same event.
    pub(super) const fn idempotency(&self) -> Option<Idempotency> {
        match self.fan_out {
            FanOut::Begin { idempotency, .. } => idempotency,
            FanOut::Known | FanOut::Step { .. } => None,
        }
    }
}

/// Events that are stored together: all or none.
#[derive(Debug, Clone)]
pub struct Accept {
    /// The events, in their order.
    pub events: Vec<NewEvent>,
    /// The revision of the webhooks that the events were matched with; none when matching had no part in it.
    pub matched_at: Option<i64>,
}

/// What storing an event came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// It is new.
    New,
    /// It was posted before: this is the event that it became.
    Duplicate(EventId),
    /// Its key was used for something else before.
    Mismatch,
    /// A webhook has changed since it was matched: nothing was stored, and it must be matched again.
    Stale,
    /// The lease on the step has passed to somebody else; nothing was stored.
    Taken,
}

/// A plugin's requests, fixed from now on: alone, or together with the first one's result.
#[derive(Debug, Clone)]
pub struct Freeze {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its project.
    pub project: ProjectId,
    /// Its webhook.
    pub webhook_id: WebhookId,
    /// The lease on its transformation.
    pub lease: Lease,
    /// The requests, in order; none where the event itself goes out, as without a plugin.
    pub requests: Vec<Arc<FrozenRequest>>,
    /// Who holds each of them, in the same order.
    pub leases: Vec<Option<Lease>>,
    /// When those that nobody holds are due.
    pub due: Millis,
    /// Whether later deliveries wait for its delivery to settle.
    pub is_ordered: bool,
    /// Whether a person waits for it.
    pub by_hand: bool,
    /// How the plugin's run went: JSON.
    pub run: String,
}

impl Freeze {
    /// What each request is; none for one that follows from event and configuration.
    pub(super) fn contents(&self) -> Vec<Option<&FrozenRequest>> {
        if self.requests.is_empty() { vec![None] } else { self.requests.iter().map(|frozen| Some(&**frozen)).collect() }
    }
}

/// A delivery that ends without requests.
#[derive(Debug, Clone)]
pub struct Settle {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The lease on its transformation.
    pub lease: Lease,
    /// Whether later deliveries wait for it to settle.
    pub is_ordered: bool,
    /// `skipped`, `parked`, `failed` or `cancelled`.
    pub status: DeliveryStatus,
    /// Why, for people.
    pub reason: String,
    /// How the plugin's run went: JSON.
    pub run: Option<String>,
    /// The server's own event that tells of it.
    pub raise: Option<Arc<Event>>,
    /// Now.
    pub now: Millis,
}

/// Work given back, to be done later; no attempt is counted.
#[derive(Debug, Clone)]
pub struct Postpone {
    /// The work: a delivery's or a request's id.
    pub work: uuid::Uuid,
    /// The lease on it.
    pub lease: Lease,
    /// When it is due.
    pub due: Millis,
    /// Why, for people.
    pub reason: Option<String>,
    /// Whether it counts as a try, for work that is tried a limited number of times.
    pub counts: bool,
    /// How the plugin's run went: JSON.
    pub run: Option<String>,
}

/// One attempt to send a request, with its secrets already replaced by their names.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// When it began.
    pub started_at: Millis,
    /// How long it took.
    pub duration_ms: u64,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// What kept it from success.
    pub error_class: Option<ErrorClass>,
    /// The same in words.
    pub error: Option<String>,
    /// Where it went, masked.
    pub url: String,
    /// HTTP status.
    pub status_code: Option<u16>,
    /// As sent: a JSON list of fields.
    pub request_headers: String,
    /// As received: the same.
    pub response_headers: Option<String>,
    /// What was kept of the answer.
    pub response_body: Option<Vec<u8>>,
    /// Whether the answer was longer.
    pub truncated: bool,
    /// What the plugin made of the answer, if it was asked: JSON.
    pub verdict: Option<String>,
}

/// What a plugin wants to remember of an answer.
#[derive(Debug, Clone)]
pub struct Learnt {
    /// The plugin's name.
    pub plugin: String,
    /// What; each key counts once, the last time.
    pub facts: Vec<Fact>,
    /// Most facts that the webhook may have; the oldest are forgotten.
    pub most: usize,
}

/// What becomes of a request after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestEnd {
    /// It arrived.
    Succeeded,
    /// It is tried again.
    Retry {
        /// When.
        due: Millis,
    },
    /// It did not arrive and will not.
    Failed {
        /// Why, for people.
        reason: String,
    },
    /// It may have arrived.
    Uncertain,
    /// It may have arrived; a person decides.
    Held,
}

/// What a result tells of its webhook, beyond what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Nothing.
    Same,
    /// Something has arrived at a webhook at which requests fail.
    Recovers,
    /// A request has failed; whether that is known of others already.
    Fails {
        /// Whether it is.
        known: bool,
    },
}

/// The result of an attempt.
#[derive(Debug, Clone)]
pub struct Finish {
    /// The request.
    pub request: RequestId,
    /// Its project.
    pub project: ProjectId,
    /// Its webhook.
    pub webhook_id: WebhookId,
    /// The lease it was sent under: on the request, or on its delivery's transformation when that ends with it.
    pub lease: Lease,
    /// The requests of its delivery, when this is the first result of any of them.
    pub freeze: Option<Box<Freeze>>,
    /// The attempt.
    pub attempt: Attempt,
    /// What becomes of the request.
    pub end: RequestEnd,
    /// Whether it is its delivery's only request.
    pub only_request: bool,
    /// Whether it follows from event and configuration: no plugin made it.
    pub is_plain: bool,
    /// Whether later deliveries wait for its delivery to settle.
    pub is_ordered: bool,
    /// What the plugin wants to remember.
    pub learnt: Option<Learnt>,
    /// What it tells of its webhook.
    pub health: Health,
    /// Why the webhook is disabled, when this attempt is the reason.
    pub disable: Option<String>,
    /// The server's own event that tells of that.
    pub raise: Option<Arc<Event>>,
    /// The one that tells of its delivery, should that have failed for good with it.
    pub exhausted: Option<Arc<Event>>,
    /// The one that tells that something arrives again, should deliveries of its webhook have failed for good before.
    pub recovered: Option<Arc<Event>>,
    /// Now.
    pub now: Millis,
}

impl Finish {
    /// The work that the lease is on.
    pub(super) fn held(&self) -> uuid::Uuid {
        if self.freeze.is_some() { self.request.delivery().uuid() } else { self.request.uuid() }
    }
}

/// What a finished attempt changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// Where the delivery stands now.
    pub delivery: DeliveryStatus,
    /// Whether the lease had passed to somebody else: the attempt is kept, marked as late.
    pub late: bool,
    /// What is known of the webhook if its requests fail, when this added to it.
    pub failing: Option<Failing>,
}
