//! Claims due work and has it done; takes work straight from ingest while there is room.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client::Sender;
use super::health::Health;
use super::lanes::{Bounds, Held, Lanes, Slot};
use super::library::Library;
use super::owners::{OWN_MS, Owners};
use super::pace::Pace;
use super::plan::plan;
use super::watchers::Watchers;
use crate::config::{DeliveryConfig, PluginConfig};
use crate::domain::clock::{Clock, Millis};
use crate::domain::delivery::{DeliveryStatus, Trigger};
use crate::domain::entropy::Entropy;
use crate::domain::id::{DeliveryId, WebhookId};
use crate::domain::webhook::Webhook;
use crate::sandbox::Sandbox;
use crate::store::{Claim, ClaimedWork, Lease, Outlook, Snapshot, Store, StoreError, WorkHead};
use crate::telemetry::metrics::METRICS;

/// How long to wait after the store did not answer.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// How much of a webhook that persons wait for is claimed at once.
const BY_HAND_AT_ONCE: usize = 16;

/// How many webhooks are tried out at once.
pub(super) const TRIALS_AT_ONCE: usize = 8;

/// How long to wait at most when work was left for want of room.
const LEFT_PAUSE: Duration = Duration::from_millis(100);

/// What a dispatcher works with.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Where work comes from and results go.
    pub store: Store,
    /// Runs plugins.
    pub sandbox: Sandbox,
    /// Sends requests.
    pub sender: Sender,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub entropy: Entropy,
    /// How deliveries are made.
    pub delivery: DeliveryConfig,
    /// How plugins are run.
    pub plugins: PluginConfig,
}

/// Has deliveries made.
#[derive(Debug)]
pub struct Dispatcher {
    pub(super) parts: Parts,
    pub(super) watchers: Watchers,
    pub(super) library: Arc<Library>,
    pub(super) health: Health,
    lanes: Arc<Lanes>,
    pub(super) pace: Pace,
    pub(super) owners: Owners,
    wake: Arc<Notify>,
    /// When the loop wakes by itself.
    alarm: Mutex<Millis>,
    tasks: TaskTracker,
    /// Places for webhooks that are tried out.
    pub(super) trials: Semaphore,
}

impl Dispatcher {
    /// A dispatcher that does nothing until [`Dispatcher::run`].
    pub fn new(parts: Parts) -> Arc<Self> {
        let wake = Arc::new(Notify::new());
        let bounds = Bounds {
            total: parts.delivery.in_hand_max,
            per_webhook: parts.delivery.in_hand_per_webhook,
            per_target: parts.delivery.in_hand_per_target,
        };
        let lanes = Lanes::new(bounds, wake.clone());
        let pace = Pace::new(&parts.delivery);
        let owners = Owners::new(parts.store.is_shared());
        let library = Library::new(parts.store.clone(), parts.sandbox.clone(), wake.clone());
        Arc::new(Self {
            health: Health::new(parts.plugins.traps_in_a_row),
            parts,
            watchers: Watchers::default(),
            library,
            lanes,
            pace,
            owners,
            wake,
            alarm: Mutex::new(Millis::NEVER),
            tasks: TaskTracker::new(),
            trials: Semaphore::new(TRIALS_AT_ONCE),
        })
    }

    /// A place for work of this webhook that is about to be stored; none when it must wait in the store.
    pub fn reserve(&self, webhook: &Webhook, trigger: Trigger) -> Option<Slot> {
        self.room(webhook, trigger.is_by_hand(), self.now()).ok()?;
        self.lanes.take(webhook.id, webhook.target)
    }

    /// How much work of a webhook may be claimed now; an error says when to look again. What a person waits for does not
    /// wait for a breaker.
    fn room(&self, webhook: &Webhook, by_hand: bool, now: Millis) -> Result<usize, Millis> {
        if let Some(later) = self.library.waits(webhook, now) {
            return Err(later);
        }
        self.permit(webhook, by_hand, now)?;
        self.pace.room(webhook, by_hand, now)
    }

    /// Whether this node may send to a webhook; an error says when to look again. Another one keeps its rate limit, or
    /// its breaker.
    pub(super) fn permit(&self, webhook: &Webhook, by_hand: bool, now: Millis) -> Result<(), Millis> {
        if by_hand && webhook.rate_limit.is_none() { Ok(()) } else { self.owners.permit(webhook, now) }
    }

    /// The time by which leases and due work are told: the database's, which all nodes share.
    pub fn now(&self) -> Millis {
        self.parts.store.time(self.parts.clock.now())
    }

    /// A lease for work that is about to be stored and started at once.
    pub fn lease(&self) -> Lease {
        let until = self.now().plus(self.parts.delivery.lease_ms());
        Lease { token: self.parts.entropy.token(), until }
    }

    /// How long a delivery of a webhook with an order waits for earlier ones.
    pub fn order_wait_ms(&self, webhook: &Webhook) -> u64 {
        webhook.order_wait_ms.unwrap_or(self.parts.delivery.order_wait_ms)
    }

    /// Starts work that was stored under a lease.
    pub fn start(self: &Arc<Self>, work: ClaimedWork, slot: Slot) {
        let dispatcher = self.clone();
        // A task that holds only a pointer is not copied about.
        self.tasks.spawn(Box::pin(async move {
            dispatcher.work(work).await;
            drop(slot);
        }));
    }

    /// Says that work of this webhook, for which there was no place, is in the store now.
    pub fn left(&self, webhook: &Webhook) {
        // What has a rate limit, an open breaker or another owner has its own time, and the plan must know of it.
        if self.room(webhook, false, self.now()).is_ok() {
            self.lanes.left(webhook.id, webhook.target);
        } else {
            self.wake();
        }
    }

    /// Says that something is due.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Says that something will be due.
    pub(super) fn due_at(&self, due: Millis) {
        if due < *self.alarm.lock() {
            self.wake.notify_one();
        }
    }

    /// Told once when the delivery is settled.
    pub fn watch(&self, id: DeliveryId) -> oneshot::Receiver<()> {
        self.watchers.watch(id)
    }

    pub(super) fn settled(&self, id: DeliveryId, status: DeliveryStatus) {
        if !status.is_open() {
            METRICS.deliveries.one(status as usize);
            self.watchers.settled(id);
        }
    }

    /// Claims until told to stop, then waits for what is in hand.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            // Armed before the store is asked, so that no signal in between is lost.
            let mut woken = std::pin::pin!(self.wake.notified());
            woken.as_mut().enable();
            let pause = self.claim().await;
            if pause.is_zero() {
                continue;
            }
            tokio::select! {
                () = woken => {}
                () = self.parts.store.released() => {}
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Claims once; says how long nothing is due.
    async fn claim(self: &Arc<Self>) -> Duration {
        let sweep = Duration::from_millis(self.parts.delivery.sweep_ms);
        let (work, outlook) = match self.claim_due().await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::error!(%error, "due work cannot be claimed");
                return STORE_PAUSE;
            }
        };
        let claimed = work.len();
        for (work, slot) in work {
            self.start(work, slot);
        }
        self.lanes.end_plan(outlook.left);
        if outlook.left && claimed > 0 {
            return Duration::ZERO;
        }
        let due = outlook.next_due.unwrap_or(Millis::NEVER);
        *self.alarm.lock() = due;
        // Room may have been kept for webhooks that had less than was thought.
        let longest = if outlook.left { LEFT_PAUSE.min(sweep) } else { sweep };
        Duration::from_millis(due.since(self.now())).clamp(Duration::from_millis(1), longest)
    }

    async fn claim_due(&self) -> Result<(Vec<(ClaimedWork, Slot)>, Outlook), StoreError> {
        // Before the store is asked: room that becomes free meanwhile must not go unnoticed.
        let (mut in_hand, bounds) = self.lanes.begin_plan();
        let heads = self.parts.store.work_heads(self.parts.clock.now()).await?;
        let now = self.now();
        self.pace.forget(now);
        let webhooks = self.parts.store.subscriptions();
        self.take_over(&heads, &webhooks, now).await?;
        let mut outlook = Outlook::NOTHING;
        let mut by_hand = self.places_by_hand(&heads, &webhooks, now, &mut outlook);
        for (id, held) in &by_hand {
            webhooks.webhook(*id).inspect(|webhook| in_hand.add(*id, webhook.target, held.count()));
        }
        let known = |id| webhooks.webhook(id).map(|webhook| (webhook.target, self.room(webhook, false, now)));
        let (wanted, planned) = plan(&heads, known, in_hand, bounds, now);
        outlook.left |= planned.left;
        planned.next_due.into_iter().for_each(|due| outlook.note(due));
        if wanted.is_empty() && by_hand.is_empty() {
            return Ok((Vec::new(), outlook));
        }
        let mut places = BTreeMap::new();
        for (id, count) in wanted {
            let Some(webhook) = webhooks.webhook(id) else { continue };
            let held = self.lanes.hold(id, webhook.target, count);
            outlook.left |= held.count() < count;
            places.insert(id, held);
        }
        places.retain(|_, held| held.count() > 0);
        let counts = |places: &BTreeMap<WebhookId, Held>| places.iter().map(|(id, held)| (*id, held.count())).collect();
        let claim = Claim { now, lease: self.lease(), wanted: counts(&places), by_hand: counts(&by_hand) };
        let (work, of_claimed) = self.parts.store.claim(claim).await?;
        outlook.left |= of_claimed.left;
        of_claimed.next_due.into_iter().for_each(|due| outlook.note(due));
        let with_slot = work.into_iter().filter_map(|work| {
            let webhook = work.head().webhook_id;
            let slot = by_hand.get_mut(&webhook).and_then(Held::slot);
            let slot = slot.or_else(|| places.get_mut(&webhook).and_then(Held::slot))?;
            Some((work, slot))
        });
        Ok((with_slot.collect(), outlook))
    }

    /// Places for what persons wait for: it goes first, and past the breaker.
    fn places_by_hand(
        &self,
        heads: &[WorkHead],
        webhooks: &Snapshot,
        now: Millis,
        outlook: &mut Outlook,
    ) -> BTreeMap<WebhookId, Held> {
        let mut places = BTreeMap::new();
        for (id, due) in heads.iter().filter_map(|head| Some((head.webhook, head.by_hand?))) {
            let Some(webhook) = webhooks.webhook(id) else { continue };
            let room = if due > now { Err(due) } else { self.room(webhook, true, now) };
            match room {
                Err(later) => outlook.note(later),
                Ok(room) => {
                    let held = self.lanes.hold(id, webhook.target, room.min(BY_HAND_AT_ONCE));
                    if held.count() == 0 {
                        outlook.left = true;
                    } else {
                        places.insert(id, held);
                    }
                }
            }
        }
        places
    }

    /// Tries to own what is due and must be owned to be sent.
    async fn take_over(&self, heads: &[WorkHead], webhooks: &Snapshot, now: Millis) -> Result<(), StoreError> {
        let due = heads.iter().filter(|head| head.due <= now).filter_map(|head| webhooks.webhook(head.webhook));
        let wanted: BTreeMap<WebhookId, Option<Millis>> =
            due.filter(|webhook| self.owners.wants(webhook, now)).map(|webhook| (webhook.id, None)).collect();
        if !wanted.is_empty() {
            self.owners.learn(self.parts.store.own(wanted, now, now.plus(OWN_MS)).await?, now);
        }
        Ok(())
    }

    /// Keeps what this node owns, and tells other nodes of it and learns of them, until told to stop. Nothing to do where no
    /// other node can be.
    pub async fn keep_in_touch(self: Arc<Self>, stop: CancellationToken) {
        const PAUSE: Duration = Duration::from_millis(500);
        while self.parts.store.is_shared() && !stop.is_cancelled() {
            if let Err(error) = self.touch().await {
                tracing::warn!(%error, "other nodes cannot be told of this one, nor asked");
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn touch(&self) -> Result<(), StoreError> {
        let (store, now) = (&self.parts.store, self.now());
        let upkeep = self.owners.upkeep(&self.pace.paused(), now);
        if !upkeep.disown.is_empty() {
            store.disown(upkeep.disown).await?;
        }
        if !upkeep.own.is_empty() {
            self.owners.learn(store.own(upkeep.own, now, now.plus(OWN_MS)).await?, now);
        }
        self.owners.learn_paused(store.paused_elsewhere(now).await?, now);
        store.sync_failing().await?;
        store.beat(self.lanes.is_idle(), now).await
    }

    /// Begins at once what other nodes leave, until told to stop.
    pub async fn listen(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let heard = async {
                let Some(mut wake_ups) = self.parts.store.wake_ups().await? else { return Ok(()) };
                loop {
                    wake_ups.next().await?;
                    self.wake();
                }
            };
            tokio::select! {
                ended = heard => match ended {
                    Ok(()) => return,
                    Err(error) => {
                        let error: StoreError = error;
                        tracing::warn!(%error, "other nodes cannot be heard; their work is found by looking");
                        tokio::time::sleep(STORE_PAUSE).await;
                    }
                },
                () = stop.cancelled() => return,
            }
        }
    }

    /// When the breaker of a webhook lets a request pass again, if it is open on any node.
    pub fn paused_until(&self, webhook: WebhookId) -> Option<Millis> {
        self.pace.paused_until(webhook).or_else(|| self.owners.paused_until(webhook))
    }

    async fn work(self: &Arc<Self>, work: ClaimedWork) {
        // The lease is on disk, whether it was claimed or given as the work was stored, and nothing has been done yet.
        fail::fail_point!("after-claim", |_| std::process::abort());
        match work {
            ClaimedWork::Transform(work) => Box::pin(self.transform(work)).await,
            ClaimedWork::Send(work) => drop(self.attempt(work).await),
        }
    }
}
