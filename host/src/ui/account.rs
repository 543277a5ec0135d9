//! My own: password, keys and sessions.

use askama::Template;
use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use serde_json::json;

use super::client::segment;
use super::field::Field;
use super::flash::done;
use super::form::Form;
use super::page::{Items, Page, Section, shown_as};
use super::posted::Posted;
use super::refusal::Answer;
use super::sign_in::signed_in;
use super::viewer::{KEYS_COOKIE, Viewer};
use crate::domain::clock::Millis;

#[derive(Deserialize)]
struct Session {
    id: String,
    current: bool,
    address: Option<String>,
    user_agent: Option<String>,
    created_at: Millis,
    last_used_at: Millis,
    expires_at: Millis,
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    page: Page,
    form: Form,
    name: String,
    keys: bool,
    current_password: Field,
    new_password: Field,
    sessions: Vec<Session>,
}

async fn page(viewer: &Viewer, form: Form) -> Answer<Response> {
    let sessions: Items<Session> = viewer.client.get("/sessions").await?;
    let page = AccountPage {
        page: Page::new(viewer, Section::Elsewhere, "My account"),
        name: viewer.me.name.clone(),
        keys: viewer.keys,
        current_password: Field::typed("/current_password", "Current password", "password")
            .autocomplete("current-password")
            .required()
            .of(&form),
        new_password: Field::typed("/new_password", "New password", "password")
            .autocomplete("new-password")
            .help("Your other sessions end.")
            .required()
            .of(&form),
        sessions: sessions.items,
        form,
    };
    Ok(shown_as(page.form.status(), &page))
}

/// All of it.
pub(super) async fn show(viewer: Viewer) -> Answer<Response> {
    page(&viewer, Form::default()).await
}

/// Another password from now on.
pub(super) async fn change_password(Posted { viewer, form }: Posted) -> Answer<Response> {
    let said = json!({
        "current_password": form.get("/current_password").unwrap_or_default(),
        "new_password": form.get("/new_password").unwrap_or_default(),
    });
    match viewer.client.post("/me/password", &said).await {
        Ok(_) => Ok(done("/account", "Your password is changed. Your other sessions have ended.")),
        Err(refusal) => page(&viewer, form.refused(refusal.about_the_form()?)).await,
    }
}

/// Single keys do something, or nothing.
pub(super) async fn choose_keys(Posted { form, .. }: Posted) -> Response {
    let keys = if form.is_ticked("keys") { "on" } else { "off" };
    let cookie = format!("{KEYS_COOKIE}={keys}; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000");
    let mut response = Redirect::to("/account").into_response();
    response.headers_mut().append(header::SET_COOKIE, HeaderValue::from_str(&cookie).expect("it is plain ASCII"));
    response
}

/// Ends one session.
pub(super) async fn end_session(Path(id): Path<String>, Posted { viewer, .. }: Posted) -> Answer<Response> {
    let reply = viewer.client.delete(&format!("/sessions/{}", segment(&id))).await?;
    if reply.headers.contains_key(header::SET_COOKIE) {
        return Ok(signed_in(&reply, "/sign-in"));
    }
    Ok(done("/account", "The session has ended."))
}

/// Ends all sessions, this one too.
pub(super) async fn end_all(Posted { viewer, .. }: Posted) -> Answer<Response> {
    let reply = viewer.client.delete("/sessions").await?;
    Ok(signed_in(&reply, "/sign-in"))
}
