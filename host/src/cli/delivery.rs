//! `hookwright delivery …`: what became of events, and what people do about it.

mod act;
mod log;
mod tail;
mod view;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use self::log::Choice;
pub(super) use self::log::ExportTo;
pub(super) use self::view::told;
use super::Failure;
use super::asking::{Asking, Paging};
use super::client::path;
use super::table::Column;

#[derive(Debug, Subcommand)]
pub(super) enum DeliveryCommand {
    /// Deliveries, newest first
    #[command(after_help = "Examples:
  hookwright delivery list
  hookwright delivery list --status failed --since 24h --all
  hookwright delivery list --webhook whk_0199… --status-code 503 --json
  hookwright delivery list --text 'PAY-7' --since 1h      # in payloads and answers")]
    List(ListArgs),
    /// Deliveries as they are made and come to rest, until interrupted
    #[command(after_help = "Examples:
  hookwright delivery tail
  hookwright delivery tail --webhook whk_0199… --last 0
  hookwright delivery tail --status failed --json | jq -c '{id, reason}'")]
    Tail(tail::TailArgs),
    /// One delivery, with each request, attempt and answer
    #[command(after_help = "Examples:
  hookwright delivery show dlv_0199…
  hookwright delivery show dlv_0199… --json | jq '.requests[0].attempts'")]
    Show(OneArgs),
    /// Send again, now, what of a delivery did not arrive
    #[command(after_help = "Examples:
  hookwright delivery retry dlv_0199…
  hookwright delivery retry dlv_0199… --wait
  hookwright delivery retry dlv_0199… --request req_0199… --include-succeeded

Exit codes: with --wait 0 it arrived, 3 it did not; for more see docs/COMMANDS.md")]
    Retry(act::RetryArgs),
    /// The same for many, as a job
    #[command(after_help = "Examples:
  hookwright delivery resend --status failed --since 24h --dry-run
  hookwright delivery resend --status failed --since 24h --webhook whk_0199… --wait")]
    Resend(act::ManyArgs),
    /// Give up a delivery, or many as a job
    #[command(after_help = "Examples:
  hookwright delivery cancel dlv_0199… --reason 'sent by hand'
  hookwright delivery cancel --status retrying --since 7d --webhook whk_0199… --dry-run")]
    Cancel(act::CancelArgs),
    /// All that is found, whole, a line of JSON for each (NDJSON)
    #[command(after_help = "Examples:
  hookwright delivery export --since 7d --output week.ndjson
  hookwright delivery export --status failed --since 24h | jq -r .event_id | sort -u")]
    Export(log::ExportArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    choice: Choice,
    /// With exactly this in the payload or in an answer; wants --since
    #[arg(long = "text", value_name = "TEXT", requires = "since")]
    text: Option<String>,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(super) struct OneArgs {
    /// The delivery
    #[arg(value_name = "DELIVERY")]
    id: String,
    #[command(flatten)]
    asking: Asking,
}

pub(super) async fn run(command: DeliveryCommand) -> Result<ExitCode, Failure> {
    match command {
        DeliveryCommand::List(args) => {
            const COLUMNS: [Column; 7] = [
                Column("ID", "/id"),
                Column("CREATED", "/created_at"),
                Column("TYPE", "/event_type"),
                Column("WEBHOOK", "/webhook_id"),
                Column("TRIGGER", "/trigger"),
                Column("STATUS", "/status"),
                Column("REASON", "/reason"),
            ];
            let mut parameters = args.choice.parameters();
            parameters.push(("q", args.text.clone()));
            args.paging.show(&args.asking, "/deliveries", parameters, &COLUMNS).await?;
        }
        DeliveryCommand::Show(args) => {
            let delivery: Value = args.asking.open()?.get(&path(&["deliveries", &args.id])).await?;
            args.asking.show(&delivery, told)?;
        }
        DeliveryCommand::Tail(args) => tail::run(&args).await?,
        DeliveryCommand::Retry(args) => return act::retry(&args).await,
        DeliveryCommand::Resend(args) => return act::resend(&args).await,
        DeliveryCommand::Cancel(args) => return act::cancel(&args).await,
        DeliveryCommand::Export(args) => log::export(&args).await?,
    }
    Ok(ExitCode::SUCCESS)
}
