//! `/plugins`: uploaded, checked, listed, tried.

mod component;
mod preview;

use std::sync::Arc;

use axum::extract::{FromRequest as _, Multipart, Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(super) use self::component::*;
pub(super) use self::preview::*;
use super::Api;
use super::auth::Caller;
use super::extract::{Query, body, named, page};
use super::problem::{Answer, Refused};
use crate::domain::audit::{Entry, Target};
use crate::domain::clock::Millis;
use crate::domain::id::WebhookId;
use crate::domain::page::Page;
use crate::domain::plugin::{LimitHit, Manifest, Pause, PluginFailure, PluginState, PluginVersion};
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::token::Permission;
use crate::domain::webhook::Webhook;
use crate::plugins::Uploaded;
use crate::store::{Deleted, PluginFilter, USERS_SHOWN};

/// So many of the webhooks that use a version are named.
const WEBHOOKS_SHOWN: usize = 50;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PluginVersion)]
pub(super) struct PluginBody {
    name: String,
    version: String,
    digest: String,
    #[schema(value_type = Status)]
    status: &'static str,
    /// Why it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<PluginFailure>,
    /// Why it is not run for the time being.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<Pause>,
    summary: String,
    size_bytes: u64,
    created_at: Millis,
    /// How many webhooks use it.
    webhooks_count: usize,
    /// Which, for those who may read webhooks; of many the first.
    webhooks: Vec<UserBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<Manifest>,
}

/// A component as a part of a form.
#[derive(ToSchema)]
#[schema(as = PluginUpload)]
#[expect(dead_code, reason = "it is read part by part; this is how it is told")]
struct UploadForm {
    /// The component.
    #[schema(format = Binary, content_media_type = "application/wasm")]
    file: Vec<u8>,
}

/// How far a version is.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[schema(as = PluginStatus)]
#[serde(rename_all = "snake_case")]
enum Status {
    Checking,
    Ready,
    Refused,
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Checking => "checking",
            Self::Ready => "ready",
            Self::Refused => "refused",
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PluginQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// With this text in the name; large letters are like small ones.
    #[param(min_length = 1, max_length = 255)]
    q: Option<String>,
    /// Of the plugin of this name.
    #[param(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// That stand so.
    status: Option<Status>,
}

/// A webhook that uses a version.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PluginUser)]
struct UserBody {
    id: WebhookId,
    name: String,
}

fn plugin_body(api: &Api, caller: &Caller, version: PluginVersion, with_manifest: bool) -> PluginBody {
    let snapshot = api.store.subscriptions();
    let uses = |webhook: &&Arc<Webhook>| {
        webhook.configuration.plugin.as_ref().is_some_and(|plugin| plugin.version_id == version.id)
    };
    let shown = if caller.may(Permission::WebhooksRead) { WEBHOOKS_SHOWN } else { 0 };
    let users: Vec<_> = snapshot.of_project(version.project).iter().filter(uses).collect();
    PluginBody {
        webhooks_count: users.len(),
        webhooks: users.into_iter().take(shown).map(|user| UserBody { id: user.id, name: user.name.clone() }).collect(),
        name: version.manifest.name.clone(),
        version: version.manifest.version.clone(),
        digest: version.digest.to_string(),
        status: version.state.as_str(),
        error: match version.state {
            PluginState::Refused(failure) => Some(failure),
            PluginState::Checking | PluginState::Ready => None,
        },
        paused: version.paused,
        summary: version.manifest.summary.clone(),
        size_bytes: version.size_bytes,
        created_at: version.created_at,
        manifest: with_manifest.then_some(version.manifest),
    }
}

/// A line of the audit log; which version it is about is said by whoever knows.
fn entry(api: &Api, caller: &Caller, action: &'static str) -> Entry {
    caller.entry(api, action, Target::new("plugin", ""))
}

/// Takes a component: raw, or as the part `file` of a form. 201 when it is ready, 202 while it is being checked, 200 when the
/// same bytes are there.
#[utoipa::path(
    post,
    path = "/plugins",
    request_body(content(
        (Vec<u8> = "application/wasm"),
        (UploadForm = "multipart/form-data")
    )),
    security(("token" = [Permission::PluginsWrite])),
    responses(
        (status = OK, body = PluginBody, headers(("Location")), description = "The same bytes are there."),
        (status = CREATED, body = PluginBody, headers(("Location")), description = "It is ready."),
        (status = ACCEPTED, body = PluginBody, headers(("Location")), description = "It is still being checked."),
        (status = CONFLICT, description = "The version is there with other bytes.")
    )
)]
pub(super) async fn upload(State(api): State<Api>, caller: Caller, request: Request) -> Answer<Response> {
    caller.needs(Permission::PluginsWrite)?;
    let component = component(&api, request).await?;
    take(&api, &caller, component).await
}

/// Takes a component in; see [`upload`].
pub(super) async fn take(api: &Api, caller: &Caller, component: Bytes) -> Answer<Response> {
    let (status, version) = match api
        .plugins
        .audited(entry(api, caller, "plugin.uploaded"))
        .upload(caller.project(), component)
        .await?
    {
        Uploaded::Checked(version) => match &version.state {
            PluginState::Refused(failure) => return Err(refused(failure.clone())),
            _ => (StatusCode::CREATED, PluginVersion::clone(&version)),
        },
        Uploaded::Checking(version) => (StatusCode::ACCEPTED, PluginVersion::clone(&version)),
        Uploaded::Same(version) => {
            let is_checking = version.state == PluginState::Checking;
            (if is_checking { StatusCode::ACCEPTED } else { StatusCode::OK }, version)
        }
        Uploaded::Different(existing) => {
            let Manifest { name, version, .. } = &existing.manifest;
            let detail = format!(
                "{name} {version} is there already, or was, with other bytes ({}); raise the version",
                existing.digest
            );
            return Err(Problem::new(ProblemCode::Conflict, detail).into());
        }
        Uploaded::OverQuota(LimitHit { limit, used, allowed }) => {
            let detail = format!(
                "the project would have {used} of `plugins.{limit}`; allowed are {allowed}; delete versions that nothing uses"
            );
            return Err(Problem::new(ProblemCode::QuotaExceeded, detail).into());
        }
        Uploaded::Refused(failure) => return Err(refused(failure)),
    };
    let Manifest { name, version: number, .. } = &version.manifest;
    let location = HeaderValue::from_str(&format!("/api/v1/plugins/{name}/versions/{number}"));
    let location = [(header::LOCATION, location.expect("names and versions are ASCII"))];
    Ok((status, location, axum::Json(plugin_body(api, caller, version, true))).into_response())
}

fn refused(failure: PluginFailure) -> Refused {
    let is_too_large = failure.limit.as_ref().is_some_and(|hit| hit.limit == "component_bytes");
    let code = if is_too_large { ProblemCode::TooLarge } else { ProblemCode::PluginRefused };
    let detail = failure.message.clone();
    Problem { plugin: Some(Box::new(failure)), ..Problem::new(code, detail) }.into()
}

/// Deletes a version that nothing uses any more.
#[utoipa::path(
    delete,
    path = "/plugins/{name}/versions/{version}",
    security(("token" = [Permission::PluginsWrite])),
    responses((status = NO_CONTENT), (status = CONFLICT, description = "Something uses it."))
)]
pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
) -> Answer<StatusCode> {
    caller.needs(Permission::PluginsWrite)?;
    let in_use = |who: &str, webhooks: &[WebhookId], what_then: &str| {
        let named = webhooks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let others = if webhooks.len() < USERS_SHOWN { "" } else { " and perhaps others" };
        Problem::new(ProblemCode::InUse, format!("{who}: {named}{others}; {what_then}"))
    };
    match api.plugins.audited(entry(&api, &caller, "plugin.deleted")).delete(caller.project(), &name, &version).await? {
        Deleted::Yes(_) => Ok(StatusCode::NO_CONTENT),
        Deleted::NotThere => Err(Problem::not_found("plugin version").into()),
        Deleted::UsedBy(webhooks) => {
            Err(in_use("webhooks use it", &webhooks, "move them to another version first").into())
        }
        Deleted::Awaited(webhooks) => {
            Err(in_use("deliveries of these webhooks need it that are not done yet", &webhooks, "try again later")
                .into())
        }
    }
}

/// Lets a version be run again that was paused because it kept failing; what waited for it goes on.
#[utoipa::path(
    post,
    path = "/plugins/{name}/versions/{version}/resume",
    security(("token" = [Permission::PluginsWrite])),
    responses((status = OK, body = PluginBody))
)]
pub(super) async fn resume(
    State(api): State<Api>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
) -> Answer<axum::Json<PluginBody>> {
    caller.needs(Permission::PluginsWrite)?;
    let resumed =
        api.plugins.audited(entry(&api, &caller, "plugin.resumed")).resume(caller.project(), &name, &version).await?;
    Ok(axum::Json(plugin_body(&api, &caller, resumed.ok_or_else(|| Problem::not_found("plugin version"))?, true)))
}

async fn component(api: &Api, request: Request) -> Answer<Bytes> {
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence =
        media_type.unwrap_or("application/wasm").split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/wasm" | "application/octet-stream" => body(request, api).await,
        "multipart/form-data" => {
            let malformed = |detail: String| Refused(Problem::new(ProblemCode::MalformedBody, detail));
            let mut parts =
                Multipart::from_request(request, api).await.map_err(|error| malformed(error.body_text()))?;
            while let Some(part) = parts.next_field().await.map_err(|error| malformed(error.body_text()))? {
                if part.name() == Some("file") {
                    return part.bytes().await.map_err(|error| malformed(error.body_text()));
                }
            }
            Err(malformed("the form has no part named `file`".to_owned()))
        }
        other => {
            let detail =
                format!("send the component as `application/wasm` or as the part `file` of a form, not `{other}`");
            Err(Problem::new(ProblemCode::UnsupportedMediaType, detail).into())
        }
    }
}

/// Versions that are all of what is asked for, newest first.
#[utoipa::path(
    get,
    path = "/plugins",
    params(PluginQuery),
    security(("token" = [Permission::PluginsRead])),
    responses((status = OK, body = Page<PluginBody>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<PluginQuery>,
) -> Answer<axum::Json<Page<PluginBody>>> {
    caller.needs(Permission::PluginsRead)?;
    let page = page(query.limit, query.cursor.as_deref())?;
    let mut wrong = Vec::new();
    named(&mut wrong, "q", query.q.as_deref(), 255);
    named(&mut wrong, "name", query.name.as_deref(), 255);
    if !wrong.is_empty() {
        return Err(Problem::parameters(wrong).into());
    }
    let filter = PluginFilter { name: query.name, state: query.status.map(Status::as_str), text: query.q };
    let versions = api.store.plugins(caller.project(), &filter, page).await?;
    Ok(axum::Json(versions.map(|version| plugin_body(&api, &caller, version, false))))
}

/// One version with its manifest.
#[utoipa::path(
    get,
    path = "/plugins/{name}/versions/{version}",
    security(("token" = [Permission::PluginsRead])),
    responses((status = OK, body = PluginBody))
)]
pub(super) async fn read(
    State(api): State<Api>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
) -> Answer<axum::Json<PluginBody>> {
    caller.needs(Permission::PluginsRead)?;
    let found = api.store.plugin(caller.project(), &name, &version).await?;
    Ok(axum::Json(plugin_body(&api, &caller, found.ok_or_else(|| Problem::not_found("plugin version"))?, true)))
}
