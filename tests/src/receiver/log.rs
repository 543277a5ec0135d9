//! Every request that came, and a signal for the next one.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::Recorded;

#[derive(Default)]
pub(super) struct Log {
    requests: Mutex<Vec<Arc<Recorded>>>,
    arrived: watch::Sender<()>,
}

impl Log {
    pub(super) fn push(&self, request: Arc<Recorded>) {
        self.requests.lock().push(request);
        self.arrived.send_replace(());
    }

    pub(super) fn all(&self) -> Vec<Arc<Recorded>> {
        self.requests.lock().clone()
    }

    pub(super) async fn follow<T>(&self, mut visit: impl FnMut(&Arc<Recorded>) -> Option<T>) -> T {
        // Subscribed before the first look, so that nothing falls between a look and the next signal.
        let mut arrived = self.arrived.subscribe();
        let mut seen = 0;
        loop {
            let new = self.requests.lock()[seen..].to_vec();
            seen += new.len();
            if let Some(found) = new.iter().find_map(&mut visit) {
                return found;
            }
            arrived.changed().await.expect("the sender is in self");
        }
    }
}
