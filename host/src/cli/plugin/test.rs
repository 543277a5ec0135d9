//! `hookwright plugin test`: golden cases in the sandbox.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::shown::hint;
use super::source;
use super::sources::newest;
use super::workshop::{Subject, Unfit, Workshop};
use crate::cli::Failure;
use crate::sandbox::{CaseRun, RunLimits};

/// How often the folder is looked at for changes.
const LOOK: Duration = Duration::from_millis(300);

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct TestArgs {
    #[command(flatten)]
    subject: Subject,
    /// Write what the plugin makes into the cases, instead of comparing
    #[arg(long)]
    update: bool,
    /// Test again whenever a file of the folder changes, until interrupted
    #[arg(long, conflicts_with = "json")]
    watch: bool,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &TestArgs) -> Result<ExitCode, Failure> {
    let path = &args.subject.path;
    if (args.update || args.watch) && !path.is_dir() {
        return Err(format!("{} is no folder: there are no files to watch or to write", path.display()).into());
    }
    let workshop = Workshop::open()?;
    if !args.watch {
        return once(&workshop, args).await;
    }
    loop {
        let seen = newest(path);
        if let Err(error) = once(&workshop, args).await {
            eprintln!("error: {error}");
        }
        println!("waiting for a change in {}", path.display());
        while newest(path) == seen {
            tokio::time::sleep(LOOK).await;
        }
    }
}

async fn once(workshop: &Workshop, args: &TestArgs) -> Result<ExitCode, Failure> {
    let candidate = match workshop.candidate(args.subject.component()?).await {
        Ok(candidate) => candidate,
        Err(Unfit::Failed(error)) => return Err(error),
        Err(Unfit::Refused(failure)) => return Err(format!("{} ({})", failure.message, failure.code).into()),
    };
    let manifest = &candidate.version.manifest;
    let limits = workshop.sandbox.limits(&crate::domain::plugin_limits::PluginLimits::default());
    let mut ran = Vec::new();
    for case in &manifest.cases {
        let run = workshop.sandbox.run_case(&candidate.version, &candidate.loaded, case).await?;
        if !args.json && !args.update {
            println!("{}", line(&run, &limits));
        }
        ran.push(run);
    }
    if args.update {
        return update(&args.subject.path, &ran);
    }
    let failed = ran.iter().filter(|run| run.result.is_err()).count();
    if args.json {
        let cases: Vec<Value> = ran.iter().map(told).collect();
        println!("{}", json!({ "name": manifest.name, "version": manifest.version, "failed": failed, "cases": cases }));
    } else if ran.is_empty() {
        println!("there are no golden cases: put an event and what it must give into cases/NAME.json");
    } else {
        println!("{}: {} of {} golden cases pass", manifest.name, ran.len() - failed, ran.len());
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One case for a person.
fn line(run: &CaseRun, limits: &RunLimits) -> String {
    let percent = |used: u64, allowed: u64| (used * 100).checked_div(allowed).unwrap_or(0);
    let cpu = percent(run.used.cpu_us, u64::try_from(limits.cpu.as_micros()).unwrap_or(u64::MAX));
    let memory = percent(run.used.memory_bytes, limits.memory_bytes as u64);
    let used =
        format!("{} us ({cpu} % of the limit), {} KiB ({memory} %)", run.used.cpu_us, run.used.memory_bytes / 1024);
    match &run.result {
        Ok(()) => format!("ok      {}: {used}", run.name),
        Err(failure) => {
            let logs = run.used.logs.iter().map(|line| format!("          {}: {}", line.level, line.message));
            let failed = format!("FAILED  {}: {used}\n        {} ({})", run.name, failure.message, failure.code);
            let hint = format!("        hint: {}", hint(&failure.code, &failure.message));
            [failed].into_iter().chain(logs).chain([hint]).collect::<Vec<_>>().join("\n")
        }
    }
}

fn told(run: &CaseRun) -> Value {
    json!({
        "name": run.name,
        "passed": run.result.is_ok(),
        "error": run.result.as_ref().err(),
        "cpu_us": run.used.cpu_us,
        "memory_bytes": run.used.memory_bytes,
        "logs": run.used.logs,
    })
}

/// Writes what was made into the files that the cases came from, in whose order they ran.
fn update(folder: &Path, ran: &[CaseRun]) -> Result<ExitCode, Failure> {
    let mut written = 0;
    for (path, run) in source::case_files(&folder.join("cases"))?.iter().zip(ran) {
        let Some(made) = &run.made else {
            let reason = run.result.as_ref().err().map_or("", |failure| &failure.message);
            return Err(format!("{}: {reason}", path.display()).into());
        };
        let mut case: Value = serde_json::from_slice(&std::fs::read(path)?)?;
        if case["expect"] != *made {
            case["expect"] = made.clone();
            std::fs::write(path, serde_json::to_string_pretty(&case)? + "\n")?;
            println!("{}: written", path.display());
            written += 1;
        }
    }
    println!("{written} of {} golden cases have changed", ran.len());
    Ok(ExitCode::SUCCESS)
}
