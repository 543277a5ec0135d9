use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The catalogue, a type of the provider's own, and one with an odd name.
pub const KINDS: [&str; 14] = [
    "retro.completed",
    "ticket.created",
    "ticket.updated",
    "ticket.status_changed",
    "story.created",
    "story.updated",
    "lead.submitted",
    "workflow.started",
    "workflow.step_completed",
    "workflow.completed",
    "test.run_created",
    "test.run_completed",
    "deploy.finished",
    "a.custom-event.of_mine",
];

/// A payload of this type with all fields, every text of it this text, every list this long.
#[must_use]
pub fn payload(kind: &str, text: &str, count: usize) -> Value {
    let url = format!("https://example.com/?{}#x", "&a=b".repeat(20));
    let many = |item: Value| Value::from(vec![item; count]);
    let due = if text.len().is_multiple_of(2) { "2026-02-06" } else { text };
    match kind.split('.').next() {
        Some("retro") => json!({
            "retro": {"id": text, "name": text, "url": url},
            "actions": many(json!({"id": text, "title": text, "description": text, "owner": text, "due_on": due, "url": url})),
        }),
        Some("ticket") => json!({
            "ticket": {"id": text, "key": text, "title": text, "description": text, "status": text, "priority": text,
                "url": url, "assignee": text, "labels": many(json!(text))},
            "from": text, "to": text, "changes": many(json!({"name": text, "from": text, "to": text})), "actor": text,
        }),
        Some("story") => json!({
            "story": {"id": text, "title": text, "points": text, "state": text, "url": url,
                "tasks": many(json!({"title": text, "done": count.is_multiple_of(2)}))},
            "project": text, "actor": text,
        }),
        Some("lead") => json!({
            "lead": {"id": text, "name": text, "email": text, "phone": text, "company": text, "message": text},
            "programs": many(json!(text)),
        }),
        Some("workflow") => json!({
            "workflow": {"id": text, "name": text, "url": url}, "step": text, "status": if count > 0 { "failed" } else { text },
            "started_at": text, "finished_at": text,
        }),
        Some("test") => json!({"run": {"id": text, "suite": text, "url": url, "passed": count, "failed": count,
            "failures": many(json!({"name": text, "message": text}))}}),
        _ => json!({"text": text, "list": many(json!(text))}),
    }
}

/// A type with a payload: of any shape, or of the right one with some fields of any shape.
pub fn of_any_shape() -> impl Strategy<Value = (&'static str, Value)> {
    let kind = prop::sample::select(&KINDS[..]);
    let text = prop::sample::select(&super::TEXTS[..]);
    (kind, text, 0..4_usize, vec(prop::option::of(json_value()), 1..8), any::<bool>()).prop_map(
        |(kind, text, count, odd, whole)| {
            let mut payload = payload(kind, text, count);
            match odd.first() {
                Some(Some(value)) if whole => payload = value.clone(),
                _ => scatter(&mut payload, &mut odd.into_iter().cycle()),
            }
            (kind, payload)
        },
    )
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(&super::TEXTS[..]).prop_map(Value::from),
        prop::sample::select(&["id", "name", "title", "retro", "ticket", "failed", "https://example.com/a b"][..])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        let name = prop_oneof![
            any::<String>(),
            prop::sample::select(&["id", "name", "title", "ticket", "retro", "actions"][..]).prop_map(str::to_owned)
        ];
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((name, inner), 0..5).prop_map(|fields| fields.into_iter().collect())
        ]
    })
}

/// Puts the values in place of leaves, and leaves the leaf where there is none.
fn scatter(into: &mut Value, values: &mut impl Iterator<Item = Option<Value>>) {
    match into {
        Value::Array(items) => items.iter_mut().for_each(|item| scatter(item, values)),
        Value::Object(fields) => fields.values_mut().for_each(|field| scatter(field, values)),
        leaf => {
            if let Some(Some(value)) = values.next() {
                *leaf = value;
            }
        }
    }
}
