//! `hookwright serve`

use std::io::Write as _;
use std::process::ExitCode;

use super::Failure;
use super::settings::Settings;
use crate::{app, lifecycle, telemetry};

pub(super) async fn run(settings: &Settings) -> Result<ExitCode, Failure> {
    let config = settings.load()?;
    telemetry::start();
    // Crash points exist only in builds for fault-injection tests.
    let _scenario = fail::has_failpoints().then(fail::FailScenario::setup);
    let stop = lifecycle::stop_signal()?;
    app::serve(config, stop, |address| {
        // Whoever started the server may have gone away; that is no reason not to serve.
        let mut stdout = std::io::stdout().lock();
        let _ = writeln!(stdout, "listening on http://{address}").and_then(|()| stdout.flush());
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}
