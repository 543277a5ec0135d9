//! A webhook's configuration of a plugin, and its JSON Schema.
//!
//! [`configuration`](crate::configuration) makes both of one struct; what is here is what it is made of.

use std::collections::BTreeMap;
#[cfg(target_arch = "wasm32")]
use std::marker::PhantomData;

use ::serde::de::DeserializeOwned;

#[doc(hidden)]
pub use ::serde;

use crate::{Failure, Webhook, json};

pub(crate) fn parse<C: DeserializeOwned>(webhook: &Webhook) -> Result<C, Failure> {
    let text = match webhook.configuration() {
        "" => "{}",
        text => text,
    };
    json::parse(text).map_err(|error| json::failure("config.invalid", "The configuration", text, &error))
}

/// What has a JSON Schema: made by [`configuration`](crate::configuration), and there for texts, numbers, booleans, lists,
/// maps and JSON.
///
/// ```
/// use hookwright_sdk::config::{Configuration, schema};
///
/// assert_eq!(schema::<Vec<bool>>(), r#"{"type":"array","items":{"type":"boolean"}}"#);
/// ```
pub trait Configuration {
    /// The members of its schema.
    const SCHEMA: &'static [Part];
    /// What it is by default, as JSON; empty if there is nothing to say.
    const DEFAULT: &'static [Part] = &[];
}

/// A piece of a schema's text.
///
/// ```
/// use hookwright_sdk::config::{Configuration, Part, schema};
///
/// struct Day;
///
/// impl Configuration for Day {
///     const SCHEMA: &'static [Part] = &[Part::Text(r#""type":"string""#), Part::Next, Part::Text(r#""format":"date""#)];
/// }
///
/// assert_eq!(schema::<Day>(), r#"{"type":"string","format":"date"}"#);
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// Text as it stands.
    Text(&'static str),
    /// A comma, unless nothing stands before.
    Next,
    /// All of these.
    All(&'static [Part]),
    /// A member `default` with this value; nothing if that is empty.
    Default(&'static [Part]),
    /// A list of texts.
    Choices(&'static [&'static str]),
}

/// The JSON Schema of a configuration.
///
/// ```
/// use hookwright_sdk::{config::schema, configuration};
///
/// #[configuration]
/// struct Config {
///     /// Put before every line.
///     #[config(default = "Hello", max_length = 60)]
///     greeting: String,
/// }
///
/// let schema: serde_json::Value = serde_json::from_str(&schema::<Config>()).unwrap();
/// assert_eq!(schema["properties"]["greeting"]["default"], "Hello");
/// assert_eq!(schema["properties"]["greeting"]["title"], "Greeting");
/// ```
#[cfg(not(target_arch = "wasm32"))]
#[expect(clippy::large_stack_arrays, reason = "it is as large as what is made while a plugin is compiled")]
pub fn schema<C: Configuration + ?Sized>() -> String {
    let mut text = Text { bytes: [0; 64 * 1024], length: 0, last: 0 };
    text.object(C::SCHEMA);
    String::from_utf8_lossy(&text.bytes[..text.length]).into_owned()
}

/// Text in a place of a fixed size; what does not fit is counted.
struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
    last: u8,
}

impl<const N: usize> Text<N> {
    const fn byte(&mut self, byte: u8) {
        if self.length < N {
            self.bytes[self.length] = byte;
        }
        self.length += 1;
        self.last = byte;
    }

    const fn text(&mut self, text: &str) {
        let mut at = 0;
        while at < text.len() {
            self.byte(text.as_bytes()[at]);
            at += 1;
        }
    }

    const fn object(&mut self, members: &[Part]) {
        self.byte(b'{');
        self.parts(members);
        self.byte(b'}');
    }

    const fn parts(&mut self, parts: &[Part]) {
        let mut at = 0;
        while at < parts.len() {
            match parts[at] {
                Part::Text(text) => self.text(text),
                Part::Next => self.next(),
                Part::All(parts) => self.parts(parts),
                Part::Default([]) => {}
                Part::Default(value) => {
                    self.next();
                    self.text("\"default\":");
                    self.parts(value);
                }
                Part::Choices(choices) => self.choices(choices),
            }
            at += 1;
        }
    }

    const fn next(&mut self) {
        if self.last != b'{' && self.last != b'[' {
            self.byte(b',');
        }
    }

    const fn choices(&mut self, choices: &[&str]) {
        self.byte(b'[');
        let mut at = 0;
        while at < choices.len() {
            self.next();
            self.byte(b'"');
            self.plain(choices[at]);
            self.byte(b'"');
            at += 1;
        }
        self.byte(b']');
    }

    const fn plain(&mut self, text: &str) {
        let mut at = 0;
        while at < text.len() {
            let byte = text.as_bytes()[at];
            assert!(byte >= b' ' && byte != b'"' && byte != b'\\', "a choice holds a character that JSON would escape");
            self.byte(byte);
            at += 1;
        }
    }
}

/// Finds out in a constant whether a type has a schema: an inherent constant is preferred to a trait's.
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
#[derive(Debug)]
pub struct Probe<C>(PhantomData<C>);

#[cfg(target_arch = "wasm32")]
impl<C: Configuration> Probe<C> {
    /// Its schema.
    #[doc(hidden)]
    pub const SCHEMA: Option<&'static [Part]> = Some(C::SCHEMA);
}

/// What has none.
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub trait Underived {
    /// Nothing.
    const SCHEMA: Option<&'static [Part]> = None;
}

#[cfg(target_arch = "wasm32")]
impl<C> Underived for Probe<C> {}

/// How long the section is that holds a schema; a space if there is none.
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub const fn section_length(schema: Option<&'static [Part]>) -> usize {
    let mut text = Text { bytes: [0; 0], length: 0, last: 0 };
    match schema {
        Some(schema) => text.object(schema),
        None => text.byte(b' '),
    }
    text.length
}

/// What stands in it.
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub const fn section<const N: usize>(schema: Option<&'static [Part]>) -> [u8; N] {
    let mut text = Text { bytes: [0; N], length: 0, last: 0 };
    match schema {
        Some(schema) => text.object(schema),
        None => text.byte(b' '),
    }
    text.bytes
}

macro_rules! plain {
    ($($type:ty: $schema:literal, $default:expr;)*) => {
        $(impl Configuration for $type {
            const SCHEMA: &'static [Part] = &[Part::Text($schema)];
            const DEFAULT: &'static [Part] = $default;
        })*
    };
}

plain! {
    bool: r#""type":"boolean""#, &[Part::Text("false")];
    String: r#""type":"string""#, &[Part::Text("\"\"")];
    f32: r#""type":"number""#, &[Part::Text("0")];
    f64: r#""type":"number""#, &[Part::Text("0")];
    i8: r#""type":"integer","minimum":-128,"maximum":127"#, &[Part::Text("0")];
    i16: r#""type":"integer","minimum":-32768,"maximum":32767"#, &[Part::Text("0")];
    i32: r#""type":"integer","minimum":-2147483648,"maximum":2147483647"#, &[Part::Text("0")];
    i64: r#""type":"integer""#, &[Part::Text("0")];
    u8: r#""type":"integer","minimum":0,"maximum":255"#, &[Part::Text("0")];
    u16: r#""type":"integer","minimum":0,"maximum":65535"#, &[Part::Text("0")];
    u32: r#""type":"integer","minimum":0,"maximum":4294967295"#, &[Part::Text("0")];
    u64: r#""type":"integer","minimum":0"#, &[Part::Text("0")];
    serde_json::Value: "", &[Part::Text("null")];
}

impl<C: Configuration> Configuration for Option<C> {
    const SCHEMA: &'static [Part] = C::SCHEMA;
}

impl<C: Configuration> Configuration for Box<C> {
    const SCHEMA: &'static [Part] = C::SCHEMA;
    const DEFAULT: &'static [Part] = C::DEFAULT;
}

impl<C: Configuration> Configuration for Vec<C> {
    const SCHEMA: &'static [Part] =
        &[Part::Text("\"type\":\"array\",\"items\":{"), Part::All(C::SCHEMA), Part::Text("}")];
    const DEFAULT: &'static [Part] = &[Part::Text("[]")];
}

impl<C: Configuration> Configuration for BTreeMap<String, C> {
    const SCHEMA: &'static [Part] =
        &[Part::Text("\"type\":\"object\",\"additionalProperties\":{"), Part::All(C::SCHEMA), Part::Text("}")];
    const DEFAULT: &'static [Part] = &[Part::Text("{}")];
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::configuration;

    #[configuration]
    #[derive(Debug, Default, PartialEq)]
    enum Place {
        Top,
        #[default]
        AtTheBottom,
    }

    /// Where lines go.
    #[configuration]
    #[derive(Debug, PartialEq)]
    struct Route {
        #[config(default)]
        path: String,
    }

    const COLORS: [&str; 2] = ["red", "green"];

    #[configuration(extend = {"if": {"required": ["url"]}, "else": {"required": ["color"]}})]
    #[derive(Debug, PartialEq)]
    #[serde(rename_all = "camelCase")]
    struct Config {
        /// Which list
        /// gets them: "open" it.
        #[config(pattern = r"^[^\\]{2}$", title = "List", examples = ["ab"])]
        list_id: String,
        #[config(default = "{key} {title}", max_length = 200)]
        title: String,
        url: Option<String>,
        #[config(choices = COLORS)]
        color: Option<String>,
        #[config(default, unique_items = true, items(min_length = 1))]
        labels: Vec<String>,
        #[config(default, keys(pattern = "^a"), values(minimum = 1, maximum = 4), examples = [{"a": 2}])]
        priorities: BTreeMap<String, u8>,
        #[config(default)]
        place: Place,
        #[config(default = true)]
        wide: bool,
        #[config(default = -2)]
        offset: i64,
        #[config(default = ["x"])]
        tags: Vec<String>,
        otherwise: Option<Route>,
        #[config(default)]
        extra: BTreeMap<String, Value>,
        #[serde(rename = "type")]
        #[config(default = 3)]
        kind: u32,
    }

    #[test]
    fn a_struct_gives_its_schema() {
        let schema: Value = serde_json::from_str(&schema::<Config>()).unwrap();
        let expected = json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["listId"],
            "properties": {
                "listId": {
                    "type": "string",
                    "title": "List",
                    "description": "Which list gets them: \"open\" it.",
                    "pattern": "^[^\\\\]{2}$",
                    "examples": ["ab"],
                },
                "title": { "type": "string", "title": "Title", "default": "{key} {title}", "maxLength": 200 },
                "url": { "type": "string", "title": "Url" },
                "color": { "type": "string", "title": "Color", "enum": ["red", "green"] },
                "labels": {
                    "type": "array",
                    "title": "Labels",
                    "items": { "type": "string", "minLength": 1 },
                    "uniqueItems": true,
                    "default": [],
                },
                "priorities": {
                    "type": "object",
                    "title": "Priorities",
                    "propertyNames": { "pattern": "^a" },
                    "additionalProperties": { "type": "integer", "minimum": 1, "maximum": 4 },
                    "examples": [{ "a": 2 }],
                    "default": {},
                },
                "place": {
                    "type": "string",
                    "title": "Place",
                    "enum": ["top", "at_the_bottom"],
                    "default": "at_the_bottom",
                },
                "wide": { "type": "boolean", "title": "Wide", "default": true },
                "offset": { "type": "integer", "title": "Offset", "default": -2 },
                "tags": { "type": "array", "title": "Tags", "items": { "type": "string" }, "default": ["x"] },
                "otherwise": {
                    "type": "object",
                    "title": "Otherwise",
                    "additionalProperties": false,
                    "properties": { "path": { "type": "string", "title": "Path", "default": "" } },
                },
                "extra": { "type": "object", "title": "Extra", "additionalProperties": {}, "default": {} },
                "type": { "type": "integer", "title": "Type", "minimum": 0, "maximum": 4_294_967_295_u64, "default": 3 },
            },
            "if": { "required": ["url"] },
            "else": { "required": ["color"] },
        });
        assert_eq!(schema, expected);
    }

    #[test]
    fn what_is_left_out_is_what_the_schema_says() {
        let read = |text: &str| serde_json::from_str::<Config>(text).map_err(|error| error.to_string());
        let config = read(r#"{"listId": "ab"}"#).unwrap();
        let expected = Config {
            list_id: "ab".to_owned(),
            title: "{key} {title}".to_owned(),
            url: None,
            color: None,
            labels: Vec::new(),
            priorities: BTreeMap::new(),
            place: Place::AtTheBottom,
            wide: true,
            offset: -2,
            tags: vec!["x".to_owned()],
            otherwise: None,
            extra: BTreeMap::new(),
            kind: 3,
        };
        assert_eq!(config, expected);
        assert!(read("{}").unwrap_err().contains("missing field `listId`"));
        assert!(read(r#"{"listId": "ab", "lable": 1}"#).unwrap_err().contains("unknown field `lable`"));
        assert!(read(r#"{"listId": "ab", "place": "left"}"#).unwrap_err().contains("`top` or `at_the_bottom`"));
    }
}
