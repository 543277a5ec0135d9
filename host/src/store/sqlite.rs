//! What only SQLite does: opening the file, one thread that writes, and leases that end with the process.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, ErrorCode, ToSql};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::oneshot;

use super::StoreError;
use super::db::{Body, Db, Tx};
use super::rows::{Rows, numbered};
use super::value::{Fetched, Value};

pub(super) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/sqlite");

/// Readers besides the one writer.
const READERS: u32 = 4;
/// How long a lock that somebody else has on the file is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Statements that stay prepared.
const PREPARED: usize = 256;
/// Pages of the log after which it is copied into the file: each page is copied once however often it was written, so
/// fewer and larger copies cost less (4 KiB pages: 32 MiB).
const CHECKPOINT_PAGES: i64 = 8192;

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(false)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("temp_store", "memory")
}

/// Brings the schema of the file up to date, which is made if there is none.
pub(super) async fn migrate(path: &Path) -> Result<(), StoreError> {
    let open_error = |error: sqlx::Error| StoreError::Open(error.to_string());
    let migrating =
        SqlitePoolOptions::new().max_connections(1).connect_with(options(path)).await.map_err(open_error)?;
    MIGRATIONS.run(&migrating).await.map_err(|error| StoreError::Open(error.to_string()))?;
    migrating.close().await;
    Ok(())
}

/// Opens the file with a thread that writes and a pool of readers. One writer, because many would only wait for each other
/// inside SQLite; a commit returns when its bytes are on disk (`synchronous=FULL`).
pub(super) async fn open(path: &Path) -> Result<Db, StoreError> {
    let open_error = |error: sqlx::Error| StoreError::Open(error.to_string());
    let writer = Writer::start(connect(path)?);
    let read = SqlitePoolOptions::new()
        .max_connections(READERS)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options(path).read_only(true).create_if_missing(false).pragma("cache_size", "-4096"))
        .await
        .map_err(open_error)?;
    Ok(Db::Sqlite { writer, read })
}

/// The connection that writes.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    let open_error = |error: rusqlite::Error| StoreError::Open(error.to_string());
    let connection = Connection::open(path).map_err(open_error)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(open_error)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)).map_err(open_error)?;
    connection.pragma_update(None, "synchronous", "full").map_err(open_error)?;
    connection.pragma_update(None, "cache_size", -32_768).map_err(open_error)?;
    connection.pragma_update(None, "temp_store", "memory").map_err(open_error)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(open_error)?;
    let level: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).map_err(open_error)?;
    if mode != "wal" || level < 2 {
        let reason =
            format!("SQLite runs with journal_mode={mode} synchronous={level}, which can lose what was accepted");
        return Err(StoreError::Open(reason));
    }
    Ok(connection)
}

type Job = Box<dyn FnOnce(&mut Tx) + Send>;

/// The thread that writes, and does nothing else. Cheap to clone; ends when the last one is gone.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    jobs: Arc<Mutex<Option<mpsc::Sender<Job>>>>,
    ended: Arc<tokio::sync::Notify>,
}

impl Writer {
    fn start(connection: Connection) -> Self {
        let (jobs, waiting) = mpsc::channel::<Job>();
        let ended = Arc::new(tokio::sync::Notify::new());
        let told = ended.clone();
        std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || {
                let mut tx = Tx::Sqlite(Box::new(connection));
                while let Ok(job) = waiting.recv() {
                    job(&mut tx);
                }
                drop(tx);
                told.notify_one();
            })
            .expect("a thread can be started at start");
        Self { jobs: Arc::new(Mutex::new(Some(jobs))), ended }
    }

    pub(super) async fn transact<T: Send + 'static>(
        &self,
        body: impl for<'a> FnOnce(&'a mut Tx) -> Body<'a, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = || StoreError::Unavailable("the store is closed".to_owned());
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |tx| drop(reply.send(run(tx, body))));
        self.jobs.lock().as_ref().ok_or_else(gone)?.send(job).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Waits for what is on its way, and closes the file.
    pub(super) async fn close(&self) {
        if self.jobs.lock().take().is_some() {
            self.ended.notified().await;
        }
    }
}

/// Begins to write at once (`BEGIN IMMEDIATE`): a transaction that reads before it writes would fail under contention
/// whatever the busy timeout.
fn run<T>(tx: &mut Tx, body: impl for<'a> FnOnce(&'a mut Tx) -> Body<'a, T>) -> Result<T, StoreError> {
    statement(tx, "BEGIN IMMEDIATE")?;
    // A bug in one transaction must not take the thread from all others.
    let body = std::panic::AssertUnwindSafe(|| now(body(tx)));
    let done = std::panic::catch_unwind(body).unwrap_or_else(|_| {
        tracing::error!("a transaction panicked");
        Err(StoreError::Unavailable("the transaction broke off".to_owned()))
    });
    let done = done.and_then(|done| statement(tx, "COMMIT").map(|()| done));
    if done.is_err() {
        // Nothing to roll back is an error too, and means the same.
        let _ = statement(tx, "ROLLBACK");
    }
    done
}

/// SQLite answers at once, so nothing of a transaction ever waits.
fn now<T>(mut body: Body<'_, T>) -> Result<T, StoreError> {
    match body.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => Err(StoreError::Unavailable("the transaction waits for something else".to_owned())),
    }
}

fn statement(tx: &mut Tx, sql: &str) -> Result<(), StoreError> {
    let Tx::Sqlite(connection) = tx else { return Ok(()) };
    connection.prepare_cached(sql)?.raw_execute()?;
    Ok(())
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Bool(value) => value.to_sql(),
            Self::Int(value) => value.to_sql(),
            Self::Uuid(value) => value.as_ref().map_or_else(|| rusqlite::types::Null.to_sql(), ToSql::to_sql),
            Self::Text(value) => value.as_deref().map_or_else(|| rusqlite::types::Null.to_sql(), ToSql::to_sql),
            Self::Bytes(value) => value.as_deref().map_or_else(|| rusqlite::types::Null.to_sql(), ToSql::to_sql),
        }
    }
}

fn bind(statement: &mut rusqlite::CachedStatement<'_>, values: &[Value<'_>]) -> Result<(), StoreError> {
    for (index, value) in (1..).zip(values) {
        statement.raw_bind_parameter(index, value)?;
    }
    Ok(())
}

fn rows_of<T: Fetched>(
    statement: &mut rusqlite::CachedStatement<'_>,
    values: &[Value<'_>],
    fetched: &mut Vec<T>,
) -> Result<(), StoreError> {
    bind(statement, values)?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        fetched.push(T::from_sqlite(row)?);
    }
    Ok(())
}

pub(super) fn execute(connection: &Connection, sql: &'static str, values: &[Value<'_>]) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached(&numbered(sql))?;
    bind(&mut statement, values)?;
    Ok(statement.raw_execute()? as u64)
}

pub(super) fn fetch<T: Fetched>(
    connection: &Connection,
    sql: &'static str,
    values: &[Value<'_>],
) -> Result<Vec<T>, StoreError> {
    let mut fetched = Vec::new();
    rows_of(&mut connection.prepare_cached(&numbered(sql))?, values, &mut fetched)?;
    Ok(fetched)
}

pub(super) fn execute_rows(connection: &Connection, rows: &Rows<'_>) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached(&rows.for_sqlite())?;
    let mut changed = 0;
    for row in rows.iter() {
        bind(&mut statement, row)?;
        changed += statement.raw_execute()? as u64;
    }
    Ok(changed)
}

pub(super) fn fetch_rows<T: Fetched>(connection: &Connection, rows: &Rows<'_>) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(&rows.for_sqlite())?;
    let mut fetched = Vec::new();
    for row in rows.iter() {
        rows_of(&mut statement, row, &mut fetched)?;
    }
    Ok(fetched)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => Self::Constraint(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// Frees every lease: whoever held them is gone, since one process holds the file.
pub(super) async fn free_leases(tx: &mut Tx) -> Result<(), StoreError> {
    const WORK: &str = "UPDATE open_work SET due_at = 0, lease_token = NULL, is_interrupted = TRUE
        WHERE lease_token IS NOT NULL";
    const STEPS: &str = "UPDATE fan_out_steps SET due_at = 0, lease_token = NULL WHERE lease_token IS NOT NULL";
    const JOBS: &str = "UPDATE jobs SET due_at = 0, lease_token = NULL WHERE lease_token IS NOT NULL";
    const CHECKS: &str = "UPDATE plugin_versions SET check_until = 0 WHERE check_until IS NOT NULL";
    tx.execute(WORK, &[]).await?;
    tx.execute(STEPS, &[]).await?;
    tx.execute(CHECKS, &[]).await?;
    tx.execute(JOBS, &[]).await?;
    tx.execute("UPDATE retention_sweeps SET until_at = 0, lease_token = NULL", &[]).await?;
    tx.execute("DELETE FROM webhook_owners", &[]).await?;
    Ok(())
}

/// Claims work of a webhook that is due, and of which this holds besides.
macro_rules! claim {
    ($besides:literal) => {
        concat!(
            "UPDATE open_work SET lease_token = $1, due_at = $2, is_blocked = FALSE,
                 is_interrupted = is_interrupted OR lease_token IS NOT NULL
             WHERE id IN (SELECT id FROM open_work WHERE webhook_id = $3 AND due_at <= $4 ",
            $besides,
            " ORDER BY due_at, id LIMIT $5)
             RETURNING id, kind, attempts, order_key IS NOT NULL, is_interrupted, schedule_from"
        )
    };
}

/// Claims the head of a webhook's open work.
pub(super) const CLAIM_OF_WEBHOOK: &str = claim!("");
/// The same of what persons wait for.
pub(super) const CLAIM_BY_HAND: &str = claim!("AND by_hand");

#[cfg(test)]
mod tests {
    use super::super::value::values;
    use super::*;

    /// The thread that writes to a database of its own.
    async fn writer() -> (tempfile::TempDir, Writer) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        migrate(&path).await.unwrap();
        let Db::Sqlite { writer, .. } = open(&path).await.unwrap() else { unreachable!() };
        (folder, writer)
    }

    #[tokio::test]
    async fn commits_wait_for_the_disk() {
        let (_folder, writer) = writer().await;
        let level: Vec<(i64,)> = writer.transact(|tx| Box::pin(tx.fetch("PRAGMA synchronous", &[]))).await.unwrap();
        let mode: Vec<(String,)> = writer.transact(|tx| Box::pin(tx.fetch("PRAGMA journal_mode", &[]))).await.unwrap();
        assert_eq!((level[0].0, mode[0].0.as_str()), (2, "wal"), "synchronous must be FULL");
        writer.close().await;
    }

    #[tokio::test]
    async fn what_fails_or_panics_is_rolled_back_and_the_thread_lives_on() {
        const INSERT: &str = "INSERT INTO projects (id, name, created_at) VALUES ($1, $2, $3)";
        let (_folder, writer) = writer().await;
        let count = async || -> i64 {
            let rows = writer.transact(|tx| Box::pin(tx.fetch("SELECT count(*) FROM projects", &[]))).await;
            let rows: Vec<(i64,)> = rows.unwrap();
            rows[0].0
        };
        let before = count().await;
        let failed: Result<(), _> = writer
            .transact(|tx| {
                Box::pin(async move {
                    tx.execute(INSERT, &values![uuid::Uuid::max(), "x", 0_i64]).await?;
                    Err(StoreError::Overloaded)
                })
            })
            .await;
        assert!(matches!(failed, Err(StoreError::Overloaded)));
        let panicked: Result<(), _> = writer
            .transact(|tx| {
                Box::pin(async move {
                    tx.execute(INSERT, &values![uuid::Uuid::max(), "x", 0_i64]).await?;
                    panic!("on purpose");
                })
            })
            .await;
        assert!(matches!(panicked, Err(StoreError::Unavailable(_))));
        assert_eq!(count().await, before);
    }
}
