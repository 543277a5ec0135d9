//! Enabling and disabling a webhook.

use axum::extract::Path;
use axum::response::Response;
use serde_json::json;

use super::super::client::segment;
use super::super::flash::done;
use super::super::posted::Posted;
use super::super::refusal::Answer;
use super::super::sign_in::is_here;

/// Does what the button says, and goes back to where it was.
pub(in super::super) async fn submit(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    let enabled = form.is_ticked("enabled");
    viewer.client.patch(&format!("/webhooks/{}", segment(&id)), &json!({ "enabled": enabled })).await?;
    let back = form.get("back").filter(|path| is_here(path)).unwrap_or("/webhooks");
    let told = if enabled {
        "The webhook is enabled. What waited for it is sent now."
    } else {
        "The webhook is disabled. What is on its way waits until it is enabled."
    };
    Ok(done(back, told))
}
