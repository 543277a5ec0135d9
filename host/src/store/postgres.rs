//! What only PostgreSQL does: pools, partitions, and claims beside other nodes.

use std::str::FromStr as _;
use std::time::Duration;

use chrono::{Datelike as _, Months, NaiveDate};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool};

use super::StoreError;
use super::db::Db;
use crate::domain::clock::Millis;

pub(super) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/postgres");

/// History, partitioned by month, and the column it is partitioned by.
const PARTITIONED: [&str; 4] = ["events", "webhook_deliveries", "requests", "attempts"];
/// Partitions are made so many months ahead.
const MONTHS_AHEAD: u32 = 2;

/// Claims the head of a webhook's open work; what another node is claiming is left to it.
pub(super) const CLAIM_OF_WEBHOOK: &str = "UPDATE open_work SET lease_token = $1, due_at = $2
    WHERE id IN (SELECT id FROM open_work WHERE webhook_id = $3 AND due_at <= $4 ORDER BY due_at, id LIMIT $5
                 FOR UPDATE SKIP LOCKED)
    RETURNING id, kind, attempts";

/// Connects, and brings the schema and the partitions up to date.
pub(super) async fn open(url: &str, connections: u32, now: Millis) -> Result<Db, StoreError> {
    // The URL may hold a password, so it is in no message.
    let invalid = |_| StoreError::Open("the URL is not like postgres://user:password@host/database".to_owned());
    let options =
        PgConnectOptions::from_str(url).map_err(invalid)?.application_name("hookwright").statement_cache_capacity(512);
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
