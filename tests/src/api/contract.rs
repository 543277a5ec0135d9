//! Every answer is held against the description that the server gives of itself.

use std::{collections::HashMap, sync::Arc};

use jsonschema::{Draft, Validator};
use parking_lot::Mutex;
use reqwest::{
    Client, Method,
    header::{CONTENT_TYPE, HeaderMap},
};
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

/// All servers of a test run are of one version.
static CONTRACT: OnceCell<Contract> = OnceCell::const_new();

/// What the server says of itself.
#[derive(Debug)]
pub struct Contract {
    paths: Map<String, Value>,
    document: Value,
    components: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// One answer.
#[derive(Debug)]
pub struct Answered<'a> {
    pub method: &'a Method,
    pub path: &'a str,
    pub status: u16,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// A server that has gone away since it answered says nothing of itself.
pub async fn contract(client: &Client, base: &str) -> Option<&'static Contract> {
    let read = async || {
        let text = client.get(format!("{base}/openapi.json")).send().await?.text().await?;
        Ok::<_, reqwest::Error>(Contract::new(serde_json::from_str(&text).expect("the description is JSON")))
    };
    CONTRACT.get_or_try_init(read).await.ok()
}

impl Contract {
    pub fn new(document: Value) -> Self {
        assert_eq!(document["openapi"], "3.1.0");
        let schemas = document["components"]["schemas"].as_object().expect("schemas");
        let all = |is_part| -> Map<_, _> {
            schemas.iter().map(|(name, schema)| (name.clone(), strict(schema, is_part))).collect()
        };
        let components = json!({ "whole": all(false), "part": all(true) });
        let paths = document["paths"].as_object().expect("paths").clone();
        Self { paths, document, components, validators: Mutex::default() }
    }

    /// Panics where an answer is not as it is described.
    pub fn check(&self, answered: &Answered<'_>) {
        let Answered { method, path, status, headers, body } = *answered;
        let what = format!("{method} {path} -> {status}");
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        assert!(headers.contains_key("x-request-id"), "{what}: no X-Request-Id");
        let Some((template, methods)) = self.path(path) else {
            assert_eq!(status, 404, "{what}: the path is not described");
            return;
        };
        let Some(operation) = methods.get(method.as_str().to_lowercase()) else {
            assert_eq!(status, 405, "{what}: the method is not described");
            return;
        };
        let response = self.resolve(&operation["responses"][status.to_string()]);
        assert!(response.is_object(), "{what}: the status is not described");
        for name in ["etag", "location", "retry-after", "set-cookie", "www-authenticate"] {
            let described = response["headers"].as_object().into_iter().flatten();
            let is_described = described.map(|(name, _)| name).any(|described| described.eq_ignore_ascii_case(name));
            assert!(is_described || !headers.contains_key(name), "{what}: the header {name} is not described");
        }
        let Some(content) = response["content"].as_object() else {
            assert!(body.is_empty(), "{what}: a body is not described: {}", String::from_utf8_lossy(body));
            return;
        };
        let Some(described) = content.get(media_type) else {
            panic!("{what}: the media type {media_type:?} is not described");
        };
        let validator = || self.validator(&format!("{method} {template} {status} {media_type}"), &described["schema"]);
        if media_type == "application/x-ndjson" {
            for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                check_json(&what, &validator(), line);
            }
        } else if media_type.ends_with("json") {
            check_json(&what, &validator(), body);
        }
    }

    /// The path that is meant: one without parameters before one with.
    fn path(&self, path: &str) -> Option<(&String, &Value)> {
        let fits = |template: &str| {
            let (mut parts, mut templates) = (path.split('/'), template.split('/'));
            loop {
                match (parts.next(), templates.next()) {
                    (None, None) => return true,
                    (Some(part), Some(template)) if part == template || template.starts_with('{') => {}
                    _ => return false,
                }
            }
        };
        let found = self.paths.iter().filter(|(template, _)| fits(template));
        found.min_by_key(|(template, _)| template.matches('{').count())
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        pointer.map_or(value, |pointer| self.document.pointer(pointer).expect("it refers to something"))
    }

    fn validator(&self, key: &str, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock();
        let make = || {
            let mut root = strict(schema, false);
            root["components"] = self.components.clone();
            let made = jsonschema::options().with_draft(Draft::Draft202012).build(&root);
            Arc::new(made.unwrap_or_else(|error| panic!("{key}: {error} in {schema:#}")))
        };
        validators.entry(key.to_owned()).or_insert_with(make).clone()
    }
}

fn check_json(what: &str, validator: &Validator, body: &[u8]) {
    let value: Value = serde_json::from_slice(body)
        .unwrap_or_else(|error| panic!("{what}: {error} in {}", String::from_utf8_lossy(body)));
    let wrong: Vec<String> =
        validator.iter_errors(&value).map(|error| format!("{} at {:?}", error, error.instance_path())).collect();
    assert!(wrong.is_empty(), "{what} is not as described: {}\n{value:#}", wrong.join("\n"));
}

/// The same schema, which allows nothing that it does not name; `is_part` says that it is one of several that describe an
/// object together.
fn strict(schema: &Value, is_part: bool) -> Value {
    let Value::Object(fields) = schema else { return schema.clone() };
    let each = |value: &Value, is_part| match value {
        Value::Array(all) => all.iter().map(|one| strict(one, is_part)).collect(),
        one => strict(one, is_part),
    };
    let mut all = Map::new();
    for (name, value) in fields {
        let value = match name.as_str() {
            "$ref" => {
                let target = value.as_str().and_then(|text| text.rsplit('/').next()).expect("a reference");
                json!(format!("#/components/{}/{target}", if is_part { "part" } else { "whole" }))
            }
            "allOf" => each(value, true),
            "oneOf" | "anyOf" => each(value, is_part),
            "items" | "additionalProperties" => each(value, false),
            "properties" => {
                let properties = value.as_object().expect("properties");
                properties.iter().map(|(name, property)| (name.clone(), strict(property, false))).collect()
            }
            _ => value.clone(),
        };
        all.insert(name.clone(), value);
    }
    let describes = fields.contains_key("properties") || fields.contains_key("allOf");
    if describes && !is_part && !fields.contains_key("additionalProperties") {
        all.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
    }
    Value::Object(all)
}
