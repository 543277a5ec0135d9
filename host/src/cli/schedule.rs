//! `hookwright schedule …`: events that a server emits at certain times.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::Failure;
use super::client::{Client, Connection};
use crate::domain::id::{ProjectId, ScheduleId};

#[derive(Debug, Subcommand)]
pub(super) enum ScheduleCommand {
    /// Make a schedule
    #[command(after_help = "Examples:
  hookwright schedule create --cron '0 9 * * 1-5' --time-zone Europe/Berlin --type report.due
  hookwright schedule create --cron @hourly --type sync.wanted --payload '{\"full\":false}' --missed skip --name 'Hourly sync'")]
    Create(CreateArgs),
    /// Show what there is
    #[command(after_help = "Examples:
  hookwright schedule list
  hookwright schedule list --json | jq -r '.[].id'")]
    List(ListArgs),
    /// Show one, with its next runs
    Show(OneArgs),
    /// Change one; what is not named stays
    #[command(after_help = "Examples:
  hookwright schedule edit sch_… --cron '30 9 * * *'
  hookwright schedule edit sch_… --enabled false")]
    Edit(EditArgs),
    /// Emit its event now; when it is due next stays as it is
    Run(OneArgs),
    /// Delete one; the events that it emitted stay
    Delete(DeleteArgs),
    /// Tell an expression in words, with its next runs; nothing is stored
    #[command(after_help = "Examples:
  hookwright schedule explain '0 9 * * 1-5' --time-zone Europe/Berlin
  hookwright schedule explain '0 0 29 2 *'")]
    Explain(ExplainArgs),
}

/// What a schedule is made of.
#[derive(Debug, Args)]
pub(super) struct Fields {
    /// By which zone's clocks: a name such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// What its events are about
    #[arg(long)]
    subject: Option<String>,
    /// What its events hold: JSON [default: {}]
    #[arg(long, value_name = "JSON")]
    payload: Option<String>,
    /// The same from a file
    #[arg(long, value_name = "FILE", conflicts_with = "payload")]
    payload_file: Option<PathBuf>,
    /// What becomes of runs that were due while no server ran [default: run-once]
    #[arg(long, value_enum)]
    missed: Option<Missed>,
    /// Whether it runs by itself [default: true]
    #[arg(long, value_name = "BOOL")]
    enabled: Option<bool>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Missed {
    RunOnce,
    Skip,
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// When: minute, hour, day of the month, month, day of the week; or @hourly, @daily, @weekly, @monthly, @yearly
    #[arg(long, value_name = "EXPRESSION")]
    cron: String,
    /// The type of its events
    #[arg(long = "type", value_name = "TYPE")]
    event_type: String,
    /// In which project
    #[arg(long = "in-project", value_name = "ID")]
    in_project: Option<ProjectId>,
    #[command(flatten)]
    fields: Fields,
    #[command(flatten)]
    connection: Connection,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct EditArgs {
    /// The schedule
    #[arg(value_name = "SCHEDULE")]
    id: ScheduleId,
    /// When
    #[arg(long, value_name = "EXPRESSION")]
    cron: Option<String>,
    /// The type of its events
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    #[command(flatten)]
    fields: Fields,
    #[command(flatten)]
    connection: Connection,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    connection: Connection,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct OneArgs {
    /// The schedule
    #[arg(value_name = "SCHEDULE")]
    id: ScheduleId,
    #[command(flatten)]
    connection: Connection,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    /// The schedule
    #[arg(value_name = "SCHEDULE")]
    id: ScheduleId,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The expression
    #[arg(value_name = "EXPRESSION")]
    cron: String,
    /// By which zone's clocks
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: String,
    /// The runs after this time (RFC 3339) [default: now]
    #[arg(long, value_name = "TIME")]
    after: Option<String>,
    #[command(flatten)]
    connection: Connection,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

impl Fields {
    /// Those that are given, by their names in the API.
    fn form(&self) -> Result<Map<String, Value>, Failure> {
        let payload = match (&self.payload, &self.payload_file) {
            (Some(text), _) => Some(read_json("--payload", text.as_bytes())?),
            (None, Some(file)) => {
                let named = file.display().to_string();
                let bytes = std::fs::read(file).map_err(|error| format!("{named}: {error}"))?;
                Some(read_json(&named, &bytes)?)
            }
            (None, None) => None,
        };
        let missed = self.missed.map(|missed| match missed {
            Missed::RunOnce => "run_once",
            Missed::Skip => "skip",
        });
        Ok(given([
            ("time_zone", self.time_zone.clone().map(Value::from)),
            ("name", self.name.clone().map(Value::from)),
            ("description", self.description.clone().map(Value::from)),
            ("subject", self.subject.clone().map(Value::from)),
            ("payload", payload),
            ("missed", missed.map(Value::from)),
            ("enabled", self.enabled.map(Value::from)),
        ]))
    }
}

fn read_json(named: &str, bytes: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(bytes).map_err(|error| format!("{named} is no JSON: {error}").into())
}

fn given<const N: usize>(fields: [(&str, Option<Value>); N]) -> Map<String, Value> {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

pub(super) async fn run(command: ScheduleCommand) -> Result<ExitCode, Failure> {
    match command {
        ScheduleCommand::Create(args) => {
            let mut form = args.fields.form()?;
            form.extend(given([
                ("cron", Some(json!(args.cron))),
                ("event_type", Some(json!(args.event_type))),
                ("project", args.in_project.map(|project| json!(project))),
            ]));
            let made: Value = args.connection.open()?.post("/schedules", &Value::Object(form)).await?;
            show(&made, args.json);
        }
        ScheduleCommand::Edit(args) => {
            let mut form = args.fields.form()?;
            form.extend(given([
                ("cron", args.cron.map(Value::from)),
                ("event_type", args.event_type.map(Value::from)),
            ]));
            if form.is_empty() {
                return Err("nothing is to be changed; --help shows what could be".into());
            }
            let path = format!("/schedules/{}", args.id);
            let changed: Value = args.connection.open()?.patch(&path, &Value::Object(form)).await?;
            show(&changed, args.json);
        }
        ScheduleCommand::List(args) => list(&args.connection.open()?, args.json).await?,
        ScheduleCommand::Show(args) => {
            show(&args.connection.open()?.get(&format!("/schedules/{}", args.id)).await?, args.json);
        }
        ScheduleCommand::Run(args) => {
            let path = format!("/schedules/{}/run", args.id);
            let ran: Value = args.connection.open()?.post(&path, &json!({})).await?;
            println!("{}", if args.json { ran.to_string() } else { text(&ran, "event_id").to_owned() });
        }
        ScheduleCommand::Delete(args) => {
            args.connection.open()?.delete(&format!("/schedules/{}", args.id)).await?;
            println!("deleted {}", args.id);
        }
        ScheduleCommand::Explain(args) => {
            let mut form = given([("after", args.after.map(Value::from))]);
            form.extend([("cron".to_owned(), json!(args.cron)), ("time_zone".to_owned(), json!(args.time_zone))]);
            let told: Value = args.connection.open()?.post("/schedules/preview", &Value::Object(form)).await?;
            if args.json {
                println!("{told:#}");
            } else {
                println!("{}", text(&told, "words"));
                show_runs(&told);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &Client, as_json: bool) -> Result<(), Failure> {
    let mut schedules = Vec::new();
    let mut cursor = String::new();
    loop {
        let page: Value = client.get(&format!("/schedules?limit=200{cursor}")).await?;
        schedules.extend(page["items"].as_array().cloned().unwrap_or_default());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    if as_json {
        println!("{:#}", Value::Array(schedules));
        return Ok(());
    }
    if schedules.is_empty() {
        println!("no schedules yet; `hookwright schedule create --help` shows how to make one");
    }
    for schedule in &schedules {
        let next = schedule["next_runs"][0]["local"].as_str().unwrap_or("disabled");
        let (id, kind, words) = (text(schedule, "id"), text(schedule, "event_type"), text(schedule, "words"));
        println!("{id}  {next:<25}  {kind}  {words}");
    }
    Ok(())
}

fn show(schedule: &Value, as_json: bool) {
    if as_json {
        println!("{schedule:#}");
        return;
    }
    println!("{}", text(schedule, "id"));
    for (field, label) in
        [("name", "name"), ("event_type", "type"), ("cron", "cron"), ("words", "runs"), ("missed", "missed runs")]
    {
        if !text(schedule, field).is_empty() {
            println!("  {label}: {}", text(schedule, field));
        }
    }
    if let Some(due) = schedule["last_run"]["due_at"].as_str() {
        println!("  last run: {due} {}", text(&schedule["last_run"], "event_id"));
    }
    if let Some(skipped) = schedule["last_skipped_at"].as_str() {
        println!("  last run that was missed: {skipped}");
    }
    if schedule["enabled"] == false {
        println!("  disabled");
    }
    show_runs(schedule);
}

fn show_runs(of: &Value) {
    for run in of["next_runs"].as_array().into_iter().flatten() {
        println!("  next: {}", text(run, "local"));
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}
