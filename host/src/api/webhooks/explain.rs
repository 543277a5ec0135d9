//! Why an event is delivered to a webhook, or why not.

use axum::extract::State;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::super::Api;
use super::super::auth::Caller;
use super::super::deliveries::{SummaryBody, summary_body};
use super::super::events::check_payload_size;
use super::super::extract::{Id, Json};
use super::super::form::Errors;
use super::super::problem::Answer;
use super::find;
use crate::domain::clock::Millis;
use crate::domain::event::{Event, Field, SUBJECT_MAX_CHARS};
use crate::domain::explanation::{Explanation, explain as explained};
use crate::domain::id::{EventId, ProjectId, WebhookId};
use crate::domain::page::{LIMIT_MAX, PageRequest};
use crate::domain::pattern::EventType;
use crate::domain::problem::Problem;
use crate::domain::selection::Selection;
use crate::domain::token::Permission;
use crate::domain::webhook::Webhook;
use crate::store::Search;

/// A stored event by its id, or an event that nobody has posted.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Explain)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ExplainForm {
    event_id: Option<EventId>,
    r#type: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Value>)]
    payload: Option<Box<RawValue>>,
    project: Option<ProjectId>,
    subject: Option<String>,
    attributes: Option<Vec<Field>>,
    occurred_at: Option<Millis>,
}

/// A payload may be `null`.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Explained)]
pub(in super::super) struct ExplainBody {
    #[serde(flatten)]
    explanation: Explanation,
    /// What the stored event has at this webhook, newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<Vec<SummaryBody>>,
}

/// Says whether the webhook, as it is now, would get an event, and why. Nothing is stored, sent or counted.
#[utoipa::path(
    post,
    path = "/webhooks/{id}/explain",
    security(("token" = [Permission::WebhooksRead]), ("token" = [Permission::CanTriggerIntegrations])),
    responses((status = OK, body = ExplainBody))
)]
pub(in super::super) async fn explain(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    form: Json<ExplainForm>,
) -> Answer<axum::Json<ExplainBody>> {
    caller.needs(Permission::WebhooksRead)?;
    let form = form.read().await?;
    if form.event_id.is_some() {
        caller.needs(Permission::EventsRead)?;
    }
    let webhook = find(&api, &caller, id).await?;
    let (event, deliveries) = match form.event_id {
        Some(event_id) => stored(&api, &caller, &webhook, event_id, &form).await?,
        None => (described(&api, &caller, form).await?, None),
    };
    let explanation = explained(&webhook, &event, &api.filters);
    Ok(axum::Json(ExplainBody { explanation, deliveries }))
}

async fn stored(
    api: &Api,
    caller: &Caller,
    webhook: &Webhook,
    id: EventId,
    form: &ExplainForm,
) -> Answer<(Event, Option<Vec<SummaryBody>>)> {
    let mut errors = Errors::default();
    for (pointer, is_given) in [
        ("/type", form.r#type.is_some()),
        ("/payload", form.payload.is_some()),
        ("/project", form.project.is_some()),
        ("/subject", form.subject.is_some()),
        ("/attributes", form.attributes.is_some()),
        ("/occurred_at", form.occurred_at.is_some()),
    ] {
        if is_given {
            errors.add(pointer, "stands beside `event_id`; a stored event has its own");
        }
    }
    errors.check()?;
    let event = api.store.event(caller.project(), id).await?;
    let event = event.ok_or_else(|| Problem::field("/event_id", "there is no such event"))?;
    if !caller.may(Permission::DeliveriesRead) {
        return Ok((event, None));
    }
    let selection = Selection { webhook_id: Some(webhook.id), event_id: Some(id), ..Selection::default() };
    let search = Search::new(selection, api.config.log.scan_rows);
    let page = PageRequest { limit: LIMIT_MAX, cursor: None };
    let deliveries = api.store.deliveries(caller.project(), &search, page).await?;
    Ok((event, Some(deliveries.items.into_iter().map(summary_body).collect())))
}

async fn described(api: &Api, caller: &Caller, form: ExplainForm) -> Answer<Event> {
    let project = caller.project_named(api, form.project, Permission::WebhooksRead, "").await?;
    let mut errors = Errors::default();
    if form.r#type.is_none() && form.payload.is_none() {
        return Err(Problem::field("/event_id", "is needed, or `type` and `payload` of an event").into());
    }
    // Webhooks can want the server's own events too.
    let event_type = match form.r#type.as_deref().map(EventType::parse) {
        Some(Ok(event_type)) => Some(event_type),
        Some(Err(error)) => {
            errors.add("/type", error.to_string());
            None
        }
        None => {
            errors.add("/type", "is needed");
            None
        }
    };
    if form.payload.is_none() {
        errors.add("/payload", "is needed");
    }
    if form.subject.as_deref().is_some_and(|text| !(1..=SUBJECT_MAX_CHARS).contains(&text.chars().count())) {
        errors.add("/subject", format!("is 1 to {SUBJECT_MAX_CHARS} characters"));
    }
    errors.check()?;
    let (Some(event_type), Some(payload)) = (event_type, form.payload) else {
        return Err(Problem::field("", "the event is incomplete").into());
    };
    check_payload_size(api, payload.get().len())?;
    let now = api.clock.now();
    Ok(Event {
        id: EventId::new(now, api.entropy.id()),
        project,
        event_type,
        subject: form.subject,
        occurred_at: form.occurred_at.unwrap_or(now),
        received_at: now,
        content_type: "application/json".to_owned(),
        attributes: form.attributes.unwrap_or_default(),
        payload: Some(Bytes::from(Box::<str>::from(payload).into_string())),
        request_id: None,
    })
}
