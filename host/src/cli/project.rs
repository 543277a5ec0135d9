//! `hookwright project …`: everything in one is isolated from every other.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::Failure;
use super::asking::{Asking, Paging};
use super::client::path;
use super::table::Column;

#[derive(Debug, Subcommand)]
pub(super) enum ProjectCommand {
    /// Make a project
    #[command(after_help = "Examples:
  hookwright project create --name 'QA' --external-id qa
  hookwright webhook list --project qa")]
    Create(CreateArgs),
    /// The projects that one may do something in
    #[command(after_help = "Examples:
  hookwright project list
  hookwright project list --external-id qa --json")]
    List(ListArgs),
    /// One project
    #[command(after_help = "Examples:
  hookwright project show prj_0199…")]
    Show(OneArgs),
    /// Change what is named
    #[command(after_help = "Examples:
  hookwright project edit prj_0199… --name 'Quality'
  hookwright project edit prj_0199… --unset description")]
    Edit(EditArgs),
    /// Delete a project in which nothing is open; its tokens are revoked
    #[command(after_help = "Examples:
  hookwright project delete prj_0199…")]
    Delete(OneArgs),
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// What people call it
    #[arg(long)]
    name: String,
    /// More about it
    #[arg(long)]
    description: Option<String>,
    /// Your own id for it, which `--project` takes too
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// The one with this id of yours
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(super) struct OneArgs {
    /// The project's id
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(super) struct EditArgs {
    /// The project's id
    #[arg(value_name = "ID")]
    id: String,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// More about it
    #[arg(long)]
    description: Option<String>,
    /// Your own id for it
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// Take a field away: description or `external_id`; may be given several times
    #[arg(long, value_name = "FIELD")]
    unset: Vec<String>,
    #[command(flatten)]
    asking: Asking,
}

/// What is given, by its name.
fn form(fields: [(&str, &Option<String>); 3], unset: &[String]) -> Value {
    let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value.clone()?))));
    let taken = unset.iter().map(|name| (name.clone(), Value::Null));
    Value::Object(given.chain(taken).collect::<Map<String, Value>>())
}

pub(super) async fn run(command: ProjectCommand) -> Result<ExitCode, Failure> {
    match command {
        ProjectCommand::Create(args) => {
            let fields =
                [("name", &Some(args.name)), ("description", &args.description), ("external_id", &args.external_id)];
            let project: Value = args.asking.open()?.post("/projects", &form(fields, &[])).await?;
            args.asking.show_fields(&project)?;
        }
        ProjectCommand::List(args) => {
            const COLUMNS: [Column; 4] = [
                Column("ID", "/id"),
                Column("EXTERNAL ID", "/external_id"),
                Column("NAME", "/name"),
                Column("CREATED", "/created_at"),
            ];
            args.paging.show(&args.asking, "/projects", vec![("external_id", args.external_id)], &COLUMNS).await?;
        }
        ProjectCommand::Show(args) => {
            let project: Value = args.asking.open()?.get(&path(&["projects", &args.id])).await?;
            args.asking.show_fields(&project)?;
        }
        ProjectCommand::Edit(args) => {
            let fields = [("name", &args.name), ("description", &args.description), ("external_id", &args.external_id)];
            let change = form(fields, &args.unset);
            let project: Value = args.asking.open()?.patch(&path(&["projects", &args.id]), &change).await?;
            args.asking.show_fields(&project)?;
        }
        ProjectCommand::Delete(args) => {
            args.asking.open()?.delete(&path(&["projects", &args.id])).await?;
            let told = json!({ "id": args.id, "deleted": true });
            args.asking.done(&told, &format!("{} is deleted", args.id))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
