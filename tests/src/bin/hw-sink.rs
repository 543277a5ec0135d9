//! Receives deliveries and counts them: `GET /__stats`, `GET /__missing?path=PATH&end=N`, `POST /__reset?first=N`.

use std::{net::Ipv4Addr, net::SocketAddrV4, process::ExitCode};

use clap::Parser;
use hookwright_tests::bench::{self, listen, sink};
use tokio::net::TcpListener;

#[derive(Debug, Parser)]
#[command(name = "hw-sink")]
struct Args {
    /// Address and port
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddrV4,
    /// How many addresses, from that one on, are listened at, each a receiver of its own
    #[arg(long, default_value_t = 1)]
    hosts: u32,
    /// A path on which no request is answered; may be given several times
    #[arg(long, value_name = "PATH")]
    hang: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    bench::run(async {
        let first = listen(args.listen.into()).await?;
        let port = first.local_addr()?.port();
        let mut listeners = vec![first];
        for host in 1..args.hosts {
            listeners.push(TcpListener::bind((Ipv4Addr::from_bits(args.listen.ip().to_bits() + host), port)).await?);
        }
        sink::serve(listeners, args.hang).await
    })
    .await
}
