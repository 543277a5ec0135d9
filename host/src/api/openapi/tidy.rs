//! What the derived description says in a roundabout way, said as it is meant.

use serde_json::{Map, Value, json};

/// Goes through a description.
pub(super) fn tidy(document: &mut Value) {
    tidy_value(document);
    if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
        name_items(schemas);
    }
}

fn tidy_value(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(tidy_value),
        Value::Object(fields) => {
            fields.values_mut().for_each(tidy_value);
            if let Some(Value::Array(all)) = fields.get_mut("allOf") {
                all.iter_mut().for_each(maybe_absent);
            }
            // Whatever it is: also null.
            let is_anything = matches!(fields.get("oneOf"), Some(Value::Array(either)) if either.contains(&json!({})));
            if is_anything {
                fields.remove("oneOf");
            }
            if fields.get("default") == Some(&Value::Null) {
                fields.remove("default");
            }
        }
        _ => {}
    }
}

/// What a schema allows besides null, if it allows that.
pub(super) fn not_null(schema: &Value) -> Option<&Value> {
    let [one, other] = schema.get("oneOf")?.as_array()?.as_slice() else { return None };
    let is_null = |schema: &Value| *schema == json!({ "type": "null" });
    if is_null(other) {
        Some(one)
    } else if is_null(one) {
        Some(other)
    } else {
        None
    }
}

/// Fields that stand among others, or are not there at all: never an object that is `null`.
fn maybe_absent(part: &mut Value) {
    if let Some(there) = not_null(part) {
        *part = json!({ "anyOf": [there, {}] });
    }
}

/// The items of a page are written out in it: they get their own name instead.
fn name_items(schemas: &mut Map<String, Value>) {
    let pages: Vec<String> = schemas.keys().filter(|name| name.starts_with("Page_")).cloned().collect();
    for page in pages {
        let name = page.trim_start_matches("Page_").to_owned();
        let Some(items) = schemas.get_mut(&page).and_then(|page| page.pointer_mut("/properties/items/items")) else {
            continue;
        };
        let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
        let written_out = std::mem::replace(items, reference);
        if written_out.get("$ref").is_none() {
            schemas.entry(name).or_insert(written_out);
        }
    }
    schemas.sort_keys();
}
