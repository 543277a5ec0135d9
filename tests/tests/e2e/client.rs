//! `hookwright` as a client: what people and scripts do with it, against a real server.

mod listening;
mod profiles;
mod schedules;

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use hookwright_tests::{receiver::Reply, server::binary, stage::Stage};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// No command takes longer that ends by itself.
const PATIENCE: Duration = Duration::from_mins(1);

/// A person with settings of their own, and the command.
struct Person {
    home: TempDir,
    environment: Vec<(String, String)>,
}

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {}{}", self.out, self.err))
    }
}

impl Person {
    /// Somebody who knows no server.
    fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a folder"), environment: Vec::new() }
    }

    /// Somebody whose environment names this server and this token.
    fn at(server: &str, token: &str) -> Self {
        let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Self { environment: vec![named("HOOKWRIGHT_URL", server), named("HOOKWRIGHT_TOKEN", token)], ..Self::new() }
    }

    /// Somebody who may do everything.
    fn admin(stage: &Stage) -> Self {
        Self::at(stage.server.url(), &stage.server.admin_token())
    }

    /// A file of theirs.
    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, content).expect("written");
        path
    }

    fn home(&self) -> &Path {
        self.home.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HOOKWRIGHT_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .env("XDG_CONFIG_HOME", self.home())
            .env("NO_PROXY", "127.0.0.1")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.home())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        let output = timeout(PATIENCE, self.command(arguments).output()).await.expect("it ends by itself");
        Ran::of(output.expect("it starts"))
    }

    /// The same with something on stdin.
    async fn fed(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        stdin.write_all(input.as_bytes()).await.expect("written");
        drop(stdin);
        Ran::of(timeout(PATIENCE, child.wait_with_output()).await.expect("it ends by itself").expect("it ran"))
    }

    /// What it says when it succeeds.
    async fn done(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments).await;
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}{}", ran.out, ran.err);
        ran.out
    }

    /// The document that it prints for programs.
    async fn json(&self, arguments: &[&str]) -> Value {
        let text = self.done(&[arguments, &["--json"]].concat()).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    /// One that goes on until it is ended.
    fn start(&self, arguments: &[&str]) -> Going {
        let mut child = self.command(arguments).spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        Going { child, lines }
    }
}

/// A command that goes on.
struct Going {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Going {
    async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("a line in time").expect("it can be read");
        line.expect("it goes on")
    }

    async fn json(&mut self) -> Value {
        let line = self.line().await;
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line}"))
    }

    /// Ctrl-C.
    async fn interrupt(self) -> Ran {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(id.expect("it still runs"), rustix::process::Signal::INT)
            .expect("the signal is sent");
        Ran::of(timeout(PATIENCE, self.child.wait_with_output()).await.expect("it ends").expect("it ran"))
    }
}

fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value:#}"))
}

#[tokio::test]
async fn a_webhook_is_made_tested_changed_and_gets_events() {
    let stage = Stage::open().await;
    let person = Person::admin(&stage);
    let url = stage.receiver.url("/hook");
    let token = person.file("token", "b3arer\n");
    let token = token.to_str().expect("a path");
    let made = person
        .json(&[
            "webhook",
            "create",
            "--url",
            &url,
            "--event",
            "ticket.*",
            "--name",
            "mine",
            "--bearer-token-file",
            token,
        ])
        .await;
    let (webhook, secret) = (id(&made).to_owned(), made["signing_secret"].as_str().expect("a secret").to_owned());
    let shown = person.done(&["webhook", "show", &webhook]).await;
    assert!(shown.contains("mine") && !shown.contains(&secret) && !shown.contains("b3arer"), "{shown}");
    let listed = person.done(&["webhook", "list"]).await;
    assert!(listed.starts_with("ID ") && listed.contains(&webhook) && !listed.contains('\u{1b}'), "{listed}");

    let tested = person.done(&["webhook", "test", &webhook]).await;
    assert!(tested.contains("succeeded 200"), "{tested}");
    let test = stage.receiver.wait("/hook", 1).await;
    test.verify(&secret).expect("signed");
    assert_eq!(test.header("authorization"), "Bearer b3arer");

    let payload = person.file("ticket.json", r#"{"ticket": {"key": "PAY-7"}}"#);
    let payload = payload.to_str().expect("a path");
    let sent =
        person.json(&["event", "send", "ticket.created", "--file", payload, "--subject", "PAY-7", "--wait"]).await;
    assert_eq!(sent["deliveries"][0]["status"], "succeeded", "{sent:#}");
    assert_eq!(stage.receiver.wait("/hook", 2).await.json()["data"]["ticket"]["key"], "PAY-7");
    let event = id(&sent).to_owned();
    assert_eq!(person.json(&["event", "show", &event]).await["subject"], "PAY-7");
    assert!(person.done(&["event", "list", "--type", "ticket.created"]).await.contains(&event));
    let explained = person.done(&["webhook", "explain", &webhook, "--event", &event]).await;
    assert!(explained.contains("✓ it gets the event"), "{explained}");

    let changed = person.json(&["webhook", "edit", &webhook, "--filter", "false", "--timeout", "5s"]).await;
    assert_eq!((&changed["filter"], &changed["timeout_ms"]), (&json!("false"), &json!(5000)));
    let sent = person.done(&["event", "send", "ticket.created"]).await;
    assert!(sent.contains("no webhook wants it"), "{sent}");
    let triggered = person.json(&["webhook", "trigger", &webhook, "--event", &event]).await;
    assert_eq!(triggered["trigger"], "manual");
    let changed = person.json(&["webhook", "edit", &webhook, "--unset", "filter"]).await;
    assert_eq!(changed["filter"], Value::Null);
    let rotated = person.json(&["webhook", "rotate-secret", &webhook, "--overlap", "0s"]).await;
    let second = rotated["signing_secret"].as_str().expect("another secret");
    assert_ne!(second, secret);
    person.done(&["event", "replay", &event, "--webhook", &webhook, "--wait"]).await;
    stage.receiver.wait("/hook", 4).await.verify(second).expect("the new secret signs");

    assert!(person.done(&["webhook", "disable", &webhook]).await.contains("is disabled"));
    assert_eq!(person.json(&["event", "send", "ticket.created", "--wait"]).await["deliveries"][0]["status"], "skipped");
    assert!(person.done(&["webhook", "enable", &webhook]).await.contains("is enabled"));
    let again = person.done(&["webhook", "enable", &webhook]).await;
    assert!(again.contains("already"), "{again}");
    let forecast = person.done(&["webhook", "recover", &webhook, "--since", "1h", "--dry-run"]).await;
    assert!(
        forecast.starts_with("2 events; nothing was done"),
        "one was skipped, one did not pass the filter: {forecast}"
    );
    let job = person.json(&["webhook", "recover", &webhook, "--since", "1h", "--wait"]).await;
    assert_eq!((&job["state"], &job["progress"]["done"]), (&json!("succeeded"), &json!(2)), "{job:#}");
    stage.receiver.wait("/hook", 6).await;
    assert!(person.done(&["job", "list", "--kind", "recover"]).await.contains(id(&job)));
    let watched = person.done(&["job", "watch", id(&job)]).await;
    assert!(watched.contains("succeeded, 2 done, 0 failed"), "{watched}");
    let facts = person.run(&["webhook", "facts", &webhook]).await;
    assert!(facts.code == Some(0) && facts.err.contains("there are none"), "{}", facts.err);
    assert!(person.done(&["webhook", "revisions", &webhook]).await.contains("REVISION"));
    person.done(&["webhook", "delete", &webhook]).await;
    assert_eq!(person.run(&["webhook", "show", &webhook]).await.code, Some(6));
}

#[tokio::test]
async fn what_did_not_arrive_is_found_shown_and_sent_again() {
    let stage = Stage::open().await;
    let person = Person::admin(&stage);
    stage.receiver.on("/hook", [Reply::status(500).body("not \u{1b}[31mnow"), Reply::status(500), Reply::ok()]);
    let form = json!({ "url": stage.receiver.url("/hook"), "events": ["*"], "retry": [0] });
    stage.api.register(&form).await;
    let sent = person.run(&["event", "send", "story.created", "--wait", "--json"]).await;
    assert_eq!(sent.code, Some(3), "it did not arrive: {}", sent.err);
    let delivery = id(&sent.json()["deliveries"][0]).to_owned();
    let listed = person.json(&["delivery", "list", "--status", "failed", "--since", "1h"]).await;
    assert_eq!((listed["items"].as_array().map(Vec::len), &listed["next_cursor"]), (Some(1), &Value::Null));
    let shown = person.done(&["delivery", "show", &delivery]).await;
    assert!(shown.contains("failed 500") && shown.contains("webhook-signature"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "what a receiver says commands no terminal: {shown:?}");
    let retried = person.run(&["delivery", "retry", &delivery, "--wait"]).await;
    assert_eq!(retried.code, Some(3), "{}{}", retried.out, retried.err);
    let job = person.json(&["delivery", "resend", "--status", "failed", "--since", "1h", "--wait"]).await;
    assert_eq!(job["state"], "succeeded", "{job:#}");
    stage.receiver.wait("/hook", 3).await;
    assert_eq!(stage.api.settled(&delivery).await.status, "succeeded");

    let output = person.home().join("log.ndjson");
    person.done(&["delivery", "export", "--since", "1h", "--output", output.to_str().expect("a path")]).await;
    let text = std::fs::read_to_string(&output).expect("the file");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((lines.len(), id(&lines[0])), (1, delivery.as_str()));
    assert_eq!(lines[0]["requests"][0]["attempts"].as_array().map(Vec::len), Some(3));
    let exported = person.done(&["delivery", "export", "--since", "1h"]).await;
    assert_eq!(exported, text, "the same on stdout");
    let both = person.run(&["delivery", "cancel", &delivery, "--status", "failed"]).await;
    assert!(both.code == Some(1) && both.err.contains("not both"), "{}", both.err);
    let wrong = person.run(&["delivery", "cancel", &delivery]).await;
    assert_eq!(wrong.code, Some(8), "it has arrived: {}", wrong.err);
}

#[tokio::test]
async fn long_lists_and_many_events_are_whole() {
    let stage = Stage::open().await;
    let person = Person::admin(&stage);
    let line = |n: usize| json!({ "type": "ticket.created", "payload": { "n": n } }).to_string();
    let mut lines: Vec<String> = (0..1100).map(line).collect();
    lines[700] = json!({ "type": "no spaces", "payload": {} }).to_string();
    lines.insert(5, String::new());
    let sent = person.fed(&["event", "send", "--lines", "-"], &lines.join("\n")).await;
    assert_eq!((sent.code, sent.out.as_str()), (Some(2), "1099 events stored, 1 refused\n"), "{}", sent.err);
    assert!(sent.err.contains("line 702") && sent.err.contains("/type"), "{}", sent.err);

    let few = person.run(&["event", "list", "--limit", "3"]).await;
    assert_eq!(few.out.lines().count(), 4, "a head and three events: {}", few.out);
    let cursor = few.err.split("--cursor ").nth(1).expect("where to go on").trim();
    let page = person.json(&["event", "list", "--limit", "250"]).await;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(250), "more than one page");
    let next = person.json(&["event", "list", "--limit", "1", "--cursor", cursor]).await;
    assert_eq!(next["items"][0]["id"], page["items"][3]["id"]);
    let all = person.json(&["event", "list", "--all"]).await;
    assert_eq!((all["items"].as_array().map(Vec::len), &all["next_cursor"]), (Some(1099), &Value::Null));
}

#[tokio::test]
async fn a_tail_tells_of_each_delivery_as_it_comes() {
    let stage = Stage::open().await;
    let person = Person::admin(&stage);
    let form = json!({ "url": stage.receiver.url("/hook"), "events": ["*"] });
    stage.api.register(&form).await;
    let first = stage.api.publish_one("story.created", json!({})).await;
    stage.api.settled(&first.id).await;
    let mut tail = person.start(&["delivery", "tail", "--json"]);
    assert_eq!(id(&tail.json().await), first.id, "the last ones first");
    let second = stage.api.publish_one("story.updated", json!({})).await;
    loop {
        let line = tail.json().await;
        assert_eq!(id(&line), second.id);
        if line["status"] == "succeeded" {
            break;
        }
    }
}

#[tokio::test]
async fn tokens_projects_types_and_the_audit_log() {
    let stage = Stage::open().await;
    let person = Person::admin(&stage);
    let project = person.json(&["project", "create", "--name", "QA", "--external-id", "qa"]).await;
    let in_qa = ["--project", "qa"];
    let token = person
        .json(
            &[&["token", "create", "--name", "ci", "--permission", "events:publish", "--expires", "90d"], &in_qa[..]]
                .concat(),
        )
        .await;
    assert_eq!((&token["project"], token["expires_at"].is_string()), (&project["id"], true), "{token:#}");
    let secret = token["token"].as_str().expect("the token");
    let shown = person.done(&[&["token", "show", id(&token)], &in_qa[..]].concat()).await;
    assert!(!shown.contains(secret), "{shown}");
    let program = Person::at(stage.server.url(), secret);
    program.done(&["event", "send", "ticket.created"]).await;
    let refused = program.run(&["event", "list"]).await;
    assert_eq!(refused.code, Some(5), "{}", refused.err);
    assert!(refused.err.contains("events:read") && !refused.err.contains(secret), "{}", refused.err);
    assert_eq!(
        person.json(&[&["event", "list"], &in_qa[..]].concat()).await["items"].as_array().map(Vec::len),
        Some(1)
    );
    person.done(&[&["token", "revoke", id(&token)], &in_qa[..]].concat()).await;
    assert_eq!(program.run(&["event", "send", "ticket.created"]).await.code, Some(5));

    let schema = person.file("schema.json", r#"{"type": "object", "required": ["n"]}"#);
    let schema = schema.to_str().expect("a path");
    person.done(&["event-type", "create", "build.done", "--schema", schema, "--validation", "enforce"]).await;
    let wrong = person.run(&["event", "send", "build.done"]).await;
    assert!(wrong.code == Some(2) && wrong.err.contains("/payload"), "{}", wrong.err);
    person.done(&["event-type", "edit", "build.done", "--validation", "off"]).await;
    person.done(&["event", "send", "build.done"]).await;
    assert!(person.done(&["event-type", "list"]).await.contains("build.done"));
    person.done(&["event-type", "delete", "build.done"]).await;

    let changed = person.json(&["project", "edit", id(&project), "--name", "Quality", "--unset", "external_id"]).await;
    assert_eq!((&changed["name"], &changed["external_id"]), (&json!("Quality"), &Value::Null));
    person.done(&["project", "delete", id(&project)]).await;
    let audit = person.json(&["audit", "list", "--action", "project.*", "--all-projects", "--since", "1h"]).await;
    let actions: Vec<&Value> = audit["items"].as_array().expect("lines").iter().map(|line| &line["action"]).collect();
    assert_eq!(actions, ["project.deleted", "project.updated", "project.created"]);
    let exported = person.done(&["audit", "export", "--all-projects", "--since", "1h"]).await;
    assert!(exported.lines().count() >= 6 && exported.contains("token.revoked") && !exported.contains(secret));
}

#[tokio::test]
async fn people_are_looked_after_through_a_server_as_beside_its_database() {
    let stage = Stage::open().await;
    let person = Person::admin(&stage);
    let ada = [
        "user",
        "create",
        "--email",
        "ada@example.com",
        "--name",
        "Ada",
        "--role",
        "admin",
        "--api",
        "--password-stdin",
    ];
    let made = person.fed(&ada, "correct horse battery\n").await;
    assert_eq!(made.code, Some(0), "{}{}", made.out, made.err);
    assert!(!made.out.contains("horse"), "{}", made.out);
    let short = person.fed(&[&ada[..2], &["--email", "bob@example.com"], &ada[4..]].concat(), "short\n").await;
    assert!(short.code == Some(2) && short.err.contains("/password"), "{}", short.err);
    let listed = person.done(&["user", "list", "--api"]).await;
    assert!(listed.contains("ada@example.com"), "{listed}");
    let edited = person.json(&["user", "edit", "ada@example.com", "--name", "Ada Lovelace"]).await;
    assert_eq!(edited["name"], "Ada Lovelace");
    let other = person.done(&["user", "password", "ada@example.com", "--api"]).await;
    assert!(other.contains("password (shown once): "), "{other}");
    let bob = ["user", "create", "--email", "bob@example.com", "--name", "Bob", "--role", "viewer", "--api"];
    assert!(person.done(&bob).await.contains("password (shown once): "));
    person.done(&["user", "disable", "bob@example.com", "--api"]).await;
    assert_eq!(person.json(&["user", "show", "bob@example.com"]).await["enabled"], json!(false));
    person.done(&["user", "delete", "bob@example.com"]).await;
    let gone = person.run(&["user", "show", "bob@example.com"]).await;
    assert!(gone.code == Some(1) && gone.err.contains("there is no user"), "{}", gone.err);
    // Beside the database the same people are there.
    let beside = stage.server.tool(&["user", "list"]).await.expect("listed");
    assert!(beside.contains("Ada Lovelace") && !beside.contains("bob@"), "{beside}");
}

/// Scripts can tell what is wrong by the exit code, people by the words.
#[tokio::test]
async fn what_goes_wrong_has_an_exit_code_and_clear_words() {
    let stage = Stage::open().await;
    let person = Person::admin(&stage);
    let url = stage.receiver.url("/hook");
    let field = person.run(&["webhook", "create", "--url", "nowhere", "--event", "no spaces"]).await;
    assert_eq!(field.code, Some(2), "{}", field.err);
    assert!(
        field.err.contains("422") && field.err.contains("at `/url`") && field.err.contains("at `/events/0`"),
        "{}",
        field.err
    );
    let usage = person.run(&["webhook", "create", "--colour", "red"]).await;
    assert!(usage.code == Some(2) && usage.err.contains("--colour"), "{}", usage.err);
    let file = person.run(&["webhook", "create", "--url", &url, "--event", "*", "--from", "nowhere.json"]).await;
    assert!(file.code == Some(1) && file.err.contains("nowhere.json"), "{}", file.err);

    let wrong = Person::at(stage.server.url(), "hwt_wrong_token");
    for arguments in [&["webhook", "list"][..], &["listen", "--forward-to", "http://127.0.0.1:9"]] {
        let ran = wrong.run(arguments).await;
        assert_eq!(ran.code, Some(5), "{}{}", ran.out, ran.err);
        assert!(ran.err.contains("401") && !ran.err.contains("hwt_wrong_token"), "{}", ran.err);
    }
    let nobody = Person::new().run(&["webhook", "list"]).await;
    assert!(nobody.code == Some(1) && nobody.err.contains("hookwright login"), "{}", nobody.err);
    let nothing = person.run(&["webhook", "show", "whk_00000000000000000000000000"]).await;
    assert_eq!(nothing.code, Some(6), "{}", nothing.err);
    let odd = person.run(&["webhook", "show", "../events"]).await;
    assert_eq!(odd.code, Some(6), "it stays a webhook's id: {}{}", odd.out, odd.err);

    let server = stage.server.url().to_owned();
    let installation = stage.server.stop().await;
    let away = person.run(&["webhook", "list"]).await;
    assert_eq!(away.code, Some(7), "{}", away.err);
    assert!(away.err.contains(&server) && away.err.to_lowercase().contains("refused"), "{}", away.err);
    drop(installation);
}

/// Completions know every command, and load.
#[tokio::test]
async fn shells_complete_every_command() {
    let person = Person::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = person.done(&["completions", shell]).await;
        assert!(script.contains("rotate-secret") && script.contains("listen"), "{shell}");
    }
    let script = person.file("hookwright.bash", &person.done(&["completions", "bash"]).await);
    let load = format!("source {} && complete -p hookwright", script.display());
    let loaded = Command::new("bash").args(["-euc", &load]).output().await.expect("bash runs");
    assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
}
