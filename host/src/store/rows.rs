//! Statements over many rows: one statement for each table and batch, in a bounded number of sizes, so that each is prepared
//! once.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::db::Tx;

/// How a database likes its statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Dialect {
    /// Placeholders without a number: SQLite looks numbers up one by one, which takes the square of their count. Each number
    /// of rows up to 64 has its statement, since a statement is a hop to the database's thread and back.
    Sqlite,
    /// Numbered placeholders, and fewer statements, since each is kept on the server for every connection.
    Postgres,
}

impl Dialect {
    pub(super) const fn of(tx: &Tx) -> Self {
        match tx {
            Tx::Sqlite(_) => Self::Sqlite,
            Tx::Postgres(_) => Self::Postgres,
        }
    }

    /// How many of `left` rows the next statement takes.
    const fn run(self, left: usize) -> usize {
        const SQLITE_MOST: usize = 64;
        const POSTGRES_STEP: usize = 16;
        const POSTGRES_MOST: usize = 128;
        match self {
            Self::Sqlite if left > SQLITE_MOST => SQLITE_MOST,
            Self::Postgres if left > POSTGRES_MOST => POSTGRES_MOST,
            Self::Postgres if left > POSTGRES_STEP => left / POSTGRES_STEP * POSTGRES_STEP,
            Self::Sqlite | Self::Postgres => left,
        }
    }
}

/// Splits rows into runs of one statement each.
pub(super) fn runs<T>(mut rows: &[T], dialect: Dialect) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let (run, rest) = rows.split_at(dialect.run(rows.len()));
        rows = rest;
        (!run.is_empty()).then_some(run)
    })
}

type Cache = Mutex<HashMap<(&'static str, usize, usize, Dialect), Arc<str>>>;

/// A statement with `{rows}` replaced by `rows` groups of `columns` placeholders: `($1, $2), ($3, $4)`.
pub(super) fn statement(template: &'static str, columns: usize, rows: usize, dialect: Dialect) -> Arc<str> {
    static CACHE: OnceLock<Cache> = OnceLock::new();
    let mut cache = CACHE.get_or_init(Cache::default).lock();
    let made = cache.entry((template, columns, rows, dialect)).or_insert_with(|| {
        let mut groups = String::new();
        for row in 0..rows {
            groups.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..columns {
                groups.push_str(if column == 0 { "" } else { ", " });
                match dialect {
                    Dialect::Sqlite => groups.push('?'),
                    Dialect::Postgres => {
                        write!(groups, "${}", row * columns + column + 1).expect("text can be written to");
                    }
                }
            }
            groups.push(')');
        }
        template.replace("{rows}", &groups).into()
    });
    made.clone()
}

/// Executes a statement over many rows: `{rows}` in it stands for them.
macro_rules! execute_rows {
    ($tx:expr, $sql:expr, $columns:literal, $rows:expr, |$query:ident, $row:pat_param| $bind:expr) => {{
        let dialect = $crate::store::rows::Dialect::of($tx);
        for run in $crate::store::rows::runs($rows, dialect) {
            let sql = $crate::store::rows::statement($sql, $columns, run.len(), dialect);
            $crate::store::db::in_tx!($tx, conn => {
                let mut $query = sqlx::query::<Database>(sqlx::AssertSqlSafe(sql));
                for $row in run {
                    $query = $bind;
                }
                $query.execute(conn).await?;
            });
        }
    }};
}

/// Fetches what a statement over many rows gives: `{rows}` in it stands for them.
macro_rules! fetch_rows {
    ($tx:expr, $as:ty, $sql:expr, $columns:literal, $rows:expr, |$query:ident, $row:pat_param| $bind:expr) => {{
        let mut fetched: Vec<$as> = Vec::new();
        let dialect = $crate::store::rows::Dialect::of($tx);
        for run in $crate::store::rows::runs($rows, dialect) {
            let sql = $crate::store::rows::statement($sql, $columns, run.len(), dialect);
            $crate::store::db::in_tx!($tx, conn => {
                let mut $query = sqlx::query_as::<Database, $as>(sqlx::AssertSqlSafe(sql));
                for $row in run {
                    $query = $bind;
                }
                fetched.extend($query.fetch_all(conn).await?);
            });
        }
        fetched
    }};
}

pub(super) use {execute_rows, fetch_rows};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_split_into_few_statements() {
        let sizes = |rows: usize, dialect| runs(&vec![0; rows], dialect).map(<[i32]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(31, Dialect::Sqlite), [31]);
        assert_eq!(sizes(150, Dialect::Sqlite), [64, 64, 22]);
        assert_eq!(sizes(31, Dialect::Postgres), [16, 15]);
        assert_eq!(sizes(300, Dialect::Postgres), [128, 128, 32, 12]);
        assert!(sizes(0, Dialect::Sqlite).is_empty());
    }

    #[test]
    fn placeholders_are_as_the_database_likes_them() {
        let template = "INSERT VALUES {rows} x";
        assert_eq!(&*statement(template, 2, 2, Dialect::Postgres), "INSERT VALUES ($1, $2), ($3, $4) x");
        assert_eq!(&*statement(template, 2, 2, Dialect::Sqlite), "INSERT VALUES (?, ?), (?, ?) x");
    }
}
