//! `hookwright plugin run`: what a plugin makes of an event of one's own.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Map, Value, json};
use url::Url;

use super::shown::hint;
use super::workshop::{Subject, Unfit, Workshop};
use crate::cli::Failure;
use crate::deliver::{Previewed, preview};
use crate::domain::outcome::Outcome;
use crate::domain::plugin::{PluginFailure, PluginVersion};
use crate::domain::plugin_limits::PluginLimits;
use crate::domain::schema::{Schema, SchemaLimits};
use crate::sandbox::{Ran, Transformed, case_input, outcome};

/// What of an event is a plugin's input; other fields of an event as the API shows it are left out.
const EVENT_FIELDS: [&str; 6] = ["type", "payload", "subject", "id", "occurred_at", "trigger"];

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RunArgs {
    #[command(flatten)]
    subject: Subject,
    /// The event: JSON as one posts it, as the API shows it, or a golden case
    #[arg(long, value_name = "FILE")]
    event: PathBuf,
    /// The webhook's configuration for the plugin: JSON [default: the golden case's, or {}]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What earlier answers taught the plugin, for one with memory
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    fact: Vec<(String, String)>,
    /// The webhook's URL
    #[arg(long, default_value = "https://receiver.example/")]
    url: Url,
    /// Only the requests, as a JSON array
    #[arg(long)]
    json: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it is KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(super) async fn run(args: &RunArgs) -> Result<ExitCode, Failure> {
    let case = case(args)?;
    let input = case_input(&case)?;
    let workshop = Workshop::open()?;
    let candidate = match workshop.candidate(args.subject.component()?).await {
        Ok(candidate) => candidate,
        Err(Unfit::Failed(error)) => return Err(error),
        Err(Unfit::Refused(failure)) => return Err(format!("{} ({})", failure.message, failure.code).into()),
    };
    let version = &candidate.version;
    check_configuration(version, &case["config"])?;
    let limits = workshop.sandbox.limits(&PluginLimits::default());
    let ran = workshop.sandbox.run(candidate.loaded.clone(), limits, input).await?;
    let requests = match outcome(&ran, &version.manifest, &limits.requests, &args.url) {
        Outcome::Failed { failure, .. } => Err(failure),
        Outcome::Skipped(_) => Ok(Vec::new()),
        Outcome::Requests(frozen) => {
            preview(&frozen, &args.url).map_err(|error| PluginFailure::new("plugin.bad_output", error))
        }
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(requests.as_deref().unwrap_or_default())?);
    }
    tell(args, version, &ran, &requests);
    Ok(if requests.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Event, configuration and facts in the form of a golden case.
fn case(args: &RunArgs) -> Result<Value, Failure> {
    let given = read(&args.event)?;
    let (event, config, facts) = match given.get("event") {
        Some(event) => (event.clone(), given.get("config").cloned(), given.get("facts").cloned()),
        None => (given, None, None),
    };
    let event: Map<String, Value> = match event {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(name, value)| EVENT_FIELDS.contains(&name.as_str()) && !value.is_null())
            .collect(),
        _ => return Err(format!("{}: an event is a JSON object", args.event.display()).into()),
    };
    if !event.contains_key("type") {
        return Err(format!("{}: the event has no `type`, such as \"ticket.created\"", args.event.display()).into());
    }
    let config = match &args.config {
        Some(file) => read(file)?,
        None => config.unwrap_or_else(|| json!({})),
    };
    let mut facts = facts.unwrap_or_else(|| json!({}));
    for (key, value) in &args.fact {
        facts[key] = json!(value);
    }
    Ok(json!({ "name": "run", "event": event, "config": config, "facts": facts, "expect": { "skip": "" } }))
}

fn read(file: &Path) -> Result<Value, Failure> {
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", file.display()).into())
}

/// A webhook could not be saved with another one.
fn check_configuration(version: &PluginVersion, config: &Value) -> Result<(), Failure> {
    let schema = Schema::new(&version.manifest.config, SchemaLimits::default()).map_err(|error| error.to_string())?;
    let wrong: Vec<String> =
        schema.check(config).iter().map(|wrong| format!("  at `/config{}`: {}", wrong.pointer, wrong.detail)).collect();
    if wrong.is_empty() { Ok(()) } else { Err(format!("the configuration is wrong:\n{}", wrong.join("\n")).into()) }
}

/// For people; beside JSON on stderr.
fn tell(
    args: &RunArgs,
    version: &PluginVersion,
    ran: &Ran<Transformed>,
    requests: &Result<Vec<Previewed>, PluginFailure>,
) {
    let mut lines = Vec::new();
    let named = format!("{} {}", version.manifest.name, version.manifest.version);
    match (requests, &ran.result) {
        (Err(failure), _) => {
            lines.push(format!("{named} failed: {} ({})", failure.message, failure.code));
            lines.push(format!("hint: {}", hint(&failure.code, &failure.message)));
        }
        (Ok(_), Ok(Transformed::Skip(reason))) => lines.push(format!("{named} skips the event: {reason}")),
        (Ok(requests), _) => {
            lines.push(format!("{named} makes {} requests", requests.len()));
            if !args.json {
                lines.extend(requests.iter().flat_map(shown));
            }
        }
    }
    lines.extend(ran.used.logs.iter().map(|line| format!("log {}: {}", line.level, line.message)));
    lines.push(format!("used: {} us of CPU time, {} KiB of memory", ran.used.cpu_us, ran.used.memory_bytes / 1024));
    for line in lines {
        if args.json {
            eprintln!("{line}");
        } else {
            println!("{line}");
        }
    }
}

pub(super) fn shown(request: &Previewed) -> Vec<String> {
    let mut lines = vec![String::new(), format!("{} {}    {}", request.method, request.url, request.label)];
    let headers: Vec<Value> = serde_json::from_str(request.headers.get()).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    lines.extend(headers.iter().map(|header| format!("{}: {}", text(&header["name"]), text(&header["value"]))));
    if let Some(body) = &request.body {
        lines.push(String::new());
        let pretty = serde_json::from_str::<Value>(body).and_then(|json| serde_json::to_string_pretty(&json));
        lines.push(pretty.unwrap_or_else(|_| body.clone()));
    }
    if let Some(base64) = &request.body_base64 {
        lines.push(format!("(bytes, in base64) {base64}"));
    }
    lines.push(String::new());
    lines
}
