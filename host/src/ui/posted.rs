//! A form that somebody sent who has signed in.

use axum::extract::{FromRequest, Request};

use super::form::Form;
use super::refusal::{Answer, Refusal};
use super::router::Ui;
use super::viewer::Viewer;

/// What was sent, and by whom. The client in it has the form's proof of where it comes from, so it may change things.
#[derive(Debug)]
pub(super) struct Posted {
    pub(super) viewer: Viewer,
    pub(super) form: Form,
}

impl FromRequest<Ui> for Posted {
    type Rejection = Refusal;

    async fn from_request(request: Request, ui: &Ui) -> Answer<Self> {
        let (parts, body) = request.into_parts();
        let mut viewer = Viewer::of(ui, &parts).await?;
        let form = Form::read(Request::from_parts(parts, body)).await?;
        viewer.client = viewer.client.proven(form.get("csrf").unwrap_or_default());
        Ok(Self { viewer, form })
    }
}
