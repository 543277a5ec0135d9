//! Types of events: what they are about, what their payloads look like, and whether payloads are held against that.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::segment;
use super::field::Field;
use super::flash::done;
use super::form::Form;
use super::form_page::{Confirm, FormPage};
use super::page::{Items, Page, Section, shown};
use super::parts::{Status, Tone, When};
use super::posted::Posted;
use super::refusal::{Answer, Problem};
use super::viewer::Viewer;
use crate::domain::clock::Millis;
use crate::domain::permission::Permission;

#[derive(Deserialize)]
struct EventType {
    name: String,
    description: String,
    builtin: bool,
    validation: String,
    stats: Option<Stats>,
    schema: Option<Value>,
    example: Option<Value>,
    updated_at: Option<Millis>,
}

#[derive(Deserialize)]
struct Stats {
    checked: u64,
    invalid: u64,
}

impl EventType {
    fn validation(&self) -> Status {
        match self.validation.as_str() {
            "enforce" => Status::new(Tone::Good, "enforced"),
            "warn" => Status::new(Tone::Warn, "counted"),
            _ => Status::new(Tone::Quiet, "off"),
        }
    }

    fn checked(&self) -> Option<String> {
        let Stats { checked, invalid } = self.stats.as_ref()?;
        Some(format!("{invalid} of {checked} did not fit"))
    }

    /// Whether the project says something of it itself.
    const fn is_own(&self) -> bool {
        self.updated_at.is_some()
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[derive(Template)]
#[template(path = "event_types/list.html")]
struct ListPage {
    page: Page,
    types: Vec<EventType>,
    may_write: bool,
}

/// The list.
pub(super) async fn list(viewer: Viewer) -> Answer<Response> {
    let types: Items<EventType> = viewer.client.get("/event-types").await?;
    Ok(shown(&ListPage {
        page: Page::new(&viewer, Section::EventTypes, "Event types"),
        types: types.items,
        may_write: viewer.may(Permission::WebhooksWrite),
    }))
}

#[derive(Template)]
#[template(path = "event_types/one.html")]
struct OnePage {
    page: Page,
    one: EventType,
    schema: Option<String>,
    example: Option<String>,
    changed: Option<When>,
    may_write: bool,
    may_publish: bool,
}

async fn find(viewer: &Viewer, name: &str) -> Answer<EventType> {
    viewer.client.get(&format!("/event-types/{}", segment(name))).await
}

/// One of them.
pub(super) async fn show(viewer: Viewer, Path(name): Path<String>) -> Answer<Response> {
    let one = find(&viewer, &name).await?;
    Ok(shown(&OnePage {
        page: Page::new(&viewer, Section::EventTypes, one.name.clone()).below("/event-types", "Event types"),
        schema: one.schema.as_ref().map(pretty),
        example: one.example.as_ref().map(pretty),
        changed: one.updated_at.map(|at| When::new(at, viewer.now)),
        may_write: viewer.may(Permission::WebhooksWrite),
        may_publish: viewer.may(Permission::EventsPublish),
        one,
    }))
}

fn form_page(viewer: &Viewer, form: Form, name: Option<&str>) -> Response {
    let validation = Field::choice(
        "/validation",
        "Payloads that do not fit the schema",
        [("off", "are taken; nobody looks"), ("warn", "are taken and counted"), ("enforce", "are refused")],
    );
    let name_field =
        Field::line("/name", "Name").help("Words with dots between them, such as `build.done`.").mono().required();
    let mut parts = vec![
        Field::line("/description", "Description").help("What has happened when such an event comes.").of(&form).into(),
        Field::text("/schema", "JSON Schema of the payload", 14).mono().deep().of(&form).into(),
        Field::text("/example", "An example of a payload", 10).mono().deep().of(&form).into(),
        validation.of(&form).into(),
    ];
    if name.is_none() {
        parts.insert(0, name_field.of(&form).into());
    }
    let title = name.map_or_else(|| "New event type".to_owned(), |name| format!("Describe {name}"));
    let action =
        name.map_or_else(|| "/event-types/new".to_owned(), |name| format!("/event-types/{}/edit", segment(name)));
    let page = Page::new(viewer, Section::EventTypes, title).below("/event-types", "Event types");
    FormPage {
        page: match name {
            Some(name) => page.below(format!("/event-types/{}", segment(name)), name),
            None => page,
        },
        parts,
        action,
        words: "Save",
        lead: String::new(),
        danger: None,
        form,
    }
    .shown()
}

/// The form of a new one.
pub(super) async fn new(viewer: Viewer) -> Answer<Response> {
    viewer.needs(Permission::WebhooksWrite)?;
    Ok(form_page(&viewer, Form::default(), None))
}

/// A field that holds JSON; null when it is empty.
fn json_of(form: &Form, name: &str) -> Answer<Value> {
    let Some(text) = form.filled(name) else { return Ok(Value::Null) };
    serde_json::from_str(text).map_err(|error| Problem::field(name, format!("is not JSON: {error}")).into())
}

fn body(form: &Form) -> Answer<Value> {
    Ok(json!({
        "description": form.filled("/description").unwrap_or_default(),
        "schema": json_of(form, "/schema")?,
        "example": json_of(form, "/example")?,
        "validation": form.get("/validation").unwrap_or("off"),
    }))
}

/// Describes one of the project's own.
pub(super) async fn create(Posted { viewer, form }: Posted) -> Answer<Response> {
    let made = async {
        let mut body = body(&form)?;
        body["name"] = form.filled("/name").unwrap_or_default().into();
        viewer.client.post("/event-types", &body).await
    };
    match made.await {
        Ok(reply) => Ok(done(&format!("/event-types/{}", segment(reply.text("/name"))), "The type is described.")),
        Err(refusal) => Ok(form_page(&viewer, form.refused(refusal.about_the_form()?), None)),
    }
}

/// The form of one that is known.
pub(super) async fn edit(viewer: Viewer, Path(name): Path<String>) -> Answer<Response> {
    let one = find(&viewer, &name).await?;
    let mut form = Form::default();
    form.set("/description", one.description);
    form.set("/schema", one.schema.as_ref().map(pretty).unwrap_or_default());
    form.set("/example", one.example.as_ref().map(pretty).unwrap_or_default());
    form.set("/validation", one.validation);
    Ok(form_page(&viewer, form, Some(&name)))
}

/// Describes it otherwise.
pub(super) async fn change(Path(name): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    let at = format!("/event-types/{}", segment(&name));
    let changed = async { viewer.client.patch(&at, &body(&form)?).await };
    match changed.await {
        Ok(_) => Ok(done(&at, "The type is described anew.")),
        Err(refusal) => Ok(form_page(&viewer, form.refused(refusal.about_the_form()?), Some(&name))),
    }
}

fn confirm(viewer: &Viewer, name: &str, form: Form) -> Response {
    let back = format!("/event-types/{}", segment(name));
    let title = format!("Forget what the project says of {name}?");
    let effects = [
        "Events of this type go on being taken, whatever their payloads look like.",
        "A type that every project knows is then as it was.",
    ];
    Confirm {
        page: Page::new(viewer, Section::EventTypes, title).below("/event-types", "Event types"),
        effects: effects.map(str::to_owned).into(),
        form,
        action: format!("{back}/forget"),
        words: "Forget it",
        back,
    }
    .shown()
}

/// Asks whether it shall be forgotten.
pub(super) async fn ask(viewer: Viewer, Path(name): Path<String>) -> Answer<Response> {
    find(&viewer, &name).await?;
    Ok(confirm(&viewer, &name, Form::default()))
}

/// Forgets it.
pub(super) async fn forget(Path(name): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    match viewer.client.delete(&format!("/event-types/{}", segment(&name))).await {
        Ok(_) => Ok(done("/event-types", "It is forgotten.")),
        Err(refusal) => Ok(confirm(&viewer, &name, form.refused(refusal.about_the_form()?))),
    }
}
