//! A delivery for people: each request, each attempt, what was said.

use serde_json::Value;

use crate::cli::asking::text;
use crate::cli::ink::{Ink, Pen, clean};
use crate::cli::table::cell;

/// Most lines of a body that are shown.
const BODY_LINES: usize = 40;

/// All of a delivery.
pub(in crate::cli) fn told(pen: Pen, delivery: &Value) -> String {
    let mut lines =
        vec![format!("{}  {}", pen.ink(Ink::Bold, text(delivery, "id")), pen.state(text(delivery, "status")))];
    let field = |name: &str, value: &Value| match value {
        Value::Null => None,
        value => Some(format!("  {}  {}", pen.ink(Ink::Dim, &format!("{name:<9}")), cell(Some(value)))),
    };
    for (name, at) in [
        ("event", "event_id"),
        ("type", "event_type"),
        ("webhook", "webhook_id"),
        ("trigger", "trigger"),
        ("actor", "actor"),
        ("by request", "request_id"),
        ("reason", "reason"),
        ("created", "created_at"),
        ("settled", "settled_at"),
        ("repeats", "repeats"),
        ("taken over", "reprocessed_by"),
    ] {
        lines.extend(field(name, &delivery[at]));
    }
    let plugin = &delivery["plugin"];
    if !plugin.is_null() {
        let used = plugin["cpu_us"].as_u64().map_or_else(String::new, |us| format!(", {us} us"));
        let name = format!("{} {}{used}", text(plugin, "name"), text(plugin, "version"));
        lines.extend(field("plugin", &Value::from(name)));
        for line in plugin["logs"].as_array().into_iter().flatten() {
            lines.push(format!("    {}: {}", text(line, "level"), clean(text(line, "message"))));
        }
        if !plugin["error"].is_null() {
            let error = &plugin["error"];
            let told = format!("failed: {} ({})", clean(text(error, "message")), text(error, "code"));
            lines.push(format!("    {}", pen.ink(Ink::Bad, &told)));
        }
    }
    for request in delivery["requests"].as_array().into_iter().flatten() {
        add_request(pen, request, &mut lines);
    }
    lines.join("\n")
}

fn add_request(pen: Pen, request: &Value, lines: &mut Vec<String>) {
    let label = match text(request, "label") {
        "" => String::new(),
        label => format!(" {}", clean(label)),
    };
    lines.push(String::new());
    lines.push(format!("{}{label}  {}", pen.ink(Ink::Bold, text(request, "id")), pen.state(text(request, "status"))));
    lines.push(format!("  {} {}", text(request, "method"), clean(text(request, "url"))));
    add_headers(pen, &request["headers"], lines);
    add_body(&request["body"], lines);
    if let Some(next) = request["next_attempt_at"].as_str() {
        lines.push(format!("  next attempt at {next}"));
    }
    for attempt in request["attempts"].as_array().into_iter().flatten() {
        let answer = match (attempt["status_code"].as_u64(), attempt["error"].as_str()) {
            (Some(status), _) => status.to_string(),
            (None, Some(error)) => clean(error),
            (None, None) => cell(attempt.get("error_class")),
        };
        let late = if attempt["late"] == true { ", late" } else { "" };
        lines.push(format!(
            "  attempt {} at {}: {} {answer}, {} ms{late}",
            attempt["number"],
            text(attempt, "started_at"),
            pen.state(text(attempt, "outcome")),
            attempt["duration_ms"],
        ));
        add_headers(pen, &attempt["response_headers"], lines);
        add_body(&attempt["response_body"], lines);
        if attempt["truncated"] == true {
            lines.push("    … and more, which was not kept".to_owned());
        }
    }
}

fn add_headers(pen: Pen, headers: &Value, lines: &mut Vec<String>) {
    for header in headers.as_array().into_iter().flatten() {
        lines.push(format!(
            "    {} {}",
            pen.ink(Ink::Dim, &format!("{}:", text(header, "name"))),
            clean(text(header, "value"))
        ));
    }
}

fn add_body(body: &Value, lines: &mut Vec<String>) {
    let Some(body) = body.as_str().filter(|body| !body.is_empty()) else { return };
    let pretty = serde_json::from_str::<Value>(body).ok().and_then(|json| serde_json::to_string_pretty(&json).ok());
    let body = pretty.unwrap_or_else(|| body.to_owned());
    lines.extend(body.lines().take(BODY_LINES).map(|line| format!("    {}", clean(line))));
    let more = body.lines().count().saturating_sub(BODY_LINES);
    if more > 0 {
        lines.push(format!("    … {more} more lines (--json shows all)"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_delivery_is_told_with_its_attempts_and_cannot_command_the_terminal() {
        let delivery = json!({
            "id": "dlv_1", "status": "failed", "event_type": "a.b", "reason": null,
            "requests": [{
                "id": "req_1", "label": "", "status": "failed", "method": "POST", "url": "http://a/", "body": "{\"n\":1}",
                "headers": [{ "name": "x", "value": "1" }],
                "attempts": [{
                    "number": 1, "started_at": "2026-01-31T12:00:00.000Z", "outcome": "failed", "status_code": 500,
                    "duration_ms": 12, "response_body": "no\u{1b}[2J", "truncated": true,
                }],
            }],
        });
        let shown = told(Pen::plain(), &delivery);
        for line in [
            "dlv_1  failed",
            "  type       a.b",
            "  POST http://a/",
            "    x: 1",
            "      \"n\": 1",
            "  attempt 1 at 2026-01-31T12:00:00.000Z: failed 500, 12 ms",
            "    no [2J",
            "    … and more, which was not kept",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line} in\n{shown}");
        }
        assert!(!shown.contains("reason"));
    }
}
