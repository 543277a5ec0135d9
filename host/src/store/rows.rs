//! One statement over many rows: written once, and run by each database in the way it is fastest at. SQLite runs it row by
//! row with one prepared statement; PostgreSQL gets all rows at once, as one array for each column.
//!
//! In the statement `{1}` is the first column of a row, `{values}` all of them as a source for an INSERT, and `{from}`,
//! `{using}`, `{join}` stand where an UPDATE, a DELETE or a SELECT names the rows as a further table.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::value::Value;

/// Rows for one statement; all of the same columns.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    statement: &'static str,
    columns: usize,
    values: Vec<Value<'a>>,
}

impl<'a> Rows<'a> {
    /// No rows yet.
    pub(super) const fn new(statement: &'static str) -> Self {
        Self { statement, columns: 0, values: Vec::new() }
    }

    /// The statement with these rows.
    pub(super) fn of<T, const N: usize>(
        statement: &'static str,
        items: impl IntoIterator<Item = T>,
        row: impl Fn(T) -> [Value<'a>; N],
    ) -> Self {
        let mut rows = Self::new(statement);
        let items = items.into_iter();
        rows.values.reserve(items.size_hint().0 * N);
        for item in items {
            rows.push(row(item));
        }
        rows
    }

    pub(super) fn push<const N: usize>(&mut self, row: [Value<'a>; N]) {
        debug_assert!(self.columns == 0 || self.columns == N, "rows of one statement have the same columns");
        self.columns = N;
        self.values.extend(row);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[Value<'a>]> {
        self.values.chunks_exact(self.columns.max(1))
    }

    /// The rows turned into one array for each column.
    pub(super) fn arrays(&self) -> Vec<Array<'_>> {
        let mut arrays: Vec<Array<'_>> = Vec::with_capacity(self.columns);
        for column in 0..self.columns {
            let values = self.values[column..].iter().step_by(self.columns);
            arrays.push(Array::of(values));
        }
        arrays
    }

    /// The statement for SQLite, over one row.
    pub(super) fn for_sqlite(&self) -> Arc<str> {
        rendered(self.statement, "sqlite", || {
            let list = list(self.columns, |text, column| write!(text, "?{column}"));
            let text = self.statement.replace("{values}", &format!("VALUES ({list})"));
            let text = text.replace("{from}", "").replace("{using}", "").replace("{join}", "");
            (1..=self.columns).fold(text, |text, column| text.replace(&format!("{{{column}}}"), &format!("?{column}")))
        })
    }

    /// The statement for PostgreSQL, over all rows.
    pub(super) fn for_postgres(&self) -> Arc<str> {
        rendered(self.statement, "postgres", || {
            let types: Vec<&str> = self.values[..self.columns].iter().map(array_type).collect();
            let arrays = list(self.columns, |text, column| write!(text, "${column}::{}", types[column - 1]));
            let names = list(self.columns, |text, column| write!(text, "c{column}"));
            let rows = format!("UNNEST({arrays}) AS v ({names})");
            let text = self.statement.replace("{values}", &format!("SELECT * FROM {rows}"));
            let text = text.replace("{from}", &format!("FROM {rows}"));
            let text = text.replace("{using}", &format!("USING {rows}")).replace("{join}", &format!(", {rows}"));
            (1..=self.columns)
                .fold(text, |text, column| text.replace(&format!("{{{column}}}"), &format!("v.c{column}")))
        })
    }
}

/// A statement that is not over many rows, for SQLite: there a number after `$` would be a name.
pub(super) fn numbered(statement: &'static str) -> Arc<str> {
    rendered(statement, "sqlite", || statement.replace('$', "?"))
}

fn list(columns: usize, one: impl Fn(&mut String, usize) -> std::fmt::Result) -> String {
    let mut text = String::new();
    for column in 1..=columns {
        text.push_str(if column == 1 { "" } else { ", " });
        one(&mut text, column).expect("text can be written to");
    }
    text
}

const fn array_type(value: &Value<'_>) -> &'static str {
    match value {
        Value::Bool(_) => "bool[]",
        Value::Int(_) => "bigint[]",
        Value::Uuid(_) => "uuid[]",
        Value::Text(_) => "text[]",
        Value::Bytes(_) => "bytea[]",
    }
}

type Rendered = Mutex<HashMap<(&'static str, &'static str), Arc<str>>>;

/// A statement's text for a database, made once.
fn rendered(statement: &'static str, database: &'static str, make: impl FnOnce() -> String) -> Arc<str> {
    static RENDERED: OnceLock<Rendered> = OnceLock::new();
    let mut rendered = RENDERED.get_or_init(Rendered::default).lock();
    rendered.entry((statement, database)).or_insert_with(|| make().into()).clone()
}

/// One column of many rows.
#[derive(Debug)]
pub(super) enum Array<'a> {
    Bool(Vec<Option<bool>>),
    Int(Vec<Option<i64>>),
    Uuid(Vec<Option<uuid::Uuid>>),
    Text(Vec<Option<&'a str>>),
    Bytes(Vec<Option<&'a [u8]>>),
}

impl<'a> Array<'a> {
    fn of<'v: 'a>(values: impl Iterator<Item = &'a Value<'v>> + Clone) -> Self {
        macro_rules! array {
            ($kind:ident, $of:pat => $value:expr) => {
                Self::$kind(values.map(|value| if let $of = value { $value } else { None }).collect())
            };
        }
        match values.clone().next() {
            Some(Value::Bool(_)) => array!(Bool, Value::Bool(value) => *value),
            Some(Value::Int(_)) | None => array!(Int, Value::Int(value) => *value),
            Some(Value::Uuid(_)) => array!(Uuid, Value::Uuid(value) => *value),
            Some(Value::Text(_)) => array!(Text, Value::Text(value) => value.as_ref().map(Cow::as_ref)),
            Some(Value::Bytes(_)) => array!(Bytes, Value::Bytes(value) => value.as_ref().map(Cow::as_ref)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::values;
    use super::*;

    #[test]
    fn a_statement_is_written_once_for_both_databases() {
        let update = "UPDATE t SET a = {2} {from} WHERE t.id = {1}";
        let mut rows = Rows::new(update);
        rows.push(values![uuid::Uuid::nil(), 1_i64]);
        rows.push(values![uuid::Uuid::max(), 2_i64]);
        assert_eq!(&*rows.for_sqlite(), "UPDATE t SET a = ?2  WHERE t.id = ?1");
        assert_eq!(
            &*rows.for_postgres(),
            "UPDATE t SET a = v.c2 FROM UNNEST($1::uuid[], $2::bigint[]) AS v (c1, c2) WHERE t.id = v.c1"
        );
        let arrays = rows.arrays();
        assert!(matches!(&arrays[..], [Array::Uuid(_), Array::Int(ints)] if *ints == [Some(1), Some(2)]));
        assert_eq!(rows.iter().count(), 2);
    }

    #[test]
    fn rows_are_inserted_from_their_values() {
        let rows = Rows::of("INSERT INTO t (a, b) {values}", [("x", true)], |(a, b)| values![a, b]);
        assert_eq!(&*rows.for_sqlite(), "INSERT INTO t (a, b) VALUES (?1, ?2)");
        assert_eq!(
            &*rows.for_postgres(),
            "INSERT INTO t (a, b) SELECT * FROM UNNEST($1::text[], $2::bool[]) AS v (c1, c2)"
        );
    }
}
