//! `make bench`: what the load generator, the receiver, the durable relay and the program that starts them are
//! made of. Each runs as a process of its own, so that what one uses is not counted for another.

pub mod benchmark;
mod body;
mod clock;
mod database;
mod fill;
mod histogram;
mod ledger;
pub mod load;
mod log;
mod mark;
mod measure;
mod median;
mod message;
mod pages;
mod plugins;
mod process;
mod publisher;
mod rate;
mod receiver;
pub mod relay;
mod report;
mod row;
mod setting;
pub mod sink;
mod stock;
mod subject;
mod trial;
mod usage;

use std::{io::Write as _, net::SocketAddr, process::ExitCode};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// What ends a program: told on stderr, exit code 1.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Told on the first line of stdout, as the server does.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address).await?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "listening on http://{}", listener.local_addr()?)?;
    stdout.flush()?;
    drop(stdout);
    Ok(listener)
}

/// Runs a program to its end, or until it is told to stop: then what it started is dropped, and killed by that.
pub async fn run(program: impl Future<Output = Result<ExitCode, Failure>>) -> ExitCode {
    let stopped = async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Err("stopped by a signal".into())
    };
    let result = tokio::select! {
        result = program => result,
        result = stopped => result,
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}
