//! A program as a child process, and what the kernel counts for it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use super::Failure;

const START: Duration = Duration::from_secs(30);
/// /proc counts CPU time in hundredths of a second, whatever the kernel's own tick is.
const MS_PER_TICK: u64 = 10;
const BYTES_PER_KB: u64 = 1024;

/// The programs next to this one.
#[derive(Debug)]
pub(super) struct Programs {
    folder: PathBuf,
}

/// A running program that listens. Killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    url: String,
    pid: u32,
    child: Child,
}

/// What a process has used since its start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    pub(super) cpu: Duration,
    /// The most memory that it held at once.
    pub(super) peak_bytes: u64,
}

impl Programs {
    pub(super) fn find() -> Result<Self, Failure> {
        let this = std::env::current_exe()?;
        Ok(Self { folder: this.parent().ok_or("this program is in a folder")?.to_owned() })
    }

    /// Where cargo puts what it builds.
    pub(super) fn target(&self) -> &Path {
        self.folder.parent().unwrap_or(&self.folder)
    }

    /// A command without the settings of the person who runs it.
    pub(super) fn command(&self, name: &str, working_folder: &Path) -> Result<Command, Failure> {
        let program = self.folder.join(name);
        if !program.exists() {
            return Err(format!("{} is missing; `make bench` builds it", program.display()).into());
        }
        let mut command = Command::new(program);
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("HOOKWRIGHT_") {
                command.env_remove(variable);
            }
        }
        command.env_remove("RUST_LOG").current_dir(working_folder).stdin(Stdio::null()).kill_on_drop(true);
        Ok(command)
    }
}

impl Process {
    /// Starts a program and waits until it says where it listens; stderr goes to a file.
    pub(super) async fn start(mut command: Command, log: &Path) -> Result<Self, Failure> {
        let mut child = command.stdout(Stdio::piped()).stderr(File::create(log)?).spawn()?;
        let pid = child.id().ok_or("the process has ended")?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("stdout is piped")?).lines();
        let line = timeout(START, lines.next_line()).await??.unwrap_or_default();
        let Some(url) = line.strip_prefix("listening on ") else {
            return Err(format!("it does not listen: {}", fs::read_to_string(log)?).into());
        };
        // A full pipe would stop the program.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { url: url.to_owned(), pid, child })
    }

    /// `http://127.0.0.1:PORT`.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn usage(&self) -> Result<Usage, Failure> {
        let read = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", self.pid));
        let (stat, status) = (read("stat")?, read("status")?);
        // Counted from behind the name, which may hold anything: user and system time are the 12th and 13th field.
        let fields = stat.rsplit_once(") ").ok_or("an odd stat")?.1;
        let ticks: u64 = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("an odd status")?;
        let peak_kb: u64 = peak.trim().trim_end_matches(" kB").parse()?;
        Ok(Usage { cpu: Duration::from_millis(ticks * MS_PER_TICK), peak_bytes: peak_kb * BYTES_PER_KB })
    }

    /// Ends it as a crash would: the next row starts fresh.
    pub(super) async fn end(mut self) -> Result<(), Failure> {
        Ok(self.child.kill().await?)
    }
}
