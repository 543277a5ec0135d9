//! A database of its own on the PostgreSQL that `make bench` starts, and what that uses.

use std::{fs, path::Path};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::{
    Failure,
    usage::{Usage, family_usage},
};
use crate::server::test_postgres;

/// From here on, how a copy is made can be chosen.
const STRATEGY_SINCE: i64 = 15_00_00;

#[derive(Debug)]
pub(super) struct Database {
    name: String,
    /// The process that has all others as children.
    postmaster: u32,
}

impl Database {
    /// Empty, or a copy of another.
    pub(super) async fn create(template: Option<&Self>) -> Result<Self, Failure> {
        let name = format!("bench_{:032x}", rand::random::<u128>());
        let mut server = PgConnection::connect(&test_postgres()).await?;
        let mut create = format!("CREATE DATABASE {name}");
        if let Some(Self { name, .. }) = template {
            create.push_str(" TEMPLATE ");
            create.push_str(name);
            if version(&mut server).await? >= STRATEGY_SINCE {
                create.push_str(" STRATEGY file_copy");
            }
        }
        run(&mut server, &create).await?;
        // What earlier rows left to be written is not for this one to wait for.
        run(&mut server, "CHECKPOINT").await?;
        Ok(Self { name, postmaster: postmaster()? })
    }

    pub(super) fn url(&self) -> Result<String, Failure> {
        let server = test_postgres();
        let (base, _) = server.rsplit_once('/').ok_or("HOOKWRIGHT_TEST_POSTGRES is no URL with a database")?;
        Ok(format!("{base}/{}", self.name))
    }

    pub(super) async fn connect(&self) -> Result<PgConnection, Failure> {
        Ok(PgConnection::connect(&self.url()?).await?)
    }

    /// Transactions that have written something, in all databases. The counter of commits in `pg_stat_database` comes up
    /// to ten seconds late.
    pub(super) async fn commits(&self) -> Result<u64, Failure> {
        let next: i64 = sqlx::query_scalar("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
            .fetch_one(&mut self.connect().await?)
            .await?;
        Ok(u64::try_from(next)?)
    }

    /// Of all processes of the server.
    pub(super) fn usage(&self) -> Result<Usage, Failure> {
        family_usage(self.postmaster)
    }

    /// Nothing is left of it that would be tidied up while another is measured.
    pub(super) async fn remove(self) -> Result<(), Failure> {
        let mut server = PgConnection::connect(&test_postgres()).await?;
        run(&mut server, &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await
    }
}

/// Runs one statement as it is.
pub(super) async fn run(connection: &mut PgConnection, statement: &str) -> Result<(), Failure> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

async fn version(connection: &mut PgConnection) -> Result<i64, Failure> {
    let version = "SELECT current_setting('server_version_num')::bigint";
    Ok(sqlx::query_scalar(version).fetch_one(connection).await?)
}

#[expect(clippy::disallowed_methods, reason = "where it is, is told by whoever started it")]
fn postmaster() -> Result<u32, Failure> {
    let data = std::env::var("HOOKWRIGHT_TEST_POSTGRES_DATA")?;
    let text = fs::read_to_string(Path::new(&data).join("postmaster.pid"))?;
    Ok(text.lines().next().unwrap_or_default().parse()?)
}
