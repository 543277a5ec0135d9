//! What one event costs in a fresh sandbox, beside the same work done natively and in a fresh `QuickJS`; and what a thousand
//! plugins take of memory. Part of `make bench`.

mod memory;
mod speed;
mod subject;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::Serialize;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// What ends the program: told on stderr, exit code 1.
pub(crate) use hookwright_plugin_sandbox::Failure;

/// Measures plugins; figures go to stdout as one line of JSON.
#[derive(Debug, Parser)]
#[command(name = "hw-plugins")]
struct Cli {
    /// The `hookwright` program, which compiles components
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// The folder with the example plugins' components
    #[arg(long, value_name = "DIR")]
    plugins: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Time of one event: fresh sandbox, native, fresh `QuickJS`; and what two threads do
    Speed {
        /// How often each is measured; told is the median
        #[arg(long, default_value_t = 5)]
        repeat: usize,
    },
    /// Memory after so many plugins have run once each
    Memory {
        /// How many
        #[arg(long, default_value_t = 1000)]
        count: u64,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut cli = Cli::parse();
    // The process that compiles runs in another folder.
    cli.program = std::path::absolute(&cli.program).unwrap_or(cli.program);
    let told = match cli.what {
        What::Speed { repeat } => {
            speed::measure(&cli.program, &cli.plugins, repeat).await.and_then(|figures| tell(&figures))
        }
        What::Memory { count } => {
            memory::measure(&cli.program, &cli.plugins, count).await.and_then(|figures| tell(&figures))
        }
    };
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tell(figures: &impl Serialize) -> Result<(), Failure> {
    println!("{}", serde_json::to_string(figures)?);
    Ok(())
}
