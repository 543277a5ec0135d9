//! From a failed delivery to a fix, as an author does it: replayed on the command line, mended, tried on what was delivered,
//! taken over, and what was parked arrives.

use std::path::Path;
use std::time::Duration;

use hookwright_tests::{eventually::eventually, example::folder, receiver::Reply, stage::Stage};
use serde_json::{Value, json};

use crate::authoring::{Ran, done, plugin};

const EVENTS: usize = 1000;
/// One ticket of so many has no address, which the first version does not expect.
const EVERY: usize = 20;
const PATIENCE: Duration = Duration::from_mins(3);

/// Changes a file; what is to be changed must be there.
fn change(file: &Path, changes: &[(&str, &str)]) {
    let mut text = std::fs::read_to_string(file).expect("a file");
    for (was, now) in changes {
        assert!(text.contains(was), "{was} stands in {}", file.display());
        text = text.replace(was, now);
    }
    std::fs::write(file, text).expect("written");
}

const MISTAKE: [(&str, &str); 2] = [
    ("url: Option<String>", "url: String"),
    ("ticket.url.as_deref().and_then(text::web_link)", "text::web_link(&ticket.url)"),
];

fn json_of(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {}{}", ran.out, ran.err))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_delivery_is_replayed_mended_tried_promoted_and_arrives() {
    let place = tempfile::tempdir().expect("a folder");
    done(place.path(), &["new", "fix-me"]);
    let project = place.path().join("fix-me");
    std::fs::copy(folder().join("../../Cargo.lock"), project.join("Cargo.lock")).expect("copied");
    change(&project.join("src/lib.rs"), &MISTAKE);

    let stage = Stage::open().await;
    let (api, token) = (&stage.api, stage.server.admin_token());
    let server = ["--server", stage.server.url(), "--token", &token];
    let on_server = |arguments: &[&str]| plugin(&project, &[arguments, &server[..]].concat());
    let pushed = on_server(&["push"]);
    assert!(pushed.succeeded, "{}{}", pushed.out, pushed.err);
    let through = json!({ "name": "fix-me", "version": "0.1.0", "config": { "greeting": "New" } });
    let webhook = json!({ "url": stage.receiver.url("/hook"), "events": ["ticket.*"], "plugin": through });
    let webhook = api.register(&webhook).await.id;
    stage.receiver.on("/hook", [Reply::ok()]);
    let event = |n: usize| {
        let mut ticket = json!({ "title": format!("Ticket {n}"), "url": format!("https://qa.example.com/{n}") });
        if n.is_multiple_of(EVERY) {
            ticket.as_object_mut().expect("an object").remove("url");
        }
        json!({ "type": "ticket.created", "payload": { "ticket": ticket } })
    };
    let events: Vec<Value> = (0..EVENTS).map(event).collect();
    api.post("/events", &json!(events)).await.expect("accepted");
    api.all_settled().await;
    let parked = api.list("/deliveries?status=parked").await;
    assert_eq!((parked.len(), stage.receiver.count("/hook")), (EVENTS / EVERY, EVENTS - EVENTS / EVERY));

    // The failure is seen in the log, and seen again on this machine.
    let failed = parked[0]["id"].as_str().expect("an id").to_owned();
    let logs = on_server(&["logs", &webhook, "--last", "200"]);
    assert!(logs.succeeded && logs.out.contains("(plugin.failed)") && logs.out.contains("hint: "), "{}", logs.out);
    let lines = on_server(&["logs", "--plugin", "fix-me", "--json", "--last", "3"]);
    let lines: Vec<Value> = lines.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(lines.len() == 3 && lines.iter().all(|line| line["plugin"]["cpu_us"].is_u64()), "{lines:#?}");
    let replayed = on_server(&["replay", &failed]);
    assert_eq!(replayed.code, Some(4), "{}{}", replayed.out, replayed.err);
    for told in ["the same failure as recorded", "url", "hint: ", "input   sha256:", ", as recorded"] {
        assert!(replayed.out.contains(told), "{told}: {}", replayed.out);
    }
    let arrived = api.list("/deliveries?status=succeeded").await[0]["id"].as_str().expect("an id").to_owned();
    let same = on_server(&["replay", &arrived, "--json"]);
    let told = json_of(&same);
    assert_eq!((same.code, &told["comparison"]), (Some(0), &json!("same")), "{told:#}");
    assert_eq!(told["recorded"]["digests"], told["replayed"]["digests"], "byte for byte, on another machine too");
    let view = api.get(&format!("/deliveries/{arrived}")).await.expect("a delivery").body;
    assert_eq!(view["plugin"]["digests"], told["recorded"]["digests"]);
    assert_eq!(told["requests"][0]["body"], view["requests"][0]["body"]);

    // The fix, tried on the delivery that failed and on one that arrived.
    change(&project.join("src/lib.rs"), &MISTAKE.map(|(was, now)| (now, was)));
    change(&project.join("plugin.toml"), &[("version = \"0.1.0\"", "version = \"0.2.0\"")]);
    let mended = on_server(&["replay", &failed, ".", "--case", "cases/no-address.json"]);
    assert!(mended.code == Some(0) && mended.out.contains("mended"), "{}{}", mended.out, mended.err);
    let updated = done(&project, &["test", "--update"]);
    assert!(updated.contains("1 of 2 golden cases have changed"), "{updated}");
    assert!(done(&project, &["test"]).contains("2 of 2 golden cases pass"));
    let same = on_server(&["replay", &arrived, "."]);
    assert!(same.code == Some(0) && same.out.contains("same bytes"), "{}{}", same.out, same.err);
    assert!(same.out.contains("version sha256:") && same.out.contains("recorded is sha256:"), "{}", same.out);
    let pushed = on_server(&["push"]);
    assert!(pushed.succeeded, "{}{}", pushed.out, pushed.err);

    // Tried on everything that was delivered, then taken over; what was parked arrives.
    let config = project.join("config.json");
    std::fs::write(&config, json!({ "greeting": "Newer" }).to_string()).expect("written");
    let other =
        on_server(&["backtest", &webhook, "--config", config.to_str().expect("a path"), "--last", "200", "--watch"]);
    assert_eq!(other.code, Some(0), "{}{}", other.out, other.err);
    for told in ["at /requests/0/body/text", "- \"New: Ticket", "+ \"Newer: Ticket", "  same                       0"] {
        assert!(other.out.contains(told), "{told}: {}", other.out);
    }
    assert!(other.err.contains(" of 200 events"), "{}", other.err);
    let tried = on_server(&["backtest", &webhook, "fix-me@0.2.0", "--json", "--promote", "--reprocess"]);
    let job = json_of(&tried);
    assert_eq!(tried.code, Some(0), "{job:#}");
    let results = json!({
        "same": EVENTS - EVENTS / EVERY, "changed": 0, "skipped": 0, "failed": 0, "newly_failing": 0,
        "mended": EVENTS / EVERY,
    });
    assert_eq!(job["results"], results, "{job:#}");
    assert_eq!(job["progress"], json!({ "done": EVENTS, "total": EVENTS, "failed": 0 }));
    assert_eq!(job["promoted"]["parked"], json!(EVENTS / EVERY));
    let mended = api.list(&format!("/jobs/{}/results?outcome=mended", job["id"].as_str().expect("an id"))).await;
    assert_eq!(mended.len(), EVENTS / EVERY);
    assert!(mended.iter().any(|result| result["delivery_id"] == json!(failed)), "{mended:#?}");
    eventually(PATIENCE, "what was parked arrives", async || (stage.receiver.count("/hook") == EVENTS).then_some(()))
        .await;
    api.all_settled().await;
    let view = api.get(&format!("/webhooks/{webhook}")).await.expect("a webhook").body;
    assert_eq!(
        (&view["plugin"]["version"], &view["plugin"]["config"]),
        (&json!("0.2.0"), &json!({ "greeting": "New" }))
    );
    let first = api.get(&format!("/deliveries/{failed}")).await.expect("a delivery").body;
    let new = first["reprocessed_by"].as_str().expect("it was reprocessed");
    assert_eq!(api.delivery(new).await.status, "succeeded");
}
