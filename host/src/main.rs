//! The binary.

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    hookwright::cli::Cli::parse().run().await
}
