//! What checking a configuration takes at most, counted before it is done: a schema and a configuration that are small by
//! themselves can be costly together.

use serde_json::Value;

use super::keyword::{Applies, children, referred};

/// It takes more than is allowed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMuch;

/// Counts the steps of checking `config`, as far as they are allowed. The schema keeps to `bounds`, so it is not endless.
pub(super) fn check(root: &Value, config: &Value, steps: usize) -> Result<(), TooMuch> {
    Effort { root, left: steps }.schema(root, config)
}

struct Effort<'a> {
    root: &'a Value,
    left: usize,
}

impl Effort<'_> {
    fn spend(&mut self, steps: usize) -> Result<(), TooMuch> {
        self.left = self.left.checked_sub(steps).ok_or(TooMuch)?;
        Ok(())
    }

    fn schema(&mut self, schema: &Value, value: &Value) -> Result<(), TooMuch> {
        self.spend(1)?;
        let Value::Object(schema) = schema else { return Ok(()) };
        if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|text| referred(self.root, text)) {
            self.schema(target, value)?;
        }
        for keyword in ["enum", "const"] {
            if let Some(options) = schema.get(keyword) {
                self.spend(weight(options))?;
            }
        }
        for keyword in ["pattern", "format", "contentEncoding", "contentMediaType"] {
            if let (true, Value::String(text)) = (schema.contains_key(keyword), value) {
                self.spend(text.len())?;
            }
        }
        if schema.contains_key("uniqueItems") && value.is_array() {
            self.spend(weight(value))?;
        }
        for child in children(schema) {
            let key = child.key.as_deref().unwrap_or_default();
            match (child.applies, value) {
                (Applies::Here, _) => self.schema(child.schema, value)?,
                (Applies::ToProperty, Value::Object(object)) => {
                    if let Some(value) = object.get(key) {
                        self.schema(child.schema, value)?;
                    }
                }
                (Applies::ToProperties, Value::Object(object)) => {
                    for (name, value) in object {
                        // Whether a pattern fits is found out by looking at the name.
                        self.spend(name.len())?;
                        self.schema(child.schema, value)?;
                    }
                }
                (Applies::ToNames, Value::Object(object)) => {
                    for name in object.keys() {
                        self.schema(child.schema, &Value::String(name.clone()))?;
                    }
                }
                (Applies::ToItem, Value::Array(items)) => {
                    if let Some(item) = key.parse::<usize>().ok().and_then(|at| items.get(at)) {
                        self.schema(child.schema, item)?;
                    }
                }
                (Applies::ToItems, Value::Array(items)) => {
                    for item in items {
                        self.schema(child.schema, item)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Values within a value, and the bytes of its texts.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => 1 + text.len(),
        Value::Array(items) => items.iter().map(weight).sum::<usize>() + 1,
        Value::Object(object) => object.iter().map(|(name, value)| name.len() + weight(value)).sum::<usize>() + 1,
    }
}
