//! Compiles components in a child process: a few kilobytes of WebAssembly can cost a minute of compiling or gigabytes of
//! memory, and the compiler ends its process when memory runs out.

mod child;
mod turns;

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

pub use child::{ChildLimits, compile_child};
pub use turns::Turn;
use turns::Turns;

use super::code::Code;
use crate::config::PluginConfig;
use crate::domain::id::ProjectId;
use crate::domain::plugin::PluginFailure;

/// The hidden subcommand that compiles.
pub const SUBCOMMAND: &str = "compile-plugin";
/// Exit code: the component cannot be compiled, and stdout says why.
const REFUSED: u8 = 3;
/// Exit code: the code is too large, and stdout says how large.
const TOO_LARGE: u8 = 4;
/// How much of what the child complains about is kept.
const STDERR_BYTES: u64 = 4096;

/// Why there is no compiled code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// It would be no better another time.
    #[error(transparent)]
    Refused(#[from] PluginFailure),
    /// It could not be tried.
    #[error("the component cannot be compiled now: {0}")]
    Unavailable(String),
}

/// Starts the processes that compile, a few at a time.
#[derive(Debug)]
pub struct Compiler {
    program: PathBuf,
    limits: ChildLimits,
    wall: Duration,
    turns: Turns,
}

impl Compiler {
    /// A compiler that runs this very program as its child, also when its file was replaced meanwhile.
    pub fn this_program(config: &PluginConfig) -> std::io::Result<Self> {
        let running = PathBuf::from("/proc/self/exe");
        let program = if running.exists() { running } else { std::env::current_exe()? };
        Ok(Self::new(program, config))
    }

    /// A compiler that runs `program` as its child, which must be this server's binary.
    pub fn new(program: PathBuf, config: &PluginConfig) -> Self {
        let limits = ChildLimits {
            cpu_s: config.compile_cpu_s,
            memory_bytes: config.compile_memory_bytes,
            output_bytes: config.compile_output_bytes,
        };
        let wall = Duration::from_millis(config.compile_wall_ms);
        Self { program, limits, wall, turns: Turns::new(config.compiles_at_once) }
    }

    /// Waits until a component of this project may be compiled.
    pub async fn turn(&self, project: ProjectId) -> Turn {
        self.turns.wait(project).await
    }

    /// Compiles, in the turn that was waited for.
    pub(super) async fn compile(&self, _turn: &Turn, component: Vec<u8>) -> Result<Code, CompileError> {
        let unavailable = |error: std::io::Error| CompileError::Unavailable(error.to_string());
        let mut child = Command::new(&self.program)
            .arg(SUBCOMMAND)
            .args(["--cpu-s", &self.limits.cpu_s.to_string()])
            .args(["--memory-bytes", &self.limits.memory_bytes.to_string()])
            .args(["--output-bytes", &self.limits.output_bytes.to_string()])
            .env_clear()
            // Not a setting: the allocator would reserve a gigabyte of what the process may have.
            .env("MIMALLOC_ARENA_RESERVE", "0")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(unavailable)?;
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let write = async move {
            // A child that ends early reads no further; how it ended says why.
            let _ = stdin.write_all(&component).await;
            // The code need not find room beside it.
            drop(component);
        };
        let talk = async {
            let ((), output, complaints) = tokio::join!(
                write,
                read_answer(stdout.expect("stdout is piped"), self.limits.output_bytes),
                read(stderr.expect("stderr is piped"), STDERR_BYTES),
            );
            (output, complaints, child.wait().await)
        };
        let Ok((output, complaints, status)) = tokio::time::timeout(self.wall, talk).await else {
            let wall_ms = u64::try_from(self.wall.as_millis()).unwrap_or(u64::MAX);
            // It is killed as it is dropped.
            return Err(reached("compile_wall_ms", "took longer than", "ms", wall_ms, wall_ms).into());
        };
        let output = output.map_err(unavailable)?;
        let complaints = String::from_utf8_lossy(&complaints.unwrap_or_default()).into_owned();
        self.judge(status.map_err(unavailable)?, output, &complaints).map(Code::of_compiler)
    }

    fn judge(&self, status: ExitStatus, output: Vec<u8>, complaints: &str) -> Result<Vec<u8>, CompileError> {
        let limits = &self.limits;
        let text = || String::from_utf8_lossy(&output).into_owned();
        let refused = match (status.code(), status.signal().and_then(Signal::from_named_raw)) {
            (Some(0), _) => return Ok(output),
            (Some(code), _) if code == i32::from(REFUSED) => PluginFailure::new("plugin.incompatible", text()),
            (Some(code), _) if code == i32::from(TOO_LARGE) => {
                let used = text().parse().unwrap_or(limits.output_bytes + 1);
                reached("compile_output_bytes", "gives", "bytes of code", used, limits.output_bytes)
            }
            (None, Some(Signal::XCPU)) => reached("compile_cpu_s", "took", "s of CPU time", limits.cpu_s, limits.cpu_s),
            _ if is_out_of_memory(complaints) => {
                let most = limits.memory_bytes;
                reached("compile_memory_bytes", "took more memory than", "bytes", most, most)
            }
            // Not by us: by somebody else, or by a system without memory.
            (None, Some(Signal::KILL)) => {
                return Err(CompileError::Unavailable("the process that compiles was killed".to_owned()));
            }
            _ => {
                tracing::warn!(%status, complaints, "the process that compiles failed");
                PluginFailure::new("plugin.incompatible", format!("the compiler fails on this component ({status})"))
            }
        };
        Err(refused.into())
    }
}

/// What the allocator says before it gives up.
fn is_out_of_memory(complaints: &str) -> bool {
    complaints.contains("memory allocation of") || complaints.contains("out of memory")
}

fn reached(limit: &str, verb: &str, unit: &str, used: u64, allowed: u64) -> PluginFailure {
    let message = if used > allowed {
        format!("compiling the component {verb} {used} {unit}; allowed are {allowed}")
    } else {
        format!("compiling the component {verb} {allowed} {unit}, which is all that is allowed")
    };
    PluginFailure::limit("plugin.compile_limit", message, limit, used, allowed)
}

/// The child's answer behind its length; what there is of it when the child ended early.
async fn read_answer(mut pipe: impl AsyncRead + Unpin, most: u64) -> std::io::Result<Vec<u8>> {
    let length = match pipe.read_u64_le().await {
        Ok(length) => length.min(most),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    pipe.take(length).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

async fn read(pipe: impl AsyncRead + Unpin, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    pipe.take(most).read_to_end(&mut bytes).await?;
    Ok(bytes)
}
