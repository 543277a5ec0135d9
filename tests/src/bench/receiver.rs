//! The receiver as whoever started it sees it.

use std::{net::SocketAddr, path::Path};

use reqwest::Client;
use serde::de::DeserializeOwned;

use super::{
    Failure,
    process::{Process, Programs},
    sink::Stats,
    usage::Usage,
};

#[derive(Debug)]
pub(super) struct Receiver {
    process: Process,
    client: Client,
}

impl Receiver {
    /// `hang`: the paths on which nothing is answered.
    pub(super) async fn start(
        address: SocketAddr,
        hang: &[String],
        programs: &Programs,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let mut command = programs.command("hw-sink", folder)?;
        command.args(["--listen", &address.to_string()]);
        for path in hang {
            command.args(["--hang", path]);
        }
        let process = Process::start(command, &folder.join("sink.log")).await?;
        Ok(Self { process, client: Client::builder().no_proxy().build()? })
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
