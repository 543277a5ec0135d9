//! What people do with an event: send it anew, or to one webhook.

use axum::extract::Path;
use axum::response::Response;
use serde_json::json;

use super::super::client::segment;
use super::super::flash::{done, failed};
use super::super::posted::Posted;
use super::super::refusal::Answer;
use super::super::webhooks::act::trigger as trigger_webhook;

/// Makes new deliveries for the webhooks that want it now.
pub(in super::super) async fn replay(Path(id): Path<String>, Posted { viewer, .. }: Posted) -> Answer<Response> {
    let path = format!("/events/{}", segment(&id));
    match viewer.client.post(&format!("{path}/replay"), &json!({})).await {
        Ok(reply) => {
            let made = reply.body["deliveries"].as_array().map_or(0, Vec::len);
            Ok(done(&path, format!("It is sent anew: {made} {}.", if made == 1 { "delivery" } else { "deliveries" })))
        }
        Err(refusal) => Ok(failed(&path, refusal.about_the_form()?.detail)),
    }
}

/// Sends an event, or nothing, to the webhook that is chosen (E2, E3).
pub(in super::super) async fn trigger(posted: Posted) -> Answer<Response> {
    match posted.form.filled("webhook").map(ToOwned::to_owned) {
        Some(webhook) => trigger_webhook(Path(webhook), posted).await,
        None => Ok(failed("/events", "Choose a webhook first. Nothing was sent.")),
    }
}
