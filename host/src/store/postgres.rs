//! What only PostgreSQL does: a pool, statements over arrays, and claims beside other nodes.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection as _, Postgres};

use super::db::Db;
use super::rows::{Array, Rows};
use super::value::{Fetched, Value};
use super::{StoreError, partitions};
use crate::domain::clock::Millis;

pub(super) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/postgres");

/// How long to wait for a connection, after which the caller is told that the database does not answer.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that was idle for longer is tried before it is used: the server may have been started anew meanwhile. No
/// start is faster, and a busy connection is never idle for so long.
const BELIEVED: Duration = Duration::from_millis(100);
/// Ends what a node began and went to sleep over, so that its row locks do not stop the others. No transaction waits for
/// anything but the database, so none is idle for long.
const IDLE_TIMEOUT: (&str, &str) = ("idle_in_transaction_session_timeout", "10s");

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

/// Claims work of a webhook that is due, and of which this holds besides; what another node is claiming is left to it. The
/// pick stands apart because it must be made once: as a part of the update it may be made again for each row, and takes more
/// than its limit.
macro_rules! claim {
    ($besides:literal) => {
        concat!(
            "WITH picked AS MATERIALIZED (
                 SELECT id FROM open_work WHERE webhook_id = $3 AND due_at <= $4 ",
            $besides,
            " ORDER BY due_at, id LIMIT $5 FOR UPDATE SKIP LOCKED
             )
             UPDATE open_work SET lease_token = $1, due_at = $2, is_blocked = FALSE,
                 is_interrupted = is_interrupted OR lease_token IS NOT NULL
             FROM picked WHERE open_work.id = picked.id
             RETURNING open_work.id, kind, attempts, order_key IS NOT NULL, is_interrupted, schedule_from"
        )
    };
}

/// Claims the head of a webhook's open work.
pub(super) const CLAIM_OF_WEBHOOK: &str = claim!("");
/// The same of what persons wait for.
pub(super) const CLAIM_BY_HAND: &str = claim!("AND by_hand");

/// Connects.
pub(super) async fn open(url: &str, connections: u32) -> Result<Db, StoreError> {
    // The URL may hold a password, so it is in no message.
    let invalid = |_| StoreError::Open("the URL is not like postgres://user:password@host/database".to_owned());
    let options = PgConnectOptions::from_str(url)
        .map_err(invalid)?
        .application_name("hookwright")
        .statement_cache_capacity(512)
        .options(PLANNER)
        .options([IDLE_TIMEOUT]);
    let open_error = |error: sqlx::Error| StoreError::Open(error.to_string());
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, idle| {
            Box::pin(async move {
                if idle.idle_for > BELIEVED {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(options)
        .await
        .map_err(open_error)?;
    Ok(Db::Postgres(pool))
}

/// Brings the schema and the partitions up to date.
pub(super) async fn migrate(db: &Db, now: Millis) -> Result<(), StoreError> {
    let Db::Postgres(pool) = db else { return Ok(()) };
    MIGRATIONS.run(pool).await.map_err(|error| StoreError::Open(error.to_string()))?;
    // Without it history goes to the default partition, and is moved when it can be made.
    if let Err(error) = partitions::make(pool, now).await {
        tracing::warn!(%error, "the coming months' partitions cannot be made");
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
