//! `hookwright plugin …`: from an idea to a component that a server takes.

mod backtest;
mod build;
mod check;
mod derived;
mod language;
mod logs;
mod names;
mod new;
mod push;
mod replay;
mod run;
mod sdk;
mod shown;
mod source;
mod sources;
mod test;
mod workshop;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::Failure;

#[derive(Debug, Subcommand)]
pub(super) enum PluginCommand {
    /// Make a folder with a plugin that builds and passes its tests
    #[command(after_help = "Examples:
  hookwright plugin new my-plugin                      # in Rust
  hookwright plugin new my-plugin --lang javascript    # or python
  cd my-plugin && hookwright plugin test

Building one in JavaScript installs what its package.json names with `npm install`, once; one in Python makes the
folder venv and installs there what its requirements.txt names.")]
    New(new::NewArgs),
    /// Build a plugin's folder into a component, with the manifest in it
    #[command(after_help = "Examples:
  hookwright plugin build                              # the folder that one is in, with the tools of its language
  hookwright plugin build plugins-examples/slack --module target/wasm32-unknown-unknown/release/slack.wasm
  hookwright plugin build . --component plugin.wasm    # of a compiler that makes components
  hookwright plugin build . --output slack.component.wasm")]
    Build(BuildArgs),
    /// Say whether a server with the usual limits would take a component, and why not
    #[command(after_help = "Examples:
  hookwright plugin check                              # builds the folder that one is in
  hookwright plugin check slack-0.1.0.wasm --json")]
    Check(check::CheckArgs),
    /// Run the golden cases in the server's sandbox, with its limits
    #[command(after_help = "Examples:
  hookwright plugin test                               # builds the folder that one is in
  hookwright plugin test --watch                       # again at every change
  hookwright plugin test --update                      # writes what the plugin makes into cases/
  hookwright plugin test slack-0.1.0.wasm --json")]
    Test(test::TestArgs),
    /// Run a plugin on an event, and show the requests as they would be sent
    #[command(after_help = "Examples:
  hookwright plugin run --event event.json             # builds the folder that one is in
  hookwright plugin run slack-0.1.0.wasm --event cases/ticket-created.json --json
  hookwright plugin run trello.wasm --event event.json --config config.json --fact ticket:42=5f0c1e")]
    Run(run::RunArgs),
    /// Upload a component to a server, and wait until it is checked
    #[command(after_help = "Examples:
  hookwright plugin push                               # builds the folder that one is in
  hookwright plugin push slack-0.1.0.wasm --server https://hooks.example.com --token-file token")]
    Push(push::PushArgs),
    /// Run a delivery's plugin again, here, on exactly what it was given, and compare
    #[command(after_help = "Examples:
  hookwright plugin replay dlv_0199…                   # the version that ran, from the server
  hookwright plugin replay dlv_0199… .                 # the folder that one is in: is it mended?
  hookwright plugin replay dlv_0199… slack-0.2.0.wasm --json
  hookwright plugin replay dlv_0199… . --case cases/no-title.json

Exit codes: 0 the same bytes, or mended; 3 other requests; 4 the plugin fails; 1 anything else")]
    Replay(replay::ReplayArgs),
    /// Try a version and a configuration on events that a webhook delivered, and compare; nothing is sent
    #[command(after_help = "Examples:
  hookwright plugin backtest whk_0199… slack@0.2.0     # over the last 1,000 events
  hookwright plugin backtest whk_0199… --config config.json --last 200 --watch
  hookwright plugin backtest whk_0199… slack@0.2.0 --promote

Exit codes: 0 nothing newly fails; 3 something does; 1 anything else")]
    Backtest(backtest::BacktestArgs),
    /// What plugins log, why they fail and what of their limits they use, run by run
    #[command(after_help = "Examples:
  hookwright plugin logs                               # the last runs of all webhooks
  hookwright plugin logs whk_0199… -f                  # and those to come
  hookwright plugin logs --plugin slack -f --json")]
    Logs(logs::LogsArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct BuildArgs {
    /// Folder with plugin.toml and perhaps cases/
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    given: Given,
    /// Where the component goes [default: NAME-VERSION.wasm in the folder]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What the component is made of.
#[derive(Debug, clap::Args)]
struct Given {
    /// The core module, as cargo builds it for wasm32-unknown-unknown [default: built from the folder]
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// A component without a manifest, as compilers of other languages make it
    #[arg(long, value_name = "FILE", conflicts_with = "module")]
    component: Option<PathBuf>,
    /// What builds the folder instead of cargo: it gets cargo's arguments and adds `--target` itself
    #[arg(long, value_name = "PROGRAM", env = "HOOKWRIGHT_CARGO")]
    cargo: Option<PathBuf>,
}

pub(super) async fn run(command: PluginCommand) -> Result<ExitCode, Failure> {
    match command {
        PluginCommand::New(args) => new::run(&args),
        PluginCommand::Build(args) => build::run(&args),
        PluginCommand::Check(args) => check::run(&args).await,
        PluginCommand::Test(args) => test::run(&args).await,
        PluginCommand::Run(args) => run::run(&args).await,
        PluginCommand::Push(args) => push::run(&args).await,
        PluginCommand::Replay(args) => replay::run(&args).await,
        PluginCommand::Backtest(args) => backtest::run(&args).await,
        PluginCommand::Logs(args) => logs::run(&args).await,
    }
}
