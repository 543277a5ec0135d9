//! Limits of one run, enforced while it runs.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use wasmtime::ResourceLimiter;

use super::failure::Reached;
use crate::config::PluginConfig;

/// A run that gets no processor is stopped after this many times its CPU limit.
const WALL_TIMES_CPU: u32 = 10;
/// Instances, memories and tables of one component.
const PARTS_MAX: usize = 64;
/// Handles that a component may hold.
pub(super) const HANDLES_MAX: usize = 1000;

/// What one run may use.
#[derive(Debug, Clone, Copy)]
pub struct RunLimits {
    /// CPU time, the making of the instance included.
    pub cpu: Duration,
    /// Memory over all memories, in bytes.
    pub memory_bytes: usize,
    /// Elements over all tables.
    pub table_elements: usize,
    /// The result in bytes.
    pub result_bytes: usize,
    /// Log lines.
    pub log_lines: usize,
    /// Bytes of one log line.
    pub log_line_bytes: usize,
    /// Bytes of the log.
    pub log_bytes: usize,
}

impl From<&PluginConfig> for RunLimits {
    fn from(config: &PluginConfig) -> Self {
        Self {
            cpu: Duration::from_millis(config.cpu_ms),
            memory_bytes: config.memory_bytes,
            table_elements: config.table_elements,
            result_bytes: config.result_bytes,
            log_lines: config.log_lines,
            log_line_bytes: config.log_line_bytes,
            log_bytes: config.log_bytes,
        }
    }
}

/// CPU time of this thread.
pub(super) fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Measures one run on the thread it runs on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    cpu_limit: Duration,
    cpu_start: Duration,
    wall_start: Instant,
}

impl Budget {
    pub(super) fn start(cpu_limit: Duration) -> Self {
        Self { cpu_limit, cpu_start: thread_cpu(), wall_start: Instant::now() }
    }

    pub(super) fn cpu_used(&self) -> Duration {
        thread_cpu().saturating_sub(self.cpu_start)
    }

    /// Whether the run may go on; asked at every tick.
    pub(super) fn check(&self) -> Result<(), Reached> {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let cpu = self.cpu_used();
        if cpu >= self.cpu_limit {
            return Err(Reached::CpuMs { used: millis(cpu), allowed: millis(self.cpu_limit) });
        }
        let (wall, wall_limit) = (self.wall_start.elapsed(), self.cpu_limit * WALL_TIMES_CPU);
        if wall >= wall_limit {
            return Err(Reached::WallMs { used: millis(wall), allowed: millis(wall_limit) });
        }
        Ok(())
    }
}

/// Counts memory and tables over a whole component, which may have several of each.
#[derive(Debug)]
pub(super) struct Usage {
    memory_limit: usize,
    table_limit: usize,
    memory: usize,
    table: usize,
}

impl Usage {
    pub(super) fn new(limits: &RunLimits) -> Self {
        Self { memory_limit: limits.memory_bytes, table_limit: limits.table_elements, memory: 0, table: 0 }
    }

    /// Memory never shrinks, so this is also the most there was.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.memory as u64
    }
}

impl ResourceLimiter for Usage {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let wanted = self.memory.saturating_add(desired.saturating_sub(current));
        if wanted > self.memory_limit {
            let reached = Reached::MemoryBytes { used: wanted as u64, allowed: self.memory_limit as u64 };
            return Err(wasmtime::Error::new(reached));
        }
        self.memory = wanted;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let wanted = self.table.saturating_add(desired.saturating_sub(current));
        if wanted > self.table_limit {
            let reached = Reached::TableElements { used: wanted as u64, allowed: self.table_limit as u64 };
            return Err(wasmtime::Error::new(reached));
        }
        self.table = wanted;
        Ok(true)
    }

    fn instances(&self) -> usize {
        PARTS_MAX
    }

    fn tables(&self) -> usize {
        PARTS_MAX
    }

    fn memories(&self) -> usize {
        PARTS_MAX
    }
}
