//! `hookwright token …`: what programs come with.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::Failure;
use super::asking::{Asking, Paging, text};
use super::client::path;
use super::ink::{Ink, Pen};
use super::input::future;
use super::table::{Column, fields};
use crate::domain::clock::Millis;

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token; it is shown this once
    #[command(after_help = "Examples:
  hookwright token create --name 'the shop' --permission events:publish
  hookwright token create --name ci --permission webhooks:read --permission deliveries:read --expires 90d
  hookwright token create --name ops --permission admin --all-projects --json | jq -r .token > ops.token")]
    Create(CreateArgs),
    /// Tokens of the project, newest first
    #[command(after_help = "Examples:
  hookwright token list
  hookwright token list --all --json | jq '.items[] | select(.last_used_at == null)'")]
    List(ListArgs),
    /// One token, but for the token itself
    #[command(after_help = "Examples:
  hookwright token show tok_0199…")]
    Show(OneArgs),
    /// Make a token worthless, at once
    #[command(after_help = "Examples:
  hookwright token revoke tok_0199…")]
    Revoke(OneArgs),
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// What it is for
    #[arg(long)]
    name: String,
    /// What it allows, such as events:publish; may be given several times
    #[arg(long = "permission", value_name = "PERMISSION", required = true)]
    permissions: Vec<String>,
    /// In all projects, not only in the one that is worked in
    #[arg(long)]
    all_projects: bool,
    /// When it ends: a time, or how long from now [default: never]
    #[arg(long, value_name = "TIME", value_parser = future)]
    expires: Option<Millis>,
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
    /// The token's id
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    asking: Asking,
}

pub(super) async fn run(command: TokenCommand) -> Result<ExitCode, Failure> {
    match command {
        TokenCommand::Create(args) => {
            let mut form = Map::from_iter([
                ("name".to_owned(), json!(args.name)),
                ("permissions".to_owned(), json!(args.permissions)),
                ("all_projects".to_owned(), json!(args.all_projects)),
            ]);
            form.extend(args.expires.map(|expires| ("expires_at".to_owned(), json!(expires))));
            let token: Value = args.asking.open()?.post("/tokens", &Value::Object(form)).await?;
            args.asking.show(&token, with_token)?;
        }
        TokenCommand::List(args) => {
            const COLUMNS: [Column; 6] = [
                Column("ID", "/id"),
                Column("NAME", "/name"),
                Column("BEGINS", "/prefix"),
                Column("PERMISSIONS", "/permissions"),
                Column("EXPIRES", "/expires_at"),
                Column("LAST USED", "/last_used_at"),
            ];
            args.paging.show(&args.asking, "/tokens", Vec::new(), &COLUMNS).await?;
        }
        TokenCommand::Show(args) => {
            let token: Value = args.asking.open()?.get(&path(&["tokens", &args.id])).await?;
            args.asking.show_fields(&token)?;
        }
        TokenCommand::Revoke(args) => {
            args.asking.open()?.delete(&path(&["tokens", &args.id])).await?;
            let told = json!({ "id": args.id, "revoked": true });
            args.asking.done(&told, &format!("{} is worthless now", args.id))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn with_token(pen: Pen, token: &Value) -> String {
    let mut shown = token.clone();
    shown.as_object_mut().map(|shown| shown.shift_remove("token"));
    let secret = pen.ink(Ink::Good, text(token, "token"));
    format!("{}\n\nThe token is not shown again: {secret}", fields(pen, &shown))
}
