//! What people do with one delivery: send it again, transform it anew, give it up.

use axum::extract::Path;
use axum::response::Response;
use serde_json::json;

use super::super::client::{Reply, segment};
use super::super::flash::{done, failed};
use super::super::posted::Posted;
use super::super::refusal::Answer;

fn path(id: &str) -> String {
    format!("/deliveries/{}", segment(id))
}

fn acted(id: &str, answer: Answer<Reply>, told: &str) -> Answer<Response> {
    match answer {
        Ok(_) => Ok(done(&path(id), told)),
        Err(refusal) => Ok(failed(&path(id), refusal.about_the_form()?.detail)),
    }
}

/// Sends the same bytes again: all that did not arrive, or one request, also one that did.
pub(in super::super) async fn retry(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    let body = match form.filled("request") {
        Some(request) => json!({ "requests": [request], "include_succeeded": form.is_ticked("include-succeeded") }),
        None => json!({}),
    };
    let answer = viewer.client.post(&format!("{}/retry", path(&id)), &body).await;
    acted(&id, answer, "It is sent again now, with the same bytes.")
}

/// Gives up what is open of it.
pub(in super::super) async fn cancel(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    let body = form.filled("reason").map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
    let answer = viewer.client.post(&format!("{}/cancel", path(&id)), &body).await;
    acted(&id, answer, "It is given up.")
}

/// Transforms again and sends what comes out: the event anew to the webhook, with its plugin and settings of now.
pub(in super::super) async fn remake(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    let parked = form.get("status") == Some("parked");
    let answer = if parked {
        viewer.client.act(&format!("{}/reprocess", path(&id))).await
    } else {
        let event = form.filled("event").unwrap_or_default();
        let body = json!({ "webhook_id": form.filled("webhook").unwrap_or_default() });
        viewer.client.post(&format!("/events/{}/replay", segment(event)), &body).await
    };
    match answer {
        Ok(reply) => {
            let new = if parked { reply.text("/id") } else { reply.text("/deliveries/0/id") };
            Ok(done(&path(new), "This is the new delivery, made with the plugin and the settings of now."))
        }
        Err(refusal) => Ok(failed(&path(&id), refusal.about_the_form()?.detail)),
    }
}
