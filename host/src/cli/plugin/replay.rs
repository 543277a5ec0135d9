//! `hookwright plugin replay`: a recorded delivery's run, done again on this machine.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::Given;
use super::run::shown;
use super::shown::{DIFFERS, FAILS, hint, lines};
use super::workshop::{Unfit, Workshop, component};
use crate::cli::Failure;
use crate::cli::client::Connection;
use crate::deliver::preview;
use crate::domain::difference::{Difference, differences};
use crate::domain::outcome::Outcome;
use crate::domain::plugin::Digest;
use crate::domain::plugin_limits::PluginLimits;
use crate::domain::recording::{self, CONTRACT, Digests, RecordedPayload, Recording};
use crate::sandbox::{Input, Used, outcome};

/// How much of what differs is shown, in bytes.
const DIFFERENCES_BYTES: usize = 64 * 1024;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ReplayArgs {
    /// The delivery
    #[arg(value_name = "DELIVERY")]
    delivery: String,
    /// A component, or a folder with plugin.toml that is built first [default: the version that ran, from the server]
    #[arg(value_name = "FILE|DIR")]
    path: Option<PathBuf>,
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    connection: Connection,
    /// The webhook's URL: its query counts for what requests may be [default: its origin]
    #[arg(long)]
    url: Option<Url>,
    /// Write what it was given as a golden case, which `hookwright plugin test --update` completes
    #[arg(long, value_name = "FILE")]
    case: Option<PathBuf>,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

/// What the server tells of a delivery's run.
#[derive(Debug, Deserialize)]
struct Recorded {
    #[serde(flatten)]
    recording: Recording,
    plugin: Component,
    limits: Option<PluginLimits>,
    url: String,
    digests: Option<Digests>,
    outcome: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Component {
    name: String,
    version: String,
    digest: Digest,
}

/// How a run stands to the recorded one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Same,
    SameFailure,
    Mended,
    Differs,
    NewlyFailing,
    OtherFailure,
    NothingRecorded,
}

impl Comparison {
    fn of(recorded: &Recorded, digest: Digest, now_fails: bool) -> Self {
        let Some((digests, outcome)) = recorded.digests.zip(recorded.outcome.as_ref()) else {
            return Self::NothingRecorded;
        };
        match (digests.output == digest, outcome.get("failed").is_some(), now_fails) {
            (true, _, true) => Self::SameFailure,
            (true, _, false) => Self::Same,
            (false, true, false) => Self::Mended,
            (false, true, true) => Self::OtherFailure,
            (false, false, true) => Self::NewlyFailing,
            (false, false, false) => Self::Differs,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::SameFailure => "same_failure",
            Self::Mended => "mended",
            Self::Differs => "differs",
            Self::NewlyFailing => "newly_failing",
            Self::OtherFailure => "other_failure",
            Self::NothingRecorded => "nothing_recorded",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Same => "same bytes: the plugin makes exactly what it made then",
            Self::SameFailure => "the same failure as recorded",
            Self::Mended => "mended: it failed then, and does not now",
            Self::Differs => "other requests than recorded",
            Self::NewlyFailing => "it fails now, and did not then",
            Self::OtherFailure => "it fails otherwise than recorded",
            Self::NothingRecorded => "there is no run to compare with: the plugin could not begin then",
        }
    }

    fn exit_code(self, now_fails: bool) -> ExitCode {
        match self {
            _ if now_fails => ExitCode::from(FAILS),
            Self::Differs => ExitCode::from(DIFFERS),
            _ => ExitCode::SUCCESS,
        }
    }
}

pub(super) async fn run(args: &ReplayArgs) -> Result<ExitCode, Failure> {
    let client = args.connection.open()?;
    let recorded: Recorded = client.get(&format!("/deliveries/{}/input", args.delivery)).await?;
    if recorded.recording.contract != CONTRACT {
        let theirs = &recorded.recording.contract;
        return Err(format!("it ran by the contract {theirs}, and this program has {CONTRACT}").into());
    }
    let Component { name, digest, .. } = &recorded.plugin;
    let component = match &args.path {
        Some(path) => component(path, &args.given)?,
        None => client.download(&format!("/plugins/{name}/versions/{digest}/component")).await?,
    };
    let limits = recorded.limits.unwrap_or_default();
    let workshop = Workshop::open_with(&limits)?;
    let candidate = match workshop.candidate(component).await {
        Ok(candidate) => candidate,
        Err(Unfit::Failed(error)) => return Err(error),
        Err(Unfit::Refused(failure)) => return Err(format!("{} ({})", failure.message, failure.code).into()),
    };
    let event = Arc::new(recorded.recording.event()?);
    let given = recorded.recording.given(&event);
    let limits = workshop.sandbox.limits(&limits);
    let input = Input::recorded(event.clone(), &given);
    let ran = workshop.sandbox.run(candidate.loaded.clone(), limits, input).await?;
    let url = match &args.url {
        Some(url) => url.clone(),
        None => Url::parse(&recorded.url)?.join("/")?,
    };
    let manifest = &candidate.version.manifest;
    let made = outcome(&ran, manifest, &limits.requests, &url);
    let digests = Digests {
        input: recording::Given { recalled: &ran.used.recalled, ..given }.digest(),
        version: candidate.version.digest,
        output: made.digest(),
    };
    let now_fails = matches!(made, Outcome::Failed { .. });
    let comparison = Comparison::of(&recorded, digests.output, now_fails);
    let was = recorded.outcome.clone().unwrap_or_default();
    let found = match comparison {
        Comparison::Differs => differences(&was, &made.shown(), DIFFERENCES_BYTES).0,
        _ => Vec::new(),
    };
    let replayed = Replayed { version: &manifest.version, made, used: ran.used, digests, url, comparison, found };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&replayed.json(&recorded)?)?);
    } else {
        println!("{}", replayed.lines(&recorded)?.join("\n"));
    }
    if let Some(file) = &args.case {
        let case = serde_json::to_string_pretty(&case(&recorded.recording)?)? + "\n";
        std::fs::write(file, case).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(comparison.exit_code(now_fails))
}

/// What was given, in the form of a golden case. What must come of it is not known yet: the plugin may have failed.
fn case(recording: &Recording) -> Result<Value, Failure> {
    let (event, configuration) = (&recording.event, &recording.subscription.configuration);
    let mut given = Map::from_iter([("type".to_owned(), json!(event.r#type))]);
    match &event.payload {
        None => {}
        Some(RecordedPayload::Text(text)) => {
            let payload = serde_json::from_str(text).map_err(|error| format!("the payload is no JSON: {error}"))?;
            given.insert("payload".to_owned(), payload);
        }
        Some(RecordedPayload::Base64(_)) => {
            return Err("the payload is no JSON, so there is no golden case of it".into());
        }
    }
    given.extend(event.subject.as_ref().map(|subject| ("subject".to_owned(), json!(subject))));
    given.insert("id".to_owned(), json!(event.id));
    given.insert("occurred_at".to_owned(), json!(event.occurred_at));
    given.insert("trigger".to_owned(), json!(event.trigger));
    let known = recording.recalled.iter().filter_map(|fact| Some((fact.key.clone(), json!(fact.value.as_ref()?))));
    let facts: Map<String, Value> = known.collect();
    Ok(json!({
        "name": format!("As in {}", event.delivery_id),
        "event": given,
        "config": serde_json::from_str::<Value>(configuration)?,
        "facts": facts,
        "expect": { "skip": "what `hookwright plugin test --update` writes" },
    }))
}

/// What came of it here.
struct Replayed<'a> {
    version: &'a str,
    made: Outcome,
    used: Used,
    digests: Digests,
    url: Url,
    comparison: Comparison,
    found: Vec<Difference>,
}

impl Replayed<'_> {
    fn json(&self, recorded: &Recorded) -> Result<Value, Failure> {
        let requests = match &self.made {
            Outcome::Requests(requests) => Some(preview(requests, &self.url)?),
            _ => None,
        };
        Ok(json!({
            "delivery_id": recorded.recording.event.delivery_id,
            "comparison": self.comparison.as_str(),
            "plugin": { "name": recorded.plugin.name, "version": self.version },
            "recorded": { "digests": recorded.digests, "outcome": recorded.outcome },
            "replayed": { "digests": self.digests, "outcome": self.made.shown() },
            "requests": requests,
            "differences": self.found,
            "logs": self.used.logs,
            "cpu_us": self.used.cpu_us,
            "memory_bytes": self.used.memory_bytes,
        }))
    }

    fn lines(&self, recorded: &Recorded) -> Result<Vec<String>, Failure> {
        let Component { name, version, .. } = &recorded.plugin;
        let event = &recorded.recording.event;
        let mut told = vec![format!("{}: {} through {name} {version}", event.delivery_id, event.r#type)];
        match &self.made {
            Outcome::Requests(requests) => told.extend(preview(requests, &self.url)?.iter().flat_map(shown)),
            Outcome::Skipped(reason) => told.push(format!("skips the event: {reason}")),
            Outcome::Failed { failure, .. } => {
                told.push(format!("failed: {} ({})", failure.message, failure.code));
                told.push(format!("hint: {}", hint(&failure.code, &failure.message)));
            }
        }
        told.extend(self.used.logs.iter().map(|line| format!("log {}: {}", line.level, line.message)));
        told.push(format!(
            "used: {} us of CPU time, {} KiB of memory",
            self.used.cpu_us,
            self.used.memory_bytes / 1024
        ));
        if let Some(then) = &recorded.digests {
            let line = |what: &str, then: Digest, now: Digest| {
                if then == now {
                    format!("{what} {now}, as recorded")
                } else {
                    format!("{what} {now}, recorded is {then}")
                }
            };
            told.push(line("input  ", then.input, self.digests.input));
            told.push(line("version", then.version, self.digests.version));
            told.push(line("output ", then.output, self.digests.output));
        }
        if let (Comparison::OtherFailure | Comparison::Mended, Some(failed)) =
            (self.comparison, recorded.outcome.as_ref().and_then(|outcome| outcome.get("failed")))
        {
            let text = |name: &str| failed[name].as_str().unwrap_or_default().to_owned();
            told.push(format!("recorded: failed: {} ({})", text("message"), text("code")));
        }
        let known = |key: &str| recorded.recording.recalled.iter().any(|fact| fact.key == key);
        let asked = self.used.recalled.iter().map(|fact| fact.key.as_str());
        let new: Vec<&str> = asked.filter(|key| !known(key)).collect();
        if !new.is_empty() {
            told.push(format!("it also recalls {}, which was not recorded: it got nothing", new.join(", ")));
        }
        told.extend(self.found.iter().flat_map(lines));
        told.push(self.comparison.words().to_owned());
        Ok(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::case_input;

    #[test]
    fn a_recording_makes_a_golden_case() {
        let recording = |payload: Value| {
            let (id, dlv) = ("evt_00000000000070008000000000000001", "dlv_00000000000070008000000000000000");
            let recording = json!({
                "contract": CONTRACT,
                "event": {
                    "id": id, "type": "ticket.created", "subject": "42", "occurred_at": "2026-01-31T12:00:00.000Z",
                    "received_at": "2026-01-31T12:00:00.000Z", "project": "prj_00000000000070008000000000000001",
                    "content_type": "application/json", "attributes": [], "payload": payload, "trigger": "event",
                    "delivery_id": dlv,
                },
                "subscription": { "webhook_id": "whk_00000000000070008000000000000001", "name": "",
                    "configuration": "{\"a\":1}" },
                "recalled": [{ "key": "k", "value": "v" }, { "key": "none", "value": null }],
            });
            serde_json::from_value::<Recording>(recording).unwrap()
        };
        let made = case(&recording(json!({ "text": "{\"n\": 1}" }))).unwrap();
        assert_eq!((&made["facts"], &made["config"]), (&json!({ "k": "v" }), &json!({ "a": 1 })));
        let input = case_input(&made).unwrap();
        assert_eq!(input.event.payload.as_deref(), Some(&b"{\"n\":1}"[..]));
        assert_eq!(input.event.subject.as_deref(), Some("42"));
        for payload in [json!({ "text": "<a/>" }), json!({ "base64": "/w==" })] {
            let error = case(&recording(payload)).unwrap_err().to_string();
            assert!(error.contains("no JSON"), "{error}");
        }
    }
}
