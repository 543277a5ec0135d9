//! Events as an application would post them.

use serde_json::{Value, json};

/// The status that the ticket gets in the end, as this application calls it.
pub(super) const REVIEW: &str = "in_review";

pub(super) struct Event {
    pub(super) kind: &'static str,
    pub(super) subject: &'static str,
    pub(super) payload: Value,
}

impl Event {
    pub(super) fn to_json(&self) -> Value {
        json!({"type": self.kind, "subject": self.subject, "payload": self.payload})
    }
}

pub(super) fn all() -> [Event; 4] {
    [
        Event { kind: "retro.completed", subject: "retro_42", payload: retro() },
        Event { kind: "ticket.created", subject: "PAY-17", payload: ticket("open") },
        Event { kind: "ticket.status_changed", subject: "PAY-17", payload: moved() },
        Event { kind: "lead.submitted", subject: "lead_8841", payload: lead() },
    ]
}

// `&` and `<` on purpose: every tool wants them written differently.
fn retro() -> Value {
    json!({
        "retro": {"id": "retro_42", "name": "Sprint 42: checkout", "url": "https://retro.example/retros/42"},
        "actions": [
            {
                "id": "act_1", "title": "Page the on-call when p95 > 800 ms & errors rise",
                "description": "We learned of the slow checkout from a customer.",
                "owner": "Amara", "due_on": "2027-01-15", "url": "https://retro.example/actions/1"
            },
            {
                "id": "act_2", "title": "Write a runbook for card declines",
                "owner": "Jonas", "due_on": "2027-01-22", "url": "https://retro.example/actions/2"
            },
            {
                "id": "act_3", "title": "Split the checkout tests: <fast> and <slow>",
                "description": "The pipeline takes 40 minutes; most of it is three tests.",
                "owner": "Mei", "url": "https://retro.example/actions/3"
            },
            {"id": "act_4", "title": "Thank the support team", "url": "https://retro.example/actions/4"}
        ]
    })
}

fn ticket(status: &str) -> Value {
    json!({
        "ticket": {
            "id": "tkt_317", "key": "PAY-17", "title": "Checkout times out on slow networks",
            "status": status, "priority": "high", "url": "https://tickets.example/PAY-17",
            "assignee": "Jonas", "labels": ["checkout", "mobile"]
        },
        "actor": "Mei"
    })
}

/// What became of that ticket later.
fn moved() -> Value {
    let mut event = ticket(REVIEW);
    event["from"] = "open".into();
    event["to"] = REVIEW.into();
    event
}

fn lead() -> Value {
    json!({
        "lead": {
            "id": "lead_8841", "name": "Ines Duarte", "email": "ines@bakery.example", "phone": "+351 21 555 0199",
            "company": "Duarte & Daughters", "message": "We want to add a second oven. Which loan fits?"
        },
        "programs": ["small-business-loan", "green-energy-grant"]
    })
}
