//! The plugins that deliveries need: in memory, from the cache, or compiled while the deliveries wait in the store.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore};

use crate::domain::clock::Millis;
use crate::domain::id::PluginVersionId;
use crate::domain::plugin::{PluginFailure, PluginVersion};
use crate::domain::webhook::{PluginUse, Webhook};
use crate::sandbox::{CompileError, Ready, Sandbox};
use crate::store::{Store, StoreError};

/// Work of a webhook whose plugin is being compiled is looked at again after this, unless it is done before.
const COMPILING_WAIT_MS: u64 = 1000;
/// A plugin that cannot be compiled is not compiled again for so long.
const FAILED_MS: u64 = 60_000;

/// Whether a plugin can be run.
pub(super) enum Availability {
    /// It can.
    Ready(Ready),
    /// It is being compiled, and its deliveries wait so long.
    Later(u64),
    /// It cannot.
    Failed(PluginFailure),
}

#[derive(Debug)]
enum Pending {
    Compiling,
    Failed(PluginFailure, Millis),
}

#[derive(Debug)]
pub(super) struct Library {
    store: Store,
    sandbox: Sandbox,
    pending: Mutex<HashMap<PluginVersionId, Pending>>,
    /// How many are pending: mostly none, and this is asked for every delivery.
    pending_count: AtomicUsize,
    /// One is read from the cache at a time: reading it takes memory.
    reading: Semaphore,
    /// Told when one is ready.
    wake: Arc<Notify>,
}

impl Library {
    pub(super) fn new(store: Store, sandbox: Sandbox, wake: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self {
            store,
            sandbox,
            pending: Mutex::default(),
            pending_count: AtomicUsize::new(0),
            reading: Semaphore::new(1),
            wake,
        })
    }

    /// When to look again at a webhook whose plugin is being compiled; none when it need not wait.
    pub(super) fn waits(&self, webhook: &Webhook, now: Millis) -> Option<Millis> {
        if self.pending_count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let plugin = webhook.configuration.plugin.as_ref()?;
        let is_compiling = matches!(self.pending.lock().get(&plugin.version_id), Some(Pending::Compiling));
        is_compiling.then(|| now.plus(COMPILING_WAIT_MS))
    }

    /// The plugin, if it can be run now. What takes long goes on without whoever asked.
    pub(super) async fn get(self: &Arc<Self>, plugin: &PluginUse, now: Millis) -> Availability {
        let id = plugin.version_id;
        if let Some(found) = self.sandbox.loaded(id) {
            return Availability::Ready(found);
        }
        let missing = || {
            let message = format!("the plugin {} {} is not there any more", plugin.name, plugin.version);
            Availability::Failed(PluginFailure::new("plugin.missing", message))
        };
        let Ok(_one) = self.reading.acquire().await else { return missing() };
        if let Some(found) = self.sandbox.loaded(id) {
            return Availability::Ready(found);
        }
        if let Some(pending) = self.pending(id, now) {
            return pending;
        }
        let version = match self.store.plugin_version(id).await {
            Ok(Some(version)) => Arc::new(version),
            Ok(None) => return missing(),
            Err(error) => return later(&error),
        };
        if let Some(loaded) = self.sandbox.cached(version.digest).await {
            self.sandbox.keep(version.clone(), loaded.clone());
            return Availability::Ready((loaded, version));
        }
        self.set_pending(id, Some(Pending::Compiling));
        let this = self.clone();
        tokio::spawn(async move { this.compile(version, now).await });
        Availability::Later(COMPILING_WAIT_MS)
    }

    fn pending(&self, id: PluginVersionId, now: Millis) -> Option<Availability> {
        match self.pending.lock().get(&id)? {
            Pending::Compiling => Some(Availability::Later(COMPILING_WAIT_MS)),
            Pending::Failed(failure, until) if now < *until => Some(Availability::Failed(failure.clone())),
            Pending::Failed(..) => None,
        }
    }

    fn set_pending(&self, id: PluginVersionId, state: Option<Pending>) {
        let mut pending = self.pending.lock();
        match state {
            Some(state) => pending.insert(id, state),
            None => pending.remove(&id),
        };
        self.pending_count.store(pending.len(), Ordering::Relaxed);
    }

    async fn compile(self: Arc<Self>, version: Arc<PluginVersion>, now: Millis) {
        let id = version.id;
        let turn = self.sandbox.turn(version.project).await;
        let compiled = match self.store.component(id).await {
            Ok(Some(component)) => self.sandbox.compile(turn, version.digest, component).await,
            // Whoever asks next is told that it is gone.
            Ok(None) => Err(CompileError::Unavailable("it was deleted".to_owned())),
            Err(error) => Err(CompileError::Unavailable(error.to_string())),
        };
        let state = match compiled {
            Ok(loaded) => {
                self.sandbox.keep(version, loaded);
                None
            }
            Err(CompileError::Refused(failure)) => Some(Pending::Failed(failure, now.plus(FAILED_MS))),
            Err(CompileError::Unavailable(reason)) => {
                tracing::warn!(plugin = %id, reason, "a plugin cannot be compiled now");
                None
            }
        };
        self.set_pending(id, state);
        self.wake.notify_one();
    }
}

fn later(error: &StoreError) -> Availability {
    tracing::warn!(%error, "a plugin cannot be read");
    Availability::Later(COMPILING_WAIT_MS)
}
