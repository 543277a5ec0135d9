//! Every webhook in memory: matching an event and sending a request ask nothing of the database.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::{Mutex, MutexGuard};

use crate::domain::event_types::Rule;
use crate::domain::id::{PluginVersionId, ProjectId, WebhookId};
use crate::domain::pattern::EventType;
use crate::domain::plugin::Pause;
use crate::domain::webhook::Webhook;

/// What payloads of types are held against, by project and name.
pub(super) type Rules = HashMap<ProjectId, HashMap<String, Arc<Rule>>>;

/// All webhooks at one moment.
#[derive(Debug, Default, Clone)]
pub struct Snapshot {
    revision: i64,
    by_id: HashMap<WebhookId, Arc<Webhook>>,
    by_project: HashMap<ProjectId, Vec<Arc<Webhook>>>,
    paused: Arc<HashMap<PluginVersionId, Pause>>,
    rules: Arc<Rules>,
}

impl Snapshot {
    /// Grows with each change of any webhook.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// One webhook.
    pub fn webhook(&self, id: WebhookId) -> Option<&Arc<Webhook>> {
        self.by_id.get(&id)
    }

    /// A project's webhooks.
    pub fn of_project(&self, project: ProjectId) -> &[Arc<Webhook>] {
        self.by_project.get(&project).map_or(&[], Vec::as_slice)
    }

    /// How many webhooks are enabled, and how many are not, over all projects.
    pub fn counts(&self) -> (u64, u64) {
        let enabled = self.by_id.values().filter(|webhook| webhook.state.is_enabled()).count();
        (enabled as u64, (self.by_id.len() - enabled) as u64)
    }

    /// What payloads of this type are held against in a project, if they are.
    pub fn rule(&self, project: ProjectId, event_type: &EventType) -> Option<&Arc<Rule>> {
        self.rules.get(&project)?.get(event_type.as_str())
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Why a version of a plugin is not run for the time being.
    pub fn paused(&self, version: PluginVersionId) -> Option<&Pause> {
        self.paused.get(&version)
    }

    /// A filter whose text is as it was stays what it was: compiled, and with its counts.
    fn keep_filter(&self, webhook: &mut Webhook) {
        let old = self.by_id.get(&webhook.id).and_then(|old| old.filter.as_ref());
        if let (Some(old), Some(new)) = (old, &mut webhook.filter)
            && old.source() == new.source()
        {
            *new = old.clone();
        }
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
    syncing: Mutex<()>,
}

impl Subscriptions {
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.current.read().clone()
    }

    /// Reading and applying is done by one at a time, or an older state could replace a newer one.
    pub(super) async fn syncing(&self) -> MutexGuard<'_, ()> {
        self.syncing.lock().await
    }

    pub(super) fn apply(
        &self,
        changed: Vec<Webhook>,
        deleted: Vec<WebhookId>,
        (paused, rules): (HashMap<PluginVersionId, Pause>, Rules),
        revision: i64,
    ) {
        let mut next = Snapshot::clone(&self.current.read());
        for id in deleted {
            next.remove(id);
        }
        for mut webhook in changed {
            next.keep_filter(&mut webhook);
            next.remove(webhook.id);
            next.insert(Arc::new(webhook));
        }
        (next.paused, next.rules) = (Arc::new(paused), Arc::new(rules));
        next.revision = revision;
        *self.current.write() = Arc::new(next);
    }
}
