//! Tokens of programs: what they may do, when they were used, and the one time that they are shown.

use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::segment;
use super::field::Field;
use super::flash::done;
use super::form::Form;
use super::form_page::{Confirm, FormPage};
use super::page::{Items, Page, Pager, Section, shown, shown_as};
use super::parts::{Id, Status, Tone, When};
use super::permissions;
use super::posted::Posted;
use super::query::Query;
use super::refusal::Answer;
use super::viewer::Viewer;
use crate::domain::clock::Millis;
use crate::domain::permission::Permission;

/// Whoever looks is told that long before a token ends.
const SOON_MS: u64 = 14 * 24 * 60 * 60 * 1000;

#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "as the API names them")]
struct Token {
    id: String,
    name: String,
    prefix: String,
    project: Option<String>,
    permissions: Vec<String>,
    expires_at: Option<Millis>,
    last_used_at: Option<Millis>,
    created_by: String,
    created_at: Millis,
    /// In the answer that makes it only.
    token: Option<String>,
}

struct Line {
    id: String,
    name: String,
    prefix: String,
    place: String,
    permissions: Vec<String>,
    status: Status,
    ends: Option<When>,
    used: Option<When>,
    made: When,
    made_by: String,
}

impl Line {
    fn new(token: Token, viewer: &Viewer) -> Self {
        let when = |at: Millis| When::new(at, viewer.now);
        let status = match token.expires_at {
            Some(at) if at <= viewer.now => Status::new(Tone::Quiet, "expired"),
            Some(at) if at.since(viewer.now) < SOON_MS => Status::new(Tone::Warn, "ends soon"),
            _ => Status::of("active"),
        };
        Self {
            place: place(token.project.as_deref(), viewer),
            status,
            ends: token.expires_at.map(when),
            used: token.last_used_at.map(when),
            made: when(token.created_at),
            id: token.id,
            name: token.name,
            prefix: token.prefix,
            permissions: token.permissions,
            made_by: token.created_by,
        }
    }
}

/// A project by its name, or all of them.
fn place(project: Option<&str>, viewer: &Viewer) -> String {
    let Some(id) = project else { return "all projects".to_owned() };
    let known = viewer.projects.iter().find(|project| project.id == id);
    known.map_or_else(|| id.to_owned(), |project| project.name.clone())
}

#[derive(Template)]
#[template(path = "tokens/list.html")]
struct ListPage {
    page: Page,
    tokens: Vec<Line>,
    pager: Pager,
}

/// The list.
pub(super) async fn list(viewer: Viewer, RawQuery(query): RawQuery) -> Answer<Response> {
    let query = Query::parse(query.as_deref()).only(&["cursor"]);
    let tokens: Items<Token> = viewer.client.get(&query.at("/tokens")).await?;
    Ok(shown(&ListPage {
        page: Page::new(&viewer, Section::Tokens, "Tokens"),
        pager: Pager::new("/tokens", &query, tokens.next_cursor.as_deref()),
        tokens: tokens.items.into_iter().map(|token| Line::new(token, &viewer)).collect(),
    }))
}

fn expiry(form: &Form) -> Field {
    Field::typed("/expires_at", "Ends on", "date")
        .help("At the start of that day, in UTC. Empty: it does not end.")
        .of(form)
}

/// What a date field says, as the API takes it.
fn expires_at(form: &Form) -> Value {
    form.filled("/expires_at").map_or(Value::Null, |day| {
        let is_day = day.len() == 10;
        if is_day { format!("{day}T00:00:00Z").into() } else { day.into() }
    })
}

fn new_page(viewer: &Viewer, form: Form) -> Response {
    let mut parts = vec![
        Field::line("/name", "Name").help("Which program has it, and where.").required().of(&form).into(),
        permissions::boxes(viewer, &form).into(),
        expiry(&form).into(),
    ];
    if viewer.may_everywhere(Permission::TokensWrite) {
        let everywhere = Field::tick("/all_projects", "It works in all projects");
        parts.push(everywhere.help("Otherwise only in the project that you work in now.").of(&form).into());
    }
    FormPage {
        page: Page::new(viewer, Section::Tokens, "New token").below("/tokens", "Tokens"),
        parts,
        action: "/tokens/new".to_owned(),
        words: "Make the token",
        lead: "A program sends it with every request. It is shown once, on the next page.".to_owned(),
        danger: None,
        form,
    }
    .shown()
}

/// The form of a new one.
pub(super) async fn new(viewer: Viewer) -> Answer<Response> {
    viewer.needs(Permission::TokensWrite)?;
    Ok(new_page(&viewer, Form::default()))
}

#[derive(Template)]
#[template(path = "tokens/once.html")]
struct OncePage {
    page: Page,
    name: String,
    token: String,
    permissions: Vec<String>,
}

/// Makes one and shows it, once.
pub(super) async fn create(Posted { viewer, form }: Posted) -> Answer<Response> {
    let mut body = json!({
        "name": form.filled("/name").unwrap_or_default(),
        "permissions": form.all("/permissions").collect::<Vec<_>>(),
        "expires_at": expires_at(&form),
    });
    if form.is_ticked("/all_projects") {
        body["all_projects"] = true.into();
    }
    let token: Token = match viewer.client.post("/tokens", &body).await {
        Ok(reply) => reply.read()?,
        Err(refusal) => return Ok(new_page(&viewer, form.refused(refusal.about_the_form()?))),
    };
    let page = OncePage {
        page: Page::new(&viewer, Section::Tokens, "The token is made").below("/tokens", "Tokens"),
        name: token.name,
        token: token.token.unwrap_or_default(),
        permissions: token.permissions,
    };
    Ok(shown_as(StatusCode::CREATED, &page))
}

#[derive(Template)]
#[template(path = "tokens/one.html")]
struct OnePage {
    page: Page,
    form: Form,
    token: Line,
    id: Id,
    fields: Vec<Field>,
}

async fn one_page(viewer: &Viewer, id: &str, form: Option<Form>) -> Answer<Response> {
    let token: Token = viewer.client.get(&format!("/tokens/{}", segment(id))).await?;
    let form = form.unwrap_or_else(|| {
        let mut form = Form::default();
        form.set("/name", &token.name);
        // The day alone.
        let day = token.expires_at.map_or_else(String::new, |at| at.to_string().chars().take(10).collect());
        form.set("/expires_at", day);
        form
    });
    let page = OnePage {
        page: Page::new(viewer, Section::Tokens, token.name.clone()).below("/tokens", "Tokens"),
        id: Id::new(&token.id),
        fields: vec![Field::line("/name", "Name").required().of(&form), expiry(&form)],
        token: Line::new(token, viewer),
        form,
    };
    Ok(shown_as(page.form.status(), &page))
}

/// One of them.
pub(super) async fn show(viewer: Viewer, Path(id): Path<String>) -> Answer<Response> {
    one_page(&viewer, &id, None).await
}

/// Another name, another end.
pub(super) async fn change(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    let patch = json!({ "name": form.filled("/name"), "expires_at": expires_at(&form) });
    match viewer.client.patch(&format!("/tokens/{}", segment(&id)), &patch).await {
        Ok(_) => Ok(done(&format!("/tokens/{}", segment(&id)), "The token is changed.")),
        Err(refusal) => one_page(&viewer, &id, Some(form.refused(refusal.about_the_form()?))).await,
    }
}

/// Asks whether it shall go.
pub(super) async fn ask(viewer: Viewer, Path(id): Path<String>) -> Answer<Response> {
    let token: Token = viewer.client.get(&format!("/tokens/{}", segment(&id))).await?;
    let used = match token.last_used_at {
        Some(at) => format!("It was used last at {at}. Whatever uses it is refused at once."),
        None => "It was never used.".to_owned(),
    };
    let back = format!("/tokens/{}", segment(&id));
    let title = format!("Revoke the token “{}”?", token.name);
    Ok(Confirm {
        page: Page::new(&viewer, Section::Tokens, title).below("/tokens", "Tokens"),
        effects: vec![used, "It cannot be brought back; another one can be made.".to_owned()],
        form: Form::default(),
        action: format!("{back}/revoke"),
        words: "Revoke the token",
        back,
    }
    .shown())
}

/// Takes it away.
pub(super) async fn revoke(Path(id): Path<String>, Posted { viewer, .. }: Posted) -> Answer<Response> {
    viewer.client.delete(&format!("/tokens/{}", segment(&id))).await?;
    Ok(done("/tokens", "The token is revoked."))
}
