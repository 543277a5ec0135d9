//! Makes a screenshot of every page of the web UI.

use clap::Parser as _;
use hookwright_tests::pictures::Pictures;

#[tokio::main]
async fn main() {
    Pictures::parse().make().await;
}
