//! The command line.

mod asking;
mod audit;
mod client;
mod completions;
mod delivery;
mod demo;
mod event;
mod event_type;
mod exit;
mod following;
mod ink;
mod input;
mod job;
mod keys;
mod listen;
mod login;
#[cfg(test)]
mod manual;
mod migrate;
mod plugin;
mod profiles;
mod project;
mod schedule;
mod serve;
mod settings;
mod settling;
mod table;
mod token;
mod user;
mod webhook;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::api::openapi;
use crate::sandbox::{ChildLimits, compile_child};

/// What a command fails with: told on stderr, exit code 1.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A webhook server that signs, delivers and reshapes events; and what one asks it with.
#[derive(Debug, Parser)]
#[command(name = "hookwright", version, about, arg_required_else_help = true)]
#[command(after_help = "Examples:
  hookwright serve
  hookwright login --server https://hooks.example.com
  hookwright webhook create --url https://example.com/hooks --event 'ticket.*'
  hookwright event send ticket.created --file ticket.json --wait
  hookwright listen --forward-to http://localhost:3000

docs/COMMANDS.md has all of them, and what exit codes mean")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(settings::Settings),
    /// Show it at work: a server, a receiver that plays Slack, Trello and a department, and three events
    #[command(after_help = "Examples:
  hookwright demo
  hookwright demo --once --plugins plugins-examples/target/plugins")]
    Demo(demo::DemoArgs),
    /// Bring the database's schema up to date, and stop
    #[command(after_help = "Examples:
  hookwright migrate
  hookwright migrate --database postgres://hookwright@db/hookwright")]
    Migrate(settings::Settings),
    /// Note a server and a token, and use them from now on
    Login(login::LoginArgs),
    /// Servers that are known by a name
    #[command(subcommand)]
    Profile(login::ProfileCommand),
    /// What providers post
    #[command(subcommand)]
    Event(event::EventCommand),
    /// Which events there are
    #[command(subcommand)]
    EventType(event_type::EventTypeCommand),
    /// Who wants which events, and where they go
    #[command(subcommand)]
    Webhook(webhook::WebhookCommand),
    /// What became of events, and what people do about it
    #[command(subcommand)]
    Delivery(delivery::DeliveryCommand),
    /// Long work, how far it is, and its end
    #[command(subcommand)]
    Job(job::JobCommand),
    /// Forward events to this machine, which no server can reach
    Listen(listen::ListenArgs),
    /// What programs come with
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Everything in one is isolated from every other
    #[command(subcommand)]
    Project(project::ProjectCommand),
    /// Who did what to what
    #[command(subcommand)]
    Audit(audit::AuditCommand),
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
    /// Print the description of the HTTP API (`OpenAPI` 3.1), as the server gives it at `/api/v1/openapi.json`
    #[command(after_help = "Examples:
  hookwright openapi > openapi.json")]
    Openapi,
    /// What makes a shell complete these commands
    Completions(completions::CompletionsArgs),
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
            Command::Login(args) => login::login(&args).await,
            Command::Profile(command) => login::run(&command),
            Command::Event(command) => event::run(command).await,
            Command::EventType(command) => event_type::run(command).await,
            Command::Webhook(command) => webhook::run(command).await,
            Command::Delivery(command) => delivery::run(command).await,
            Command::Job(command) => job::run(command).await,
            Command::Listen(args) => listen::run(&args).await,
            Command::Token(command) => token::run(command).await,
            Command::Project(command) => project::run(command).await,
            Command::Audit(command) => audit::run(command).await,
            Command::Completions(args) => completions::run(&args),
            Command::Plugin(command) => plugin::run(*command).await,
            Command::Schedule(command) => schedule::run(*command).await,
            Command::User(command) => user::run(command).await,
            Command::Keys(command) => keys::run(command).await,
            Command::Openapi => {
                print!("{}", openapi());
                Ok(ExitCode::SUCCESS)
            }
            Command::CompilePlugin(limits) => Ok(compile_child(limits)),
        };
        result.unwrap_or_else(|error| {
            eprintln!("error: {error}");
            exit::code(&error)
        })
    }
}
