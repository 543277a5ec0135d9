//! What is measured, running: nothing, the relay, or the server with its webhooks.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;
use sqlx::Connection as _;

use super::{
    Failure,
    process::{Process, Programs, Usage},
    relay,
    row::{Plugin, Row, Store},
};
use crate::{api::Api, example::example};

/// The type of the events that are measured.
pub(super) const MEASURED: &str = "ticket.created";
/// The type of the events that are there before.
pub(super) const EARLIER: &str = "ticket.updated";
/// Where receivers of earlier events are: ten, as for fan-out, and the one that never answers.
pub(super) const EARLIER_PATHS: [&str; 10] = ["/a", "/b", "/c", "/d", "/e", "/f", "/g", "/h", "/i", "/j"];
pub(super) const BACKLOG_PATH: &str = "/backlog";

#[derive(Debug)]
pub(super) struct Subject {
    process: Option<Process>,
    /// Where events are posted.
    pub(super) events_url: String,
    pub(super) token: Option<String>,
    commits: Commits,
}

/// Where the number of commits stands.
#[derive(Debug)]
enum Commits {
    Nowhere,
    Relay(String),
    Sqlite(PathBuf),
}

impl Subject {
    pub(super) async fn start(row: &Row, receiver: &str, programs: &Programs, folder: &Path) -> Result<Self, Failure> {
        match row.store {
            Store::Raw => {
                Ok(Self { process: None, events_url: format!("{receiver}/0"), token: None, commits: Commits::Nowhere })
            }
            Store::Relay => Self::relay(row, receiver, programs, folder).await,
            Store::Sqlite => {
                let commits = Commits::Sqlite(folder.join("bench.db-shm"));
                Self::server(row, receiver, programs, folder, "sqlite:bench.db", commits).await
            }
            Store::Postgres => {
                let database = fresh_database().await?;
                Self::server(row, receiver, programs, folder, &database, Commits::Nowhere).await
            }
        }
    }

    async fn relay(row: &Row, receiver: &str, programs: &Programs, folder: &Path) -> Result<Self, Failure> {
        let mut command = programs.command("hw-relay", folder)?;
        command.args(["--file", "events"]);
        for path in row.paths() {
            command.args(["--target", &format!("{receiver}{path}")]);
        }
        let process = Process::start(command, &log(folder)).await?;
        let events_url = format!("{}/events", process.url());
        let commits = Commits::Relay(format!("{}/__stats", process.url()));
        Ok(Self { process: Some(process), events_url, token: None, commits })
    }

    async fn server(
        row: &Row,
        receiver: &str,
        programs: &Programs,
        folder: &Path,
        database: &str,
        commits: Commits,
    ) -> Result<Self, Failure> {
        let mut command = programs.command("hookwright", folder)?;
        command.args(["serve", "--listen", "127.0.0.1:0", "--allow-network", "127.0.0.0/8"]).args([
            "--database",
            database,
            "--admin-token-file",
            "admin-token",
        ]);
        let process = Process::start(command, &log(folder)).await?;
        let token = fs::read_to_string(folder.join("admin-token"))?.trim().to_owned();
        let api = Api::new(process.url(), Some(&token));
        let plugin = match row.plugin {
            Plugin::None => None,
            Plugin::Slack => {
                let plugin = api.install(example("slack")).await;
                Some(json!({ "name": plugin.name, "version": plugin.version, "config": {} }))
            }
        };
        for path in row.paths() {
            let mut webhook = json!({ "url": format!("{receiver}{path}"), "events": [MEASURED] });
            if let Some(plugin) = &plugin {
                webhook["plugin"] = plugin.clone();
            }
            api.register(&webhook).await;
        }
        let earlier = if row.stored > 0 { &EARLIER_PATHS[..] } else { &[] };
        let backlog = if row.backlog > 0 { &[BACKLOG_PATH][..] } else { &[] };
        for path in earlier.iter().chain(backlog) {
            api.register(&json!({ "url": format!("{receiver}{path}"), "events": [EARLIER] })).await;
        }
        let events_url = format!("{}/api/v1/events", process.url());
        Ok(Self { process: Some(process), events_url, token: Some(token), commits })
    }

    /// None when there is nothing to look at.
    pub(super) fn usage(&self) -> Result<Option<Usage>, Failure> {
        self.process.as_ref().map(Process::usage).transpose()
    }

    /// How often it has waited for the disk since its start; modulo 2^32.
    pub(super) async fn commits(&self) -> Result<Option<u32>, Failure> {
        match &self.commits {
            Commits::Nowhere => Ok(None),
            Commits::Relay(url) => {
                let client = reqwest::Client::builder().no_proxy().build()?;
                let stats: relay::Stats = client.get(url).send().await?.json().await?;
                Ok(Some(stats.commits))
            }
            Commits::Sqlite(index) => Ok(sqlite_commits(&fs::read(index)?)),
        }
    }

    pub(super) async fn end(self) -> Result<(), Failure> {
        match self.process {
            Some(process) => process.end().await,
            None => Ok(()),
        }
    }
}

/// A database of its own on the PostgreSQL that `make bench` starts.
async fn fresh_database() -> Result<String, Failure> {
    let server = crate::server::test_postgres();
    let name = format!("bench_{:032x}", rand::random::<u128>());
    let mut connection = sqlx::PgConnection::connect(&server).await?;
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await?;
    let (base, _) = server.rsplit_once('/').ok_or("HOOKWRIGHT_TEST_POSTGRES is no URL with a database")?;
    Ok(format!("{base}/{name}"))
}

/// The counter of transactions in the header of SQLite's WAL index (`iChange` in its file format).
fn sqlite_commits(index: &[u8]) -> Option<u32> {
    let counter = index.get(8..12)?;
    Some(u32::from_ne_bytes(counter.try_into().ok()?))
}

/// Where a subject writes its log.
pub(super) fn log(folder: &Path) -> PathBuf {
    folder.join("subject.log")
}
