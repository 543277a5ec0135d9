//! Every page of the web UI, for whoever has to see all of them.

use serde_json::Value;

use crate::{
    api::Api,
    browser::Tab,
    company::{Company, PASSWORD, Person},
};

/// A page: what it is called, and where it is.
#[derive(Debug, Clone)]
pub struct Place {
    pub name: String,
    pub path: String,
}

fn place(name: &str, path: impl Into<String>) -> Place {
    Place { name: name.to_owned(), path: path.into() }
}

/// Pages that nobody has to sign in for.
pub fn outside() -> Vec<Place> {
    vec![place("sign-in", "/sign-in"), place("setup", "/setup")]
}

/// Pages of somebody who may do everything, in a company's project.
pub async fn pages(api: &Api, company: &Company) -> Vec<Place> {
    let mut all = vec![
        place("overview", "/"),
        place("events", "/events"),
        place("event", format!("/events/{}", company.events[0])),
        place("event-new", "/events/new"),
        place("webhooks", "/webhooks"),
        place("webhook-new", "/webhooks/new"),
        place("deliveries", "/deliveries"),
        place("deliveries-none", "/deliveries?event_type=nothing.fits"),
        place("plugins", "/plugins"),
        place("plugin", "/plugins/jira/versions/0.1.0"),
        place("plugin-playground", "/plugins/jira/versions/0.1.0/playground"),
        place("plugin-delete", "/plugins/jira/versions/0.1.0/delete"),
        place("schedules", "/schedules"),
        place("schedule-new", "/schedules/new"),
        place("event-types", "/event-types"),
        place("event-type", "/event-types/ticket.created"),
        place("event-type-own", "/event-types/deploy.finished"),
        place("event-type-edit", "/event-types/deploy.finished/edit"),
        place("event-type-new", "/event-types/new"),
        place("projects", "/projects"),
        place("project-new", "/projects/new"),
        place("users", "/users"),
        place("user-new", "/users/new"),
        place("roles", "/roles"),
        place("role", "/roles/on-call"),
        place("role-new", "/roles/new"),
        place("tokens", "/tokens"),
        place("token-new", "/tokens/new"),
        place("audit", "/audit"),
        place("audit-none", "/audit?action=nothing.fits"),
        place("settings", "/settings"),
        place("jobs", "/jobs"),
        place("job-backtest", format!("/jobs/{}", company.backtest)),
        place("account", "/account"),
        place("nothing", "/nothing-is-here"),
    ];
    for (name, webhook) in [
        ("webhook", "Company Slack"),
        ("webhook-plugin", "Jira: checkout team"),
        ("webhook-disabled", "Trello: retro actions"),
        ("webhook-failing", "Partner portal"),
    ] {
        all.push(place(name, format!("/webhooks/{}", company.webhook(webhook))));
    }
    let jira = company.webhook("Jira: checkout team");
    all.push(place("webhook-edit", format!("/webhooks/{jira}/edit")));
    all.push(place("backtest-new", format!("/webhooks/{jira}/backtest")));
    for status in ["succeeded", "failed", "retrying", "skipped", "parked", "held"] {
        let found = api.get(&format!("/deliveries?status={status}&limit=1")).await.expect("a list");
        if let Some(delivery) = found.items().first() {
            all.push(place(&format!("delivery-{status}"), format!("/deliveries/{}", text(&delivery["id"]))));
        }
    }
    for (name, list) in [("user", "users"), ("token", "tokens"), ("project", "projects"), ("schedule", "schedules")] {
        let found = api.get(&format!("/{list}?limit=1")).await.expect("a list");
        all.push(place(name, format!("/{list}/{}", text(&found.items()[0]["id"]))));
    }
    all
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// Signs in, as whoever this is.
pub async fn sign_in(tab: &Tab, person: Person) {
    tab.goto("/sign-in").await;
    tab.fill("Email address (needed)", person.email).await;
    tab.fill("Password (needed)", PASSWORD).await;
    tab.follow("button", "Sign in").await;
    tab.find("button", "Sign out").await;
}
