//! Events that are sent anew: one, or all that a webhook missed.

use std::collections::HashSet;
use std::time::Duration;

use hookwright_tests::{
    api::Api,
    eventually::eventually,
    receiver::{Receiver, Reply},
    server::Installation,
    stage::Stage,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);
const LONG_AGO: &str = "2020-01-01T00:00:00Z";

async fn ended(api: &Api, id: &str) -> Value {
    eventually(PATIENCE, "the job ends", async || {
        let job = api.get(&format!("/jobs/{id}")).await.expect("a job").body;
        job["ended_at"].is_string().then_some(job)
    })
    .await
}

/// A webhook at this path for these events.
async fn webhook(stage: &Stage, path: &str, events: &[&str]) -> String {
    let made = json!({ "url": stage.receiver.url(path), "events": events, "retry": [0] });
    stage.api.register(&made).await.id
}

#[tokio::test]
async fn an_event_is_sent_anew_to_the_webhooks_that_want_it_now() {
    let stage = Stage::open().await;
    let api = &stage.api;
    let first = webhook(&stage, "/first", &["ticket.*"]).await;
    let event = api.publish("ticket.created", json!({ "n": 1 })).await;
    let old = &event.deliveries[0].id;
    let old_request = api.settled(old).await.request().id.clone();
    let second = webhook(&stage, "/second", &["ticket.created"]).await;
    webhook(&stage, "/third", &["story.*"]).await;
    let replay = format!("/events/{}/replay", event.id);
    let made = api.post(&replay, &json!({})).await.expect("sent anew");
    assert_eq!((made.status, &made.body["id"], &made.body["type"]), (202, &json!(event.id), &json!("ticket.created")));
    let deliveries = made.body["deliveries"].as_array().expect("deliveries");
    let webhooks: HashSet<&str> = deliveries.iter().filter_map(|made| made["webhook_id"].as_str()).collect();
    assert_eq!(webhooks, HashSet::from([first.as_str(), second.as_str()]), "{:#}", made.body);
    for new in deliveries {
        let id = new["id"].as_str().expect("an id");
        assert_eq!(api.settled(id).await.status, "succeeded");
        let view = api.get(&format!("/deliveries/{id}")).await.expect("a delivery").body;
        let repeats = if new["webhook_id"] == json!(first) { json!(old) } else { Value::Null };
        assert_eq!(
            (&view["repeats"], &view["trigger"], &view["event_id"]),
            (&repeats, &json!("reprocess"), &json!(event.id))
        );
    }
    let again = stage.receiver.wait("/first", 2).await;
    assert_ne!(again.header("webhook-id"), old_request, "a new id");
    assert_eq!(again.json()["data"], json!({ "n": 1 }));
    assert_eq!((stage.receiver.count("/second"), stage.receiver.count("/third")), (1, 0));

    let one = api.post(&replay, &json!({ "webhook_id": second })).await.expect("sent anew").body;
    assert_eq!(one["deliveries"].as_array().map(Vec::len), Some(1), "{one:#}");
    stage.receiver.wait("/second", 2).await;
}

#[tokio::test]
async fn a_replay_says_what_is_wrong_with_it() {
    let stage = Stage::on(Installation::new().env("HOOKWRIGHT_INGEST_FAN_OUT_COMMIT", "2")).await;
    let api = &stage.api;
    let wants = webhook(&stage, "/hook", &["ticket.*"]).await;
    let other = webhook(&stage, "/other", &["story.*"]).await;
    stage.receiver.on("/hook", [Reply::ok().after(Duration::from_secs(1)), Reply::ok()]);
    let event = api.publish("ticket.created", json!({})).await;
    let replay = format!("/events/{}/replay", event.id);
    let refused = async |body: Value| api.post(&replay, &body).await.expect_err("refused").problem();
    stage.receiver.wait("/hook", 1).await;
    let problem = refused(json!({})).await;
    assert!(problem.status == 409 && problem.detail.contains("on its way"), "{problem:?}");
    api.all_settled().await;
    let problem = refused(json!({ "webhook_id": other })).await;
    assert!(problem.status == 409 && problem.detail.contains("no pattern matches"), "{problem:?}");
    let unknown = refused(json!({ "webhook_id": format!("whk_{:032x}", 1) })).await;
    assert_eq!((unknown.status, unknown.pointers()), (422, vec!["/webhook_id"]));
    assert_eq!(refused(json!({ "webhook": wants })).await.pointers(), ["/webhook"]);
    let missing = api.post(&format!("/events/evt_{:032x}/replay", 1), &json!({})).await;
    assert_eq!(missing.expect_err("no such event").problem().status, 404);
    // Up to two webhooks are served at once.
    webhook(&stage, "/hook", &["ticket.*"]).await;
    let made = api.post(&replay, &json!({})).await.expect("two are served").body;
    assert_eq!(made["deliveries"].as_array().map(Vec::len), Some(2));
    api.all_settled().await;
    webhook(&stage, "/hook", &["ticket.*"]).await;
    let problem = refused(json!({})).await;
    assert!(problem.status == 409 && problem.detail.contains("ingest.fan_out_commit"), "{problem:?}");
    let test = api.post(&format!("/webhooks/{wants}/test"), &json!({})).await.expect("a test").body;
    let tested = api.post(&format!("/events/{}/replay", test["event_id"].as_str().expect("an id")), &json!({})).await;
    assert_eq!(tested.expect_err("it was for one webhook").problem().status, 409);
}

#[tokio::test]
async fn a_double_click_sends_an_event_anew_once() {
    let stage = Stage::open().await;
    webhook(&stage, "/hook", &["*"]).await;
    let event = stage.api.publish("ticket.created", json!({})).await;
    stage.api.all_settled().await;
    let path = format!("/events/{}/replay", event.id);
    let click = || stage.api.post_with(&path, &[("idempotency-key", "click")], Vec::new());
    let (first, second) = tokio::join!(click(), click());
    let (first, second) = (first.expect("made").body, second.expect("the same").body);
    assert_eq!(first["deliveries"], second["deliveries"]);
    stage.api.all_settled().await;
    assert_eq!(click().await.expect("the same").body["deliveries"], first["deliveries"]);
    assert_eq!(stage.receiver.all().len(), 2);
}

/// A webhook that missed five of seven events, and the payloads of those.
async fn with_missed(installation: Installation) -> (Stage, String, HashSet<u64>) {
    let stage = Stage::on(installation).await;
    let api = &stage.api;
    let id = webhook(&stage, "/hook", &["ticket.*"]).await;
    let publish = async |n: u64| {
        api.publish("ticket.created", json!({ "n": n })).await;
        api.all_settled().await;
    };
    publish(0).await;
    stage.receiver.on("/hook", [Reply::status(500)]);
    publish(1).await;
    publish(2).await;
    stage.receiver.on("/hook", [Reply::ok()]);
    let path = format!("/webhooks/{id}");
    api.patch(&path, &json!({ "enabled": false })).await.expect("disabled");
    publish(3).await;
    publish(4).await;
    api.patch(&path, &json!({ "enabled": true, "events": ["story.*"] })).await.expect("enabled for something else");
    publish(5).await;
    api.patch(&path, &json!({ "events": ["ticket.*"] })).await.expect("as before");
    publish(6).await;
    (stage, id, HashSet::from([1, 2, 3, 4, 5]))
}

fn numbers(receiver: &Receiver, skip: usize) -> Vec<u64> {
    receiver.all()[skip..].iter().map(|sent| sent.json()["data"]["n"].as_u64().expect("a number")).collect()
}

#[tokio::test]
async fn a_webhook_gets_what_it_missed_once() {
    let (stage, id, missed) = with_missed(Installation::new().env("HOOKWRIGHT_JOBS_STEP", "2")).await;
    let (api, path) = (&stage.api, format!("/webhooks/{id}/recover"));
    let sent = stage.receiver.all().len();
    let forecast = api.post(&path, &json!({ "since": LONG_AGO, "dry_run": true })).await.expect("a count").body;
    assert_eq!((&forecast["events"], &forecast["complete"]), (&json!(5), &json!(true)), "{forecast:#}");
    let sample = forecast["sample"].as_array().expect("a sample");
    let mut sorted = sample.clone();
    sorted.sort_by_key(ToString::to_string);
    assert_eq!((sample.len(), sample), (5, &sorted), "oldest first");
    assert!(api.list("/jobs").await.is_empty(), "a dry run is no job");
    let job = api.post(&path, &json!({ "since": LONG_AGO })).await.expect("a job");
    assert_eq!((job.status, &job.body["kind"]), (202, &json!("recover")), "{:#}", job.body);
    let job = ended(api, job.body["id"].as_str().expect("an id")).await;
    assert_eq!(job["state"], "succeeded", "{job:#}");
    assert_eq!(job["progress"], json!({ "done": 5, "total": 5, "failed": 0 }));
    assert_eq!(job["recover"], json!({ "webhook_id": id, "since": "2020-01-01T00:00:00.000Z" }));
    api.all_settled().await;
    let got = numbers(&stage.receiver, sent);
    assert_eq!((got.len(), got.into_iter().collect::<HashSet<_>>()), (5, missed), "each once");
    let again = api.post(&path, &json!({ "since": LONG_AGO })).await.expect("a job").body;
    assert_eq!(ended(api, again["id"].as_str().expect("an id")).await["progress"]["done"], 0, "they have arrived");
    let later = api.post(&path, &json!({ "since": "2100-01-01T00:00:00Z", "dry_run": true })).await.expect("none").body;
    assert_eq!(later["events"], 0);
}

#[tokio::test]
async fn a_recovery_keeps_to_the_filter_of_its_webhook() {
    let stage = Stage::open().await;
    let api = &stage.api;
    for n in 0..4 {
        api.publish("ticket.created", json!({ "n": n })).await;
    }
    let made = json!({
        "url": stage.receiver.url("/hook"), "events": ["ticket.*"], "retry": [0], "filter": "payload.n > 1",
    });
    let id = api.register(&made).await.id;
    let job = api.post(&format!("/webhooks/{id}/recover"), &json!({ "since": LONG_AGO })).await.expect("a job").body;
    let job = ended(api, job["id"].as_str().expect("an id")).await;
    assert_eq!((&job["state"], &job["progress"]["done"]), (&json!("succeeded"), &json!(2)), "{job:#}");
    api.all_settled().await;
    let mut got = numbers(&stage.receiver, 0);
    got.sort_unstable();
    assert_eq!(got, [2, 3]);
}

#[tokio::test]
async fn a_recovery_says_what_is_wrong_with_it() {
    let stage = Stage::open().await;
    let id = webhook(&stage, "/hook", &["ticket.*"]).await;
    let path = format!("/webhooks/{id}/recover");
    for (body, pointer) in [
        (json!({}), "/since"),
        (json!({ "since": "yesterday" }), "/since"),
        (json!({ "since": LONG_AGO, "until": LONG_AGO }), "/until"),
        (json!({ "since": LONG_AGO, "from": LONG_AGO }), "/from"),
    ] {
        let problem = stage.api.post(&path, &body).await.expect_err(pointer).problem();
        assert_eq!((problem.status, problem.pointers()), (422, vec![pointer]), "{body}");
    }
    let body = json!({ "since": LONG_AGO });
    stage.api.patch(&format!("/webhooks/{id}"), &json!({ "enabled": false })).await.expect("disabled");
    assert_eq!(stage.api.post(&path, &body).await.expect_err("disabled").problem().status, 409);
    let missing = stage.api.post(&format!("/webhooks/whk_{:032x}/recover", 1), &body).await;
    assert_eq!(missing.expect_err("no such webhook").problem().status, 404);
}

#[tokio::test]
async fn a_recovery_goes_on_after_a_crash_and_sends_nothing_twice() {
    for failpoint in ["after-job-claim", "after-job-step"] {
        let installation = Installation::new()
            .env("HOOKWRIGHT_JOBS_STEP", "2")
            .env("FAILPOINTS", &format!("{failpoint}=1*off->return"));
        let (stage, id, _) = with_missed(installation).await;
        drop(stage.api.post(&format!("/webhooks/{id}/recover"), &json!({ "since": LONG_AGO })).await);
        let receiver = stage.receiver;
        let server = stage.server.aborted().await.plain_env().env("HOOKWRIGHT_JOBS_STEP", "2").start().await;
        let api = server.api();
        let jobs = api.list("/jobs").await;
        assert_eq!(jobs.len(), 1, "{failpoint}: {jobs:#?}");
        let job = ended(&api, jobs[0]["id"].as_str().expect("an id")).await;
        assert_eq!((&job["state"], &job["progress"]["done"]), (&json!("succeeded"), &json!(5)), "{failpoint}: {job:#}");
        api.all_settled().await;
        let made = api.list("/deliveries?trigger=reprocess").await;
        let events: HashSet<String> = made.iter().map(|new| new["event_id"].to_string()).collect();
        assert_eq!((made.len(), events.len()), (5, 5), "{failpoint}: {made:#?}");
        assert!(made.iter().all(|new| new["status"] == "succeeded"), "{failpoint}: {made:#?}");
        drop(receiver);
    }
}

/// Five times: whatever it is that ends the server each time, it must not do so for ever.
#[tokio::test]
async fn a_job_whose_step_never_ends_is_given_up() {
    let (stage, id, _) = with_missed(Installation::new().env("FAILPOINTS", "after-job-claim=return")).await;
    drop(stage.api.post(&format!("/webhooks/{id}/recover"), &json!({ "since": LONG_AGO })).await);
    let mut server = stage.server;
    for _ in 1..5 {
        server = server.aborted().await.start().await;
    }
    let server = server.aborted().await.plain_env().start().await;
    let api = server.api();
    let jobs = api.list("/jobs").await;
    let job = ended(&api, jobs[0]["id"].as_str().expect("an id")).await;
    assert_eq!(job["state"], "failed", "{job:#}");
    assert_eq!(job["reason"], "its next step was begun 5 times and never ended");
    assert!(api.list("/deliveries?trigger=reprocess").await.is_empty(), "nothing of it was done");
}

#[tokio::test]
async fn two_nodes_recover_none_twice() {
    let (stage, id, _) = with_missed(Installation::on_postgres().await.env("HOOKWRIGHT_JOBS_STEP", "1")).await;
    let other = stage.server.second().env("HOOKWRIGHT_JOBS_STEP", "1").start().await;
    let (path, body) = (format!("/webhooks/{id}/recover"), json!({ "since": LONG_AGO }));
    let (first, second) = (stage.api.clone(), other.api());
    let jobs = tokio::join!(first.post(&path, &body), second.post(&path, &body));
    let mut done = 0;
    for job in [jobs.0, jobs.1] {
        let job = ended(&second, job.expect("a job").body["id"].as_str().expect("an id")).await;
        assert_eq!(job["state"], "succeeded", "{job:#}");
        done += job["progress"]["done"].as_u64().expect("a number");
    }
    second.all_settled().await;
    assert_eq!((done, second.list("/deliveries?trigger=reprocess").await.len()), (5, 5));
}

/// What happens in one project is neither replayed to a webhook of another one nor recovered by it.
#[tokio::test]
async fn nothing_is_replayed_or_recovered_across_projects() {
    let stage = Stage::open().await;
    let other = stage.api.elsewhere().await;
    let theirs = other.register(&json!({ "url": stage.receiver.url("/theirs"), "events": ["*"] })).await.id;
    webhook(&stage, "/ours", &["*"]).await;
    let event = stage.api.publish("ticket.created", json!({})).await;
    stage.api.all_settled().await;
    let to_theirs = json!({ "webhook_id": theirs });
    let refused = stage.api.post(&format!("/events/{}/replay", event.id), &to_theirs).await.expect_err("refused");
    let problem = refused.problem();
    assert_eq!((problem.status, problem.pointers()), (422, vec!["/webhook_id"]));
    let job =
        other.post(&format!("/webhooks/{theirs}/recover"), &json!({ "since": LONG_AGO })).await.expect("a job").body;
    let job = ended(&other, job["id"].as_str().expect("an id")).await;
    assert_eq!((&job["state"], &job["progress"]["done"]), (&json!("succeeded"), &json!(0)), "{job:#}");
    assert_eq!((stage.receiver.count("/ours"), stage.receiver.count("/theirs")), (1, 0));
}
