//! Signing in and out.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::client::{Client, Reply};
use super::field::Field;
use super::form::Form;
use super::page::{Page, shown_as};
use super::posted::Posted;
use super::query::Query;
use super::refusal::{Answer, Problem, Refusal};
use super::router::Ui;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    page: Page,
    form: Form,
    email: Field,
    password: Field,
    next: String,
}

/// Whether the server has nobody who can sign in yet.
#[derive(Deserialize)]
struct Setup {
    needed: bool,
}

/// Whether a text is a path of this server and of nobody else, whatever a browser makes of it.
pub(super) fn is_here(path: &str) -> bool {
    let base = Url::parse("http://here.invalid/").expect("it is a URL");
    let is_plain = path.starts_with('/') && !path.contains('\\') && !path.chars().any(char::is_control);
    is_plain && base.join(path).is_ok_and(|url| url.origin() == base.origin())
}

fn page(form: Form, next: &str) -> Response {
    let page = SignInPage {
        page: Page::outside("Sign in"),
        email: Field::typed("/email", "Email address", "email").autocomplete("username").required().of(&form),
        password: Field::typed("/password", "Password", "password")
            .autocomplete("current-password")
            .required()
            .of(&form),
        next: next.to_owned(),
        form,
    };
    shown_as(page.form.status(), &page)
}

/// The form; on a server that is not set up yet, the way to do that.
pub(super) async fn show(State(ui): State<Ui>, request: Request) -> Answer<Response> {
    let (parts, _) = request.into_parts();
    if Client::new(ui.api.clone(), &parts).get::<Setup>("/setup").await?.needed {
        return Ok(Redirect::to("/setup").into_response());
    }
    let query = Query::parse(parts.uri.query());
    Ok(page(Form::default(), query.get("next").unwrap_or_default()))
}

/// Signs in and goes to where somebody wanted to.
pub(super) async fn submit(State(ui): State<Ui>, request: Request) -> Answer<Response> {
    let (parts, body) = request.into_parts();
    let client = Client::new(ui.api.clone(), &parts);
    let form = Form::read(Request::from_parts(parts, body)).await?;
    let next = form.get("next").unwrap_or_default().to_owned();
    let said = json!({ "email": form.filled("/email").unwrap_or_default(), "password": form.get("/password").unwrap_or_default() });
    match client.post("/sessions", &said).await {
        Ok(reply) => Ok(signed_in(&reply, if is_here(&next) { &next } else { "/" })),
        // The one place where it means that what was typed is wrong.
        Err(Refusal::SignIn) => {
            let detail = "The email address or the password is wrong.".to_owned();
            Ok(page(form.refused(Problem { status: 401, detail, ..Problem::default() }), &next))
        }
        Err(other) => Ok(page(form.refused(other.about_the_form()?), &next)),
    }
}

/// Goes on with the cookie that the API gave.
pub(super) fn signed_in(reply: &Reply, to: &str) -> Response {
    let mut response = Redirect::to(to).into_response();
    for cookie in reply.headers.get_all(header::SET_COOKIE) {
        response.headers_mut().append(header::SET_COOKIE, cookie.clone());
    }
    response
}

/// Signs out.
pub(super) async fn leave(Posted { viewer, .. }: Posted) -> Answer<Response> {
    let reply = viewer.client.delete("/sessions/current").await?;
    Ok(signed_in(&reply, "/sign-in"))
}

#[cfg(test)]
mod tests {
    use super::is_here;

    #[test]
    fn nobody_is_sent_elsewhere_after_signing_in() {
        for good in ["/", "/webhooks", "/deliveries?status=failed&q=http://x", "/a//b"] {
            assert!(is_here(good), "{good}");
        }
        for bad in [
            "",
            "webhooks",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "javascript:alert(1)",
            "/\n/x",
        ] {
            assert!(!is_here(bad), "{bad:?}");
        }
    }
}
