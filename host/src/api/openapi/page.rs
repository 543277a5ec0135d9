//! The description, for people: one page made at the first request, without a script and without anything from elsewhere.

use std::fmt::Write as _;
use std::sync::LazyLock;

use askama::Template;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use super::{DOCUMENT, example};

/// Nothing but our own style sheet.
const POLICY: (HeaderName, HeaderValue) = (
    header::CONTENT_SECURITY_POLICY,
    HeaderValue::from_static(
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
);
const STYLE: &str = include_str!("../../../templates/reference/reference.css");

#[derive(Template)]
#[template(path = "reference.html")]
struct Reference {
    version: String,
    about: String,
    groups: Vec<Group>,
    schemas: Vec<SchemaView>,
}

/// One part of the API.
struct Group {
    name: String,
    description: String,
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    description: String,
    /// Each enough by itself.
    access: Vec<String>,
    parameters: Vec<Row>,
    bodies: Vec<Content>,
    answers: Vec<Answer>,
}

/// A parameter or a field.
struct Row {
    name: String,
    place: String,
    kind: Kind,
    is_required: bool,
    description: String,
}

/// What type something has, as HTML.
struct Kind(String);

struct Content {
    media_type: String,
    kind: Kind,
    example: String,
}

struct Answer {
    status: String,
    description: String,
    bodies: Vec<Content>,
}

struct SchemaView {
    name: String,
    description: String,
    kind: Kind,
    fields: Vec<Row>,
}

/// Text of ours for a page: what stands between backticks as code.
fn prose(text: &str) -> String {
    let mut html = String::new();
    for (index, part) in text.split('`').enumerate() {
        let part = escape(part);
        let _ = if index % 2 == 0 { write!(html, "{part}") } else { write!(html, "<code>{part}</code>") };
    }
    html.replace("\n\n", "<br>")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

fn items<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn entries<'v>(value: &'v Value, field: &str) -> impl Iterator<Item = (&'v String, &'v Value)> + use<'v> {
    value[field].as_object().into_iter().flatten()
}

/// The type of a schema, in short.
fn kind(schema: &Value) -> Kind {
    Kind(kind_html(schema))
}

fn kind_html(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    for either in ["oneOf", "anyOf"] {
        if !items(schema, either).is_empty() {
            return items(schema, either).iter().map(kind_html).collect::<Vec<_>>().join(" or ");
        }
    }
    if !items(schema, "allOf").is_empty() {
        return "object".to_owned();
    }
    if !items(schema, "enum").is_empty() {
        let values = items(schema, "enum").iter().map(|value| format!("<code>{}</code>", escape(&plain(value))));
        return values.collect::<Vec<_>>().join(" ");
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().map(plain).collect::<Vec<_>>(),
        Value::String(one) => vec![one.clone()],
        _ => vec!["anything".to_owned()],
    };
    let mut html = types.join(" or ");
    if types.iter().any(|one| one == "array") {
        html = html.replace("array", &format!("list of {}", kind_html(&schema["items"])));
    }
    if let Some(of) = schema.get("additionalProperties").filter(|of| of.is_object()) {
        let _ = write!(html, " of {}", kind_html(of));
    }
    html + &bounds(schema)
}

/// What a schema's keywords bound.
fn bounds(schema: &Value) -> String {
    let between = |least: &str, most: &str, unit: &str| match (schema.get(least), schema.get(most)) {
        (Some(least), Some(most)) => format!(", {least} to {most}{unit}"),
        (Some(least), None) if *least != 0 => format!(", at least {least}{unit}"),
        (None, Some(most)) => format!(", at most {most}{unit}"),
        _ => String::new(),
    };
    let mut all = between("minimum", "maximum", "");
    all += &between("minLength", "maxLength", " characters");
    all += &between("minItems", "maxItems", " items");
    if let Some(format) = schema["format"].as_str().filter(|format| !format.starts_with("int")) {
        let _ = write!(all, ", {format}");
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        let _ = write!(all, ", <code>{}</code>", escape(pattern));
    }
    if let Some(default) = schema.get("default") {
        let _ = write!(all, ", default <code>{}</code>", escape(&plain(default)));
    }
    all
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// What a reference stands for.
fn resolve<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

fn parameter(document: &Value, told: &Value) -> Row {
    let told = resolve(document, told);
    Row {
        name: text(told, "name"),
        place: text(told, "in"),
        kind: kind(&told["schema"]),
        is_required: told["required"] == true,
        description: prose(&text(told, "description")),
    }
}

fn contents(document: &Value, told: &Value) -> Vec<Content> {
    let content = |(media_type, told): (&String, &Value)| Content {
        media_type: media_type.clone(),
        kind: kind(&told["schema"]),
        example: match example::of(document, &told["schema"]) {
            Some(example) if media_type.contains("json") => format!("{example:#}"),
            _ => String::new(),
        },
    };
    entries(told, "content").map(content).collect()
}

/// Who may call it: each entry is enough.
fn access(told: &Value) -> Vec<String> {
    let mut all = Vec::new();
    for one in items(told, "security") {
        for (scheme, names) in one.as_object().into_iter().flatten() {
            let names: Vec<String> = names.as_array().into_iter().flatten().map(plain).collect();
            let text = match (scheme.as_str(), names.as_slice()) {
                ("token", []) => "any token or session".to_owned(),
                ("session", []) => "any session".to_owned(),
                (_, names) => names.iter().map(|name| format!("<code>{name}</code>")).collect::<Vec<_>>().join(" and "),
            };
            let is_told = |told: &str| all.iter().any(|text| text == told);
            if !is_told(&text) && (text != "any session" || !is_told("any token or session")) {
                all.push(text);
            }
        }
    }
    if all.is_empty() {
        all.push("everybody".to_owned());
    }
    all
}

fn operation(document: &Value, path: &str, method: &str, told: &Value) -> Operation {
    let answer = |(status, told): (&String, &Value)| {
        let is_problem = status.starts_with(['4', '5']);
        let told = resolve(document, told);
        Answer {
            status: status.clone(),
            description: prose(&text(told, "description")),
            bodies: if is_problem { Vec::new() } else { contents(document, told) },
        }
    };
    Operation {
        id: text(told, "operationId"),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: prose(&text(told, "summary")),
        description: prose(&text(told, "description")),
        access: access(told),
        parameters: items(told, "parameters").iter().map(|told| parameter(document, told)).collect(),
        bodies: contents(document, &told["requestBody"]),
        answers: entries(told, "responses").map(answer).collect(),
    }
}

/// The fields of a schema, those of what it is made of among them.
fn fields(document: &Value, schema: &Value) -> Vec<Row> {
    let mut rows = Vec::new();
    for part in items(schema, "allOf") {
        rows.extend(fields(document, resolve(document, part)));
    }
    let required = items(schema, "required");
    for (name, field) in entries(schema, "properties") {
        rows.push(Row {
            name: name.clone(),
            place: String::new(),
            kind: kind(field),
            is_required: required.iter().any(|required| required == name),
            description: prose(&text(field, "description")),
        });
    }
    rows
}

fn reference(document: &Value) -> Reference {
    let group = |tag: &Value| {
        let of_group = |told: &Value| told["tags"][0] == tag["name"];
        let operations = entries(document, "paths").flat_map(|(path, methods)| {
            let methods = methods.as_object().into_iter().flatten();
            let methods = methods.filter(|(_, told)| of_group(told));
            methods.map(|(method, told)| operation(document, path, method, told)).collect::<Vec<_>>()
        });
        Group {
            name: text(tag, "name"),
            description: prose(&text(tag, "description")),
            operations: operations.collect(),
        }
    };
    let schema = |(name, schema): (&String, &Value)| SchemaView {
        name: name.clone(),
        description: prose(&text(schema, "description")),
        kind: kind(schema),
        fields: fields(document, schema),
    };
    Reference {
        version: text(&document["info"], "version"),
        about: prose(&text(&document["info"], "description")),
        groups: items(document, "tags").iter().map(group).collect(),
        schemas: entries(&document["components"], "schemas").map(schema).collect(),
    }
}

static PAGE: LazyLock<String> =
    LazyLock::new(|| reference(&DOCUMENT).render().expect("a page of plain text can be written"));

/// This description, for people: it needs no internet.
#[utoipa::path(
    get,
    path = "/docs",
    security(()),
    responses((status = OK, body = String, content_type = "text/html", description = "The page."))
)]
pub(in super::super) async fn docs() -> Response {
    let media_type = (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    ([media_type, POLICY], PAGE.as_str()).into_response()
}

/// How the page looks.
#[utoipa::path(
    get,
    path = "/docs/style.css",
    security(()),
    responses((status = OK, body = String, content_type = "text/css", description = "The style sheet."))
)]
pub(in super::super) async fn style() -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"))], STYLE).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_every_operation_and_runs_nothing() {
        let operations = entries(&DOCUMENT, "paths").flat_map(|(_, methods)| methods.as_object().into_iter().flatten());
        for (_, told) in operations {
            let id = text(told, "operationId");
            assert!(PAGE.contains(&format!("id=\"{id}\"")), "{id}");
        }
        for (name, _) in entries(&DOCUMENT["components"], "schemas") {
            assert!(PAGE.contains(&format!("id=\"schema-{name}\"")), "{name}");
        }
        assert!(!PAGE.contains("<script") && !PAGE.contains("style=") && !PAGE.contains("http:"));
        assert!(!PAGE.contains("src=") && PAGE.matches("<link").count() == 1);
    }

    #[test]
    fn text_of_the_page_is_escaped() {
        assert_eq!(prose("a `b<c` & d"), "a <code>b&lt;c</code> &amp; d");
    }
}
