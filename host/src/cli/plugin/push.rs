//! `hookwright plugin push`: a component on a server.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::workshop::Subject;
use crate::cli::Failure;
use crate::cli::client::Connection;

/// How often a check that goes on is asked about.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PushArgs {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    connection: Connection,
    /// The server's answer, as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &PushArgs) -> Result<ExitCode, Failure> {
    let client = args.connection.open()?;
    let mut plugin: Value = client.upload(args.subject.component()?).await?;
    let text = |plugin: &Value, name: &str| plugin[name].as_str().unwrap_or_default().to_owned();
    let (name, version) = (text(&plugin, "name"), text(&plugin, "version"));
    while plugin["status"] == "checking" {
        if !args.json {
            eprintln!("{name} {version} is being checked");
        }
        tokio::time::sleep(LOOK).await;
        plugin = client.get(&format!("/plugins/{name}/versions/{version}")).await?;
    }
    if args.json {
        println!("{plugin}");
    } else if plugin["status"] == "ready" {
        println!("{name} {version} is ready ({})", text(&plugin, "digest"));
    }
    if plugin["status"] == "ready" {
        return Ok(ExitCode::SUCCESS);
    }
    let error = &plugin["error"];
    Err(format!("{name} {version} was refused: {} ({})", text(error, "message"), text(error, "code")).into())
}
