//! Starts everything that `make bench` needs, row by row, and tells the figures.

use std::process::ExitCode;

use clap::Parser as _;
use hookwright_tests::bench::{self, benchmark::Benchmark};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    bench::run(Benchmark::parse().run()).await
}
