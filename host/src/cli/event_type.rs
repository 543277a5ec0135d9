//! `hookwright event-type …`: which events there are, and what is in them.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::Failure;
use super::asking::{Asking, show_list};
use super::client::path;
use super::input::json_of;
use super::table::Column;

#[derive(Debug, Subcommand)]
pub(super) enum EventTypeCommand {
    /// Describe a type of the project's own
    #[command(after_help = "Examples:
  hookwright event-type create build.done --description 'A build has ended'
  hookwright event-type create build.done --schema schema.json --example example.json --validation enforce")]
    Create(TypeArgs),
    /// Types that every project knows, and the project's own
    #[command(after_help = "Examples:
  hookwright event-type list")]
    List(ListArgs),
    /// One type, with its schema and an example
    #[command(after_help = "Examples:
  hookwright event-type show ticket.created --json | jq .example")]
    Show(OneArgs),
    /// Change what the project says of a type
    #[command(after_help = "Examples:
  hookwright event-type edit ticket.created --validation warn
  hookwright event-type edit build.done --unset schema")]
    Edit(TypeArgs),
    /// Forget what the project says of a type; its events go on being taken
    #[command(after_help = "Examples:
  hookwright event-type delete build.done")]
    Delete(OneArgs),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Validation {
    /// Payloads are not looked at
    Off,
    /// What is wrong is shown with the event
    Warn,
    /// What is wrong is refused
    Enforce,
}

#[derive(Debug, Args)]
pub(super) struct TypeArgs {
    /// The type, such as build.done
    #[arg(value_name = "TYPE")]
    name: String,
    /// What it tells of
    #[arg(long)]
    description: Option<String>,
    /// A file with the JSON Schema of its payloads; `-` is stdin
    #[arg(long, value_name = "FILE")]
    schema: Option<String>,
    /// A file with a payload as an example; `-` is stdin
    #[arg(long, value_name = "FILE")]
    example: Option<String>,
    /// Whether payloads are held against the schema
    #[arg(long, value_name = "WHAT")]
    validation: Option<Validation>,
    /// Take a field away, such as schema; may be given several times
    #[arg(long, value_name = "FIELD")]
    unset: Vec<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(super) struct OneArgs {
    /// The type, such as build.done
    #[arg(value_name = "TYPE")]
    name: String,
    #[command(flatten)]
    asking: Asking,
}

impl TypeArgs {
    fn form(&self) -> Result<Map<String, Value>, Failure> {
        let validation = self.validation.map(|validation| match validation {
            Validation::Off => "off",
            Validation::Warn => "warn",
            Validation::Enforce => "enforce",
        });
        let fields = [
            ("description", self.description.clone().map(Value::from)),
            ("schema", self.schema.as_deref().map(json_of).transpose()?),
            ("example", self.example.as_deref().map(json_of).transpose()?),
            ("validation", validation.map(Value::from)),
        ];
        let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Ok(given.chain(self.unset.iter().map(|name| (name.clone(), Value::Null))).collect())
    }
}

pub(super) async fn run(command: EventTypeCommand) -> Result<ExitCode, Failure> {
    match command {
        EventTypeCommand::Create(args) => {
            let mut form = args.form()?;
            form.insert("name".to_owned(), json!(args.name));
            let made: Value = args.asking.open()?.post("/event-types", &Value::Object(form)).await?;
            args.asking.show_fields(&made)?;
        }
        EventTypeCommand::List(args) => {
            const COLUMNS: [Column; 4] = [
                Column("NAME", "/name"),
                Column("KNOWN TO ALL", "/builtin"),
                Column("VALIDATION", "/validation"),
                Column("DESCRIPTION", "/description"),
            ];
            let types: Value = args.asking.open()?.get("/event-types").await?;
            show_list(args.asking.json, &types, &COLUMNS)?;
        }
        EventTypeCommand::Show(args) => {
            let found: Value = args.asking.open()?.get(&path(&["event-types", &args.name])).await?;
            args.asking.show_fields(&found)?;
        }
        EventTypeCommand::Edit(args) => {
            let form = Value::Object(args.form()?);
            let changed: Value = args.asking.open()?.patch(&path(&["event-types", &args.name]), &form).await?;
            args.asking.show_fields(&changed)?;
        }
        EventTypeCommand::Delete(args) => {
            args.asking.open()?.delete(&path(&["event-types", &args.name])).await?;
            let told = json!({ "name": args.name, "deleted": true });
            args.asking.done(&told, &format!("{} is forgotten", args.name))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
