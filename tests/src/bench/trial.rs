//! One row with processes of its own: receiver, subject, and a load generator for each phase.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, SocketAddrV4},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::{
    Failure,
    load::Outcome,
    receiver::Receiver,
    row::Row,
    setting::Setting,
    sink::Stats,
    stock::{BACKLOG_PATH, Stock},
    subject::{MEASURED, Subject, log},
    usage::{Usage, machine_cpu, usage},
};

/// How often the receiver is asked whether all has come.
const PAUSE: Duration = Duration::from_millis(20);
/// When nothing has come for so long, nothing will.
const STALL: Duration = Duration::from_secs(30);
const DRAIN: Duration = Duration::from_mins(30);
const LOAD: Duration = Duration::from_mins(30);
/// Enough connections that a paced POST need not wait for a free one.
const PACED_PUBLISHERS: u64 = 256;
const LOG_LINES: usize = 20;

#[derive(Debug)]
pub(super) struct Trial<'a> {
    row: &'a Row,
    setting: &'a Setting,
    folder: TempDir,
    receiver: Receiver,
    subject: Subject,
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
}

/// What one phase gave.
#[derive(Debug)]
pub(super) struct Phase {
    pub(super) load: Outcome,
    pub(super) received: Stats,
    pub(super) lost: u64,
    pub(super) used: Used,
}

/// What everybody took in a phase, until all had come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    pub(super) elapsed: Duration,
    pub(super) subject: Option<Usage>,
    pub(super) database: Option<Usage>,
    pub(super) receiver: Usage,
    pub(super) commits: Option<u64>,
    /// CPU time of whatever else runs on the machine.
    pub(super) others: Duration,
}

/// The same before a phase.
#[derive(Debug)]
struct Before {
    at: Instant,
    subject: Option<Usage>,
    database: Option<Usage>,
    receiver: Usage,
    commits: Option<u64>,
    this: Usage,
    machine: Duration,
}

impl<'a> Trial<'a> {
    pub(super) async fn start(row: &'a Row, stock: Option<&Stock>, setting: &'a Setting) -> Result<Self, Failure> {
        let folder = setting.programs.working_folder("row-")?;
        let mut hang: Vec<String> = row.paths().take(usize::try_from(row.hanging)?).collect();
        hang.push(BACKLOG_PATH.to_owned());
        let address = if stock.is_some() { setting.receiver } else { SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0) };
        let receiver = Receiver::start(address, row.fanout, &hang, &setting.programs, folder.path()).await?;
        let subject = Subject::start(row, stock, &receiver, &setting.programs, folder.path()).await?;
        Ok(Self { row, setting, folder, receiver, subject, next: 0 })
    }

    /// Publishes at a pace and waits until all of it has come.
    pub(super) async fn phase(&mut self, pace: Pace) -> Result<Phase, Failure> {
        let publishers = if matches!(pace, Pace::Steady(..)) { PACED_PUBLISHERS } else { self.row.publishers };
        let paths: Vec<String> = self.row.paths().skip(usize::try_from(self.row.hanging)?).collect();
        self.receiver.reset(self.next).await?;
        let before = self.before().await?;
        let load = self.publish(publishers, pace).await?;
        let (received, lost) = self.drained(&load, &paths).await?;
        let used = self.used(before, &load).await?;
        Ok(Phase { load, received, lost, used })
    }

    pub(super) async fn end(self) -> Result<(), Failure> {
        self.subject.end().await?;
        self.receiver.end().await
    }

    async fn before(&self) -> Result<Before, Failure> {
        Ok(Before {
            at: Instant::now(),
            commits: self.subject.commits().await?,
            subject: self.subject.usage()?,
            database: self.subject.database_usage()?,
            receiver: self.receiver.usage()?,
            this: usage(std::process::id())?,
            machine: machine_cpu()?,
        })
    }

    async fn used(&self, before: Before, load: &Outcome) -> Result<Used, Failure> {
        let since = |(after, before): (Usage, Usage)| after.since(before);
        let machine = machine_cpu()?.saturating_sub(before.machine);
        let this = usage(std::process::id())?.since(before.this);
        let subject = self.subject.usage()?.zip(before.subject).map(since);
        let database = self.subject.database_usage()?.zip(before.database).map(since);
        let receiver = self.receiver.usage()?.since(before.receiver);
        let commits = self.subject.commits().await?.zip(before.commits);
        let ours = [subject, database, Some(receiver), Some(this)].into_iter().flatten().map(|used| used.cpu);
        let ours = ours.sum::<Duration>() + Duration::from_nanos(load.cpu_ns);
        Ok(Used {
            elapsed: before.at.elapsed(),
            subject,
            database,
            receiver,
            commits: commits.map(|(after, before)| after.saturating_sub(before)),
            others: machine.saturating_sub(ours),
        })
    }

    async fn publish(&mut self, publishers: u64, pace: Pace) -> Result<Outcome, Failure> {
        let mut command = self.setting.programs.command("hw-load", self.folder.path())?;
        command
            .args(["--url", &self.subject.events_url])
            .args(["--type", MEASURED])
            .args(["--publishers", &publishers.to_string()])
            .args(["--first", &self.next.to_string()])
            .stderr(Stdio::inherit());
        if let Some(token) = &self.subject.token {
            command.args(["--token", token]);
        }
        match pace {
            Pace::Full(seconds) => command.args(["--seconds", &seconds.to_string()]),
            Pace::Steady(rate, seconds) => {
                command.args(["--rate", &rate.to_string(), "--seconds", &seconds.to_string()])
            }
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
            let stats = self.receiver.stats().await?;
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
            let missing = self.receiver.missing(path, load.end).await?;
            lost += missing.iter().filter(|n| !failed.contains(n)).count() as u64;
        }
        Ok(lost)
    }
}

/// The end of a log.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let skipped = text.lines().count().saturating_sub(LOG_LINES);
    text.lines().skip(skipped).collect::<Vec<_>>().join("\n")
}
