//! How much is in hand: bounded in all and for each webhook, so that memory is bounded whatever the backlog and one slow
//! webhook cannot take all the room.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::domain::id::WebhookId;

#[derive(Debug, Default)]
struct InHand {
    total: usize,
    by_webhook: HashMap<WebhookId, usize>,
}

#[derive(Debug)]
pub(super) struct Lanes {
    in_hand: Mutex<InHand>,
    max: usize,
    per_webhook: usize,
    /// Due work was left in the store for want of room.
    backlog: AtomicBool,
    wake: Arc<Notify>,
}

impl Lanes {
    pub(super) fn new(max: usize, per_webhook: usize, wake: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self { in_hand: Mutex::default(), max, per_webhook, backlog: AtomicBool::new(false), wake })
    }

    /// A place for work of this webhook, if there is one.
    pub(super) fn take(self: &Arc<Self>, webhook: WebhookId) -> Option<Slot> {
        let mut in_hand = self.in_hand.lock();
        if in_hand.total >= self.max {
            return None;
        }
        let own = in_hand.by_webhook.entry(webhook).or_insert(0);
        if *own >= self.per_webhook {
            return None;
        }
        *own += 1;
        in_hand.total += 1;
        drop(in_hand);
        Some(Slot { lanes: self.clone(), webhook })
    }

    /// A place for work that was claimed within what [`Lanes::room`] said.
    pub(super) fn take_claimed(self: &Arc<Self>, webhook: WebhookId) -> Slot {
        let mut in_hand = self.in_hand.lock();
        *in_hand.by_webhook.entry(webhook).or_insert(0) += 1;
        in_hand.total += 1;
        drop(in_hand);
        Slot { lanes: self.clone(), webhook }
    }

    /// How much more may be claimed, how much for each webhook, and what each has in hand.
    pub(super) fn room(&self) -> (usize, usize, HashMap<WebhookId, usize>) {
        let in_hand = self.in_hand.lock();
        (self.max.saturating_sub(in_hand.total), self.per_webhook, in_hand.by_webhook.clone())
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
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut in_hand = self.lanes.in_hand.lock();
        in_hand.total -= 1;
        if let Some(own) = in_hand.by_webhook.get_mut(&self.webhook) {
            *own -= 1;
            if *own == 0 {
                in_hand.by_webhook.remove(&self.webhook);
            }
        }
        drop(in_hand);
        if self.lanes.backlog.swap(false, Ordering::SeqCst) {
            self.lanes.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Millis;

    #[test]
    fn a_webhook_gets_no_more_than_its_share_and_gives_it_back() {
        let lanes = Lanes::new(3, 2, Arc::default());
        let (a, b) = (WebhookId::new(Millis(1), 1), WebhookId::new(Millis(1), 2));
        let first = lanes.take(a).unwrap();
        let _second = lanes.take(a).unwrap();
        assert!(lanes.take(a).is_none());
        let _other = lanes.take(b).unwrap();
        assert!(lanes.take(b).is_none(), "the total is bounded too");
        drop(first);
        assert!(lanes.take(b).is_some());
    }
}
