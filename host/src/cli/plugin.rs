//! `hookwright plugin …`

mod build;
mod source;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::Failure;

#[derive(Debug, Subcommand)]
pub(super) enum PluginCommand {
    /// Make a component of a plugin's core module, with the manifest in it
    #[command(after_help = "Examples:
  hookwright plugin build plugins-examples/slack --module target/wasm32-unknown-unknown/release/slack.wasm
  hookwright plugin build . --module slack.wasm --output slack.component.wasm")]
    Build(BuildArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct BuildArgs {
    /// Folder with plugin.toml and perhaps cases/
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// The core module, as cargo builds it for wasm32-unknown-unknown
    #[arg(long, value_name = "FILE")]
    module: PathBuf,
    /// Where the component goes [default: NAME-VERSION.wasm in the folder]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(command: &PluginCommand) -> Result<ExitCode, Failure> {
    match command {
        PluginCommand::Build(args) => build::run(args),
    }
}
