//! The playground: what a version makes of an event with a configuration, as one types; and what another makes of it.

use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::changes::Changes;
use super::super::client::segment;
use super::super::field::Field;
use super::super::form::Form;
use super::super::page::{Items, Page, Section, shown_as};
use super::super::parts::Icon;
use super::super::posted::Posted;
use super::super::query::Query;
use super::super::refusal::{Answer, Problem, Refusal};
use super::super::viewer::Viewer;
use super::output::{Output, Preview};
use super::{Version, path, pretty};
use crate::domain::permission::Permission;

/// Events and webhooks that can be begun with.
const OFFERED: usize = 20;

#[derive(Deserialize)]
struct Event {
    id: String,
    r#type: String,
    subject: Option<String>,
    payload: Option<Value>,
}

#[derive(Deserialize)]
struct EventType {
    name: String,
    example: Option<Value>,
}

#[derive(Deserialize)]
struct Webhook {
    plugin: Option<OwnPlugin>,
}

#[derive(Deserialize)]
struct OwnPlugin {
    config: Value,
}

/// What came of a run, and of the same with another version.
#[derive(Template)]
#[template(path = "plugins/tried.html")]
struct Tried {
    output: Result<Output, Problem>,
    other: Option<Compared>,
}

impl askama::filters::HtmlSafe for Tried {}

/// What another version makes of the same.
struct Compared {
    title: String,
    output: Result<Output, Problem>,
    changes: Option<Changes>,
}

#[derive(Template)]
#[template(path = "plugins/playground.html")]
struct PlaygroundPage {
    page: Page,
    form: Form,
    name: String,
    action: String,
    begin: Vec<Field>,
    event: Vec<Field>,
    config: Field,
    further: Vec<Field>,
    tried: Option<Tried>,
}

async fn find(viewer: &Viewer, name: &str, version: &str) -> Answer<Version> {
    viewer.client.get(&path(name, version)).await
}

/// Golden cases, types and events that one can begin with, by how they are chosen.
async fn samples(viewer: &Viewer, version: &Version) -> Answer<Vec<(String, String)>> {
    let mut samples = Vec::new();
    let manifest = version.manifest.as_ref();
    for (index, case) in manifest.iter().flat_map(|manifest| &manifest.cases).enumerate() {
        let name = case["name"].as_str().unwrap_or("without a name");
        samples.push((format!("case:{index}"), format!("Golden case: {name}")));
    }
    let types: Items<EventType> = viewer.client.get("/event-types").await?;
    let understood = |name: &str| {
        let name = crate::domain::pattern::EventType::parse(name).ok();
        name.is_some_and(|name| {
            manifest.is_some_and(|manifest| manifest.events.iter().any(|pattern| pattern.matches(&name)))
        })
    };
    let known = types.items.into_iter().filter(|known| understood(&known.name));
    samples.extend(known.map(|known| (format!("type:{}", known.name), format!("Example of {}", known.name))));
    if viewer.sees_payloads() {
        let events: Items<Event> = viewer.client.get(&format!("/events?limit={OFFERED}")).await?;
        samples.extend(
            events
                .items
                .into_iter()
                .map(|event| (format!("event:{}", event.id), format!("Event {} ({})", event.id, event.r#type))),
        );
    }
    Ok(samples)
}

fn fill_event(form: &mut Form, kind: &str, subject: Option<&str>, payload: Option<&Value>) {
    form.set("/event/type", kind);
    form.set("/event/subject", subject.unwrap_or_default());
    form.set("/event/payload", payload.map(pretty).unwrap_or_default());
}

/// Whether something is sent in a golden case.
fn sends(case: &Value) -> bool {
    case["expect"]["requests"].as_array().is_some_and(|requests| !requests.is_empty())
}

/// What is chosen to begin with; by default the first golden case that sends something.
async fn begun(viewer: &Viewer, version: &Version, query: &Query) -> Answer<Form> {
    let mut form = Form::default();
    let cases = version.manifest.as_ref().map(|manifest| manifest.cases.as_slice()).unwrap_or_default();
    let first = cases.iter().position(sends).or((!cases.is_empty()).then_some(0));
    let first = first.map(|index| format!("case:{index}")).unwrap_or_default();
    let sample = query.get("sample").unwrap_or(&first);
    let mut config = None;
    match sample.split_once(':') {
        Some(("case", index)) => {
            if let Some(case) = index.parse().ok().and_then(|index: usize| cases.get(index)) {
                let event = &case["event"];
                fill_event(
                    &mut form,
                    event["type"].as_str().unwrap_or_default(),
                    event["subject"].as_str(),
                    event.get("payload"),
                );
                config = case.get("config").cloned();
                let facts = case.get("facts").filter(|facts| facts.as_object().is_some_and(|facts| !facts.is_empty()));
                form.set("/facts", facts.map(pretty).unwrap_or_default());
            }
        }
        Some(("type", name)) => {
            let known: EventType = viewer.client.get(&format!("/event-types/{}", segment(name))).await?;
            fill_event(&mut form, &known.name, None, known.example.as_ref());
        }
        Some(("event", id)) => {
            let event: Event = viewer.client.get(&format!("/events/{}", segment(id))).await?;
            fill_event(&mut form, &event.r#type, event.subject.as_deref(), event.payload.as_ref());
        }
        _ => fill_event(&mut form, "ticket.created", None, Some(&json!({}))),
    }
    if let Some(id) = query.get("webhook") {
        let webhook: Webhook = viewer.client.get(&format!("/webhooks/{}", segment(id))).await?;
        config = webhook.plugin.map(|plugin| plugin.config).or(config);
    }
    // The first case shows what a configuration may look like.
    let config = config.or_else(|| cases.first().and_then(|case| case.get("config").cloned()));
    form.set("/config", pretty(&config.unwrap_or_else(|| json!({}))));
    form.set("sample", sample);
    form.set("webhook", query.get("webhook").unwrap_or_default());
    form.set("with", query.get("with").unwrap_or_default());
    Ok(form)
}

fn json_of(form: &Form, name: &str) -> Answer<Option<Value>> {
    let Some(text) = form.filled(name) else { return Ok(None) };
    let wrong = |error: serde_json::Error| Refusal::from(Problem::field(name, format!("is not JSON: {error}")));
    serde_json::from_str(text).map(Some).map_err(wrong)
}

fn body(form: &Form) -> Answer<Value> {
    let mut event = Map::new();
    event.insert("type".to_owned(), form.filled("/event/type").unwrap_or_default().into());
    if let Some(subject) = form.filled("/event/subject") {
        event.insert("subject".to_owned(), subject.into());
    }
    if let Some(payload) = json_of(form, "/event/payload")? {
        event.insert("payload".to_owned(), payload);
    }
    let mut body = json!({ "event": event, "config": json_of(form, "/config")?.unwrap_or_else(|| json!({})) });
    if let Some(facts) = json_of(form, "/facts")? {
        body["facts"] = facts;
    }
    if let Some(url) = form.filled("/url") {
        body["url"] = url.into();
    }
    Ok(body)
}

async fn run(viewer: &Viewer, path: &str, body: Answer<Value>) -> Answer<Result<Preview, Problem>> {
    let ran = async { viewer.client.post(&format!("{path}/preview"), &body?).await?.read() };
    match ran.await {
        Ok(preview) => Ok(Ok(preview)),
        // Whatever it is: a pane that stays empty tells nobody what is wrong.
        Err(Refusal::Problem(problem)) if problem.code != "csrf_failed" => Ok(Err(*problem)),
        Err(other) => Err(other),
    }
}

async fn tried(viewer: &Viewer, version: &Version, form: &Form) -> Answer<Tried> {
    let first = run(viewer, &path(&version.name, &version.version), body(form)).await?;
    let other = match form.filled("with") {
        None => None,
        Some(with) => {
            let second = run(viewer, &path(&version.name, with), body(form)).await?;
            let requests = (first.as_ref().ok(), second.as_ref().ok());
            let changes = match requests {
                (Some(one), Some(two)) => {
                    Some(Changes::between(&one.requests, &two.requests, ("This version", "The other")))
                }
                _ => None,
            };
            Some(Compared { title: format!("{} {with}", version.name), output: second.map(Output::new), changes })
        }
    };
    Ok(Tried { output: first.map(Output::new), other })
}

async fn page(viewer: &Viewer, version: &Version, form: Form, tried: Option<Tried>) -> Answer<Response> {
    let own = |words: &'static str| (String::new(), words.to_owned());
    let mut begin = vec![Field::choice("sample", "Begin with the event", samples(viewer, version).await?).of(&form)];
    if viewer.may(Permission::WebhooksRead) && !version.webhooks.is_empty() {
        let webhooks = version.webhooks.iter().take(OFFERED).map(|user| {
            let name = if user.name.is_empty() { &user.id } else { &user.name };
            (user.id.clone(), format!("as of {name}"))
        });
        begin.push(
            Field::choice("webhook", "and the configuration", [own("of the golden case")].into_iter().chain(webhooks))
                .of(&form),
        );
    }
    let all: Items<Version> = viewer.client.get("/plugins?limit=200").await?;
    let others = all
        .items
        .into_iter()
        .filter(|other| other.name == version.name && other.version != version.version && other.status == "ready");
    let others: Vec<_> = others.map(|other| (other.version.clone(), other.version)).collect();
    let mut further = vec![
        Field::line("/url", "URL of the webhook")
            .mono()
            .help("Where requests would go; by default https://receiver.example/.")
            .of(&form),
        Field::text("/facts", "What it remembers", 3)
            .mono()
            .help("JSON: what earlier answers taught it, by key.")
            .of(&form),
    ];
    if !others.is_empty() {
        further.insert(
            0,
            Field::choice("with", "Compare with version", [own("none")].into_iter().chain(others)).of(&form),
        );
    }
    let page = PlaygroundPage {
        page: Page::new(viewer, Section::Plugins, "Playground")
            .below("/plugins", "Plugins")
            .below(version.path(), format!("{} {}", version.name, version.version)),
        name: format!("{} {}", version.name, version.version),
        action: format!("{}/playground", path(&version.name, &version.version)),
        begin,
        event: vec![
            Field::line("/event/type", "Event type").mono().required().of(&form),
            Field::line("/event/subject", "Subject").mono().of(&form),
            Field::text("/event/payload", "Payload", 16).mono().deep().of(&form),
        ],
        config: Field::text("/config", "Configuration", 10).mono().deep().of(&form),
        further,
        tried,
        form,
    };
    Ok(shown_as(page.form.status(), &page))
}

/// The form, and what comes of what it begins with.
pub(in super::super) async fn show(
    viewer: Viewer,
    Path((name, version)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Answer<Response> {
    let version = find(&viewer, &name, &version).await?;
    let form = begun(&viewer, &version, &Query::parse(query.as_deref())).await?;
    // Asking changes nothing, but the proof of a form is asked for all the same.
    let mut asking = viewer.clone();
    asking.client = viewer.client.proven(&viewer.me.csrf_token);
    let tried = tried(&asking, &version, &form).await?;
    page(&viewer, &version, form, Some(tried)).await
}

/// What comes of what was typed. A script takes only the part of the page that says so.
pub(in super::super) async fn submit(
    Path((name, version)): Path<(String, String)>,
    Posted { viewer, form }: Posted,
) -> Answer<Response> {
    let version = find(&viewer, &name, &version).await?;
    let tried = tried(&viewer, &version, &form).await?;
    let form = match &tried.output {
        Err(problem) => form.refused(problem.clone()),
        Ok(_) => form,
    };
    page(&viewer, &version, form, Some(tried)).await
}
