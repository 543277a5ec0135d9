//! What the derived description says in a roundabout way, said as it is meant.

use serde_json::{Value, json};

/// Goes through a description.
pub(super) fn tidy(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(fields) => {
            fields.values_mut().for_each(tidy);
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

/// Fields that stand among others, or are not there at all: never an object that is `null`.
fn maybe_absent(part: &mut Value) {
    let Some(either) = part.get("oneOf").and_then(Value::as_array) else { return };
    if let [null, there] = either.as_slice()
        && *null == json!({ "type": "null" })
    {
        *part = json!({ "anyOf": [there, {}] });
    }
}
