//! What the API is asked while somebody fills a webhook's form in. Nothing is saved.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::client::{Client, segment};
use super::super::delivery::{Delivery, Outcome};
use super::super::form::Form;
use super::super::refusal::{Answer, Problem};
use super::super::viewer::Viewer;
use super::draft::patterns;

/// How many recent events a filter would let pass.
#[derive(Debug, Deserialize)]
pub(super) struct Matches {
    pub(super) examined: u64,
    pub(super) wanted: u64,
    pub(super) matched: u64,
    pub(super) errors: u64,
    pub(super) first_error: Option<String>,
}

/// What was asked for besides saving.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) matches: Option<Result<Matches, String>>,
    pub(super) url: Option<Result<String, String>>,
    pub(super) test: Option<Result<Outcome, String>>,
}

/// Counts the recent events that the form would let pass.
pub(super) async fn count(viewer: &Viewer, form: &Form) -> Answer<Result<Matches, String>> {
    let body = json!({ "events": patterns(form), "filter": form.text_or_null("/filter") });
    match viewer.client.post("/events/count", &body).await {
        Ok(reply) => Ok(Ok(reply.read()?)),
        Err(refusal) => refusal.about_the_form().map(|problem| Err(problem.detail)),
    }
}

/// Whether the URL may be called.
pub(super) async fn check(viewer: &Viewer, form: &Form) -> Answer<Result<String, String>> {
    let url = form.filled("/url").unwrap_or_default();
    match viewer.client.post("/webhooks/check-url", &json!({ "url": url })).await {
        Ok(reply) => Ok(Ok(reply.text("/origin").to_owned())),
        Err(refusal) => {
            let problem = refusal.about_the_form()?;
            Ok(Err(problem.errors.first().map_or(problem.detail.clone(), |error| error.detail.clone())))
        }
    }
}

/// Sends a test to the webhook that the form describes.
pub(super) async fn test(viewer: &Viewer, form: &Form, webhook: Value) -> Answer<Outcome> {
    let sample = sample(&viewer.client, form).await?;
    let body = json!({ "webhook": webhook, "event": sample });
    let delivery: Delivery = viewer.client.post("/webhooks/test", &body).await?.read()?;
    Ok(Outcome { delivery, is_stored: false })
}

/// The event that a test sends: what is filled in, or the example of its type.
pub(super) async fn sample(client: &Client, form: &Form) -> Answer<Value> {
    let kind = form.filled("test-type");
    let given = form.filled("test-payload").map(serde_json::from_str::<Value>);
    let payload = match (given, kind) {
        (Some(Ok(payload)), _) => Some(payload),
        (Some(Err(error)), _) => return Err(Problem::field("test-payload", format!("is not JSON: {error}")).into()),
        (None, Some(kind)) => {
            let described: Value = client.get(&format!("/event-types/{}", segment(kind))).await?;
            described.get("example").filter(|example| !example.is_null()).cloned()
        }
        (None, None) => None,
    };
    let mut event = json!({});
    if let Some(kind) = kind {
        event["type"] = kind.into();
    }
    if let Some(payload) = payload {
        event["payload"] = payload;
    }
    Ok(event)
}
