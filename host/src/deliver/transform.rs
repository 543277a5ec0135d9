//! From a delivery to its requests: run the plugin, check what it wants, fix it.

use std::sync::Arc;

use super::dispatcher::Dispatcher;
use super::library::Availability;
use crate::domain::clock::Millis;
use crate::domain::delivery::{DeliveryStatus, Trigger};
use crate::domain::plugin::{PluginFailure, PluginVersion};
use crate::domain::request::FrozenRequest;
use crate::domain::retry::{ASKED_WAIT_MIN_MS, WAIT_MAX_MS};
use crate::domain::rules::{RequestLimits, freeze};
use crate::domain::webhook::{PluginUse, Webhook};
use crate::sandbox::{Input, Loaded, Ran, RunLimits, Transformed, Used};
use crate::store::{ClaimedSend, ClaimedTransform, DeliveryHead, Freeze, Lease, LoadedRequest, Postpone, Settle};

/// How long a delivery waits when no plugin thread is free.
const BUSY_WAIT_MS: u64 = 250;
/// A run that timed out or crashed is tried once more.
const RUNS_MAX: u32 = 2;

/// How a transformation ends.
enum End {
    Requests(Vec<FrozenRequest>),
    Settled(DeliveryStatus, String),
    Later { wait_ms: u64, counts: bool, reason: String },
}

impl Dispatcher {
    pub(super) async fn transform(self: &Arc<Self>, work: ClaimedTransform) {
        let ClaimedTransform { head, lease, attempts } = work;
        let Some(webhook) = self.ready(&head, lease, head.id.uuid()).await else { return };
        let Some(plugin) = head.configuration.plugin.clone() else {
            self.settle(
                &head,
                lease,
                DeliveryStatus::Failed,
                "the delivery has no plugin to pass through".to_owned(),
                None,
            )
            .await;
            return;
        };
        let later = |wait_ms, reason: &str| End::Later { wait_ms, counts: false, reason: reason.to_owned() };
        let (end, run) = match self.library.get(&plugin, self.now()).await {
            Availability::Ready((loaded, version)) => {
                let limits = self.parts.sandbox.limits(&plugin.limits);
                match self.run_plugin(&head, &webhook, &plugin, loaded, limits).await {
                    Some(ran) => {
                        let (end, failure) = judge(&webhook, &version, &limits.requests, attempts, &ran);
                        (end, Some(run_json(&ran.used, Some(&limits), failure.as_ref())))
                    }
                    None => (later(BUSY_WAIT_MS, "waits for a plugin thread"), None),
                }
            }
            Availability::Later(wait_ms) => (later(wait_ms, "waits for its plugin to be compiled"), None),
            Availability::Failed(failure) => {
                let run = run_json(&Used::default(), None, Some(&failure));
                (End::Settled(DeliveryStatus::Parked, failure.message), Some(run))
            }
        };
        match end {
            End::Requests(requests) => self.send_frozen(head, lease, requests, run.unwrap_or_default()).await,
            End::Settled(status, reason) => self.settle(&head, lease, status, reason, run).await,
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
            self.postpone(held).await;
            return None;
        }
        Some(webhook)
    }

    /// Runs the plugin; none when no thread is free.
    async fn run_plugin(
        &self,
        head: &DeliveryHead,
        webhook: &Webhook,
        plugin: &PluginUse,
        loaded: Arc<Loaded>,
        limits: RunLimits,
    ) -> Option<Ran> {
        let input = Input {
            event: head.event.clone(),
            trigger: head.trigger,
            delivery: head.id,
            webhook: webhook.id,
            webhook_name: webhook.name.clone(),
            configuration: plugin.config.clone(),
        };
        self.parts.sandbox.run(loaded, limits, input).await.ok()
    }

    /// Sends the requests that a plugin made. A plugin makes the same ones again from the same event, so they are written
    /// together with the first one's result: a crash in between sends the same bytes under the same id again.
    async fn send_frozen(
        self: &Arc<Self>,
        head: DeliveryHead,
        lease: Lease,
        requests: Vec<FrozenRequest>,
        run: String,
    ) {
        let requests: Vec<Arc<FrozenRequest>> = requests.into_iter().map(Arc::new).collect();
        let only_request = requests.len() == 1;
        let leases: Vec<Lease> = requests.iter().map(|_| self.lease()).collect();
        let mut freeze = Some(Box::new(Freeze {
            delivery: head.id,
            project: head.project,
            webhook_id: head.webhook_id,
            lease,
            requests: requests.clone(),
            leases: leases.iter().copied().map(Some).collect(),
            due: self.now(),
            is_ordered: head.is_ordered,
            run,
        }));
        // In their order, one after the other: what the plugin put first arrives first.
        for ((position, request), own_lease) in (0..).zip(requests).zip(leases) {
            let freeze = freeze.take();
            let recorded = self
                .attempt(ClaimedSend {
                    request: head.id.request(position),
                    head: head.clone(),
                    content: LoadedRequest::Frozen(request),
                    lease: if freeze.is_some() { lease } else { own_lease },
                    freeze,
                    attempts: 0,
                    only_request,
                })
                .await;
            // Without the first one's result the others are not there.
            if !recorded && position == 0 {
                return;
            }
        }
    }

    async fn settle(
        &self,
        head: &DeliveryHead,
        lease: Lease,
        status: DeliveryStatus,
        reason: String,
        run: Option<String>,
    ) {
        let now = self.now();
        match self
            .parts
            .store
            .settle(Settle { delivery: head.id, lease, is_ordered: head.is_ordered, status, reason, run, now })
            .await
        {
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

/// What a run comes to.
fn judge(
    webhook: &Webhook,
    version: &PluginVersion,
    limits: &RequestLimits,
    attempts: u32,
    ran: &Ran,
) -> (End, Option<PluginFailure>) {
    let parked =
        |failure: PluginFailure| (End::Settled(DeliveryStatus::Parked, failure.message.clone()), Some(failure));
    match &ran.result {
        Ok(Transformed::Deliver(requests)) if requests.is_empty() => {
            (End::Settled(DeliveryStatus::Skipped, "the plugin asked for no request".to_owned()), None)
        }
        Ok(Transformed::Deliver(requests)) => {
            let own_query: Vec<String> = webhook.secrets.url.query_pairs().map(|(name, _)| name.into_owned()).collect();
            let is_known = |name: &str| version.manifest.secrets.contains_key(name);
            match freeze(requests.clone(), limits, &own_query, &is_known) {
                Ok(frozen) => (End::Requests(frozen), None),
                Err(broken) => parked(PluginFailure::broken_rule(&broken)),
            }
        }
        Ok(Transformed::Skip(reason)) => {
            let reason: String = reason.chars().take(1024).collect();
            (End::Settled(DeliveryStatus::Skipped, reason), None)
        }
        Ok(Transformed::Failed { code, message, retry_after_ms }) => {
            let failure = PluginFailure {
                code: "plugin.failed".to_owned(),
                message: format!("{code}: {message}").chars().take(2048).collect(),
                limit: None,
            };
            match retry_after_ms {
                Some(asked) => {
                    let wait_ms = (*asked).clamp(ASKED_WAIT_MIN_MS, WAIT_MAX_MS);
                    (End::Later { wait_ms, counts: false, reason: failure.message.clone() }, Some(failure))
                }
                None => parked(failure),
            }
        }
        Err(failure) if failure.is_worth_another_try() && attempts + 1 < RUNS_MAX => {
            (End::Later { wait_ms: 0, counts: true, reason: failure.message.clone() }, Some(failure.clone()))
        }
        Err(failure) => parked(failure.clone()),
    }
}

/// How a run went, as it is kept with the delivery.
fn run_json(used: &Used, limits: Option<&RunLimits>, error: Option<&PluginFailure>) -> String {
    let run = serde_json::json!({
        "cpu_us": used.cpu_us,
        "memory_bytes": used.memory_bytes,
        "logs": used.logs,
        "logs_dropped": used.logs_dropped,
        "limits": limits.map(RunLimits::shown),
        "error": error,
    });
    run.to_string()
}
