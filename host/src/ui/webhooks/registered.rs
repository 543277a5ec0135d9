//! A webhook that was just registered, or got another secret: the one page that shows it.

use askama::Template;
use axum::response::Response;

use super::super::client::Reply;
use super::super::page::{Page, Section, shown};
use super::super::viewer::Viewer;

#[derive(Template)]
#[template(path = "webhooks/registered.html")]
struct RegisteredPage {
    page: Page,
    id: String,
    name: String,
    url: String,
    secret: String,
    is_new: bool,
}

fn made(viewer: &Viewer, reply: &Reply, is_new: bool) -> Response {
    let title = if is_new { "The webhook is registered" } else { "The signing secret is another one now" };
    shown(&RegisteredPage {
        page: Page::new(viewer, Section::Webhooks, title).below("/webhooks", "Webhooks"),
        id: reply.text("/id").to_owned(),
        name: reply.text("/name").to_owned(),
        url: reply.text("/url").to_owned(),
        secret: reply.text("/signing_secret").to_owned(),
        is_new,
    })
}

/// A new webhook with its secret.
pub(super) fn page(viewer: &Viewer, reply: &Reply) -> Response {
    made(viewer, reply, true)
}

/// A webhook with its new secret.
pub(super) fn rotated(viewer: &Viewer, reply: &Reply) -> Response {
    made(viewer, reply, false)
}
