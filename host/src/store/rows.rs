//! Statements over many rows: one statement for each table and batch, in a few sizes, so that each is prepared once.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

/// Rows of one statement, largest first. SQLite takes 32,766 values in a statement, PostgreSQL 65,535.
const SIZES: [usize; 5] = [128, 32, 8, 2, 1];

/// Splits rows into runs of the sizes for which statements are prepared.
pub(super) fn runs<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rows.len())?;
        let (run, rest) = rows.split_at(size);
        rows = rest;
        Some(run)
    })
}

type Cache = Mutex<HashMap<(&'static str, usize, usize), Arc<str>>>;

/// A statement with `{rows}` replaced by `rows` groups of `columns` placeholders: `($1, $2), ($3, $4)`.
pub(super) fn statement(template: &'static str, columns: usize, rows: usize) -> Arc<str> {
    static CACHE: OnceLock<Cache> = OnceLock::new();
    let mut cache = CACHE.get_or_init(Cache::default).lock();
    let made = cache.entry((template, columns, rows)).or_insert_with(|| {
        let mut groups = String::new();
        for row in 0..rows {
            groups.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..columns {
                let separator = if column == 0 { "" } else { ", " };
                let number = row * columns + column + 1;
                write!(groups, "{separator}${number}").expect("text can be written to");
            }
            groups.push(')');
        }
        template.replace("{rows}", &groups).into()
    });
    made.clone()
}

/// Executes a statement over many rows: `{rows}` in it stands for them.
macro_rules! execute_rows {
    ($tx:expr, $sql:expr, $columns:literal, $rows:expr, |$query:ident, $row:pat_param| $bind:expr) => {
        for run in $crate::store::rows::runs($rows) {
            let sql = $crate::store::rows::statement($sql, $columns, run.len());
            $crate::store::db::in_tx!($tx, conn => {
                let mut $query = sqlx::query::<Database>(sqlx::AssertSqlSafe(sql));
                for $row in run {
                    $query = $bind;
                }
                $query.execute(conn).await?;
            });
        }
    };
}

/// Fetches what a statement over many rows gives: `{rows}` in it stands for them.
macro_rules! fetch_rows {
    ($tx:expr, $as:ty, $sql:expr, $columns:literal, $rows:expr, |$query:ident, $row:pat_param| $bind:expr) => {{
        let mut fetched: Vec<$as> = Vec::new();
        for run in $crate::store::rows::runs($rows) {
            let sql = $crate::store::rows::statement($sql, $columns, run.len());
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
    fn rows_are_split_into_prepared_sizes() {
        let rows = vec![0; 128 + 32 + 8 + 8 + 2 + 1];
        let sizes: Vec<usize> = runs(&rows).map(<[i32]>::len).collect();
        assert_eq!(sizes, [128, 32, 8, 8, 2, 1]);
        assert_eq!(runs::<i32>(&[]).count(), 0);
    }

    #[test]
    fn placeholders_are_numbered_through() {
        assert_eq!(&*statement("INSERT VALUES {rows} x", 2, 2), "INSERT VALUES ($1, $2), ($3, $4) x");
    }
}
