//! Keys that seal secrets are replaced beside a server that runs.

use hookwright_tests::{
    receiver::Receiver,
    server::{Installation, Server},
    stage::Stage,
};
use serde_json::{Value, json};

const WEBHOOKS: usize = 250;

/// Each key with what it is for and how many values it has sealed.
async fn keys(server: &Server) -> Vec<(u64, String, u64)> {
    let said = server.tool(&["keys", "list", "--json"]).await.expect("a list");
    let rows: Vec<Value> = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error} in {said}"));
    let number = |value: &Value| value.as_u64().expect("a number");
    let row =
        |row: &Value| (number(&row["id"]), row["use"].as_str().expect("a text").to_owned(), number(&row["values"]));
    rows.iter().map(row).collect()
}

fn key(id: u64, r#use: &str, values: usize) -> (u64, String, u64) {
    (id, r#use.to_owned(), values as u64)
}

async fn keys_are_replaced_beside_a_server(installation: Installation) {
    let Stage { server, api, receiver } = Stage::on(installation).await;
    let mut secrets = Vec::new();
    for n in 0..WEBHOOKS {
        let webhook = json!({ "url": receiver.url(&format!("/{n}")), "events": [format!("n{n}.*")], "bearer_token": "token-of-it" });
        let webhook = api.register(&webhook).await;
        secrets.push((webhook.id, webhook.signing_secret));
    }
    assert_eq!(keys(&server).await, [key(1, "seals", WEBHOOKS)]);
    assert!(server.tool(&["keys", "prune"]).await.expect("nothing to do").contains("no key"));

    let said = server.tool(&["keys", "rotate", "--no-reseal"]).await.expect("another key");
    assert!(said.contains("key 2 seals"), "{said}");
    // What the server seals from now on it seals by the new one.
    api.patch(&format!("/webhooks/{}", secrets[0].0), &json!({ "name": "changed" })).await.expect("changed");
    assert_eq!(keys(&server).await, [key(2, "seals", 1), key(1, "opens", WEBHOOKS - 1)]);
    let said = server.tool(&["keys", "prune"]).await.expect("nothing to do");
    assert!(said.contains("no key") && said.contains("key 1 stays"), "{said}");

    let said = server.tool(&["keys", "reseal"]).await.expect("all of them");
    assert!(said.contains(&format!("{} of {}", WEBHOOKS - 1, WEBHOOKS - 1)), "{said}");
    assert_eq!(keys(&server).await, [key(2, "seals", WEBHOOKS), key(1, "opens", 0)]);

    // Now by the one command, with a key that the server has not read when it meets what it has sealed.
    server.tool(&["keys", "rotate"]).await.expect("another key");
    assert_eq!(keys(&server).await, [key(3, "seals", WEBHOOKS), key(2, "opens", 0), key(1, "opens", 0)]);
    let read = api.get(&format!("/webhooks/{}", secrets[1].0)).await.expect("it opens what the new key has sealed");
    assert_eq!(read.body["bearer_token"], json!("••••"));
    let said = server.tool(&["keys", "prune"]).await.expect("two keys go");
    assert!(said.contains("keys 2, 1"), "{said}");
    assert_eq!(keys(&server).await, [key(3, "seals", WEBHOOKS)]);

    for (n, (_, secret)) in secrets.iter().enumerate().step_by(50) {
        delivers(&server, &receiver, n, secret, 1).await;
    }
    // One that comes after has nothing but the file.
    let server = server.stop().await.start().await;
    for (n, (_, secret)) in secrets.iter().enumerate().step_by(50) {
        delivers(&server, &receiver, n, secret, 2).await;
    }
}

/// An event of the webhook arrives with its token and its signature.
async fn delivers(server: &Server, receiver: &Receiver, n: usize, secret: &str, times: usize) {
    server.api().publish_one(&format!("n{n}.x"), json!({})).await;
    let request = receiver.wait(&format!("/{n}"), times).await;
    assert_eq!(request.header("authorization"), "Bearer token-of-it");
    request.verify(secret).expect("signed by the key of before");
}

#[tokio::test]
async fn keys_are_replaced_beside_a_server_on_sqlite() {
    keys_are_replaced_beside_a_server(Installation::new()).await;
}

#[tokio::test]
async fn keys_are_replaced_beside_a_server_on_postgres() {
    keys_are_replaced_beside_a_server(Installation::on_postgres().await).await;
}

#[tokio::test]
async fn nodes_get_a_prepared_key_before_it_seals() {
    let Stage { server, api, receiver } = Stage::on(Installation::on_postgres().await).await;
    let second = server.second().start().await;
    let webhook = json!({ "url": receiver.url("/0"), "events": ["n0.*"], "bearer_token": "token-of-it" });
    let webhook = api.register(&webhook).await;
    let copy = || {
        let file = |server: &Server| server.folder().join("hookwright.keys");
        std::fs::copy(file(&server), file(&second)).expect("the file is copied");
    };
    server.tool(&["keys", "rotate", "--prepare"]).await.expect("a key");
    assert_eq!(keys(&server).await, [key(1, "seals", 1), key(2, "prepared", 0)]);
    copy();
    server.tool(&["keys", "rotate"]).await.expect("it seals");
    assert_eq!(keys(&server).await, [key(2, "seals", 1), key(1, "opens", 0)]);
    // This one has the key, and goes on with the one of before until it is told.
    second.api().patch(&format!("/webhooks/{}", webhook.id), &json!({ "name": "b" })).await.expect("changed");
    assert_eq!(keys(&server).await, [key(2, "seals", 0), key(1, "opens", 1)]);
    copy();
    server.tool(&["keys", "reseal"]).await.expect("the rest");
    server.tool(&["keys", "prune"]).await.expect("the old one goes");
    copy();
    assert_eq!(keys(&second).await, [key(2, "seals", 1)]);
    for (node, times) in [(&server, 1), (&second, 2)] {
        delivers(node, &receiver, 0, &webhook.signing_secret, times).await;
    }
}

#[tokio::test]
async fn what_is_not_there_is_told() {
    let installation = Installation::new();
    let said = installation.tool(&["keys", "list"]).await.expect_err("no database");
    assert!(said.contains("there is none at"), "{said}");
    assert!(!installation.folder().join("hookwright.db").exists(), "none is made");
    let server = installation.start().await;
    std::fs::remove_file(server.folder().join("hookwright.keys")).expect("it is there");
    let said = server.tool(&["keys", "rotate"]).await.expect_err("no key file");
    assert!(said.contains("hookwright.keys"), "{said}");
}
