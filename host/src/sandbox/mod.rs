//! Runs plugins: each event in a fresh instance with nothing but what it is given, on threads of their own.

mod admission;
mod engine;
mod failure;
mod limits;
mod queue;
mod v1;
mod workers;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

pub use admission::{Admitted, Refusal, manifest_of};
pub use failure::{LimitHit, RunFailure};
pub use limits::RunLimits;
pub use workers::Busy;

use crate::config::PluginConfig;
use crate::domain::delivery::Trigger;
use crate::domain::event::Event;
use crate::domain::id::{DeliveryId, PluginVersionId, WebhookId};
use crate::domain::plugin::PluginVersion;
use crate::domain::request::PluginRequest;

/// One line that a plugin logged.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LogLine {
    /// `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// The text, perhaps cut.
    pub message: String,
}

/// What a run used.
#[derive(Debug, Clone, Default)]
pub struct Used {
    /// CPU time in microseconds, the making of the instance included.
    pub cpu_us: u64,
    /// Most memory at once, in bytes.
    pub memory_bytes: u64,
    /// What it logged.
    pub logs: Vec<LogLine>,
    /// Log lines that were dropped because there were too many.
    pub logs_dropped: u32,
}

/// What a plugin made of an event.
#[derive(Debug, Clone)]
pub enum Transformed {
    /// These requests, not checked yet.
    Deliver(Vec<PluginRequest>),
    /// Nothing, on purpose.
    Skip(String),
    /// It could not, and says why.
    Failed {
        /// For programs.
        code: String,
        /// For people.
        message: String,
        /// When to try again.
        retry_after_ms: Option<u64>,
    },
}

/// What a run needs.
#[derive(Debug, Clone)]
pub struct Input {
    /// The event.
    pub event: Arc<Event>,
    /// Why the delivery exists.
    pub trigger: Trigger,
    /// The delivery.
    pub delivery: DeliveryId,
    /// The webhook.
    pub webhook: WebhookId,
    /// Its name.
    pub webhook_name: String,
    /// Its configuration for the plugin: JSON text.
    pub configuration: String,
}

/// How a run went.
#[derive(Debug)]
pub struct Ran {
    /// What it used.
    pub used: Used,
    /// What came of it.
    pub result: Result<Transformed, RunFailure>,
}

/// A component that is compiled and linked, ready to be instantiated.
pub struct Loaded {
    plugin: v1::Prepared,
}

/// A component that is ready, and the version that it is.
pub type Ready = (Arc<Loaded>, Arc<PluginVersion>);

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").finish_non_exhaustive()
    }
}

/// The plugin host. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    engine: engine::PluginEngine,
    limits: RunLimits,
    component_bytes: usize,
    workers: workers::Workers,
    loaded: Mutex<HashMap<PluginVersionId, Ready>>,
}

impl Sandbox {
    /// Starts the engine and the plugin threads.
    pub fn start(config: &PluginConfig) -> Result<Self, RunFailure> {
        let threads = match config.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            threads => threads,
        };
        let engine = engine::PluginEngine::start(threads)?;
        let workers = workers::Workers::start(threads, config.queue);
        let inner = Inner {
            engine,
            limits: RunLimits::from(config),
            component_bytes: config.component_bytes,
            workers,
            loaded: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Checks an uploaded component: size, imports, exports, a trial instance, the manifest. Takes as long as compiling
    /// does: not for a thread that others wait for.
    pub fn admit(&self, component: &[u8]) -> Result<Admitted, Refusal> {
        admission::admit(&self.inner.engine, &self.inner.limits, self.inner.component_bytes, component)
    }

    /// Keeps an admitted component ready under its version's id.
    pub fn keep(&self, version: Arc<PluginVersion>, loaded: Arc<Loaded>) {
        self.inner.loaded.lock().insert(version.id, (loaded, version));
    }

    /// The component kept under this id.
    pub fn loaded(&self, id: PluginVersionId) -> Option<Ready> {
        self.inner.loaded.lock().get(&id).cloned()
    }

    /// Compiles a stored component. Takes its time.
    pub fn compile(&self, component: &[u8]) -> Result<Arc<Loaded>, RunFailure> {
        let plugin = v1::Prepared::compile(self.inner.engine.engine(), component)?;
        Ok(Arc::new(Loaded { plugin }))
    }

    /// Runs a plugin on one event; `Busy` when too many wait already.
    pub async fn run(&self, loaded: Arc<Loaded>, input: Input) -> Result<Ran, Busy> {
        let inner = self.inner.clone();
        let key = input.webhook;
        let job = move || loaded.plugin.transform(inner.engine.engine(), &inner.limits, &input);
        self.inner.workers.run(key, job).await
    }
}
