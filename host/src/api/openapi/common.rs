//! What all requests and answers have in common.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::super::auth::{CSRF_HEADER, PROJECT_HEADER, cookie_name};
use super::super::router::V1;
use super::problems;
use super::tidy::not_null;

/// What stands before everything else in the reference.
const ABOUT: &str = "Events in, signed deliveries out. Errors are problems (RFC 9457) with a stable `code`, and JSON pointers to \
the fields that are wrong; unknown fields and parameters are refused. Lists are `{items, next_cursor}`. Times are RFC 3339, \
lengths of time and sizes are whole numbers whose unit is in their name (`_ms`, `_bytes`). Sizes that are not named here are \
settings of the server, and what is too large is told with the setting's name.";

/// What each part of the API is about, by the first segment of its paths.
const TAGS: [(&str, &str); 24] = [
    ("events", "What happened: posted by providers, once, an array or lines at a time, or as CloudEvents."),
    ("event-types", "What events are about, and what their payloads look like."),
    ("webhooks", "Where events go, and how."),
    ("deliveries", "One event on its way to one webhook: its requests, attempts and answers."),
    ("jobs", "Long work: how far it is, and its end."),
    ("plugins", "Sandboxed programs that make requests of events."),
    ("gallery", "Plugins that lie ready on the server."),
    ("schedules", "Events that are emitted at certain times."),
    ("overview", "What became of recent deliveries, in numbers."),
    ("live", "A word when there is something new."),
    ("settings", "What the server was started with."),
    ("projects", "Everything in one is isolated from every other."),
    ("tokens", "What programs come with."),
    ("users", "People."),
    ("setup", "The first user of a server."),
    ("roles", "Permissions under a name."),
    ("sessions", "Where people are logged in."),
    ("me", "Whoever asks."),
    ("audit", "Who did what to what, from where, and what it changed."),
    ("healthz", "Whether the process lives."),
    ("readyz", "Whether it can work."),
    ("metrics", "What the server has counted, for Prometheus."),
    ("openapi.json", "This description."),
    ("docs", "This description, for people."),
];

/// Adds to a description what is not told at each handler.
pub(super) fn complete(document: &mut Value) {
    document["info"] = json!({
        "title": "Hookwright",
        "version": env!("CARGO_PKG_VERSION"),
        "description": ABOUT,
        "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
    });
    document["servers"] = json!([{ "url": "/" }]);
    let tags = TAGS.iter().map(|(name, description)| json!({ "name": name, "description": description }));
    document["tags"] = tags.collect();
    let components = &mut document["components"];
    components["responses"] = problems::responses();
    components["headers"] = headers();
    components["parameters"] = json!({ "Project": project() });
    components["securitySchemes"] = security_schemes();
    let paths = std::mem::take(&mut document["paths"]);
    let Value::Object(paths) = paths else { return };
    let all = paths.into_iter().map(|(path, mut methods)| {
        if let Value::Object(methods) = &mut methods {
            for (method, operation) in methods.iter_mut() {
                complete_operation(&path, method, operation);
            }
        }
        let is_apart = matches!(path.as_str(), "/healthz" | "/readyz" | "/metrics");
        (if is_apart { path } else { format!("{V1}{path}") }, methods)
    });
    document["paths"] = Value::Object(all.collect());
}

fn headers() -> Value {
    let text = |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    let number = |description: &str| json!({ "description": description, "schema": { "type": "integer", "format": "int64", "minimum": 0 } });
    json!({
        "X-Request-Id": text("What the request is called in the server's log, in the audit log and in what it made; taken \
                              over from the request if it has one of at most 128 letters, digits and `-_.:`."),
        "RateLimit": text("What is left: `\"api\";r=REMAINING;t=SECONDS`."),
        "RateLimit-Policy": text("What is allowed: `\"api\";q=REQUESTS;w=SECONDS`."),
        "ETag": text("The version that the answer shows, for `If-Match`."),
        "Location": text("Where what was made is found."),
        "Set-Cookie": text("The session, for browsers."),
        "Retry-After": number("Seconds after which asking again makes sense."),
        "WWW-Authenticate": text("`Bearer`."),
    })
}

fn project() -> Value {
    json!({
        "name": PROJECT_HEADER,
        "in": "header",
        "required": false,
        "description": "The project that is worked in, by its id or its external id: the caller's only one, or the default \
                        one, when absent.",
        "schema": { "type": "string" },
    })
}

fn security_schemes() -> Value {
    let token = "A token: made at `/api/v1/tokens`; the first one is in the server's admin token file. The names of \
                 permissions stand beside it: all of one entry are needed. `admin` is everything in the project; \
                 what ends in `:everywhere` must be held for all projects.";
    let session = format!(
        "The cookie that a login sets. What changes something also needs the header `{CSRF_HEADER}` as the login, or \
         `/api/v1/me`, tells it."
    );
    json!({
        "token": { "type": "http", "scheme": "bearer", "description": token },
        "session": { "type": "apiKey", "in": "cookie", "name": cookie_name(false), "description": session },
    })
}

/// The first segment of a path, which says what it is about.
fn tag(path: &str) -> &str {
    path.trim_start_matches('/').split('/').next().unwrap_or_default()
}

/// A name for an operation that has only its handler's.
fn operation_id(path: &str, handler: &str) -> String {
    let word = |text: &str| text.replace(['-', '.'], "_");
    if handler.starts_with(&format!("{}_", word(tag(path)))) {
        return handler.to_owned();
    }
    let mut words: Vec<String> =
        path.split('/').filter(|part| !part.is_empty() && !part.starts_with('{')).map(word).collect();
    if words.last().is_none_or(|last| last != handler) {
        words.push(handler.to_owned());
    }
    words.join("_")
}

/// What is in braces in a path.
fn path_parameters(path: &str) -> Vec<Value> {
    let segments: Vec<&str> = path.split('/').collect();
    let mut parameters = Vec::new();
    for pair in segments.windows(2) {
        let Some(name) = pair[1].strip_prefix('{').and_then(|name| name.strip_suffix('}')) else { continue };
        let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
        let text = json!({ "type": "string" });
        let (description, schema) = match (pair[0], name) {
            ("events", _) => ("The event.", reference("EventId")),
            ("event-types", _) => ("The type's name.", reference("EventType")),
            ("by-external-id", _) => {
                ("The external id.", json!({ "type": "string", "minLength": 1, "maxLength": 255 }))
            }
            ("members", _) => ("The user, by their id or their address.", text),
            ("webhooks", _) => ("The webhook.", reference("WebhookId")),
            ("deliveries", _) => ("The delivery.", reference("DeliveryId")),
            ("jobs", _) => ("The job.", reference("JobId")),
            ("projects", _) => ("The project.", reference("ProjectId")),
            ("schedules", _) => ("The schedule.", reference("ScheduleId")),
            ("tokens", _) => ("The token.", reference("TokenId")),
            ("users", _) => ("The user.", reference("UserId")),
            ("sessions", _) => ("The session; `current` is the one that the request comes with.", text),
            ("roles", _) => ("The role's name.", text),
            ("plugins" | "gallery", _) => ("The plugin's name.", text),
            ("versions", _) => ("The version, or its digest.", text),
            (_, _) => ("", text),
        };
        parameters.push(
            json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema }),
        );
    }
    parameters
}

/// Everything that follows from what a handler says of itself.
fn complete_operation(path: &str, method: &str, operation: &mut Value) {
    operation["tags"] = json!([tag(path)]);
    let handler = operation["operationId"].as_str().unwrap_or_default();
    operation["operationId"] = operation_id(path, handler).into();
    let said = complete_security(operation);
    let mut parameters = path_parameters(path);
    if let Some(Value::Array(told)) = operation.get_mut("parameters").map(Value::take) {
        parameters.extend(told.into_iter().filter(|parameter| parameter["in"] != "path"));
    }
    let takes = |parameters: &[Value], field: &str, value: &str| parameters.iter().any(|one| one[field] == value);
    let mut refusals = Vec::new();
    if said.is_asked_for {
        refusals.extend([400, 401, 404, 429, 503]);
        let changes = !matches!(method, "get" | "head");
        if said.needs_permission || changes {
            refusals.push(403);
        }
        parameters.push(json!({ "$ref": "#/components/parameters/Project" }));
    }
    for parameter in &mut parameters {
        // A header is there or not; there is none that is null.
        if parameter["in"] == "header" && parameter["schema"]["type"] == json!(["string", "null"]) {
            parameter["schema"]["type"] = json!("string");
        }
    }
    if let Some(body) = operation.get_mut("requestBody") {
        complete_contents(body);
        refusals.extend([400, 413, 415, 422]);
    }
    if takes(&parameters, "in", "query") {
        refusals.push(400);
    }
    if takes(&parameters, "name", "If-Match") {
        refusals.push(412);
    }
    if takes(&parameters, "name", "Idempotency-Key") {
        refusals.push(422);
    }
    if matches!(tag(path), "readyz" | "setup") {
        refusals.push(503);
    }
    if tag(path) == "sessions" && method == "post" {
        refusals.extend([429, 503]);
    }
    if parameters.is_empty() {
        if let Value::Object(operation) = operation {
            operation.remove("parameters");
        }
    } else {
        operation["parameters"] = Value::Array(parameters);
    }
    complete_responses(operation, &refusals, said.is_asked_for);
}

/// Bytes are bytes, and what may be absent is not null where it is there.
fn complete_contents(told: &mut Value) {
    let Some(Value::Object(contents)) = told.get_mut("content") else { return };
    for (media_type, content) in contents.iter_mut() {
        if media_type == "application/wasm" {
            content["schema"] = json!({ "type": "string", "format": "binary" });
        } else if let Some(schema) = not_null(&content["schema"]).cloned() {
            content["schema"] = schema;
        }
    }
}

/// Who may call it, in short.
struct Said {
    is_asked_for: bool,
    needs_permission: bool,
}

/// Whoever has logged in may do what a token of the same permissions may.
fn complete_security(operation: &mut Value) -> Said {
    let Some(Value::Array(told)) = operation.get_mut("security") else {
        return Said { is_asked_for: false, needs_permission: false };
    };
    told.retain(|one| one.as_object().is_some_and(|schemes| !schemes.is_empty()));
    let needed: Vec<Value> = told.iter().filter_map(|one| one.get("token")).cloned().collect();
    let has_session = |told: &[Value], needed: &Value| told.iter().any(|one| one.get("session") == Some(needed));
    for needed in &needed {
        if !has_session(told, needed) {
            told.push(json!({ "session": needed }));
        }
    }
    let needs_permission =
        needed.is_empty() || needed.iter().any(|names| names.as_array().is_some_and(|n| !n.is_empty()));
    Said { is_asked_for: !told.is_empty(), needs_permission: needs_permission && !told.is_empty() }
}

fn complete_responses(operation: &mut Value, refusals: &[u16], is_counted: bool) {
    let Some(Value::Object(told)) = operation.get_mut("responses").map(Value::take) else { return };
    let mut responses = Map::new();
    for (status, mut response) in told {
        let code: StatusCode = status.parse().unwrap_or(StatusCode::OK);
        if response["description"].as_str().unwrap_or_default().is_empty() {
            response["description"] = format!("{}.", code.canonical_reason().unwrap_or_default()).into();
        }
        complete_contents(&mut response);
        let told = response["headers"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
        let mut names: Vec<String> = told.chain(["X-Request-Id".to_owned()]).collect();
        if is_counted {
            names.extend(["RateLimit", "RateLimit-Policy"].map(ToOwned::to_owned));
        }
        if code.is_client_error() || code.is_server_error() {
            response["content"] = problems::content();
        }
        for name in names {
            response["headers"][&name] = json!({ "$ref": format!("#/components/headers/{name}") });
        }
        responses.insert(status, response);
    }
    for status in refusals {
        responses.entry(status.to_string()).or_insert_with(|| problems::reference(*status));
    }
    responses.sort_keys();
    operation["responses"] = Value::Object(responses);
}
