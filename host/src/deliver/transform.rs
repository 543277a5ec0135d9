//! From a delivery to its requests: run the plugin, check what it wants, fix it.

use std::sync::Arc;
use std::time::Duration;

use super::attempt::INTERRUPTED;
use super::dispatcher::Dispatcher;
use super::library::Availability;
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, Trigger};
use crate::domain::event::Event;
use crate::domain::id::{EventId, WebhookId};
use crate::domain::operational;
use crate::domain::outcome::Outcome;
use crate::domain::plugin::{Digest, Pause, PluginFailure};
use crate::domain::plugin_health::RunEnd;
use crate::domain::recording::{Digests, Given};
use crate::domain::request::FrozenRequest;
use crate::domain::retry::{ASKED_WAIT_MIN_MS, WAIT_MAX_MS};
use crate::domain::webhook::{OnPluginFailure, PluginUse, Webhook};
use crate::sandbox::{Input, Loaded, Memory, Ran, RunLimits, Transformed, Used, outcome};
use crate::store::{
    ClaimedSend, ClaimedTransform, DeliveryHead, Freeze, Lease, LoadedRequest, Postpone, Settle, Store,
};
use crate::telemetry::metrics::METRICS;

/// How long a delivery waits when no plugin thread is free.
const BUSY_WAIT_MS: u64 = 250;
/// How long a delivery waits when what its plugin remembers cannot be read.
const MEMORY_WAIT_MS: u64 = 1000;
/// How long a plugin waits for what it remembers.
const RECALL_WAIT: Duration = Duration::from_secs(5);
/// A run that timed out or crashed is tried once more.
const RUNS_MAX: u32 = 2;

/// What a plugin made.
struct Made {
    requests: Vec<FrozenRequest>,
    /// How its run went: JSON.
    run: String,
    /// Whether it recalled something: it may make something else of the same event next time.
    from_memory: bool,
}

/// How a transformation ends.
enum End {
    Requests(Vec<FrozenRequest>),
    /// The event itself, as without a plugin.
    Unchanged,
    Settled(DeliveryStatus, String),
    Later {
        wait_ms: u64,
        counts: bool,
        reason: String,
    },
}

impl Dispatcher {
    pub(super) async fn transform(self: &Arc<Self>, work: ClaimedTransform) {
        let ClaimedTransform { head, lease, attempts, is_interrupted } = work;
        if is_interrupted && head.trigger.is_by_hand() {
            // Its first request is sent before anything is written of it.
            self.settle(&head, lease, DeliveryStatus::Failed, INTERRUPTED.to_owned(), None, None).await;
            return;
        }
        let Some(webhook) = self.ready(&head, lease, head.id.uuid()).await else { return };
        let Some(plugin) = head.configuration.plugin.clone() else {
            // It waited for a paused plugin that its webhook no longer has.
            self.send_unchanged(head, lease, String::new()).await;
            return;
        };
        // Whoever tests or triggers wants to see whether it is well again.
        if !head.trigger.is_by_hand() && self.waits_for_resume(&head, lease, &plugin).await {
            return;
        }
        let later = |wait_ms, reason: &str| End::Later { wait_ms, counts: false, reason: reason.to_owned() };
        let mut from_memory = false;
        let (end, run, failure) = match self.library.get(&plugin, self.now()).await {
            Availability::Ready((loaded, version)) => {
                let limits = self.parts.sandbox.limits(&plugin.limits);
                match self.run_plugin(&head, &webhook, &plugin, loaded, limits).await {
                    Some(ran) => {
                        from_memory = !ran.used.recalled.is_empty();
                        self.note_health(&head, &plugin, ran.result.as_ref().err()).await;
                        let outcome = outcome(&ran, &version.manifest, &limits.requests, &webhook.secrets.url);
                        let digests = digests(&head, &webhook, &plugin, &ran.used, version.digest, &outcome);
                        let (end, failure) = judge(outcome, runs_left(&head, attempts));
                        let (end, choice) = chosen(end, webhook.on_plugin_failure);
                        let begun = Some((&*webhook, &limits, digests));
                        let run = run_json(&ran.used, begun, failure.as_ref(), choice);
                        (end, Some(run), failure)
                    }
                    None => (later(BUSY_WAIT_MS, "waits for a plugin thread"), None, None),
                }
            }
            Availability::Later(wait_ms) => (later(wait_ms, "waits for its plugin to be compiled"), None, None),
            Availability::Failed(failure) => {
                let parked = End::Settled(DeliveryStatus::Parked, failure.message.clone());
                let (end, choice) = chosen(parked, webhook.on_plugin_failure);
                (end, Some(run_json(&Used::default(), None, Some(&failure), choice)), Some(failure))
            }
        };
        match end {
            End::Requests(requests) => {
                let made = Made { requests, run: run.unwrap_or_default(), from_memory };
                self.send_frozen(head, lease, made).await;
            }
            End::Unchanged => self.send_unchanged(head, lease, run.unwrap_or_default()).await,
            End::Settled(status, reason) => {
                let raise = if status == DeliveryStatus::Parked {
                    self.parked_event(&head, &webhook, &plugin, failure.as_ref())
                } else {
                    None
                };
                self.settle(&head, lease, status, reason, run, raise).await;
            }
            End::Later { wait_ms, counts, reason } => {
                let due = self.now().plus(wait_ms);
                let work = head.id.uuid();
                self.postpone(Postpone { work, lease, due, reason: Some(reason), counts, run }).await;
            }
        }
    }

    /// The webhook, if work for it may go on now.
    pub(super) async fn ready(&self, head: &DeliveryHead, lease: Lease, work: uuid::Uuid) -> Option<Arc<Webhook>> {
        // A webhook that is gone took its open work with it.
        let webhook = self.parts.store.subscriptions().webhook(head.webhook_id)?.clone();
        if !webhook.state.is_enabled() && head.trigger != Trigger::Test {
            let held = Postpone { work, lease, due: Millis::NEVER, reason: None, counts: false, run: None };
            Box::pin(self.postpone(held)).await;
            return None;
        }
        Some(webhook)
    }

    /// Gives a delivery back whose plugin is paused; false when it is not.
    async fn waits_for_resume(&self, head: &DeliveryHead, lease: Lease, plugin: &PluginUse) -> bool {
        if self.parts.store.subscriptions().paused(plugin.version_id).is_none() {
            return false;
        }
        self.health.forget(plugin.version_id);
        let reason = Some(format!("waits for the plugin {} {}, which is paused", plugin.name, plugin.version));
        let (work, due) = (head.id.uuid(), Millis::ON_RESUME);
        self.postpone(Postpone { work, lease, due, reason, counts: false, run: None }).await;
        true
    }

    /// Takes note of how a run ended, and pauses the version if it was one too many.
    async fn note_health(&self, head: &DeliveryHead, plugin: &PluginUse, failure: Option<&PluginFailure>) {
        let counted = if failure.is_none() { &METRICS.plugin_runs } else { &METRICS.plugin_failures };
        counted.add(1);
        if !self.health.note(plugin.version_id, RunEnd::of(failure, &plugin.limits)) {
            return;
        }
        let PluginUse { name, version, .. } = plugin;
        let runs = self.parts.plugins.traps_in_a_row;
        let last = failure.map_or_else(String::new, |failure| failure.message.clone());
        let pause = Pause { since: self.now(), reason: format!("{runs} runs in a row failed; the last one: {last}") };
        let id = EventId::new(self.parts.clock.now(), self.parts.entropy.id());
        let event = (!head.event.event_type.is_operational())
            .then(|| operational::plugin_failing(id, head.project, plugin, &pause));
        match self.parts.store.pause_plugin(plugin.version_id, &pause, event).await {
            Ok(_) => tracing::warn!(plugin = name, version, reason = pause.reason, "a plugin is paused"),
            // The next runs that trap try it again.
            Err(error) => tracing::error!(%error, plugin = name, version, "a plugin cannot be paused"),
        }
    }

    /// The event that tells of a parked delivery, if anybody wants it: there may be many of them.
    fn parked_event(
        &self,
        head: &DeliveryHead,
        webhook: &Webhook,
        plugin: &PluginUse,
        failure: Option<&PluginFailure>,
    ) -> Option<Arc<Event>> {
        if !self.is_told_of(head, operational::DELIVERY_PARKED) {
            return None;
        }
        let now = self.parts.clock.now();
        let id = EventId::new(now, self.parts.entropy.id());
        Some(Arc::new(operational::delivery_parked(id, webhook, head.id, &head.event, plugin, failure, now)))
    }

    /// Whether this is told of a delivery: somebody wants to know, and it is not of the server's own events.
    pub(super) fn is_told_of(&self, head: &DeliveryHead, name: &'static str) -> bool {
        let kind = operational::event_type(name);
        let webhooks = self.parts.store.subscriptions();
        let wants = |webhook: &Arc<Webhook>| webhook.pattern_for(&kind).is_some();
        !head.event.event_type.is_operational() && webhooks.of_project(head.project).iter().any(wants)
    }

    /// Runs the plugin; none when no thread is free.
    async fn run_plugin(
        &self,
        head: &DeliveryHead,
        webhook: &Webhook,
        plugin: &PluginUse,
        loaded: Arc<Loaded>,
        limits: RunLimits,
    ) -> Option<Ran<Transformed>> {
        let input = input(&self.parts.store, head, webhook, plugin);
        self.parts.sandbox.run(loaded, limits, input).await.ok()
    }

    /// Sends the requests that a plugin made. A plugin makes the same ones again from the same event, so they are written
    /// together with the first one's result: a crash in between sends the same bytes under the same id again. What it made
    /// from memory is written before.
    async fn send_frozen(self: &Arc<Self>, head: DeliveryHead, lease: Lease, made: Made) {
        let requests: Vec<Arc<FrozenRequest>> = made.requests.into_iter().map(Arc::new).collect();
        let only_request = requests.len() == 1;
        let leases: Vec<Lease> = requests.iter().map(|_| self.lease()).collect();
        let freeze = Freeze {
            delivery: head.id,
            project: head.project,
            webhook_id: head.webhook_id,
            lease,
            requests: requests.clone(),
            leases: leases.iter().copied().map(Some).collect(),
            due: self.now(),
            is_ordered: head.is_ordered,
            by_hand: head.trigger.is_by_hand(),
            run: made.run,
        };
        let mut freeze = if made.from_memory {
            if !self.freeze(freeze).await {
                return;
            }
            None
        } else {
            Some(Box::new(freeze))
        };
        // In their order, one after the other: what the plugin put first arrives first.
        for ((position, request), own_lease) in (0..).zip(requests).zip(leases) {
            let freeze = freeze.take();
            let freezes = freeze.is_some();
            let recorded = self
                .attempt(ClaimedSend {
                    request: head.id.request(position),
                    head: head.clone(),
                    content: LoadedRequest::Frozen(request),
                    lease: if freezes { lease } else { own_lease },
                    freeze,
                    attempts: 0,
                    schedule_from: 0,
                    only_request,
                    is_interrupted: false,
                })
                .await;
            // Without the first one's result the others are not there.
            if !recorded && freezes {
                return;
            }
        }
    }

    /// Writes what a plugin made; false when it cannot be sent now.
    pub(super) async fn freeze(&self, freeze: Freeze) -> bool {
        match self.parts.store.freeze(freeze).await {
            Ok(is_written) => is_written,
            Err(error) => {
                tracing::error!(%error, "requests cannot be stored; the lease will end");
                false
            }
        }
    }

    /// Sends the event itself. That is written first: a plugin that failed may do better when it is run again, and then the
    /// same id would stand for other bytes.
    async fn send_unchanged(self: &Arc<Self>, head: DeliveryHead, lease: Lease, run: String) {
        let own_lease = self.lease();
        let freeze = Freeze {
            delivery: head.id,
            project: head.project,
            webhook_id: head.webhook_id,
            lease,
            requests: Vec::new(),
            leases: vec![Some(own_lease)],
            due: self.now(),
            is_ordered: head.is_ordered,
            by_hand: head.trigger.is_by_hand(),
            run,
        };
        if !self.freeze(freeze).await {
            return;
        }
        fail::fail_point!("after-unchanged", |_| std::process::abort());
        self.attempt(ClaimedSend {
            request: head.id.request(0),
            head,
            content: LoadedRequest::Plain,
            lease: own_lease,
            freeze: None,
            attempts: 0,
            schedule_from: 0,
            only_request: true,
            is_interrupted: false,
        })
        .await;
    }

    async fn settle(
        &self,
        head: &DeliveryHead,
        lease: Lease,
        status: DeliveryStatus,
        reason: String,
        run: Option<String>,
        raise: Option<Arc<Event>>,
    ) {
        let (now, is_ordered) = (self.now(), head.is_ordered);
        let settle = Settle { delivery: head.id, lease, is_ordered, status, reason, run, raise, now };
        match self.parts.store.settle(settle).await {
            Ok(_) => self.settled(head.id, status),
            Err(error) => {
                tracing::error!(%error, delivery = %head.id, "a delivery cannot be settled; the lease will end");
            }
        }
    }

    pub(super) async fn postpone(&self, postpone: Postpone) {
        let due = postpone.due;
        match self.parts.store.postpone(postpone).await {
            Ok(_) => self.due_at(due),
            Err(error) => tracing::error!(%error, "work cannot be given back; the lease will end"),
        }
    }
}

/// What a plugin is given.
pub(super) fn input(store: &Store, head: &DeliveryHead, webhook: &Webhook, plugin: &PluginUse) -> Input {
    Input {
        event: head.event.clone(),
        trigger: head.trigger,
        delivery: head.id,
        webhook: webhook.id,
        webhook_name: webhook.name.clone(),
        configuration: plugin.config.clone(),
        memory: plugin.abilities.recalls.then(|| memory(store, webhook.id, &plugin.name)),
    }
}

/// What a plugin remembers for a webhook.
fn memory(store: &Store, webhook: WebhookId, plugin: &str) -> Memory {
    let (store, plugin, runtime) = (store.clone(), plugin.to_owned(), tokio::runtime::Handle::current());
    Memory::new(move |key| {
        let recalled = async { tokio::time::timeout(RECALL_WAIT, store.recall(webhook, &plugin, key)).await };
        match runtime.block_on(recalled) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the store gave no answer within {} ms", RECALL_WAIT.as_millis())),
        }
    })
}

/// How often a plugin may be run again for a delivery. Whoever triggers by hand is told at once what went wrong.
fn runs_left(head: &DeliveryHead, attempts: u32) -> Option<u32> {
    head.trigger.retries().then(|| RUNS_MAX.saturating_sub(attempts + 1))
}

/// What becomes of a delivery. `runs_left` is none when the plugin is not run again whatever it asks for.
fn judge(outcome: Outcome, runs_left: Option<u32>) -> (End, Option<PluginFailure>) {
    let (failure, retry_after_ms) = match outcome {
        Outcome::Requests(requests) => return (End::Requests(requests), None),
        Outcome::Skipped(reason) => return (End::Settled(DeliveryStatus::Skipped, reason), None),
        Outcome::Failed { failure, retry_after_ms } => (failure, retry_after_ms),
    };
    let later = |wait_ms, counts| End::Later { wait_ms, counts, reason: failure.message.clone() };
    let end = match retry_after_ms.filter(|_| runs_left.is_some()) {
        Some(asked) => later(asked.clamp(ASKED_WAIT_MIN_MS, WAIT_MAX_MS), false),
        None if failure.is_passing() => later(MEMORY_WAIT_MS, false),
        None if failure.is_worth_another_try() && runs_left.is_some_and(|runs| runs > 0) => later(0, true),
        None => End::Settled(DeliveryStatus::Parked, failure.message.clone()),
    };
    (end, Some(failure))
}

/// What becomes of what would be parked, and the choice of the webhook if it is another one.
fn chosen(end: End, choice: OnPluginFailure) -> (End, Option<OnPluginFailure>) {
    match (end, choice) {
        (End::Settled(DeliveryStatus::Parked, _), OnPluginFailure::SendUnchanged) => (End::Unchanged, Some(choice)),
        (End::Settled(DeliveryStatus::Parked, reason), OnPluginFailure::Drop) => (
            End::Settled(DeliveryStatus::Skipped, format!("dropped because the plugin failed: {reason}")),
            Some(choice),
        ),
        (end, _) => (end, None),
    }
}

/// What tells this run from any other.
pub(super) fn digests(
    head: &DeliveryHead,
    webhook: &Webhook,
    plugin: &PluginUse,
    used: &Used,
    version: Digest,
    outcome: &Outcome,
) -> Digests {
    let given = Given {
        event: &head.event,
        trigger: head.trigger,
        delivery: head.id,
        webhook: webhook.id,
        webhook_name: &webhook.name,
        configuration: &plugin.config,
        recalled: &used.recalled,
    };
    Digests { input: given.digest(), version, output: outcome.digest() }
}

/// How a run went, as it is kept with the delivery; for one that could begin with the webhook's name, its limits and what
/// tells it from others. [`crate::domain::recording::Kept`] reads what a repetition needs.
pub(super) fn run_json(
    used: &Used,
    begun: Option<(&Webhook, &RunLimits, Digests)>,
    error: Option<&PluginFailure>,
    on_failure: Option<OnPluginFailure>,
) -> String {
    let run = serde_json::json!({
        "cpu_us": used.cpu_us,
        "memory_bytes": used.memory_bytes,
        "recalled": used.recalled,
        "logs": used.logs,
        "logs_dropped": used.logs_dropped,
        "webhook_name": begun.map(|(webhook, ..)| &webhook.name),
        "limits": begun.map(|(_, limits, _)| limits.shown()),
        "digests": begun.map(|(.., digests)| digests),
        "error": error,
        "on_failure": on_failure,
    });
    run.to_string()
}
