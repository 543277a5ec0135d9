//! `hookwright migrate`

use std::process::ExitCode;

use super::Failure;
use super::settings::Settings;
use crate::domain::clock::Clock;
use crate::domain::entropy::Entropy;
use crate::{app, telemetry};

pub(super) async fn run(settings: &Settings) -> Result<ExitCode, Failure> {
    let config = settings.load()?;
    telemetry::start();
    let store = app::open_store(&config, &Clock::System, &Entropy::System).await?;
    store.close().await;
    println!("the schema is up to date");
    Ok(ExitCode::SUCCESS)
}
