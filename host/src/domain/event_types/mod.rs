//! What events are about: types that every project knows, types of its own, and what their payloads look like.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::clock::Millis;
use super::pattern::EventType;
use super::problem::FieldError;
use super::schema::{Schema, SchemaLimits};

/// Most characters of a type's description.
pub const DESCRIPTION_MAX_CHARS: usize = 2000;
/// Largest example, in bytes of JSON.
pub const EXAMPLE_MAX_BYTES: usize = 64 * 1024;

/// What is done about a payload that its type's schema does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Validation {
    /// Nobody looks.
    #[default]
    Off,
    /// The event is taken; it is counted, and the event shows what is wrong with it.
    Warn,
    /// The event is refused.
    Enforce,
}

impl Validation {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Enforce => "enforce",
        }
    }

    /// As it was stored.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Off, Self::Warn, Self::Enforce].into_iter().find(|one| one.as_str() == text)
    }
}

/// A type of events, as a project describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// Its name.
    pub name: EventType,
    /// When such events happen.
    pub description: String,
    /// JSON Schema of payloads.
    pub schema: Option<Value>,
    /// A payload.
    pub example: Option<Value>,
    /// What is done about payloads that the schema does not allow.
    pub validation: Validation,
    /// Grows with each change; 0 for a type that is as every project knows it.
    pub version: i64,
    /// When it was described.
    pub created_at: Option<Millis>,
    /// When that was changed.
    pub updated_at: Option<Millis>,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    description: String,
    schema: Value,
    example: Value,
}

/// The types that every project knows, by name.
pub fn catalogue() -> &'static [Described] {
    static CATALOGUE: LazyLock<Vec<Described>> = LazyLock::new(|| {
        let listed: Vec<Listed> = serde_json::from_str(include_str!("catalogue.json")).expect("it is a list of types");
        let described = |listed: Listed| Described {
            name: EventType::parse(&listed.name).expect("a name is a type"),
            description: listed.description,
            schema: Some(listed.schema),
            example: Some(listed.example),
            validation: Validation::Off,
            version: 0,
            created_at: None,
            updated_at: None,
        };
        listed.into_iter().map(described).collect()
    });
    &CATALOGUE
}

/// The type of this name that every project knows.
pub fn known(name: &str) -> Option<&'static Described> {
    catalogue().iter().find(|described| described.name.as_str() == name)
}

/// What payloads of a type are held against, and how they fared on this node.
#[derive(Debug)]
pub struct Rule {
    validation: Validation,
    source: String,
    schema: OnceLock<Option<Schema>>,
    checked: AtomicU64,
    wrong: AtomicU64,
}

impl Rule {
    /// A rule of this schema, which was checked when it was stored.
    pub const fn new(validation: Validation, source: String) -> Self {
        let (checked, wrong) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { validation, source, schema: OnceLock::new(), checked, wrong }
    }

    /// Whether it is this one still.
    pub fn is(&self, validation: Validation, source: &str) -> bool {
        self.validation == validation && self.source == source
    }

    /// What is done about payloads that it does not allow.
    pub const fn validation(&self) -> Validation {
        self.validation
    }

    /// How many payloads were looked at, and how many were wrong.
    pub fn counts(&self) -> (u64, u64) {
        (self.checked.load(Ordering::Relaxed), self.wrong.load(Ordering::Relaxed))
    }

    /// What is wrong with a payload, as pointers into it. Takes up to some milliseconds.
    pub fn check(&self, payload: &[u8], limits: SchemaLimits) -> Vec<FieldError> {
        let ready = self.schema.get_or_init(|| {
            let schema = serde_json::from_str(&self.source).ok()?;
            Schema::new(&schema, limits).ok()
        });
        // Limits may have been lowered since it was stored.
        let Some(schema) = ready else {
            return vec![FieldError::new("", "cannot be checked: the schema of its type exceeds `plugins.schema`")];
        };
        match serde_json::from_slice(payload) {
            Ok(payload) => schema.check(&payload).into_iter().map(told).collect(),
            Err(_) => vec![FieldError::new("", "is JSON")],
        }
    }

    /// Counts a payload that was posted.
    pub fn count(&self, is_wrong: bool) {
        self.checked.fetch_add(1, Ordering::Relaxed);
        if is_wrong {
            self.wrong.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The same words are told of configurations, where a plugin knows the fields.
fn told(error: FieldError) -> FieldError {
    let detail = error.detail.replace("the plugin's schema", "the schema").replace("the plugin", "the schema");
    FieldError { detail, ..error }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_catalogue_describes_itself_rightly() {
        assert_eq!(catalogue().len(), 12);
        for described in catalogue() {
            let (schema, example) = (described.schema.as_ref().unwrap(), described.example.as_ref().unwrap());
            let schema = Schema::new(schema, SchemaLimits::default()).unwrap();
            assert_eq!(schema.check(example), [], "{}", described.name);
            assert!(!schema.check(&json!({})).is_empty(), "{} asks for something", described.name);
            assert!(!described.description.is_empty() && known(described.name.as_str()).is_some());
        }
    }

    #[test]
    fn a_payload_is_held_against_its_rule() {
        let schema = json!({ "type": "object", "required": ["n"], "properties": { "n": { "type": "integer" } } });
        let rule = Rule::new(Validation::Enforce, schema.to_string());
        let check = |payload: &str| {
            let errors = rule.check(payload.as_bytes(), SchemaLimits::default());
            errors.into_iter().map(|error| error.pointer).collect::<Vec<_>>()
        };
        assert!(check(r#"{"n": 1}"#).is_empty());
        assert_eq!(check(r#"{"n": "x"}"#), ["/n"]);
        assert_eq!(check("{}"), ["/n"]);
        assert_eq!(check("no json"), [""]);
        let broken = Rule::new(Validation::Warn, "{".to_owned());
        assert_eq!(broken.check(b"{}", SchemaLimits::default()).len(), 1, "it is not passed unseen");
    }
}
