//! How much there is to do, for whoever watches the server.

use super::db::reading;
use super::{Store, StoreError};

/// How much there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Work that is not done: at most 100,000 of it is counted.
    pub open_work: u64,
    /// Long work that is not done.
    pub open_jobs: u64,
}

/// How much open work is counted: however much there is, looking at it costs little.
const COUNTED_MAX: u64 = 100_000;

impl Store {
    /// How much there is to do.
    pub async fn standing(&self) -> Result<Standing, StoreError> {
        const JOBS: &str = "SELECT count(*) FROM jobs WHERE due_at IS NOT NULL";
        let work = format!("SELECT count(*) FROM (SELECT 1 AS one FROM open_work LIMIT {COUNTED_MAX}) AS counted");
        let (work, jobs): (i64, i64) = reading!(&self.db, pool => (
            sqlx::query_scalar(sqlx::AssertSqlSafe(work)).fetch_one(pool).await?,
            sqlx::query_scalar(JOBS).fetch_one(pool).await?,
        ));
        let count = |count: i64| u64::try_from(count).unwrap_or(0);
        Ok(Standing { open_work: count(work), open_jobs: count(jobs) })
    }
}
