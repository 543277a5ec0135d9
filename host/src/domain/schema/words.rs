//! What is wrong, in words for people. A configuration's own values are never repeated: somebody may have put a secret there.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

use crate::domain::problem::{FieldError, pointer_token};

/// How much is shown of what a schema says.
const SHOWN_CHARS: usize = 200;
/// How many of the names or values that a schema allows are shown.
const SHOWN_NAMES: usize = 12;

/// What is wrong with a schema.
pub(super) fn of_schema(error: &ValidationError<'_>) -> String {
    match error.kind() {
        Kind::Format { format } if format == "regex" => {
            "it is no regular expression that takes linear time (no look-around, no references back), or too large a one"
                .to_owned()
        }
        Kind::Referencing(_) => "it refers to nothing".to_owned(),
        _ => cut(&error.to_string()),
    }
}

/// What is wrong with a configuration, as pointers into it.
pub(super) fn of_configuration(error: &ValidationError<'_>, root: &Value, config: &Value) -> Vec<FieldError> {
    let at = error.instance_path().as_str();
    let rule = Rule::of(error, root);
    let below = |name: &str, detail: String| FieldError::new(format!("{at}/{}", pointer_token(name)), detail);
    let told = match error.kind() {
        Kind::Required { property: Value::String(name) } => {
            vec![below(name, rule.needed(name))]
        }
        // Where nothing at all is known, it is said of the object, and once.
        Kind::FalseSchema if error.schema_path().as_str().ends_with("/additionalProperties") => {
            rule.unknown(config.pointer(at)).map(|name| below(name, rule.known())).collect()
        }
        Kind::AdditionalProperties { unexpected } => unexpected.iter().map(|name| below(name, rule.known())).collect(),
        Kind::PropertyNames { error } => {
            let name = error.instance().as_str().unwrap_or_default();
            vec![below(name, format!("this name does not fit; a name {}", Rule::of(error, root).broken(error)))]
        }
        _ => Vec::new(),
    };
    // A mistake is never passed over, whatever its place could not be made of.
    if told.is_empty() { vec![FieldError::new(at, rule.broken(error))] } else { told }
}

/// The rule of a schema that is broken.
struct Rule<'a> {
    /// What the keyword says.
    value: &'a Value,
    /// The schema that it stands in.
    schema: &'a Value,
}

impl<'a> Rule<'a> {
    fn of(error: &ValidationError<'_>, root: &'a Value) -> Self {
        let path = error.schema_path().as_str();
        let keyword = match error.kind() {
            Kind::FalseSchema => "additionalProperties",
            kind => kind.keyword(),
        };
        let parent = path.rfind(&format!("/{keyword}")).map_or(path, |at| &path[..at]);
        let null = &Value::Null;
        Self { value: root.pointer(path).unwrap_or(null), schema: root.pointer(parent).unwrap_or(null) }
    }

    fn needed(&self, name: &str) -> String {
        let described = self.schema.get("properties").and_then(|properties| properties.get(name));
        let said = ["description", "title"].iter().find_map(|keyword| described?.get(keyword)?.as_str());
        said.map_or_else(|| "is needed".to_owned(), |said| format!("is needed: {}", cut(said)))
    }

    /// Names that the schema does not mention.
    fn unknown<'c>(&self, config: Option<&'c Value>) -> impl Iterator<Item = &'c String> {
        let known = self.schema.get("properties");
        let names = config.and_then(Value::as_object).into_iter().flat_map(|object| object.keys());
        names.filter(move |name| known.is_none_or(|known| known.get(name.as_str()).is_none()))
    }

    fn known(&self) -> String {
        let names = |map: &'a Value| map.as_object().into_iter().flat_map(|map| map.keys().map(String::as_str));
        let known = self.schema.get("properties").into_iter().flat_map(names);
        match listed(known.map(str::to_owned)) {
            None => "the plugin knows no such field, nor any other here".to_owned(),
            Some(names) => format!("the plugin knows no such field; it knows {names}"),
        }
    }

    /// The rule as a sentence about the field.
    fn broken(&self, error: &ValidationError<'_>) -> String {
        let value = || cut(&self.value.to_string());
        match error.kind() {
            Kind::Type { .. } => {
                let kinds = match self.value {
                    Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
                    kind => kind.as_str().into_iter().collect::<Vec<_>>(),
                };
                let is = kinds.iter().map(|kind| with_article(kind)).collect::<Vec<_>>().join(" or ");
                format!("is {is}, not {}", kind_of(error.instance()))
            }
            Kind::Enum { options } => {
                let options = options.as_array().into_iter().flatten().map(|option| cut(&option.to_string()));
                format!("is one of {}", listed(options).unwrap_or_default())
            }
            Kind::Constant { expected_value } => format!("is {}", cut(&expected_value.to_string())),
            Kind::Pattern { pattern } => format!("matches `{}`{}", cut(pattern), self.like()),
            Kind::Format { format } => format!("is of the format `{}`{}", cut(format), self.like()),
            Kind::MinLength { limit } => format!("has at least {limit} characters"),
            Kind::MaxLength { limit } => format!("has at most {limit} characters"),
            Kind::MinItems { limit } => format!("has at least {limit} items"),
            Kind::MaxItems { limit } => format!("has at most {limit} items"),
            Kind::AdditionalItems { limit } => format!("has at most {limit} items"),
            Kind::MinProperties { limit } => format!("has at least {limit} fields"),
            Kind::MaxProperties { limit } => format!("has at most {limit} fields"),
            Kind::Minimum { .. } => format!("is at least {}", value()),
            Kind::Maximum { .. } => format!("is at most {}", value()),
            Kind::ExclusiveMinimum { .. } => format!("is more than {}", value()),
            Kind::ExclusiveMaximum { .. } => format!("is less than {}", value()),
            Kind::MultipleOf { .. } => format!("is a multiple of {}", value()),
            Kind::UniqueItems => "holds nothing twice".to_owned(),
            Kind::Contains => "does not hold what the plugin needs in it".to_owned(),
            Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => {
                format!("fits none of the forms it may have{}", self.forms())
            }
            Kind::OneOfMultipleValid { .. } => {
                format!("fits more than one of the forms of which it has one{}", self.forms())
            }
            Kind::Not { .. } | Kind::FalseSchema => "is not allowed like this".to_owned(),
            _ => format!("does not fit `{}` of the plugin's schema", error.kind().keyword()),
        }
    }

    /// An example of the plugin's author.
    fn like(&self) -> String {
        let example = self.schema.get("examples").and_then(|examples| examples.get(0));
        example.map_or_else(String::new, |example| format!(", like {}", cut(&example.to_string())))
    }

    /// What the author calls the forms.
    fn forms(&self) -> String {
        let forms = self.value.as_array().into_iter().flatten();
        let titles = forms.filter_map(|form| form.get("title")?.as_str().map(cut));
        listed(titles).map_or_else(String::new, |titles| format!(": {titles}"))
    }
}

fn with_article(kind: &str) -> String {
    match kind {
        "array" | "integer" | "object" => format!("an {kind}"),
        "null" => kind.to_owned(),
        _ => format!("a {}", cut(kind)),
    }
}

const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The first few, with commas; none when there are none.
fn listed(names: impl Iterator<Item = String>) -> Option<String> {
    let mut names: Vec<_> = names.take(SHOWN_NAMES + 1).collect();
    if names.len() > SHOWN_NAMES {
        names.truncate(SHOWN_NAMES);
        names.push("…".to_owned());
    }
    (!names.is_empty()).then(|| names.join(", "))
}

fn cut(text: &str) -> String {
    if text.chars().count() <= SHOWN_CHARS {
        text.to_owned()
    } else {
        text.chars().take(SHOWN_CHARS).chain(['…']).collect()
    }
}
