//! What is bound to a statement and what comes back from one inside a transaction, the same for both databases.

use std::borrow::Cow;

use sqlx::postgres::PgRow;
use sqlx::{Postgres, Row as _};
use uuid::Uuid;

/// A value to be bound. Each kind may be null, since PostgreSQL wants to know what kind of null it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Bool(Option<bool>),
    Int(Option<i64>),
    Uuid(Option<Uuid>),
    Text(Option<Cow<'a, str>>),
    Bytes(Option<Cow<'a, [u8]>>),
}

macro_rules! from {
    ($($from:ty, $value:ident => $to:expr;)+) => {$(
        impl<'a> From<$from> for Value<'a> {
            fn from($value: $from) -> Self {
                $to
            }
        }
    )+};
}

from! {
    bool, value => Self::Bool(Some(value));
    i64, value => Self::Int(Some(value));
    Option<i64>, value => Self::Int(value);
    Uuid, value => Self::Uuid(Some(value));
    Option<Uuid>, value => Self::Uuid(value);
    &'a str, value => Self::Text(Some(Cow::Borrowed(value)));
    Option<&'a str>, value => Self::Text(value.map(Cow::Borrowed));
    Cow<'a, str>, value => Self::Text(Some(value));
    String, value => Self::Text(Some(Cow::Owned(value)));
    Option<String>, value => Self::Text(value.map(Cow::Owned));
    &'a [u8], value => Self::Bytes(Some(Cow::Borrowed(value)));
    Option<&'a [u8]>, value => Self::Bytes(value.map(Cow::Borrowed));
    Vec<u8>, value => Self::Bytes(Some(Cow::Owned(value)));
}

/// The values of a statement, in the order of its placeholders.
macro_rules! values {
    ($($value:expr),* $(,)?) => { [$($crate::store::value::Value::from($value)),*] };
}

pub(super) use values;

/// A column's type that both databases know.
pub(super) trait Column:
    rusqlite::types::FromSql + for<'r> sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>
{
}

impl<T: rusqlite::types::FromSql + for<'r> sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>> Column for T {}

/// A row that a transaction reads.
pub(super) trait Fetched: Sized + Send {
    fn from_sqlite(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self>;
    fn from_postgres(row: &PgRow) -> Result<Self, sqlx::Error>;
}

macro_rules! fetched {
    ($($column:ident $index:literal),+) => {
        impl<$($column: Column + Send),+> Fetched for ($($column,)+) {
            fn from_sqlite(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
                Ok(($(row.get::<usize, $column>($index)?,)+))
            }

            fn from_postgres(row: &PgRow) -> Result<Self, sqlx::Error> {
                Ok(($(row.try_get::<$column, usize>($index)?,)+))
            }
        }
    };
}

fetched!(A 0);
fetched!(A 0, B 1);
fetched!(A 0, B 1, C 2);
fetched!(A 0, B 1, C 2, D 3);
fetched!(A 0, B 1, C 2, D 3, E 4);
fetched!(A 0, B 1, C 2, D 3, E 4, F 5);
fetched!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
fetched!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
fetched!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
fetched!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
