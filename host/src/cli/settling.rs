//! Waiting for deliveries and jobs to come to rest.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Failure;
use super::asking::{Asking, Progress, text};
use super::client::{Client, path};
use super::exit::NOT_DELIVERED;
use super::input::duration_ms;

/// How often a server is asked.
const LOOK: Duration = Duration::from_millis(300);

/// Whether a command waits for what it began.
#[derive(Debug, clap::Args)]
pub(super) struct Settling {
    /// Wait until it has come to rest
    #[arg(long)]
    wait: bool,
    /// Wait no longer than this
    #[arg(long, value_name = "DURATION", value_parser = duration_ms, default_value = "5m", requires = "wait")]
    timeout: u64,
}

/// Deliveries after a wait.
pub(super) struct Settled {
    pub(super) deliveries: Vec<Value>,
}

impl Settled {
    /// Success if all arrived.
    pub(super) fn exit_code(&self) -> ExitCode {
        if self.deliveries.iter().all(has_arrived) { ExitCode::SUCCESS } else { ExitCode::from(NOT_DELIVERED) }
    }
}

/// Whether a delivery arrived, had nothing to bring, or is one of a digest, which goes out when its time comes.
fn has_arrived(delivery: &Value) -> bool {
    matches!(text(delivery, "status"), "succeeded" | "skipped" | "collecting" | "collected")
}

/// What tells whether one delivery arrived.
pub(super) fn exit_code_of(delivery: &Value) -> ExitCode {
    if has_arrived(delivery) { ExitCode::SUCCESS } else { ExitCode::from(NOT_DELIVERED) }
}

fn is_open(delivery: &Value) -> bool {
    matches!(text(delivery, "status"), "pending" | "retrying")
}

impl Settling {
    /// The deliveries when they have come to rest, or when the time is over; none if nobody wants to wait.
    pub(super) async fn wait(&self, client: &Client, ids: &[String]) -> Result<Option<Settled>, Failure> {
        if !self.wait {
            return Ok(None);
        }
        let until = self.until();
        let progress = Progress::new();
        let mut deliveries: Vec<Value> = Vec::with_capacity(ids.len());
        for id in ids {
            progress.tell(&format!("{} of {} deliveries", deliveries.len(), ids.len()));
            deliveries.push(loop {
                let delivery: Value = client.get(&path(&["deliveries", id])).await?;
                if !is_open(&delivery) || Instant::now() >= until {
                    break delivery;
                }
                tokio::time::sleep(LOOK).await;
            });
        }
        progress.end();
        Ok(Some(Settled { deliveries }))
    }

    /// The job when it has ended, or when the time is over; as it is if nobody wants to wait.
    pub(super) async fn wait_for_job(&self, client: &Client, job: Value) -> Result<Value, Failure> {
        if self.wait && job["id"].is_string() { watched(client, job, self.until(), |_| Ok(())).await } else { Ok(job) }
    }

    fn until(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.timeout)
    }

    /// What tells how a job ended, if it was waited for.
    pub(super) fn exit_code_of_job(&self, job: &Value) -> ExitCode {
        if self.wait && job["id"].is_string() { exit_code_of_job(job) } else { ExitCode::SUCCESS }
    }
}

/// A job, each time it has come further, until it ends or the time is over.
pub(super) async fn watched(
    client: &Client,
    mut job: Value,
    until: Instant,
    mut told: impl FnMut(&Value) -> Result<(), Failure>,
) -> Result<Value, Failure> {
    let address = path(&["jobs", text(&job, "id")]);
    let progress = Progress::new();
    loop {
        told(&job)?;
        let total = job["progress"]["total"].as_u64().map_or_else(|| "?".to_owned(), |total| total.to_string());
        progress.tell(&format!("{} of {total}", job["progress"]["done"]));
        if !job["ended_at"].is_null() || Instant::now() >= until {
            progress.end();
            return Ok(job);
        }
        let before = job["progress"].clone();
        while job["progress"] == before && job["ended_at"].is_null() && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
            job = client.get(&address).await?;
        }
    }
}

/// Success if a job has come to its end and nothing in it failed.
pub(super) fn exit_code_of_job(job: &Value) -> ExitCode {
    let is_done = text(job, "state") == "succeeded" && job["progress"]["failed"].as_u64() == Some(0);
    if is_done { ExitCode::SUCCESS } else { ExitCode::from(NOT_DELIVERED) }
}

/// Shows a job that was begun, or what one would do.
pub(super) fn show_job(asking: &Asking, job: &Value) -> Result<(), Failure> {
    if job["dry_run"] != true {
        return asking.show_fields(job);
    }
    asking.show(job, |_, forecast| {
        let what = if forecast["events"].is_null() { "deliveries" } else { "events" };
        let more = if forecast["complete"] == true { "" } else { " or more" };
        let sample = forecast["sample"].as_array().into_iter().flatten();
        let sample = sample.map(|one| format!("\n  {}", super::table::cell(Some(one))));
        format!("{}{more} {what}; nothing was done{}", forecast[what], sample.collect::<String>())
    })
}
