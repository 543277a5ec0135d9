//! What a plugin's requests must keep to. Breaking a rule fails the whole result, and the message names the rule.

use std::collections::HashSet;
use std::fmt;

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use super::credential::{Credential, Placement};
use super::event::Field;
use super::request::{
    Body, BodyKind, FORM, FrozenRequest, JSON, METHODS, PluginRequest, RequestSpec, TEXT, encode_form,
};
use super::webhook::{is_header_name, is_header_value, is_reserved_header};

/// How much a plugin may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestLimits {
    /// Requests for one event; at most 1,000.
    pub requests: usize,
    /// Headers, and query parameters, of one request.
    pub fields: usize,
    /// Bytes of one header or query parameter, name and value.
    pub field_bytes: usize,
    /// Segments of a path.
    pub path_segments: usize,
    /// Bytes of one segment.
    pub path_segment_bytes: usize,
    /// Characters of a label.
    pub label_chars: usize,
    /// Credentials of one request.
    pub credentials: usize,
    /// Parts of one credential.
    pub credential_parts: usize,
    /// Characters of a correlation.
    pub correlation_chars: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            requests: 100,
            fields: 64,
            field_bytes: 8 * 1024,
            path_segments: 32,
            path_segment_bytes: 1024,
            label_chars: 200,
            credentials: 8,
            credential_parts: 16,
            correlation_chars: 255,
        }
    }
}

/// A rule that a request broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenRule {
    /// The rule's name, for programs.
    pub rule: &'static str,
    /// Which request, from 0.
    pub request: usize,
    /// What is wrong, for the plugin's author.
    pub message: String,
    /// For limits: what was used and what is allowed.
    pub limit: Option<(u64, u64)>,
}

impl fmt::Display for BrokenRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request {}: {} ({})", self.request + 1, self.message, self.rule)
    }
}

impl std::error::Error for BrokenRule {}

fn broken(rule: &'static str, message: impl Into<String>) -> BrokenRule {
    BrokenRule { rule, request: 0, message: message.into(), limit: None }
}

fn at_most(rule: &'static str, what: &str, used: usize, allowed: usize) -> Result<(), BrokenRule> {
    if used <= allowed {
        return Ok(());
    }
    Err(BrokenRule {
        limit: Some((used as u64, allowed as u64)),
        ..broken(rule, format!("{what}: {used}, allowed are {allowed}"))
    })
}

/// Checks a plugin's requests and freezes them.
///
/// `url_query` are the names in the webhook's own query; `secret_is_known` says whether a secret's name may be used.
pub fn freeze(
    requests: Vec<PluginRequest>,
    limits: &RequestLimits,
    url_query: &[String],
    secret_is_known: &dyn Fn(&str) -> bool,
) -> Result<Vec<FrozenRequest>, BrokenRule> {
    at_most("requests", "requests for one event", requests.len(), limits.requests)?;
    requests
        .into_iter()
        .enumerate()
        .map(|(index, request)| {
            freeze_one(request, limits, url_query, secret_is_known)
                .map_err(|broken| BrokenRule { request: index, ..broken })
        })
        .collect()
}

fn freeze_one(
    request: PluginRequest,
    limits: &RequestLimits,
    url_query: &[String],
    secret_is_known: &dyn Fn(&str) -> bool,
) -> Result<FrozenRequest, BrokenRule> {
    at_most("label", "characters of the label", request.label.chars().count(), limits.label_chars)?;
    if let Some(correlation) = &request.correlation {
        at_most("correlation", "characters of the correlation", correlation.chars().count(), limits.correlation_chars)?;
    }
    if !METHODS.contains(&request.method.as_str()) {
        return Err(broken("method", format!("the method {:?} is none of {}", request.method, METHODS.join(", "))));
    }
    check_path(&request.path, limits)?;
    check_query(&request.query, url_query, limits)?;
    let own_content_type = check_headers(&request.headers, limits)?;
    let (body_kind, implied_type, body) = freeze_body(request.body)?;
    let spec = RequestSpec {
        label: request.label,
        method: request.method,
        path: request.path,
        query: request.query,
        headers: request.headers.into_iter().filter(|field| !is_content_type(&field.name)).collect(),
        body_kind,
        content_type: own_content_type.or(implied_type),
        credentials: request.credentials,
        correlation: request.correlation,
    };
    check_credentials(&spec, &body, url_query, limits, secret_is_known)?;
    Ok(FrozenRequest { spec, body })
}

/// Checks what depends on the webhook as it is now: its URL may have changed since the request was frozen.
pub fn recheck(spec: &RequestSpec, url_query: &[String]) -> Result<(), BrokenRule> {
    let placed = spec.credentials.iter().filter_map(|credential| match &credential.placement {
        Placement::Query { name } => Some(name),
        _ => None,
    });
    for name in spec.query.iter().map(|field| &field.name).chain(placed) {
        if url_query.contains(name) {
            return Err(repeats_url_query(name));
        }
    }
    Ok(())
}

fn repeats_url_query(name: &str) -> BrokenRule {
    broken("query_repeated", format!("the query parameter {name:?} stands in the webhook's URL already"))
}

fn is_content_type(name: &str) -> bool {
    name.eq_ignore_ascii_case("content-type")
}

fn check_path(path: &[String], limits: &RequestLimits) -> Result<(), BrokenRule> {
    at_most("path_segments", "segments of the path", path.len(), limits.path_segments)?;
    for segment in path {
        at_most("path_segment_bytes", "bytes of a path segment", segment.len(), limits.path_segment_bytes)?;
        // A receiver may decode more than once, so what any number of decodings gives must be harmless.
        let mut decoded = segment.clone();
        loop {
            if decoded.is_empty() || decoded == "." || decoded == ".." {
                return Err(broken(
                    "path_segment",
                    format!("the path segment {segment:?} is empty or leads elsewhere"),
                ));
            }
            if decoded.chars().any(|c| c == '/' || c == '\\' || c.is_control()) {
                return Err(broken(
                    "path_segment",
                    format!("the path segment {segment:?} holds a slash or a control character"),
                ));
            }
            let next = percent_decode_str(&decoded).decode_utf8_lossy().into_owned();
            if next == decoded {
                break;
            }
            decoded = next;
        }
    }
    Ok(())
}

fn check_query(query: &[Field], url_query: &[String], limits: &RequestLimits) -> Result<(), BrokenRule> {
    at_most("query_parameters", "query parameters", query.len(), limits.fields)?;
    for field in query {
        at_most("query_bytes", "bytes of a query parameter", field.name.len() + field.value.len(), limits.field_bytes)?;
        if field.name.is_empty() {
            return Err(broken("query_name", "a query parameter has no name"));
        }
        if url_query.contains(&field.name) {
            return Err(repeats_url_query(&field.name));
        }
    }
    Ok(())
}

/// Checks headers; the answer is the plugin's own `Content-Type`.
fn check_headers(headers: &[Field], limits: &RequestLimits) -> Result<Option<String>, BrokenRule> {
    at_most("headers", "headers", headers.len(), limits.fields)?;
    let mut seen = HashSet::new();
    let mut content_type = None;
    for field in headers {
        at_most("header_bytes", "bytes of a header", field.name.len() + field.value.len(), limits.field_bytes)?;
        if !is_header_name(&field.name) {
            return Err(broken("header_name", format!("{:?} is no header name", field.name)));
        }
        if !is_header_value(&field.value) {
            return Err(broken(
                "header_value",
                format!("the value of {} holds a line break or another character that headers cannot", field.name),
            ));
        }
        if is_reserved_header(&field.name) {
            return Err(broken("header_reserved", format!("the header {} is set by the server", field.name)));
        }
        if field.name.eq_ignore_ascii_case("authorization") {
            return Err(broken("header_authorization", "Authorization is set by a credential only"));
        }
        if !seen.insert(field.name.to_ascii_lowercase()) {
            return Err(broken("header_repeated", format!("the header {} stands twice", field.name)));
        }
        if is_content_type(&field.name) {
            content_type = Some(field.value.clone());
        }
    }
    Ok(content_type)
}

fn freeze_body(body: Body) -> Result<(BodyKind, Option<String>, Bytes), BrokenRule> {
    Ok(match body {
        Body::None => (BodyKind::None, None, Bytes::new()),
        Body::Json(text) => {
            serde_json::from_str::<serde::de::IgnoredAny>(&text)
                .map_err(|error| broken("body_json", format!("the body is not JSON: {error}")))?;
            (BodyKind::Json, Some(JSON.to_owned()), Bytes::from(text))
        }
        Body::Form(fields) => (BodyKind::Form, Some(FORM.to_owned()), Bytes::from(encode_form(&fields))),
        Body::Text(text) => (BodyKind::Opaque, Some(TEXT.to_owned()), Bytes::from(text)),
        Body::Bytes { content_type, data } => {
            if content_type.is_empty() || !is_header_value(&content_type) {
                return Err(broken("body_content_type", format!("{content_type:?} is no media type")));
            }
            (BodyKind::Opaque, Some(content_type), Bytes::from(data))
        }
    })
}

fn check_credentials(
    spec: &RequestSpec,
    body: &Bytes,
    url_query: &[String],
    limits: &RequestLimits,
    secret_is_known: &dyn Fn(&str) -> bool,
) -> Result<(), BrokenRule> {
    at_most("credentials", "credentials", spec.credentials.len(), limits.credentials)?;
    let mut places = HashSet::new();
    for credential in &spec.credentials {
        at_most("credential_parts", "parts of a credential", credential.value.len(), limits.credential_parts)?;
        if let Some(name) = credential.secret_names().find(|name| !secret_is_known(name)) {
            return Err(broken("secret_unknown", format!("the secret {name:?} is not in the manifest")));
        }
        if !places.insert(place(credential)) {
            return Err(broken("credential_repeated", "two credentials go to the same place"));
        }
        check_placement(&credential.placement, spec, body, url_query)?;
    }
    Ok(())
}

fn place(credential: &Credential) -> (u8, String) {
    match &credential.placement {
        Placement::Bearer | Placement::Basic { .. } => (0, "authorization".to_owned()),
        Placement::Header { name } => (0, name.to_ascii_lowercase()),
        Placement::Query { name } => (1, name.clone()),
        Placement::JsonBody { name } => (2, name.clone()),
        Placement::FormBody { name } => (3, name.clone()),
    }
}

fn check_placement(
    placement: &Placement,
    spec: &RequestSpec,
    body: &Bytes,
    url_query: &[String],
) -> Result<(), BrokenRule> {
    match placement {
        Placement::Basic { name } if name.contains(':') || name.chars().any(char::is_control) => {
            Err(broken("credential_user", "the user of basic authentication holds a colon or a control character"))
        }
        Placement::Bearer | Placement::Basic { .. } => Ok(()),
        Placement::Header { name } => {
            if !is_header_name(name) || is_reserved_header(name) || is_content_type(name) {
                return Err(broken(
                    "credential_header",
                    format!("a credential cannot be put into the header {name:?}"),
                ));
            }
            if spec.headers.iter().any(|field| field.name.eq_ignore_ascii_case(name)) {
                return Err(broken("header_repeated", format!("the header {name} stands twice")));
            }
            Ok(())
        }
        Placement::Query { name } => {
            if name.is_empty() {
                return Err(broken("query_name", "a query parameter has no name"));
            }
            if url_query.contains(name) || spec.query.iter().any(|field| &field.name == name) {
                return Err(broken("query_repeated", format!("the query parameter {name:?} stands twice")));
            }
            Ok(())
        }
        Placement::JsonBody { name } => {
            if spec.body_kind != BodyKind::Json {
                return Err(broken("credential_body", "a credential in a JSON body needs a JSON body"));
            }
            let mut value = serde_json::from_slice(body).map_err(|error| broken("body_json", error.to_string()))?;
            insert_at(&mut value, name, String::new()).ok_or_else(|| {
                broken("credential_pointer", format!("the pointer {name:?} does not name a new place in the body"))
            })
        }
        Placement::FormBody { name } => {
            if spec.body_kind != BodyKind::Form {
                return Err(broken("credential_body", "a credential in a form body needs a form body"));
            }
            if url::form_urlencoded::parse(body).any(|(existing, _)| existing == name.as_str()) {
                return Err(broken("credential_repeated", format!("the form field {name:?} stands twice")));
            }
            Ok(())
        }
    }
}

/// Puts a string at a JSON Pointer (RFC 6901) whose last part does not exist yet; none when there is no such place.
pub fn insert_at(value: &mut serde_json::Value, pointer: &str, text: String) -> Option<()> {
    let (parent, last) = pointer.rsplit_once('/')?;
    let last = last.replace("~1", "/").replace("~0", "~");
    match value.pointer_mut(parent)? {
        serde_json::Value::Object(map) if !map.contains_key(&last) => {
            map.insert(last, text.into());
            Some(())
        }
        serde_json::Value::Array(items) if last == "-" => {
            items.push(text.into());
            Some(())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::credential::Part;
    use super::*;

    fn request() -> PluginRequest {
        PluginRequest {
            label: String::new(),
            method: "POST".to_owned(),
            path: Vec::new(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::Json("{\"a\":{}}".to_owned()),
            credentials: Vec::new(),
            correlation: None,
        }
    }

    fn check(request: PluginRequest) -> Result<FrozenRequest, &'static str> {
        let url_query = ["key".to_owned()];
        freeze(vec![request], &RequestLimits::default(), &url_query, &|name| name == "token")
            .map(|mut frozen| frozen.remove(0))
            .map_err(|broken| broken.rule)
    }

    fn credential(placement: Placement) -> PluginRequest {
        PluginRequest {
            credentials: vec![Credential { placement, value: vec![Part::Secret("token".to_owned())] }],
            ..request()
        }
    }

    #[test]
    fn a_harmless_request_passes() {
        let frozen = check(PluginRequest { path: vec!["cards".to_owned(), "$a b".to_owned()], ..request() }).unwrap();
        assert_eq!(frozen.spec.content_type.as_deref(), Some("application/json"));
        assert_eq!(frozen.body, "{\"a\":{}}");
    }

    #[test]
    fn a_frozen_request_is_shown_as_it_was_made() {
        let fields = vec![Field::new("a b", "1&2"), Field::new("ü", "")];
        let bytes = Body::Bytes { content_type: "image/png".to_owned(), data: vec![0, 255] };
        for body in
            [Body::None, Body::Json("{}".to_owned()), Body::Form(fields.clone()), Body::Text("x".to_owned()), bytes]
        {
            for content_type in [None, Some("application/vnd.later+json")] {
                let mut headers = vec![Field::new("X-A", "1")];
                headers
                    .extend(content_type.filter(|_| body != Body::None).map(|value| Field::new("content-type", value)));
                let made = PluginRequest {
                    label: "card".to_owned(),
                    path: vec!["cards".to_owned()],
                    query: vec![Field::new("a", "b")],
                    correlation: Some("ticket:42".to_owned()),
                    headers,
                    body: body.clone(),
                    ..request()
                };
                let again = check(made.clone()).unwrap().as_made();
                if content_type.is_none() {
                    assert_eq!(again, made);
                }
                // A media type of its own may make it other bytes, but never another request.
                assert_eq!(check(again), check(made));
            }
        }
    }

    #[test]
    fn every_way_out_of_the_path_is_refused() {
        for segment in
            ["", ".", "..", "a/b", "a\\b", "%2e%2e", "%252e%252e", "%2f", "%5c", "a\nb", "%0a", "%00", ".%2e"]
        {
            assert_eq!(
                check(PluginRequest { path: vec![segment.to_owned()], ..request() }),
                Err("path_segment"),
                "{segment:?}"
            );
        }
    }

    #[test]
    fn reserved_repeated_and_broken_headers_are_refused() {
        let with =
            |name: &str, value: &str| check(PluginRequest { headers: vec![Field::new(name, value)], ..request() });
        for name in [
            "Host",
            "Content-Length",
            "TE",
            "Cookie",
            "Proxy-X",
            "Forwarded",
            "X-Forwarded-For",
            "webhook-id",
            "X-Hub-Signature",
        ] {
            assert_eq!(with(name, "x"), Err("header_reserved"), "{name}");
        }
        assert_eq!(with("Authorization", "x"), Err("header_authorization"));
        assert_eq!(with("X-A", "a\r\nb: c"), Err("header_value"));
        assert_eq!(with("X A", "a"), Err("header_name"));
        let twice = vec![Field::new("X-A", "1"), Field::new("x-a", "2")];
        assert_eq!(check(PluginRequest { headers: twice, ..request() }), Err("header_repeated"));
        assert_eq!(
            with("content-type", "application/ld+json").unwrap().spec.content_type.as_deref(),
            Some("application/ld+json")
        );
    }

    #[test]
    fn the_urls_own_query_is_not_repeated() {
        let own = PluginRequest { query: vec![Field::new("key", "x")], ..request() };
        assert_eq!(check(own), Err("query_repeated"));
        assert_eq!(check(credential(Placement::Query { name: "key".to_owned() })), Err("query_repeated"));
    }

    #[test]
    fn credentials_go_to_free_places_of_the_right_kind() {
        assert!(check(credential(Placement::Bearer)).is_ok());
        assert!(check(credential(Placement::Header { name: "Authorization".to_owned() })).is_ok());
        assert!(check(credential(Placement::JsonBody { name: "/a/token".to_owned() })).is_ok());
        assert_eq!(check(credential(Placement::JsonBody { name: "/a".to_owned() })), Err("credential_pointer"));
        assert_eq!(check(credential(Placement::JsonBody { name: "/b/c".to_owned() })), Err("credential_pointer"));
        assert_eq!(check(credential(Placement::FormBody { name: "token".to_owned() })), Err("credential_body"));
        assert_eq!(check(credential(Placement::Basic { name: "a:b".to_owned() })), Err("credential_user"));
        assert_eq!(
            check(credential(Placement::Header { name: "webhook-signature".to_owned() })),
            Err("credential_header")
        );
        let mut twice = credential(Placement::Bearer);
        twice
            .credentials
            .push(Credential { placement: Placement::Header { name: "authorization".to_owned() }, value: Vec::new() });
        assert_eq!(check(twice), Err("credential_repeated"));
        let unknown = Credential { placement: Placement::Bearer, value: vec![Part::Secret("other".to_owned())] };
        assert_eq!(check(PluginRequest { credentials: vec![unknown], ..request() }), Err("secret_unknown"));
    }

    #[test]
    fn limits_hold_at_their_edge() {
        let limits = RequestLimits::default();
        let freeze_n = |n| freeze(vec![request(); n], &limits, &[], &|_| true);
        assert!(freeze_n(limits.requests).is_ok());
        let broken = freeze_n(limits.requests + 1).unwrap_err();
        assert_eq!((broken.rule, broken.limit), ("requests", Some((101, 100))));
        let headers = |n: usize| {
            check(PluginRequest { headers: (0..n).map(|i| Field::new(format!("x-{i}"), "")).collect(), ..request() })
        };
        assert!(headers(64).is_ok());
        assert_eq!(headers(65), Err("headers"));
        let long = |n: usize| check(PluginRequest { headers: vec![Field::new("x", "v".repeat(n - 1))], ..request() });
        assert!(long(8192).is_ok());
        assert_eq!(long(8193), Err("header_bytes"));
    }

    #[test]
    fn methods_and_bodies_are_checked() {
        assert_eq!(check(PluginRequest { method: "TRACE".to_owned(), ..request() }), Err("method"));
        assert_eq!(check(PluginRequest { body: Body::Json("{".to_owned()), ..request() }), Err("body_json"));
        let bytes = Body::Bytes { content_type: "a\r\nb".to_owned(), data: Vec::new() };
        assert_eq!(check(PluginRequest { body: bytes, ..request() }), Err("body_content_type"));
    }
}
