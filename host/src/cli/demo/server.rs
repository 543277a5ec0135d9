//! The server as a child process, exactly as `hookwright serve` runs it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{Instant, timeout, timeout_at};

use super::Failure;

const LOG_LINES_SHOWN: usize = 15;

pub(super) struct Server {
    child: Child,
    pub(super) url: String,
    pub(super) token: String,
    pub(super) token_file: PathBuf,
    log: PathBuf,
}

impl Server {
    pub(super) async fn start(folder: &Path, deadline: Instant) -> Result<Self, Failure> {
        let log = folder.join("server.log");
        let token_file = folder.join("admin-token");
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("serve")
            .args(["--listen", "127.0.0.1:0", "--allow-network", "127.0.0.0/8"])
            .arg("--database")
            .arg(format!("sqlite:{}", folder.join("hookwright.db").display()))
            .arg("--key-file")
            .arg(folder.join("hookwright.keys"))
            .arg("--admin-token-file")
            .arg(&token_file)
            // A hookwright.toml or settings of the caller's are meant for another server.
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log)?)
            .kill_on_drop(true);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HOOKWRIGHT_") {
                command.env_remove(name);
            }
        }
        let mut child = command.spawn()?;
        let stdout = BufReader::new(child.stdout.take().expect("stdout was asked for"));
        match timeout_at(deadline, listening_url(stdout)).await {
            Ok(Ok(url)) => {
                let token = std::fs::read_to_string(&token_file)?.trim().to_owned();
                Ok(Self { child, url, token, token_file, log })
            }
            failed => {
                print_tail(&log);
                Err(match failed {
                    Ok(Err(why)) => why,
                    _ => "the server did not say in time where it listens".into(),
                })
            }
        }
    }

    /// What the server logged last: shown when the demo did not go well.
    pub(super) fn print_log_tail(&self) {
        print_tail(&self.log);
    }

    /// Asks first, so that the server finishes what it is doing.
    pub(super) async fn stop(mut self) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid
            && rustix::process::kill_process(pid, rustix::process::Signal::TERM).is_ok()
            && timeout(Duration::from_secs(5), self.child.wait()).await.is_ok()
        {
            return;
        }
        // Already gone, or deaf.
        let _ = self.child.kill().await;
    }
}

async fn listening_url(mut stdout: BufReader<ChildStdout>) -> Result<String, Failure> {
    let mut line = String::new();
    stdout.read_line(&mut line).await?;
    let url = line
        .trim()
        .strip_prefix("listening on ")
        .ok_or("the server ended, or said something else than where it listens")?
        .to_owned();
    // Read on, or a full pipe would stop the server.
    tokio::spawn(async move { tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await });
    Ok(url)
}

fn print_tail(log: &Path) {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    if !lines.is_empty() {
        eprintln!("\nWhat the server logged last:");
        for line in &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..] {
            eprintln!("  {line}");
        }
    }
}
