//! The one engine, and the one ticker that lets running plugins be looked at.

use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::failure::RunFailure;

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
    pub(super) fn start(threads: usize) -> Result<Self, RunFailure> {
        let unusable =
            |error: &wasmtime::Error| RunFailure::new("host.engine", format!("the engine does not start: {error:#}"));
        let mut config = base_config();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(threads)));
        let engine = Engine::new(&config).or_else(|error| {
            // A container with little address space has no room for the pool's reservations.
            tracing::warn!(error = %format!("{error:#}"), "no room for pooled plugin memory; plugins run slower");
            Engine::new(&base_config())
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
        ticker.map_err(|error| RunFailure::new("host.engine", format!("the ticker does not start: {error}")))?;
        Ok(Self { engine: EngineHandle(engine) })
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine.0
    }
}

fn base_config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.concurrency_support(false);
    config.memory_init_cow(true);
    config
}

fn pool(threads: usize) -> PoolingAllocationConfig {
    let slots = u32::try_from((2 * threads).max(16)).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(4))
        .total_memories(slots)
        .total_tables(slots.saturating_mul(2))
        .max_memories_per_component(8)
        .max_tables_per_component(16)
        .table_elements(20_000)
        .max_memory_size(SLOT_MEMORY_BYTES)
        .max_unused_warm_slots(slots)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(64 * 1024)
        .pagemap_scan(Enabled::Auto);
    pool
}
