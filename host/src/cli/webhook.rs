//! `hookwright webhook …`: who wants which events, and where they go.

mod act;
mod fact;
mod form;
mod repair;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

pub(super) use self::form::plugin_form;
use self::form::{EditArgs, Form};
use super::Failure;
use super::asking::{Asking, Paging, text};
use super::client::path;
use super::ink::{Ink, Pen};
use super::table::{Column, fields};

#[derive(Debug, Subcommand)]
pub(super) enum WebhookCommand {
    /// Register a webhook; its signing secret is shown this once
    #[command(after_help = "Examples:
  hookwright webhook create --url https://example.com/hooks --event 'ticket.*' --name 'my tickets'
  hookwright webhook create --url https://example.com/leads --event lead.submitted --filter '\"arts\" in payload.programs'
  hookwright webhook create --url https://hooks.slack.com/services/… --event retro.completed --plugin slack@0.2.0
  hookwright webhook create --url https://api.trello.com/1 --event retro.completed --plugin trello@0.3.0 \\
      --plugin-config trello.json --secret key=key.txt --secret token=token.txt
  hookwright webhook create --from webhook.json        # every field that the API has")]
    Create(Box<CreateArgs>),
    /// Webhooks, newest first
    #[command(after_help = "Examples:
  hookwright webhook list
  hookwright webhook list --all --json | jq -r '.items[] | select(.enabled | not) | .id'")]
    List(ListArgs),
    /// One webhook, with how it fares
    #[command(after_help = "Examples:
  hookwright webhook show whk_0199…")]
    Show(OneArgs),
    /// Change what is named; the rest stays as it is
    #[command(after_help = "Examples:
  hookwright webhook edit whk_0199… --event 'ticket.*' --event 'story.*'
  hookwright webhook edit whk_0199… --timeout 5s --rate-limit 10/1s
  hookwright webhook edit whk_0199… --unset filter --unset rate_limit
  echo '{\"plugin\": {\"version\": \"0.3.0\"}}' | hookwright webhook edit whk_0199… --from -")]
    Edit(Box<EditArgs>),
    /// Let events come again, and what waited go on
    #[command(after_help = "Examples:
  hookwright webhook enable whk_0199…
  hookwright webhook enable whk_0199… --cancel-waiting   # only what is to come
  hookwright webhook recover whk_0199… --since 24h       # then also what was skipped meanwhile")]
    Enable(EnableArgs),
    /// Hold what is on its way, and skip what comes
    #[command(after_help = "Examples:
  hookwright webhook disable whk_0199…")]
    Disable(OneArgs),
    /// Delete a webhook: what is open is cancelled, its history stays
    #[command(after_help = "Examples:
  hookwright webhook delete whk_0199…")]
    Delete(OneArgs),
    /// Send a test event, also if it is disabled, and see what the receiver says
    #[command(after_help = "Examples:
  hookwright webhook test whk_0199…
  hookwright webhook test whk_0199… --type ticket.created --payload ticket.json

Exit codes: 0 it arrived; 3 it did not; for more see docs/COMMANDS.md")]
    Test(act::TestArgs),
    /// Send nothing, or an event, now and once, and see what the receiver says
    #[command(after_help = "Examples:
  hookwright webhook trigger whk_0199…                   # an empty body
  hookwright webhook trigger whk_0199… --event evt_0199…

Exit codes: 0 it arrived; 3 it did not; for more see docs/COMMANDS.md")]
    Trigger(act::TriggerArgs),
    /// Have another signing secret take over; it is shown this once
    #[command(after_help = "Examples:
  hookwright webhook rotate-secret whk_0199…              # the old one signs too for 24 hours
  hookwright webhook rotate-secret whk_0199… --overlap 0s # the old one is worthless at once")]
    RotateSecret(act::RotateArgs),
    /// Say whether a webhook gets an event, check by check
    #[command(after_help = "Examples:
  hookwright webhook explain whk_0199… --event evt_0199…
  hookwright webhook explain whk_0199… --type lead.submitted --payload lead.json")]
    Explain(act::ExplainArgs),
    /// Send the events of a time that did not get to it
    #[command(after_help = "Examples:
  hookwright webhook recover whk_0199… --since 24h --dry-run
  hookwright webhook recover whk_0199… --since 2026-01-31T12:00:00Z --until 2026-01-31T14:00:00Z --wait")]
    Recover(repair::RecoverArgs),
    /// Try its parked deliveries anew, with its plugin and configuration of now
    #[command(after_help = "Examples:
  hookwright webhook reprocess whk_0199… --dry-run
  hookwright webhook reprocess whk_0199… --error plugin.timeout --wait")]
    Reprocess(repair::ReprocessArgs),
    /// What its plugins remember; --erase has them forget it
    #[command(after_help = "Examples:
  hookwright webhook facts whk_0199…
  hookwright webhook facts whk_0199… --key ticket:42 --erase")]
    Facts(fact::FactsArgs),
    /// What its configuration was, and since when
    #[command(after_help = "Examples:
  hookwright webhook revisions whk_0199…")]
    Revisions(fact::RevisionsArgs),
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(super) struct OneArgs {
    /// The webhook
    #[arg(value_name = "WEBHOOK")]
    id: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(super) struct EnableArgs {
    /// The webhook
    #[arg(value_name = "WEBHOOK")]
    id: String,
    /// Give up what waited
    #[arg(long)]
    cancel_waiting: bool,
    #[command(flatten)]
    asking: Asking,
}

fn of(id: &str) -> String {
    path(&["webhooks", id])
}

pub(super) async fn run(command: WebhookCommand) -> Result<ExitCode, Failure> {
    match command {
        WebhookCommand::Create(args) => {
            let client = args.asking.open()?;
            let webhook: Value = client.post("/webhooks", &args.form.read()?).await?;
            args.asking.show(&webhook, with_secret)?;
        }
        WebhookCommand::List(args) => {
            const COLUMNS: [Column; 6] = [
                Column("ID", "/id"),
                Column("NAME", "/name"),
                Column("URL", "/url"),
                Column("EVENTS", "/events"),
                Column("PLUGIN", "/plugin/name"),
                Column("ENABLED", "/enabled"),
            ];
            args.paging.show(&args.asking, "/webhooks", Vec::new(), &COLUMNS).await?;
        }
        WebhookCommand::Show(args) => {
            let webhook: Value = args.asking.open()?.get(&of(&args.id)).await?;
            args.asking.show_fields(&webhook)?;
        }
        WebhookCommand::Edit(args) => {
            let webhook: Value = args.asking.open()?.patch(&of(&args.id), &args.read()?).await?;
            args.asking.show_fields(&webhook)?;
        }
        WebhookCommand::Enable(args) => {
            let open_work = if args.cancel_waiting { "cancel" } else { "resume" };
            let client = args.asking.open()?;
            let current: Value = client.get(&of(&args.id)).await?;
            if current["enabled"] == true {
                args.asking.done(&current, &format!("{} is enabled already", args.id))?;
                return Ok(ExitCode::SUCCESS);
            }
            let change = json!({ "enabled": true, "open_work": open_work });
            let webhook: Value = client.patch(&of(&args.id), &change).await?;
            args.asking.done(&webhook, &format!("{} is enabled", args.id))?;
        }
        WebhookCommand::Disable(args) => {
            let webhook: Value = args.asking.open()?.patch(&of(&args.id), &json!({ "enabled": false })).await?;
            args.asking.done(&webhook, &format!("{} is disabled", args.id))?;
        }
        WebhookCommand::Delete(args) => {
            args.asking.open()?.delete(&of(&args.id)).await?;
            let told = json!({ "id": args.id, "deleted": true });
            args.asking.done(&told, &format!("{} is deleted; what was open is cancelled", args.id))?;
        }
        WebhookCommand::Test(args) => return act::test(&args).await,
        WebhookCommand::Trigger(args) => return act::trigger(&args).await,
        WebhookCommand::RotateSecret(args) => act::rotate(&args).await?,
        WebhookCommand::Explain(args) => return act::explain(&args).await,
        WebhookCommand::Recover(args) => return repair::recover(&args).await,
        WebhookCommand::Reprocess(args) => return repair::reprocess(&args).await,
        WebhookCommand::Facts(args) => fact::facts(&args).await?,
        WebhookCommand::Revisions(args) => fact::revisions(&args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A webhook whose signing secret is shown this once.
fn with_secret(pen: Pen, webhook: &Value) -> String {
    let secret = pen.ink(Ink::Good, text(webhook, "signing_secret"));
    format!("{}\n\nThe signing secret is not shown again: {secret}", fields(pen, &without_secret(webhook)))
}

fn without_secret(webhook: &Value) -> Value {
    let mut shown = webhook.clone();
    shown.as_object_mut().map(|shown| shown.shift_remove("signing_secret"));
    shown
}
