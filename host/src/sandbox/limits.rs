//! Limits of one run, enforced while it runs.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use wasmtime::ResourceLimiter;

use super::failure::Reached;
use crate::config::PluginConfig;
use crate::domain::plugin_limits::PluginLimits;
use crate::domain::rules::RequestLimits;
use crate::domain::verdict::VerdictLimits;

/// What one run may use.
#[derive(Debug, Clone, Copy)]
pub struct RunLimits {
    /// CPU time, the making of the instance included.
    pub cpu: Duration,
    /// Time, however little of a processor there was.
    pub wall: Duration,
    /// Memory over all memories, in bytes.
    pub memory_bytes: usize,
    /// Elements over all tables.
    pub table_elements: usize,
    /// Memories.
    pub memories: usize,
    /// Tables.
    pub tables: usize,
    /// Instances of modules.
    pub instances: usize,
    /// Handles to resources.
    pub handles: usize,
    /// Stack in bytes: the same for all, since it is the engine's.
    pub stack_bytes: usize,
    /// The result in bytes.
    pub result_bytes: usize,
    /// Log lines.
    pub log_lines: usize,
    /// Bytes of one log line.
    pub log_line_bytes: usize,
    /// Bytes of the log.
    pub log_bytes: usize,
    /// What its requests may hold.
    pub requests: RequestLimits,
    /// Calls of `memory.recall`.
    pub recalls: usize,
    /// What a verdict may hold.
    pub verdict: VerdictLimits,
}

impl From<&PluginConfig> for RunLimits {
    fn from(config: &PluginConfig) -> Self {
        let cpu = Duration::from_millis(config.cpu_ms);
        Self {
            cpu,
            wall: cpu * config.wall_times_cpu,
            memory_bytes: config.memory_bytes,
            table_elements: config.table_elements,
            memories: config.memories,
            tables: config.tables,
            instances: config.instances,
            handles: config.handles,
            stack_bytes: config.stack_bytes,
            result_bytes: config.result_bytes,
            log_lines: config.log_lines,
            log_line_bytes: config.log_line_bytes,
            log_bytes: config.log_bytes,
            requests: config.requests,
            recalls: config.recalls,
            verdict: config.verdict,
        }
    }
}

impl RunLimits {
    /// Those that a webhook can lower, as people see them.
    pub fn shown(&self) -> PluginLimits {
        let number = |value: usize| Some(value as u64);
        PluginLimits {
            cpu_ms: Some(millis(self.cpu)),
            memory_bytes: number(self.memory_bytes),
            table_elements: number(self.table_elements),
            result_bytes: number(self.result_bytes),
            requests: number(self.requests.requests),
            log_lines: number(self.log_lines),
            log_line_bytes: number(self.log_line_bytes),
            log_bytes: number(self.log_bytes),
        }
    }

    /// The same with a webhook's own where they are lower.
    #[must_use]
    pub fn lowered(&self, own: &PluginLimits) -> Self {
        let shown = self.shown().lowered(own);
        let lower = |value: Option<u64>, limit: usize| {
            value.and_then(|value| usize::try_from(value).ok()).unwrap_or(limit).min(limit)
        };
        let cpu = shown.cpu_ms.map_or(self.cpu, Duration::from_millis).min(self.cpu);
        let times = self.wall.as_nanos().checked_div(self.cpu.as_nanos()).unwrap_or(1);
        Self {
            cpu,
            wall: (cpu * u32::try_from(times).unwrap_or(u32::MAX)).min(self.wall),
            memory_bytes: lower(shown.memory_bytes, self.memory_bytes),
            table_elements: lower(shown.table_elements, self.table_elements),
            result_bytes: lower(shown.result_bytes, self.result_bytes),
            log_lines: lower(shown.log_lines, self.log_lines),
            log_line_bytes: lower(shown.log_line_bytes, self.log_line_bytes),
            log_bytes: lower(shown.log_bytes, self.log_bytes),
            requests: RequestLimits { requests: lower(shown.requests, self.requests.requests), ..self.requests },
            ..*self
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
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
    wall_limit: Duration,
    cpu_start: Duration,
    wall_start: Instant,
}

impl Budget {
    pub(super) fn start(limits: &RunLimits) -> Self {
        let RunLimits { cpu, wall, .. } = *limits;
        Self { cpu_limit: cpu, wall_limit: wall, cpu_start: thread_cpu(), wall_start: Instant::now() }
    }

    pub(super) fn cpu_used(&self) -> Duration {
        thread_cpu().saturating_sub(self.cpu_start)
    }

    /// Leaves time out that was spent on something else than the run.
    pub(super) fn pause(&mut self, elapsed: Duration) {
        self.wall_start += elapsed;
    }

    /// Whether the run may go on; asked at every tick.
    pub(super) fn check(&self) -> Result<(), Reached> {
        let cpu = self.cpu_used();
        if cpu >= self.cpu_limit {
            return Err(Reached::CpuMs { used: millis(cpu), allowed: millis(self.cpu_limit) });
        }
        let (wall, wall_limit) = (self.wall_start.elapsed(), self.wall_limit);
        if wall >= wall_limit {
            return Err(Reached::WallMs { used: millis(wall), allowed: millis(wall_limit) });
        }
        Ok(())
    }
}

/// Counts memory and tables over a whole component, which may have several of each.
#[derive(Debug)]
pub(super) struct Usage {
    limits: RunLimits,
    memory: usize,
    table: usize,
}

impl Usage {
    pub(super) fn new(limits: &RunLimits) -> Self {
        Self { limits: *limits, memory: 0, table: 0 }
    }

    /// Memory never shrinks, so this is also the most there was.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.memory as u64
    }
}

impl ResourceLimiter for Usage {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.memory.saturating_add(desired.saturating_sub(current));
        if wanted > self.limits.memory_bytes {
            let reached = Reached::MemoryBytes { used: wanted as u64, allowed: self.limits.memory_bytes as u64 };
            return Err(wasmtime::Error::new(reached));
        }
        // Its own declaration says less: that is no more than a refusal.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.memory = wanted;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.table.saturating_add(desired.saturating_sub(current));
        if wanted > self.limits.table_elements {
            let reached = Reached::TableElements { used: wanted as u64, allowed: self.limits.table_elements as u64 };
            return Err(wasmtime::Error::new(reached));
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.table = wanted;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.limits.instances
    }

    fn tables(&self) -> usize {
        self.limits.tables
    }

    fn memories(&self) -> usize {
        self.limits.memories
    }
}
