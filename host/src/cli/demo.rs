//! `hookwright demo`: a server, a receiver that plays the tools, and a few events. Nothing to set up.
//!
//! It uses the public HTTP API only, and checks signatures as a consumer would.

mod api;
mod columns;
mod department;
mod events;
mod folder;
mod follow;
mod jira;
mod page;
mod pivotal;
mod receiver;
mod report;
mod server;
mod signature;
mod slack;
mod tour;
mod trello;
mod webhooks;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use self::folder::Folder;
use self::page::Page;
use self::receiver::Receiver;
use self::server::Server;
use self::tour::Tour;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// For everything together: from starting the server to the last answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// `hookwright demo` arguments
#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// Ends by itself when all has arrived
    #[arg(long)]
    pub once: bool,
    /// Folder with the plugins, slack.wasm and so on
    #[arg(long, value_name = "DIR", default_value = "plugins-examples/target/plugins")]
    pub plugins: PathBuf,
}

pub(crate) async fn run(args: DemoArgs) -> Result<ExitCode, Failure> {
    let deadline = Instant::now() + PATIENCE;
    let plugins = webhooks::read_plugins(&args.plugins)?;
    let folder = Folder::create()?;
    let mut receiver = Receiver::start().await?;
    let mut end = Box::pin(ended_by_user()?);

    let server = tokio::select! {
        started = Server::start(folder.path(), deadline) => started?,
        () = &mut end => return Ok(ExitCode::SUCCESS),
    };
    let story = async {
        let page = Page::for_stdout();
        let tour = Tour::take(page, &server, &mut receiver, plugins, deadline).await?;
        if !tour.problems.is_empty() {
            server.print_log_tail();
        }
        if !args.once {
            follow::show(page, &server, &mut receiver, &tour.webhooks).await?;
        }
        Ok(tour.problems.is_empty())
    };
    let ended: Result<bool, Failure> = tokio::select! {
        ended = story => ended,
        () = &mut end => Ok(true),
    };
    if ended.is_err() {
        server.print_log_tail();
    }
    server.stop().await;
    Ok(if ended? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Resolves on Ctrl-C, SIGTERM, or when the terminal is closed, so that the server and the folder never stay behind.
fn ended_by_user() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}
