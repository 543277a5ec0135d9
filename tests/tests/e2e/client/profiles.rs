//! Servers under names.

use std::os::unix::fs::PermissionsExt as _;

use hookwright_tests::{server::Installation, stage::Stage};
use serde_json::json;

use super::{Person, id};

#[tokio::test]
async fn whoever_has_logged_in_need_not_say_where_and_as_whom() {
    let stage = Stage::open().await;
    let person = Person::new();
    let (url, token) = (stage.server.url(), stage.server.admin_token());
    let wrong = person.fed(&["login", "--server", url], "hwt_wrong\n").await;
    assert_eq!(wrong.code, Some(5), "{}", wrong.err);
    let file = person.home().join("hookwright/config.toml");
    assert!(!file.exists(), "what does not let in is not noted");
    let logged_in = person.fed(&["login", "--server", url], &format!("{token}\n")).await;
    assert_eq!(logged_in.code, Some(0), "{}", logged_in.err);
    assert!(logged_in.out.contains("first admin token") && !logged_in.out.contains(&token), "{}", logged_in.out);
    let mode = std::fs::metadata(&file).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    person.done(&["event", "send", "ticket.created"]).await;
    assert_eq!(person.json(&["event", "list"]).await["items"].as_array().map(Vec::len), Some(1));

    // What others can read is not used any more.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("changed");
    let refused = person.run(&["event", "list"]).await;
    assert!(
        refused.code == Some(1) && refused.err.contains("chmod 600") && !refused.err.contains(&token),
        "{}",
        refused.err
    );
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("changed");
    person.done(&["event", "list"]).await;
}

#[tokio::test]
async fn profiles_are_chosen_by_name_and_forgotten() {
    let (one, other) = (Stage::open().await, Installation::new().start().await);
    let person = Person::new();
    let project =
        one.api.post("/projects", &json!({ "name": "QA", "external_id": "qa" })).await.expect("a project").body;
    let add = async |name: &str, url: &str, token: &str, rest: &[&str]| {
        let added = person.fed(&[&["profile", "add", name, "--server", url], rest].concat(), token).await;
        assert_eq!(added.code, Some(0), "{}", added.err);
    };
    add("one", one.server.url(), &one.server.admin_token(), &["--project", "qa"]).await;
    add("other", other.url(), &other.admin_token(), &[]).await;
    let listed = person.done(&["profile", "list"]).await;
    assert!(listed.contains("one") && listed.contains("qa") && !listed.contains("hwt_"), "{listed}");
    assert_eq!(person.json(&["profile", "list"]).await["items"][0]["current"], json!(true), "the first one is used");
    let made = person.json(&["webhook", "create", "--url", "http://127.0.0.1:9/", "--event", "a.b"]).await;
    assert_eq!(made["project"], project["id"], "in the profile's project");
    let there = person.json(&["webhook", "list", "--profile", "other"]).await;
    assert_eq!(there["items"], json!([]));
    person.done(&["profile", "use", "other"]).await;
    assert_eq!(person.json(&["webhook", "list"]).await["items"], json!([]));
    let shown = person.json(&["webhook", "show", id(&made), "--profile", "one"]).await;
    assert_eq!(shown["id"], made["id"]);

    // A token is for one server: another one does not get it because it is named.
    let moved = person.run(&["webhook", "list", "--server", one.server.url()]).await;
    assert!(moved.code == Some(1) && moved.err.contains("another server"), "{}", moved.err);
    person.done(&["profile", "remove", "other"]).await;
    let unknown = person.run(&["webhook", "list", "--profile", "other"]).await;
    assert!(unknown.code == Some(1) && unknown.err.contains("there is no profile `other` (one)"), "{}", unknown.err);
    let none = person.run(&["webhook", "list"]).await;
    assert!(none.code == Some(1) && none.err.contains("a token is needed"), "{}", none.err);
}
