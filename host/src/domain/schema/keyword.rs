//! The keywords of JSON Schema under which other schemas stand, of all drafts that are understood.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// How the schemas below a keyword apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Applies {
    /// To the same value.
    Here,
    /// To the value of the property of that name.
    ToProperty,
    /// To the values of all properties.
    ToProperties,
    /// To the names of all properties.
    ToNames,
    /// To the item at that place.
    ToItem,
    /// To all items.
    ToItems,
    /// Only where they are referred to.
    Nowhere,
}

/// What stands below a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    One,
    List,
    Map,
}

/// What `bounds` refuses does not stand here. `dependencies` and `items` of older drafts may hold something else.
const KEYWORDS: [(&str, Holds, Applies); 21] = [
    ("allOf", Holds::List, Applies::Here),
    ("anyOf", Holds::List, Applies::Here),
    ("oneOf", Holds::List, Applies::Here),
    ("not", Holds::One, Applies::Here),
    ("if", Holds::One, Applies::Here),
    ("then", Holds::One, Applies::Here),
    ("else", Holds::One, Applies::Here),
    ("dependentSchemas", Holds::Map, Applies::Here),
    ("dependencies", Holds::Map, Applies::Here),
    ("properties", Holds::Map, Applies::ToProperty),
    ("patternProperties", Holds::Map, Applies::ToProperties),
    ("additionalProperties", Holds::One, Applies::ToProperties),
    ("propertyNames", Holds::One, Applies::ToNames),
    ("prefixItems", Holds::List, Applies::ToItem),
    ("items", Holds::List, Applies::ToItem),
    ("items", Holds::One, Applies::ToItems),
    ("additionalItems", Holds::One, Applies::ToItems),
    ("contains", Holds::One, Applies::ToItems),
    ("contentSchema", Holds::One, Applies::Nowhere),
    ("$defs", Holds::Map, Applies::Nowhere),
    ("definitions", Holds::Map, Applies::Nowhere),
];

/// A schema below another one.
#[derive(Debug)]
pub(super) struct Child<'a> {
    /// Under which keyword.
    pub(super) keyword: &'static str,
    /// Its name or number there, if it is one of several.
    pub(super) key: Option<Cow<'a, str>>,
    pub(super) applies: Applies,
    pub(super) schema: &'a Value,
}

/// The schemas that stand directly below this one.
pub(super) fn children(schema: &Map<String, Value>) -> Vec<Child<'_>> {
    let is_schema = |value: &Value| value.is_object() || value.is_boolean();
    let mut children = Vec::new();
    for (keyword, holds, applies) in KEYWORDS {
        let child = |key, schema| Child { keyword, key, applies, schema };
        match (holds, schema.get(keyword)) {
            (Holds::One, Some(value)) if is_schema(value) => children.push(child(None, value)),
            (Holds::List, Some(Value::Array(list))) => {
                let numbered = list.iter().enumerate().filter(|(_, value)| is_schema(value));
                children.extend(numbered.map(|(at, value)| child(Some(at.to_string().into()), value)));
            }
            (Holds::Map, Some(Value::Object(map))) => {
                let named = map.iter().filter(|(_, value)| is_schema(value));
                children.extend(named.map(|(name, value)| child(Some(name.into()), value)));
            }
            _ => {}
        }
    }
    children
}

/// What a `$ref` within one document points at; none when it points elsewhere or at nothing.
pub(super) fn referred<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    let pointer = reference.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/'))?;
    let pointer = percent_encoding::percent_decode_str(pointer).decode_utf8().ok()?;
    root.pointer(&pointer)
}
