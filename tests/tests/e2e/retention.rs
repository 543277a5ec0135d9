//! What is no longer kept is removed while everything else goes on, and is shown as gone.

use std::time::Duration;

use hookwright_tests::{eventually::eventually, receiver::Reply, server::Installation, stage::Stage};
use serde_json::{Value, json};
use sqlx::Connection as _;

const PATIENCE: Duration = Duration::from_secs(30);
/// Forty days, as a difference of ids: they begin with milliseconds.
const AGE_MS: u64 = 40 * 24 * 60 * 60 * 1000;

/// Removes every second what is older than a day.
fn tidy(installation: Installation) -> Installation {
    installation
        .env("HOOKWRIGHT_RETENTION_CRON", "* * * * * *")
        .env("HOOKWRIGHT_RETENTION_PAYLOAD_DAYS", "30")
        .env("HOOKWRIGHT_RETENTION_ATTEMPTS_DAYS", "30")
}

/// The id of the same thing, made forty days before.
fn aged(id: &str) -> String {
    let (prefix, hex) = id.split_once('_').expect("an id");
    let millis = u64::from_str_radix(&hex[..12], 16).expect("hexadecimal") - AGE_MS;
    format!("{prefix}_{millis:012x}{}", &hex[12..])
}

/// Makes all history forty days older while no server runs.
async fn age(installation: &Installation) {
    let file = format!("sqlite:{}", installation.folder().join("hookwright.db").display());
    let mut database = sqlx::SqliteConnection::connect(&file).await.expect("the database");
    for (table, column) in [
        ("events", "id"),
        ("webhook_deliveries", "id"),
        ("webhook_deliveries", "event_id"),
        ("requests", "id"),
        ("attempts", "request_id"),
    ] {
        let select = format!("SELECT DISTINCT {column} FROM {table}");
        let ids: Vec<Vec<u8>> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(select)).fetch_all(&mut database).await.expect("ids");
        for id in ids {
            let number = u128::from_be_bytes(id.clone().try_into().expect("16 bytes")) - (u128::from(AGE_MS) << 80);
            let update = format!("UPDATE {table} SET {column} = $1 WHERE {column} = $2");
            let update = sqlx::query(sqlx::AssertSqlSafe(update)).bind(number.to_be_bytes().to_vec()).bind(id);
            update.execute(&mut database).await.expect("older");
        }
    }
    let settled = "UPDATE webhook_deliveries SET settled_at = settled_at - $1";
    let age = i64::try_from(AGE_MS).expect("a time");
    sqlx::query(settled).bind(age).execute(&mut database).await.expect("older");
    database.close().await.expect("closed");
}

#[tokio::test]
async fn what_is_no_longer_kept_is_shown_as_gone_and_not_sent_again() {
    let Stage { server, api, receiver } = Stage::on(Installation::new()).await;
    receiver.on("/hook", [Reply::status(400).body("no")]);
    let options = json!({ "url": receiver.url("/hook"), "events": ["ticket.*"], "retry": [0] });
    api.register(&options).await;
    let delivery = api.publish_one("ticket.created", json!({ "n": 1 })).await.id;
    let settled = api.settled(&delivery).await;
    assert_eq!(settled.status, "failed");
    let event = api.list("/events?type=ticket.created").await[0]["id"].as_str().expect("an id").to_owned();
    let installation = server.stop().await;
    age(&installation).await;
    let server = tidy(installation).start().await;
    let api = server.api();
    let (delivery, event) = (aged(&delivery), aged(&event));
    let gone = eventually(PATIENCE, "both are gone", async || {
        let event = api.get(&format!("/events/{event}")).await.expect("the event stays").body;
        let delivery = api.get(&format!("/deliveries/{delivery}")).await.expect("the delivery stays").body;
        let are_gone = event["payload_removed_at"].is_string() && delivery["attempts_removed_at"].is_string();
        are_gone.then_some((event, delivery))
    })
    .await;
    assert_eq!((&gone.0["payload"], &gone.0["payload_removed"]), (&Value::Null, &json!(true)));
    assert_eq!((&gone.1["requests"], &gone.1["status"]), (&json!([]), &json!("failed")));
    let replay = api.post(&format!("/events/{event}/replay"), &json!({})).await.expect_err("it is gone").problem();
    assert_eq!((replay.status, replay.code.as_str()), (410, "no_longer_kept"));
    assert!(replay.detail.contains("since"), "{}", replay.detail);
    let retry = api.post(&format!("/deliveries/{delivery}/retry"), &json!({})).await.expect_err("it is gone").problem();
    assert_eq!(retry.status, 409);
    assert!(retry.detail.contains("no longer kept since"), "{}", retry.detail);
    assert_eq!(receiver.count("/hook"), 1);
    let told = eventually(PATIENCE, "the audit log tells", async || {
        let lines = api.list("/audit?action=retention.removed&all_projects=true").await;
        (lines.len() >= 2).then_some(lines)
    })
    .await;
    assert!(told.iter().all(|line| line["after"]["removed"] == 1), "{told:#?}");
}

#[tokio::test]
async fn a_project_says_how_long_it_keeps_its_history() {
    let api = Stage::open().await;
    let api = &api.api;
    let made =
        api.post("/projects", &json!({ "name": "kept", "retention": { "payload_days": 7 } })).await.expect("made");
    let unset = json!({ "payload_days": 7, "attempts_days": null, "audit_days": null });
    assert_eq!(made.body["retention"], unset);
    let path = format!("/projects/{}", made.body["id"].as_str().expect("an id"));
    let change = json!({ "retention": { "attempts_days": 0, "audit_days": 3650 } });
    let changed = api.patch(&path, &change).await.expect("changed").body;
    assert_eq!(changed["retention"], json!({ "payload_days": 7, "attempts_days": 0, "audit_days": 3650 }));
    let wrong =
        api.patch(&path, &json!({ "retention": { "payload_days": 36501 } })).await.expect_err("too long").problem();
    assert_eq!(wrong.pointers(), ["/retention/payload_days"]);
    let admin = api.in_project(made.body["id"].as_str().expect("an id")).allowed(&["admin"]).await;
    admin.patch(&path, &json!({ "retention": { "payload_days": 8 } })).await.expect("the project's own admin may");
    let hidden = admin.patch(&path, &json!({ "retention": { "audit_days": 1 } })).await.expect_err("may not").problem();
    assert_eq!(hidden.status, 403);
    let reset = api.patch(&path, &json!({ "retention": null })).await.expect("changed").body;
    assert_eq!(reset["retention"], json!({ "payload_days": null, "attempts_days": null, "audit_days": null }));
}
