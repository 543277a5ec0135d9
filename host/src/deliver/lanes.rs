//! How much is in hand: bounded in all, for each webhook and for each target, so that memory is bounded whatever the backlog
//! and one slow receiver cannot take all the room.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::domain::id::WebhookId;
use crate::domain::webhook::Target;

/// Most that may be in hand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) total: usize,
    pub(super) per_webhook: usize,
    pub(super) per_target: usize,
}

/// What is in hand.
#[derive(Debug, Default, Clone)]
pub(super) struct InHand {
    total: usize,
    by_webhook: HashMap<WebhookId, usize>,
    by_target: HashMap<Target, usize>,
}

impl InHand {
    /// How much more of a webhook there is room for.
    pub(super) fn room(&self, webhook: WebhookId, target: Target, bounds: Bounds) -> usize {
        let own = self.by_webhook.get(&webhook).copied().unwrap_or(0);
        let shared = self.by_target.get(&target).copied().unwrap_or(0);
        let left = bounds.total.saturating_sub(self.total);
        left.min(bounds.per_webhook.saturating_sub(own)).min(bounds.per_target.saturating_sub(shared))
    }

    /// How much of a webhook is in hand.
    pub(super) fn of_webhook(&self, webhook: WebhookId) -> usize {
        self.by_webhook.get(&webhook).copied().unwrap_or(0)
    }

    pub(super) fn add(&mut self, webhook: WebhookId, target: Target, count: usize) {
        self.total += count;
        *self.by_webhook.entry(webhook).or_insert(0) += count;
        *self.by_target.entry(target).or_insert(0) += count;
    }

    fn remove(&mut self, webhook: WebhookId, target: Target, removed: usize) {
        fn less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K, removed: usize) {
            if let Some(count) = counts.get_mut(key) {
                *count -= removed;
                if *count == 0 {
                    counts.remove(key);
                }
            }
        }
        self.total -= removed;
        less(&mut self.by_webhook, &webhook, removed);
        less(&mut self.by_target, &target, removed);
    }
}

#[derive(Debug, Default)]
struct State {
    in_hand: InHand,
    /// Work that is due was left in the store for want of room.
    backlog: bool,
    /// Some of it was left since the last plan began.
    left_since: bool,
}

#[derive(Debug)]
pub(super) struct Lanes {
    state: Mutex<State>,
    bounds: Bounds,
    wake: Arc<Notify>,
}

impl Lanes {
    pub(super) fn new(bounds: Bounds, wake: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), bounds, wake })
    }

    /// A place for work of this webhook, if there is one.
    pub(super) fn take(self: &Arc<Self>, webhook: WebhookId, target: Target) -> Option<Slot> {
        let mut state = self.state.lock();
        if state.in_hand.room(webhook, target, self.bounds) == 0 {
            return None;
        }
        state.in_hand.add(webhook, target, 1);
        drop(state);
        Some(Slot { lanes: self.clone(), webhook, target })
    }

    /// Places for work of this webhook that is about to be claimed: as many as there still are of so many.
    pub(super) fn hold(self: &Arc<Self>, webhook: WebhookId, target: Target, wanted: usize) -> Held {
        let mut state = self.state.lock();
        let count = wanted.min(state.in_hand.room(webhook, target, self.bounds));
        state.in_hand.add(webhook, target, count);
        drop(state);
        Held { lanes: self.clone(), webhook, target, count }
    }

    /// Work of this webhook, for which there was no place, is in the store now: it is claimed at once if there is room by
    /// now, and else when some becomes free.
    pub(super) fn left(&self, webhook: WebhookId, target: Target) {
        let mut state = self.state.lock();
        if state.in_hand.room(webhook, target, self.bounds) > 0 {
            drop(state);
            self.wake.notify_one();
        } else {
            (state.backlog, state.left_since) = (true, true);
        }
    }

    /// Begins a plan: what is in hand now, and the bounds. Room that becomes free from now on does not go unnoticed.
    pub(super) fn begin_plan(&self) -> (InHand, Bounds) {
        let mut state = self.state.lock();
        (state.backlog, state.left_since) = (true, false);
        (state.in_hand.clone(), self.bounds)
    }

    /// Ends a plan that perhaps left work for want of room.
    pub(super) fn end_plan(&self, left: bool) {
        let mut state = self.state.lock();
        // Whoever has been woken since need not be woken twice.
        state.backlog &= left || state.left_since;
    }

    /// Whether there is time for work of others: half of the room is free.
    pub(super) fn is_idle(&self) -> bool {
        self.state.lock().in_hand.total * 2 <= self.bounds.total
    }
}

/// Places for work that is about to be claimed; what was not used is free again when dropped.
#[derive(Debug)]
pub(super) struct Held {
    lanes: Arc<Lanes>,
    webhook: WebhookId,
    target: Target,
    count: usize,
}

impl Held {
    /// How many places are left.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// One of them; none when all are used.
    pub(super) fn slot(&mut self) -> Option<Slot> {
        self.count = self.count.checked_sub(1)?;
        Some(Slot { lanes: self.lanes.clone(), webhook: self.webhook, target: self.target })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.count == 0 {
            return;
        }
        let mut state = self.lanes.state.lock();
        state.in_hand.remove(self.webhook, self.target, self.count);
        // Work came meanwhile that found no place because of these.
        let missed = std::mem::take(&mut state.left_since);
        drop(state);
        if missed {
            self.lanes.wake.notify_one();
        }
    }
}

/// A place in hand; free again when dropped.
#[derive(Debug)]
pub struct Slot {
    lanes: Arc<Lanes>,
    webhook: WebhookId,
    target: Target,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.lanes.state.lock();
        // Work is left only where a bound is reached, so only there does a free place help.
        let was_full = state.in_hand.room(self.webhook, self.target, self.lanes.bounds) == 0;
        state.in_hand.remove(self.webhook, self.target, 1);
        if was_full && std::mem::take(&mut state.backlog) {
            drop(state);
            self.lanes.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Millis;

    fn lanes(total: usize, per_webhook: usize, per_target: usize) -> Arc<Lanes> {
        Lanes::new(Bounds { total, per_webhook, per_target }, Arc::default())
    }

    #[test]
    fn a_webhook_gets_no_more_than_its_share_and_gives_it_back() {
        let lanes = lanes(3, 2, 9);
        let (a, b) = (WebhookId::new(Millis(1), 1), WebhookId::new(Millis(1), 2));
        let (here, there) = (Target::from(1), Target::from(2));
        let first = lanes.take(a, here).unwrap();
        let _second = lanes.take(a, here).unwrap();
        assert!(lanes.take(a, here).is_none());
        let _other = lanes.take(b, there).unwrap();
        assert!(lanes.take(b, there).is_none(), "the total is bounded too");
        drop(first);
        assert!(lanes.take(b, there).is_some());
    }

    #[tokio::test]
    async fn only_a_place_that_helps_wakes_for_work_that_was_left() {
        use std::future::Future as _;
        use std::task::{Context, Poll, Waker};

        let wake = Arc::new(Notify::new());
        let lanes = Lanes::new(Bounds { total: 9, per_webhook: 2, per_target: 9 }, wake.clone());
        let is_woken = || {
            let woken = std::pin::pin!(wake.notified());
            woken.poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
        };
        let (full, other, target) = (WebhookId::new(Millis(1), 1), WebhookId::new(Millis(1), 2), Target::from(1));
        let slots = [lanes.take(full, target).unwrap(), lanes.take(full, target).unwrap()];
        assert!(lanes.take(full, target).is_none());
        lanes.left(full, target);
        drop(lanes.take(other, target).unwrap());
        assert!(!is_woken(), "the place of another webhook is of no use");
        let [first, second] = slots;
        drop(first);
        assert!(is_woken());
        drop(second);
        assert!(!is_woken(), "once is enough");
        lanes.left(full, target);
        assert!(is_woken(), "there is room by now");
        let slots = [lanes.take(full, target).unwrap(), lanes.take(full, target).unwrap()];
        lanes.begin_plan();
        lanes.left(full, target);
        lanes.end_plan(false);
        let _other = lanes.take(other, target).unwrap();
        drop(slots);
        assert!(is_woken(), "what was left while a plan was made is not forgotten");
        let slots = [lanes.take(full, target).unwrap(), lanes.take(full, target).unwrap()];
        lanes.begin_plan();
        lanes.end_plan(false);
        drop(slots);
        assert!(!is_woken(), "nothing was left");
    }

    #[test]
    fn what_is_about_to_be_claimed_has_its_places() {
        let lanes = lanes(9, 3, 9);
        let (webhook, target) = (WebhookId::new(Millis(1), 1), Target::from(1));
        let _first = lanes.take(webhook, target).unwrap();
        let mut held = lanes.hold(webhook, target, 3);
        assert_eq!(held.count(), 2, "one was taken since it was planned");
        assert!(lanes.take(webhook, target).is_none());
        let _second = held.slot().unwrap();
        drop(held);
        let _third = lanes.take(webhook, target).unwrap();
        assert!(lanes.take(webhook, target).is_none());
        assert!(lanes.hold(webhook, target, 1).slot().is_none());
    }

    #[test]
    fn webhooks_of_one_target_share_its_places() {
        let lanes = lanes(9, 9, 2);
        let webhooks = [1, 2, 3].map(|number| WebhookId::new(Millis(1), number));
        let (shared, other) = (Target::from(1), Target::from(2));
        let first = lanes.take(webhooks[0], shared).unwrap();
        let _second = lanes.take(webhooks[1], shared).unwrap();
        assert!(lanes.take(webhooks[2], shared).is_none());
        assert!(lanes.take(webhooks[2], other).is_some());
        drop(first);
        assert!(lanes.take(webhooks[2], shared).is_some());
    }
}
