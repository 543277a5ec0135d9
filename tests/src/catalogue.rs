//! Payloads as the catalogue of event types describes them.

use serde_json::{Value, json};

/// The payload of `retro.completed` with one action for each title.
pub fn retro(titles: &[&str]) -> Value {
    let actions: Vec<Value> = titles
        .iter()
        .enumerate()
        .map(|(index, title)| {
            json!({
                "id": format!("act-{index}"),
                "title": title,
                "description": format!("Decided in the retro: {title}"),
                "owner": "Ada",
                "due_on": "2026-12-01",
                "url": format!("https://retro.example/actions/{index}"),
            })
        })
        .collect();
    json!({
        "retro": { "id": "ret-7", "name": "Sprint 7", "url": "https://retro.example/retros/7" },
        "actions": actions,
    })
}
