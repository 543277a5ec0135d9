//! The receiver as whoever started it sees it.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    path::Path,
};

use reqwest::{Client, Url};
use serde::de::DeserializeOwned;

use super::{
    Failure,
    process::{Process, Programs},
    row::Row,
    sink::Stats,
    usage::Usage,
};

#[derive(Debug)]
pub(super) struct Receiver {
    process: Process,
    address: SocketAddrV4,
    client: Client,
}

impl Receiver {
    /// At this address what was made before is received, and so many hosts after it are for what is measured. `hang`: the paths on which nothing is answered.
    pub(super) async fn start(
        address: SocketAddrV4,
        measured: u64,
        hang: &[String],
        programs: &Programs,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let mut command = programs.command("hw-sink", folder)?;
        command.args(["--listen", &address.to_string(), "--hosts", &(measured + 1).to_string()]);
        for path in hang {
            command.args(["--hang", path]);
        }
        let process = Process::start(command, &folder.join("sink.log")).await?;
        let port = Url::parse(process.url())?.port().ok_or("the receiver tells its port")?;
        let address = SocketAddrV4::new(*address.ip(), port);
        Ok(Self { process, address, client: Client::builder().no_proxy().build()? })
    }

    /// Where the measured events go: receivers that share nothing but the process.
    pub(super) fn endpoints<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = String> + 'a {
        let first = self.address.ip().to_bits();
        let host = move |index| SocketAddrV4::new(Ipv4Addr::from_bits(first + index), self.address.port());
        row.paths().zip(1..).map(move |(path, index)| format!("http://{}{path}", host(index)))
    }

    pub(super) fn url(&self) -> &str {
        self.process.url()
    }

    pub(super) fn usage(&self) -> Result<Usage, Failure> {
        self.process.usage()
    }

    pub(super) async fn stats(&self) -> Result<Stats, Failure> {
        self.ask("__stats").await
    }

    /// Numbers below `end` that did not come on a path.
    pub(super) async fn missing(&self, path: &str, end: u64) -> Result<Vec<u64>, Failure> {
        self.ask(&format!("__missing?path={path}&end={end}")).await
    }

    /// Counts anew, from a number on.
    pub(super) async fn reset(&self, first: u64) -> Result<(), Failure> {
        let url = format!("{}/__reset?first={first}", self.url());
        self.client.post(url).send().await?.error_for_status()?;
        Ok(())
    }

    pub(super) async fn end(self) -> Result<(), Failure> {
        self.process.end().await
    }

    async fn ask<T: DeserializeOwned>(&self, question: &str) -> Result<T, Failure> {
        Ok(self.client.get(format!("{}/{question}", self.url())).send().await?.json().await?)
    }
}
