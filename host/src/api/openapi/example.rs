//! An example of what a schema describes, for the reference.

use serde_json::{Map, Value, json};

/// How deep examples go.
const DEPTH: usize = 6;

/// Something that the schema allows, if it says enough for that.
pub(super) fn of(document: &Value, schema: &Value) -> Option<Value> {
    made(document, schema, DEPTH)
}

fn made(document: &Value, schema: &Value, depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    if let Some(pointer) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        return made(document, document.pointer(pointer)?, depth);
    }
    for given in [&schema["examples"][0], &schema["example"], &schema["default"], &schema["const"], &schema["enum"][0]]
    {
        if !given.is_null() {
            return Some(given.clone());
        }
    }
    for either in ["oneOf", "anyOf"] {
        if let Some(all) = schema[either].as_array() {
            let is_null = |one: &&Value| one["type"] == "null";
            return all.iter().filter(|one| !is_null(one)).find_map(|one| made(document, one, depth));
        }
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut all = Map::new();
        for part in parts {
            if let Some(Value::Object(fields)) = made(document, part, depth) {
                all.extend(fields);
            }
        }
        return Some(Value::Object(all));
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.first().and_then(Value::as_str),
        kind => kind.as_str(),
    };
    Some(match kind {
        Some("object") => {
            let mut all = Map::new();
            for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                if let Some(value) = made(document, field, depth) {
                    all.insert(name.clone(), value);
                }
            }
            Value::Object(all)
        }
        Some("array") => Value::Array(made(document, &schema["items"], depth).into_iter().collect()),
        Some("integer" | "number") => schema.get("minimum").filter(|least| **least != 0).cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        Some("string") => json!("text"),
        Some("null") => Value::Null,
        _ => json!({}),
    })
}
