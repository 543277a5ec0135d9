//! What is measured, running: nothing, the relay, or the server with its webhooks.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{
    Failure,
    database::Database,
    process::{Process, Programs},
    receiver::Receiver,
    relay,
    row::{Plugin, Row, Store},
    stock::Stock,
    usage::Usage,
};
use crate::{api::Api, example::example};

/// The type of the events that are measured.
pub(super) const MEASURED: &str = "ticket.created";
pub(super) const ADMIN_TOKEN: &str = "admin-token";
pub(super) const KEYS: &str = "hookwright.keys";
pub(super) const DATABASE_FILE: &str = "bench.db";
/// The index of SQLite's log of what is not yet in the file.
const DATABASE_INDEX: &str = "bench.db-shm";

#[derive(Debug)]
pub(super) struct Subject {
    process: Option<Process>,
    /// Where events are posted.
    pub(super) events_url: String,
    pub(super) token: Option<String>,
    store: Kept,
}

/// Where events are kept, and with them the number of commits.
#[derive(Debug)]
enum Kept {
    Nowhere,
    /// In the relay's file; it tells the number here.
    Relay(String),
    Sqlite(PathBuf),
    Postgres(Database),
}

impl Subject {
    pub(super) async fn start(
        row: &Row,
        stock: Option<&Stock>,
        receiver: &Receiver,
        programs: &Programs,
        folder: &Path,
    ) -> Result<Self, Failure> {
        match row.store {
            Store::Raw => {
                let events_url = receiver.endpoints(row).next().ok_or("no row is without a receiver")?;
                Ok(Self { process: None, events_url, token: None, store: Kept::Nowhere })
            }
            Store::Relay => Self::relay(row, receiver, programs, folder).await,
            Store::Sqlite | Store::Postgres => Self::server(row, stock, receiver, programs, folder).await,
        }
    }

    async fn relay(row: &Row, receiver: &Receiver, programs: &Programs, folder: &Path) -> Result<Self, Failure> {
        let mut command = programs.command("hw-relay", folder)?;
        command.args(["--file", "events"]);
        for endpoint in receiver.endpoints(row) {
            command.args(["--target", &endpoint]);
        }
        let process = Process::start(command, &log(folder)).await?;
        let events_url = format!("{}/events", process.url());
        let store = Kept::Relay(format!("{}/__stats", process.url()));
        Ok(Self { process: Some(process), events_url, token: None, store })
    }

    async fn server(
        row: &Row,
        stock: Option<&Stock>,
        receiver: &Receiver,
        programs: &Programs,
        folder: &Path,
    ) -> Result<Self, Failure> {
        if let Some(stock) = stock {
            stock.copy_into(folder)?;
        }
        let store = match row.store {
            Store::Postgres => Kept::Postgres(Database::create(stock.and_then(|stock| stock.database.as_ref())).await?),
            _ => Kept::Sqlite(folder.join(DATABASE_INDEX)),
        };
        let database = if let Kept::Postgres(database) = &store { Some(database) } else { None };
        let process = start_server(database, row.removing, programs, folder).await?;
        let token = fs::read_to_string(folder.join(ADMIN_TOKEN))?.trim().to_owned();
        let api = Api::new(process.url(), Some(&token));
        let plugin = match row.plugin {
            Plugin::None => None,
            Plugin::Slack => {
                let plugin = api.install(example("slack")).await;
                Some(json!({ "name": plugin.name, "version": plugin.version, "config": {} }))
            }
        };
        for endpoint in receiver.endpoints(row) {
            let mut webhook = json!({ "url": endpoint, "events": [MEASURED] });
            if let Some(plugin) = &plugin {
                webhook["plugin"] = plugin.clone();
            }
            api.register(&webhook).await;
        }
        let events_url = format!("{}/api/v1/events", process.url());
        Ok(Self { process: Some(process), events_url, token: Some(token), store })
    }

    /// None when there is nothing to look at.
    pub(super) fn usage(&self) -> Result<Option<Usage>, Failure> {
        self.process.as_ref().map(Process::usage).transpose()
    }

    /// Of a database with processes of its own.
    pub(super) fn database_usage(&self) -> Result<Option<Usage>, Failure> {
        match &self.store {
            Kept::Postgres(database) => database.usage().map(Some),
            _ => Ok(None),
        }
    }

    /// How often it has committed since some time before.
    pub(super) async fn commits(&self) -> Result<Option<u64>, Failure> {
        match &self.store {
            Kept::Nowhere => Ok(None),
            Kept::Relay(url) => {
                let client = reqwest::Client::builder().no_proxy().build()?;
                let stats: relay::Stats = client.get(url).send().await?.json().await?;
                Ok(Some(stats.commits))
            }
            Kept::Sqlite(index) => Ok(sqlite_commits(&fs::read(index)?)),
            Kept::Postgres(database) => database.commits().await.map(Some),
        }
    }

    pub(super) async fn end(self) -> Result<(), Failure> {
        if let Some(process) = self.process {
            process.end().await?;
        }
        match self.store {
            Kept::Postgres(database) => database.remove().await,
            _ => Ok(()),
        }
    }
}

/// The server on this database, or on a file in the folder.
pub(super) async fn start_server(
    database: Option<&Database>,
    removing: bool,
    programs: &Programs,
    folder: &Path,
) -> Result<Process, Failure> {
    let database = match database {
        Some(database) => database.url()?,
        None => format!("sqlite:{DATABASE_FILE}"),
    };
    let mut command = programs.command("hookwright", folder)?;
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--allow-network", "127.0.0.0/8"])
        .args(["--database", &database])
        .args(["--key-file", KEYS, "--admin-token-file", ADMIN_TOKEN]);
    if removing {
        command
            .env("HOOKWRIGHT_RETENTION_CRON", "* * * * * *")
            .env("HOOKWRIGHT_RETENTION_PAYLOAD_DAYS", "30")
            .env("HOOKWRIGHT_RETENTION_ATTEMPTS_DAYS", "30");
    }
    Process::start(command, &log(folder)).await
}

/// The counter of transactions in the header of SQLite's WAL index (`iChange` in its file format): 32 bits, which no row
/// comes near.
fn sqlite_commits(index: &[u8]) -> Option<u64> {
    let counter = index.get(8..12)?;
    Some(u32::from_ne_bytes(counter.try_into().ok()?).into())
}

/// Where a subject writes its log.
pub(super) fn log(folder: &Path) -> PathBuf {
    folder.join("subject.log")
}
