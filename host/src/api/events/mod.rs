//! `/events`: what providers post, in several forms, and what they posted.

mod cloudevents;
mod count;
mod lines;
mod publish;
mod replay;
mod told;
mod view;

use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::auth::Caller;
use super::extract::body;
use super::openapi::IdempotencyKey;
use super::problem::Answer;
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::token::Permission;

pub(super) use count::*;
pub(super) use publish::{check_payload_size, header_key};
pub(super) use replay::*;
pub(super) use view::*;

/// Takes events: one, an array, lines, or CloudEvents, by `Content-Type`. When this answers 202, they and their
/// deliveries are on disk.
#[utoipa::path(
    post,
    path = "/events",
    params(IdempotencyKey),
    request_body(content(
        (told::Posted = "application/json"),
        (publish::Publish = "application/x-ndjson"),
        (told::CloudEvent = "application/cloudevents+json"),
        (Vec<told::CloudEvent> = "application/cloudevents-batch+json")
    )),
    security(("token" = [Permission::EventsPublish])),
    responses(
        (status = OK, body = told::LineBody, content_type = "application/x-ndjson", description = "Of lines: one for each event."),
        (status = ACCEPTED, body = told::Accepted, description = "They and their deliveries are on disk.")
    )
)]
pub(super) async fn publish(State(api): State<Api>, caller: Caller, request: Request) -> Answer<Response> {
    caller.needs(Permission::EventsPublish)?;
    let given = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = given.unwrap_or("application/json").split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let key = header_key(request.headers())?;
    if cloudevents::is_binary(request.headers()) {
        // Boxed, so that one plain event, which most posts are, needs no room for the others.
        return Box::pin(cloudevents::binary(&api, &caller, request)).await;
    }
    match essence.as_str() {
        "application/json" => publish::json(&api, &caller, request, key).await,
        "application/x-ndjson" | "application/jsonl" => Ok(lines::stream(&api, &caller, request)),
        "application/cloudevents+json" => {
            let bytes = body(request, &api).await?;
            Box::pin(cloudevents::structured(&api, &caller, &bytes)).await
        }
        "application/cloudevents-batch+json" => {
            let bytes = body(request, &api).await?;
            Box::pin(cloudevents::batch(&api, &caller, &bytes)).await
        }
        other => {
            let detail = format!(
                "events come as application/json, application/x-ndjson, application/cloudevents+json, \
                 application/cloudevents-batch+json or as binary CloudEvents, not as `{other}`"
            );
            Err(Problem::new(ProblemCode::UnsupportedMediaType, detail).into())
        }
    }
}

/// 202 with a body.
fn accepted(body: impl serde::Serialize) -> Response {
    (axum::http::StatusCode::ACCEPTED, axum::Json(body)).into_response()
}
