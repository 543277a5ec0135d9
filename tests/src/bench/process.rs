//! A program as a child process, and what the kernel counts for it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use super::{
    Failure,
    usage::{Usage, resident_bytes, usage},
};

const START: Duration = Duration::from_secs(30);
const END: Duration = Duration::from_mins(1);

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

impl Programs {
    pub(super) fn find() -> Result<Self, Failure> {
        let this = std::env::current_exe()?;
        Ok(Self { folder: this.parent().ok_or("this program is in a folder")?.to_owned() })
    }

    /// Where cargo puts what it builds.
    pub(super) fn target(&self) -> &Path {
        self.folder.parent().unwrap_or(&self.folder)
    }

    /// A folder for one server. Below the build folder, because the system's folder for temporary files may be in memory.
    pub(super) fn working_folder(&self, prefix: &str) -> Result<TempDir, Failure> {
        let parent = self.target().join("bench");
        fs::create_dir_all(&parent)?;
        Ok(tempfile::Builder::new().prefix(prefix).tempdir_in(parent)?)
    }

    /// Where this one is.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A command without the settings of the person who runs it.
    pub(super) fn command(&self, name: &str, working_folder: &Path) -> Result<Command, Failure> {
        let program = self.path(name);
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
        usage(self.pid)
    }

    /// The memory that it holds now.
    pub(super) fn resident_bytes(&self) -> Result<u64, Failure> {
        resident_bytes(self.pid)
    }

    /// Asks it to end, and waits until it has.
    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).ok_or("an odd process id")?;
        kill_process(pid, Signal::TERM)?;
        let status = timeout(END, self.child.wait()).await??;
        if status.success() { Ok(()) } else { Err(format!("it ended with {status}").into()) }
    }

    /// Ends it as a crash would: the next row starts fresh.
    pub(super) async fn end(mut self) -> Result<(), Failure> {
        Ok(self.child.kill().await?)
    }
}
