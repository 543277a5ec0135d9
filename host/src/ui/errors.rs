//! Pages for what went wrong.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use tower_service::Service as _;

use super::page::{Page, Section, shown_as};
use super::query::Query;
use super::refusal::{Problem, Refusal};
use super::router::Ui;
use super::viewer::Viewer;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    page: Page,
    problem: Problem,
    /// What to do about it.
    advice: &'static str,
}

fn advice(problem: &Problem) -> &'static str {
    match (problem.status, problem.code.as_str()) {
        (_, "csrf_failed") => "The form is of an earlier session. Go back, load the page again, and send it once more.",
        (403, _) => "Somebody who looks after users can give you a role that allows it.",
        (404, _) => {
            "It may have been deleted, or belong to another project. Choose the project at the top, or go back."
        }
        (409 | 412, _) => "Go back and load the page again, to see how things stand now.",
        (429 | 503, _) => "Wait a moment, then try again. Nothing was changed.",
        (500.., _) => "Try again. If it stays so, the server's log says more about the request with this id.",
        _ => "Go back and try again.",
    }
}

/// A refusal as a page, or as the way to sign in.
pub(super) async fn page(ui: &Ui, parts: &Parts, refusal: Refusal) -> Response {
    let problem = match refusal {
        Refusal::SignIn => {
            let is_page = parts.method == Method::GET;
            let next = parts.uri.path_and_query().filter(|_| is_page).map_or("/", |path| path.as_str());
            let to =
                if next == "/" { "/sign-in".to_owned() } else { Query::default().with("next", next).at("/sign-in") };
            return Redirect::to(&to).into_response();
        }
        Refusal::Problem(problem) => *problem,
    };
    let title = problem.title.clone();
    let page = match Viewer::of(ui, parts).await {
        Ok(viewer) => Page::new(&viewer, Section::Elsewhere, title),
        Err(_) => Page::outside(title),
    };
    shown_as(problem.status(), &ErrorPage { page, advice: advice(&problem), problem })
}

/// A path that is no page: a browser gets a page that says so, everybody else the API's answer.
pub(super) async fn not_found(State(ui): State<Ui>, request: Request) -> Response {
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_of_api = request.uri().path().starts_with("/api/");
    if request.method() == Method::GET && accepts.contains("text/html") && !is_of_api {
        return Refusal::from(Problem::no_page(request.uri().path())).into_response();
    }
    match ui.api.clone().call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
