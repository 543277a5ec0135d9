//! Every webhook in memory: matching an event and sending a request ask nothing of the database.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::{Mutex, MutexGuard};

use crate::domain::id::{ProjectId, WebhookId};
use crate::domain::webhook::Webhook;

/// All webhooks at one moment.
#[derive(Debug, Default, Clone)]
pub struct Snapshot {
    by_id: HashMap<WebhookId, Arc<Webhook>>,
    by_project: HashMap<ProjectId, Vec<Arc<Webhook>>>,
}

impl Snapshot {
    /// One webhook.
    pub fn webhook(&self, id: WebhookId) -> Option<&Arc<Webhook>> {
        self.by_id.get(&id)
    }

    /// A project's webhooks.
    pub fn of_project(&self, project: ProjectId) -> &[Arc<Webhook>] {
        self.by_project.get(&project).map_or(&[], Vec::as_slice)
    }

    fn remove(&mut self, id: WebhookId) {
        if let Some(old) = self.by_id.remove(&id)
            && let Some(project) = self.by_project.get_mut(&old.project)
        {
            project.retain(|webhook| webhook.id != id);
        }
    }

    fn insert(&mut self, webhook: Arc<Webhook>) {
        self.by_project.entry(webhook.project).or_default().push(webhook.clone());
        self.by_id.insert(webhook.id, webhook);
    }
}

#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    current: RwLock<Arc<Snapshot>>,
    refreshing: Mutex<()>,
}

impl Subscriptions {
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.current.read().clone()
    }

    /// Reading and putting is done by one at a time, or an older state could replace a newer one.
    pub(super) async fn refreshing(&self) -> MutexGuard<'_, ()> {
        self.refreshing.lock().await
    }

    pub(super) fn put(&self, id: WebhookId, webhook: Option<Webhook>) {
        let mut current = self.current.write();
        let mut next = Snapshot::clone(&current);
        next.remove(id);
        if let Some(webhook) = webhook {
            next.insert(Arc::new(webhook));
        }
        *current = Arc::new(next);
    }

    pub(super) fn replace(&self, webhooks: Vec<Webhook>) {
        let mut next = Snapshot::default();
        for webhook in webhooks {
            next.insert(Arc::new(webhook));
        }
        *self.current.write() = Arc::new(next);
    }
}
