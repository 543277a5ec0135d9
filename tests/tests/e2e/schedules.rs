//! Schedules: made over the API, fired by the server, and never twice.

use std::time::Duration;

use hookwright_tests::{api::Api, eventually::eventually, receiver::Receiver, server::Installation, stage::Stage};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

/// Schedules may run every second.
fn quick(installation: Installation) -> Installation {
    installation.env("HOOKWRIGHT_SCHEDULES_INTERVAL_MIN_MS", "1000").env("HOOKWRIGHT_SCHEDULES_SWEEP_MS", "20")
}

async fn every_second(api: &Api) -> String {
    let schedule =
        json!({ "cron": "* * * * * *", "event_type": "time.passed", "subject": "tick", "payload": { "n": 1 } });
    let made = api.post("/schedules", &schedule).await.expect("the schedule is accepted");
    made.body["id"].as_str().expect("an id").to_owned()
}

/// When the events of schedules were due, newest first; each once.
async fn dues(api: &Api) -> Vec<String> {
    let events = api.list("/events?type=time.passed").await;
    let due = |event: &Value| event["occurred_at"].as_str().expect("a time").to_owned();
    let dues: Vec<String> = events.iter().map(due).collect();
    let mut each = dues.clone();
    each.dedup();
    assert_eq!(each, dues, "a run was made twice");
    dues
}

#[tokio::test]
async fn a_schedule_emits_events_that_are_delivered() {
    let Stage { server: _server, api, receiver } = Stage::on(quick(Installation::new())).await;
    api.register(&json!({ "url": receiver.url("/hook"), "events": ["time.*"] })).await;
    let id = every_second(&api).await;
    let request = receiver.wait("/hook", 2).await;
    assert_eq!(request.json()["data"], json!({ "n": 1 }));
    let shown = api.get(&format!("/schedules/{id}")).await.expect("it is there").body;
    assert_eq!(shown["words"], "every second, UTC");
    let event = api.get(&format!("/events/{}", shown["last_run"]["event_id"].as_str().expect("it ran"))).await;
    let event = event.expect("the event is there").body;
    assert_eq!((&event["type"], &event["subject"]), (&json!("time.passed"), &json!("tick")));
    let deliveries = api.list("/deliveries").await;
    assert!(deliveries.iter().all(|delivery| delivery["trigger"] == "schedule"), "{deliveries:#?}");
    dues(&api).await;
    api.patch(&format!("/schedules/{id}"), &json!({ "enabled": false })).await.expect("disabled");
    let shown = api.get(&format!("/schedules/{id}")).await.expect("it is there").body;
    assert_eq!((&shown["next_run_at"], &shown["next_runs"]), (&Value::Null, &json!([])));
}

const DAY_S: usize = 24 * 60 * 60;

/// Of a time like `2026-01-31T12:00:00.000Z`.
fn second_of_day(time: &str) -> usize {
    time[11..19].split(':').fold(0, |seconds, part| seconds * 60 + part.parse::<usize>().expect("a number"))
}

/// Aborts while or right after it fires; afterwards each run has been made once.
async fn crash(installation: Installation, failpoint: &str) {
    let server = quick(installation).start().await;
    let id = every_second(&server.api()).await;
    let server = server.stop().await.env("FAILPOINTS", &format!("{failpoint}=return")).start().await;
    let server = quick(server.aborted().await.plain_env()).start().await;
    let api = server.api();
    let shown = api.get(&format!("/schedules/{id}")).await.expect("it is there").body;
    eventually(PATIENCE, "it goes on", async || {
        let now = api.get(&format!("/schedules/{id}")).await.expect("it is there").body;
        (now["last_run"] != shown["last_run"]).then_some(())
    })
    .await;
    let dues = dues(&api).await;
    // No second between the first run and the last one is missing.
    let (newest, oldest) = (second_of_day(&dues[0]), second_of_day(dues.last().expect("some")));
    assert_eq!((newest + DAY_S - oldest) % DAY_S + 1, dues.len(), "{failpoint}: {dues:?}");
}

#[tokio::test]
async fn a_crash_before_a_run_is_stored_loses_and_doubles_none() {
    crash(Installation::new(), "before-schedule-firing").await;
}

#[tokio::test]
async fn a_crash_between_firing_and_storing_loses_and_doubles_none() {
    crash(Installation::new(), "within-schedule-firing").await;
}

#[tokio::test]
async fn a_crash_between_firing_and_storing_loses_and_doubles_none_on_postgres() {
    crash(Installation::on_postgres().await, "within-schedule-firing").await;
}

#[tokio::test]
async fn a_crash_after_a_run_is_stored_loses_and_doubles_none() {
    crash(Installation::new(), "after-schedule-firing").await;
}

#[tokio::test]
async fn two_nodes_make_each_run_once() {
    let receiver = Receiver::start().await;
    let first = quick(Installation::on_postgres().await).start().await;
    let second = first.second().start().await;
    let api = first.api();
    api.register(&json!({ "url": receiver.url("/hook"), "events": ["time.*"] })).await;
    every_second(&api).await;
    receiver.wait("/hook", 4).await;
    dues(&second.api()).await;
    let _gone = first.kill().await;
    let before = receiver.count("/hook");
    receiver.wait("/hook", before + 2).await;
    dues(&second.api()).await;
}

#[tokio::test]
async fn a_run_by_hand_is_made_once_for_each_key() {
    let Stage { server: _server, api, receiver } = Stage::open().await;
    api.register(&json!({ "url": receiver.url("/hook"), "events": ["*"] })).await;
    let schedule = json!({ "cron": "0 9 * * *", "event_type": "report.due", "enabled": false });
    let id = api.post("/schedules", &schedule).await.expect("made").body["id"].as_str().expect("an id").to_owned();
    let path = format!("/schedules/{id}/run");
    let run = async || api.post_with(&path, &[("idempotency-key", "once")], Vec::new()).await.expect("it runs");
    let (ran, again) = (run().await, run().await);
    assert_eq!((ran.status, &ran.body), (202, &again.body));
    receiver.wait("/hook", 1).await;
    assert_eq!(api.list("/events").await.len(), 1);
    let shown = api.get(&format!("/schedules/{id}")).await.expect("it is there").body;
    assert_eq!(shown["last_run"]["event_id"], ran.body["event_id"]);
    let audit = api.list("/audit?action=schedule.run").await;
    assert_eq!(audit.len(), 1, "{audit:#?}");
}

#[tokio::test]
async fn an_expression_is_explained_as_one_types() {
    let api = Stage::open().await;
    let preview = async |cron: &str| {
        let body = json!({ "cron": cron, "time_zone": "Europe/Berlin", "after": "2026-03-27T12:00:00Z" });
        api.api.post("/schedules/preview", &body).await
    };
    let told = preview("30 2 * * *").await.expect("it is understood").body;
    assert_eq!(told["words"], "every day at 02:30, Europe/Berlin");
    let local: Vec<&str> =
        told["next_runs"].as_array().expect("a list").iter().filter_map(|run| run["local"].as_str()).collect();
    assert_eq!(
        local,
        [
            "2026-03-28T02:30:00+01:00",
            "2026-03-29T03:00:00+02:00",
            "2026-03-30T02:30:00+02:00",
            "2026-03-31T02:30:00+02:00",
            "2026-04-01T02:30:00+02:00"
        ]
    );
    for (cron, words) in [
        ("30 2 * *", "five fields"),
        ("61 2 * * *", "no minute"),
        ("0 0 30 2 *", "never happens"),
        ("*/5 * * * * *", "schedules.interval_min_ms"),
    ] {
        let problem = preview(cron).await.expect_err(cron).problem();
        assert_eq!(problem.status, 422);
        assert!(problem.detail.contains("/cron") && problem.detail.contains(words), "{}", problem.detail);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_schedule_is_told_with_its_field() {
    let stage = Stage::open().await;
    let api = &stage.api;
    let good = json!({ "cron": "0 9 * * *", "event_type": "report.due" });
    for (field, value) in [
        ("cron", json!("x")),
        ("time_zone", json!("Berlin")),
        ("event_type", json!("hookwright.own")),
        ("event_type", json!("")),
        ("subject", json!("")),
        ("name", json!("x".repeat(256))),
        ("missed", json!("sometimes")),
        ("nmae", json!("x")),
    ] {
        let mut wrong = good.clone();
        wrong[field] = value;
        let problem = api.post("/schedules", &wrong).await.expect_err(field).problem();
        assert_eq!(problem.status, 422, "{field}");
        assert_eq!(problem.pointers(), [format!("/{field}")], "{}", problem.detail);
    }
    let made = api.post("/schedules", &good).await.expect("made");
    let path = format!("/schedules/{}", made.body["id"].as_str().expect("an id"));
    let changed = json!({ "cron": "0 10 * * 1", "time_zone": "Asia/Tokyo", "payload": { "a": [1] }, "name": "weekly" });
    let changed = api.patch(&path, &changed).await.expect("changed").body;
    assert_eq!(changed["words"], "every Monday at 10:00, Asia/Tokyo");
    assert_eq!(changed["payload"], json!({ "a": [1] }));
    let problem = api.patch(&path, &json!({ "cron": null })).await.expect_err("it has one").problem();
    assert_eq!(problem.pointers(), ["/cron"]);
    api.delete(&path).await.expect("deleted");
    assert_eq!(api.get(&path).await.expect_err("gone").problem().status, 404);
}
