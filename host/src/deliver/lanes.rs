//! How much is in hand: bounded in all, for each webhook and for each target, so that memory is bounded whatever the backlog
//! and one slow receiver cannot take all the room.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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

    fn remove(&mut self, webhook: WebhookId, target: Target) {
        fn less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
            if let Some(count) = counts.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(key);
                }
            }
        }
        self.total -= 1;
        less(&mut self.by_webhook, &webhook);
        less(&mut self.by_target, &target);
    }
}

#[derive(Debug)]
pub(super) struct Lanes {
    in_hand: Mutex<InHand>,
    bounds: Bounds,
    /// Due work was left in the store for want of room.
    backlog: AtomicBool,
    wake: Arc<Notify>,
}

impl Lanes {
    pub(super) fn new(bounds: Bounds, wake: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self { in_hand: Mutex::default(), bounds, backlog: AtomicBool::new(false), wake })
    }

    /// A place for work of this webhook, if there is one.
    pub(super) fn take(self: &Arc<Self>, webhook: WebhookId, target: Target) -> Option<Slot> {
        let mut in_hand = self.in_hand.lock();
        if in_hand.room(webhook, target, self.bounds) == 0 {
            return None;
        }
        in_hand.add(webhook, target, 1);
        drop(in_hand);
        Some(Slot { lanes: self.clone(), webhook, target })
    }

    /// A place for work that was claimed while there was room.
    pub(super) fn take_claimed(self: &Arc<Self>, webhook: WebhookId, target: Target) -> Slot {
        self.in_hand.lock().add(webhook, target, 1);
        Slot { lanes: self.clone(), webhook, target }
    }

    /// What is in hand now, to plan with, and the bounds.
    pub(super) fn in_hand(&self) -> (InHand, Bounds) {
        (self.in_hand.lock().clone(), self.bounds)
    }

    /// Whether there is time for work of others: half of the room is free.
    pub(super) fn is_idle(&self) -> bool {
        self.in_hand.lock().total * 2 <= self.bounds.total
    }

    /// Whether room that becomes free must wake the dispatcher.
    pub(super) fn set_backlog(&self, backlog: bool) {
        self.backlog.store(backlog, Ordering::SeqCst);
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
        self.lanes.in_hand.lock().remove(self.webhook, self.target);
        if self.lanes.backlog.swap(false, Ordering::SeqCst) {
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
