//! `/webhooks/{id}/revisions`: what its configuration was, and since when.

use axum::extract::State;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::super::Api;
use super::super::auth::Caller;
use super::super::extract::{Id, Paging, Query};
use super::super::problem::Answer;
use super::find;
use crate::domain::clock::Millis;
use crate::domain::id::WebhookId;
use crate::domain::page::Page;
use crate::domain::plugin_limits::PluginLimits;
use crate::domain::token::Permission;
use crate::domain::webhook::{ContentType, Envelope};
use crate::store::Revision;

/// What deliveries of that time were made by. Secrets have no history.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Revision)]
pub(in super::super) struct RevisionBody {
    revision: i64,
    created_at: Millis,
    content_type: ContentType,
    envelope: Envelope,
    /// Whether bodies carry the webhook's token.
    body_token: bool,
    plugin: Option<PluginBody>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RevisionPlugin)]
struct PluginBody {
    name: String,
    version: String,
    #[schema(value_type = Value)]
    config: Box<RawValue>,
    limits: PluginLimits,
}

fn body(Revision { configuration, created_at }: Revision) -> RevisionBody {
    let plugin = configuration.plugin.map(|plugin| PluginBody {
        name: plugin.name,
        version: plugin.version,
        config: RawValue::from_string(plugin.config).expect("a stored configuration is JSON"),
        limits: plugin.limits,
    });
    RevisionBody {
        revision: configuration.revision,
        created_at,
        content_type: configuration.content_type,
        envelope: configuration.envelope,
        body_token: configuration.body_token,
        plugin,
    }
}

/// A webhook's configurations, newest first: the first is in use.
#[utoipa::path(
    get,
    path = "/webhooks/{id}/revisions",
    params(Paging),
    security(("token" = [Permission::WebhooksRead]), ("token" = [Permission::CanTriggerIntegrations])),
    responses((status = OK, body = Page<RevisionBody>))
)]
pub(in super::super) async fn revisions(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    Query(paging): Query<Paging>,
) -> Answer<axum::Json<Page<RevisionBody>>> {
    caller.needs(Permission::WebhooksRead)?;
    find(&api, &caller, id).await?;
    let revisions = api.store.revisions(caller.project(), id, paging.page()?).await?;
    Ok(axum::Json(revisions.map(body)))
}
