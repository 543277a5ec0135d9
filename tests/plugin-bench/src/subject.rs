//! The one event that all of them get.

use std::fmt::Write as _;
use std::sync::Arc;

use hookwright::domain::clock::Millis;
use hookwright::domain::delivery::Trigger;
use hookwright::domain::event::Event;
use hookwright::domain::id::{DeliveryId, EventId, ProjectId, WebhookId};
use hookwright::domain::pattern::EventType;
use hookwright::sandbox::Input;
use serde_json::json;
use uuid::Uuid;

/// The event's type.
pub(crate) const KIND: &str = "ticket.created";
/// Bytes of its payload.
const PAYLOAD_BYTES: usize = 1024;
/// The webhook's configuration.
pub(crate) const CONFIGURATION: &str = "{}";

/// A ticket with a description that makes it this large.
pub(crate) fn payload() -> String {
    let ticket = |description: &str| {
        json!({
            "ticket": {
                "id": "tic_42",
                "key": "QA-42",
                "title": "Export fails for empty projects",
                "description": description,
                "status": "open",
                "priority": "high",
                "url": "https://qa.example.com/tickets/42",
                "assignee": "ada",
                "labels": ["export", "regression"],
            },
            "actor": "grace",
        })
        .to_string()
    };
    let mut description = String::new();
    let mut step = 0;
    while ticket(&description).len() < PAYLOAD_BYTES - 40 {
        step += 1;
        write!(description, "{step}. Open an empty project & choose <Export>. ").expect("a text takes text");
    }
    ticket(&description)
}

/// The event as the sandbox gets it.
pub(crate) fn input() -> Input {
    let now = Millis(1_769_860_800_000);
    let id = Uuid::from_u128;
    let event = Event {
        id: EventId::from_uuid(id(1)),
        project: ProjectId::from_uuid(id(2)),
        event_type: EventType::parse(KIND).expect("a type"),
        subject: Some("tic_42".to_owned()),
        occurred_at: now,
        received_at: now,
        content_type: "application/json".to_owned(),
        attributes: Vec::new(),
        payload: Some(payload().into_bytes().into()),
        request_id: None,
    };
    Input {
        event: Arc::new(event),
        trigger: Trigger::Event,
        delivery: DeliveryId::from_uuid(id(3)),
        webhook: WebhookId::from_uuid(id(4)),
        webhook_name: "benchmark".to_owned(),
        configuration: CONFIGURATION.to_owned(),
        memory: None,
    }
}
