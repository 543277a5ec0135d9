//! Which deliveries, and all of them as lines.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value};

use super::Asking;
use crate::cli::Failure;
use crate::cli::asking::{Parameters, Progress, print};
use crate::cli::client::with_query;
use crate::cli::input::past;
use crate::domain::clock::Millis;

/// What deliveries are looked for.
#[derive(Debug, Args)]
pub(super) struct Choice {
    /// Of this webhook
    #[arg(long, value_name = "WEBHOOK")]
    webhook: Option<String>,
    /// Of this event
    #[arg(long, value_name = "EVENT")]
    event: Option<String>,
    /// Of this type of event
    #[arg(long = "type", value_name = "TYPE", id = "event_type")]
    kind: Option<String>,
    /// That stand so: pending, retrying, succeeded, failed, skipped, parked, held, cancelled, collecting, collected
    #[arg(long)]
    pub(super) status: Option<String>,
    /// Of which an attempt was answered so
    #[arg(long, value_name = "CODE")]
    status_code: Option<u16>,
    /// That pass through this plugin
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// That pass through this version of it
    #[arg(long, value_name = "VERSION")]
    plugin_version: Option<String>,
    /// Made for this reason: event, manual, test, schedule, reprocess
    #[arg(long)]
    trigger: Option<String>,
    /// Made at this time or later: a time, or how long ago
    #[arg(long, value_name = "TIME", value_parser = past)]
    since: Option<Millis>,
    /// Made before this time
    #[arg(long, value_name = "TIME", value_parser = past)]
    until: Option<Millis>,
}

impl Choice {
    /// As the parameters of a list.
    pub(super) fn parameters(&self) -> Parameters<'static> {
        vec![
            ("webhook_id", self.webhook.clone()),
            ("event_id", self.event.clone()),
            ("event_type", self.kind.clone()),
            ("status", self.status.clone()),
            ("status_code", self.status_code.map(|code| code.to_string())),
            ("plugin", self.plugin.clone()),
            ("plugin_version", self.plugin_version.clone()),
            ("trigger", self.trigger.clone()),
            ("since", self.since.map(|since| since.to_string())),
            ("until", self.until.map(|until| until.to_string())),
        ]
    }

    /// As the fields of what is done to many.
    pub(super) fn form(&self) -> Map<String, Value> {
        let fields = self.parameters().into_iter().filter(|(name, _)| *name != "status_code");
        let mut form: Map<String, Value> =
            fields.filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?)))).collect();
        if let Some(code) = self.status_code {
            form.insert("status_code".to_owned(), Value::from(code));
        }
        form
    }

    /// Whether anything is chosen.
    pub(super) fn is_empty(&self) -> bool {
        self.form().is_empty()
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExportArgs {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    lines: ExportTo,
}

/// Where lines go.
#[derive(Debug, Args)]
pub(in crate::cli) struct ExportTo {
    /// Into this file, which is whole or not there [default: stdout]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    asking: Asking,
}

impl ExportTo {
    /// Writes all lines of an export.
    pub(in crate::cli) async fn write(&self, path: &str, parameters: Parameters<'_>) -> Result<(), Failure> {
        let client = self.asking.open()?;
        let path = with_query(path, parameters);
        let Some(output) = &self.output else {
            return client.lines(&path, |line| print(&String::from_utf8_lossy(line))).await;
        };
        let told = |error: std::io::Error| Failure::from(format!("{}: {error}", output.display()));
        let part = output.with_added_extension("part");
        let mut file = BufWriter::new(File::create(&part).map_err(told)?);
        let (mut count, progress) = (0_u64, Progress::new());
        let written = client
            .lines(&path, |line| {
                count += 1;
                if count.is_multiple_of(100) {
                    progress.tell(&format!("{count} lines"));
                }
                file.write_all(line).and_then(|()| file.write_all(b"\n")).map_err(told)
            })
            .await;
        progress.end();
        if let Err(error) = written {
            // Half an export is not left for a whole one.
            let _ = std::fs::remove_file(&part);
            return Err(error);
        }
        let file = file.into_inner().map_err(|error| told(error.into_error()))?;
        file.sync_all().and_then(|()| std::fs::rename(&part, output)).map_err(told)?;
        eprintln!("{count} lines in {}", output.display());
        Ok(())
    }
}

pub(super) async fn export(args: &ExportArgs) -> Result<(), Failure> {
    args.lines.write("/deliveries/export", args.choice.parameters()).await
}
