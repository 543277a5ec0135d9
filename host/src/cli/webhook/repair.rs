//! What a webhook missed, or could not send, made anew as jobs.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use super::{Asking, of};
use crate::cli::Failure;
use crate::cli::input::past;
use crate::cli::settling::{Settling, show_job};
use crate::domain::clock::Millis;

#[derive(Debug, Args)]
pub(in crate::cli) struct RecoverArgs {
    /// The webhook
    #[arg(value_name = "WEBHOOK")]
    id: String,
    /// Events of this time or later: a time, or how long ago
    #[arg(long, value_name = "TIME", value_parser = past)]
    since: Millis,
    /// Events before this time
    #[arg(long, value_name = "TIME", value_parser = past)]
    until: Option<Millis>,
    #[command(flatten)]
    rest: Rest,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ReprocessArgs {
    /// The webhook
    #[arg(value_name = "WEBHOOK")]
    id: String,
    /// Deliveries of this time or later: a time, or how long ago
    #[arg(long, value_name = "TIME", value_parser = past)]
    since: Option<Millis>,
    /// Deliveries before this time
    #[arg(long, value_name = "TIME", value_parser = past)]
    until: Option<Millis>,
    /// Those that failed so, such as plugin.timeout
    #[arg(long, value_name = "CODE")]
    error: Option<String>,
    /// Those of this version of the plugin
    #[arg(long, value_name = "VERSION")]
    plugin_version: Option<String>,
    #[command(flatten)]
    rest: Rest,
}

#[derive(Debug, Args)]
struct Rest {
    /// Only say how many there are
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
    #[command(flatten)]
    settling: Settling,
    #[command(flatten)]
    asking: Asking,
}

impl Rest {
    async fn begin<const N: usize>(
        &self,
        id: &str,
        what: &str,
        fields: [(&str, Option<Value>); N],
    ) -> Result<ExitCode, Failure> {
        let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let form: Map<String, Value> = given.chain([("dry_run".to_owned(), json!(self.dry_run))]).collect();
        let client = self.asking.open()?;
        let job: Value = client.post(&format!("{}/{what}", of(id)), &Value::Object(form)).await?;
        let job = self.settling.wait_for_job(&client, job).await?;
        show_job(&self.asking, &job)?;
        Ok(self.settling.exit_code_of_job(&job))
    }
}

pub(super) async fn recover(args: &RecoverArgs) -> Result<ExitCode, Failure> {
    let fields = [("since", Some(json!(args.since))), ("until", args.until.map(|until| json!(until)))];
    args.rest.begin(&args.id, "recover", fields).await
}

pub(super) async fn reprocess(args: &ReprocessArgs) -> Result<ExitCode, Failure> {
    let fields = [
        ("since", args.since.map(|since| json!(since))),
        ("until", args.until.map(|until| json!(until))),
        ("error_code", args.error.clone().map(Value::from)),
        ("plugin_version", args.plugin_version.clone().map(Value::from)),
    ];
    args.rest.begin(&args.id, "reprocess", fields).await
}
