//! Schedules from the command line.

use hookwright_tests::stage::Stage;
use serde_json::json;

use super::{Person, id};

#[tokio::test]
async fn a_schedule_is_made_shown_changed_run_and_deleted() {
    let stage = Stage::open().await;
    let person = Person::admin(&stage);
    let cron = ["--cron", "0 9 * * 1-5", "--time-zone", "Europe/Berlin"];
    let create = [&["schedule", "create"][..], &cron, &["--type", "report.due", "--payload", "{\"n\": 1}"]].concat();
    let made = person.json(&create).await;
    assert_eq!(made["words"], "every weekday at 09:00, Europe/Berlin");
    let schedule = id(&made).to_owned();
    let shown = person.done(&["schedule", "show", &schedule]).await;
    assert_eq!(shown.matches("next: ").count(), 5, "{shown}");
    let ran = person.json(&["schedule", "run", &schedule]).await;
    let event = ran["event_id"].as_str().expect("an id");
    assert_eq!(person.json(&["event", "show", event]).await["payload"], json!({ "n": 1 }));
    let changed = person.json(&["schedule", "edit", &schedule, "--cron", "@daily", "--enabled", "false"]).await;
    assert_eq!((&changed["cron"], &changed["enabled"]), (&json!("@daily"), &json!(false)));
    assert_eq!(changed["payload"], json!({ "n": 1 }), "what is not named stays");
    let nothing = person.run(&["schedule", "edit", &schedule]).await;
    assert_eq!(nothing.code, Some(1), "{}", nothing.err);
    let listed = person.done(&["schedule", "list"]).await;
    assert!(listed.contains(&schedule) && listed.contains("every day at 00:00"), "{listed}");
    person.done(&["schedule", "delete", &schedule]).await;
    assert_eq!(person.run(&["schedule", "show", &schedule]).await.code, Some(6));
}

#[tokio::test]
async fn an_expression_is_explained_or_what_is_wrong_with_it() {
    let stage = Stage::open().await;
    let person = Person::admin(&stage);
    let arguments = ["schedule", "explain", "0 0 29 2 *", "--after", "2026-01-01T00:00:00Z"];
    let told = person.done(&arguments).await;
    assert!(told.starts_with("on the 29th of February at 00:00, UTC\nnext: 2028-02-29T00:00:00Z\n"), "{told}");
    let wrong = person.run(&["schedule", "explain", "61 * * * *"]).await;
    assert!(wrong.code == Some(2) && wrong.err.contains("no minute"), "{}", wrong.err);
}
