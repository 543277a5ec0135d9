//! Rate limits, slow-downs and breakers of the webhooks that this node sends to.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::config::DeliveryConfig;
use crate::domain::clock::Millis;
use crate::domain::id::WebhookId;
use crate::domain::pace::{Breaker, BreakerPolicy, Bucket, Condition, SlowDown, gap_us};
use crate::domain::webhook::Webhook;

/// A request waits so long in memory for its place; longer waits are spent in the store.
const WAIT_IN_MEMORY_MS: u64 = 1000;
/// Work of a webhook with a rate limit is claimed so long before its place comes.
const CLAIM_AHEAD_MS: u64 = 250;
/// A webhook that was not sent to for so long is forgotten.
const FORGET_MS: u64 = 3_600_000;

#[derive(Debug, Default)]
struct State {
    bucket: Bucket,
    breaker: Breaker,
    slow_down: SlowDown,
    used_at: Millis,
}

#[derive(Debug)]
pub(super) struct Pace {
    states: Mutex<HashMap<WebhookId, State>>,
    /// How many states there are: mostly none, and this is asked for every request.
    count: AtomicUsize,
    policy: BreakerPolicy,
    probe_ms: u64,
    slow_down_max_ms: u64,
}

impl State {
    /// Time between two requests in microseconds; 0 for none.
    fn gap_us(&self, webhook: &Webhook, by_hand: bool) -> i64 {
        gap_us(webhook.rate_limit, if by_hand { SlowDown::default() } else { self.slow_down })
    }
}

impl Pace {
    pub(super) fn new(config: &DeliveryConfig) -> Self {
        let policy = BreakerPolicy {
            failures: config.breaker_failures,
            pause_ms: config.breaker_pause_ms,
            pause_max_ms: config.breaker_pause_max_ms,
        };
        Self {
            states: Mutex::default(),
            count: AtomicUsize::new(0),
            policy,
            probe_ms: config.lease_ms(),
            slow_down_max_ms: config.slow_down_max_ms,
        }
    }

    /// How long a request must wait in memory before it is sent; an error says when to try again, from the store. What a
    /// person waits for keeps to the rate limit only.
    pub(super) fn admit(&self, webhook: &Webhook, by_hand: bool, now: Millis) -> Result<u64, Millis> {
        if webhook.rate_limit.is_none() && (by_hand || self.count.load(Ordering::Relaxed) == 0) {
            return Ok(0);
        }
        let mut states = self.states.lock();
        if webhook.rate_limit.is_none() && !states.contains_key(&webhook.id) {
            return Ok(0);
        }
        let state = states.entry(webhook.id).or_default();
        state.used_at = now;
        let mut breaker = state.breaker;
        if !by_hand {
            breaker.admit(now, self.probe_ms)?;
        }
        let wait_ms = match state.gap_us(webhook, by_hand) {
            0 => 0,
            gap_us => state.bucket.take(gap_us, now, WAIT_IN_MEMORY_MS).map_err(|wait_ms| now.plus(wait_ms))?,
        };
        state.breaker = breaker;
        self.count.store(states.len(), Ordering::Relaxed);
        Ok(wait_ms)
    }

    /// How much work of a webhook may be claimed now; an error says when to look again.
    pub(super) fn room(&self, webhook: &Webhook, by_hand: bool, now: Millis) -> Result<usize, Millis> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return Ok(usize::MAX);
        }
        let states = self.states.lock();
        let Some(state) = states.get(&webhook.id) else { return Ok(usize::MAX) };
        let room = if by_hand { usize::MAX } else { state.breaker.room(now)? };
        match state.gap_us(webhook, by_hand) {
            0 => Ok(room),
            gap_us => match state.bucket.room(gap_us, now, CLAIM_AHEAD_MS) {
                (0, wait_ms) => Err(now.plus(wait_ms)),
                (places, _) => Ok(room.min(places)),
            },
        }
    }

    /// Learns from a result.
    pub(super) fn note(&self, webhook: &Webhook, condition: Condition, now: Millis) {
        let is_well = condition == Condition::Well;
        if condition == Condition::Unknown || (is_well && self.count.load(Ordering::Relaxed) == 0) {
            return;
        }
        let mut states = self.states.lock();
        if is_well && !states.contains_key(&webhook.id) {
            return;
        }
        let state = states.entry(webhook.id).or_default();
        state.breaker = state.breaker.after(condition, now, self.policy);
        state.slow_down = state.slow_down.after(condition, self.slow_down_max_ms);
        if !is_well {
            state.bucket.leave_free(gap_us(None, state.slow_down), now);
        }
        if !is_well {
            state.used_at = now;
        } else if webhook.rate_limit.is_none() && state.slow_down.is_over() {
            states.remove(&webhook.id);
        }
        self.count.store(states.len(), Ordering::Relaxed);
    }

    /// The webhooks whose breakers are open, and when each lets a request pass again.
    pub(super) fn paused(&self) -> HashMap<WebhookId, Millis> {
        let states = self.states.lock();
        states.iter().filter_map(|(webhook, state)| Some((*webhook, state.breaker.paused_until()?))).collect()
    }

    /// When the breaker of a webhook lets a request pass again, if it is open.
    pub(super) fn paused_until(&self, webhook: WebhookId) -> Option<Millis> {
        self.states.lock().get(&webhook).and_then(|state| state.breaker.paused_until())
    }

    /// Forgets webhooks that nothing was sent to for long, so that memory stays bounded.
    pub(super) fn forget(&self, now: Millis) {
        let mut states = self.states.lock();
        states.retain(|_, state| now.since(state.used_at) < FORGET_MS);
        self.count.store(states.len(), Ordering::Relaxed);
    }
}
