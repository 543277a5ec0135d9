//! Two databases behind one type. A use case is written once: the macros expand its body for each database, so that
//! each expansion is concrete and nothing is generic.

use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};

use super::StoreError;

/// The database.
#[derive(Debug, Clone)]
pub(super) enum Db {
    /// A file: one connection writes, some read.
    Sqlite { write: SqlitePool, read: SqlitePool },
    /// A server.
    Postgres(PgPool),
}

/// An open transaction; dropped without a commit it is rolled back.
#[derive(Debug)]
pub(super) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Db {
    /// Begins to write. On SQLite at once (`BEGIN IMMEDIATE`): a transaction that reads before it writes would fail under
    /// contention whatever the busy timeout.
    pub(super) async fn begin(&self) -> Result<Tx, StoreError> {
        match self {
            Self::Sqlite { write, .. } => Ok(Tx::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?)),
            Self::Postgres(pool) => Ok(Tx::Postgres(pool.begin().await?)),
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }

    /// What a select says to keep the rows it reads from changing until the transaction ends. SQLite has one writer.
    pub(super) const fn lock_rows(tx: &Tx) -> &'static str {
        match tx {
            Tx::Sqlite(_) => "",
            Tx::Postgres(_) => " FOR UPDATE",
        }
    }
}

impl Tx {
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

/// Runs a body with the connection of an open transaction; in it `Database` is the database's type.
macro_rules! in_tx {
    ($tx:expr, $conn:ident => $body:expr) => {
        match $tx {
            $crate::store::db::Tx::Sqlite(tx) => {
                #[allow(dead_code, reason = "not every body names it")]
                type Database = sqlx::Sqlite;
                let $conn = &mut **tx;
                $body
            }
            $crate::store::db::Tx::Postgres(tx) => {
                #[allow(dead_code, reason = "not every body names it")]
                type Database = sqlx::Postgres;
                let $conn = &mut **tx;
                $body
            }
        }
    };
}

/// Executes a statement in an open transaction and gives the number of rows it changed.
macro_rules! execute {
    ($tx:expr, $query:expr) => {
        $crate::store::db::in_tx!($tx, conn => $query.execute(conn).await?.rows_affected())
    };
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

pub(super) use {execute, in_tx, reading};
