//! What did not arrive is sent again by a person, or given up: one delivery, or many as a job.

use std::time::Duration;

use hookwright_tests::{
    api::{Api, Webhook},
    eventually::eventually,
    guest::{Forge, Guest, Output, Request},
    receiver::{Receiver, Reply},
    server::Installation,
    stage::Stage,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);
const HOUR_MS: u64 = 60 * 60 * 1000;

/// A webhook for everything, tried as this schedule says.
async fn webhook(stage: &Stage, schedule: Value) -> Webhook {
    stage.api.register(&json!({ "url": stage.receiver.url("/hook"), "events": ["*"], "retry": schedule })).await
}

/// A delivery that the receiver answered with these, and that has come to rest.
async fn settled(stage: &Stage, replies: impl IntoIterator<Item = Reply>) -> String {
    stage.receiver.on("/hook", replies);
    let id = stage.api.publish_one("ticket.created", json!({ "n": 1 })).await.id;
    stage.api.settled(&id).await;
    id
}

fn path(id: &str, act: &str) -> String {
    format!("/deliveries/{id}/{act}")
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
async fn only_what_did_not_arrive_is_sent_again_with_its_id_and_its_bytes() {
    let stage = Stage::open().await;
    let request = |n: u32| Request { json: format!(r#"{{"n":{n}}}"#), ..Request::default() };
    let forge = Forge::new("three").returns(&Output::Deliver(vec![request(0), request(1), request(2)]));
    stage.api.install(forge.component()).await;
    let plugin = json!({ "name": "three", "version": "0.1.0", "config": {}, "secrets": {} });
    stage.api.register(&json!({ "url": stage.receiver.url("/hook"), "events": ["*"], "plugin": plugin })).await;
    // Final for a plugin's request.
    stage.receiver.when(|request| request.json()["n"] == 1, [Reply::status(400), Reply::ok()]);
    let id = stage.api.publish_one("ticket.created", json!({})).await.id;
    let failed = stage.api.settled(&id).await;
    assert_eq!((failed.status.as_str(), stage.receiver.count("/hook")), ("failed", 3), "{failed:#?}");
    let again = stage.api.post(&path(&id, "retry"), &json!({})).await.expect("sent again");
    assert_eq!((again.status, &again.body["id"]), (202, &json!(id)), "{:#}", again.body);
    let settled = stage.api.settled(&id).await;
    assert_eq!(settled.status, "succeeded", "{settled:#?}");
    let sent = stage.receiver.wait_for(4, |_| true).await;
    let first = sent.iter().find(|request| request.json()["n"] == 1).expect("it was sent");
    assert_eq!(sent[3].header("webhook-id"), settled.requests[1].id);
    assert_eq!((sent[3].header("webhook-id"), &sent[3].body), (first.header("webhook-id"), &first.body));
    let numbers = |n: usize| settled.requests[n].attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>();
    assert_eq!((numbers(0), numbers(1), numbers(2)), (vec![1], vec![1, 2], vec![1]));

    let arrived = stage.api.post(&path(&id, "retry"), &json!({})).await.expect_err("all of it arrived").problem();
    assert_eq!((arrived.status, arrived.code.as_str()), (409, "wrong_state"));
    let named = json!({ "requests": [settled.requests[2].id] });
    assert_eq!(stage.api.post(&path(&id, "retry"), &named).await.expect_err("it arrived").problem().status, 409);
    let wanted = json!({ "requests": [settled.requests[2].id], "include_succeeded": true });
    stage.api.post(&path(&id, "retry"), &wanted).await.expect("sent once more");
    let sent = stage.receiver.wait_for(5, |_| true).await;
    assert_eq!((sent[4].header("webhook-id"), &sent[4].json()["n"]), (settled.requests[2].id.as_str(), &json!(2)));
    assert_eq!(stage.api.settled(&id).await.status, "succeeded");
    assert_eq!(stage.receiver.all().len(), 5);
}

#[tokio::test]
async fn what_is_sent_again_has_its_whole_schedule_before_it() {
    let stage = Stage::open().await;
    webhook(&stage, json!([0, 50])).await;
    let fails = || Reply::status(500);
    let id = settled(&stage, [fails(), fails(), fails(), Reply::ok()]).await;
    assert_eq!(stage.api.delivery(&id).await.status, "failed");
    stage.api.post(&path(&id, "retry"), &json!({})).await.expect("sent again");
    let settled = stage.api.settled(&id).await;
    let numbers: Vec<u32> = settled.request().attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!((settled.status.as_str(), numbers), ("succeeded", vec![1, 2, 3, 4]), "{settled:#?}");
    assert_eq!(settled.reason, None, "what was said of it before counts no more");
}

#[tokio::test]
async fn what_is_to_be_tried_later_is_tried_now() {
    let stage = Stage::open().await;
    webhook(&stage, json!([0, HOUR_MS])).await;
    stage.receiver.on("/hook", [Reply::status(500), Reply::ok()]);
    let id = stage.api.publish_one("ticket.created", json!({})).await.id;
    eventually(PATIENCE, "it waits for its next attempt", async || {
        (stage.api.delivery(&id).await.status == "retrying").then_some(())
    })
    .await;
    stage.api.post(&path(&id, "retry"), &json!({})).await.expect("hurried");
    assert_eq!(stage.api.settled(&id).await.status, "succeeded");
}

#[tokio::test]
async fn what_is_being_sent_is_not_sent_a_second_time() {
    let stage = Stage::open().await;
    webhook(&stage, json!([0])).await;
    stage.receiver.on("/hook", [Reply::ok().after(Duration::from_secs(2))]);
    let id = stage.api.publish_one("ticket.created", json!({})).await.id;
    stage.receiver.wait("/hook", 1).await;
    let problem = stage.api.post(&path(&id, "retry"), &json!({})).await.expect_err("it is on its way").problem();
    assert_eq!(problem.status, 409);
    assert!(problem.detail.contains("being sent"), "{problem:?}");
    assert_eq!((stage.api.settled(&id).await.status.as_str(), stage.receiver.all().len()), ("succeeded", 1));
}

#[tokio::test]
async fn a_double_click_sends_once() {
    let stage = Stage::open().await;
    webhook(&stage, json!([0])).await;
    let id = settled(&stage, [Reply::status(500)]).await;
    let (retry, headers) = (path(&id, "retry"), [("idempotency-key", "click"), ("content-type", "application/json")]);
    let click = || stage.api.post_with(&retry, &headers, b"{}".to_vec());
    let (first, second) = tokio::join!(click(), click());
    assert_eq!((first.expect("sent").status, second.expect("the same").status), (202, 202));
    stage.api.settled(&id).await;
    // It has failed again by now, and yet the same click means nothing more.
    assert_eq!(click().await.expect("the same").status, 202);
    assert_eq!(stage.api.settled(&id).await.request().attempts.len(), 2);
    assert_eq!(stage.receiver.all().len(), 2);
    let other = stage.api.post_with(&path(&id, "cancel"), &headers, b"{}".to_vec()).await;
    assert_eq!(other.expect_err("it has ended").problem().status, 409);
    let reused = stage.api.post_with(&retry, &headers, b"{ }".to_vec()).await.expect_err("something else").problem();
    assert_eq!((reused.status, reused.code.as_str()), (422, "idempotency_key_reused"));
}

#[tokio::test]
async fn sending_again_says_what_is_wrong_with_it() {
    let stage = Stage::open().await;
    let made = webhook(&stage, json!([0])).await;
    let id = settled(&stage, [Reply::status(500)]).await;
    let retry = path(&id, "retry");
    for (body, pointer) in [
        (json!({ "request": [] }), "/request"),
        (json!({ "requests": ["dlv_1"] }), "/requests/0"),
        (json!({ "requests": [format!("req_{:032x}", 7)] }), "/requests/0"),
        (json!({ "include_succeeded": true }), "/requests"),
    ] {
        let problem = stage.api.post(&retry, &body).await.expect_err(pointer).problem();
        assert_eq!((problem.status, problem.pointers()), (422, vec![pointer]), "{problem:?}");
    }
    let missing = stage.api.post(&path(&format!("dlv_{:032x}", 7), "retry"), &json!({})).await;
    assert_eq!(missing.expect_err("no such delivery").problem().status, 404);
    let hook = format!("/webhooks/{}", made.id);
    stage.api.patch(&hook, &json!({ "enabled": false })).await.expect("disabled");
    let problem = stage.api.post(&retry, &json!({})).await.expect_err("disabled").problem();
    assert!(problem.status == 409 && problem.detail.contains("disabled"), "{problem:?}");
    stage.api.delete(&hook).await.expect("deleted");
    let problem = stage.api.post(&retry, &json!({})).await.expect_err("deleted").problem();
    assert!(problem.status == 409 && problem.detail.contains("deleted"), "{problem:?}");
    assert_eq!(stage.receiver.all().len(), 1);
}

#[tokio::test]
async fn what_nobody_knows_the_end_of_waits_for_a_person_who_decides() {
    let stage = Stage::open().await;
    let hold = json!({ "url": stage.receiver.url("/hook"), "events": ["*"], "on_uncertain": "hold" });
    stage.api.register(&hold).await;
    let (first, second) = (settled(&stage, [Reply::cut()]).await, settled(&stage, [Reply::cut()]).await);
    for id in [&first, &second] {
        assert_eq!(stage.api.delivery(id).await.status, "held");
    }
    let given_up = stage.api.post(&path(&first, "cancel"), &json!({ "reason": "it is there" })).await.expect("settled");
    assert_eq!((given_up.status, &given_up.body["status"]), (200, &json!("cancelled")), "{:#}", given_up.body);
    assert!(given_up.body["reason"].as_str().expect("a reason").ends_with(": it is there"));
    stage.receiver.on("/hook", [Reply::ok()]);
    stage.api.post(&path(&second, "retry"), &json!({})).await.expect("sent again");
    assert_eq!(stage.api.settled(&second).await.status, "succeeded");
    assert_eq!(stage.receiver.all().len(), 3);
}

#[tokio::test]
async fn what_is_given_up_is_not_sent_any_more_and_its_late_result_is_kept() {
    let stage = Stage::open().await;
    webhook(&stage, json!([0, 100])).await;
    stage.receiver.on("/hook", [Reply::status(500).after(Duration::from_secs(1)), Reply::ok()]);
    let id = stage.api.publish_one("ticket.created", json!({})).await.id;
    stage.receiver.wait("/hook", 1).await;
    let given_up = stage.api.post(&path(&id, "cancel"), &json!({})).await.expect("given up").body;
    assert_eq!(given_up["status"], "cancelled", "{given_up:#}");
    assert!(given_up["reason"].as_str().expect("a reason").contains("cancelled by token"), "{given_up:#}");
    let again = stage.api.post(&path(&id, "cancel"), &json!({})).await.expect("the same");
    assert_eq!(again.status, 200);
    let late = eventually(PATIENCE, "the result comes", async || {
        let view = stage.api.get(&format!("/deliveries/{id}")).await.expect("a delivery").body;
        view["requests"][0]["attempts"][0]["late"].as_bool().map(|late| (late, view["status"].clone()))
    })
    .await;
    assert_eq!(late, (true, json!("cancelled")));
    stage.api.post(&path(&id, "retry"), &json!({})).await.expect("sent after all");
    let settled = stage.api.settled(&id).await;
    assert_eq!((settled.status.as_str(), settled.request().attempts.len()), ("succeeded", 2), "{settled:#?}");
    let problem = stage.api.post(&path(&id, "cancel"), &json!({})).await.expect_err("it has ended").problem();
    assert_eq!((problem.status, stage.receiver.all().len()), (409, 2));
    let wrong = stage.api.post(&path(&id, "cancel"), &json!({ "reason": "x".repeat(256) })).await;
    assert_eq!(wrong.expect_err("too long").problem().pointers(), ["/reason"]);
    let longest = stage.api.post(&path(&id, "cancel"), &json!({ "reason": "x".repeat(255) })).await;
    assert_eq!(longest.expect_err("it has ended").problem().status, 409);
}

#[tokio::test]
async fn a_parked_delivery_that_is_given_up_is_not_reprocessed() {
    let stage = Stage::open().await;
    stage.api.install(Guest::Trapper.component()).await;
    let plugin = json!({ "name": "trapper", "version": "0.1.0", "config": {}, "secrets": {} });
    stage.api.register(&json!({ "url": stage.receiver.url("/hook"), "events": ["*"], "plugin": plugin })).await;
    let id = stage.api.publish_one("ticket.created", json!({})).await.id;
    assert_eq!(stage.api.settled(&id).await.status, "parked");
    let problem = stage.api.post(&path(&id, "retry"), &json!({})).await.expect_err("nothing to send").problem();
    assert!(problem.status == 409 && problem.detail.contains("reprocess"), "{problem:?}");
    stage.api.post(&path(&id, "cancel"), &json!({})).await.expect("given up");
    let problem = stage.api.post(&path(&id, "reprocess"), &json!({})).await.expect_err("given up").problem();
    assert_eq!(problem.status, 409);
}

/// A webhook with so many deliveries that failed, and a receiver that is well by now.
async fn with_failed(installation: Installation, count: usize) -> (Stage, Webhook, Vec<String>) {
    let stage = Stage::on(installation).await;
    let made = webhook(&stage, json!([0])).await;
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(settled(&stage, [Reply::status(500)]).await);
    }
    stage.receiver.on("/hook", [Reply::ok()]);
    (stage, made, ids)
}

#[tokio::test]
async fn a_selection_is_sent_again_as_a_job() {
    let (stage, made, ids) = with_failed(Installation::new().env("HOOKWRIGHT_JOBS_STEP", "2"), 5).await;
    let (api, since) = (&stage.api, "2020-01-01T00:00:00Z");
    let other = api.publish_one("story.created", json!({})).await.id;
    api.settled(&other).await;
    let selection = |more: Value| {
        let mut all = json!({ "webhook_id": made.id, "status": "failed", "since": since });
        all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        all
    };
    let resend = async |more: Value| api.post("/deliveries/resend", &selection(more)).await.expect("a selection").body;
    let forecast = resend(json!({ "dry_run": true })).await;
    assert_eq!((&forecast["deliveries"], &forecast["complete"]), (&json!(5), &json!(true)), "{forecast:#}");
    assert_eq!(forecast["sample"], json!(ids), "oldest first");
    assert_eq!(resend(json!({ "dry_run": true, "event_type": "story.created" })).await["deliveries"], 0);
    assert_eq!(resend(json!({ "dry_run": true, "status_code": 500 })).await["deliveries"], 5);
    assert_eq!(resend(json!({ "dry_run": true, "status_code": 503 })).await["deliveries"], 0);
    assert!(api.list("/jobs").await.is_empty() && stage.receiver.all().len() == 6, "a dry run does nothing");

    let headers = [("idempotency-key", "one"), ("content-type", "application/json")];
    let post = async || {
        let body = selection(json!({})).to_string().into_bytes();
        api.post_with("/deliveries/resend", &headers, body).await.expect("a job")
    };
    let job = post().await;
    assert_eq!((job.status, &job.body["kind"]), (202, &json!("resend")), "{:#}", job.body);
    assert_eq!(post().await.body["id"], job.body["id"], "a double click is one job");
    let job = ended(api, job.body["id"].as_str().expect("an id")).await;
    assert_eq!(job["state"], "succeeded", "{job:#}");
    assert_eq!(job["progress"], json!({ "done": 5, "total": 5, "failed": 0 }));
    assert_eq!(
        job["resend"],
        json!({ "webhook_id": made.id, "status": "failed", "since": "2020-01-01T00:00:00.000Z" })
    );
    api.all_settled().await;
    let sent: Vec<String> = stage.receiver.all()[6..].iter().map(|sent| sent.header("webhook-id").to_owned()).collect();
    let mut expected = Vec::new();
    for id in &ids {
        let delivery = api.delivery(id).await;
        assert_eq!((delivery.status.as_str(), delivery.request().attempts.len()), ("succeeded", 2));
        expected.push(delivery.request().id.clone());
    }
    let (mut sent, mut expected_sorted) = (sent, expected);
    sent.sort_unstable();
    expected_sorted.sort_unstable();
    assert_eq!(sent, expected_sorted, "each once");
    let again = resend(json!({})).await;
    assert_eq!(ended(api, again["id"].as_str().expect("an id")).await["progress"]["done"], 0);
}

#[tokio::test]
async fn many_are_given_up_as_a_job() {
    let stage = Stage::open().await;
    webhook(&stage, json!([0, HOUR_MS])).await;
    stage.receiver.on("/hook", [Reply::status(500)]);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(stage.api.publish_one("ticket.created", json!({})).await.id);
    }
    eventually(PATIENCE, "all wait for their next attempt", async || {
        (stage.api.list("/deliveries?status=retrying").await.len() == 3).then_some(())
    })
    .await;
    let body = json!({ "status": "retrying", "since": "2020-01-01T00:00:00Z" });
    let job = stage.api.post("/deliveries/cancel", &body).await.expect("a job").body;
    let job = ended(&stage.api, job["id"].as_str().expect("an id")).await;
    assert_eq!((&job["state"], &job["progress"]["done"]), (&json!("succeeded"), &json!(3)), "{job:#}");
    for id in ids {
        let given_up = stage.api.delivery(&id).await;
        assert_eq!(given_up.status, "cancelled");
        assert!(given_up.reason.expect("a reason").contains("cancelled by token"));
    }
}

#[tokio::test]
async fn a_selection_says_what_is_wrong_with_it() {
    let stage = Stage::open().await;
    let since = "2026-01-01T00:00:00Z";
    let cases = [
        (json!({ "since": since }), "/status"),
        (json!({ "status": "failed" }), "/since"),
        (json!({ "status": "succeeded", "since": since }), "/status"),
        (json!({ "status": "lost", "since": since }), "/status"),
        (json!({ "status": "failed", "since": "yesterday" }), "/since"),
        (json!({ "status": "failed", "since": since, "until": since }), "/until"),
        (json!({ "status": "failed", "since": since, "status_code": 99 }), "/status_code"),
        (json!({ "status": "failed", "since": since, "status_code": 1000 }), "/status_code"),
        (json!({ "status": "failed", "since": since, "event_type": "" }), "/event_type"),
        (json!({ "status": "failed", "since": since, "plugin_version": "x".repeat(256) }), "/plugin_version"),
        (json!({ "status": "failed", "since": since, "colour": "red" }), "/colour"),
        (json!({ "status": "failed", "since": since, "webhook_id": format!("whk_{:032x}", 1) }), "/webhook_id"),
    ];
    for (body, pointer) in cases {
        let problem = stage.api.post("/deliveries/resend", &body).await.expect_err(pointer).problem();
        assert_eq!((problem.status, problem.pointers()), (422, vec![pointer]), "{body}");
    }
    for code in [100, 999] {
        let body = json!({ "status": "failed", "since": since, "status_code": code, "dry_run": true });
        stage.api.post("/deliveries/resend", &body).await.expect("at the edge");
    }
    let open = json!({ "status": "pending", "since": since });
    assert_eq!(stage.api.post("/deliveries/resend", &open).await.expect_err("open").problem().pointers(), ["/status"]);
    let failed = json!({ "status": "failed", "since": since });
    assert_eq!(
        stage.api.post("/deliveries/cancel", &failed).await.expect_err("ended").problem().pointers(),
        ["/status"]
    );
    assert!(stage.api.list("/jobs").await.is_empty());
}

#[tokio::test]
async fn a_job_that_sends_again_goes_on_after_a_crash_and_sends_nothing_twice() {
    for failpoint in ["after-job-claim", "after-job-step"] {
        let installation = Installation::new()
            .env("HOOKWRIGHT_JOBS_STEP", "2")
            .env("FAILPOINTS", &format!("{failpoint}=1*off->return"));
        let (stage, made, ids) = with_failed(installation, 5).await;
        let body = json!({ "webhook_id": made.id, "status": "failed", "since": "2020-01-01T00:00:00Z" });
        // The answer may or may not make it out before the process dies.
        drop(stage.api.post("/deliveries/resend", &body).await);
        let receiver: Receiver = stage.receiver;
        let server = stage.server.aborted().await.plain_env().env("HOOKWRIGHT_JOBS_STEP", "2").start().await;
        let api = server.api();
        let jobs = api.list("/jobs").await;
        assert_eq!(jobs.len(), 1, "{failpoint}: {jobs:#?}");
        let job = ended(&api, jobs[0]["id"].as_str().expect("an id")).await;
        assert_eq!((&job["state"], &job["progress"]["done"]), (&json!("succeeded"), &json!(5)), "{failpoint}: {job:#}");
        api.all_settled().await;
        for id in &ids {
            let delivery = api.delivery(id).await;
            assert_eq!(delivery.status, "succeeded", "{failpoint}: {delivery:#?}");
            // A crash may cut off an attempt, which is then made once more; the job never opens a delivery twice.
            let recorded = delivery.request().attempts.len();
            assert_eq!(recorded, 2, "{failpoint}: {delivery:#?}");
            let request = delivery.request().id.clone();
            assert!(receiver.count_of(|sent| sent.header("webhook-id") == request) >= 2);
        }
    }
}

#[tokio::test]
async fn two_nodes_send_none_twice() {
    let installation = Installation::on_postgres().await.env("HOOKWRIGHT_JOBS_STEP", "1");
    let (stage, made, ids) = with_failed(installation, 8).await;
    let other = stage.server.second().env("HOOKWRIGHT_JOBS_STEP", "1").start().await;
    let body = json!({ "webhook_id": made.id, "status": "failed", "since": "2020-01-01T00:00:00Z" });
    let (first, second) = (stage.api.clone(), other.api());
    let jobs = tokio::join!(first.post("/deliveries/resend", &body), second.post("/deliveries/resend", &body));
    let mut done = 0;
    for job in [jobs.0, jobs.1] {
        let job = ended(&second, job.expect("a job").body["id"].as_str().expect("an id")).await;
        assert_eq!(job["state"], "succeeded", "{job:#}");
        done += job["progress"]["done"].as_u64().expect("a number");
    }
    second.all_settled().await;
    assert_eq!((done, stage.receiver.all().len()), (8, 16));
    for id in ids {
        assert_eq!(second.delivery(&id).await.request().attempts.len(), 2);
    }
}
