//! What is stored before a row is measured: made once, then copied for each measurement, so that all of them begin with
//! the same.

use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::{
    Failure,
    body::Template,
    database::Database,
    fill::{fill_postgres, fill_sqlite},
    load::PAYLOAD_BYTES,
    receiver::Receiver,
    row::{Row, Store},
    setting::Setting,
    subject::{ADMIN_TOKEN, DATABASE_FILE, KEYS, start_server},
};
use crate::api::Api;

/// The type of the events that are there before.
const EARLIER: &str = "ticket.updated";
/// Where they went: ten, as for fan-out, or the one that never answers.
const EARLIER_PATHS: [&str; 10] = ["/a", "/b", "/c", "/d", "/e", "/f", "/g", "/h", "/i", "/j"];
pub(super) const BACKLOG_PATH: &str = "/backlog";
/// How old what is no longer kept is, in milliseconds: forty days.
const OVER_MS: u64 = 40 * 24 * 60 * 60 * 1000;
const PAUSE: Duration = Duration::from_millis(20);
const ARRIVAL: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Stock {
    folder: TempDir,
    pub(super) database: Option<Database>,
}

impl Stock {
    /// None for a row that begins with nothing.
    pub(super) async fn make(row: &Row, setting: &Setting) -> Result<Option<Self>, Failure> {
        if row.stored == 0 && row.backlog == 0 {
            return Ok(None);
        }
        let folder = setting.programs.working_folder("stock-")?;
        let database = match row.store {
            Store::Postgres => Some(Database::create(None).await?),
            _ => None,
        };
        let stock = Self { folder, database };
        let started = Instant::now();
        let (wanted, deliveries) = (row.stored + row.backlog, stock.example(row, setting).await?);
        let age_ms = if row.removing { OVER_MS } else { 0 };
        // The example is the first.
        let copies = wanted / deliveries - 1;
        let filled = if let Some(database) = &stock.database {
            fill_postgres(database.connect().await?, copies, age_ms).await?
        } else {
            let file = stock.folder.path().join(DATABASE_FILE);
            fill_sqlite(&format!("sqlite:{}", file.display()), copies, age_ms).await?
        };
        if filled != wanted {
            return Err(format!("{row}: {filled} deliveries were stored instead of {wanted}").into());
        }
        eprintln!("{row}: {filled} deliveries stored in {:.0} s", started.elapsed().as_secs_f64());
        Ok(Some(stock))
    }

    /// Copies it into a folder, and waits until the copy is on disk.
    pub(super) fn copy_into(&self, folder: &Path) -> Result<(), Failure> {
        for name in [KEYS, ADMIN_TOKEN, DATABASE_FILE] {
            let (from, to) = (self.folder.path().join(name), folder.join(name));
            if from.exists() {
                fs::copy(from, &to)?;
                File::open(to)?.sync_all()?;
            }
        }
        Ok(())
    }

    pub(super) async fn remove(self) -> Result<(), Failure> {
        match self.database {
            Some(database) => database.remove().await,
            None => Ok(()),
        }
    }

    /// Has a server do for one event what is then copied, and says how many deliveries that made.
    async fn example(&self, row: &Row, setting: &Setting) -> Result<u64, Failure> {
        let (folder, programs) = (self.folder.path(), &setting.programs);
        let receiver = Receiver::start(setting.receiver, 0, &[BACKLOG_PATH.to_owned()], programs, folder).await?;
        let server = start_server(self.database.as_ref(), false, programs, folder).await?;
        let token = fs::read_to_string(folder.join(ADMIN_TOKEN))?;
        let api = Api::new(server.url(), Some(token.trim()));
        let paths = if row.stored > 0 { &EARLIER_PATHS[..] } else { &[BACKLOG_PATH][..] };
        for path in paths {
            api.register(&json!({ "url": format!("{}{path}", receiver.url()), "events": [EARLIER] })).await;
        }
        let event: Value = serde_json::from_slice(&Template::new(EARLIER, PAYLOAD_BYTES).bytes)?;
        api.post("/events", &event).await.expect("the event is accepted");
        if row.stored > 0 {
            api.all_settled().await;
            server.stop().await?;
        } else {
            // It ends while the receiver has the one request in hand.
            timeout(ARRIVAL, hanging(&receiver)).await??;
            server.end().await?;
        }
        receiver.end().await?;
        Ok(paths.len() as u64)
    }
}

async fn hanging(receiver: &Receiver) -> Result<(), Failure> {
    while receiver.stats().await?.hanging == 0 {
        sleep(PAUSE).await;
    }
    Ok(())
}
