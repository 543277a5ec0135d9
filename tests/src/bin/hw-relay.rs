//! Takes events at `POST /events`, keeps them in a file and forwards them.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use hookwright_tests::bench::{self, listen, relay};
use reqwest::Url;

#[derive(Debug, Parser)]
#[command(name = "hw-relay")]
struct Args {
    /// Where events are kept
    #[arg(long)]
    file: PathBuf,
    /// Where each event goes; may be given several times
    #[arg(long, required = true)]
    target: Vec<Url>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    bench::run(async { relay::serve(listen().await?, &args.file, args.target).await }).await
}
