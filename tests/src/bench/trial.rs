//! One row with processes of its own: receiver, subject, and a load generator for each phase.

use std::{
    collections::HashSet,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use reqwest::Client;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::{
    Failure,
    load::Outcome,
    process::{Process, Programs},
    row::{Row, Store},
    sink::Stats,
    subject::{BACKLOG_PATH, EARLIER, EARLIER_PATHS, MEASURED, Subject, log},
};

/// How often the receiver is asked whether all has come.
const PAUSE: Duration = Duration::from_millis(20);
/// When nothing has come for so long, nothing will.
const STALL: Duration = Duration::from_secs(30);
const DRAIN: Duration = Duration::from_mins(30);
const LOAD: Duration = Duration::from_mins(30);
/// Enough connections that a paced POST need not wait for a free one.
const PACED_PUBLISHERS: u64 = 256;
const PRELOAD_PUBLISHERS: u64 = 64;
const LOG_LINES: usize = 20;

#[derive(Debug)]
pub(super) struct Trial<'a> {
    pub(super) row: &'a Row,
    programs: &'a Programs,
    folder: TempDir,
    client: Client,
    sink: Process,
    pub(super) subject: Subject,
    /// Number of the next event.
    next: u64,
}

/// How fast publishers go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pace {
    /// As fast as they are answered, for some seconds.
    Full(f64),
    /// So many POSTs a second, for some seconds.
    Steady(u64, f64),
    /// As fast as they are answered, so many events.
    Count(u64),
}

/// What one phase gave.
#[derive(Debug)]
pub(super) struct Phase {
    pub(super) load: Outcome,
    pub(super) received: Stats,
    pub(super) lost: u64,
}

impl<'a> Trial<'a> {
    pub(super) async fn start(row: &'a Row, programs: &'a Programs) -> Result<Self, Failure> {
        // Below the build folder, because the system's folder for temporary files may be in memory.
        let parent = programs.target().join("bench");
        std::fs::create_dir_all(&parent)?;
        let folder = tempfile::Builder::new().prefix("row-").tempdir_in(parent)?;
        let mut command = programs.command("hw-sink", folder.path())?;
        command.args(["--hang", BACKLOG_PATH]);
        for path in row.paths().take(usize::try_from(row.hanging)?) {
            command.args(["--hang", &path]);
        }
        let sink = Process::start(command, &folder.path().join("sink.log")).await?;
        let subject = Subject::start(row, sink.url(), programs, folder.path()).await?;
        let client = Client::builder().no_proxy().build()?;
        let mut trial = Self { row, programs, folder, client, sink, subject, next: 0 };
        trial.preload().await?;
        Ok(trial)
    }

    /// Publishes at a pace and waits until all of it has come.
    pub(super) async fn phase(&mut self, pace: Pace) -> Result<Phase, Failure> {
        let publishers = if matches!(pace, Pace::Steady(..)) { PACED_PUBLISHERS } else { self.row.publishers };
        let paths: Vec<String> = self.row.paths().skip(usize::try_from(self.row.hanging)?).collect();
        self.published(MEASURED, publishers, pace, &paths).await
    }

    pub(super) async fn end(self) -> Result<(), Failure> {
        self.subject.end().await?;
        self.sink.end().await
    }

    async fn preload(&mut self) -> Result<(), Failure> {
        if self.row.stored > 0 {
            let paths = EARLIER_PATHS.map(str::to_owned);
            let events = self.row.stored.div_ceil(paths.len() as u64);
            let phase = self.published(EARLIER, PRELOAD_PUBLISHERS, Pace::Count(events), &paths).await?;
            if phase.lost > 0 || phase.load.errors > 0 {
                return Err("the deliveries to be stored were not made".into());
            }
        }
        if self.row.backlog > 0 {
            let load = self.publish(EARLIER, PRELOAD_PUBLISHERS, Pace::Count(self.row.backlog)).await?;
            if load.errors > 0 {
                return Err("the backlog was not accepted".into());
            }
        }
        Ok(())
    }

    async fn published(&mut self, kind: &str, publishers: u64, pace: Pace, paths: &[String]) -> Result<Phase, Failure> {
        self.client
            .post(format!("{}/__reset?first={}", self.sink.url(), self.next))
            .send()
            .await?
            .error_for_status()?;
        let load = self.publish(kind, publishers, pace).await?;
        let (received, lost) = self.drained(&load, paths).await?;
        Ok(Phase { load, received, lost })
    }

    async fn publish(&mut self, kind: &str, publishers: u64, pace: Pace) -> Result<Outcome, Failure> {
        let mut command = self.programs.command("hw-load", self.folder.path())?;
        command
            .args(["--url", &self.subject.events_url])
            .args(["--type", kind])
            .args(["--publishers", &publishers.to_string()])
            .args(["--first", &self.next.to_string()])
            .stderr(Stdio::inherit());
        if let Some(token) = &self.subject.token {
            command.args(["--token", token]);
        }
        if self.row.store == Store::Raw {
            command.arg("--raw");
        }
        match pace {
            Pace::Full(seconds) => command.args(["--seconds", &seconds.to_string()]),
            Pace::Steady(rate, seconds) => {
                command.args(["--rate", &rate.to_string(), "--seconds", &seconds.to_string()])
            }
            Pace::Count(events) => command.args(["--events", &events.to_string()]),
        };
        let output = timeout(LOAD, command.output()).await??;
        if !output.status.success() {
            return Err(format!("the load generator failed\n{}", tail(&log(self.folder.path()))).into());
        }
        let outcome: Outcome = serde_json::from_slice(&output.stdout)?;
        if let Some(error) = &outcome.first_error {
            eprintln!("{}: {} POSTs failed, the first: {error}", self.row, outcome.errors);
        }
        self.next = outcome.end;
        Ok(outcome)
    }

    /// Waits until everything that was accepted has come to all of these paths, and says how much did not.
    async fn drained(&self, load: &Outcome, paths: &[String]) -> Result<(Stats, u64), Failure> {
        let expected = load.accepted * paths.len() as u64;
        let end = Instant::now() + DRAIN;
        let mut seen = (0, Instant::now());
        loop {
            let stats: Stats = self.ask("__stats").await?;
            // An event whose POST failed may come all the same, so enough is not yet all.
            if stats.unique >= expected && self.lost(load, paths).await? == 0 {
                return Ok((stats, 0));
            }
            let now = Instant::now();
            if stats.unique != seen.0 {
                seen = (stats.unique, now);
            } else if now > seen.1 + STALL || now > end {
                let lost = self.lost(load, paths).await?;
                eprintln!("{}: {lost} did not come; {stats:?}\n{}", self.row, tail(&log(self.folder.path())));
                return Ok((stats, lost));
            }
            sleep(PAUSE).await;
        }
    }

    async fn lost(&self, load: &Outcome, paths: &[String]) -> Result<u64, Failure> {
        let failed: HashSet<u64> = load.failed.iter().copied().collect();
        let mut lost = 0;
        for path in paths {
            let missing: Vec<u64> = self.ask(&format!("__missing?path={path}&end={}", load.end)).await?;
            lost += missing.iter().filter(|n| !failed.contains(n)).count() as u64;
        }
        Ok(lost)
    }

    async fn ask<T: DeserializeOwned>(&self, question: &str) -> Result<T, Failure> {
        Ok(self.client.get(format!("{}/{question}", self.sink.url())).send().await?.json().await?)
    }
}

/// The end of a log.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let skipped = text.lines().count().saturating_sub(LOG_LINES);
    text.lines().skip(skipped).collect::<Vec<_>>().join("\n")
}
