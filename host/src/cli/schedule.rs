//! `hookwright schedule …`: events that a server emits at certain times.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::Failure;
use super::asking::{Asking, Paging, text};
use super::client::path;
use super::ink::{Pen, clean};
use super::input::json_of;
use super::table::{Column, fields};

#[derive(Debug, Subcommand)]
pub(super) enum ScheduleCommand {
    /// Make a schedule
    #[command(after_help = "Examples:
  hookwright schedule create --cron '0 9 * * 1-5' --time-zone Europe/Berlin --type report.due
  hookwright schedule create --cron @hourly --type sync.wanted --payload '{\"full\": false}' --missed skip --name 'Hourly sync'")]
    Create(CreateArgs),
    /// Schedules, newest first
    #[command(after_help = "Examples:
  hookwright schedule list
  hookwright schedule list --json | jq -r '.items[].id'")]
    List(ListArgs),
    /// One schedule, with its next runs
    #[command(after_help = "Examples:
  hookwright schedule show sch_0199…")]
    Show(OneArgs),
    /// Change a schedule; what is not named stays
    #[command(after_help = "Examples:
  hookwright schedule edit sch_0199… --cron '30 9 * * *'
  hookwright schedule edit sch_0199… --enabled false
  hookwright schedule edit sch_0199… --unset subject")]
    Edit(EditArgs),
    /// Emit its event now; when it is due next stays as it is
    #[command(after_help = "Examples:
  hookwright schedule run sch_0199…")]
    Run(OneArgs),
    /// Delete a schedule; the events that it emitted stay
    #[command(after_help = "Examples:
  hookwright schedule delete sch_0199…")]
    Delete(OneArgs),
    /// Tell an expression in words, with its next runs; nothing is stored
    #[command(after_help = "Examples:
  hookwright schedule explain '0 9 * * 1-5' --time-zone Europe/Berlin
  hookwright schedule explain '0 0 29 2 *' --after 2026-01-01T00:00:00Z")]
    Explain(ExplainArgs),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Missed {
    /// One run makes up for all of them
    RunOnce,
    /// Nothing
    Skip,
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
    /// A file with the payload; `-` is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "payload")]
    file: Option<String>,
    /// What becomes of runs that were due while no server ran [default: run-once]
    #[arg(long, value_name = "WHAT")]
    missed: Option<Missed>,
    /// Whether it runs by itself [default: true]
    #[arg(long, value_name = "BOOL")]
    enabled: Option<bool>,
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// When: minute, hour, day of the month, month, day of the week; or @hourly, @daily, @weekly, @monthly, @yearly
    #[arg(long, value_name = "EXPRESSION")]
    cron: String,
    /// The type of its events
    #[arg(long = "type", value_name = "TYPE")]
    event_type: String,
    #[command(flatten)]
    fields: Fields,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub(super) struct EditArgs {
    /// The schedule
    #[arg(value_name = "SCHEDULE")]
    id: String,
    /// When
    #[arg(long, value_name = "EXPRESSION")]
    cron: Option<String>,
    /// The type of its events
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    #[command(flatten)]
    fields: Fields,
    /// Take a field away, such as subject; may be given several times
    #[arg(long, value_name = "FIELD")]
    unset: Vec<String>,
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
    /// The schedule
    #[arg(value_name = "SCHEDULE")]
    id: String,
    #[command(flatten)]
    asking: Asking,
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
    asking: Asking,
}

impl Fields {
    /// Those that are given, by their names in the API.
    fn form(&self) -> Result<Map<String, Value>, Failure> {
        let payload = match (&self.payload, &self.file) {
            (Some(text), _) => {
                Some(serde_json::from_str(text).map_err(|error| format!("--payload is no JSON: {error}"))?)
            }
            (None, file) => file.as_deref().map(json_of).transpose()?,
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

fn given<const N: usize>(fields: [(&str, Option<Value>); N]) -> Map<String, Value> {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

pub(super) async fn run(command: ScheduleCommand) -> Result<ExitCode, Failure> {
    match command {
        ScheduleCommand::Create(args) => {
            let mut form = args.fields.form()?;
            form.extend(given([("cron", Some(json!(args.cron))), ("event_type", Some(json!(args.event_type)))]));
            let made: Value = args.asking.open()?.post("/schedules", &Value::Object(form)).await?;
            args.asking.show(&made, told)?;
        }
        ScheduleCommand::List(args) => {
            const COLUMNS: [Column; 5] = [
                Column("ID", "/id"),
                Column("NEXT RUN", "/next_runs/0/local"),
                Column("TYPE", "/event_type"),
                Column("NAME", "/name"),
                Column("WHEN", "/words"),
            ];
            args.paging.show(&args.asking, "/schedules", Vec::new(), &COLUMNS).await?;
        }
        ScheduleCommand::Show(args) => {
            let found: Value = args.asking.open()?.get(&path(&["schedules", &args.id])).await?;
            args.asking.show(&found, told)?;
        }
        ScheduleCommand::Edit(args) => {
            let mut form = args.fields.form()?;
            form.extend(given([
                ("cron", args.cron.map(Value::from)),
                ("event_type", args.event_type.map(Value::from)),
            ]));
            form.extend(args.unset.iter().map(|name| (name.clone(), Value::Null)));
            if form.is_empty() {
                return Err("nothing is to be changed; --help shows what could be".into());
            }
            let changed: Value =
                args.asking.open()?.patch(&path(&["schedules", &args.id]), &Value::Object(form)).await?;
            args.asking.show(&changed, told)?;
        }
        ScheduleCommand::Run(args) => {
            let ran: Value = args.asking.open()?.post(&path(&["schedules", &args.id, "run"]), &json!({})).await?;
            args.asking.done(&ran, &format!("emitted {}", clean(text(&ran, "event_id"))))?;
        }
        ScheduleCommand::Delete(args) => {
            args.asking.open()?.delete(&path(&["schedules", &args.id])).await?;
            let told = json!({ "id": args.id, "deleted": true });
            args.asking.done(&told, &format!("{} is deleted", args.id))?;
        }
        ScheduleCommand::Explain(args) => {
            let mut form = given([("after", args.after.map(Value::from))]);
            form.extend(given([("cron", Some(json!(args.cron))), ("time_zone", Some(json!(args.time_zone)))]));
            let answer: Value = args.asking.open()?.post("/schedules/preview", &Value::Object(form)).await?;
            args.asking.show(&answer, |_, answer| format!("{}\n{}", clean(text(answer, "words")), runs(answer)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// All fields, and the next runs each on a line of its own.
fn told(pen: Pen, schedule: &Value) -> String {
    let mut shown = schedule.clone();
    let runs = runs(schedule);
    if let Some(fields) = shown.as_object_mut() {
        fields.remove("next_runs");
    }
    if runs.is_empty() { fields(pen, &shown) } else { format!("{}\n{runs}", fields(pen, &shown)) }
}

/// When it runs next, as clocks in its zone show it.
fn runs(answer: &Value) -> String {
    let runs = answer["next_runs"].as_array().into_iter().flatten();
    runs.map(|run| format!("next: {}", clean(text(run, "local")))).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_runs_are_told_as_clocks_show_them() {
        let run = json!({ "at": "2026-03-29T01:00:00.000Z", "local": "2026-03-29T03:00:00+02:00" });
        let schedule = json!({ "id": "sch_1", "next_runs": [run] });
        assert_eq!(told(Pen::plain(), &schedule), "id  sch_1\nnext: 2026-03-29T03:00:00+02:00");
        assert_eq!(told(Pen::plain(), &json!({ "id": "sch_1", "next_runs": [] })), "id  sch_1");
    }
}
