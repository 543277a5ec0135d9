//! JSON Schemas of plugins' configurations. Their authors are strangers, so a schema is bounded before anything is made of
//! it, and so is what checking one configuration may take. What a configuration breaks is told field by field.

mod bounds;
mod effort;
mod keyword;
#[cfg(test)]
mod tests;
mod words;

use std::collections::HashSet;

use jsonschema::{Draft, PatternOptions, Validator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::plugin::LimitHit;
use super::problem::FieldError;

/// What a schema may hold and cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SchemaLimits {
    /// Largest schema in bytes of JSON; at most 1 MiB.
    pub bytes: usize,
    /// How deep schemas stand in each other, references followed; at most 64.
    pub depth: usize,
    /// Schemas within it, one for each place that it is used at; at most 20,000.
    pub nodes: usize,
    /// Regular expressions within it, one for each place that they are used at; at most 1,000.
    pub patterns: usize,
    /// Longest regular expression in bytes; at most 10,000.
    pub pattern_bytes: usize,
    /// Memory of one regular expression in bytes; at most 1 MiB.
    pub compiled_pattern_bytes: usize,
    /// What checking one configuration may take: schemas that are held against a value, and bytes that a regular expression,
    /// a format or a list of values is held against; at most 1,000,000.
    pub steps: usize,
    /// Mistakes of one configuration that are told; at most 100.
    pub errors: usize,
}

impl Default for SchemaLimits {
    fn default() -> Self {
        Self {
            bytes: 64 * 1024,
            depth: 32,
            nodes: 2000,
            patterns: 100,
            pattern_bytes: 1000,
            compiled_pattern_bytes: 64 * 1024,
            steps: 100_000,
            errors: 20,
        }
    }
}

/// Why a schema is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the schema of the configuration cannot be used at `{pointer}`: {reason}")]
pub struct InvalidSchema {
    /// JSON Pointer into the schema.
    pub pointer: String,
    /// What is wrong there.
    pub reason: String,
    /// The limit that is exceeded, if one is.
    pub limit: Option<LimitHit>,
}

impl InvalidSchema {
    fn new(pointer: &str, reason: impl Into<String>) -> Self {
        Self { pointer: pointer.to_owned(), reason: reason.into(), limit: None }
    }

    fn limit(pointer: &str, what: &str, name: &str, used: usize, allowed: usize) -> Self {
        let limit = LimitHit { limit: format!("schema.{name}"), used: used as u64, allowed: allowed as u64 };
        Self { limit: Some(limit), ..Self::new(pointer, format!("it has {used} {what}; allowed are {allowed}")) }
    }
}

/// A schema that keeps to the limits, ready to check configurations.
#[derive(Debug)]
pub struct Schema {
    rules: Value,
    validator: Validator,
    limits: SchemaLimits,
}

impl Schema {
    /// Looks at a schema, and makes it ready. Takes milliseconds, so it is not for threads that others wait for.
    pub fn new(schema: &Value, limits: SchemaLimits) -> Result<Self, InvalidSchema> {
        let mut rules = schema.clone();
        let draft = draft(&mut rules)?;
        bounds::check(&rules, &limits)?;
        let patterns = PatternOptions::regex()
            .size_limit(limits.compiled_pattern_bytes)
            .dfa_size_limit(limits.compiled_pattern_bytes.saturating_mul(2));
        let validator = jsonschema::options()
            .with_draft(draft)
            .offline()
            .with_pattern_options(patterns)
            .should_validate_formats(true)
            .build(&rules)
            .map_err(|error| InvalidSchema::new(error.instance_path().as_str(), words::of_schema(&error)))?;
        Ok(Self { rules, validator, limits })
    }

    /// What is wrong with a configuration, as pointers into it; never what stands there. Empty when nothing is.
    pub fn check(&self, config: &Value) -> Vec<FieldError> {
        if let Err(effort::TooMuch) = effort::check(&self.rules, config, self.limits.steps) {
            let steps = self.limits.steps;
            let detail = format!("takes more than {steps} steps to check (`plugins.schema.steps`); make it smaller");
            return vec![FieldError::new("", detail)];
        }
        let mut seen = HashSet::new();
        let mut errors = Vec::new();
        // One mistake may be found in several ways.
        let all =
            self.validator.iter_errors(config).flat_map(|error| words::of_configuration(&error, &self.rules, config));
        for error in all.filter(|error| seen.insert((error.pointer.clone(), error.detail.clone()))) {
            if errors.len() == self.limits.errors {
                errors.push(FieldError::new("", format!("has more mistakes than these {}", self.limits.errors)));
                break;
            }
            errors.push(error);
        }
        errors
    }
}

/// The draft that a schema names, which is taken out of it together with its own address: nothing refers to either.
fn draft(schema: &mut Value) -> Result<Draft, InvalidSchema> {
    const KNOWN: [(&str, Draft); 3] = [
        ("https://json-schema.org/draft/2020-12/schema", Draft::Draft202012),
        ("https://json-schema.org/draft/2019-09/schema", Draft::Draft201909),
        ("http://json-schema.org/draft-07/schema", Draft::Draft7),
    ];
    let Some(object) = schema.as_object_mut() else {
        return Err(InvalidSchema::new("", "it is no object"));
    };
    object.shift_remove("$id");
    let Some(named) = object.shift_remove("$schema") else { return Ok(Draft::Draft202012) };
    let named = named.as_str().unwrap_or_default().trim_end_matches('#');
    let known = KNOWN.iter().find(|(name, _)| *name == named).map(|(_, draft)| *draft);
    known.ok_or_else(|| InvalidSchema::new("/$schema", "known are the drafts 2020-12, 2019-09 and 07"))
}
