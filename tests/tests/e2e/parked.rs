//! Plugins that fail: what becomes of the events, and how they get to their receivers after all.

use std::time::Duration;

use hookwright_tests::{
    api::Api,
    eventually::eventually,
    guest::{Forge, Guest, Output, Request},
    receiver::{Receiver, Recorded, Reply},
    server::Installation,
    stage::Stage,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);

/// A webhook that passes its events through this plugin.
fn through(plugin: &str, url: &str, options: Value) -> Value {
    let run = json!({ "name": plugin, "version": "0.1.0", "config": {}, "secrets": {} });
    let mut webhook = json!({ "url": url, "events": ["ticket.*"], "plugin": run });
    let Value::Object(options) = options else { panic!("options are an object") };
    webhook.as_object_mut().expect("an object").extend(options);
    webhook
}

#[tokio::test]
async fn an_event_goes_out_unchanged_when_its_webhook_wants_that() {
    let stage = Stage::open().await;
    stage.api.install(Guest::Trapper.component()).await;
    // Without a plugin a 400 is tried again.
    stage.receiver.on("/hook", [Reply::status(400), Reply::ok()]);
    let options = json!({ "on_plugin_failure": "send_unchanged", "retry": [0, 50] });
    let webhook = stage.api.register(&through("trapper", &stage.receiver.url("/hook"), options)).await;
    let delivery = stage.api.publish_one("ticket.created", json!({ "n": 1 })).await;
    let settled = stage.api.settled(&delivery.id).await;
    assert_eq!((settled.status.as_str(), settled.request().attempts.len()), ("succeeded", 2), "{settled:#?}");
    let request = stage.receiver.wait("/hook", 2).await;
    let body = request.json();
    assert_eq!((&body["type"], &body["data"]), (&json!("ticket.created"), &json!({ "n": 1 })), "{body:#}");
    request.verify(&webhook.signing_secret).expect("it is signed as others are");
    let view = stage.api.get(&format!("/deliveries/{}", delivery.id)).await.expect("a delivery").body;
    assert_eq!(view["plugin"]["on_failure"], "send_unchanged", "{view:#}");
    assert_eq!(view["plugin"]["error"]["code"], "plugin.crashed", "{view:#}");
    assert_eq!(view["requests"][0]["body"], json!(request.text()), "what is shown is what was sent");
}

#[tokio::test]
async fn an_event_is_dropped_when_its_webhook_wants_that_and_is_no_success() {
    let stage = Stage::open().await;
    let failure = Output::Failure { code: "no-list".to_owned(), message: "there is no list".to_owned() };
    stage.api.install(Forge::new("refuser").returns(&failure).component()).await;
    let options = json!({ "on_plugin_failure": "drop" });
    stage.api.register(&through("refuser", &stage.receiver.url("/hook"), options)).await;
    let delivery = stage.api.publish_one("ticket.created", json!({})).await;
    let settled = stage.api.settled(&delivery.id).await;
    assert_eq!(settled.status, "skipped", "{settled:#?}");
    let reason = settled.reason.expect("a reason");
    assert!(reason.contains("plugin failed") && reason.contains("there is no list"), "{reason}");
    assert!(settled.requests.is_empty() && stage.receiver.all().is_empty());
}

#[tokio::test]
async fn a_webhook_that_says_nothing_parks_and_may_choose_later() {
    let stage = Stage::open().await;
    stage.api.install(Guest::Trapper.component()).await;
    let webhook = stage.api.register(&through("trapper", &stage.receiver.url("/hook"), json!({}))).await;
    let path = format!("/webhooks/{}", webhook.id);
    let choice = async || stage.api.get(&path).await.expect("a webhook").body["on_plugin_failure"].clone();
    assert_eq!(choice().await, "park");
    let status = async || {
        let delivery = stage.api.publish_one("ticket.created", json!({})).await;
        stage.api.settled(&delivery.id).await.status
    };
    assert_eq!(status().await, "parked");
    stage.api.patch(&path, &json!({ "on_plugin_failure": "drop" })).await.expect("changed");
    assert_eq!((choice().await, status().await.as_str()), (json!("drop"), "skipped"));
    stage.api.patch(&path, &json!({ "on_plugin_failure": null })).await.expect("changed");
    assert_eq!((choice().await, status().await.as_str()), (json!("park"), "parked"));
    let wrong = stage.api.patch(&path, &json!({ "on_plugin_failure": "ignore" })).await.expect_err("no such choice");
    assert_eq!(wrong.problem().pointers(), ["/on_plugin_failure"]);
}

#[tokio::test]
async fn what_goes_out_unchanged_is_sent_once_though_the_server_crashes_before() {
    let receiver = Receiver::start().await;
    let server = Installation::new().env("FAILPOINTS", "after-unchanged=return").start().await;
    let api = server.api();
    api.install(Guest::Trapper.component()).await;
    let options = json!({ "on_plugin_failure": "send_unchanged" });
    api.register(&through("trapper", &receiver.url("/hook"), options)).await;
    let delivery = api.publish_one("ticket.created", json!({ "n": 1 })).await;
    let server = server.aborted().await.plain_env().start().await;
    let settled = server.api().settled(&delivery.id).await;
    assert_eq!(settled.status, "succeeded", "{settled:#?}");
    assert_eq!(receiver.wait("/hook", 1).await.header("webhook-id"), settled.request().id);
    assert_eq!(receiver.all().len(), 1);
}

/// A plugin that traps on every event but those of a type of nine characters, such as `ticket.ok`.
fn moody(version: &str) -> Vec<u8> {
    // The length of the event's type, in the record that the guest is given.
    let is_other = "(i32.ne (i32.load offset=12 (local.get 0)) (i32.const 9))";
    let forge = Forge::new("moody").manifest("version", json!(version));
    let forge = forge.transform(&format!("(if {is_other} (then (unreachable)))"));
    forge.returns(&Output::Deliver(vec![Request::default()])).component()
}

const MOODY: &str = "/plugins/moody/versions/0.1.0";

/// A webhook with that plugin.
struct Moody {
    stage: Stage,
    webhook: String,
}

impl Moody {
    /// Each delivery that fails is tried twice, so two of them make four traps in a row.
    async fn on(installation: Installation) -> Self {
        let stage = Stage::on(installation.env("HOOKWRIGHT_PLUGINS_TRAPS_IN_A_ROW", "4")).await;
        stage.api.install(moody("0.1.0")).await;
        let webhook = through("moody", &stage.receiver.url("/hook"), json!({}));
        let webhook = stage.api.register(&webhook).await.id;
        stage.receiver.on("/hook", [Reply::ok()]);
        Self { stage, webhook }
    }

    /// The status of a delivery of an event that the plugin traps on, or does not.
    async fn publish(&self, kind: &str) -> String {
        let delivery = self.stage.api.publish_one(kind, json!({})).await;
        self.stage.api.settled(&delivery.id).await.status
    }

    async fn is_paused(&self) -> bool {
        self.stage.api.get(MOODY).await.expect("a version").body["paused"].is_object()
    }

    async fn pause(&self) {
        for _ in 0..2 {
            assert_eq!(self.publish("ticket.bad").await, "parked");
        }
        assert!(self.is_paused().await);
    }

    /// A delivery that waits for the plugin.
    async fn waiting(&self, api: &Api) -> String {
        let id = api.publish_one("ticket.ok", json!({})).await.id;
        eventually(PATIENCE, "it says what it waits for", async || {
            let delivery = api.delivery(&id).await;
            assert_eq!(delivery.status, "pending", "{delivery:#?}");
            delivery.reason.filter(|reason| reason.contains("paused"))
        })
        .await;
        id
    }
}

#[tokio::test]
async fn a_plugin_that_traps_too_often_in_a_row_is_paused_until_it_is_resumed() {
    let moody = Moody::on(Installation::new()).await;
    let api = &moody.stage.api;
    // Two traps, then a success: it counts anew.
    for (kind, status) in [("ticket.bad", "parked"), ("ticket.ok", "succeeded"), ("ticket.bad", "parked")] {
        assert_eq!(moody.publish(kind).await, status);
    }
    assert!(!moody.is_paused().await);
    assert_eq!(moody.publish("ticket.bad").await, "parked");
    assert!(moody.is_paused().await);
    let view = api.get(&format!("/webhooks/{}", moody.webhook)).await.expect("a webhook").body;
    let reason = view["plugin"]["paused"]["reason"].as_str().expect("a reason");
    assert!(reason.contains("4 runs in a row") && reason.contains("unreachable"), "{reason}");
    let waiting = moody.waiting(api).await;
    assert_eq!(moody.stage.receiver.all().len(), 1);
    // A test shows whether it is well again.
    let test = json!({ "type": "ticket.ok" });
    let tested = api.post(&format!("/webhooks/{}/test", moody.webhook), &test).await.expect("a test").body;
    assert_eq!(tested["status"], "succeeded", "{tested:#}");
    assert_eq!(api.delivery(&waiting).await.status, "pending");

    let resumed = api.post(&format!("{MOODY}/resume"), &json!({})).await.expect("resumed").body;
    assert_eq!((&resumed["paused"], &resumed["status"]), (&Value::Null, &json!("ready")), "{resumed:#}");
    assert_eq!(api.settled(&waiting).await.status, "succeeded");
    assert_eq!(moody.publish("ticket.bad").await, "parked");
    assert!(!moody.is_paused().await, "counted anew");
    let missing = api.post("/plugins/moody/versions/9.9.9/resume", &json!({})).await.expect_err("no such version");
    assert_eq!(missing.problem().status, 404);
}

#[tokio::test]
async fn what_waits_for_a_paused_plugin_takes_the_version_that_its_webhook_is_moved_to() {
    let moody = Moody::on(Installation::new()).await;
    let api = &moody.stage.api;
    moody.pause().await;
    let first = moody.waiting(api).await;
    api.install(self::moody("0.2.0")).await;
    let path = format!("/webhooks/{}", moody.webhook);
    api.patch(&path, &json!({ "plugin": { "version": "0.2.0" } })).await.expect("moved");
    let settled = api.settled(&first).await;
    let version = settled.plugin.expect("the run of the plugin").version;
    assert_eq!((settled.status.as_str(), version.as_str()), ("succeeded", "0.2.0"));

    api.patch(&path, &json!({ "plugin": { "version": "0.1.0" } })).await.expect("moved back");
    let second = moody.waiting(api).await;
    api.patch(&path, &json!({ "plugin": null })).await.expect("taken away");
    assert_eq!(api.settled(&second).await.status, "succeeded");
    let last = moody.stage.receiver.wait("/hook", 2).await.json();
    assert_eq!(last["type"], "ticket.ok", "as without a plugin: {last:#}");
}

#[tokio::test]
async fn a_plugin_that_is_paused_on_one_node_is_paused_on_all() {
    let moody = Moody::on(Installation::on_postgres().await).await;
    moody.pause().await;
    let other = moody.stage.server.second().start().await;
    let second = moody.waiting(&other.api()).await;
    let first = moody.waiting(&moody.stage.api).await;
    other.api().post(&format!("{MOODY}/resume"), &json!({})).await.expect("resumed");
    for id in [first, second] {
        assert_eq!(other.api().settled(&id).await.status, "succeeded");
    }
    assert_eq!(moody.stage.receiver.all().len(), 2);
}

/// A webhook whose plugin has failed on so many events, and a version of the plugin that does not.
async fn with_parked(installation: Installation, events: usize) -> (Stage, String) {
    let stage = Stage::on(installation.env("HOOKWRIGHT_PLUGINS_TRAPS_IN_A_ROW", "0")).await;
    stage.api.install(Guest::Trapper.component()).await;
    let good = Forge::new("trapper").manifest("version", json!("0.2.0"));
    stage.api.install(good.returns(&Output::Deliver(vec![Request::default()])).component()).await;
    let webhook = stage.api.register(&through("trapper", &stage.receiver.url("/hook"), json!({}))).await.id;
    stage.receiver.on("/hook", [Reply::ok()]);
    let mut ids = Vec::new();
    for n in 0..events {
        ids.push(stage.api.publish_one("ticket.created", json!({ "n": n })).await.id);
    }
    for id in ids {
        assert_eq!(stage.api.settled(&id).await.status, "parked");
    }
    (stage, webhook)
}

async fn repair(api: &Api, webhook: &str) {
    let change = json!({ "plugin": { "version": "0.2.0" } });
    api.patch(&format!("/webhooks/{webhook}"), &change).await.expect("moved");
}

/// The job when it has ended.
async fn ended(api: &Api, id: &str) -> Value {
    eventually(PATIENCE, "the job ends", async || {
        let job = api.get(&format!("/jobs/{id}")).await.expect("a job").body;
        job["ended_at"].is_string().then_some(job)
    })
    .await
}

#[tokio::test]
async fn parked_events_arrive_when_the_plugin_is_repaired_and_reprocessed() {
    let (stage, webhook) = with_parked(Installation::new().env("HOOKWRIGHT_JOBS_STEP", "2"), 5).await;
    let (api, path) = (&stage.api, format!("/webhooks/{webhook}/reprocess"));
    let count = async |selection: Value| api.post(&path, &selection).await.expect("a count").body["deliveries"].clone();
    assert_eq!(count(json!({ "dry_run": true })).await, 5);
    assert_eq!(count(json!({ "dry_run": true, "error_code": "plugin.crashed" })).await, 5);
    assert_eq!(count(json!({ "dry_run": true, "error_code": "plugin.timeout" })).await, 0);
    assert_eq!(count(json!({ "dry_run": true, "plugin_version": "0.2.0" })).await, 0);
    assert_eq!(count(json!({ "dry_run": true, "until": "2000-01-01T00:00:00Z" })).await, 0);
    assert!(api.list("/jobs").await.is_empty(), "a dry run is no job");

    repair(api, &webhook).await;
    let job = api.post(&path, &json!({ "plugin_version": "0.1.0" })).await.expect("a job");
    assert_eq!((job.status, &job.body["kind"]), (202, &json!("reprocess")), "{:#}", job.body);
    let job = ended(api, job.body["id"].as_str().expect("an id")).await;
    assert_eq!(job["state"], "succeeded", "{job:#}");
    assert_eq!(job["progress"], json!({ "done": 5, "total": 5, "failed": 0 }));
    assert_eq!(job["reprocess"], json!({ "webhook_id": webhook, "plugin_version": "0.1.0" }));
    api.all_settled().await;
    assert_eq!(stage.receiver.all().len(), 5);
    let parked = api.list("/deliveries?status=parked").await;
    let mut new: Vec<&str> = parked.iter().filter_map(|old| old["reprocessed_by"].as_str()).collect();
    new.sort_unstable();
    let made = api.list("/deliveries?status=succeeded").await;
    let mut ids: Vec<&str> = made.iter().filter_map(|delivery| delivery["id"].as_str()).collect();
    ids.sort_unstable();
    assert_eq!((parked.len(), &new), (5, &ids));
    assert!(made.iter().all(|new| new["trigger"] == "reprocess" && new["plugin"]["version"] == "0.2.0"), "{made:#?}");
    assert_eq!(count(json!({ "dry_run": true })).await, 0);

    let again = api.post(&path, &json!({})).await.expect("a job").body;
    let again = ended(api, again["id"].as_str().expect("an id")).await;
    assert_eq!((&again["state"], &again["progress"]["done"]), (&json!("succeeded"), &json!(0)));
    assert_eq!(api.list("/jobs?kind=reprocess&state=succeeded").await.len(), 2);
    let unknown = api.get("/jobs?state=lost").await.expect_err("no such state").problem();
    assert_eq!(unknown.status, 400);
}

#[tokio::test]
async fn one_parked_delivery_is_reprocessed_once() {
    let (stage, webhook) = with_parked(Installation::new(), 1).await;
    let api = &stage.api;
    repair(api, &webhook).await;
    let old = api.list("/deliveries").await.remove(0);
    let path = format!("/deliveries/{}/reprocess", old["id"].as_str().expect("an id"));
    let new = api.post(&path, &json!({})).await.expect("a new delivery").body;
    assert_eq!((&new["repeats"], &new["trigger"]), (&old["id"], &json!("reprocess")), "{new:#}");
    let id = new["id"].as_str().expect("an id");
    assert_eq!(api.settled(id).await.status, "succeeded");
    for (path, why) in [(path, id), (format!("/deliveries/{id}/reprocess"), "not parked")] {
        let problem = api.post(&path, &json!({})).await.expect_err("not again").problem();
        assert_eq!(problem.status, 409);
        assert!(problem.detail.contains(why), "{problem:?}");
    }
    assert_eq!(stage.receiver.all().len(), 1);
}

#[tokio::test]
async fn reprocessing_says_what_is_wrong_with_it() {
    let (stage, webhook) = with_parked(Installation::new(), 1).await;
    let (api, path) = (&stage.api, format!("/webhooks/{webhook}/reprocess"));
    for (body, pointer) in [
        (json!({ "error": "x" }), "/error"),
        (json!({ "error_code": "" }), "/error_code"),
        (json!({ "plugin_version": "x".repeat(256) }), "/plugin_version"),
        (json!({ "since": "yesterday" }), "/since"),
        (json!({ "since": "2026-01-02T00:00:00Z", "until": "2026-01-02T00:00:00Z" }), "/until"),
    ] {
        let problem = api.post(&path, &body).await.expect_err(pointer).problem();
        assert_eq!((problem.status, problem.pointers()), (422, vec![pointer]));
    }
    api.patch(&format!("/webhooks/{webhook}"), &json!({ "enabled": false })).await.expect("disabled");
    let problem = api.post(&path, &json!({})).await.expect_err("it is disabled").problem();
    assert_eq!((problem.status, problem.code.as_str()), (409, "wrong_state"));
    let missing = api.post("/webhooks/whk_00000000000070008000000000000001/reprocess", &json!({})).await;
    assert_eq!(missing.expect_err("no such webhook").problem().status, 404);
    assert!(api.list("/jobs").await.is_empty());
}

#[tokio::test]
async fn a_job_goes_on_after_a_crash_and_makes_nothing_twice() {
    for failpoint in ["after-job-claim", "after-job-step"] {
        let installation = Installation::new()
            .env("HOOKWRIGHT_JOBS_STEP", "2")
            .env("FAILPOINTS", &format!("{failpoint}=1*off->return"));
        let (stage, webhook) = with_parked(installation, 5).await;
        repair(&stage.api, &webhook).await;
        // The answer may or may not make it out before the process dies.
        let job = stage.api.post(&format!("/webhooks/{webhook}/reprocess"), &json!({})).await;
        let server = stage.server.aborted().await.plain_env().env("HOOKWRIGHT_JOBS_STEP", "2").start().await;
        let api = server.api();
        let jobs = api.list("/jobs").await;
        assert_eq!(jobs.len(), 1, "{failpoint}: {jobs:#?}");
        if let Ok(job) = job {
            assert_eq!(jobs[0]["id"], job.body["id"]);
        }
        let job = ended(&api, jobs[0]["id"].as_str().expect("an id")).await;
        assert_eq!((&job["state"], &job["progress"]["done"]), (&json!("succeeded"), &json!(5)), "{failpoint}: {job:#}");
        api.all_settled().await;
        let made = api.list("/deliveries?status=succeeded").await;
        let old: std::collections::HashSet<_> = made.iter().map(|new| new["repeats"].to_string()).collect();
        assert_eq!((made.len(), old.len()), (5, 5), "{failpoint}");
    }
}

#[tokio::test]
async fn two_nodes_reprocess_none_twice() {
    let (stage, webhook) = with_parked(Installation::on_postgres().await.env("HOOKWRIGHT_JOBS_STEP", "1"), 10).await;
    let other = stage.server.second().env("HOOKWRIGHT_JOBS_STEP", "1").start().await;
    repair(&stage.api, &webhook).await;
    let path = format!("/webhooks/{webhook}/reprocess");
    let (first, second) = (stage.api.clone(), other.api());
    let body = json!({});
    let jobs = tokio::join!(first.post(&path, &body), second.post(&path, &body));
    let mut done = 0;
    for job in [jobs.0, jobs.1] {
        let job = ended(&second, job.expect("a job").body["id"].as_str().expect("an id")).await;
        assert_eq!(job["state"], "succeeded", "{job:#}");
        done += job["progress"]["done"].as_u64().expect("a number");
    }
    second.all_settled().await;
    assert_eq!((done, second.list("/deliveries?status=succeeded").await.len()), (10, 10));
}

#[tokio::test]
async fn whoever_subscribes_by_name_is_told_of_plugins_that_fail() {
    let moody = Moody::on(Installation::new()).await;
    let (api, receiver) = (&moody.stage.api, &moody.stage.receiver);
    let events = ["hookwright.plugin.failing", "hookwright.delivery.parked", "hookwright.webhook.disabled"];
    for (path, events) in [("/told", json!(events)), ("/star", json!(["*"]))] {
        receiver.on(path, [Reply::ok()]);
        api.register(&json!({ "url": receiver.url(path), "events": events })).await;
    }
    let publish = async |kind: &str| {
        let made = api.publish(kind, json!({})).await.deliveries;
        let own = made.iter().find(|delivery| delivery.webhook_id == moody.webhook).expect("a delivery");
        api.settled(&own.id).await
    };
    let parked = publish("ticket.bad").await;
    assert_eq!((parked.status.as_str(), publish("ticket.bad").await.status.as_str()), ("parked", "parked"));
    let told = |kind: &'static str| move |request: &Recorded| request.path == "/told" && request.json()["type"] == kind;
    let of_parked = receiver.wait_for(2, told("hookwright.delivery.parked")).await;
    let data = of_parked[0].json()["data"].clone();
    assert_eq!(data["delivery"]["id"], json!(parked.id), "{data:#}");
    assert_eq!(data["plugin"]["error"]["code"], "plugin.crashed", "{data:#}");
    assert!(!data.to_string().contains("/hook"), "the URL is masked: {data:#}");
    let failing = receiver.wait_for(1, told("hookwright.plugin.failing")).await[0].json()["data"].clone();
    assert_eq!(failing["plugin"], json!({ "name": "moody", "version": "0.1.0" }), "{failing:#}");

    receiver.on("/gone", [Reply::status(410)]);
    api.register(&json!({ "url": receiver.url("/gone"), "events": ["gone.*"], "name": "closed" })).await;
    api.publish("gone.now", json!({})).await;
    let disabled = receiver.wait_for(1, told("hookwright.webhook.disabled")).await[0].json()["data"].clone();
    assert_eq!(disabled["webhook"]["name"], "closed", "{disabled:#}");
    api.all_settled().await;
    assert_eq!(receiver.count("/told"), 4, "each once");
    let of_star = receiver.all().into_iter().filter(|request| request.path == "/star");
    assert!(of_star.into_iter().all(|request| !request.text().contains("hookwright.")), "by name only");
    let posted =
        api.try_publish("hookwright.plugin.failing", json!({})).await.expect_err("nobody posts them").problem();
    assert_eq!((posted.status, posted.pointers()), (422, vec!["/type"]));
}

#[tokio::test]
async fn what_tells_of_failures_and_fails_itself_is_not_told_of() {
    // The event that tells of it is passed through the same plugin. It is parked as well, or its trap is one too many.
    for (traps, end) in [("0", "parked"), ("3", "pending")] {
        let stage = Stage::on(Installation::new().env("HOOKWRIGHT_PLUGINS_TRAPS_IN_A_ROW", traps)).await;
        stage.api.install(Guest::Trapper.component()).await;
        let events = json!({ "events": ["hookwright.*"] });
        let watcher = stage.api.register(&through("trapper", &stage.receiver.url("/told"), events)).await.id;
        stage.api.register(&through("trapper", &stage.receiver.url("/hook"), json!({}))).await;
        let delivery = stage.api.publish_one("ticket.created", json!({})).await;
        assert_eq!(stage.api.settled(&delivery.id).await.status, "parked");
        eventually(PATIENCE, "the event that tells of it has failed", async || {
            let deliveries = stage.api.list(&format!("/webhooks/{watcher}/deliveries")).await;
            let waits = |told: &Value| told["reason"].as_str().is_some_and(|reason| reason.contains("paused"));
            deliveries.iter().any(|told| told["status"] == end && (end == "parked" || waits(told))).then_some(())
        })
        .await;
        let events = stage.api.list("/events").await;
        let own: Vec<&Value> = events.iter().map(|event| &event["type"]).collect();
        assert_eq!(own, ["hookwright.delivery.parked", "ticket.created"], "{events:#?}");
    }
}
