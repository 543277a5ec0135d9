//! Runs plugins: each event in a fresh instance with nothing but what it is given, on threads of their own.

mod admission;
mod cache;
mod code;
mod compiler;
mod copies;
mod engine;
mod failure;
mod golden;
mod limits;
mod log;
mod outcome;
mod queue;
mod shelf;
mod v1;
mod wasi;
mod words;
mod workers;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

pub use admission::{check_component, check_configurations, manifest_of};
pub use cache::CacheSettings;
pub use compiler::{ChildLimits, CompileError, Compiler, SUBCOMMAND, Turn, compile_child};
pub use failure::is_machinery;
pub use golden::{input as case_input, made as case_made};
pub use limits::RunLimits;
pub use outcome::outcome;
pub use workers::Busy;

use crate::config::PluginConfig;
use crate::domain::delivery::Trigger;
use crate::domain::event::{Event, Field};
use crate::domain::id::{DeliveryId, PluginVersionId, ProjectId, WebhookId};
use crate::domain::plugin::{Abilities, Digest, Manifest, PluginFailure, PluginVersion};
use crate::domain::plugin_limits::PluginLimits;
use crate::domain::recording::{Given, Recalled};
use crate::domain::request::PluginRequest;
use crate::domain::rules::freeze;
use crate::domain::verdict::Verdict;

/// One line that a plugin logged.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct LogLine {
    /// `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// The text, perhaps cut.
    pub message: String,
}

/// What a plugin remembers for a webhook: asked from a plugin thread, which waits for it.
#[derive(Clone)]
pub struct Memory(Arc<Recall>);

type Recall = dyn Fn(&str) -> Result<Option<String>, String> + Send + Sync;

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memory")
    }
}

impl Memory {
    /// A memory that is asked by this; an error says why it cannot be asked now.
    pub fn new(recall: impl Fn(&str) -> Result<Option<String>, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(recall))
    }

    /// One that knows what was recalled in an earlier run, and nothing else.
    pub fn recorded(recalled: &[Recalled]) -> Self {
        let known: HashMap<String, Option<String>> =
            recalled.iter().map(|fact| (fact.key.clone(), fact.value.clone())).collect();
        Self::new(move |key| Ok(known.get(key).cloned().flatten()))
    }

    fn recall(&self, key: &str) -> Result<Option<String>, String> {
        (self.0)(key)
    }
}

/// An answer to one of a plugin's requests, without secrets.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The request, as the plugin made it.
    pub request: PluginRequest,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<Field>,
    /// The beginning of the body.
    pub body: Vec<u8>,
    /// Whether it was longer.
    pub truncated: bool,
    /// From the first byte sent to the last byte read.
    pub elapsed_ms: u64,
}

/// What a run used.
#[derive(Debug, Clone, Default)]
pub struct Used {
    /// CPU time in microseconds, the making of the instance included.
    pub cpu_us: u64,
    /// Most memory at once, in bytes.
    pub memory_bytes: u64,
    /// What it recalled, by key.
    pub recalled: Vec<Recalled>,
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
    /// What it remembers; none for a plugin that does not ask.
    pub memory: Option<Memory>,
}

impl Input {
    /// What a plugin was given once: what it recalled then is all that it can recall.
    pub fn recorded(event: Arc<Event>, given: &Given<'_>) -> Self {
        Self {
            event,
            trigger: given.trigger,
            delivery: given.delivery,
            webhook: given.webhook,
            webhook_name: given.webhook_name.to_owned(),
            configuration: given.configuration.to_owned(),
            memory: Some(Memory::recorded(given.recalled)),
        }
    }

    /// The same with what it recalled of its memory, to be told by its digest.
    pub fn given<'a>(&'a self, recalled: &'a [Recalled]) -> Given<'a> {
        Given {
            event: &self.event,
            trigger: self.trigger,
            delivery: self.delivery,
            webhook: self.webhook,
            webhook_name: &self.webhook_name,
            configuration: &self.configuration,
            recalled,
        }
    }
}

/// How a run went.
#[derive(Debug)]
pub struct Ran<T> {
    /// What it used.
    pub used: Used,
    /// What came of it.
    pub result: Result<T, PluginFailure>,
}

/// How a golden case went.
#[derive(Debug)]
pub struct CaseRun {
    /// Its name.
    pub name: String,
    /// What it used.
    pub used: Used,
    /// What the plugin made, as `expect` of a case would say it.
    pub made: Option<serde_json::Value>,
    /// Whether that is what is expected, and keeps to the rules.
    pub result: Result<(), PluginFailure>,
}

/// A component that is compiled and linked, ready to be instantiated.
pub struct Loaded {
    digest: Digest,
    plugin: copies::Copies<v1::Prepared>,
}

/// A component that is ready, and the version that it is.
pub type Ready = (Arc<Loaded>, Arc<PluginVersion>);

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// How long a check waits when no plugin thread is free.
const BUSY_WAIT: Duration = Duration::from_millis(100);

/// The plugin host. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    engine: engine::PluginEngine,
    config: PluginConfig,
    limits: RunLimits,
    workers: workers::Workers,
    compiler: Compiler,
    cache: cache::Cache,
    loaded: Mutex<shelf::Shelf<PluginVersionId, Ready>>,
    threads: usize,
    copies: Arc<copies::Room>,
}

impl Sandbox {
    /// Starts the engine and the plugin threads.
    pub fn start(config: &PluginConfig, compiler: Compiler, cache: CacheSettings) -> Result<Self, PluginFailure> {
        let threads = match config.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            threads => threads,
        };
        let limits = RunLimits::from(config);
        let engine = engine::PluginEngine::start(threads, &limits)?;
        let workers = workers::Workers::start(threads, config.queue, config.stack_bytes);
        let cache = cache::Cache::open(cache, engine::compatibility(engine.engine()));
        let inner = Inner {
            engine,
            config: config.clone(),
            limits,
            workers,
            compiler,
            cache,
            loaded: Mutex::new(shelf::Shelf::new(config.loaded_bytes)),
            threads,
            copies: copies::Room::new(config.copied_bytes),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Checks what can be seen of an uploaded component without compiling it: size, imports, exports, manifest.
    pub fn inspect(&self, component: &[u8]) -> Result<(Manifest, Abilities), PluginFailure> {
        admission::inspect(component, &self.inner.config)
    }

    /// Waits until a component of this project may be compiled. Its bytes need not be in memory before.
    pub async fn turn(&self, project: ProjectId) -> Turn {
        self.inner.compiler.turn(project).await
    }

    /// Compiles a component that [`Sandbox::inspect`] let pass, and tries it: an instance, then the golden cases.
    pub async fn admit(
        &self,
        turn: Turn,
        version: &Arc<PluginVersion>,
        component: Vec<u8>,
    ) -> Result<Arc<Loaded>, CompileError> {
        let loaded = self.prepare(turn, version, component).await?;
        for case in &version.manifest.cases {
            self.run_case(version, &loaded, case).await?.result?;
        }
        Ok(loaded)
    }

    /// Compiles a component that [`Sandbox::inspect`] let pass, and makes an instance of it.
    pub async fn prepare(
        &self,
        turn: Turn,
        version: &Arc<PluginVersion>,
        component: Vec<u8>,
    ) -> Result<Arc<Loaded>, CompileError> {
        let loaded = self.compile(turn, version.digest, component).await?;
        let trial = loaded.clone();
        let instance = move |inner: &Inner| trial.plugin.first().try_instance(inner.engine.engine(), &inner.limits);
        match self.check(version, instance.clone()).await? {
            // The very first one also pays for code and data that nobody has touched yet.
            Err(failure) if failure.code == "plugin.timeout" => self.check(version, instance).await??,
            tried => tried?,
        }
        Ok(loaded)
    }

    /// Runs a golden case: what it expects must be made, and requests must keep to the rules.
    pub async fn run_case(
        &self,
        version: &PluginVersion,
        loaded: &Arc<Loaded>,
        case: &serde_json::Value,
    ) -> Result<CaseRun, CompileError> {
        let bad = |reason: String| PluginFailure::new("plugin.bad_manifest", reason);
        let case = golden::Case::read(case).map_err(bad)?;
        let input = case.input().map_err(bad)?;
        let loaded = loaded.clone();
        let run = move |inner: &Inner| loaded.plugin.first().transform(inner.engine.engine(), &inner.limits, &input);
        let Ran { used, result } = self.check(version, run).await?;
        let made = result.as_ref().ok().map(golden::made);
        Ok(CaseRun { used, made, result: self.judge(version, &case, result), name: case.name })
    }

    fn judge(
        &self,
        version: &PluginVersion,
        case: &golden::Case,
        result: Result<Transformed, PluginFailure>,
    ) -> Result<(), PluginFailure> {
        let named = |failure: PluginFailure| PluginFailure {
            message: format!("the golden case `{}` fails: {}", case.name, failure.message),
            ..failure
        };
        let made = result.map_err(named)?;
        case.judge(&made).map_err(|difference| PluginFailure::new("plugin.case_failed", difference))?;
        if let Transformed::Deliver(requests) = made {
            let is_known = |name: &str| version.manifest.secrets.contains_key(name);
            freeze(requests, &self.inner.limits.requests, &[], &is_known)
                .map_err(|broken| named(PluginFailure::broken_rule(&broken)))?;
        }
        Ok(())
    }

    /// Runs something on a plugin thread, among the runs for events.
    async fn check<T: Send + 'static>(
        &self,
        version: &PluginVersion,
        job: impl FnOnce(&Inner) -> T + Clone + Send + 'static,
    ) -> Result<T, CompileError> {
        // A line of its own, as if it were a webhook.
        let key = WebhookId::from_uuid(version.id.uuid());
        loop {
            let (inner, job) = (self.inner.clone(), job.clone());
            match self.inner.workers.run(key, move || job(&inner)).await {
                Ok(done) => return Ok(done),
                Err(Busy) => tokio::time::sleep(BUSY_WAIT).await,
            }
        }
    }

    /// Keeps a component ready under its version's id.
    pub fn keep(&self, version: Arc<PluginVersion>, loaded: Arc<Loaded>) {
        let weight = loaded.plugin.bytes();
        let gone = self.inner.loaded.lock().put(version.id, (loaded, version), weight);
        // Unmapping code takes its time, so the lock is free again.
        drop(gone);
    }

    /// Forgets a version.
    pub fn forget(&self, id: PluginVersionId) {
        let gone = self.inner.loaded.lock().take(id);
        drop(gone);
    }

    /// The component kept under this id, if it is in memory.
    pub fn loaded(&self, id: PluginVersionId) -> Option<Ready> {
        self.inner.loaded.lock().get(id)
    }

    /// A component that was compiled before, if the cache has it. Takes as long as reading its code from disk does.
    pub async fn cached(&self, digest: Digest) -> Option<Arc<Loaded>> {
        let inner = self.inner.clone();
        let load = move || {
            let code = inner.cache.load(digest)?;
            inner.link(digest, &code).inspect_err(|error| tracing::warn!(%error, "compiled code cannot be loaded")).ok()
        };
        tokio::task::spawn_blocking(load).await.ok().flatten()
    }

    /// Compiles a component in a process of its own, unless the cache has it. The turn ends with it.
    pub async fn compile(&self, turn: Turn, digest: Digest, component: Vec<u8>) -> Result<Arc<Loaded>, CompileError> {
        if let Some(loaded) = self.cached(digest).await {
            return Ok(loaded);
        }
        let code = self.inner.compiler.compile(&turn, component).await?;
        let inner = self.inner.clone();
        let link = move || {
            let linked = inner.link(digest, &code)?;
            inner.cache.store(digest, &code);
            Ok::<_, PluginFailure>(linked)
        };
        let linked = tokio::task::spawn_blocking(link).await;
        drop(turn);
        Ok(linked.map_err(|error| CompileError::Unavailable(error.to_string()))??)
    }

    /// The limits of runs for a webhook that has these of its own.
    pub fn limits(&self, own: &PluginLimits) -> RunLimits {
        self.inner.limits.lowered(own)
    }

    /// Runs a plugin on one event; `Busy` when too many wait already.
    pub async fn run(&self, loaded: Arc<Loaded>, limits: RunLimits, input: Input) -> Result<Ran<Transformed>, Busy> {
        let inner = self.inner.clone();
        let key = input.webhook;
        let job = move || inner.plugin(&loaded).transform(inner.engine.engine(), &limits, &input);
        self.inner.workers.run(key, job).await
    }

    /// Runs a plugin on one event when no delivery waits for a thread.
    pub async fn run_idle(
        &self,
        loaded: Arc<Loaded>,
        limits: RunLimits,
        input: Input,
    ) -> Result<Ran<Transformed>, Busy> {
        let inner = self.inner.clone();
        let key = input.webhook;
        let job = move || inner.plugin(&loaded).transform(inner.engine.engine(), &limits, &input);
        self.inner.workers.run_idle(key, job).await
    }

    /// Runs a plugin on one event on this thread, past the queue: for programs that do nothing else.
    pub fn run_here(&self, loaded: &Loaded, limits: &RunLimits, input: &Input) -> Ran<Transformed> {
        self.inner.plugin(loaded).transform(self.inner.engine.engine(), limits, input)
    }

    /// Has a plugin read an answer; none if it reads none.
    pub async fn interpret(
        &self,
        loaded: Arc<Loaded>,
        limits: RunLimits,
        input: Input,
        answered: Answered,
    ) -> Result<Option<Ran<Verdict>>, Busy> {
        let inner = self.inner.clone();
        let key = input.webhook;
        let job = move || inner.plugin(&loaded).interpret(inner.engine.engine(), &limits, &input, &answered);
        self.inner.workers.run(key, job).await
    }
}

impl Inner {
    fn link(&self, digest: Digest, code: &code::Code) -> Result<Arc<Loaded>, PluginFailure> {
        let plugin = v1::Prepared::link(self.engine.engine(), code)?;
        let plugin = copies::Copies::new(plugin, self.threads, code.bytes().len(), self.copies.clone());
        Ok(Arc::new(Loaded { digest, plugin }))
    }

    /// The copy of a plugin that this thread runs.
    fn plugin<'a>(&self, loaded: &'a Loaded) -> &'a v1::Prepared {
        loaded.plugin.here(|| v1::Prepared::link(self.engine.engine(), &self.cache.load(loaded.digest)?).ok())
    }
}
