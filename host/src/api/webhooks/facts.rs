//! What a webhook's plugins remember: shown and erased.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::Api;
use super::super::auth::Caller;
use super::super::extract::{Id, Query, page};
use super::super::problem::Answer;
use super::{find, target};
use crate::domain::clock::Millis;
use crate::domain::id::{DeliveryId, WebhookId};
use crate::domain::page::Page;
use crate::domain::token::Permission;
use crate::store::FactView;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct FactQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// The one of this key.
    key: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Erase {
    /// Only this key; everything when absent.
    key: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Fact)]
pub(in super::super) struct FactBody {
    plugin: String,
    key: String,
    value: String,
    delivery_id: DeliveryId,
    updated_at: Millis,
}

impl From<FactView> for FactBody {
    fn from(fact: FactView) -> Self {
        let FactView { id: _, plugin, key, value, delivery, updated_at } = fact;
        Self { plugin, key, value, delivery_id: delivery, updated_at }
    }
}

/// What plugins remember for this webhook, in no order that means anything; `key` picks one. It was made of payloads and
/// answers, so only those who may read events see it.
#[utoipa::path(
    get,
    path = "/webhooks/{id}/facts",
    params(FactQuery),
    security(("token" = [Permission::WebhooksRead, Permission::EventsRead])),
    responses((status = OK, body = Page<FactBody>)),
    operation_id = "webhooks_facts"
)]
pub(in super::super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    Query(query): Query<FactQuery>,
) -> Answer<axum::Json<Page<FactBody>>> {
    caller.needs(Permission::WebhooksRead)?;
    caller.needs_payloads()?;
    let webhook = find(&api, &caller, id).await?;
    let page = page(query.limit, query.cursor.as_deref())?;
    let facts = api.store.facts(webhook.project, id, query.key.as_deref(), page).await?;
    Ok(axum::Json(facts.map(FactBody::from)))
}

/// Makes the webhook's plugins forget one key, or everything.
#[utoipa::path(
    delete,
    path = "/webhooks/{id}/facts",
    params(Erase),
    security(("token" = [Permission::WebhooksWrite])),
    responses((status = NO_CONTENT))
)]
pub(in super::super) async fn erase(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    Query(Erase { key }): Query<Erase>,
) -> Answer<StatusCode> {
    caller.needs(Permission::WebhooksWrite)?;
    let webhook = find(&api, &caller, id).await?;
    let entry = caller.entry(&api, "webhook.facts_erased", target(id)).after(serde_json::json!({ "key": &key }));
    api.store.audited(entry).forget_facts(webhook.project, id, key).await?;
    Ok(StatusCode::NO_CONTENT)
}
