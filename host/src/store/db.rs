//! Two databases behind one type. A use case is written once: its transaction speaks in statements and values that both
//! understand, and what it reads outside of one is expanded for each database by a macro.

use std::pin::Pin;

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, PgPool, Postgres, SqlitePool, Transaction};
use uuid::Uuid;

use super::rows::Rows;
use super::value::{Fetched, Value};
use super::{StoreError, postgres, sqlite};

/// The database.
#[derive(Debug, Clone)]
pub(super) enum Db {
    /// A file: one thread writes, some connections read.
    Sqlite { writer: sqlite::Writer, read: SqlitePool },
    /// A server.
    Postgres(PgPool),
}

/// An open transaction.
#[derive(Debug)]
pub(super) enum Tx {
    Sqlite(Box<rusqlite::Connection>),
    Postgres(Transaction<'static, Postgres>),
}

/// What a transaction does.
pub(super) type Body<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

impl Db {
    /// Runs `body` in a transaction and commits it; nothing of it is stored when it fails.
    pub(super) async fn transact<T: Send + 'static>(
        &self,
        body: impl for<'a> FnOnce(&'a mut Tx) -> Body<'a, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self {
            Self::Sqlite { writer, .. } => writer.transact(body).await,
            Self::Postgres(pool) => {
                let mut tx = Tx::Postgres(pool.begin().await?);
                let done = body(&mut tx).await?;
                if let Tx::Postgres(tx) = tx {
                    tx.commit().await?;
                }
                Ok(done)
            }
        }
    }

    /// Reads, outside of a transaction, what has one of these ids: they stand for `{ids}` in the statement.
    pub(super) async fn fetch_listed<T>(&self, statement: &str, ids: &[Uuid]) -> Result<Vec<T>, StoreError>
    where
        T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        match self {
            Self::Sqlite { read, .. } => {
                let sql = statement.replace("{ids}", "SELECT unhex(value) FROM json_each(?1)");
                let list: Vec<_> = ids.iter().map(|id| id.simple().to_string()).collect();
                let list = serde_json::Value::from(list).to_string();
                Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(list).fetch_all(read).await?)
            }
            Self::Postgres(pool) => {
                let sql = statement.replace("{ids}", "SELECT UNNEST($1::uuid[])");
                Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(ids).fetch_all(pool).await?)
            }
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite { writer, read } => {
                read.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// What a select says to keep the rows it reads from changing until the transaction ends. SQLite has one writer.
    pub(super) const fn locks_rows(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Executes a statement; gives the number of rows it changed.
    pub(super) async fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::execute(connection, sql, values),
            Self::Postgres(tx) => postgres::execute(tx, sql, values).await,
        }
    }

    /// Reads rows.
    pub(super) async fn fetch<T: Fetched>(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<T>, StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::fetch(connection, sql, values),
            Self::Postgres(tx) => postgres::fetch(tx, sql, values).await,
        }
    }

    /// Executes a statement over many rows; gives the number of rows it changed.
    pub(super) async fn execute_rows(&mut self, rows: &Rows<'_>) -> Result<u64, StoreError> {
        match self {
            _ if rows.is_empty() => Ok(0),
            Self::Sqlite(connection) => sqlite::execute_rows(connection, rows),
            Self::Postgres(tx) => postgres::execute_rows(tx, rows).await,
        }
    }

    /// Reads what a statement over many rows gives.
    pub(super) async fn fetch_rows<T: Fetched>(&mut self, rows: &Rows<'_>) -> Result<Vec<T>, StoreError> {
        match self {
            _ if rows.is_empty() => Ok(Vec::new()),
            Self::Sqlite(connection) => sqlite::fetch_rows(connection, rows),
            Self::Postgres(tx) => postgres::fetch_rows(tx, rows).await,
        }
    }
}

/// Runs a body with a pool to read from.
macro_rules! reading {
    ($db:expr, $pool:ident => $body:expr) => {
        match $db {
            $crate::store::db::Db::Sqlite { read: $pool, .. } => $body,
            $crate::store::db::Db::Postgres($pool) => $body,
        }
    };
}

pub(super) use reading;

/// Runs a body with a connection to read from, on which all its statements see the same moment.
macro_rules! in_snapshot {
    ($db:expr, $connection:ident => $body:expr) => {
        match $db {
            $crate::store::db::Db::Sqlite { read, .. } => {
                let mut snapshot = read.begin().await?;
                let $connection = &mut *snapshot;
                let done = $body;
                snapshot.rollback().await?;
                done
            }
            $crate::store::db::Db::Postgres(pool) => {
                let mut snapshot = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
                let $connection = &mut *snapshot;
                let done = $body;
                snapshot.rollback().await?;
                done
            }
        }
    };
}

pub(super) use in_snapshot;

/// How often what stands in another transaction's way is begun.
pub(super) const TRIES: u32 = 5;

/// Does again what another transaction stood in the way of, a few times.
macro_rules! again {
    ($body:expr) => {{
        let mut tries = 0;
        loop {
            tries += 1;
            match $body {
                Err($crate::store::StoreError::Contended) if tries < $crate::store::db::TRIES => {}
                done => break done,
            }
        }
    }};
}

pub(super) use again;
