//! The command line.

mod client;
mod demo;
mod keys;
mod migrate;
mod plugin;
mod schedule;
mod serve;
mod settings;
mod user;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::sandbox::{ChildLimits, compile_child};

/// What a command fails with: told on stderr, exit code 1.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A webhook server that signs, delivers and reshapes events.
#[derive(Debug, Parser)]
#[command(name = "hookwright", version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(settings::Settings),
    /// Show it at work: a server, a receiver that plays Slack, Trello and a department, and three events
    Demo(demo::DemoArgs),
    /// Bring the database's schema up to date, and stop
    Migrate(settings::Settings),
    /// Make plugins
    #[command(subcommand)]
    Plugin(Box<plugin::PluginCommand>),
    /// Events at certain times
    #[command(subcommand)]
    Schedule(Box<schedule::ScheduleCommand>),
    /// People who may log in
    #[command(subcommand)]
    User(user::UserCommand),
    /// Replace the keys that seal secrets
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// The server's own child: compiles the component on stdin
    #[command(hide = true)]
    CompilePlugin(ChildLimits),
}

impl Cli {
    /// Runs the command.
    pub fn run(self) -> ExitCode {
        // Before anything else is started: it confines the process that it runs in.
        if let Command::CompilePlugin(limits) = self.command {
            return compile_child(limits);
        }
        match tokio::runtime::Runtime::new() {
            Ok(runtime) => runtime.block_on(self.execute()),
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        }
    }

    async fn execute(self) -> ExitCode {
        let result = match self.command {
            Command::Serve(settings) => serve::run(&settings).await,
            Command::Demo(args) => demo::run(args).await,
            Command::Migrate(settings) => migrate::run(&settings).await,
            Command::Plugin(command) => plugin::run(*command).await,
            Command::Schedule(command) => schedule::run(*command).await,
            Command::User(command) => user::run(command).await,
            Command::Keys(command) => keys::run(command).await,
            Command::CompilePlugin(limits) => Ok(compile_child(limits)),
        };
        result.unwrap_or_else(|error| {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        })
    }
}
