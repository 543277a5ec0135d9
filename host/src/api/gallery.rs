//! `/gallery`: plugins that lie ready on the server, for projects to add.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::auth::Caller;
use super::plugins::{PluginBody, take};
use super::problem::Answer;
use crate::domain::page::Page;
use crate::domain::pattern::Pattern;
use crate::domain::permission::Permission;
use crate::domain::plugin::Digest;
use crate::domain::problem::Problem;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Exhibit)]
pub(super) struct ExhibitBody {
    name: String,
    version: String,
    summary: String,
    homepage: Option<String>,
    events: Vec<Pattern>,
    digest: Digest,
    size_bytes: u64,
    /// How far this version is in the project; null when it has not been added.
    status: Option<&'static str>,
}

/// What lies ready, by name.
#[utoipa::path(
    get,
    path = "/gallery",
    security(("token" = [Permission::PluginsRead])),
    responses((status = OK, body = Page<ExhibitBody>))
)]
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Answer<Json<Page<ExhibitBody>>> {
    caller.needs(Permission::PluginsRead)?;
    let mut items = Vec::new();
    let mut states = HashMap::new();
    for exhibit in api.plugins.gallery().await {
        let manifest = &exhibit.manifest;
        let key = (manifest.name.clone(), manifest.version.clone());
        if !states.contains_key(&key) {
            let found = api.store.plugin(caller.project(), &key.0, &key.1).await?;
            states.insert(key.clone(), found.map(|version| version.state.as_str()));
        }
        items.push(ExhibitBody {
            status: states[&key],
            name: key.0,
            version: key.1,
            summary: manifest.summary.clone(),
            homepage: manifest.homepage.clone(),
            events: manifest.events.clone(),
            digest: exhibit.digest,
            size_bytes: exhibit.size_bytes,
        });
    }
    Ok(Json(Page { items, next_cursor: None }))
}

/// Adds the one of this name to the project, as an upload does; of several versions the last.
#[utoipa::path(
    post,
    path = "/gallery/{name}",
    security(("token" = [Permission::PluginsWrite])),
    responses((status = OK, body = PluginBody, headers(("Location")), description = "The same bytes are there."), (status = CREATED, body = PluginBody, headers(("Location")), description = "It is ready."), (status = ACCEPTED, body = PluginBody, headers(("Location")), description = "It is still being checked."), (status = CONFLICT, description = "The version is there with other bytes."), (status = UNPROCESSABLE_ENTITY, description = "The plugin is refused, or the project has as much as it may have."))
)]
pub(super) async fn add(State(api): State<Api>, caller: Caller, Path(name): Path<String>) -> Answer<Response> {
    caller.needs(Permission::PluginsWrite)?;
    let exhibits = api.plugins.gallery().await;
    let found = exhibits.iter().rfind(|exhibit| exhibit.manifest.name == name);
    let gone = || Problem::not_found("plugin in the gallery");
    let component = api.plugins.component_of(found.ok_or_else(gone)?).await.ok_or_else(gone)?;
    take(&api, &caller, component).await
}
