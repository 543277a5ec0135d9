//! `hookwright audit …`: who did what to what.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Failure;
use super::asking::{Asking, Paging, Parameters};
use super::delivery::ExportTo;
use super::input::past;
use super::table::Column;
use crate::domain::clock::Millis;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Lines of the audit log, newest first
    #[command(after_help = "Examples:
  hookwright audit list
  hookwright audit list --action 'webhook.*' --since 7d
  hookwright audit list --target whk_0199… --json")]
    List(ListArgs),
    /// All lines that are found, whole, a line of JSON for each (NDJSON)
    #[command(after_help = "Examples:
  hookwright audit export --since 30d --output audit.ndjson
  hookwright audit export --all-projects | jq -r .action | sort | uniq -c")]
    Export(ExportArgs),
}

#[derive(Debug, Args)]
struct Choice {
    /// By whoever has this id
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// What was done: webhook.created, or webhook.* for all that begin so
    #[arg(long)]
    action: Option<String>,
    /// To what has this id
    #[arg(long, value_name = "ID")]
    target: Option<String>,
    /// At this time or later: a time, or how long ago
    #[arg(long, value_name = "TIME", value_parser = past)]
    since: Option<Millis>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = past)]
    until: Option<Millis>,
    /// In all projects, and what is the whole server's
    #[arg(long)]
    all_projects: bool,
}

impl Choice {
    fn parameters(&self) -> Parameters<'static> {
        vec![
            ("actor_id", self.actor.clone()),
            ("action", self.action.clone()),
            ("target_id", self.target.clone()),
            ("since", self.since.map(|since| since.to_string())),
            ("until", self.until.map(|until| until.to_string())),
            ("all_projects", self.all_projects.then(|| "true".to_owned())),
        ]
    }
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    lines: ExportTo,
}

pub(super) async fn run(command: AuditCommand) -> Result<ExitCode, Failure> {
    match command {
        AuditCommand::List(args) => {
            const COLUMNS: [Column; 5] = [
                Column("AT", "/at"),
                Column("WHO", "/actor/name"),
                Column("ACTION", "/action"),
                Column("TARGET", "/target/id"),
                Column("FROM", "/address"),
            ];
            args.paging.show(&args.asking, "/audit", args.choice.parameters(), &COLUMNS).await?;
        }
        AuditCommand::Export(args) => args.lines.write("/audit/export", args.choice.parameters()).await?,
    }
    Ok(ExitCode::SUCCESS)
}
