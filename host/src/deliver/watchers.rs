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
        self.waiting.lock().insert(id, sender);
        self.count.fetch_add(1, Ordering::SeqCst);
        receiver
    }

    pub(super) fn settled(&self, id: DeliveryId) {
        // Almost nobody is ever waiting, and this is asked for every delivery.
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        if let Some(sender) = self.waiting.lock().remove(&id) {
            self.count.fetch_sub(1, Ordering::SeqCst);
            let _ = sender.send(());
        }
    }
}
