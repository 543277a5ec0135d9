//! A form made of a JSON Schema: what a plugin wants to know, as fields.

use askama::Template;
use serde_json::{Map, Value};

use super::field::Field;
use super::form::Form;
use crate::domain::problem::pointer_token;

/// How deep objects become fieldsets; what is deeper is JSON.
const DEPTH_MAX: usize = 4;
/// References that are followed for one field.
const REFERENCES_MAX: usize = 8;

/// One part of such a form.
#[derive(Debug, Template)]
#[template(path = "entry.html")]
pub(super) enum Entry {
    Field { field: Box<Field> },
    Set { legend: String, help: String, entries: Vec<Self> },
}

impl askama::filters::HtmlSafe for Entry {}

/// How a schema's value is filled in.
enum Kind<'s> {
    Choice(Vec<&'s str>),
    Line,
    Text,
    Number,
    Tick,
    /// One text a line.
    Lines,
    Object,
    Json,
}

/// The schema behind references into the same document.
fn followed<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let mut schema = schema;
    for _ in 0..REFERENCES_MAX {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
        match target.and_then(|pointer| root.pointer(pointer)) {
            Some(next) => schema = next,
            None => break,
        }
    }
    schema
}

fn text<'s>(schema: &'s Value, name: &str) -> Option<&'s str> {
    schema.get(name).and_then(Value::as_str)
}

/// The one type that a schema allows besides `null`.
fn type_of(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(one) => Some(one),
        Value::Array(several) => {
            let mut others = several.iter().filter_map(Value::as_str).filter(|name| *name != "null");
            others.next().filter(|_| others.next().is_none())
        }
        _ => None,
    }
}

fn kind<'s>(root: &'s Value, schema: &'s Value, depth: usize) -> Kind<'s> {
    if let Some(Value::Array(values)) = schema.get("enum") {
        let texts: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        let others = values.iter().filter(|value| !value.is_string() && !value.is_null()).count();
        return if others == 0 && !texts.is_empty() { Kind::Choice(texts) } else { Kind::Json };
    }
    match type_of(schema) {
        Some("string") => {
            let is_long = schema.get("maxLength").and_then(Value::as_u64).is_some_and(|most| most > 400);
            if is_long || text(schema, "format") == Some("multiline") { Kind::Text } else { Kind::Line }
        }
        Some("integer" | "number") => Kind::Number,
        Some("boolean") => Kind::Tick,
        Some("array") => {
            let items = schema.get("items").map(|items| followed(root, items));
            if items.is_some_and(|items| type_of(items) == Some("string")) { Kind::Lines } else { Kind::Json }
        }
        Some("object") if depth < DEPTH_MAX && schema.get("additionalProperties").is_none_or(Value::is_boolean) => {
            if schema.get("properties").is_some_and(Value::is_object) {
                Kind::Object
            } else {
                Kind::Json
            }
        }
        _ => Kind::Json,
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn is_needed(schema: &Value, name: &str) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    required.is_some_and(|names| names.iter().any(|needed| needed == name))
}

/// The fields of an object of this schema, named by where they stand below `at`.
pub(super) fn entries(schema: &Value, at: &str, form: &Form) -> Vec<Entry> {
    entries_of(schema, schema, at, form, 0)
}

fn entries_of(root: &Value, schema: &Value, at: &str, form: &Form, depth: usize) -> Vec<Entry> {
    let schema = followed(root, schema);
    let one = |(name, property): (&String, &Value)| {
        entry(root, property, name, &format!("{at}/{}", pointer_token(name)), is_needed(schema, name), form, depth)
    };
    properties(schema).map(one).collect()
}

fn entry(root: &Value, property: &Value, key: &str, name: &str, needed: bool, form: &Form, depth: usize) -> Entry {
    let schema = followed(root, property);
    let label = text(property, "title").or_else(|| text(schema, "title")).unwrap_or(key);
    let help = text(property, "description").or_else(|| text(schema, "description")).unwrap_or_default();
    let field = match kind(root, schema, depth + 1) {
        Kind::Object => {
            let entries = entries_of(root, schema, name, form, depth + 1);
            return Entry::Set { legend: label.to_owned(), help: help.to_owned(), entries };
        }
        Kind::Choice(values) => {
            let none = (!needed).then_some(("", "not set"));
            Field::choice(name, label, none.into_iter().chain(values.into_iter().map(|value| (value, value))))
        }
        Kind::Line => Field::line(name, label),
        Kind::Text => Field::text(name, label, 4),
        Kind::Number => Field::line(name, label).mono(),
        Kind::Tick => Field::tick(name, label),
        Kind::Lines => Field::text(name, label, 3),
        Kind::Json => Field::text(name, label, 5).mono().deep(),
    };
    let hint = match kind(root, schema, depth + 1) {
        Kind::Lines => {
            let items = schema.get("items").map(|items| followed(root, items));
            let allowed = items.and_then(|items| items.get("enum")).and_then(Value::as_array);
            let allowed = allowed.map(|all| all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "));
            allowed.map_or_else(|| " One a line.".to_owned(), |all| format!(" One a line: {all}."))
        }
        Kind::Json => " As JSON.".to_owned(),
        _ => String::new(),
    };
    let field = field.help(format!("{help}{hint}").trim().to_owned());
    Entry::Field { field: Box::new(if needed { field.needed() } else { field }.of(form)) }
}

/// Fills a form in with a value of this schema; what is absent gets the schema's default.
pub(super) fn fill(schema: &Value, value: &Value, at: &str, form: &mut Form) {
    fill_of(schema, schema, value, at, form, 0);
}

fn fill_of(root: &Value, schema: &Value, value: &Value, at: &str, form: &mut Form, depth: usize) {
    for (name, property) in properties(followed(root, schema)) {
        let schema = followed(root, property);
        let place = format!("{at}/{}", pointer_token(name));
        let default = property.get("default").or_else(|| schema.get("default"));
        let value = value.get(name).or(default).unwrap_or(&Value::Null);
        match (kind(root, schema, depth + 1), value) {
            (Kind::Object, value) => fill_of(root, schema, value, &place, form, depth + 1),
            (_, Value::Null) => {}
            (Kind::Lines, Value::Array(texts)) => {
                let lines: Vec<&str> = texts.iter().filter_map(Value::as_str).collect();
                form.set(place, lines.join("\n"));
            }
            (Kind::Json, value) => form.set(place, serde_json::to_string_pretty(value).unwrap_or_default()),
            (_, Value::String(text)) => form.set(place, text.as_str()),
            (_, other) => form.set(place, other.to_string()),
        }
    }
}

/// The value that a form says. What cannot be read stays a text, so that the API tells what is wrong with it.
pub(super) fn read(schema: &Value, at: &str, form: &Form) -> Value {
    read_of(schema, schema, at, form, 0)
}

fn read_of(root: &Value, schema: &Value, at: &str, form: &Form, depth: usize) -> Value {
    let schema = followed(root, schema);
    let mut object = Map::new();
    for (name, property) in properties(schema) {
        let place = format!("{at}/{}", pointer_token(name));
        let inner = followed(root, property);
        let parsed = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
        let filled = form.filled(&place);
        let value = match kind(root, inner, depth + 1) {
            Kind::Object => Some(read_of(root, inner, &place, form, depth + 1))
                .filter(|value| is_needed(schema, name) || value.as_object().is_some_and(|object| !object.is_empty())),
            Kind::Tick => {
                let default = property.get("default").or_else(|| inner.get("default"));
                let ticked = form.is_ticked(&place);
                (ticked || is_needed(schema, name) || default.is_some()).then(|| ticked.into())
            }
            Kind::Lines => filled.map(|text| text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()),
            Kind::Number => {
                filled.map(|text| Some(parsed(text)).filter(Value::is_number).unwrap_or_else(|| text.into()))
            }
            Kind::Json => filled.map(parsed),
            Kind::Line | Kind::Text | Kind::Choice(_) => filled.map(Value::from),
        };
        if let Some(value) = value {
            object.insert(name.clone(), value);
        }
    }
    object.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "required": ["list", "inner"],
            "$defs": { "kind": { "enum": ["Bug", "Task"], "description": "of the issue" } },
            "properties": {
                "list": { "type": "string", "title": "List", "description": "its id" },
                "kind": { "$ref": "#/$defs/kind" },
                "count": { "type": ["integer", "null"] },
                "loud": { "type": "boolean", "default": true },
                "labels": { "type": "array", "items": { "type": "string" } },
                "map": { "type": "object", "additionalProperties": { "type": "string" } },
                "inner": { "type": "object", "properties": { "a/b": { "type": "number" } } },
            },
        })
    }

    #[test]
    fn what_is_filled_in_is_read_back() {
        let value = json!({
            "list": "<b>", "kind": "Bug", "count": 3, "loud": false, "labels": ["a", "b"], "map": { "x": "y" }, "inner": { "a/b": 1.5 },
        });
        let mut form = Form::default();
        fill(&schema(), &value, "/config", &mut form);
        assert_eq!(form.get("/config/inner/a~1b"), Some("1.5"));
        assert_eq!(read(&schema(), "/config", &form), value);
    }

    #[test]
    fn what_is_absent_gets_its_default_and_what_is_wrong_stays_for_the_api_to_tell() {
        let mut form = Form::default();
        fill(&schema(), &json!({}), "/config", &mut form);
        assert_eq!(read(&schema(), "/config", &form), json!({ "loud": true, "inner": {} }));
        form.set("/config/count", "many");
        form.set("/config/map", "{");
        let read = read(&schema(), "/config", &form);
        assert_eq!((&read["count"], &read["map"]), (&json!("many"), &json!("{")));
    }

    #[test]
    fn fields_say_what_the_schema_says_and_escape_it() {
        let mut form = Form::default();
        form.set("/c/list", "\"><script>");
        let shown: String = entries(&schema(), "/c", &form).iter().map(ToString::to_string).collect();
        assert!(shown.contains(">List<") && shown.contains("its id") && shown.contains("of the issue"), "{shown}");
        assert!(shown.contains("name=\"/c/inner/a~1b\"") && shown.contains("<fieldset"), "{shown}");
        assert!(!shown.contains("<script>"), "{shown}");
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let endless = json!({
            "type": "object",
            "properties": { "again": { "$ref": "#" }, "never": { "$ref": "#/$defs/never" } },
            "$defs": { "never": { "$ref": "#/$defs/never" } },
        });
        let mut form = Form::default();
        fill(&endless, &json!({}), "", &mut form);
        assert!(entries(&endless, "", &form).len() == 2 && read(&endless, "", &form).is_object());
    }
}
