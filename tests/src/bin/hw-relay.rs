//! Takes events at `POST /events`, keeps them in a file and forwards them.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, thread::available_parallelism};

use clap::Parser;
use hookwright_tests::bench::{self, Failure, relay};
use reqwest::Url;
use tokio::runtime::Builder;

#[derive(Debug, Parser)]
#[command(name = "hw-relay")]
struct Args {
    /// Address and port
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where events are kept
    #[arg(long)]
    file: PathBuf,
    /// Where each event goes; may be given several times
    #[arg(long, required = true)]
    target: Vec<Url>,
    /// Threads that serve and send, besides the one that waits for the disk [default: half the processors; publishers
    /// and receivers have the other half]
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> Result<ExitCode, Failure> {
    let args = Args::parse();
    let half = || available_parallelism().map_or(1, |processors| processors.get().div_ceil(2));
    let threads = args.threads.unwrap_or_else(half);
    // Alone, a thread is cheaper without what several need among them.
    let mut runtime = if threads > 1 { Builder::new_multi_thread() } else { Builder::new_current_thread() };
    let runtime = runtime.worker_threads(threads).enable_all().build()?;
    Ok(runtime.block_on(bench::run(relay::serve(args.listen, &args.file, args.target))))
}
