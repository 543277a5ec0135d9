//! A version and a configuration, tried on what a webhook delivered: nothing is sent, and every difference is told.

use std::time::Duration;

use hookwright_tests::{
    api::{Answer, Api, Failure},
    eventually::eventually,
    example::example,
    guest::{Forge, Guest, Output, Request},
    receiver::Reply,
    server::{Installation, binary},
    stage::Stage,
};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::authoring::plugin;

const PATIENCE: Duration = Duration::from_mins(1);

/// A version of a plugin that traps on every event but those of a type of nine characters, such as `ticket.ok`.
fn moody(version: &str) -> Vec<u8> {
    let is_other = "(i32.ne (i32.load offset=12 (local.get 0)) (i32.const 9))";
    let forge = Forge::new("moody").manifest("version", json!(version));
    let forge = forge.transform(&format!("(if {is_other} (then (unreachable)))"));
    forge.returns(&Output::Deliver(vec![Request::default()])).component()
}

/// One that makes this of every event.
fn always(version: &str, output: &Output) -> Vec<u8> {
    Forge::new("moody").manifest("version", json!(version)).returns(output).component()
}

fn body(json: &str) -> Output {
    Output::Deliver(vec![Request { json: json.to_owned(), ..Request::default() }])
}

struct Tried {
    stage: Stage,
    webhook: String,
}

impl Tried {
    /// A webhook with a moody plugin that had this many events that it likes and that it does not.
    async fn on(installation: Installation, good: usize, bad: usize) -> Self {
        let stage = Stage::on(installation.env("HOOKWRIGHT_PLUGINS_TRAPS_IN_A_ROW", "0")).await;
        stage.api.install(moody("0.1.0")).await;
        let through = json!({ "name": "moody", "version": "0.1.0", "config": {} });
        let webhook = json!({ "url": stage.receiver.url("/hook"), "events": ["ticket.*"], "plugin": through });
        let webhook = stage.api.register(&webhook).await.id;
        stage.receiver.on("/hook", [Reply::ok()]);
        for (kind, count) in [("ticket.ok", good), ("ticket.bad", bad)] {
            let event = |n: usize| json!({ "type": kind, "payload": { "n": n } });
            let events: Vec<Value> = (0..count).map(event).collect();
            if count > 0 {
                stage.api.post("/events", &json!(events)).await.expect("accepted");
            }
        }
        stage.api.all_settled().await;
        Self { stage, webhook }
    }

    fn path(&self) -> String {
        format!("/webhooks/{}/backtest", self.webhook)
    }

    /// The job when it has ended.
    async fn run(&self, form: Value) -> Value {
        let job = self.stage.api.post(&self.path(), &form).await.expect("a job");
        assert_eq!((job.status, &job.body["kind"]), (202, &json!("backtest")), "{:#}", job.body);
        ended(&self.stage.api, job.body["id"].as_str().expect("an id")).await
    }

    async fn of_version(&self, version: &str) -> Value {
        self.run(json!({ "plugin": { "version": version } })).await
    }
}

async fn ended(api: &Api, id: &str) -> Value {
    eventually(PATIENCE, "the job ends", async || {
        let job = api.get(&format!("/jobs/{id}")).await.expect("a job").body;
        job["ended_at"].is_string().then_some(job)
    })
    .await
}

/// Same, changed, skipped, failed, newly failing, mended.
fn results(job: &Value) -> [u64; 6] {
    assert_eq!(job["state"], "succeeded", "{job:#}");
    ["same", "changed", "skipped", "failed", "newly_failing", "mended"]
        .map(|outcome| job["results"][outcome].as_u64().unwrap_or_else(|| panic!("{job:#}")))
}

async fn what_is_tried_is_compared_event_by_event(installation: Installation) {
    let tried = Tried::on(installation, 3, 2).await;
    let api = &tried.stage.api;
    api.install(always("0.2.0", &body("{\"n\":1}"))).await;
    api.install(always("0.3.0", &Output::Skip("not now".to_owned()))).await;
    let dry = api.post(&tried.path(), &json!({ "dry_run": true })).await.expect("a count").body;
    assert_eq!((&dry["events"], &dry["complete"]), (&json!(5), &json!(true)), "{dry:#}");

    assert_eq!(results(&tried.of_version("0.1.0").await), [3, 0, 0, 2, 0, 0], "as it is");
    let job = tried.of_version("0.2.0").await;
    assert_eq!(results(&job), [0, 3, 0, 0, 0, 2]);
    assert_eq!(job["progress"], json!({ "done": 5, "total": 5, "failed": 0 }));
    assert_eq!(job["backtest"]["plugin"]["config"], json!({}), "{job:#}");
    let path = format!("/jobs/{}/results", job["id"].as_str().expect("an id"));
    let changed = api.list(&format!("{path}?outcome=changed")).await;
    let difference = json!([{ "at": "/requests/0/body/n", "now": 1 }]);
    assert!(changed.len() == 3 && changed.iter().all(|one| one["differences"] == difference), "{changed:#?}");
    let mended = api.list(&format!("{path}?outcome=mended")).await;
    assert_eq!((&mended[0]["now"], &mended[0]["event_type"]), (&json!({ "requests": 1 }), &json!("ticket.bad")));
    assert_eq!(mended[0]["was"]["failed"]["code"], "plugin.crashed", "{mended:#?}");
    assert_eq!(api.list(&path).await.len(), 5);
    let unknown = api.get(&format!("{path}?outcome=better")).await.expect_err("no such outcome").problem();
    assert_eq!(unknown.status, 400);

    assert_eq!(results(&tried.of_version("0.3.0").await), [0, 0, 3, 0, 0, 2]);
    let some = tried.run(json!({ "plugin": { "version": "0.2.0" }, "types": ["ticket.bad"], "last": 1 })).await;
    assert_eq!(results(&some), [0, 0, 0, 0, 0, 1]);
    let none = tried.run(json!({ "until": "2020-01-01T00:00:00Z" })).await;
    assert_eq!((results(&none), &none["reason"]), ([0; 6], &Value::Null));
    let part = tried.run(json!({ "since": "2020-01-01T00:00:00Z", "last": 4 })).await;
    let reason = part["reason"].as_str().expect("it is told that this is not all");
    assert!(results(&part).iter().sum::<u64>() == 4 && reason.contains("newest 4 events"), "{part:#}");
    let whole = tried.run(json!({ "since": "2020-01-01T00:00:00Z" })).await;
    assert_eq!((results(&whole), &whole["reason"]), ([3, 0, 0, 2, 0, 0], &Value::Null));
    // Nothing of it was sent, and what it made counts for nothing.
    assert_eq!((tried.stage.receiver.count("/hook"), api.list("/deliveries").await.len()), (3, 5));

    // What is promoted is what is compared with from then on, and a version that fails is seen before it is taken.
    let promote = format!("/jobs/{}/promote", job["id"].as_str().expect("an id"));
    let promoted = api.post(&promote, &json!({})).await.expect("promoted").body;
    assert_eq!((&promoted["webhook"]["plugin"]["version"], &promoted["parked"]), (&json!("0.2.0"), &json!(2)));
    api.post(&format!("/webhooks/{}/reprocess", tried.webhook), &json!({})).await.expect("a job");
    eventually(PATIENCE, "what was parked arrives", async || (tried.stage.receiver.count("/hook") == 5).then_some(()))
        .await;
    api.all_settled().await;
    assert_eq!(
        results(&tried.of_version("0.1.0").await),
        [3, 0, 0, 0, 2, 0],
        "compared with the last delivery of each"
    );
}

#[tokio::test]
async fn what_is_tried_is_compared_on_sqlite() {
    what_is_tried_is_compared_event_by_event(Installation::new()).await;
}

#[tokio::test]
async fn what_is_tried_is_compared_on_postgres() {
    what_is_tried_is_compared_event_by_event(Installation::on_postgres().await).await;
}

fn answer(body: &Value) -> Reply {
    Reply::ok().header("content-type", "application/json").body(body.to_string())
}

#[tokio::test]
async fn what_was_remembered_is_given_as_it_was_then() {
    let stage = Stage::open().await;
    let api = &stage.api;
    stage.receiver.on("/trello/cards", [answer(&json!({ "id": "card1", "shortUrl": "https://trello.com/c/1" }))]);
    stage.receiver.on("/trello/cards/card1", [answer(&json!({ "id": "card1" }))]);
    let plugin = api.install(example("trello")).await;
    let webhook = api
        .register(&json!({
            "url": stage.receiver.url("/trello"),
            "events": ["ticket.*"],
            "plugin": {
                "name": plugin.name, "version": plugin.version, "config": { "list_id": "5abbe4b7ddc1b351ef961414" },
                "secrets": { "key": "secret-key", "token": "secret-token" },
            },
        }))
        .await
        .id;
    let mut last = String::new();
    for kind in ["ticket.created", "ticket.updated"] {
        let ticket = json!({ "ticket": { "id": "42", "title": "Export fails", "status": "open" } });
        let event = json!({ "type": kind, "subject": "42", "payload": ticket });
        let accepted = api.post("/events", &event).await.expect("accepted").body;
        last = accepted["deliveries"][0]["id"].as_str().expect("an id").to_owned();
        assert_eq!(api.settled(&last).await.status, "succeeded");
    }
    api.delete(&format!("/webhooks/{webhook}/facts")).await.expect("forgotten");
    let job = api.post(&format!("/webhooks/{webhook}/backtest"), &json!({})).await.expect("a job").body;
    let job = ended(api, job["id"].as_str().expect("an id")).await;
    assert_eq!(results(&job), [2, 0, 0, 0, 0, 0], "the second edits the card, though nobody remembers it now");

    // The input says what was recalled, and never a secret.
    let input = api.get(&format!("/deliveries/{last}/input")).await.expect("an input").body;
    assert_eq!(input["recalled"], json!([{ "key": "ticket:42", "value": "card1" }]), "{input:#}");
    assert_eq!(input["plugin"]["digest"], json!(plugin.digest));
    assert_eq!(input["event"]["delivery_id"], json!(last));
    let config = input["subscription"]["configuration"].as_str().expect("text");
    assert_eq!(serde_json::from_str::<Value>(config).expect("JSON")["list_id"], "5abbe4b7ddc1b351ef961414");
    assert!(!input.to_string().contains("secret-"), "{input:#}");
    assert!(input["outcome"]["requests"][0]["credentials"].is_array(), "{input:#}");
}

#[tokio::test]
async fn a_promotion_takes_the_place_of_what_was_compared_with() {
    let tried = Tried::on(Installation::new(), 1, 1).await;
    let api = &tried.stage.api;
    api.install(always("0.2.0", &body("{\"n\":1}"))).await;
    let wants = Forge::new("moody").manifest("version", json!("0.3.0"));
    let secrets = json!({ "key": { "description": "the receiver's key" } });
    api.install(wants.manifest("secrets", secrets).returns(&body("{}")).component()).await;
    let id = |job: &Value| job["id"].as_str().expect("an id").to_owned();
    let (first, second) = (id(&tried.of_version("0.2.0").await), id(&tried.of_version("0.3.0").await));
    let promote = async |job: &str, form: Value| api.post(&format!("/jobs/{job}/promote"), &form).await;
    let missing = promote(&second, json!({})).await.expect_err("a secret is needed").problem();
    assert_eq!((missing.status, missing.pointers()), (422, vec!["/plugin/secrets/key"]));
    let promoted = promote(&second, json!({ "secrets": { "key": "k" } })).await.expect("promoted").body;
    assert_eq!(promoted["webhook"]["plugin"]["version"], "0.3.0", "{promoted:#}");
    let revisions = api.list(&format!("/webhooks/{}/revisions", tried.webhook)).await;
    assert_eq!((revisions.len(), &revisions[0]["plugin"]["version"]), (2, &json!("0.3.0")));

    let changed = promote(&first, json!({})).await.expect_err("another configuration by now").problem();
    assert_eq!((changed.status, changed.code.as_str()), (409, "wrong_state"));
    assert!(changed.detail.contains("revision 1") && changed.detail.contains("force"), "{changed:?}");
    let form = json!({ "force": true, "secrets": { "key": null } });
    let promoted = promote(&first, form).await.expect("promoted").body;
    assert_eq!((&promoted["webhook"]["plugin"]["version"], &promoted["parked"]), (&json!("0.2.0"), &json!(1)));
    let other = api.post(&format!("/webhooks/{}/reprocess", tried.webhook), &json!({})).await.expect("a job").body;
    let wrong = promote(&id(&other), json!({})).await.expect_err("it tried nothing").problem();
    assert_eq!(wrong.status, 409);
    let wrong = api.get(&format!("/jobs/{}/results", id(&other))).await.expect_err("it has none").problem();
    assert_eq!(wrong.status, 409);
}

#[tokio::test]
async fn a_backtest_goes_on_after_a_crash_and_counts_nothing_twice() {
    for failpoint in ["after-job-claim", "after-job-step"] {
        let installation = Installation::new().env("FAILPOINTS", &format!("{failpoint}=1*off->return"));
        let tried = Tried::on(installation, 60, 0).await;
        // The answer may or may not make it out before the process dies.
        let _ = tried.stage.api.post(&tried.path(), &json!({})).await;
        let server = tried.stage.server.aborted().await.plain_env().start().await;
        let api = server.api();
        let jobs = api.list("/jobs?kind=backtest").await;
        let job = ended(&api, jobs[0]["id"].as_str().expect("an id")).await;
        assert_eq!(results(&job), [60, 0, 0, 0, 0, 0], "{failpoint}");
        assert_eq!(job["progress"]["done"], 60);
    }
}

/// What takes long is stored as it goes, ends when it is told to, and keeps no delivery waiting.
#[tokio::test]
async fn a_backtest_is_cancelled_and_no_delivery_waits_for_it() {
    let tried = Tried::on(Installation::new().env("HOOKWRIGHT_PLUGINS_THREADS", "1"), 200, 0).await;
    let api = &tried.stage.api;
    let slow = Forge::new("moody").manifest("version", json!("0.2.0")).transform("(loop (br 0))");
    api.install(slow.component()).await;
    // Each event takes two runs of 50 ms.
    let job = api.post(&tried.path(), &json!({ "plugin": { "version": "0.2.0" } })).await.expect("a job").body;
    let path = format!("/jobs/{}", job["id"].as_str().expect("an id"));
    let done = async || api.get(&path).await.expect("a job").body["progress"]["done"].as_u64().expect("a number");
    let begun = eventually(PATIENCE, "a step is stored", async || Some(done().await).filter(|done| *done > 0)).await;
    assert!(begun < 200, "{begun}");
    for n in 1..=5 {
        let delivery = api.publish_one("ticket.ok", json!({ "n": n })).await;
        assert_eq!(api.settled(&delivery.id).await.status, "succeeded");
    }
    assert!(done().await < 200, "it goes on all the while");
    let cancelled = api.post(&format!("{path}/cancel"), &json!({})).await.expect("cancelled").body;
    assert_eq!(cancelled["state"], "cancelled", "{cancelled:#}");
    let after = done().await;
    let shown = api.get(&path).await.expect("a job").body;
    assert_eq!(shown["results"]["newly_failing"], json!(after), "{shown:#}");
    assert_eq!(
        api.list(&format!("{path}/results")).await.len() as u64,
        after,
        "what was done stays, and nothing is added"
    );
    let promoted = api.post(&format!("{path}/promote"), &json!({})).await.expect_err("it is not done").problem();
    assert_eq!((promoted.status, promoted.code.as_str()), (409, "wrong_state"));
}

#[tokio::test]
async fn a_backtest_says_what_is_wrong_with_it() {
    let installation =
        Installation::new().env("HOOKWRIGHT_JOBS_BACKTESTS_OPEN", "0").env("HOOKWRIGHT_JOBS_BACKTEST_EVENTS", "20");
    let tried = Tried::on(installation, 1, 0).await;
    let api = &tried.stage.api;
    let strict = Forge::new("moody").manifest("version", json!("0.2.0"));
    let schema = json!({ "type": "object", "required": ["room"] });
    api.install(strict.manifest("config", schema).returns(&body("{}")).component()).await;
    for (form, pointer) in [
        (json!({ "last": 0 }), "/last"),
        (json!({ "last": 21 }), "/last"),
        (json!({ "since": "2026-01-02T00:00:00Z", "until": "2026-01-02T00:00:00Z" }), "/until"),
        (json!({ "types": ["ticket.*", "a b"] }), "/types/1"),
        (json!({ "plugin": { "version": "9.9.9" } }), "/plugin/version"),
        (json!({ "plugin": { "name": "other" } }), "/plugin/version"),
        (json!({ "plugin": { "version": "0.2.0" } }), "/plugin/config/room"),
        (json!({ "plugin": { "secrets": {} } }), "/plugin/secrets"),
    ] {
        let problem = api.post(&tried.path(), &form).await.expect_err(pointer).problem();
        assert_eq!((problem.status, problem.pointers()), (422, vec![pointer]), "{problem:?}");
    }
    assert!(api.post(&tried.path(), &json!({ "last": 20, "dry_run": true })).await.is_ok(), "the edge");
    let problem = api.post(&tried.path(), &json!({ "last": 20 })).await.expect_err("too many").problem();
    assert_eq!((problem.status, problem.code.as_str()), (422, "quota_exceeded"));
    assert!(problem.detail.contains("jobs.backtests_open"), "{problem:?}");
    let plain = json!({ "url": tried.stage.receiver.url("/plain"), "events": ["story.*"] });
    let plain = api.register(&plain).await.id;
    let problem = api.post(&format!("/webhooks/{plain}/backtest"), &json!({})).await.expect_err("no plugin").problem();
    assert_eq!((problem.status, problem.pointers()), (422, vec!["/plugin/name"]));
    let delivery = api.publish_one("story.created", json!({})).await;
    let problem = api.get(&format!("/deliveries/{}/input", delivery.id)).await.expect_err("no plugin").problem();
    assert_eq!(problem.status, 409);
}

#[tokio::test]
async fn inputs_versions_and_results_are_seen_by_those_only_who_may_see_what_they_are_made_of() {
    let tried = Tried::on(Installation::new(), 1, 0).await;
    let api = &tried.stage.api;
    let job = tried.of_version("0.1.0").await["id"].as_str().expect("an id").to_owned();
    let delivery = api.list("/deliveries").await[0]["id"].as_str().expect("an id").to_owned();
    let all = ["webhooks:read", "deliveries:read", "plugins:read", "events:read"];
    let status =
        |answer: Result<Answer, Failure>| answer.map_or_else(|failure| failure.problem().status, |is| is.status);
    // Without one permission, by its place; the last has them all.
    for left_out in 0..=all.len() {
        let permissions: Vec<&str> =
            all.iter().enumerate().filter(|(n, _)| *n != left_out).map(|(_, all)| *all).collect();
        let caller = api.allowed(&permissions).await;
        let needs = |wanted: &[usize]| if wanted.contains(&left_out) { 403 } else { 200 };
        let input = caller.get(&format!("/deliveries/{delivery}/input")).await;
        assert_eq!(status(input), needs(&[1, 2, 3]), "{permissions:?}");
        let results = caller.get(&format!("/jobs/{job}/results")).await;
        assert_eq!(status(results), needs(&[1, 3]), "{permissions:?}");
        let begun = caller.post(&tried.path(), &json!({ "dry_run": true })).await;
        assert_eq!(status(begun), needs(&[0, 1, 2, 3]), "{permissions:?}");
        let promoted = caller.post(&format!("/jobs/{job}/promote"), &json!({})).await;
        assert_eq!(status(promoted), 403, "{permissions:?}");
    }
    let reader = api.allowed(&["deliveries:read"]).await;
    let component = reader.get("/plugins/moody/versions/0.1.0/component").await;
    assert_eq!(component.expect_err("no right to it").problem().status, 403);
}

/// What is downloaded is what was uploaded, by whatever name, and what was refused keeps no bytes.
#[tokio::test]
async fn a_version_is_downloaded_as_it_was_uploaded() {
    let stage = Stage::open().await;
    let component = moody("0.1.0");
    let plugin = stage.api.install(component.clone()).await;
    let download = async |version: &str| {
        let url = format!("{}/api/v1/plugins/moody/versions/{version}/component", stage.server.url());
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        client.get(url).bearer_auth(stage.server.admin_token()).send().await.expect("an answer")
    };
    for version in ["0.1.0", &plugin.digest] {
        let answer = download(version).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["content-type"]),
            (200, &"application/wasm".parse().unwrap())
        );
        assert_eq!(answer.headers()["etag"], format!("\"{}\"", plugin.digest));
        assert_eq!(answer.bytes().await.expect("bytes"), component);
    }
    assert_eq!(download("9.9.9").await.status().as_u16(), 404);
}

/// A limit is the same one on the author's machine, whatever this server's is.
#[tokio::test]
async fn a_limit_is_met_again_where_it_was_met() {
    let stage = Stage::on(Installation::new().env("HOOKWRIGHT_PLUGINS_CPU_MS", "20")).await;
    stage.api.install(Guest::Looper.component()).await;
    let through = json!({ "name": "looper", "version": "0.1.0", "config": {} });
    let webhook = json!({ "url": stage.receiver.url("/hook"), "events": ["ticket.*"], "plugin": through });
    stage.api.register(&webhook).await;
    let delivery = stage.api.publish_one("ticket.created", json!({})).await.id;
    assert_eq!(stage.api.settled(&delivery).await.status, "parked");
    let token = stage.server.admin_token();
    let place = tempfile::tempdir().expect("a folder");
    let ran = plugin(place.path(), &["replay", &delivery, "--server", stage.server.url(), "--token", &token]);
    assert_eq!(ran.code, Some(4), "{}{}", ran.out, ran.err);
    for told in ["allowed are 20", "the same failure as recorded", "hint: it used up its CPU time"] {
        assert!(ran.out.contains(told), "{told}: {}", ran.out);
    }
    let missing = plugin(place.path(), &["replay", "dlv_1", "--server", stage.server.url(), "--token", &token]);
    assert!(missing.code == Some(6) && missing.err.contains("404"), "{}", missing.err);
}

/// Scripts are told apart what differs, what fails, and what cannot be done.
#[tokio::test]
async fn exit_codes_tell_what_came_of_it() {
    let tried = Tried::on(Installation::new(), 1, 1).await;
    let place = tempfile::tempdir().expect("a folder");
    let other = always("0.2.0", &body("{\"n\":1}"));
    let failing = Guest::Trapper.component();
    for (file, component) in [("other.wasm", &other), ("failing.wasm", &failing)] {
        std::fs::write(place.path().join(file), component).expect("written");
    }
    let (server, token) = (tried.stage.server.url(), tried.stage.server.admin_token());
    let ran =
        |arguments: &[&str]| plugin(place.path(), &[arguments, &["--server", server, "--token", &token]].concat());
    let delivery = async |kind: &str| {
        let found = tried.stage.api.list(&format!("/deliveries?event_type={kind}")).await;
        found[0]["id"].as_str().expect("an id").to_owned()
    };
    let (good, bad) = (delivery("ticket.ok").await, delivery("ticket.bad").await);
    let told = |arguments: &[&str], code: i32, words: &[&str]| {
        let ran = ran(arguments);
        assert_eq!(ran.code, Some(code), "{arguments:?}: {}{}", ran.out, ran.err);
        for words in words {
            assert!(ran.out.contains(words) || ran.err.contains(words), "{words}: {}{}", ran.out, ran.err);
        }
    };
    told(&["replay", &good], 0, &["same bytes"]);
    told(&["replay", &good, "other.wasm"], 3, &["at /requests/0/body/n\n  + 1", "other requests than recorded"]);
    told(&["replay", &good, "failing.wasm"], 4, &["it fails now, and did not then", "hint: "]);
    told(&["replay", &bad], 4, &["the same failure as recorded"]);
    told(&["replay", &bad, "other.wasm"], 0, &["mended", "recorded: failed: "]);
    told(&["replay", &good, "missing.wasm"], 1, &["missing.wasm"]);

    let trap = Forge::new("moody").manifest("version", json!("0.3.0")).transform("").component();
    tried.stage.api.install(trap).await;
    told(&["backtest", &tried.webhook, "moody@0.3.0", "--promote"], 3, &["newly failing", "not promoted: 1 events"]);
    let view = tried.stage.api.get(&format!("/webhooks/{}", tried.webhook)).await.expect("a webhook").body;
    assert_eq!(view["plugin"]["version"], "0.1.0");
    told(&["backtest", &tried.webhook, "moody@9.9.9"], 2, &["there is no plugin moody 9.9.9"]);
    told(&["backtest", &tried.webhook, "--no-wait"], 0, &["job_"]);
}

/// Runs are told as they come, those of deliveries that had to wait too.
#[tokio::test]
async fn logs_are_followed() {
    let tried = Tried::on(Installation::new(), 1, 0).await;
    let (server, token) = (&tried.stage.server, tried.stage.server.admin_token());
    let mut child = tokio::process::Command::new(binary())
        .args(["plugin", "logs", &tried.webhook, "--follow", "--json", "--server", server.url(), "--token", &token])
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    let mut next = async || {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("in time").expect("a line");
        serde_json::from_str::<Value>(&line.expect("it goes on")).expect("JSON")
    };
    let first = next().await;
    assert_eq!((&first["event_type"], &first["plugin"]["logs"][0]["level"]), (&json!("ticket.ok"), &json!("info")));
    let failed = tried.stage.api.publish_one("ticket.bad", json!({})).await.id;
    let second = next().await;
    assert_eq!(
        (&second["delivery_id"], &second["plugin"]["error"]["code"]),
        (&json!(failed), &json!("plugin.crashed"))
    );
    let last = tried.stage.api.publish_one("ticket.ok", json!({})).await.id;
    // The run of the failed one that was made once more may come first.
    let mut third = next().await;
    if third["delivery_id"] == json!(failed) {
        third = next().await;
    }
    assert_eq!(third["delivery_id"], json!(last));
    child.kill().await.expect("it goes on until it is ended");
}
