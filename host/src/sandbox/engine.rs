//! The one engine, and the one ticker that lets running plugins be looked at.

use std::hash::{Hash as _, Hasher};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails};

use super::limits::RunLimits;
use crate::domain::plugin::PluginFailure;

/// How often running plugins are looked at: much shorter than the default CPU limit.
const TICK: Duration = Duration::from_millis(10);
/// The largest memory that a pool slot must be able to hold: the hard maximum of `plugins.memory_bytes`.
const SLOT_MEMORY_BYTES: usize = 256 * 1024 * 1024;
/// Memory that stays mapped in a slot between runs, so that a small plugin makes no system call for a fresh instance.
const KEEP_RESIDENT_BYTES: usize = 2 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct PluginEngine {
    engine: EngineHandle,
}

struct EngineHandle(Engine);

impl std::fmt::Debug for EngineHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

impl PluginEngine {
    /// An engine for so many runs at once under these limits.
    pub(super) fn start(threads: usize, limits: &RunLimits) -> Result<Self, PluginFailure> {
        let unusable = |error: &wasmtime::Error| {
            PluginFailure::new("host.engine", format!("the engine does not start: {error:#}"))
        };
        let mut config = base_config();
        config.max_wasm_stack(limits.stack_bytes);
        let mut pooled = config.clone();
        pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(threads, limits)));
        let engine = Engine::new(&pooled).or_else(|error| {
            // A container with little address space has no room for the pool's reservations.
            tracing::warn!(error = %format!("{error:#}"), "no room for pooled plugin memory; plugins run slower");
            Engine::new(&config)
        });
        let engine = engine.map_err(|error| unusable(&error))?;
        let weak = engine.weak();
        let ticker = std::thread::Builder::new().name("plugin-ticker".to_owned()).spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        });
        ticker.map_err(|error| PluginFailure::new("host.engine", format!("the ticker does not start: {error}")))?;
        Ok(Self { engine: EngineHandle(engine) })
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine.0
    }
}

/// An engine that only compiles, for the same code as the one that runs it.
pub(super) fn compiling() -> wasmtime::Result<Engine> {
    Engine::new(&base_config())
}

/// What compiled code must have in common with this engine to run on it: its version, its settings, its target.
pub(super) fn compatibility(engine: &Engine) -> [u8; 32] {
    struct Bytes(Sha256);
    impl Hasher for Bytes {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            0
        }
    }
    let mut bytes = Bytes(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut bytes);
    bytes.0.finalize().into()
}

/// What decides how code is compiled: the same in the server and in the process that compiles for it.
fn base_config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.concurrency_support(false);
    config.memory_init_cow(true);
    // One thread: what compiling costs is bounded for a process, and other work goes on beside it.
    config.parallel_compilation(false);
    // A trap names file and line of a component that was built with them, whatever the environment says.
    config.wasm_backtrace_details(WasmBacktraceDetails::Enable);
    config
}

fn pool(threads: usize, limits: &RunLimits) -> PoolingAllocationConfig {
    // Instances live on plugin threads only, one on each at a time; more slots keep what ran lately warm.
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    let threads = number(threads);
    let [instances, memories, tables] = [limits.instances, limits.memories, limits.tables].map(number);
    let slots = threads.saturating_mul(2).max(16);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(threads.saturating_mul(instances).max(slots))
        .total_memories(threads.saturating_mul(memories).max(slots))
        .total_tables(threads.saturating_mul(tables).max(slots))
        .max_core_instances_per_component(instances)
        .max_memories_per_component(memories)
        .max_tables_per_component(tables)
        .table_elements(limits.table_elements)
        .max_memory_size(SLOT_MEMORY_BYTES)
        .max_unused_warm_slots(slots)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(64 * 1024)
        .pagemap_scan(Enabled::Auto);
    pool
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PluginConfig;

    #[test]
    fn the_process_that_compiles_makes_code_for_the_engine_that_runs_it() {
        let running = PluginEngine::start(2, &RunLimits::from(&PluginConfig::default())).unwrap();
        assert_eq!(compatibility(running.engine()), compatibility(&compiling().unwrap()));
        let mut other = base_config();
        other.epoch_interruption(false);
        assert_ne!(compatibility(running.engine()), compatibility(&Engine::new(&other).unwrap()));
    }
}
