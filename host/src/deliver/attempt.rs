//! One attempt: build, sign, send, decide, record.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::client::{EDGE_BYTES, Exchange};
use super::dispatcher::Dispatcher;
use super::interpret::{Heard, reader};
use super::message::{self, Message};
use crate::domain::clock::Millis;
use crate::domain::delivery::{AttemptOutcome, ErrorClass};
use crate::domain::event::{Event, Field, FieldRef, fields_json};
use crate::domain::giving_up::{Failing, GivingUp};
use crate::domain::id::EventId;
use crate::domain::operational;
use crate::domain::pace::Condition;
use crate::domain::redact::Redactor;
use crate::domain::retry::{Ending, NextStep, Schedule, Situation, next_step};
use crate::domain::verdict::{Decision, Verdict};
use crate::domain::webhook::Webhook;
use crate::store::{
    Attempt, ClaimedSend, DeliveryHead, Finish, Finished, Health, LoadedRequest, Postpone, RequestEnd, StoreError,
};
use crate::telemetry::metrics::METRICS;

/// How long to wait before a result is recorded again, when the store did not answer.
const RECORD_PAUSE: Duration = Duration::from_millis(200);
/// How long that is tried at least, in milliseconds.
const RECORD_MS: u64 = 5_000;
/// What becomes of what a person waited for when its server stops.
pub(super) const INTERRUPTED: &str = "interrupted: the server stopped while it was on its way; it may have been delivered, and is not sent again by itself";

impl Dispatcher {
    /// Sends a request once and records the result; false when it was not sent or not recorded. What is rarely done is boxed:
    /// every attempt would have to be as large.
    pub(super) async fn attempt(self: &Arc<Self>, mut work: ClaimedSend) -> bool {
        if work.is_interrupted && work.head.trigger.is_by_hand() {
            return Box::pin(self.interrupted(work)).await;
        }
        let Some(webhook) = self.ready(&work.head, work.lease, work.held()).await else { return false };
        if !self.paced(&webhook, &mut work).await {
            return false;
        }
        let timeout_ms = webhook.timeout_ms.unwrap_or(self.parts.delivery.timeout_ms);
        let now = self.now();
        // A lease that could end during the attempt would let somebody else send the same request.
        if work.lease.until < now.plus(timeout_ms) {
            let postpone =
                Postpone { work: work.held(), lease: work.lease, due: now, reason: None, counts: false, run: None };
            self.postpone(postpone).await;
            return false;
        }
        let built = message::build(&webhook, &work.head, work.request, &work.content, now);
        let exchange = match &built {
            Ok(_) if webhook.is_listener => Exchange::kept_for_listener(),
            Ok(message) => {
                let timeout = Duration::from_millis(timeout_ms);
                self.parts.sender.send(message, self.read_bytes(&work), timeout, now).await
            }
            Err(unsendable) => Exchange {
                ending: Ending::Broken { class: ErrorClass::InvalidRequest, body_sent: false },
                error: Some(unsendable.to_string()),
                duration_ms: 0,
                response: None,
            },
        };
        fail::fail_point!("after-send", |_| std::process::abort());
        self.pace.note(&webhook, Condition::of(&exchange.ending), self.now());
        let heard = match reader(&work) {
            Some(_) => Box::pin(self.interpret(&work, &webhook, &exchange, work.attempts + 1)).await,
            None => Heard::default(),
        };
        fail::fail_point!("after-interpret", |_| std::process::abort());
        let to_own_url = built.as_ref().is_ok_and(|message| message.to_own_url);
        let step = self.decide(&work, &webhook, to_own_url, &exchange.ending, heard.verdict.as_ref());
        let mut finish = self.result(&work, &webhook, built.ok(), now, exchange, (step, heard));
        finish.freeze = work.freeze.take();
        let freezes = finish.freeze.is_some();
        fail::fail_point!("before-record", |_| std::process::abort());
        let recorded = self.record(&webhook, &work.head, finish).await;
        if freezes {
            fail::fail_point!("after-freeze", |_| std::process::abort());
        }
        fail::fail_point!("after-record", |_| std::process::abort());
        recorded
    }

    /// Waits for the request's turn; false when it must wait so long that it was given back. No attempt is counted.
    async fn paced(&self, webhook: &Webhook, work: &mut ClaimedSend) -> bool {
        let Err(due) = self.turn(webhook, work.head.trigger.is_by_hand()).await else { return true };
        if let Some(mut freeze) = work.freeze.take() {
            // What the plugin made is kept, so that it need not run again.
            freeze.leases.fill(None);
            freeze.due = due;
            Box::pin(self.freeze(*freeze)).await;
            self.due_at(due);
        } else {
            let (work, lease) = (work.request.uuid(), work.lease);
            Box::pin(self.postpone(Postpone { work, lease, due, reason: None, counts: false, run: None })).await;
        }
        false
    }

    /// Waits for the turn of a request; an error says from when on to try again, from the store.
    async fn turn(&self, webhook: &Webhook, by_hand: bool) -> Result<(), Millis> {
        let is_permitted = || {
            let now = self.now();
            // Due at once: it is for the node that has the webhook.
            self.permit(webhook, by_hand, now).map_err(|_| now)
        };
        is_permitted()?;
        let wait_ms = self.pace.admit(webhook, by_hand, self.now())?;
        if wait_ms > 0 {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            // It may have taken longer than was asked for.
            is_permitted()?;
        }
        Ok(())
    }

    /// How much of the answer's body is read: what is kept, or as much as the plugin may see of it.
    pub(super) fn read_bytes(&self, work: &ClaimedSend) -> usize {
        let kept = self.parts.delivery.response_kept_bytes;
        reader(work).map_or(kept, |_| kept.max(self.parts.plugins.answer_bytes))
    }

    pub(super) fn decide(
        &self,
        work: &ClaimedSend,
        webhook: &Webhook,
        to_own_url: bool,
        ending: &Ending,
        verdict: Option<&Verdict>,
    ) -> NextStep {
        let default = Schedule::default();
        let situation = Situation {
            schedule: webhook.retry.as_ref().unwrap_or(&default),
            attempt: work.attempts.saturating_sub(work.schedule_from) + 1,
            trigger: work.head.trigger,
            by_plugin: matches!(work.content, LoadedRequest::Frozen(_)),
            to_own_url,
            on_uncertain: webhook.on_uncertain,
        };
        next_step(situation, ending, verdict, self.parts.entropy.jitter())
    }

    pub(super) fn result(
        &self,
        work: &ClaimedSend,
        webhook: &Webhook,
        message: Option<Message>,
        started_at: Millis,
        exchange: Exchange,
        (step, mut heard): (NextStep, Heard),
    ) -> Finish {
        let now = self.now();
        let redactor = &webhook.redactor;
        let by_verdict = heard.verdict.as_ref().is_some_and(|verdict| verdict.decision != Decision::ByStatus);
        let (outcome, error_class) = match (&step, &exchange.ending) {
            (NextStep::Succeeded, _) => (AttemptOutcome::Succeeded, None),
            (NextStep::Uncertain | NextStep::Held, Ending::Answered { .. }) => {
                (AttemptOutcome::Uncertain, Some(ErrorClass::Verdict))
            }
            (_, Ending::Answered { .. }) if by_verdict => (AttemptOutcome::Failed, Some(ErrorClass::Verdict)),
            (_, Ending::Answered { .. }) => (AttemptOutcome::Failed, Some(ErrorClass::Status)),
            (_, Ending::Broken { class, body_sent: true }) => (AttemptOutcome::Uncertain, Some(*class)),
            (_, Ending::Broken { class, .. }) => (AttemptOutcome::Failed, Some(*class)),
        };
        let (shown_url, shown_headers) = message.map_or_else(
            || (webhook.masked_url(), "[]".to_owned()),
            |message| (message.shown_url, message.shown_headers),
        );
        let response = exchange.response;
        let kept = response.as_ref().map(|response| {
            keep(
                redactor.bytes(&response.body).into_owned(),
                response.truncated,
                self.parts.delivery.response_kept_bytes,
            )
        });
        let attempt = Attempt {
            started_at,
            duration_ms: exchange.duration_ms,
            outcome,
            error_class,
            error: exchange.error.map(|error| redactor.text(&error).into_owned()),
            url: redactor.text(&shown_url).into_owned(),
            status_code: response.as_ref().map(|response| response.status),
            request_headers: shown_headers,
            response_headers: response.as_ref().map(|response| redacted(redactor, &response.headers)),
            truncated: kept.as_ref().is_some_and(|(_, truncated)| *truncated),
            response_body: kept.map(|(body, _)| body),
            verdict: heard.shown.take(),
        };
        let plugin = work.head.configuration.plugin.as_ref();
        let most = self.parts.plugins.facts_per_webhook;
        let learnt = plugin.and_then(|plugin| heard.learnt(&plugin.name, most));
        let mut disabled = None;
        let health = self.health(&work.head, &step);
        let end = match step {
            NextStep::Succeeded => RequestEnd::Succeeded,
            NextStep::Retry { wait_ms } => RequestEnd::Retry { due: now.plus(wait_ms) },
            NextStep::Failed { reason, disable } => {
                disabled = disable.then(|| reason.clone());
                RequestEnd::Failed { reason }
            }
            NextStep::Uncertain => RequestEnd::Uncertain,
            NextStep::Held => RequestEnd::Held,
        };
        let exhausted = self.exhausted_event(work, webhook, &end);
        let recovered = if health == Health::Recovers { self.recovered_event(&work.head, webhook) } else { None };
        Finish {
            request: work.request,
            project: work.head.project,
            webhook_id: work.head.webhook_id,
            lease: work.lease,
            freeze: None,
            attempt,
            end,
            only_request: work.only_request,
            is_plain: matches!(work.content, LoadedRequest::Plain),
            is_ordered: work.head.is_ordered,
            learnt,
            health,
            raise: disabled.as_deref().and_then(|reason| self.disabled_event(&work.head, webhook, reason)),
            exhausted,
            recovered,
            disable: disabled,
            now,
        }
    }

    /// What a step tells of its webhook. Whoever triggers by hand sees what comes of it; only what arrives counts.
    fn health(&self, head: &DeliveryHead, step: &NextStep) -> Health {
        let known = self.parts.store.is_failing(head.webhook_id);
        match step {
            NextStep::Succeeded if known => Health::Recovers,
            NextStep::Succeeded => Health::Same,
            _ if head.trigger.is_by_hand() => Health::Same,
            _ => Health::Fails { known },
        }
    }

    /// The event that tells of a webhook that is disabled.
    fn disabled_event(&self, head: &DeliveryHead, webhook: &Webhook, reason: &str) -> Option<Arc<Event>> {
        let now = self.parts.clock.now();
        let id = EventId::new(now, self.parts.entropy.id());
        let event = || Arc::new(operational::webhook_disabled(id, webhook, reason, now));
        (!head.event.event_type.is_operational()).then(event)
    }

    /// The event that tells of a delivery that fails for good, should this be the end of it: if anybody wants it, and nobody
    /// waits for the result.
    fn exhausted_event(&self, work: &ClaimedSend, webhook: &Webhook, end: &RequestEnd) -> Option<Arc<Event>> {
        let reason = match end {
            RequestEnd::Failed { reason } => reason.as_str(),
            RequestEnd::Uncertain => "nobody knows whether the last attempt arrived",
            // Another one may have failed before.
            RequestEnd::Succeeded if !work.only_request => "not all of its requests arrived",
            RequestEnd::Succeeded | RequestEnd::Retry { .. } | RequestEnd::Held => return None,
        };
        let head = &work.head;
        if !head.trigger.retries() || !self.is_told_of(head, operational::DELIVERY_EXHAUSTED) {
            return None;
        }
        let now = self.parts.clock.now();
        let id = EventId::new(now, self.parts.entropy.id());
        Some(Arc::new(operational::delivery_exhausted(id, webhook, head.id, &head.event, reason, now)))
    }

    /// The event that tells that something arrives again, if anybody wants it.
    fn recovered_event(&self, head: &DeliveryHead, webhook: &Webhook) -> Option<Arc<Event>> {
        if !self.is_told_of(head, operational::DELIVERY_RECOVERED) {
            return None;
        }
        let now = self.parts.clock.now();
        let id = EventId::new(now, self.parts.entropy.id());
        Some(Arc::new(operational::delivery_recovered(id, webhook, head.id, &head.event, now)))
    }

    /// Ends a request that a person waited for and that was on its way as its server stopped: nobody knows whether it
    /// arrived, and it is not sent again by itself. False: its delivery's next one must not be sent for it.
    async fn interrupted(self: &Arc<Self>, work: ClaimedSend) -> bool {
        let Some(webhook) = self.parts.store.subscriptions().webhook(work.head.webhook_id).cloned() else {
            return false;
        };
        let now = self.now();
        let exchange = Exchange {
            ending: Ending::Broken { class: ErrorClass::Interrupted, body_sent: true },
            error: Some("the server stopped while the request was on its way".to_owned()),
            duration_ms: 0,
            response: None,
        };
        let step = NextStep::Failed { reason: INTERRUPTED.to_owned(), disable: false };
        let started_at = work.head.id.made_at();
        let finish = self.result(&work, &webhook, None, started_at, exchange, (step, Heard::default()));
        self.record(&webhook, &work.head, Finish { now, ..finish }).await;
        false
    }

    async fn record(&self, webhook: &Webhook, head: &DeliveryHead, finish: Finish) -> bool {
        METRICS.attempts.one(finish.attempt.outcome as usize);
        METRICS.attempt_durations.one(finish.attempt.duration_ms);
        let delivery = finish.request.delivery();
        let finish = Arc::new(finish);
        let Some(finished) = self.finish(&finish).await else { return false };
        if let Some(failing) = finished.failing {
            self.parts.store.note_failing(webhook.id, true);
            Box::pin(self.give_up(webhook, head, failing)).await;
        } else if finish.health == Health::Recovers {
            self.parts.store.note_failing(webhook.id, false);
        }
        if let RequestEnd::Retry { due } = finish.end {
            self.due_at(due);
        }
        if finish.disable.is_some()
            && let Err(error) = self.parts.store.sync_subscriptions().await
        {
            tracing::error!(%error, "a disabled webhook cannot be read again");
        }
        self.settled(delivery, finished.delivery);
        !finished.late
    }

    /// Disables a webhook at which nothing has arrived for too long.
    async fn give_up(&self, webhook: &Webhook, head: &DeliveryHead, failing: Failing) {
        let (now, delivery) = (self.now(), &self.parts.delivery);
        let policy =
            GivingUp { no_success_ms: delivery.disable_after_ms, failed_deliveries: delivery.disable_after_failures };
        let Some(reason) = failing.is_hopeless(policy, now) else { return };
        let event = self.disabled_event(head, webhook, &reason);
        if let Err(error) = self.parts.store.give_up(webhook.id, policy, reason, event, now).await {
            // The next delivery that fails tries it again.
            tracing::error!(%error, webhook = %webhook.id, "a webhook at which nothing arrives cannot be disabled");
        }
    }

    /// Records a result; tried until the lease ends, because a result that is lost is a request sent twice. A late one is kept
    /// as well, so it is not given up at once.
    async fn finish(&self, finish: &Arc<Finish>) -> Option<Finished> {
        let mut until = finish.lease.until;
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.parts.store.finish(finish.clone()).await {
                Ok(finished) => return Some(finished),
                Err(error) => error,
            };
            if tries == 1 {
                until = until.max(self.now().plus(RECORD_MS));
            }
            match error {
                StoreError::Unavailable(_) | StoreError::Contended if self.now() < until => {
                    tokio::time::sleep(RECORD_PAUSE).await;
                }
                error => {
                    tracing::error!(%error, request = %finish.request, "a result cannot be recorded");
                    return None;
                }
            }
        }
    }
}

/// What is kept of a body whose secrets were replaced. Where more followed, the end may hold the beginning of a secret
/// that was not read whole.
pub(super) fn keep(mut body: Vec<u8>, more_followed: bool, kept_bytes: usize) -> (Vec<u8>, bool) {
    let certain = if more_followed { body.len().saturating_sub(EDGE_BYTES) } else { body.len() };
    let truncated = more_followed || certain > kept_bytes;
    body.truncate(certain.min(kept_bytes));
    (body, truncated)
}

fn redacted(redactor: &Redactor, headers: &[Field]) -> String {
    let values: Vec<Cow<'_, str>> = headers.iter().map(|field| redactor.text(&field.value)).collect();
    let fields = headers.iter().zip(&values).map(|(field, value)| FieldRef { name: &field.name, value });
    fields_json(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_at_the_edge_of_what_is_kept_is_not_kept_in_part() {
        let secret = "s3cr3t-".repeat(100);
        let redactor = Redactor::new(&[("key".to_owned(), secret.clone().into_bytes())]);
        let kept_bytes = 1000;
        // The edge of what is kept, and the edge of what is read, both lie inside the secret.
        for before in [kept_bytes - 5, kept_bytes + EDGE_BYTES - 5] {
            let body = format!("{}{secret}{}", "x".repeat(before), "y".repeat(EDGE_BYTES));
            let read = &body.as_bytes()[..(kept_bytes + EDGE_BYTES).min(body.len())];
            let (kept, truncated) = keep(redactor.bytes(read).into_owned(), true, kept_bytes);
            assert!(truncated && kept.len() <= kept_bytes);
            assert!(!kept.windows(3).any(|part| part == b"s3c"), "{before}");
        }
        assert_eq!(keep(b"short".to_vec(), false, kept_bytes), (b"short".to_vec(), false));
    }
}
