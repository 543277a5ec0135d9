//! A company that has worked with the server for a while: projects, people, webhooks to tools that work and to tools that do not,
//! events, and what became of them. All of it is made over the public API.

mod events;
mod people;
mod tools;

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

pub use self::people::{ADA, BOB, CY, PASSWORD, Person, TRI};
use crate::{api::Api, eventually::eventually, receiver::Receiver};

/// How long the tools may take with everything.
const PATIENCE: Duration = Duration::from_mins(2);

/// Where everything is.
#[derive(Debug)]
pub struct Company {
    /// Ids of the webhooks by name.
    pub webhooks: BTreeMap<String, String>,
    /// Ids of the events in the order in which they came.
    pub events: Vec<String>,
    /// A backtest that has come to its end.
    pub backtest: String,
}

impl Company {
    /// Fills an empty server.
    pub async fn found(api: &Api, receiver: &Receiver) -> Self {
        people::move_in(api).await;
        tools::answer(receiver);
        let webhooks = tools::register(api, receiver).await;
        events::describe(api).await;
        let events = events::publish(api).await;
        for name in QUICK {
            begun(api, name, &webhooks[name]).await;
        }
        put_off(api, &webhooks["Zapier: newsletter"]).await;
        by_hand(api, &webhooks, &events).await;
        let backtest = backtest(api, &webhooks["Jira: checkout team"]).await;
        Self { webhooks, events, backtest }
    }

    pub fn webhook(&self, name: &str) -> &str {
        self.webhooks.get(name).unwrap_or_else(|| panic!("no webhook {name:?} in {:?}", self.webhooks))
    }
}

/// Webhooks of which nothing waits for long.
const QUICK: [&str; 5] =
    ["Company Slack", "Jira: checkout team", "Data warehouse", "Partner portal", "Loans department"];

/// Waits until everything of a webhook was tried once; what failed may be tried again later.
async fn begun(api: &Api, name: &str, webhook: &str) {
    let path = format!("/deliveries?status=pending&webhook_id={webhook}");
    eventually(PATIENCE, &format!("nothing of {name:?} is pending"), async || {
        api.list(&path).await.is_empty().then_some(())
    })
    .await;
}

/// Waits until a tool has asked for time; what else there is for it stays pending until then.
async fn put_off(api: &Api, webhook: &str) {
    let path = format!("/deliveries?webhook_id={webhook}");
    eventually(PATIENCE, "one is put off", async || {
        let all = api.list(&path).await;
        all.iter().any(|delivery| delivery["status"] != "pending").then_some(())
    })
    .await;
}

/// What people did beside it.
async fn by_hand(api: &Api, webhooks: &BTreeMap<String, String>, events: &[String]) {
    for (name, body) in [
        ("Company Slack", json!({ "mode": "default" })),
        ("Jira: checkout team", json!({ "mode": "event", "event_id": events[0] })),
        ("Partner portal", json!({ "mode": "event", "event_id": events[1] })),
    ] {
        api.post(&format!("/webhooks/{}/trigger", webhooks[name]), &body).await.expect("triggered");
    }
    api.post(&format!("/webhooks/{}/test", webhooks["Data warehouse"]), &json!({})).await.expect("tested");
    let schedule = json!({
        "name": "Stand-up", "cron": "0 9 * * MON-FRI", "time_zone": "Europe/Berlin", "event_type": "standup.due",
        "payload": { "room": "blue" },
    });
    api.post("/schedules", &schedule).await.expect("a schedule");
    let path = format!("/webhooks/{}", webhooks["Company Slack"]);
    api.patch(&path, &json!({ "description": "Everybody reads it" })).await.expect("changed");
}

/// Tries another configuration on what a webhook delivered.
async fn backtest(api: &Api, webhook: &str) -> String {
    let config = json!({ "email": "robot@example.com", "project_key": "PAY", "title": "[{type}] {title}" });
    let form = json!({ "plugin": { "config": config }, "last": 50 });
    let job = api.post(&format!("/webhooks/{webhook}/backtest"), &form).await.expect("a job");
    let id = job.body["id"].as_str().expect("an id").to_owned();
    eventually(PATIENCE, "the backtest ends", async || {
        let job = api.get(&format!("/jobs/{id}")).await.expect("the job").body;
        (job["state"] == "succeeded").then_some(())
    })
    .await;
    id
}
