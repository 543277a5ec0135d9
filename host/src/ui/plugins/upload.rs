//! Plugins on their way in: from a file, or from the gallery.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest as _, Multipart, Path, Request, State};
use axum::http::Method;
use axum::response::Response;
use http_body_util::BodyExt as _;

use super::super::client::{Reply, segment};
use super::super::flash::done;
use super::super::posted::Posted;
use super::super::query::Query;
use super::super::refusal::{Answer, Problem, Refusal};
use super::super::router::Ui;
use super::super::viewer::Viewer;
use super::{list, path};

/// What the API takes at most (`plugins.component_bytes` may be lower), with the parts of a form around it.
pub(in super::super) const UPLOAD_MAX_BYTES: usize = 32 * 1024 * 1024 + 64 * 1024;

fn unreadable(detail: String) -> Problem {
    Problem {
        status: 400,
        title: "The upload cannot be read".to_owned(),
        code: "malformed_body".to_owned(),
        detail,
        ..Problem::default()
    }
}

/// The proof and the file of a form.
async fn parts(request: Request) -> Result<(String, Bytes), Problem> {
    let mut form = Multipart::from_request(request, &()).await.map_err(|error| unreadable(error.body_text()))?;
    let (mut csrf, mut file) = (String::new(), None);
    while let Some(part) = form.next_field().await.map_err(|error| unreadable(error.body_text()))? {
        match part.name() {
            Some("csrf") => csrf = part.text().await.map_err(|error| unreadable(error.body_text()))?,
            Some("file") => file = Some(part.bytes().await.map_err(|error| unreadable(error.body_text()))?),
            _ => {}
        }
    }
    let file = file.filter(|file| !file.is_empty()).ok_or_else(|| unreadable("choose a file first".to_owned()))?;
    Ok((csrf, file))
}

/// Goes to what was taken in.
fn taken(reply: &Reply) -> Response {
    let words = match reply.text("/status") {
        "ready" => "The plugin is ready.",
        _ => "The plugin is stored and is being checked.",
    };
    done(&path(reply.text("/name"), reply.text("/version")), words)
}

/// What the API said to bytes that were sent to it.
async fn read(response: Response) -> Answer<Reply> {
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    if head.status.is_success() {
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        return Ok(Reply { headers: head.headers, body });
    }
    Err(serde_json::from_slice(&bytes).unwrap_or_else(|_| Problem::unknown(head.status)).into())
}

/// Takes a file in.
pub(in super::super) async fn submit(State(ui): State<Ui>, request: Request) -> Answer<Response> {
    let (head, body) = request.into_parts();
    let mut viewer = Viewer::of(&ui, &head).await?;
    let (csrf, file) = match parts(Request::from_parts(head, body)).await {
        Ok(parts) => parts,
        Err(problem) => return list::page(&viewer, &Query::default(), Some(problem)).await,
    };
    viewer.client = viewer.client.proven(&csrf);
    let answer = viewer.client.raw(Method::POST, "/plugins", Some("application/wasm"), Body::from(file)).await;
    came_to(&viewer, read(answer).await).await
}

/// Adds one that lies ready.
pub(in super::super) async fn add(Path(name): Path<String>, Posted { viewer, .. }: Posted) -> Answer<Response> {
    let answer = viewer.client.act(&format!("/gallery/{}", segment(&name))).await;
    came_to(&viewer, answer).await
}

async fn came_to(viewer: &Viewer, answer: Answer<Reply>) -> Answer<Response> {
    match answer {
        Ok(reply) => Ok(taken(&reply)),
        Err(Refusal::Problem(problem)) if problem.is_about_the_form() => {
            list::page(viewer, &Query::default(), Some(*problem)).await
        }
        Err(other) => Err(other),
    }
}
