//! What happens at the company.

use serde_json::{Value, json};

use crate::api::Api;

const TITLES: [&str; 12] = [
    "Checkout times out on slow networks",
    "Export of invoices stops at 1,000 rows",
    "Search finds nothing with an umlaut: „Grüße“",
    "Page the on-call when p95 > 800 ms & errors rise",
    "Card payments fail for some banks",
    "The <b>bold</b> button is not bold",
    "Password reset mails arrive twice",
    "Round prices half to even",
    "Two people edit one story and one of them loses",
    "Keyboard focus is lost after the dialog closes",
    "Dark mode: links can hardly be read",
    "Time zones of reminders are wrong in October",
];

/// Types of the company's own.
pub(super) async fn describe(api: &Api) {
    let schema = json!({
        "type": "object",
        "required": ["deploy"],
        "properties": { "deploy": { "type": "object", "required": ["service", "version"], "properties": {
            "service": { "type": "string" }, "version": { "type": "string" },
        } } },
    });
    let described = json!({
        "name": "deploy.finished", "description": "A service runs in a new version", "schema": schema,
        "example": { "deploy": { "service": "checkout", "version": "2026.11.4" } }, "validation": "warn",
    });
    api.post("/event-types", &described).await.expect("a type");
}

/// Posts some weeks' events, and gives their ids.
pub(super) async fn publish(api: &Api) -> Vec<String> {
    let mut ids = Vec::new();
    for event in all() {
        let accepted = api.post("/events", &event).await.expect("accepted");
        ids.push(accepted.body["id"].as_str().expect("an id").to_owned());
    }
    ids
}

fn event(kind: &str, subject: &str, payload: &Value) -> Value {
    json!({ "type": kind, "subject": subject, "payload": payload })
}

fn all() -> Vec<Value> {
    let mut events = Vec::new();
    for (index, title) in TITLES.iter().enumerate() {
        let key = format!("PAY-{}", 400 + index);
        let ticket = ticket(&key, title, "open");
        events.push(event("ticket.created", &key, &json!({ "ticket": ticket, "actor": "Mei" })));
        if index % 3 == 0 {
            let ticket = self::ticket(&key, title, "in review");
            let moved = json!({ "ticket": ticket, "from": "open", "to": "in review", "actor": "Jonas" });
            events.push(event("ticket.status_changed", &key, &moved));
        }
    }
    let long = ticket("PAY-499", &format!("A title without end {}", "and on ".repeat(60)), "open");
    events.push(event("ticket.created", "PAY-499", &json!({ "ticket": long })));
    events.push(event("retro.completed", "retro_42", &crate::catalogue::retro(&TITLES[..4])));
    for (index, title) in TITLES.iter().take(4).enumerate() {
        let id = format!("story_{index}");
        let story = json!({
            "id": id, "title": title, "points": index, "state": "started", "url": format!("https://board.example/stories/{index}"),
        });
        let project = json!({ "id": 7, "name": "Shop" });
        events.push(event("story.created", &id, &json!({ "story": story, "project": project })));
    }
    for (id, name, programs) in [
        ("lead_1", "Ines Duarte", json!(["Small business"])),
        ("lead_2", "Zoë Park", json!(["Arts", "Youth"])),
        ("lead_3", "Robert O'Neill", json!(["Small business", "Arts"])),
    ] {
        let lead = json!({
            "id": id, "name": name, "email": format!("{id}@example.com"), "company": "Duarte & Daughters",
            "message": "We want to add a second oven. Which loan fits?",
        });
        events.push(event("lead.submitted", id, &json!({ "lead": lead, "programs": programs })));
    }
    let workflow = json!({ "id": "wf-3", "name": "Release 2026.11", "url": "https://qa.example/workflows/3" });
    let done = json!({
        "workflow": workflow, "status": "succeeded", "started_at": "2026-11-30T12:00:00Z", "finished_at": "2026-11-30T12:20:00Z",
    });
    events.push(event("workflow.completed", "wf-3", &done));
    let run = json!({
        "id": "run-5", "suite": "checkout", "url": "https://qa.example/runs/5", "passed": 118, "failed": 1, "skipped": 2,
        "failures": [{ "name": "pays by card", "message": "timed out" }],
    });
    events.push(event("test.run_completed", "run-5", &json!({ "run": run })));
    events.push(event("deploy.finished", "checkout", &json!({ "deploy": { "service": "checkout" } })));
    events
}

fn ticket(key: &str, title: &str, status: &str) -> Value {
    json!({
        "id": key.to_lowercase(), "key": key, "title": title, "description": "Seen by three customers since Tuesday.",
        "status": status, "priority": "high", "url": format!("https://tickets.example/{key}"), "assignee": "Ada",
        "labels": ["checkout", "mobile"],
    })
}
