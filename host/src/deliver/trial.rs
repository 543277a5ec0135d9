//! A webhook tried out before there is one: what a test delivery of it would do is done, and nothing of it is stored.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::client::Exchange;
use super::dispatcher::Dispatcher;
use super::library::Availability;
use super::message;
use super::transform::{digests, input, run_json};
use crate::domain::delivery::{DeliveryStatus, ErrorClass, RequestStatus, Trigger};
use crate::domain::event::Event;
use crate::domain::id::DeliveryId;
use crate::domain::outcome::Outcome;
use crate::domain::request::FrozenRequest;
use crate::domain::retry::Ending;
use crate::domain::webhook::Webhook;
use crate::sandbox::{Used, outcome};
use crate::store::{
    AttemptView, ClaimedSend, DeliveryHead, DeliverySummary, DeliveryView, Finish, Lease, LoadedRequest, RequestEnd,
    RequestView, plain_request,
};

/// How long to wait before the plugin's code, or a thread for it, is asked for again.
const AGAIN: Duration = Duration::from_millis(20);

/// Somebody tries so many webhooks out already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} webhooks are tried out at this moment already")]
pub struct TooManyTrials(pub usize);

/// What was sent, before it is counted.
struct Tried {
    requests: Vec<RequestView>,
    run: Option<String>,
    /// How it ended when nothing was to be sent.
    settled: Option<(DeliveryStatus, String)>,
}

impl Dispatcher {
    /// Sends an event to a webhook that is not registered, once: through its plugin, past the address guard, signed, and read
    /// by its interpreter, as a test of a registered one. It takes no longer than the answer to a test; what is not sent by
    /// then says so.
    pub async fn try_out(self: &Arc<Self>, webhook: &Webhook, event: Event) -> Result<DeliveryView, TooManyTrials> {
        let Ok(_place) = self.trials.try_acquire() else {
            return Err(TooManyTrials(super::dispatcher::TRIALS_AT_ONCE));
        };
        let now = self.parts.clock.now();
        let head = DeliveryHead {
            id: DeliveryId::new(now, self.parts.entropy.id()),
            project: webhook.project,
            webhook_id: webhook.id,
            is_ordered: false,
            trigger: Trigger::Test,
            event: Arc::new(event),
            configuration: webhook.configuration.clone(),
        };
        let until = Instant::now() + Duration::from_millis(self.parts.delivery.result_wait_ms);
        let tried = match self.contents(webhook, &head, until).await {
            Ok((contents, run)) => {
                let mut requests = Vec::with_capacity(contents.len());
                for (position, content) in (0..).zip(contents) {
                    requests.push(self.tried(webhook, &head, position, content, until).await);
                }
                Tried { requests, run, settled: None }
            }
            Err((status, reason, run)) => Tried { requests: Vec::new(), run, settled: Some((status, reason)) },
        };
        Ok(self.view(webhook, &head, tried))
    }

    /// What is to be sent, and how the plugin's run went; or how it ends without anything.
    async fn contents(
        self: &Arc<Self>,
        webhook: &Webhook,
        head: &DeliveryHead,
        until: Instant,
    ) -> Result<(Vec<LoadedRequest>, Option<String>), (DeliveryStatus, String, Option<String>)> {
        let Some(plugin) = &head.configuration.plugin else { return Ok((vec![LoadedRequest::Plain], None)) };
        let parked = |reason: String, run| (DeliveryStatus::Parked, reason, run);
        let late = || parked("no plugin thread was free in time; try again".to_owned(), None);
        let (ran, version, limits) = loop {
            if Instant::now() >= until {
                return Err(late());
            }
            match self.library.get(plugin, self.now()).await {
                Availability::Failed(failure) => {
                    let run = run_json(&Used::default(), None, Some(&failure), None);
                    return Err(parked(failure.message, Some(run)));
                }
                Availability::Ready((loaded, version)) => {
                    let limits = self.parts.sandbox.limits(&plugin.limits);
                    let input = input(&self.parts.store, head, webhook, plugin);
                    match timeout_at(until, self.parts.sandbox.run(loaded, limits, input)).await {
                        Ok(Ok(ran)) => break (ran, version, limits),
                        Ok(Err(_)) => {}
                        Err(_) => return Err(late()),
                    }
                }
                Availability::Later(_) => {}
            }
            sleep(AGAIN).await;
        };
        let outcome = outcome(&ran, &version.manifest, &limits.requests, &webhook.secrets.url);
        let digests = digests(head, webhook, plugin, &ran.used, version.digest, &outcome);
        let told = |failure| run_json(&ran.used, Some((webhook, &limits, digests)), failure, None);
        match outcome {
            Outcome::Requests(requests) => {
                let run = told(None);
                Ok((requests.into_iter().map(|request| LoadedRequest::Frozen(Arc::new(request))).collect(), Some(run)))
            }
            Outcome::Skipped(reason) => Err((DeliveryStatus::Skipped, reason, Some(told(None)))),
            Outcome::Failed { failure, .. } => {
                let run = told(Some(&failure));
                Err(parked(failure.message, Some(run)))
            }
        }
    }

    async fn tried(
        self: &Arc<Self>,
        webhook: &Webhook,
        head: &DeliveryHead,
        position: u16,
        content: LoadedRequest,
        until: Instant,
    ) -> RequestView {
        let request = head.id.request(position);
        let frozen = match &content {
            LoadedRequest::Frozen(frozen) => FrozenRequest::clone(frozen),
            LoadedRequest::Plain => plain_request(&head.event, &head.configuration),
        };
        let view = |status, reason, attempts| RequestView {
            id: request,
            status,
            reason,
            next_attempt_at: None,
            content: frozen,
            attempts,
        };
        let own_ms = webhook.timeout_ms.unwrap_or(self.parts.delivery.timeout_ms);
        let timeout = Duration::from_millis(own_ms).min(until.saturating_duration_since(Instant::now()));
        if timeout.is_zero() {
            return view(RequestStatus::Pending, Some("not sent: the test took its time".to_owned()), Vec::new());
        }
        let now = self.now();
        let lease = Lease { until: now.plus(own_ms + self.parts.plugins.interpreter_wait_ms), ..self.lease() };
        let work = ClaimedSend {
            request,
            head: head.clone(),
            content,
            lease,
            freeze: None,
            attempts: 0,
            schedule_from: 0,
            only_request: true,
            is_interrupted: false,
        };
        let built = message::build(webhook, head, request, &work.content, now);
        let exchange = match &built {
            Ok(message) => self.parts.sender.send(message, self.read_bytes(&work), timeout, now).await,
            Err(unsendable) => Exchange {
                ending: Ending::Broken { class: ErrorClass::InvalidRequest, body_sent: false },
                error: Some(unsendable.to_string()),
                duration_ms: 0,
                response: None,
            },
        };
        let heard = self.interpret(&work, webhook, &exchange, 1).await;
        let to_own_url = built.as_ref().is_ok_and(|message| message.to_own_url);
        let step = self.decide(&work, webhook, to_own_url, &exchange.ending, heard.verdict.as_ref());
        let Finish { attempt, end, .. } = self.result(&work, webhook, built.ok(), now, exchange, (step, heard));
        let (status, reason) = match end {
            RequestEnd::Succeeded => (RequestStatus::Succeeded, None),
            RequestEnd::Failed { reason } => (RequestStatus::Failed, Some(reason)),
            RequestEnd::Retry { .. } => (RequestStatus::Failed, None),
            RequestEnd::Uncertain => (RequestStatus::Uncertain, None),
            RequestEnd::Held => (RequestStatus::Held, None),
        };
        let fields = |json: &str| serde_json::from_str(json).unwrap_or_default();
        let attempt = AttemptView {
            number: 1,
            started_at: attempt.started_at,
            duration_ms: attempt.duration_ms,
            outcome: attempt.outcome,
            error_class: attempt.error_class,
            error: attempt.error,
            url: attempt.url,
            status_code: attempt.status_code,
            request_headers: fields(&attempt.request_headers),
            response_headers: attempt.response_headers.as_deref().map(fields),
            response_body: attempt.response_body,
            truncated: attempt.truncated,
            late: false,
            verdict: attempt.verdict,
        };
        view(status, reason, vec![attempt])
    }

    fn view(&self, webhook: &Webhook, head: &DeliveryHead, tried: Tried) -> DeliveryView {
        let total = tried.requests.len();
        let done = tried.requests.iter().filter(|request| request.status == RequestStatus::Succeeded).count();
        let (status, reason) = tried.settled.map_or_else(
            || (if done == total { DeliveryStatus::Succeeded } else { DeliveryStatus::Failed }, None),
            |(status, reason)| (status, Some(reason)),
        );
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let plugin = head.configuration.plugin.as_ref().map(|plugin| (plugin.name.clone(), plugin.version.clone()));
        DeliveryView {
            summary: DeliverySummary {
                id: head.id,
                event_id: head.event.id,
                event_type: head.event.event_type.to_string(),
                webhook_id: webhook.id,
                trigger: head.trigger,
                actor: None,
                request_id: None,
                status,
                reason,
                requests: (count(total), count(done)),
                created_at: head.id.made_at(),
                settled_at: Some(self.parts.clock.now()),
                plugin,
                run: tried.run,
                repeats: None,
                reprocessed_by: None,
                digest: None,
                attempts_removed_at: None,
            },
            payload_removed_at: None,
            masked_url: webhook.masked_url(),
            requests: tried.requests,
        }
    }
}
