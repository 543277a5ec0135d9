//! The form of a webhook, for a new one and for one that is there.

use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use serde_json::Value;

use super::super::client::{Client, segment};
use super::super::field::Field;
use super::super::flash::done;
use super::super::form::Form;
use super::super::page::{Items, Page, Section, shown, shown_as};
use super::super::posted::Posted;
use super::super::query::Query;
use super::super::refusal::{Answer, Problem};
use super::super::schema_form::{Entry, entries, fill};
use super::super::viewer::Viewer;
use super::ask::{Asked, check, count, test};
use super::catalogue::{EventType, Group, groups, known_types};
use super::draft::{self, MORE_EVENTS, RETRY, patterns};
use super::fields::{Version, plugin_choice, secrets, sending, trust};
use super::retries;
use crate::domain::permission::Permission;

#[derive(Template)]
#[template(path = "webhooks/form.html")]
struct FormPage {
    page: Page,
    form: Form,
    /// Where it is sent.
    action: String,
    /// The webhook that is changed.
    current: Option<Value>,
    top: Vec<Field>,
    all_ticked: bool,
    groups: Vec<Group>,
    more: Field,
    events_error: Option<String>,
    filter: Field,
    asked: Asked,
    plugin: Option<Field>,
    plugin_summary: String,
    settings: Vec<Entry>,
    secrets: Vec<Field>,
    sending: Vec<Field>,
    retry: Field,
    retry_told: String,
    trust: Vec<Field>,
    header_names: Vec<String>,
    has_bearer: bool,
    has_body_token: bool,
    test_type: Field,
    test_payload: Field,
    may_test: bool,
    may_count: bool,
}

/// What the page is made of that the API tells.
struct Known {
    types: Vec<EventType>,
    versions: Vec<Version>,
    manifest: Option<Value>,
}

async fn manifest(client: &Client, form: &Form) -> Answer<Option<Value>> {
    let Some((name, version)) = draft::chosen_plugin(form) else { return Ok(None) };
    let path = format!("/plugins/{}/versions/{}", segment(name), segment(version));
    match client.get::<Value>(&path).await {
        Ok(mut version) => Ok(Some(version["manifest"].take())),
        // It was deleted meanwhile, or is none that they may see; the API says so when it is saved.
        Err(refusal) => refusal.about_the_form().map(|_| None).or(Ok(None)),
    }
}

async fn known(viewer: &Viewer, form: &Form) -> Answer<Known> {
    let types: Items<EventType> = viewer.client.get("/event-types").await?;
    let versions = if viewer.may(Permission::PluginsRead) {
        viewer.client.get::<Items<Version>>("/plugins?limit=200").await?.items
    } else {
        Vec::new()
    };
    Ok(Known { types: types.items, versions, manifest: manifest(&viewer.client, form).await? })
}

fn page(viewer: &Viewer, form: Form, known: Known, current: Option<Value>, asked: Asked) -> FormPage {
    let current_ref = current.as_ref();
    let masked = current_ref.and_then(|current| current["url"].as_str());
    let url = Field::typed("/url", "URL", "url").mono().example("https://").live("check", "url-verdict");
    let url = match masked {
        Some(masked) => url.help(format!(
            "Now {masked}. Leave it empty to keep it. Another host gets none of the secrets that this one has."
        )),
        None => url.help("Where events are posted to. What stands behind the host is kept as a secret.").needed(),
    };
    let chosen = patterns(&form);
    let title = match current_ref {
        None => "Register a webhook".to_owned(),
        Some(current) => {
            format!("Change {}", current["name"].as_str().filter(|name| !name.is_empty()).unwrap_or("the webhook"))
        }
    };
    let framed = Page::new(viewer, Section::Webhooks, title).below("/webhooks", "Webhooks");
    let (framed, action) = match current_ref.and_then(|current| current["id"].as_str()) {
        None => (framed, "/webhooks/new".to_owned()),
        Some(id) => {
            let words = current_ref.and_then(|current| current["name"].as_str()).filter(|name| !name.is_empty());
            (framed.below(format!("/webhooks/{id}"), words.unwrap_or("Webhook")), format!("/webhooks/{id}/edit"))
        }
    };
    let all = groups(known.types, &chosen);
    let in_catalogue = |pattern: &String| {
        pattern == "*"
            || all.iter().any(|group| group.pattern == *pattern || group.types.iter().any(|kind| kind.name == *pattern))
    };
    let written: Vec<&str> = chosen.iter().filter(|pattern| !in_catalogue(pattern)).map(String::as_str).collect();
    let mut of_written = form.clone();
    of_written.replace(MORE_EVENTS, written.join("\n"));
    let more = Field::text(MORE_EVENTS, "Other types and patterns", 2)
        .example("invoice.paid")
        .help("Any type may be posted, also one that is in no catalogue. `invoice.*` is everything below invoice.")
        .mono()
        .of(&of_written);
    let summary = draft::chosen_plugin(&form).and_then(|(name, version)| {
        known.versions.iter().find(|one| one.name == name && one.version == version).map(|one| one.summary.clone())
    });
    let schema = known.manifest.as_ref().map(|manifest| &manifest["config"]);
    let test_types = known_types(&all);
    FormPage {
        top: vec![
            Field::line("/name", "Name").help("What people call it, like `Retro actions to Jira`.").of(&form),
            Field::text("/description", "Description", 2).of(&form),
            url.of(&form),
        ],
        all_ticked: chosen.iter().any(|pattern| pattern == "*"),
        groups: all,
        more,
        events_error: form.error("/events", false),
        filter: Field::text("/filter", "Filter", 3)
            .example("payload.ticket.priority == \"high\"")
            .help("Only events for which this is true are sent. Empty for all of the types above.")
            .mono()
            .live("count", "filter-count")
            .of(&form),
        plugin: viewer.may(Permission::PluginsRead).then(|| plugin_choice(&known.versions, &form)),
        plugin_summary: summary.unwrap_or_default(),
        settings: schema.map(|schema| entries(schema, "/plugin/config", &form)).unwrap_or_default(),
        secrets: secrets(known.manifest.as_ref(), current_ref, &form),
        sending: sending(&form),
        retry: Field::text(RETRY, "Retries", 2)
            .example("at once, 5 s, 5 min, 30 min")
            .help("The wait before each attempt; empty for the standard schedule.")
            .live("retries", "retry-told")
            .deep()
            .of(&form),
        retry_told: retries::read(form.get(RETRY).unwrap_or_default())
            .map_or_else(|wrong| wrong, |schedule| retries::told(&schedule)),
        trust: trust(&form, current_ref),
        header_names: current_ref
            .and_then(|current| current["headers"].as_object())
            .map(|headers| headers.keys().cloned().collect())
            .unwrap_or_default(),
        has_bearer: current_ref.is_some_and(|current| !current["bearer_token"].is_null()),
        has_body_token: current_ref.is_some_and(|current| !current["body_token"].is_null()),
        test_type: Field::choice("test-type", "Event to test with", test_types).of(&form),
        test_payload: Field::text("test-payload", "Payload", 4)
            .help("JSON; empty for the example of the type.")
            .mono()
            .of(&form),
        may_test: current.is_none() && viewer.may(Permission::CanTriggerIntegrations),
        may_count: viewer.sees_payloads(),
        page: framed,
        action,
        current,
        asked,
        form,
    }
}

/// The empty form.
pub(in super::super) async fn new(viewer: Viewer, RawQuery(query): RawQuery) -> Answer<Response> {
    viewer.needs(Permission::WebhooksWrite)?;
    let query = Query::parse(query.as_deref());
    let mut form = Form::default();
    // Links from other pages choose for people.
    for (name, value) in query.pairs().filter(|(name, _)| name.starts_with('/')) {
        form.set(name, value);
    }
    let known = known(&viewer, &form).await?;
    if let Some(manifest) = &known.manifest {
        fill(&manifest["config"], &Value::Null, "/plugin/config", &mut form);
    }
    Ok(shown(&page(&viewer, form, known, None, Asked::default())))
}

/// The form of a webhook as it is.
pub(in super::super) async fn edit(Path(id): Path<String>, viewer: Viewer) -> Answer<Response> {
    viewer.needs(Permission::WebhooksWrite)?;
    let webhook: Value = viewer.client.get(&format!("/webhooks/{}", segment(&id))).await?;
    let mut form = draft::filled(&webhook, None);
    let known = known(&viewer, &form).await?;
    if known.manifest.is_some() {
        form = draft::filled(&webhook, known.manifest.as_ref());
    }
    Ok(shown(&page(&viewer, form, known, Some(webhook), Asked::default())))
}

/// Registers what the form says, or does what another button of it says.
pub(in super::super) async fn create(Posted { viewer, form }: Posted) -> Answer<Response> {
    let known = known(&viewer, &form).await?;
    if let Some(what) = form.filled("do") {
        return ask(&viewer, what.to_owned(), form, known, None).await;
    }
    let body = match draft::body(&form, known.manifest.as_ref(), None) {
        Ok(body) => body,
        Err(problem) => return Ok(refused(&viewer, form, known, None, *problem)),
    };
    match viewer.client.post("/webhooks", &body).await {
        Ok(reply) => Ok(super::registered::page(&viewer, &reply)),
        Err(refusal) => Ok(refused(&viewer, form, known, None, refusal.about_the_form()?)),
    }
}

/// Changes the webhook to what the form says, or does what another button of it says.
pub(in super::super) async fn save(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    let path = format!("/webhooks/{}", segment(&id));
    let current: Value = viewer.client.get(&path).await?;
    let known = known(&viewer, &form).await?;
    if let Some(what) = form.filled("do") {
        return ask(&viewer, what.to_owned(), form, known, Some(current)).await;
    }
    let body = match draft::body(&form, known.manifest.as_ref(), Some(&current)) {
        Ok(body) => body,
        Err(problem) => return Ok(refused(&viewer, form, known, Some(current), *problem)),
    };
    if body.as_object().is_some_and(serde_json::Map::is_empty) {
        return Ok(done(&path, "Nothing was changed."));
    }
    match viewer.client.patch(&path, &body).await {
        Ok(_) => Ok(done(&path, "The webhook is changed.")),
        Err(refusal) => Ok(refused(&viewer, form, known, Some(current), refusal.about_the_form()?)),
    }
}

fn refused(viewer: &Viewer, form: Form, known: Known, current: Option<Value>, problem: Problem) -> Response {
    let page = page(viewer, form.refused(problem), known, current, Asked::default());
    shown_as(page.form.status(), &page)
}

/// What a button or a field asks for while somebody fills the form in. Nothing is saved.
async fn ask(viewer: &Viewer, what: String, mut form: Form, known: Known, current: Option<Value>) -> Answer<Response> {
    let mut asked = Asked::default();
    match what.as_str() {
        "plugin" => {
            if let Some(manifest) = &known.manifest {
                let mut defaults = Form::default();
                fill(&manifest["config"], &Value::Null, "/plugin/config", &mut defaults);
                let old = current.as_ref().map(|current| &current["plugin"]);
                let same =
                    old.is_some_and(|old| old["name"].as_str() == draft::chosen_plugin(&form).map(|(name, _)| name));
                if let Some(old) = old.filter(|_| same) {
                    fill(&manifest["config"], &old["config"], "/plugin/config", &mut form);
                }
                for (name, value) in defaults.fields() {
                    if form.get(name).is_none() {
                        form.set(name, value);
                    }
                }
            }
        }
        "count" => asked.matches = Some(count(viewer, &form).await?),
        "check" => asked.url = Some(check(viewer, &form).await?),
        "test" => {
            let body = match draft::body(&form, known.manifest.as_ref(), None) {
                Ok(body) => body,
                Err(problem) => return Ok(refused(viewer, form, known, current, *problem)),
            };
            match test(viewer, &form, body).await {
                Ok(outcome) => asked.test = Some(Ok(outcome)),
                Err(refusal) => {
                    let problem = refusal.about_the_form()?.lifted("/webhook");
                    asked.test = Some(Err(problem.detail.clone()));
                    form = form.refused(problem);
                }
            }
        }
        _ => {}
    }
    Ok(shown(&page(viewer, form, known, current, asked)))
}
