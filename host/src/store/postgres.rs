//! What only PostgreSQL does: pools, partitions, and claims beside other nodes.

use std::str::FromStr as _;
use std::time::Duration;

use chrono::{Datelike as _, Months, NaiveDate};
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgPool, Postgres};

use super::StoreError;
use super::db::Db;
use super::rows::{Array, Rows};
use super::value::{Fetched, Value};
use crate::domain::clock::Millis;

pub(super) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/postgres");

/// History, partitioned by month, and the column it is partitioned by.
const PARTITIONED: [&str; 4] = ["events", "webhook_deliveries", "requests", "attempts"];
/// Partitions are made so many months ahead.
const MONTHS_AHEAD: u32 = 2;

/// Every statement finds its few rows by an index. Left alone, the planner takes open work for tiny, since it mostly is when
/// statistics are made, and reads through all its dead rows instead; it also plans anew what always comes out the same.
/// Compiling a statement would take longer than running it.
const PLANNER: [(&str, &str); 5] = [
    ("jit", "off"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("plan_cache_mode", "force_generic_plan"),
];

/// Claims the head of a webhook's open work; what another node is claiming is left to it.
pub(super) const CLAIM_OF_WEBHOOK: &str = "UPDATE open_work SET lease_token = $1, due_at = $2, is_blocked = FALSE
    WHERE id IN (SELECT id FROM open_work WHERE webhook_id = $3 AND due_at <= $4 ORDER BY due_at, id LIMIT $5
                 FOR UPDATE SKIP LOCKED)
    RETURNING id, kind, attempts, order_key IS NOT NULL";

/// Connects, and brings the schema and the partitions up to date.
pub(super) async fn open(url: &str, connections: u32, now: Millis) -> Result<Db, StoreError> {
    // The URL may hold a password, so it is in no message.
    let invalid = |_| StoreError::Open("the URL is not like postgres://user:password@host/database".to_owned());
    let options = PgConnectOptions::from_str(url)
        .map_err(invalid)?
        .application_name("hookwright")
        .statement_cache_capacity(512)
        .options(PLANNER);
    let open_error = |error: sqlx::Error| StoreError::Open(error.to_string());
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(5))
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(open_error)?;
    MIGRATIONS.run(&pool).await.map_err(|error| StoreError::Open(error.to_string()))?;
    make_partitions(&pool, now).await?;
    Ok(Db::Postgres(pool))
}

/// Makes the partitions of this month and the coming ones that are not there yet.
pub(super) async fn make_partitions(pool: &PgPool, now: Millis) -> Result<(), StoreError> {
    let today = chrono::DateTime::from_timestamp_millis(now.0).unwrap_or_default().date_naive();
    let first = today.with_day(1).unwrap_or(today);
    for ahead in 0..=MONTHS_AHEAD {
        let from = first + Months::new(ahead);
        let to = first + Months::new(ahead + 1);
        for table in PARTITIONED {
            let name = format!("{table}_{}_{:02}", from.year(), from.month());
            let sql = format!(
                "CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} FOR VALUES FROM ('{}') TO ('{}')",
                bound(from),
                bound(to)
            );
            sqlx::query(AssertSqlSafe(sql)).execute(pool).await?;
        }
    }
    Ok(())
}

type Statement<'q> = Query<'q, Postgres, PgArguments>;

fn bind<'q>(statement: Statement<'q>, values: &'q [Value<'_>]) -> Statement<'q> {
    values.iter().fold(statement, |statement, value| match value {
        Value::Bool(value) => statement.bind(*value),
        Value::Int(value) => statement.bind(*value),
        Value::Uuid(value) => statement.bind(*value),
        Value::Text(value) => statement.bind(value.as_deref()),
        Value::Bytes(value) => statement.bind(value.as_deref()),
    })
}

fn bind_rows<'q>(statement: Statement<'q>, arrays: Vec<Array<'q>>) -> Statement<'q> {
    arrays.into_iter().fold(statement, |statement, array| match array {
        Array::Bool(values) => statement.bind(values),
        Array::Int(values) => statement.bind(values),
        Array::Uuid(values) => statement.bind(values),
        Array::Text(values) => statement.bind(values),
        Array::Bytes(values) => statement.bind(values),
    })
}

fn read<T: Fetched>(rows: &[sqlx::postgres::PgRow]) -> Result<Vec<T>, StoreError> {
    Ok(rows.iter().map(T::from_postgres).collect::<Result<_, _>>()?)
}

pub(super) async fn execute(
    connection: &mut PgConnection,
    sql: &'static str,
    values: &[Value<'_>],
) -> Result<u64, StoreError> {
    Ok(bind(sqlx::query(sql), values).execute(connection).await?.rows_affected())
}

pub(super) async fn fetch<T: Fetched>(
    connection: &mut PgConnection,
    sql: &'static str,
    values: &[Value<'_>],
) -> Result<Vec<T>, StoreError> {
    read(&bind(sqlx::query(sql), values).fetch_all(connection).await?)
}

pub(super) async fn execute_rows(connection: &mut PgConnection, rows: &Rows<'_>) -> Result<u64, StoreError> {
    let statement = sqlx::query(AssertSqlSafe(rows.for_postgres()));
    Ok(bind_rows(statement, rows.arrays()).execute(connection).await?.rows_affected())
}

pub(super) async fn fetch_rows<T: Fetched>(
    connection: &mut PgConnection,
    rows: &Rows<'_>,
) -> Result<Vec<T>, StoreError> {
    let statement = sqlx::query(AssertSqlSafe(rows.for_postgres()));
    read(&bind_rows(statement, rows.arrays()).fetch_all(connection).await?)
}

/// The lowest UUIDv7 of a day.
fn bound(day: NaiveDate) -> uuid::Uuid {
    let millis = day.and_hms_opt(0, 0, 0).map_or(0, |midnight| midnight.and_utc().timestamp_millis());
    uuid::Uuid::from_u128(u128::from(millis.unsigned_abs()) << 80)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::EventId;

    #[test]
    fn a_months_ids_lie_between_its_bounds() {
        let day = NaiveDate::from_ymd_opt(2026, 1, 31).unwrap();
        let noon = Millis::parse("2026-01-31T12:00:00Z").unwrap();
        let id = EventId::new(noon, u128::MAX).uuid();
        assert!(bound(day) < id && id < bound(day + chrono::Days::new(1)));
    }
}
