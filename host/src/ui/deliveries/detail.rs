//! One delivery: what happened, when, and what went out and came back.

use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::super::client::segment;
use super::super::delivery::{Delivery, Request, pretty};
use super::super::page::{Page, Section, shown};
use super::super::parts::{Id, Status, lasting};
use super::super::query::Query;
use super::super::refusal::{Answer, Refusal};
use super::super::viewer::Viewer;
use super::difference::{self, Line};
use crate::domain::permission::Permission;

#[derive(Debug, Deserialize)]
struct Event {
    subject: Option<String>,
    payload: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Webhook {
    name: String,
    url: String,
}

/// A request with what it is compared with.
struct Shown {
    request: Request,
    curl: String,
    /// Lines that the event's payload and the body differ in.
    changes: Vec<Line>,
    changed: usize,
}

#[derive(Template)]
#[template(path = "deliveries/detail.html")]
struct DetailPage {
    page: Page,
    delivery: Delivery,
    sentence: String,
    event: Option<Event>,
    payload: Option<String>,
    webhook: Option<Webhook>,
    requests: Vec<Shown>,
    raw: bool,
    may_retry: bool,
    sees_payloads: bool,
}

impl DetailPage {
    fn shown_id(&self) -> Id {
        Id::new(&self.delivery.summary.id)
    }

    fn event_id(&self) -> Id {
        let id = &self.delivery.summary.event_id;
        Id::new(id).at(format!("/events/{id}"))
    }

    fn status(&self) -> Status {
        self.delivery.summary.shown_status()
    }

    /// A body, as lines of JSON or as it is.
    fn text(&self, body: &str) -> String {
        if self.raw { body.to_owned() } else { pretty(body) }
    }

    fn title_of_webhook(&self) -> String {
        match &self.webhook {
            Some(webhook) if webhook.name.is_empty() => webhook.url.clone(),
            Some(webhook) => webhook.name.clone(),
            None => "a deleted webhook".to_owned(),
        }
    }
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A word in which the names of secrets stand as variables: `[secret:jira-token]` is `$JIRA_TOKEN`.
fn with_variables(text: &str) -> String {
    let mut shell = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[secret:") {
        let Some((name, behind)) = after.split_once(']') else { break };
        let variable: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
        if !before.is_empty() {
            shell.push_str(&quoted(before));
        }
        shell.extend(["\"$", variable.as_str(), "\""]);
        rest = behind;
    }
    if !rest.is_empty() || shell.is_empty() {
        shell.push_str(&quoted(rest));
    }
    shell
}

/// The request as a command. Secrets are variables; the signature is of the attempt that was made.
fn curl(request: &Request) -> String {
    let mut lines = vec![format!("curl -X {} {}", request.method, with_variables(&request.url))];
    lines.extend(
        request
            .headers
            .iter()
            .map(|header| format!("  -H {}", with_variables(&format!("{}: {}", header.name, header.value)))),
    );
    if let Some(body) = request.body.as_deref().filter(|body| !body.is_empty()) {
        lines.push(format!("  --data-raw {}", with_variables(body)));
    }
    lines.join(" \\\n")
}

fn compared(request: Request, payload: Option<&str>) -> Shown {
    let body = request.body.as_deref().map(pretty);
    let changes = match (payload, &body) {
        (Some(payload), Some(body)) => difference::lines(payload, body),
        _ => Vec::new(),
    };
    let changed = changes.iter().filter(|line| line.change != difference::Change::Same).count();
    Shown { curl: curl(&request), changes, changed, request }
}

/// What is there, or nothing if it is gone or not for them to see.
fn optional<T>(answer: Answer<T>) -> Answer<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Refusal::Problem(problem)) if matches!(problem.status, 403 | 404) => Ok(None),
        Err(other) => Err(other),
    }
}

/// All of it.
pub(in super::super) async fn show(
    Path(id): Path<String>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Answer<Response> {
    let query = Query::parse(query.as_deref());
    let delivery: Delivery = viewer.client.get(&format!("/deliveries/{}", segment(&id))).await?;
    let client = &viewer.client;
    let event: Option<Event> = optional(client.get(&format!("/events/{}", segment(&delivery.summary.event_id))).await)?;
    let webhook = optional(client.get(&format!("/webhooks/{}", segment(&delivery.summary.webhook_id))).await)?;
    let payload = event.as_ref().and_then(|event| event.payload.as_ref());
    let payload = payload.map(|payload| serde_json::to_string_pretty(payload).unwrap_or_default());
    let requests = delivery.requests.iter().cloned().map(|request| compared(request, payload.as_deref())).collect();
    let title = format!("{}: {}", delivery.summary.event_type, delivery.summary.status);
    Ok(shown(&DetailPage {
        page: Page::new(&viewer, Section::Deliveries, title).below("/deliveries", "Deliveries"),
        sentence: delivery.sentence(),
        event,
        payload,
        webhook,
        requests,
        raw: query.get("as") == Some("raw"),
        may_retry: viewer.may(Permission::DeliveriesRetry),
        sees_payloads: viewer.sees_payloads(),
        delivery,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_variables_for_secrets_and_nothing_that_a_shell_runs() {
        assert_eq!(with_variables("Bearer [secret:jira-token]"), "'Bearer '\"$JIRA_TOKEN\"");
        assert_eq!(with_variables("$(rm -rf /) `x` '"), "'$(rm -rf /) `x` '\\'''");
        assert_eq!(with_variables("[secret:a$(b)]"), "\"$A__B_\"");
        assert_eq!(with_variables("[secret:open"), "'[secret:open'");
        assert_eq!(with_variables(""), "''");
    }
}
