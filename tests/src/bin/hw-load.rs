//! Posts events and prints, as JSON, how it went.

use std::process::ExitCode;

use clap::Parser as _;
use hookwright_tests::bench::{self, load::Load};

// One thread, so that it takes little from what it measures.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let load = Load::parse();
    bench::run(async {
        let outcome = load.run().await?;
        println!("{}", serde_json::to_string(&outcome)?);
        Ok(ExitCode::SUCCESS)
    })
    .await
}
