//! What a schema may hold. A few lines that refer to each other can stand for billions, so it is counted with every
//! reference followed, and counting ends at the limit.

use serde_json::{Map, Value};

use super::keyword::{children, referred};
use super::{InvalidSchema, SchemaLimits};
use crate::domain::problem::pointer_token;

/// Keywords that give a schema another address or refer to one that is only known as it runs.
const ADDRESSES: [&str; 8] =
    ["$id", "$schema", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef", "$vocabulary"];
/// Keywords that look at what others came to, once more for each value.
const HINDSIGHT: [&str; 2] = ["unevaluatedProperties", "unevaluatedItems"];

/// Checks that a schema keeps to its limits.
pub(super) fn check(root: &Value, limits: &SchemaLimits) -> Result<(), InvalidSchema> {
    let bytes = root.to_string().len();
    if bytes > limits.bytes {
        return Err(InvalidSchema::limit("", "bytes", "bytes", bytes, limits.bytes));
    }
    Count { root, limits, nodes: 0, patterns: 0, following: Vec::new() }.schema(root, "", 1)
}

struct Count<'a> {
    root: &'a Value,
    limits: &'a SchemaLimits,
    nodes: usize,
    patterns: usize,
    /// References that are being followed.
    following: Vec<&'a str>,
}

impl<'a> Count<'a> {
    /// Each schema is read no deeper and counted no further than is allowed.
    fn schema(&mut self, schema: &'a Value, at: &str, depth: usize) -> Result<(), InvalidSchema> {
        let limits = self.limits;
        if depth > limits.depth {
            return Err(InvalidSchema::limit(at, "schemas in each other", "depth", depth, limits.depth));
        }
        self.nodes += 1;
        if self.nodes > limits.nodes {
            return Err(InvalidSchema::limit(at, "schemas", "nodes", self.nodes, limits.nodes));
        }
        let Value::Object(schema) = schema else { return Ok(()) };
        refused(schema, at)?;
        if let Some(Value::String(pattern)) = schema.get("pattern") {
            self.pattern(pattern, &format!("{at}/pattern"))?;
        }
        if let Some(Value::Object(map)) = schema.get("patternProperties") {
            for pattern in map.keys() {
                self.pattern(pattern, &format!("{at}/patternProperties/{}", pointer_token(pattern)))?;
            }
        }
        if let Some(reference) = schema.get("$ref") {
            let at = format!("{at}/$ref");
            let reference = reference.as_str().unwrap_or_default();
            let target = referred(self.root, reference).ok_or_else(|| {
                let reason = "it points at nothing within this schema, like `#/$defs/name`; nothing else is read";
                InvalidSchema::new(&at, reason)
            })?;
            if self.following.contains(&reference) {
                return Err(InvalidSchema::new(&at, "it leads back to itself"));
            }
            self.following.push(reference);
            self.schema(target, &at, depth + 1)?;
            self.following.pop();
        }
        for child in children(schema) {
            let key = child.key.as_deref().map_or_else(String::new, |key| format!("/{}", pointer_token(key)));
            self.schema(child.schema, &format!("{at}/{}{key}", child.keyword), depth + 1)?;
        }
        Ok(())
    }

    fn pattern(&mut self, pattern: &str, at: &str) -> Result<(), InvalidSchema> {
        let limits = self.limits;
        if pattern.len() > limits.pattern_bytes {
            let (used, allowed) = (pattern.len(), limits.pattern_bytes);
            return Err(InvalidSchema::limit(at, "bytes", "pattern_bytes", used, allowed));
        }
        self.patterns += 1;
        if self.patterns > limits.patterns {
            let (used, allowed) = (self.patterns, limits.patterns);
            return Err(InvalidSchema::limit(at, "regular expressions", "patterns", used, allowed));
        }
        Ok(())
    }
}

fn refused(schema: &Map<String, Value>, at: &str) -> Result<(), InvalidSchema> {
    for keyword in ADDRESSES {
        if schema.contains_key(keyword) {
            let reason = "this keyword is not taken here; refer to schemas by `\"$ref\": \"#/$defs/name\"`";
            return Err(InvalidSchema::new(&format!("{at}/{keyword}"), reason));
        }
    }
    for keyword in HINDSIGHT {
        if schema.contains_key(keyword) {
            let reason = "this keyword is not taken; use `additionalProperties` or `items`";
            return Err(InvalidSchema::new(&format!("{at}/{keyword}"), reason));
        }
    }
    Ok(())
}
