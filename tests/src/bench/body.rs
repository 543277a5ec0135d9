//! The event that is posted again and again: made once, only the mark differs.

use serde_json::json;

use super::mark::LENGTH;

const FILLER: &str = "The export stops half way when a project has no tickets; see the log. ";

/// The bytes of a POST with a place for the mark.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) bytes: Vec<u8>,
    pub(super) mark_at: usize,
}

impl Template {
    /// An event about a ticket whose payload has about so many bytes.
    pub(super) fn new(kind: &str, payload_bytes: usize) -> Self {
        let empty = Self::event(kind, "");
        let filler = FILLER.repeat(payload_bytes / FILLER.len() + 1);
        let room = payload_bytes.saturating_sub(empty["payload"].to_string().len());
        let bytes = Self::event(kind, &filler[..room.min(filler.len())]).to_string().into_bytes();
        let mark_at = bytes.windows(LENGTH).position(|place| place == [b'#'; LENGTH]).expect("the place of the mark");
        Self { bytes, mark_at }
    }

    fn event(kind: &str, description: &str) -> serde_json::Value {
        // The title is what the sample plugins show as it is.
        json!({
            "type": kind,
            "payload": {
                "ticket": {
                    "title": "#".repeat(LENGTH),
                    "id": "tkt_317",
                    "status": "open",
                    "priority": "high",
                    "url": "https://tickets.example/317",
                    "assignee": "ada",
                    "description": description,
                },
                "actor": "grace",
            },
        })
    }
}
