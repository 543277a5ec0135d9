//! On PostgreSQL history lies in a partition for each month.

use std::time::Duration;

use hookwright_tests::{eventually::eventually, server::Installation};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

const PATIENCE: Duration = Duration::from_mins(1);

/// The last month for which there is room.
async fn last(connection: &mut PgConnection) -> String {
    const SELECT: &str = "SELECT max(inhrelid::regclass::text) FROM pg_inherits
        WHERE inhparent = 'attempts'::regclass AND inhrelid <> 'attempts_default'::regclass";
    sqlx::query_scalar(SELECT).fetch_one(connection).await.expect("partitions are there from the start")
}

#[tokio::test]
async fn partitions_are_made_while_the_server_runs() {
    let url = Installation::fresh_postgres().await;
    let _server = Installation::stored_in(&url).env("HOOKWRIGHT_STORE_PARTITIONS_MS", "100").start().await;
    let mut connection = PgConnection::connect(&url).await.expect("PostgreSQL answers");
    let newest = last(&mut connection).await;
    // As if a month had begun since the server was started.
    sqlx::query(AssertSqlSafe(format!("DROP TABLE {newest}"))).execute(&mut connection).await.expect("it is empty");
    eventually(PATIENCE, "it is made again", async || (last(&mut connection).await == newest).then_some(())).await;
}
