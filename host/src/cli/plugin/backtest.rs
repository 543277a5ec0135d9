//! `hookwright plugin backtest`: a version and a configuration on what a webhook delivered.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::shown::{DIFFERS, lines};
use crate::cli::Failure;
use crate::cli::client::{Client, Connection};
use crate::domain::backtest::Compared;
use crate::domain::difference::Difference;

/// How often the job is asked about.
const LOOK: Duration = Duration::from_millis(300);
/// How many examples of each outcome are shown.
const EXAMPLES: u32 = 3;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct BacktestArgs {
    /// The webhook
    #[arg(value_name = "WEBHOOK")]
    webhook: String,
    /// The version to be tried [default: the webhook's own]
    #[arg(value_name = "NAME@VERSION", value_parser = candidate)]
    candidate: Option<(String, String)>,
    /// The configuration to be tried: JSON [default: the webhook's own]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The last so many events [default: 1000]
    #[arg(long, value_name = "N")]
    last: Option<u64>,
    /// Events delivered at this time or later
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Events delivered before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Events of this type, such as ticket.created or ticket.*; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Tell on stderr how far it is
    #[arg(long)]
    watch: bool,
    /// Begin it, and do not wait for its end
    #[arg(long, conflicts_with_all = ["watch", "promote"])]
    no_wait: bool,
    /// Have the webhook take it over if nothing newly fails
    #[arg(long)]
    promote: bool,
    /// Promote whatever it came to, and whatever changed meanwhile
    #[arg(long, requires = "promote")]
    force: bool,
    /// Reprocess the webhook's parked deliveries after that
    #[arg(long, requires = "promote")]
    reprocess: bool,
    #[command(flatten)]
    connection: Connection,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

fn candidate(text: &str) -> Result<(String, String), String> {
    let (name, version) = text.split_once('@').ok_or("it is NAME@VERSION, such as slack@0.2.0")?;
    Ok((name.to_owned(), version.to_owned()))
}

impl BacktestArgs {
    fn form(&self) -> Result<Value, Failure> {
        let mut plugin = Map::new();
        if let Some((name, version)) = &self.candidate {
            plugin.insert("name".to_owned(), json!(name));
            plugin.insert("version".to_owned(), json!(version));
        }
        if let Some(file) = &self.config {
            let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
            let config: Value =
                serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", file.display()))?;
            plugin.insert("config".to_owned(), config);
        }
        let mut form = Map::from_iter([("plugin".to_owned(), Value::Object(plugin))]);
        let fields = [
            ("last", self.last.map(Value::from)),
            ("since", self.since.clone().map(Value::from)),
            ("until", self.until.clone().map(Value::from)),
            ("types", (!self.types.is_empty()).then(|| json!(self.types))),
        ];
        form.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        Ok(Value::Object(form))
    }
}

pub(super) async fn run(args: &BacktestArgs) -> Result<ExitCode, Failure> {
    let client = args.connection.open()?;
    let mut job: Value = client.post(&format!("/webhooks/{}/backtest", args.webhook), &args.form()?).await?;
    let id = text(&job, "id").to_owned();
    if args.no_wait {
        println!("{}", if args.json { job.to_string() } else { id });
        return Ok(ExitCode::SUCCESS);
    }
    while job["ended_at"].is_null() {
        tokio::time::sleep(LOOK).await;
        job = client.get(&format!("/jobs/{id}")).await?;
        if args.watch {
            let progress = &job["progress"];
            let total = progress["total"].as_u64().map_or_else(|| "?".to_owned(), |total| total.to_string());
            eprintln!("{id}: {} of {total} events", progress["done"]);
        }
    }
    if job["state"] != "succeeded" {
        let reason = job["reason"].as_str().unwrap_or("no reason is told");
        return Err(format!("{id}: the backtest is {}: {reason}", text(&job, "state")).into());
    }
    let newly_failing = job["results"][Compared::NewlyFailing.as_str()].as_u64().unwrap_or(0);
    if !args.json {
        for line in table(args, &job) {
            println!("{line}");
        }
        examples(&client, &id, &job).await?;
    }
    let promoted = if args.promote && (newly_failing == 0 || args.force) {
        Some(promote(&client, args, &id).await?)
    } else {
        None
    };
    if args.json {
        job["promoted"] = promoted.clone().unwrap_or_default();
        println!("{}", serde_json::to_string_pretty(&job)?);
    } else if let Some(promoted) = &promoted {
        let plugin = &promoted["webhook"]["plugin"];
        println!("{} now has {} {}", args.webhook, text(plugin, "name"), text(plugin, "version"));
        match promoted["reprocess"]["id"].as_str() {
            Some(job) => println!("{} parked deliveries are reprocessed: {job}", promoted["parked"]),
            None => println!("{} parked deliveries can be reprocessed (--reprocess)", promoted["parked"]),
        }
    } else if args.promote {
        eprintln!("not promoted: {newly_failing} events newly fail (--force promotes all the same)");
    }
    Ok(if newly_failing == 0 { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS) })
}

async fn promote(client: &Client, args: &BacktestArgs, job: &str) -> Result<Value, Failure> {
    let mut promoted: Value = client.post(&format!("/jobs/{job}/promote"), &json!({ "force": args.force })).await?;
    if args.reprocess && promoted["parked"].as_u64().unwrap_or(0) > 0 {
        promoted["reprocess"] = client.post(&format!("/webhooks/{}/reprocess", args.webhook), &json!({})).await?;
    }
    Ok(promoted)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn table(args: &BacktestArgs, job: &Value) -> Vec<String> {
    let plugin = &job["backtest"]["plugin"];
    let named = format!("{} {}", text(plugin, "name"), text(plugin, "version"));
    let mut told = vec![format!("{named} on {} events of {}", job["progress"]["done"], args.webhook)];
    told.extend(Compared::ALL.iter().map(|of| {
        let what = match of {
            Compared::Same => "same",
            Compared::Changed => "changed",
            Compared::Skipped => "skipped, sent then",
            Compared::Failed => "failed, as then",
            Compared::NewlyFailing => "newly failing",
            Compared::Mended => "mended",
        };
        format!("  {what:<20}{:>8}", job["results"][of.as_str()].as_u64().unwrap_or(0))
    }));
    told
}

/// The first few of what is not the same.
async fn examples(client: &Client, id: &str, job: &Value) -> Result<(), Failure> {
    for of in Compared::ALL {
        let outcome = of.as_str();
        if *of == Compared::Same || job["results"][outcome].as_u64().unwrap_or(0) == 0 {
            continue;
        }
        let page: Value = client.get(&format!("/jobs/{id}/results?outcome={outcome}&limit={EXAMPLES}")).await?;
        for result in page["items"].as_array().into_iter().flatten() {
            println!("\n{outcome}: {} {}", text(result, "delivery_id"), text(result, "event_type"));
            println!("  was {}", short(&result["was"]));
            println!("  now {}", short(&result["now"]));
            let found: Vec<Difference> = serde_json::from_value(result["differences"].clone()).unwrap_or_default();
            for line in found.iter().flat_map(lines) {
                println!("  {line}");
            }
            if result["truncated"] == true {
                println!("  … and more");
            }
            if let Some(keys) = result["not_recorded"].as_array() {
                let keys: Vec<&str> = keys.iter().filter_map(Value::as_str).collect();
                println!("  it also recalls {}, which was not recorded: it got nothing", keys.join(", "));
            }
        }
    }
    Ok(())
}

/// An outcome in one line.
fn short(summary: &Value) -> String {
    if let Some(requests) = summary["requests"].as_u64() {
        return format!("{requests} request{}", if requests == 1 { "" } else { "s" });
    }
    if let Some(reason) = summary["skipped"].as_str() {
        return format!("skipped: {reason}");
    }
    let failed = &summary["failed"];
    format!("failed: {} ({})", text(failed, "message"), text(failed, "code"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_is_a_name_and_a_version() {
        assert_eq!(candidate("slack@0.2.0"), Ok(("slack".to_owned(), "0.2.0".to_owned())));
        assert!(candidate("slack").unwrap_err().contains("NAME@VERSION"));
    }

    #[test]
    fn outcomes_are_told_in_one_line() {
        assert_eq!(short(&json!({ "requests": 1 })), "1 request");
        assert_eq!(short(&json!({ "requests": 2 })), "2 requests");
        assert_eq!(short(&json!({ "skipped": "no" })), "skipped: no");
        let failed = json!({ "failed": { "code": "plugin.failed", "message": "no title" } });
        assert_eq!(short(&failed), "failed: no title (plugin.failed)");
    }
}
