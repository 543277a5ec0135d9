//! The audit log: who did what to what, from where, and what it changed.

use askama::Template;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::changes::Changes;
use super::client::segment;
use super::field::Field;
use super::form::Form;
use super::page::{Items, Page, Pager, Section, shown};
use super::parts::When;
use super::query::Query;
use super::refusal::{Answer, Problem, Refusal};
use super::viewer::Viewer;
use crate::domain::clock::Millis;
use crate::domain::permission::Permission;

/// What is asked for, besides where the list goes on.
const FILTERS: [&str; 6] = ["action", "actor_id", "target_id", "since", "until", "all_projects"];

/// Lines of a page: each may hold a long list of changes.
const LINES: &str = "30";

#[derive(Deserialize)]
struct Entry {
    at: Millis,
    project: Option<String>,
    actor: Actor,
    action: String,
    target: Target,
    address: Option<String>,
    request_id: Option<String>,
    user_agent: Option<String>,
    before: Option<Value>,
    after: Option<Value>,
}

#[derive(Deserialize)]
struct Actor {
    kind: String,
    id: Option<String>,
    name: String,
}

#[derive(Deserialize)]
struct Target {
    kind: String,
    id: String,
}

struct Line {
    when: When,
    exact: String,
    who: String,
    by_actor: Option<String>,
    action: String,
    target: Target,
    path: Option<String>,
    project: Option<String>,
    from: Option<String>,
    request_id: Option<String>,
    user_agent: Option<String>,
    changes: Changes,
}

/// The page about something, where there is one.
fn path(target: &Target) -> Option<String> {
    let id = segment(&target.id);
    let list = match target.kind.as_str() {
        "webhook" => "webhooks",
        "event" => "events",
        "delivery" => "deliveries",
        "job" => "jobs",
        "schedule" => "schedules",
        "event_type" => "event-types",
        "project" => "projects",
        "user" => "users",
        "role" => "roles",
        "token" => "tokens",
        "plugin" => {
            let (name, version) = target.id.split_once(' ')?;
            return Some(format!("/plugins/{}/versions/{}", segment(name), segment(version)));
        }
        _ => return None,
    };
    Some(format!("/{list}/{id}"))
}

/// Whether a field says nothing of what was made or deleted.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What has changed. Of what is new or gone only what says something.
fn changes(before: Option<Value>, after: Option<Value>) -> Changes {
    let is_change = before.is_some() && after.is_some();
    let told = |value: Option<Value>| match value {
        Some(Value::Object(fields)) if !is_change => fields.into_iter().filter(|(_, value)| !is_empty(value)).collect(),
        Some(value) => value,
        None => json!({}),
    };
    Changes::between(&told(before), &told(after), ("Before", "After"))
}

fn line(entry: Entry, viewer: &Viewer, query: &Query) -> Line {
    let bare = query.without("cursor");
    let named = |id: &str| viewer.projects.iter().find(|project| project.id == id).map(|project| project.name.clone());
    Line {
        when: When::new(entry.at, viewer.now),
        exact: entry.at.to_string(),
        by_actor: entry.actor.id.as_ref().map(|id| bare.with("actor_id", id).at("/audit")),
        who: if entry.actor.kind == "user" {
            entry.actor.name
        } else {
            format!("{} ({})", entry.actor.name, entry.actor.kind)
        },
        path: path(&entry.target),
        action: entry.action,
        target: entry.target,
        project: entry.project.map(|id| named(&id).unwrap_or(id)),
        from: entry.address,
        request_id: entry.request_id,
        user_agent: entry.user_agent,
        changes: changes(entry.before, entry.after),
    }
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    page: Page,
    fields: Vec<Field>,
    lines: Vec<Line>,
    pager: Pager,
    export: String,
    is_filtered: bool,
    shows_projects: bool,
    /// What is wrong with what was asked for.
    problem: Option<Problem>,
}

/// Times as the API takes them: a day stands for its first moment, a time without a zone is in UTC.
fn asked(query: &Query) -> Query {
    ["since", "until"].into_iter().fold(query.clone(), |query, name| {
        let exact = query.get(name).map(|text| match text.len() {
            10 => format!("{text}T00:00:00Z"),
            16 => format!("{text}:00Z"),
            _ => text.to_owned(),
        });
        exact.map_or_else(|| query.clone(), |exact| query.with(name, &exact))
    })
}

fn fields(viewer: &Viewer, form: &Form) -> Vec<Field> {
    let mut fields = vec![
        Field::typed("action", "What was done", "search").example("webhook.updated or webhook.*").mono(),
        Field::line("actor_id", "By whom (id)").mono(),
        Field::line("target_id", "To what (id)").mono(),
        Field::typed("since", "Since (UTC)", "datetime-local"),
        Field::typed("until", "Before (UTC)", "datetime-local"),
    ];
    if viewer.may_everywhere(Permission::AuditRead) {
        fields.push(Field::tick("all_projects", "In all projects, and of the server itself"));
    }
    fields.into_iter().map(|field| field.of(form)).collect()
}

/// The log, newest first.
pub(super) async fn show(viewer: Viewer, RawQuery(query): RawQuery) -> Answer<Response> {
    let query = Query::parse(query.as_deref()).only(&[&FILTERS[..], &["cursor"]].concat());
    let (entries, problem) =
        match viewer.client.get::<Items<Entry>>(&asked(&query).with("limit", LINES).at("/audit")).await {
            Ok(entries) => (entries, None),
            Err(refusal) => (Items { items: Vec::new(), next_cursor: None }, Some(refusal.about_the_form()?)),
        };
    let mut form = Form::default();
    for (name, value) in query.pairs() {
        form.set(name, value);
    }
    if let Some(problem) = &problem {
        // Parameters have no place in a body; their fields are called as they are.
        let mut about = problem.clone();
        for error in &mut about.errors {
            error.pointer = error.pointer.trim_start_matches('/').to_owned();
        }
        form = form.refused(about);
    }
    let filters = query.without("cursor");
    Ok(shown(&AuditPage {
        page: Page::new(&viewer, Section::Audit, "Audit log"),
        fields: fields(&viewer, &form),
        lines: entries.items.into_iter().map(|entry| line(entry, &viewer, &query)).collect(),
        pager: Pager::new("/audit", &query, entries.next_cursor.as_deref()),
        export: filters.at("/audit/export"),
        is_filtered: !filters.is_empty(),
        shows_projects: query.get("all_projects").is_some(),
        problem,
    }))
}

/// All of what was asked for, as a file.
pub(super) async fn export(viewer: Viewer, RawQuery(query): RawQuery) -> Answer<Response> {
    let query = asked(&Query::parse(query.as_deref()).only(&FILTERS));
    let mut response = viewer.client.raw(Method::GET, &query.at("/audit/export"), None, Body::empty()).await;
    if !response.status().is_success() {
        // The same question without the file, which tells what is wrong.
        let refused = viewer.client.get::<Items<Entry>>(&query.at("/audit")).await.err();
        return Err(refused.unwrap_or_else(|| Refusal::from(Problem::unknown(response.status()))));
    }
    let file = HeaderValue::from_static("attachment; filename=\"audit.ndjson\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, file);
    Ok(response.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_minutes_are_times_for_the_api() {
        let asked = |text: &str| asked(&Query::parse(Some(text))).get("since").map(str::to_owned);
        assert_eq!(asked("since=2026-01-31").as_deref(), Some("2026-01-31T00:00:00Z"));
        assert_eq!(asked("since=2026-01-31T12:30").as_deref(), Some("2026-01-31T12:30:00Z"));
        assert_eq!(asked("since=2026-01-31T12:30:05Z").as_deref(), Some("2026-01-31T12:30:05Z"));
        assert_eq!(asked("until="), None);
    }

    #[test]
    fn of_what_is_new_only_what_says_something_is_told() {
        let made = json!({ "name": "x", "filter": null, "events": [], "enabled": false });
        assert_eq!(changes(None, Some(made.clone())).len(), 2);
        assert_eq!(changes(Some(json!({ "filter": "a" })), Some(json!({ "filter": null }))).len(), 1);
        assert_eq!(changes(Some(made), None).len(), 2);
        assert!(changes(None, None).is_empty());
    }

    #[test]
    fn what_was_changed_can_be_looked_at() {
        let target = |kind: &str, id: &str| path(&Target { kind: kind.to_owned(), id: id.to_owned() });
        assert_eq!(target("webhook", "whk_1").as_deref(), Some("/webhooks/whk_1"));
        assert_eq!(target("plugin", "slack 0.1.0").as_deref(), Some("/plugins/slack/versions/0.1.0"));
        assert_eq!(target("session", "x"), None);
    }
}
