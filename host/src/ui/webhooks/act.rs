//! What people do with a webhook: test, trigger, another secret, recover, reprocess, forget, delete.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use serde_json::{Value, json};

use super::super::client::{Reply, segment};
use super::super::delivery::{Delivery, Outcome};
use super::super::flash::{done, failed};
use super::super::form::Form;
use super::super::page::{Page, Section, shown_as};
use super::super::posted::Posted;
use super::super::refusal::{Answer, Problem};
use super::super::sign_in::is_here;
use super::super::viewer::Viewer;
use super::ask::sample;
use super::registered;

/// What came of a test or a trigger, and a button to do it again.
#[derive(Template)]
#[template(path = "webhooks/sent.html")]
struct SentPage {
    page: Page,
    webhook: String,
    again: String,
    fields: Vec<(String, String)>,
    back: String,
    result: Result<Outcome, Problem>,
}

fn path(id: &str) -> String {
    format!("/webhooks/{}", segment(id))
}

/// Where somebody came from.
fn back(form: &Form, otherwise: String) -> String {
    form.get("back").filter(|path| is_here(path)).map_or(otherwise, ToOwned::to_owned)
}

async fn sent(viewer: &Viewer, id: &str, what: &'static str, form: &Form, answer: Answer<Reply>) -> Answer<Response> {
    let result = match answer {
        Ok(reply) => {
            let delivery: Delivery = reply.read()?;
            Ok(Outcome { delivery, is_stored: true })
        }
        Err(refusal) => Err(refusal.about_the_form()?),
    };
    let webhook: Value = viewer.client.get(&path(id)).await?;
    let name = webhook["name"].as_str().filter(|name| !name.is_empty()).or(webhook["url"].as_str()).unwrap_or(id);
    let title = if what == "test" { "The test" } else { "The trigger" };
    let status = result.as_ref().err().map_or(axum::http::StatusCode::OK, Problem::status);
    let kept = ["mode", "event_id", "test-type", "test-payload", "back"];
    let fields = form.fields().filter(|(name, _)| kept.contains(name));
    let page = SentPage {
        page: Page::new(viewer, Section::Webhooks, title).below("/webhooks", "Webhooks").below(path(id), name),
        webhook: name.to_owned(),
        again: format!("{}/{what}", path(id)),
        fields: fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        back: back(form, path(id)),
        result,
    };
    Ok(shown_as(status, &page))
}

/// Sends a test event.
pub(in super::super) async fn test(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    let answer = match sample(&viewer.client, &form).await {
        Ok(event) => viewer.client.post(&format!("{}/test", path(&id)), &event).await,
        Err(refusal) => Err(refusal),
    };
    sent(&viewer, &id, "test", &form, answer).await
}

/// Sends nothing, or an event, as the button says (E2).
pub(in super::super) async fn trigger(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    let body = match form.filled("event_id") {
        Some(event) => json!({ "mode": "event", "event_id": event }),
        None => json!({ "mode": form.filled("mode").unwrap_or("default") }),
    };
    let answer = viewer.client.post(&format!("{}/trigger", path(&id)), &body).await;
    sent(&viewer, &id, "trigger", &form, answer).await
}

/// Has another secret sign from now on, and shows it.
pub(in super::super) async fn rotate(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    let hours = form.filled("overlap-hours").and_then(|hours| hours.parse::<u64>().ok()).unwrap_or(24);
    let body = json!({ "overlap_ms": hours.saturating_mul(3_600_000) });
    match viewer.client.post(&format!("{}/rotate-secret", path(&id)), &body).await {
        Ok(reply) => Ok(registered::rotated(&viewer, &reply)),
        Err(refusal) => Ok(failed(&path(&id), refusal.about_the_form()?.detail)),
    }
}

/// Deletes it.
pub(in super::super) async fn delete(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    if !form.is_ticked("sure") {
        return Ok(failed(&path(&id), "Tick the box to delete the webhook. Nothing was done."));
    }
    viewer.client.delete(&path(&id)).await?;
    Ok(done("/webhooks", "The webhook is deleted. What was open of it is cancelled; its history stays."))
}

/// Sends what it missed since a time, as a job.
pub(in super::super) async fn recover(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    let body = json!({ "since": super::super::time::read(form.filled("since").unwrap_or_default()) });
    job(&id, viewer.client.post(&format!("{}/recover", path(&id)), &body).await)
}

/// Transforms what is parked again, as a job.
pub(in super::super) async fn reprocess(Path(id): Path<String>, Posted { viewer, .. }: Posted) -> Answer<Response> {
    job(&id, viewer.client.post(&format!("{}/reprocess", path(&id)), &json!({})).await)
}

fn job(id: &str, answer: Answer<Reply>) -> Answer<Response> {
    match answer {
        Ok(reply) => {
            Ok(done(&format!("/jobs/{}", reply.text("/id")), "It goes on by itself, also when you leave this page."))
        }
        Err(refusal) => Ok(failed(&path(id), refusal.about_the_form()?.detail)),
    }
}

/// Makes its plugins forget one key, or everything.
pub(in super::super) async fn forget(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    let query = form.filled("key").map(|key| format!("?key={}", segment(key))).unwrap_or_default();
    viewer.client.delete(&format!("{}/facts{query}", path(&id))).await?;
    Ok(done(&path(&id), "It is forgotten."))
}
