//! The binary.

use std::process::ExitCode;

use clap::Parser as _;

/// Many small values are made on one thread and dropped on another, at which the C library's allocator is slow.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hookwright::cli::Cli::parse().run()
}
