//! Schedules in a browser: what an expression says stands beside it while one types, and a run can be had at once.

use serde_json::json;

use crate::ui_plugins::open;

#[tokio::test]
async fn a_schedule_is_made_run_changed_and_deleted() {
    let (stage, _browser, tab) = open().await;
    tab.goto("/schedules").await;
    tab.follow("link", "New schedule").await;
    tab.fill("When (needed)", "61 9 * * *").await;
    tab.see("cron: ").await;
    tab.fill("When (needed)", "0 9 * * MON-FRI").await;
    tab.fill("Time zone", "Europe/Berlin").await;
    tab.until("the next five runs are told", async || {
        let runs = tab.all("listitem", "...").await.len();
        (runs >= 5 && tab.text().await.contains("09:00")).then_some(())
    })
    .await;
    tab.fill("Event type (needed)", "standup.due").await;
    tab.fill("Payload", "{\"room\": \"blue\"}").await;
    tab.follow("button", "Make the schedule").await;
    tab.see("The schedule is made").await;
    let made = stage.api.list("/schedules").await;
    assert_eq!((&made[0]["time_zone"], &made[0]["payload"]), (&json!("Europe/Berlin"), &json!({ "room": "blue" })));

    tab.follow("button", "Run now").await;
    tab.heading("standup.due").await;
    tab.see("blue").await;
    // Without scripts a button says what the expression says.
    tab.scripts(false).await;
    let path = format!("/schedules/{}", made[0]["id"].as_str().expect("an id"));
    tab.goto(&format!("{path}/edit")).await;
    tab.fill("When (needed)", "30 7 * * *").await;
    tab.follow("button", "Say when that is").await;
    tab.see("07:30").await;
    tab.fill("Event type (needed)", "").await;
    tab.follow("button", "Save").await;
    tab.see("event_type").await;
    tab.fill("Event type (needed)", "standup.early").await;
    tab.follow("button", "Save").await;
    tab.see("The schedule is changed").await;
    tab.follow("link", "Delete…").await;
    tab.follow("button", "Delete the schedule").await;
    tab.see("The schedule is deleted").await;
    assert!(stage.api.list("/schedules").await.is_empty());
    tab.is_clean().await;
}
