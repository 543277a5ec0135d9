//! Receives deliveries and counts them: `GET /__stats`, `GET /__missing?path=PATH&end=N`, `POST /__reset?first=N`.

use std::{net::SocketAddr, process::ExitCode};

use clap::Parser;
use hookwright_tests::bench::{self, listen, sink};

#[derive(Debug, Parser)]
#[command(name = "hw-sink")]
struct Args {
    /// Address and port
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// A path on which no request is answered; may be given several times
    #[arg(long, value_name = "PATH")]
    hang: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    bench::run(async { sink::serve(listen(args.listen).await?, args.hang).await }).await
}
