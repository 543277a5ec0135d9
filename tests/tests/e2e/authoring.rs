//! From an idea to a plugin that delivers, as an author does it: by the `hookwright` command and by previews.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use hookwright_tests::{
    example::{cargo, example, folder},
    guest::{Forge, Output},
    receiver::Reply,
    server::{Installation, binary},
    stage::Stage,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    time::timeout,
};

/// A build and a test on a busy machine.
const WATCHED: Duration = Duration::from_mins(2);

pub(crate) struct Ran {
    pub(crate) succeeded: bool,
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `hookwright plugin …` in a folder.
pub(crate) fn plugin(place: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(binary());
    // What is built for one run of the tests is there for the next.
    command.arg("plugin").args(arguments).current_dir(place).env("CARGO_TARGET_DIR", folder().join("../guide"));
    command.env("HOOKWRIGHT_CARGO", cargo());
    let output = command.output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let (succeeded, code) = (output.status.success(), output.status.code());
    Ran { succeeded, code, out: text(output.stdout), err: text(output.stderr) }
}

pub(crate) fn done(place: &Path, arguments: &[&str]) -> String {
    let ran = plugin(place, arguments);
    assert!(ran.succeeded, "{arguments:?}: {}{}", ran.out, ran.err);
    ran.out
}

fn file(place: &Path, name: &str, content: &Value) -> PathBuf {
    let path = place.join(name);
    std::fs::write(&path, content.to_string()).expect("written");
    path
}

/// A new plugin is built, tested and run as it is, and what comes out delivers.
async fn a_new_plugin_delivers(language: &str) {
    let place = tempfile::tempdir().expect("a folder");
    done(place.path(), &["new", "hello-tickets", "--lang", language]);
    let again = plugin(place.path(), &["new", "hello-tickets"]);
    assert!(!again.succeeded && again.err.contains("is not empty"), "{}", again.err);
    let project = place.path().join("hello-tickets");
    if language == "rust" {
        // The packages that it needs are those of the example plugins.
        std::fs::copy(folder().join("../../Cargo.lock"), project.join("Cargo.lock")).expect("copied");
    }

    let tested = done(&project, &["test"]);
    assert!(tested.contains("ok      A new ticket") && tested.contains("1 of 1 golden cases pass"), "{tested}");
    let checked: Value = serde_json::from_str(&done(&project, &["check", "--json"])).expect("JSON");
    assert_eq!((&checked["status"], &checked["cases"]), (&json!("ready"), &json!(1)), "{checked}");
    done(&project, &["build", "--output", "hello.wasm"]);
    let ticket = json!({ "title": "It <breaks>\nhere", "url": "javascript:alert(1)" });
    let event = file(&project, "event.json", &json!({ "type": "ticket.created", "payload": { "ticket": ticket } }));
    let event = event.to_str().expect("a path");
    let ran = done(&project, &["run", "hello.wasm", "--event", event, "--json", "--url", "https://chat.example/hook"]);
    let requests: Value = serde_json::from_str(&ran).expect("JSON");
    assert_eq!(requests[0]["url"], "https://chat.example/hook");
    assert_eq!(requests[0]["body"], r#"{"text":"Hello: It <breaks> here"}"#);

    let stage = Stage::open().await;
    let token = stage.server.admin_token();
    let server = ["--server", stage.server.url(), "--token", &token];
    let pushed = done(&project, &[&["push", "hello.wasm"], &server[..]].concat());
    assert!(pushed.contains("hello-tickets 0.1.0 is ready"), "{pushed}");
    let wrong = plugin(&project, &["push", "hello.wasm", "--server", stage.server.url(), "--token", "hwt_none"]);
    assert!(!wrong.succeeded && wrong.err.contains("401") && !wrong.err.contains("hwt_none"), "{}", wrong.err);
    // The form in the UI is made of it, wherever it is written.
    let known = stage.api.get("/plugins/hello-tickets/versions/0.1.0").await.expect("it is there").body;
    let greeting = &known["manifest"]["config"]["properties"]["greeting"];
    let expected = json!({
        "type": "string",
        "title": "Greeting",
        "description": "Put before every line.",
        "maxLength": 60,
        "default": "Hello",
    });
    assert_eq!(greeting, &expected, "{known:#}");
    let webhook = |greeting: Value| {
        let run = json!({ "name": "hello-tickets", "version": "0.1.0", "config": { "greeting": greeting } });
        json!({ "url": stage.receiver.url("/hello"), "events": ["ticket.*"], "plugin": run })
    };
    let long = webhook(json!("x".repeat(61)));
    let refused = stage.api.post("/webhooks", &long).await.expect_err("refused").problem();
    assert_eq!((refused.status, refused.pointers()), (422, vec!["/plugin/config/greeting"]));
    stage.api.register(&webhook(json!("New"))).await;
    stage.receiver.on("/hello", [Reply::ok()]);
    stage.api.publish_one("ticket.created", json!({ "ticket": { "title": "One" } })).await;
    assert_eq!(stage.receiver.wait("/hello", 1).await.json(), json!({ "text": "New: One" }));
}

#[tokio::test]
async fn a_new_plugin_in_rust_builds_passes_its_tests_and_delivers() {
    a_new_plugin_delivers("rust").await;
}

#[tokio::test]
async fn a_new_plugin_in_javascript_builds_passes_its_tests_and_delivers() {
    a_new_plugin_delivers("javascript").await;
}

#[tokio::test]
async fn a_new_plugin_in_python_builds_passes_its_tests_and_delivers() {
    a_new_plugin_delivers("python").await;
}

/// Who lacks the tools of a language is told which, and how to get them.
#[test]
fn what_an_author_must_install_is_told() {
    let place = tempfile::tempdir().expect("a folder");
    let nothing = tempfile::tempdir().expect("an empty folder");
    for (language, wanted) in
        [("javascript", "Node.js 18 or later with npm"), ("python", "Python 3.10 or later with venv")]
    {
        done(place.path(), &["new", language, "--lang", language]);
        let mut command = Command::new(binary());
        command.args(["plugin", "build", language]).current_dir(place.path()).env("PATH", nothing.path());
        let output = command.output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains(wanted) && told.contains("apt-get install"), "{told}");
    }
}

/// While it watches, a change of the source is tested at once.
#[tokio::test]
async fn a_change_is_tested_as_it_is_made() {
    let place = tempfile::tempdir().expect("a folder");
    done(place.path(), &["new", "watched", "--lang", "javascript"]);
    let project = place.path().join("watched");
    let mut command = tokio::process::Command::new(binary());
    command.args(["plugin", "test", "--watch"]).current_dir(&project).stdout(Stdio::piped()).kill_on_drop(true);
    let mut watching = command.spawn().expect("it runs");
    let mut lines = BufReader::new(watching.stdout.take().expect("its output")).lines();
    let mut until = async |wanted: &str| {
        let found = async {
            while let Some(line) = lines.next_line().await.expect("text") {
                if line.contains(wanted) {
                    return;
                }
            }
            panic!("it ended before it said: {wanted}");
        };
        timeout(WATCHED, found).await.unwrap_or_else(|_| panic!("it did not say: {wanted}"));
    };
    until("1 of 1 golden cases pass").await;
    until("waiting for a change").await;
    let (source, good) =
        (project.join("src/plugin.js"), std::fs::read_to_string(project.join("src/plugin.js")).expect("text"));
    std::fs::write(&source, good.replace("${greeting}:", "${greeting}!")).expect("written");
    until("FAILED  A new ticket").await;
    until("waiting for a change").await;
    std::fs::write(&source, good).expect("written");
    until("1 of 1 golden cases pass").await;
}

/// A plugin may be called what means something to the language it is written in.
#[test]
fn a_plugin_has_any_name() {
    let place = tempfile::tempdir().expect("a folder");
    for name in ["match", "config"] {
        done(place.path(), &["new", name]);
        let project = place.path().join(name);
        std::fs::copy(folder().join("../../Cargo.lock"), project.join("Cargo.lock")).expect("copied");
        let tested = done(&project, &["test"]);
        assert!(tested.contains("1 of 1 golden cases pass"), "{tested}");
    }
}

/// A project has so many previews at once, and no more.
#[tokio::test]
async fn previews_are_bounded() {
    let stage = Stage::on(Installation::new().env("HOOKWRIGHT_PLUGINS_PREVIEWS_AT_ONCE", "0")).await;
    let slack = stage.api.install(example("slack")).await;
    let path = format!("/plugins/slack/versions/{}/preview", slack.version);
    let problem = stage.api.post(&path, &json!({ "event": { "type": "a.b" } })).await.expect_err("refused").problem();
    assert_eq!((problem.status, problem.code.as_str()), (429, "too_many_requests"));
    assert!(problem.detail.contains("plugins.previews_at_once"), "{problem:?}");
}

/// Mistakes are told where they are made, in words that say what to do.
#[test]
fn mistakes_are_told_before_anything_is_uploaded() {
    let place = tempfile::tempdir().expect("a folder");
    let told = |arguments: &[&str]| {
        let ran = plugin(place.path(), arguments);
        assert!(!ran.succeeded, "{arguments:?}: {}", ran.out);
        format!("{}{}", ran.out, ran.err)
    };
    let name = told(&["new", "Hello!"]);
    assert!(name.contains("1 to 64 of a-z, 0-9 and -"), "{name}");
    let nothing = told(&["check", "."]);
    assert!(nothing.contains("plugin.toml"), "{nothing}");

    let case = |expect: Value| json!([{ "name": "a ticket", "event": { "type": "ticket.created" }, "expect": expect }]);
    let skips = |cases: Value| Forge::new("skips").manifest("cases", cases).returns(&Output::Skip("no".to_owned()));
    std::fs::write(place.path().join("wrong.wasm"), skips(case(json!({ "skip": "yes" }))).component())
        .expect("written");
    std::fs::write(place.path().join("right.wasm"), skips(case(json!({ "skip": "no" }))).component()).expect("written");
    let wrong = told(&["check", "wrong.wasm"]);
    assert!(wrong.contains("`a ticket` fails at `/skip`") && wrong.contains("plugin.case_failed"), "{wrong}");
    let wrong = told(&["test", "wrong.wasm"]);
    assert!(wrong.contains("FAILED  a ticket") && wrong.contains("0 of 1 golden cases pass"), "{wrong}");
    let right = done(place.path(), &["test", "right.wasm", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&right).expect("JSON")["failed"], 0);
    let foreign = told(&["check", Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml").to_str().expect("a path")]);
    assert!(foreign.contains("plugin.not_a_component"), "{foreign}");

    let event = file(place.path(), "event.json", &json!({ "payload": {} }));
    let event = told(&["run", "right.wasm", "--event", event.to_str().expect("a path")]);
    assert!(event.contains("no `type`"), "{event}");
    let slack = folder().join("slack.wasm");
    let event = file(place.path(), "event.json", &json!({ "type": "ticket.created", "payload": {} }));
    let config = file(place.path(), "config.json", &json!({ "mention": 7 }));
    let paths = [&slack, &event, &config].map(|path| path.to_str().expect("a path"));
    let config = told(&["run", paths[0], "--event", paths[1], "--config", paths[2]]);
    assert!(config.contains("`/config/mention`"), "{config}");
    let payload = told(&["run", paths[0], "--event", paths[1]]);
    assert!(payload.contains("ticket is missing") || payload.contains("`ticket`"), "{payload}");
}

/// Cases are written by the command, for languages whose tests cannot.
#[test]
fn golden_cases_are_written_from_what_the_plugin_makes() {
    let place = tempfile::tempdir().expect("a folder");
    done(place.path(), &["new", "writes-cases"]);
    let project = place.path().join("writes-cases");
    let case = project.join("cases/ticket-created.json");
    let before: Value = serde_json::from_slice(&std::fs::read(&case).expect("a case")).expect("JSON");
    let mut wrong = before.clone();
    wrong["expect"] = json!({ "skip": "not yet" });
    std::fs::write(&case, wrong.to_string()).expect("written");
    std::fs::copy(folder().join("../../Cargo.lock"), project.join("Cargo.lock")).expect("copied");
    assert!(!plugin(&project, &["test"]).succeeded);
    let updated = done(&project, &["test", "--update"]);
    assert!(updated.contains("1 of 1 golden cases have changed"), "{updated}");
    let after: Value = serde_json::from_slice(&std::fs::read(&case).expect("a case")).expect("JSON");
    assert_eq!(after, before);
}

/// A preview shows what would be sent, with secrets as names, and sends nothing.
#[tokio::test]
async fn a_preview_shows_the_requests_and_sends_nothing() {
    let stage = Stage::open().await;
    let trello = stage.api.install(example("trello")).await;
    let path = format!("/plugins/trello/versions/{}/preview", trello.version);
    let ticket = json!({ "ticket": { "id": "42", "title": "Export fails", "status": "open" } });
    let config = json!({ "list_id": "5abbe4b7ddc1b351ef961414" });
    let given = json!({
        "event": { "type": "ticket.created", "payload": ticket },
        "config": config,
        "url": stage.receiver.url("/trello"),
    });
    let shown = stage.api.post(&path, &given).await.expect("a preview").body;
    assert_eq!(shown["outcome"], "requests", "{shown:#}");
    let request = &shown["requests"][0];
    assert_eq!(request["url"], stage.receiver.url("/trello/cards"));
    let credentials = request["headers"].to_string();
    assert!(credentials.contains("[secret:key]") && credentials.contains("[secret:token]"), "{credentials}");
    assert!(request["body"].as_str().expect("a body").contains("Export fails"), "{shown:#}");
    assert!(shown["plugin"]["cpu_us"].as_u64().expect("a number") > 0);

    // What was remembered is given with it; an event that there is needs no copy.
    let event = stage.api.publish("ticket.updated", ticket.clone()).await.id;
    let edit = json!({ "event_id": event, "config": config, "facts": { "ticket:42": "card1" } });
    let shown = stage.api.post(&path, &edit).await.expect("a preview").body;
    assert_eq!(shown["plugin"]["recalled"], json!([{ "key": "ticket:42", "value": "card1" }]), "{shown:#}");
    assert_eq!(shown["requests"][0]["method"], "PUT", "{shown:#}");

    let problem = async |body: Value| stage.api.post(&path, &body).await.expect_err("refused").problem();
    let wrong = problem(json!({ "event": { "type": "ticket.created" }, "config": {} })).await;
    assert_eq!((wrong.status, wrong.pointers()), (422, vec!["/config/list_id"]));
    let both = problem(json!({ "event": { "type": "a.b" }, "event_id": event, "config": config })).await;
    assert_eq!((both.status, both.pointers()), (422, vec!["/event"]));
    let kind = problem(json!({ "event": { "type": "" }, "config": config })).await;
    assert_eq!((kind.status, kind.pointers()), (422, vec!["/event"]));
    let loops = stage.api.install(hookwright_tests::guest::Guest::Looper.component()).await;
    let path = format!("/plugins/{}/versions/{}/preview", loops.name, loops.version);
    let failed = stage.api.post(&path, &json!({ "event": { "type": "a.b" } })).await.expect("an answer").body;
    assert_eq!((&failed["outcome"], &failed["error"]["code"]), (&json!("failed"), &json!("plugin.timeout")));
    assert_eq!(stage.receiver.all().len(), 0, "nothing is sent");
}
