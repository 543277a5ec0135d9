//! What /proc tells of processes and of the machine.

use std::{fs, time::Duration};

use super::Failure;

/// /proc counts CPU time in hundredths of a second, whatever the kernel's own tick is.
const MS_PER_TICK: u64 = 10;
const BYTES_PER_KB: u64 = 1024;

/// What something has used since its start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    pub(super) cpu: Duration,
    /// The most memory that it held at once.
    pub(super) peak_bytes: u64,
}

impl Usage {
    /// What was used since; memory as it is now.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self { cpu: self.cpu.saturating_sub(earlier.cpu), ..self }
    }
}

/// Of one process.
pub(super) fn usage(pid: u32) -> Result<Usage, Failure> {
    let status = Status::read(pid)?;
    Ok(Usage { cpu: stat(pid)?.own, peak_bytes: status.bytes("VmHWM:")? })
}

/// What a process holds in memory now.
pub(super) fn resident_bytes(pid: u32) -> Result<u64, Failure> {
    Status::read(pid)?.bytes("VmRSS:")
}

/// Of a process and its children, also of those that have ended; memory as it is now. What processes share is counted
/// once.
pub(super) fn family_usage(parent: u32) -> Result<Usage, Failure> {
    let head = stat(parent)?;
    let mut cpu = head.own + head.ended_children;
    let mut memory = Memory::of(parent)?;
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may end between two looks.
        let Ok(child) = stat(pid) else { continue };
        if child.parent == parent {
            cpu += child.own;
            memory = memory.beside(Memory::of(pid).unwrap_or_default());
        }
    }
    Ok(Usage { cpu, peak_bytes: memory.own + memory.shared + memory.files })
}

/// CPU time that all processes together have used; without interrupts, which the kernel counts for nobody.
pub(super) fn machine_cpu() -> Result<Duration, Failure> {
    let text = fs::read_to_string("/proc/stat")?;
    let first = text.lines().next().and_then(|line| line.strip_prefix("cpu ")).ok_or("an odd /proc/stat")?;
    // User, nice, system.
    Ok(ticks(first.split_ascii_whitespace().take(3)))
}

struct Stat {
    parent: u32,
    own: Duration,
    ended_children: Duration,
}

fn stat(pid: u32) -> Result<Stat, Failure> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // Counted from behind the name, which may hold anything.
    let fields: Vec<&str> = text.rsplit_once(") ").ok_or("an odd stat")?.1.split(' ').collect();
    let [_, parent, _, _, _, _, _, _, _, _, _, user, system, user_ended, system_ended, ..] = fields[..] else {
        return Err("a short stat".into());
    };
    Ok(Stat {
        parent: parent.parse()?,
        own: ticks([user, system].into_iter()),
        ended_children: ticks([user_ended, system_ended].into_iter()),
    })
}

fn ticks<'a>(fields: impl Iterator<Item = &'a str>) -> Duration {
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * MS_PER_TICK)
}

struct Status(String);

impl Status {
    fn read(pid: u32) -> Result<Self, Failure> {
        Ok(Self(fs::read_to_string(format!("/proc/{pid}/status"))?))
    }

    fn bytes(&self, name: &str) -> Result<u64, Failure> {
        let line = self.0.lines().find_map(|line| line.strip_prefix(name)).ok_or("an odd status")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * BYTES_PER_KB)
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Memory {
    own: u64,
    shared: u64,
    files: u64,
}

impl Memory {
    fn of(pid: u32) -> Result<Self, Failure> {
        let status = Status::read(pid)?;
        Ok(Self {
            own: status.bytes("RssAnon:")?,
            shared: status.bytes("RssShmem:")?,
            files: status.bytes("RssFile:")?,
        })
    }

    /// Own memory adds up; of what is shared, the process that has touched most of it tells how much there is.
    fn beside(self, other: Self) -> Self {
        Self { own: self.own + other.own, shared: self.shared.max(other.shared), files: self.files.max(other.files) }
    }
}
