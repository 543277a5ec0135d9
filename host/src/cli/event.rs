//! `hookwright event …`: what providers post.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::Failure;
use super::asking::{Asking, Paging, Progress, print, text};
use super::client::{Client, path};
use super::input::{json_of, past, text_of};
use super::settling::Settling;
use super::table::{Column, table};
use crate::domain::clock::Millis;

/// Lines that are posted at once.
const CHUNK: usize = 500;

#[derive(Debug, Subcommand)]
pub(super) enum EventCommand {
    /// Post an event, or many
    #[command(after_help = "Examples:
  hookwright event send ticket.created --payload '{\"ticket\": {\"id\": \"7\"}}' --subject PAY-7
  hookwright event send retro.completed --file retro.json --wait    # and see what became of it
  jq -c '.tickets[]' old.json | hookwright event send ticket.created --file -
  hookwright event send --lines events.ndjson                       # {\"type\": …, \"payload\": …} on each line

Exit codes: 0 it is stored, with --wait: and it arrived everywhere; 3 with --wait: it did not; for more see docs/COMMANDS.md")]
    Send(SendArgs),
    /// Events, newest first
    #[command(after_help = "Examples:
  hookwright event list
  hookwright event list --type ticket.created --limit 5 --json")]
    List(ListArgs),
    /// One event, with its payload
    #[command(after_help = "Examples:
  hookwright event show evt_0199…
  hookwright event show evt_0199… --json | jq .payload")]
    Show(ShowArgs),
    /// Make new deliveries of an event for the webhooks that want it now
    #[command(after_help = "Examples:
  hookwright event replay evt_0199…
  hookwright event replay evt_0199… --webhook whk_0199… --wait")]
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
pub(super) struct SendArgs {
    /// The event's type, such as ticket.created
    #[arg(value_name = "TYPE", required_unless_present = "lines", conflicts_with = "lines")]
    kind: Option<String>,
    /// The payload: JSON [default: {}]
    #[arg(long, value_name = "JSON", conflicts_with = "lines")]
    payload: Option<String>,
    /// A file with the payload; `-` is stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["payload", "lines"])]
    file: Option<String>,
    /// A file with an event on each line, as the API takes them; `-` is stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["subject", "id", "occurred_at", "idempotency_key", "wait"])]
    lines: Option<String>,
    /// What it is about
    #[arg(long)]
    subject: Option<String>,
    /// The provider's own id: a second event with it is the same event
    #[arg(long)]
    id: Option<String>,
    /// When it happened: a time, or how long ago [default: now]
    #[arg(long, value_name = "TIME", value_parser = past)]
    occurred_at: Option<Millis>,
    /// Sent again with the same key within 24 hours it stays one event
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    settling: Settling,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The event
    #[arg(value_name = "EVENT")]
    id: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The event
    #[arg(value_name = "EVENT")]
    id: String,
    /// Only for this webhook
    #[arg(long, value_name = "WEBHOOK")]
    webhook: Option<String>,
    #[command(flatten)]
    settling: Settling,
    #[command(flatten)]
    asking: Asking,
}

pub(super) async fn run(command: EventCommand) -> Result<ExitCode, Failure> {
    match command {
        EventCommand::Send(args) if args.lines.is_some() => send_lines(&args).await,
        EventCommand::Send(args) => send(&args).await,
        EventCommand::List(args) => {
            const COLUMNS: [Column; 4] = [
                Column("ID", "/id"),
                Column("RECEIVED", "/received_at"),
                Column("TYPE", "/type"),
                Column("SUBJECT", "/subject"),
            ];
            args.paging.show(&args.asking, "/events", vec![("type", args.kind)], &COLUMNS).await?;
            Ok(ExitCode::SUCCESS)
        }
        EventCommand::Show(args) => {
            let event: Value = args.asking.open()?.get(&path(&["events", &args.id])).await?;
            args.asking.show_fields(&event)?;
            Ok(ExitCode::SUCCESS)
        }
        EventCommand::Replay(args) => {
            let client = args.asking.open()?;
            let form = args.webhook.as_ref().map_or_else(|| json!({}), |webhook| json!({ "webhook_id": webhook }));
            let replayed: Value = client.post(&path(&["events", &args.id, "replay"]), &form).await?;
            for left in replayed["left_out"].as_array().into_iter().flatten() {
                eprintln!("left out {}: {}", text(left, "webhook_id"), text(left, "reason"));
            }
            told_of(&client, &args.asking, &args.settling, replayed).await
        }
    }
}

async fn send(args: &SendArgs) -> Result<ExitCode, Failure> {
    let client = args.asking.open()?;
    let payload = match (&args.payload, &args.file) {
        (Some(json), _) => serde_json::from_str(json).map_err(|error| format!("--payload is no JSON: {error}"))?,
        (None, Some(file)) => json_of(file)?,
        (None, None) => json!({}),
    };
    let fields = [
        ("type", args.kind.clone().map(Value::from)),
        ("payload", Some(payload)),
        ("subject", args.subject.clone().map(Value::from)),
        ("id", args.id.clone().map(Value::from)),
        ("occurred_at", args.occurred_at.map(|at| json!(at))),
        ("idempotency_key", args.idempotency_key.clone().map(Value::from)),
    ];
    let form: Map<String, Value> =
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let accepted: Value = client.post("/events", &Value::Object(form)).await?;
    told_of(&client, &args.asking, &args.settling, accepted).await
}

/// Shows an event's deliveries, and waits for them if that is wanted.
async fn told_of(client: &Client, asking: &Asking, settling: &Settling, mut event: Value) -> Result<ExitCode, Failure> {
    let ids: Vec<String> =
        event["deliveries"].as_array().into_iter().flatten().map(|made| text(made, "id").to_owned()).collect();
    let settled = settling.wait(client, &ids).await?;
    if let Some(settled) = &settled {
        event["deliveries"] = json!(settled.deliveries);
    }
    asking.show(&event, |pen, event| {
        const COLUMNS: [Column; 3] =
            [Column("DELIVERY", "/id"), Column("WEBHOOK", "/webhook_id"), Column("STATUS", "/status")];
        let again = if event["duplicate"] == true { " (it is there already)" } else { "" };
        let head = format!("{} {}{again}", text(event, "id"), text(event, "type"));
        let made = event["deliveries"].as_array().map(Vec::as_slice).unwrap_or_default();
        if made.is_empty() {
            return format!("{head}\nno webhook wants it");
        }
        let columns = if settled.is_some() { &COLUMNS[..] } else { &COLUMNS[..2] };
        format!("{head}\n{}", table(pen, columns, made))
    })?;
    Ok(settled.map_or(ExitCode::SUCCESS, |settled| settled.exit_code()))
}

async fn send_lines(args: &SendArgs) -> Result<ExitCode, Failure> {
    let client = args.asking.open()?;
    let events = text_of(args.lines.as_deref().unwrap_or("-"))?;
    let events: Vec<(usize, &str)> = (1..).zip(events.lines()).filter(|(_, line)| !line.trim().is_empty()).collect();
    let (mut stored, mut refused) = (0_usize, 0_usize);
    let progress = Progress::new();
    for chunk in events.chunks(CHUNK) {
        let lines = chunk.iter().map(|(_, line)| *line).collect::<Vec<_>>().join("\n");
        let answers = client.post_lines("/events", lines).await?;
        if answers.len() != chunk.len() {
            return Err(format!(
                "{} lines were answered with {}; {stored} events before them are stored",
                chunk.len(),
                answers.len()
            )
            .into());
        }
        for ((number, _), answer) in chunk.iter().zip(answers) {
            let is_stored = answer["id"].is_string();
            if is_stored {
                stored += 1;
            } else {
                refused += 1;
            }
            if args.asking.json {
                print(&answer.to_string())?;
            } else if !is_stored {
                progress.end();
                eprintln!("line {number}: {}", refusal(&answer));
            }
        }
        progress.tell(&format!("{} of {} events", stored + refused, events.len()));
    }
    progress.end();
    if !args.asking.json {
        print(&format!("{stored} events stored, {refused} refused"))?;
    }
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(super::exit::WRONG) })
}

/// Why a line was refused, with the fields that are named.
fn refusal(answer: &Value) -> String {
    let problem = &answer["error"];
    let fields = problem["errors"].as_array().into_iter().flatten();
    let fields = fields.map(|error| format!("; at `{}`: {}", text(error, "pointer"), text(error, "detail")));
    let detail = problem["detail"].as_str().map_or_else(|| answer.to_string(), str::to_owned);
    detail + &fields.collect::<String>()
}
