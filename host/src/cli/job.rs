//! `hookwright job …`: long work, how far it is, and its end.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Failure;
use super::asking::{Asking, Paging, print, text};
use super::client::path;
use super::settling::{exit_code_of_job, watched};
use super::table::Column;

/// As good as for ever.
const VERY_LONG: Duration = Duration::from_hours(24 * 365);

#[derive(Debug, Subcommand)]
pub(super) enum JobCommand {
    /// Jobs, newest first
    #[command(after_help = "Examples:
  hookwright job list
  hookwright job list --kind recover --state running")]
    List(ListArgs),
    /// One job, with what it is about and how far it is
    #[command(after_help = "Examples:
  hookwright job show job_0199…")]
    Show(OneArgs),
    /// End a job; what it did stays done
    #[command(after_help = "Examples:
  hookwright job cancel job_0199…")]
    Cancel(OneArgs),
    /// Tell how far a job is, until it ends
    #[command(after_help = "Examples:
  hookwright job watch job_0199…
  hookwright job watch job_0199… --json | jq -c .progress   # a line each time that it has come further

Exit codes: 0 it came to its end and nothing failed; 3 otherwise; for more see docs/COMMANDS.md")]
    Watch(OneArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Of this kind: reprocess, resend, cancel, recover, backtest
    #[arg(long)]
    kind: Option<String>,
    /// That stand so: pending, running, succeeded, failed, cancelled
    #[arg(long)]
    state: Option<String>,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(super) struct OneArgs {
    /// The job
    #[arg(value_name = "JOB")]
    id: String,
    #[command(flatten)]
    asking: Asking,
}

pub(super) async fn run(command: JobCommand) -> Result<ExitCode, Failure> {
    match command {
        JobCommand::List(args) => {
            const COLUMNS: [Column; 6] = [
                Column("ID", "/id"),
                Column("KIND", "/kind"),
                Column("STATE", "/state"),
                Column("DONE", "/progress/done"),
                Column("TOTAL", "/progress/total"),
                Column("CREATED", "/created_at"),
            ];
            let parameters = vec![("kind", args.kind), ("state", args.state)];
            args.paging.show(&args.asking, "/jobs", parameters, &COLUMNS).await?;
        }
        JobCommand::Show(args) => {
            let job: Value = args.asking.open()?.get(&path(&["jobs", &args.id])).await?;
            args.asking.show_fields(&job)?;
        }
        JobCommand::Cancel(args) => {
            let job: Value = args.asking.open()?.post(&path(&["jobs", &args.id, "cancel"]), &json!({})).await?;
            args.asking.done(&job, &format!("{} is ended", args.id))?;
        }
        JobCommand::Watch(args) => {
            let client = args.asking.open()?;
            let job: Value = client.get(&path(&["jobs", &args.id])).await?;
            let job = watched(&client, job, Instant::now() + VERY_LONG, |job| {
                if args.asking.json { print(&job.to_string()) } else { Ok(()) }
            });
            let job = job.await?;
            if !args.asking.json {
                let progress = &job["progress"];
                let why = job["reason"].as_str().map_or_else(String::new, |reason| format!(": {reason}"));
                let (done, failed) = (&progress["done"], &progress["failed"]);
                print(&format!("{} {}, {done} done, {failed} failed{why}", args.id, text(&job, "state")))?;
            }
            return Ok(exit_code_of_job(&job));
        }
    }
    Ok(ExitCode::SUCCESS)
}
