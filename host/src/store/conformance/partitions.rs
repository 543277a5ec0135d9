//! History by month on PostgreSQL: each row lies in its month's partition, whenever that was made.

use sqlx::PgPool;

use super::stage::{NOW, Stage};
use crate::domain::clock::Millis;
use crate::domain::event::Event;
use crate::domain::id::{DEFAULT_PROJECT, DeliveryId, EventId};
use crate::domain::webhook::Webhook;
use crate::store::db::Db;
use crate::store::partitions::PARTITIONED;
use crate::store::{NewDelivery, RequestEnd, WorkKind};

/// A day in May, long after the months for which there are partitions from the start.
const LATER: Millis = Millis(NOW.0 + 110 * 24 * 60 * 60 * 1000);

fn pool(stage: &Stage) -> &PgPool {
    let Db::Postgres(pool) = &stage.store.db else { panic!("PostgreSQL only") };
    pool
}

/// The partitions that hold rows, over all tables.
async fn in_use(stage: &Stage) -> Vec<String> {
    let mut partitions = Vec::new();
    for (table, _) in PARTITIONED {
        let sql = format!("SELECT DISTINCT tableoid::regclass::text FROM {table}");
        let found: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(pool(stage)).await.unwrap();
        partitions.extend(found);
    }
    partitions
}

/// A row in each table, made at this time.
async fn history(stage: &Stage, webhook: &Webhook, at: Millis) -> DeliveryId {
    let id = DeliveryId::with_room(at, stage.entropy.id());
    let lease = stage.lease();
    let delivery = NewDelivery { id, ..stage.delivery(webhook, WorkKind::Transform, Some(lease)) };
    let mut accept = stage.accept_of(vec![delivery]);
    let event = &mut accept.events[0].event;
    *event = std::sync::Arc::new(Event { id: EventId::new(at, stage.entropy.id()), ..Event::clone(event) });
    stage.store.accept(accept).await.unwrap();
    stage.store.freeze(Stage::freeze(webhook, id, lease, 1)).await.unwrap();
    stage.store.finish(Stage::finish(webhook, id.request(0), lease, RequestEnd::Succeeded)).await.unwrap();
    stage.store.record(stage.entry(at, "webhook.tested")).await.unwrap();
    id
}

#[tokio::test]
async fn partitions_of_later_months_are_made_while_running() {
    let stage = Stage::postgres().await;
    let webhook = stage.stored_webhook().await;
    stage.store.make_partitions(LATER).await.unwrap();
    history(&stage, &webhook, LATER).await;
    let expected = PARTITIONED.map(|(table, _)| format!("{table}_2026_05"));
    assert_eq!(in_use(&stage).await, expected);
    stage.store.make_partitions(LATER).await.expect("nothing is left to make");
}

#[tokio::test]
async fn what_came_before_its_partition_is_moved_into_it() {
    let stage = Stage::postgres().await;
    let webhook = stage.stored_webhook().await;
    let delivery = history(&stage, &webhook, LATER).await;
    assert_eq!(in_use(&stage).await, PARTITIONED.map(|(table, _)| format!("{table}_default")));
    stage.store.make_partitions(LATER).await.unwrap();
    assert_eq!(in_use(&stage).await, PARTITIONED.map(|(table, _)| format!("{table}_2026_05")));
    let view = stage.store.delivery(DEFAULT_PROJECT, delivery).await.unwrap().unwrap();
    assert_eq!(view.requests[0].attempts.len(), 1);
    // The rows are under the same rules as before.
    let again = sqlx::query("INSERT INTO events SELECT * FROM events").execute(pool(&stage)).await;
    assert!(again.unwrap_err().as_database_error().unwrap().is_unique_violation());
}

#[tokio::test]
async fn nodes_make_partitions_at_the_same_time_and_under_load() {
    let stage = Stage::postgres().await;
    let other = stage.beside().await;
    let webhook = stage.stored_webhook().await;
    let load = async {
        for _ in 0..50 {
            history(&stage, &webhook, LATER).await;
        }
    };
    let (here, there, ()) = tokio::join!(stage.store.make_partitions(LATER), other.make_partitions(LATER), load);
    here.unwrap();
    there.unwrap();
    stage.store.make_partitions(LATER).await.unwrap();
    let in_use = in_use(&stage).await;
    assert!(in_use.iter().all(|partition| partition.ends_with("_2026_05")), "{in_use:?}");
}

#[tokio::test]
async fn a_transaction_that_a_node_sleeps_over_is_ended() {
    let stage = Stage::postgres().await;
    let timeout: String =
        sqlx::query_scalar("SHOW idle_in_transaction_session_timeout").fetch_one(pool(&stage)).await.unwrap();
    assert_eq!(timeout, "10s");
}
