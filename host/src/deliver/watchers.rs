//! Who waits for a delivery to come to its end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::domain::id::DeliveryId;

#[derive(Debug, Default)]
pub(super) struct Watchers {
    waiting: Mutex<HashMap<DeliveryId, oneshot::Sender<()>>>,
    count: AtomicUsize,
}

impl Watchers {
    /// Told once when the delivery is settled.
    pub(super) fn watch(&self, id: DeliveryId) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        // Whoever stopped waiting is never told, when another node settles it.
        waiting.retain(|_, sender| !sender.is_closed());
        waiting.insert(id, sender);
        self.count.store(waiting.len(), Ordering::SeqCst);
        receiver
    }

    pub(super) fn settled(&self, id: DeliveryId) {
        // Almost nobody is ever waiting, and this is asked for every delivery.
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let mut waiting = self.waiting.lock();
        if let Some(sender) = waiting.remove(&id) {
            self.count.store(waiting.len(), Ordering::SeqCst);
            let _ = sender.send(());
        }
    }
}
