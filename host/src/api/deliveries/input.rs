//! What a delivery's plugin was given, for whoever runs it again.

use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::Api;
use super::super::auth::Caller;
use super::super::extract::Id;
use super::super::problem::Answer;
use crate::domain::id::DeliveryId;
use crate::domain::plugin::Digest;
use crate::domain::plugin_limits::PluginLimits;
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::recording::{Digests, Recording};
use crate::domain::token::Permission;

/// The version that ran.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InputVersion)]
struct VersionBody {
    name: String,
    version: String,
    digest: Digest,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeliveryInput)]
pub(in super::super) struct InputBody {
    #[serde(flatten)]
    recording: Recording,
    plugin: VersionBody,
    /// What the run might use of what a webhook can lower.
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<PluginLimits>,
    /// The webhook's origin, the rest of the URL masked.
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    digests: Option<Digests>,
    /// What came of it: `requests`, `skipped` or `failed`; null when nothing has yet, or when it is no longer kept.
    outcome: Option<Value>,
}

/// What the plugin was given, byte for byte: the event, the configuration that was fixed with the delivery, what it recalled;
/// and what came of it.
#[utoipa::path(
    get,
    path = "/deliveries/{id}/input",
    security(("token" = [Permission::DeliveriesRead, Permission::PluginsRead, Permission::EventsRead])),
    responses(
        (status = OK, body = InputBody),
        (status = CONFLICT, description = "The delivery passed through no plugin.")
    )
)]
pub(in super::super) async fn input(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<DeliveryId>,
) -> Answer<axum::Json<InputBody>> {
    caller.needs(Permission::DeliveriesRead)?;
    caller.needs(Permission::PluginsRead)?;
    caller.needs_payloads()?;
    let recorded = api.store.recorded(caller.project(), id).await?.ok_or_else(|| Problem::not_found("delivery"))?;
    let configuration = recorded.head.configuration.clone();
    let (Some(plugin), Some(digest)) = (&configuration.plugin, recorded.version) else {
        return Err(Problem::new(ProblemCode::WrongState, "the delivery passed through no plugin").into());
    };
    if let Some(since) = recorded.removed_at {
        return Err(Problem::no_longer_kept("what the plugin was given", Some(since)).into());
    }
    let outcome = api.store.recorded_outcome(&recorded).await?.map(|outcome| outcome.shown());
    let digests = recorded.run.as_ref().and_then(|run| run.digests);
    Ok(axum::Json(InputBody {
        recording: recorded.given(&plugin.config).recording(),
        plugin: VersionBody { name: plugin.name.clone(), version: plugin.version.clone(), digest },
        limits: recorded.run.as_ref().and_then(|run| run.limits),
        url: recorded.origin,
        digests,
        outcome,
    }))
}
