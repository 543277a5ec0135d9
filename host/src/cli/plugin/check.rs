//! `hookwright plugin check`: admission without an upload.

use std::process::ExitCode;

use serde_json::json;

use super::shown::hint;
use super::workshop::{Subject, Unfit, Workshop};
use crate::cli::Failure;
use crate::domain::plugin::PluginFailure;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct CheckArgs {
    #[command(flatten)]
    subject: Subject,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &CheckArgs) -> Result<ExitCode, Failure> {
    let component = args.subject.component()?;
    let workshop = Workshop::open()?;
    let candidate = match workshop.candidate(component).await {
        Ok(candidate) => candidate,
        Err(Unfit::Failed(error)) => return Err(error),
        Err(Unfit::Refused(failure)) => return Ok(refused(&failure, args.json)),
    };
    let version = &candidate.version;
    let manifest = &version.manifest;
    for case in &manifest.cases {
        let ran = workshop.sandbox.run_case(version, &candidate.loaded, case).await?;
        if let Err(failure) = ran.result {
            return Ok(refused(&failure, args.json));
        }
    }
    let took_ms = u64::try_from(candidate.took.as_millis()).unwrap_or(u64::MAX);
    if args.json {
        let told = json!({
            "name": manifest.name,
            "version": manifest.version,
            "digest": version.digest.to_string(),
            "size_bytes": version.size_bytes,
            "status": "ready",
            "cases": manifest.cases.len(),
            "compile_ms": took_ms,
        });
        println!("{told}");
    } else {
        println!("{} {}: a server would take it", manifest.name, manifest.version);
        println!(
            "  {} bytes, compiled in {took_ms} ms, {} golden cases pass",
            version.size_bytes,
            manifest.cases.len()
        );
        println!("  {}", version.digest);
    }
    Ok(ExitCode::SUCCESS)
}

fn refused(failure: &PluginFailure, json: bool) -> ExitCode {
    if json {
        println!("{}", json!({ "status": "refused", "error": failure }));
    } else {
        eprintln!("refused: {} ({})", failure.message, failure.code);
        eprintln!("hint: {}", hint(&failure.code, &failure.message));
    }
    ExitCode::FAILURE
}
