//! The first start: whoever has the admin token becomes the first user.

use askama::Template;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde_json::json;

use super::client::Client;
use super::field::Field;
use super::form::Form;
use super::page::{Page, shown_as};
use super::refusal::{Answer, Problem, Refusal};
use super::router::Ui;
use super::sign_in::signed_in;

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage {
    page: Page,
    form: Form,
    fields: Vec<Field>,
}

fn page(form: Form) -> Response {
    let fields = vec![
        Field::typed("/token", "Admin token", "password")
            .help("The server wrote it to the file `admin-token` beside its database when it started first, and to the terminal if it had one.")
            .required()
            .of(&form),
        Field::line("/name", "Your name").autocomplete("name").required().of(&form),
        Field::typed("/email", "Email address", "email").autocomplete("username").required().of(&form),
        Field::typed("/password", "Password", "password")
            .help("Twelve characters or more. A few words that belong together only for you are easy to remember and hard to guess.")
            .autocomplete("new-password")
            .required()
            .of(&form),
    ];
    let page = SetupPage { page: Page::outside("Set up Hookwright"), fields, form };
    shown_as(page.form.status(), &page)
}

/// The form.
pub(super) async fn show() -> Response {
    page(Form::default())
}

/// Makes the first user and signs them in.
pub(super) async fn submit(State(ui): State<Ui>, request: Request) -> Answer<Response> {
    let (parts, body) = request.into_parts();
    let client = Client::new(ui.api.clone(), &parts);
    let form = Form::read(Request::from_parts(parts, body)).await?;
    let Some(token) = form.filled("/token") else {
        return Ok(page(form.refused(Problem::field("/token", "is needed"))));
    };
    let (email, password) = (form.filled("/email").unwrap_or_default(), form.get("/password").unwrap_or_default());
    let user = json!({ "email": email, "name": form.filled("/name").unwrap_or_default(), "password": password });
    match client.with_token(token).post("/setup", &user).await {
        Ok(_) => {}
        Err(Refusal::SignIn) => {
            return Ok(page(form.refused(Problem::field("/token", "is not the admin token of this server"))));
        }
        Err(Refusal::Problem(problem)) if problem.status == 403 => {
            return Ok(page(form.refused(Problem::field("/token", problem.detail))));
        }
        Err(other) => return Ok(page(form.refused(other.about_the_form()?))),
    }
    match client.post("/sessions", &json!({ "email": email, "password": password })).await {
        Ok(reply) => Ok(signed_in(&reply, "/")),
        Err(_) => Ok(Redirect::to("/sign-in").into_response()),
    }
}
