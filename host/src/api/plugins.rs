//! `/plugins`: uploaded, checked, listed.

use std::sync::Arc;

use axum::extract::{FromRequest as _, Multipart, Path, Request, State};
use axum::http::{StatusCode, header};
use bytes::Bytes;
use serde::Serialize;

use super::Api;
use super::auth::Caller;
use super::extract::{Paging, Query, body};
use super::problem::{Answer, Refused};
use crate::domain::clock::Millis;
use crate::domain::id::PluginVersionId;
use crate::domain::page::Page;
use crate::domain::plugin::{Digest, Manifest, PluginVersion};
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::token::Permission;
use crate::sandbox::Refusal;
use crate::store::Stored;

#[derive(Debug, Serialize)]
pub(super) struct PluginBody {
    name: String,
    version: String,
    digest: String,
    status: &'static str,
    summary: String,
    size_bytes: u64,
    created_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<Manifest>,
}

fn plugin_body(version: PluginVersion, with_manifest: bool) -> PluginBody {
    PluginBody {
        name: version.manifest.name.clone(),
        version: version.manifest.version.clone(),
        digest: version.digest.to_string(),
        // What is not ready is not stored.
        status: "ready",
        summary: version.manifest.summary.clone(),
        size_bytes: version.size_bytes,
        created_at: version.created_at,
        manifest: with_manifest.then_some(version.manifest),
    }
}

/// Takes a component: raw, or as the part `file` of a form.
pub(super) async fn upload(
    State(api): State<Api>,
    caller: Caller,
    request: Request,
) -> Answer<(StatusCode, axum::Json<PluginBody>)> {
    caller.needs(Permission::PluginsWrite)?;
    let component = component(&api, request).await?;
    let (sandbox, bytes) = (api.sandbox.clone(), component.clone());
    let admitted = tokio::task::spawn_blocking(move || sandbox.admit(&bytes))
        .await
        .map_err(|_| Problem::new(ProblemCode::Internal, "the component could not be checked"))?;
    let admitted = admitted.map_err(|refusal| refused(&refusal))?;
    let now = api.clock.now();
    let version = PluginVersion {
        id: PluginVersionId::new(now, api.entropy.id()),
        project: caller.project(),
        manifest: admitted.manifest,
        digest: Digest::of(&component),
        size_bytes: component.len() as u64,
        created_at: now,
    };
    match api.store.insert_plugin(&version, &component).await? {
        Stored::New => {
            api.sandbox.keep(Arc::new(version.clone()), admitted.loaded);
            Ok((StatusCode::CREATED, axum::Json(plugin_body(version, true))))
        }
        Stored::Same(existing) => Ok((StatusCode::OK, axum::Json(plugin_body(existing, true)))),
        Stored::Different(existing) => {
            let Manifest { name, version, .. } = &existing.manifest;
            let detail =
                format!("{name} {version} is there already with other bytes ({}); raise the version", existing.digest);
            Err(Problem::new(ProblemCode::Conflict, detail).into())
        }
    }
}

fn refused(refusal: &Refusal) -> Refused {
    let code = match refusal {
        Refusal::TooLarge { .. } => ProblemCode::TooLarge,
        _ => ProblemCode::PluginRefused,
    };
    Problem::new(code, refusal.to_string()).into()
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

/// Versions, newest first.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(paging): Query<Paging>,
) -> Answer<axum::Json<Page<PluginBody>>> {
    caller.needs(Permission::PluginsRead)?;
    let versions = api.store.plugins(caller.project(), paging.page()?).await?;
    Ok(axum::Json(versions.map(|version| plugin_body(version, false))))
}

/// One version with its manifest.
pub(super) async fn read(
    State(api): State<Api>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
) -> Answer<axum::Json<PluginBody>> {
    caller.needs(Permission::PluginsRead)?;
    let found = api.store.plugin(caller.project(), &name, &version).await?;
    Ok(axum::Json(plugin_body(found.ok_or_else(|| Problem::not_found("plugin version"))?, true)))
}
