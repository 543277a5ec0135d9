//! What a version makes of an event, as it would be sent.

use askama::Template;
use serde::Deserialize;
use serde_json::Value;

use super::super::parts::{Icon, size, span};
use super::pretty;

/// As the API tells it.
#[derive(Debug, Deserialize)]
pub(super) struct Preview {
    outcome: String,
    #[serde(default)]
    pub(super) requests: Value,
    reason: Option<String>,
    error: Option<Failure>,
    retry_after_ms: Option<u64>,
    plugin: Run,
}

#[derive(Debug, Deserialize)]
struct Failure {
    code: String,
    message: String,
    limit: Option<String>,
    used: Option<u64>,
    allowed: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Run {
    cpu_us: u64,
    memory_bytes: u64,
    limits: Limits,
    logs: Vec<LogLine>,
    logs_dropped: u32,
    recalled: Vec<Recalled>,
}

#[derive(Debug, Deserialize)]
struct Limits {
    cpu_ms: Option<u64>,
    memory_bytes: Option<u64>,
    requests: Option<u64>,
    log_lines: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct LogLine {
    level: String,
    message: String,
}

#[derive(Debug, Deserialize)]
struct Recalled {
    key: String,
    value: Option<String>,
}

#[derive(Debug)]
struct Request {
    label: String,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// What was used beside what may be.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "used and allowed stand beside each other")]
struct Used {
    words: &'static str,
    used: String,
    allowed: String,
    part: u64,
    of: u64,
}

/// What came of a run, as a part of a page.
#[derive(Debug, Template)]
#[template(path = "plugins/output.html")]
pub(super) struct Output {
    requests: Vec<Request>,
    skipped: Option<String>,
    failure: Option<Failure>,
    retry_after: Option<String>,
    logs: Vec<LogLine>,
    logs_dropped: u32,
    recalled: Vec<Recalled>,
    used: Vec<Used>,
}

impl askama::filters::HtmlSafe for Output {}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// JSON as people read it, everything else as it is.
fn readable(body: &str) -> String {
    serde_json::from_str::<Value>(body)
        .ok()
        .filter(|value| value.is_object() || value.is_array())
        .map_or_else(|| body.to_owned(), |value| pretty(&value))
}

fn request(value: &Value) -> Request {
    let header = |field: &Value| (text(field, "name"), text(field, "value"));
    let body = match value["body_base64"].as_str() {
        Some(bytes) => format!("(bytes, in base64) {bytes}"),
        None => readable(value["body"].as_str().unwrap_or_default()),
    };
    Request {
        label: text(value, "label"),
        method: text(value, "method"),
        url: text(value, "url"),
        headers: value["headers"].as_array().into_iter().flatten().map(header).collect(),
        body,
    }
}

fn used(run: &Run, requests: u64) -> Vec<Used> {
    let micros =
        |us: u64| if us < 1000 { format!("{us} µs") } else { format!("{}.{} ms", us / 1000, us % 1000 / 100) };
    let one = |words, part: u64, of: Option<u64>, tell: &dyn Fn(u64) -> String| {
        of.map(|of| Used { words, used: tell(part), allowed: tell(of), part: part.min(of), of })
    };
    let number = |value: u64| value.to_string();
    [
        one("CPU time", run.cpu_us, run.limits.cpu_ms.map(|ms| ms * 1000), &micros),
        one("Memory", run.memory_bytes, run.limits.memory_bytes, &size),
        one("Requests", requests, run.limits.requests, &number),
        one("Log lines", run.logs.len() as u64, run.limits.log_lines, &number),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Output {
    pub(super) fn new(preview: Preview) -> Self {
        let requests: Vec<Request> = preview.requests.as_array().into_iter().flatten().map(request).collect();
        Self {
            used: used(&preview.plugin, requests.len() as u64),
            requests,
            skipped: preview.reason.filter(|_| preview.outcome == "skipped"),
            failure: preview.error,
            retry_after: preview.retry_after_ms.map(span),
            logs: preview.plugin.logs,
            logs_dropped: preview.plugin.logs_dropped,
            recalled: preview.plugin.recalled,
        }
    }
}

impl Failure {
    /// The limit that was reached, in words.
    fn reached(&self) -> Option<String> {
        let (limit, used, allowed) = (self.limit.as_ref()?, self.used?, self.allowed?);
        Some(format!("The limit {limit}: {used} were used, {allowed} are allowed."))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "so that literals can be given")]
    fn output(outcome: Value) -> String {
        let mut body = json!({ "plugin": {
            "name": "x", "version": "1.0.0", "cpu_us": 1500, "memory_bytes": 65536, "logs_dropped": 2,
            "limits": { "cpu_ms": 50, "memory_bytes": 1_048_576, "requests": 100, "log_lines": 64 },
            "logs": [{ "level": "info", "message": "<script>alert(1)</script>" }],
            "recalled": [{ "key": "card:1", "value": null }],
        } });
        body.as_object_mut().unwrap().extend(outcome.as_object().unwrap().clone());
        Output::new(serde_json::from_value(body).unwrap()).to_string()
    }

    #[test]
    fn whatever_came_of_it_is_shown_and_never_run() {
        let request = json!({
            "label": "<i>", "method": "POST", "url": "https://x/", "headers": [{ "name": "a", "value": "<b>" }],
            "body": "{\"a\":\"<img src=x onerror=alert(1)>\"}",
        });
        let shown = output(json!({ "outcome": "requests", "requests": [request] }));
        for hostile in ["<i>", "<b>", "<img", "<script"] {
            assert!(!shown.contains(hostile), "{shown}");
        }
        assert!(shown.contains("1.5 ms") && shown.contains("64.0 KiB"), "{shown}");
        let shown = output(json!({ "outcome": "skipped", "reason": "not for us" }));
        assert!(shown.contains("not for us"), "{shown}");
        let error = json!({ "code": "plugin.timeout", "message": "it ran too long", "limit": "cpu_ms", "used": 51, "allowed": 50 });
        let shown = output(json!({ "outcome": "failed", "error": error }));
        assert!(shown.contains("it ran too long") && shown.contains("50 are allowed"), "{shown}");
    }
}
