//! One version: what it says of itself, how its checks went, who uses it; and its end.

use askama::Template;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderValue, Method, header};
use axum::response::Response;
use serde_json::Value;

use super::super::flash::done;
use super::super::form::Form;
use super::super::form_page::Confirm;
use super::super::page::{Items, Page, Section, shown};
use super::super::parts::{Status, When};
use super::super::posted::Posted;
use super::super::refusal::{Answer, Problem, Refusal};
use super::super::viewer::Viewer;
use super::steps::Steps;
use super::{User, Version, path, pretty};
use crate::domain::permission::Permission;

/// A field of its configuration.
struct Setting {
    name: String,
    kind: String,
    title: String,
    description: String,
    needed: bool,
}

struct Secret {
    name: String,
    description: String,
    required: bool,
}

/// Another version of the same plugin.
struct Other {
    version: String,
    path: String,
    status: Status,
    is_this: bool,
    users: String,
    made: When,
}

#[derive(Template)]
#[template(path = "plugins/one.html")]
struct OnePage {
    page: Page,
    name: String,
    version: String,
    path: String,
    summary: String,
    homepage: Option<String>,
    status: Status,
    is_ready: bool,
    is_checking: bool,
    is_paused: bool,
    steps: Steps,
    digest: String,
    size: String,
    made: When,
    events: Vec<String>,
    statuses: Vec<String>,
    cases: usize,
    settings: Vec<Setting>,
    secrets: Vec<Secret>,
    schema: String,
    webhooks: Vec<User>,
    webhooks_count: usize,
    others: Vec<Other>,
    may_write: bool,
    may_register: bool,
}

fn settings(schema: &Value) -> Vec<Setting> {
    let needed = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name));
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let one = |(name, property): (&String, &Value)| Setting {
        needed: needed(name),
        name: name.clone(),
        kind: text(property, "type"),
        title: text(property, "title"),
        description: text(property, "description"),
    };
    schema["properties"].as_object().into_iter().flatten().map(one).collect()
}

async fn find(viewer: &Viewer, name: &str, version: &str) -> Answer<Version> {
    viewer.client.get(&path(name, version)).await
}

/// One of them.
pub(in super::super) async fn show(viewer: Viewer, Path((name, version)): Path<(String, String)>) -> Answer<Response> {
    let one = find(&viewer, &name, &version).await?;
    let all: Items<Version> = viewer.client.get("/plugins?limit=200").await?;
    let other = |other: Version| Other {
        path: other.path(),
        status: other.shown_status(),
        is_this: other.version == one.version,
        users: other.users(),
        made: other.made(&viewer),
        version: other.version,
    };
    let others = all.items.into_iter().filter(|other| other.name == one.name).map(other).collect();
    let steps = match &one.error {
        Some(error) => Steps::refused(&error.code, &error.message),
        None if one.status == "checking" => Steps::checking(),
        None => Steps::passed(),
    };
    let no_manifest = || Refusal::from(Problem::unknown(axum::http::StatusCode::INTERNAL_SERVER_ERROR));
    let path = one.path();
    let (status, size, made) = (one.shown_status(), one.size(), one.made(&viewer));
    let manifest = one.manifest.ok_or_else(no_manifest)?;
    let secret = |(name, wanted): (String, crate::domain::plugin::WantedSecret)| Secret {
        name,
        description: wanted.description,
        required: wanted.required,
    };
    Ok(shown(&OnePage {
        page: Page::new(&viewer, Section::Plugins, format!("{} {}", one.name, one.version))
            .below("/plugins", "Plugins"),
        summary: one.summary,
        homepage: manifest.homepage.filter(|link| link.starts_with("https://") || link.starts_with("http://")),
        is_ready: one.status == "ready",
        is_checking: one.status == "checking",
        is_paused: one.paused.is_some(),
        digest: one.digest,
        events: manifest.events.iter().map(ToString::to_string).collect(),
        statuses: manifest.interpreter.map(|interpreter| interpreter.statuses).unwrap_or_default(),
        cases: manifest.cases.len(),
        settings: settings(&manifest.config),
        schema: pretty(&manifest.config),
        secrets: manifest.secrets.into_iter().map(secret).collect(),
        webhooks: one.webhooks,
        webhooks_count: one.webhooks_count,
        may_write: viewer.may(Permission::PluginsWrite),
        may_register: viewer.may(Permission::WebhooksWrite),
        name: one.name,
        version: one.version,
        path,
        status,
        size,
        made,
        steps,
        others,
    }))
}

/// Its bytes, as a file.
pub(in super::super) async fn download(
    viewer: Viewer,
    Path((name, version)): Path<(String, String)>,
) -> Answer<Response> {
    let mut response =
        viewer.client.raw(Method::GET, &format!("{}/component", path(&name, &version)), None, Body::empty()).await;
    if !response.status().is_success() {
        find(&viewer, &name, &version).await?;
        return Err(Problem::no_page("its component: what was refused keeps no bytes").into());
    }
    let file = HeaderValue::from_str(&format!("attachment; filename=\"{name}-{version}.wasm\""));
    let file = file.unwrap_or(HeaderValue::from_static("attachment"));
    response.headers_mut().insert(header::CONTENT_DISPOSITION, file);
    Ok(response)
}

/// Lets it be run again.
pub(in super::super) async fn resume(
    Path((name, version)): Path<(String, String)>,
    Posted { viewer, .. }: Posted,
) -> Answer<Response> {
    viewer.client.act(&format!("{}/resume", path(&name, &version))).await?;
    Ok(done(&path(&name, &version), "It is run again. What waited for it goes on."))
}

async fn confirm(viewer: &Viewer, name: &str, version: &str, form: Form) -> Answer<Response> {
    let one = find(viewer, name, version).await?;
    let used = match one.webhooks_count {
        0 => "No webhook uses it.".to_owned(),
        _ => format!("{} use it: it cannot be deleted before they have another version.", one.users()),
    };
    Ok(Confirm {
        page: Page::new(viewer, Section::Plugins, format!("Delete {name} {version}?"))
            .below("/plugins", "Plugins")
            .below(one.path(), format!("{name} {version}")),
        effects: vec![used, "The same version can never be uploaded with other bytes, not even after this.".to_owned()],
        form,
        action: format!("{}/delete", one.path()),
        words: "Delete this version",
        back: one.path(),
    }
    .shown())
}

/// Asks whether it shall go.
pub(in super::super) async fn ask(viewer: Viewer, Path((name, version)): Path<(String, String)>) -> Answer<Response> {
    confirm(&viewer, &name, &version, Form::default()).await
}

/// Takes it away.
pub(in super::super) async fn delete(
    Path((name, version)): Path<(String, String)>,
    Posted { viewer, form }: Posted,
) -> Answer<Response> {
    match viewer.client.delete(&path(&name, &version)).await {
        Ok(_) => Ok(done("/plugins", "The version is deleted.")),
        Err(refusal) => confirm(&viewer, &name, &version, form.refused(refusal.about_the_form()?)).await,
    }
}
