//! What plugins cost, measured by a program of its own: it holds the engine, which no other program here needs.

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Failure, setting::Setting};
use crate::example;

/// How many plugins run once each for the memory that they take.
const MANY: u64 = 1_000;

/// What plugins cost.
#[derive(Debug, Serialize)]
pub(super) struct Plugins {
    #[serde(flatten)]
    speed: Speed,
    #[serde(flatten)]
    memory: Memory,
}

/// One event of 1 KiB made into a Slack message.
#[derive(Debug, Serialize, Deserialize)]
struct Speed {
    sandbox_us: f64,
    native_us: f64,
    quickjs_us: f64,
    sandbox_to_native: f64,
    quickjs_to_sandbox: f64,
    two_threads_to_one: f64,
    native_two_threads_to_one: f64,
}

/// Resident memory of a process that does nothing else.
#[derive(Debug, Serialize, Deserialize)]
struct Memory {
    plugins: u64,
    before_bytes: u64,
    peak_bytes: u64,
}

impl Plugins {
    pub(super) async fn measure(repeat: usize, setting: &Setting) -> Result<Self, Failure> {
        let speed = figures(setting, &["speed", "--repeat", &repeat.to_string()]).await?;
        let memory = figures(setting, &["memory", "--count", &MANY.to_string()]).await?;
        Ok(Self { speed, memory })
    }
}

async fn figures<T: DeserializeOwned>(setting: &Setting, what: &[&str]) -> Result<T, Failure> {
    let folder = setting.programs.working_folder("plugins")?;
    let mut command = setting.programs.command("hw-plugins", folder.path())?;
    command.arg("--program").arg(setting.programs.path("hookwright")).arg("--plugins").arg(example::folder());
    let output = command.args(what).output().await?;
    if !output.status.success() {
        return Err(format!("hw-plugins: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

impl fmt::Display for Plugins {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { speed, memory } = self;
        writeln!(formatter, "slack, one event of 1 KiB: fresh sandbox {:.1} us", speed.sandbox_us)?;
        writeln!(
            formatter,
            "  natively {:.1} us: the sandbox takes {:.2} times that",
            speed.native_us, speed.sandbox_to_native
        )?;
        writeln!(
            formatter,
            "  in a fresh QuickJS {:.1} us: {:.1} times what the sandbox takes",
            speed.quickjs_us, speed.quickjs_to_sandbox
        )?;
        writeln!(
            formatter,
            "  two threads do {:.2} times what one does; natively it is {:.2} times",
            speed.two_threads_to_one, speed.native_two_threads_to_one
        )?;
        let mb = |bytes: u64| bytes / 1_000_000;
        let (before, peak) = (mb(memory.before_bytes), mb(memory.peak_bytes));
        writeln!(formatter, "{} plugins, each run once: {peak} MB at most, {before} MB before", memory.plugins)
    }
}
