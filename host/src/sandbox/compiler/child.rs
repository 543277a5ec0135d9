//! What the child process does that compiles one component: it confines itself, reads, compiles, writes, ends.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};

use super::{REFUSED, TOO_LARGE};
use crate::sandbox::engine;

/// What compiling may use.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct ChildLimits {
    /// CPU time in seconds
    #[arg(long)]
    pub cpu_s: u64,
    /// Address space in bytes
    #[arg(long)]
    pub memory_bytes: u64,
    /// Compiled code in bytes
    #[arg(long)]
    pub output_bytes: u64,
}

/// The niceness of compiling: whatever the server does comes first.
const NICENESS: i32 = 10;
/// How much is said of a refusal.
const MESSAGE_CHARS: usize = 2000;

/// Compiles what stands on stdin to stdout. To be called before the process has done anything else.
pub fn compile_child(limits: ChildLimits) -> ExitCode {
    if let Err(error) = confine(limits) {
        eprintln!("the process that compiles cannot be confined: {error}");
        return ExitCode::FAILURE;
    }
    let mut component = Vec::new();
    if let Err(error) = std::io::stdin().lock().read_to_end(&mut component) {
        eprintln!("the component cannot be read: {error}");
        return ExitCode::FAILURE;
    }
    let compiled = engine::compiling().and_then(|engine| engine.precompile_component(&component));
    let (answer, code) = match compiled {
        Ok(code) if code.len() as u64 > limits.output_bytes => (code.len().to_string().into_bytes(), TOO_LARGE),
        Ok(code) => (code, 0),
        Err(error) => (format!("{error:#}").chars().take(MESSAGE_CHARS).collect::<String>().into_bytes(), REFUSED),
    };
    // Its length first: whoever reads it need not guess how much room it takes.
    let mut stdout = std::io::stdout().lock();
    let length = (answer.len() as u64).to_le_bytes();
    match stdout.write_all(&length).and_then(|()| stdout.write_all(&answer)) {
        Ok(()) => ExitCode::from(code),
        Err(_) => ExitCode::FAILURE,
    }
}

/// Gives up whatever compiling does not need. Nothing of it can be taken back.
fn confine(limits: ChildLimits) -> std::io::Result<()> {
    let at_most = |resource, limit: u64, hard: u64| {
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(hard) }).map_err(std::io::Error::from)
    };
    // Should memory run out on the machine, this process is the one to go. Not every system has the file.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    // The server's end is the end of this, and a lower priority is a wish.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let _ = nice(NICENESS);
    close_inherited()?;
    at_most(Resource::Core, 0, 0)?;
    at_most(Resource::Fsize, 0, 0)?;
    at_most(Resource::Nproc, 0, 0)?;
    at_most(Resource::As, limits.memory_bytes, limits.memory_bytes)?;
    // The soft limit ends the process by a signal that says why.
    at_most(Resource::Cpu, limits.cpu_s, limits.cpu_s + 1)?;
    // Stdin, stdout and stderr stay open; nothing else can be opened, no file and no socket.
    at_most(Resource::Nofile, 3, 3)
}

/// Closes what whoever started the server had left open for its children. What the server opens is not inherited.
#[expect(unsafe_code, reason = "a descriptor that nobody owns can be closed by its number only")]
fn close_inherited() -> std::io::Result<()> {
    let is_open = |number: i32| std::fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_ok();
    let numbers: Vec<i32> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number > 2)
        .collect();
    // The listing used one itself, which is closed by now.
    for number in numbers.into_iter().filter(|number| is_open(*number)) {
        // SAFETY: this process has one thread and has nothing open itself, so nobody owns what is closed here.
        unsafe { rustix::io::close(number) };
    }
    Ok(())
}
