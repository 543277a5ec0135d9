//! History by month on PostgreSQL: each month's rows lie in partitions of their own, made before they are needed.

use chrono::{Datelike as _, Months, NaiveDate};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, PgPool};

use super::StoreError;
use crate::domain::clock::Millis;

/// The tables, and the column that each is partitioned by.
pub(super) const PARTITIONED: [(&str, &str); 5] = [
    ("events", "id"),
    ("webhook_deliveries", "id"),
    ("requests", "id"),
    ("attempts", "request_id"),
    ("audit_log", "id"),
];
/// Partitions are made so many months ahead.
const MONTHS_AHEAD: u32 = 2;

/// Makes the partitions of this month and the coming ones that are not there yet.
pub(super) async fn make(pool: &PgPool, now: Millis) -> Result<(), StoreError> {
    let today = chrono::DateTime::from_timestamp_millis(now.0).unwrap_or_default().date_naive();
    let first = today.with_day(1).unwrap_or(today);
    for ahead in 0..=MONTHS_AHEAD {
        let month = first + Months::new(ahead);
        for (table, key) in PARTITIONED {
            make_one(pool, table, key, month).await?;
        }
    }
    Ok(())
}

/// Makes one, while others read and write. It is filled before it is attached, which locks less than making it in place, and
/// takes what has gone to the default partition for want of it.
async fn make_one(pool: &PgPool, table: &str, key: &str, month: NaiveDate) -> Result<(), StoreError> {
    /// Any number, as long as every node uses the same one.
    const ONE_NODE_AT_A_TIME: &str = "SELECT pg_advisory_xact_lock(7205759403)";
    /// Whoever waits for a lock on a table makes everybody after it wait as well. There is time to try again.
    const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '1s'";
    let name = format!("{table}_{}_{:02}", month.year(), month.month());
    if is_there(&mut *pool.acquire().await?, &name).await? {
        return Ok(());
    }
    let mut tx = pool.begin().await?;
    sqlx::query(LOCK_TIMEOUT).execute(&mut *tx).await?;
    sqlx::query(ONE_NODE_AT_A_TIME).execute(&mut *tx).await?;
    if is_there(&mut tx, &name).await? {
        return Ok(());
    }
    let (from, to) = (bound(month), bound(month + Months::new(1)));
    let steps = [
        format!("LOCK TABLE {table}_default IN ACCESS EXCLUSIVE MODE"),
        format!("CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"),
        format!(
            "WITH moved AS (DELETE FROM {table}_default WHERE {key} >= '{from}' AND {key} < '{to}' RETURNING *)
             INSERT INTO {name} SELECT * FROM moved"
        ),
        format!("ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{from}') TO ('{to}')"),
    ];
    for step in steps {
        sqlx::query(AssertSqlSafe(step)).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    tracing::info!(partition = name, "made a partition");
    Ok(())
}

/// A month that has a partition.
#[derive(Debug, Clone)]
pub(super) struct Month {
    /// The end of its tables' names.
    pub(super) suffix: String,
    /// Its first id.
    pub(super) from: uuid::Uuid,
    /// The first id of the next one.
    pub(super) to: uuid::Uuid,
}

/// The months of a table that end at this id or before it, oldest first.
pub(super) async fn over(pool: &PgPool, table: &str, before: uuid::Uuid) -> Result<Vec<Month>, sqlx::Error> {
    const SELECT: &str = "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        JOIN pg_class p ON p.oid = i.inhparent
        WHERE p.relname = $1::text::name AND p.relnamespace = current_schema()::regnamespace ORDER BY c.relname";
    let names: Vec<String> = sqlx::query_scalar(SELECT).bind(table).fetch_all(pool).await?;
    let month = |name: String| {
        let suffix = name.strip_prefix(table)?.strip_prefix('_')?.to_owned();
        let first = NaiveDate::parse_from_str(&format!("{suffix}_01"), "%Y_%m_%d").ok()?;
        Some(Month { from: bound(first), to: bound(first + Months::new(1)), suffix })
    };
    Ok(names.into_iter().filter_map(month).filter(|month| month.to <= before).collect())
}

/// Drops a month of a table, if it is there; gives the name of what went.
pub(super) async fn drop_one(pool: &PgPool, table: &str, month: &Month) -> Result<Option<String>, StoreError> {
    /// Whoever waits for a lock on a table makes everybody after it wait as well. There is time to try again.
    const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '1s'";
    let name = format!("{table}_{}", month.suffix);
    if !is_there(&mut *pool.acquire().await?, &name).await? {
        return Ok(None);
    }
    let mut tx = pool.begin().await?;
    sqlx::query(LOCK_TIMEOUT).execute(&mut *tx).await?;
    for step in [format!("ALTER TABLE {table} DETACH PARTITION {name}"), format!("DROP TABLE {name}")] {
        sqlx::query(AssertSqlSafe(step)).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    tracing::info!(partition = name, "dropped a partition");
    Ok(Some(name))
}

async fn is_there(connection: &mut PgConnection, table: &str) -> Result<bool, sqlx::Error> {
    // Read from the catalog: a function that looks a name up may remember, within a transaction, that it was not there.
    const SELECT: &str = "SELECT EXISTS (SELECT 1 FROM pg_class
        WHERE relname = $1::text::name AND relnamespace = current_schema()::regnamespace)";
    sqlx::query_scalar(SELECT).bind(table).fetch_one(connection).await
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
