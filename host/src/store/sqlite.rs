//! What only SQLite does: opening the file, and leases that end with the process.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::StoreError;
use super::db::Db;

pub(super) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/sqlite");

/// Readers besides the one writer.
const READERS: u32 = 4;

/// Opens the file with a pool of one writer and a pool of readers. One writer, because many would only wait for
/// each other inside SQLite; a commit returns when its bytes are on disk (`synchronous=FULL`).
pub(super) async fn open(path: &Path) -> Result<Db, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(false)
        .busy_timeout(Duration::from_secs(10))
        .pragma("cache_size", "-65536")
        .pragma("temp_store", "memory")
        .statement_cache_capacity(2048);
    let open_error = |error: sqlx::Error| StoreError::Open(error.to_string());
    let write = SqlitePoolOptions::new()
        .max_connections(1)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.clone())
        .await
        .map_err(open_error)?;
    MIGRATIONS.run(&write).await.map_err(|error| StoreError::Open(error.to_string()))?;
    let level: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&write).await.map_err(open_error)?;
    if level < 2 {
        return Err(StoreError::Open(format!(
            "SQLite runs with synchronous={level}, which can lose what was accepted"
        )));
    }
    let read = SqlitePoolOptions::new()
        .max_connections(READERS)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.read_only(true).create_if_missing(false))
        .await
        .map_err(open_error)?;
    Ok(Db::Sqlite { write, read })
}

/// Frees every lease: whoever held them is gone, since one process holds the file.
pub(super) const FREE_LEASES: &str =
    "UPDATE open_work SET due_at = 0, lease_token = NULL WHERE lease_token IS NOT NULL";

/// Claims the head of a webhook's open work.
pub(super) const CLAIM_OF_WEBHOOK: &str = "UPDATE open_work SET lease_token = $1, due_at = $2
    WHERE id IN (SELECT id FROM open_work WHERE webhook_id = $3 AND due_at <= $4 ORDER BY due_at, id LIMIT $5)
    RETURNING id, kind, attempts";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn commits_wait_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let Db::Sqlite { write, .. } = open(&folder.path().join("test.db")).await.unwrap() else { unreachable!() };
        let level: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&write).await.unwrap();
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&write).await.unwrap();
        assert_eq!((level, mode.as_str()), (2, "wal"), "synchronous must be FULL");
    }
}
