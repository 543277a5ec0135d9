//! Roles: what each lets people do, as one table, and roles of one's own.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::client::segment;
use super::field::Field;
use super::flash::done;
use super::form::Form;
use super::form_page::{Confirm, FormPage};
use super::page::{Items, Page, Section, shown};
use super::permissions::{self, words};
use super::posted::Posted;
use super::refusal::{Answer, Problem};
use super::viewer::Viewer;
use crate::domain::permission::{Permission, Permissions};

#[derive(Deserialize)]
struct Role {
    name: String,
    description: String,
    permissions: Permissions,
    builtin: bool,
}

/// A permission, and which roles have it.
struct Line {
    name: &'static str,
    words: &'static str,
    /// In the order of the roles: whether it is theirs, or part of something that is.
    held: Vec<Held>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    Yes,
    Included,
    No,
}

impl Line {
    fn new(permission: Permission, roles: &[Role]) -> Self {
        let held = |role: &Role| {
            let own: Vec<Permission> = role.permissions.iter().collect();
            match (own.contains(&permission), own.iter().any(|own| own.includes(permission))) {
                (true, _) => Held::Yes,
                (false, true) => Held::Included,
                (false, false) => Held::No,
            }
        };
        Self { name: permission.as_str(), words: words(permission), held: roles.iter().map(held).collect() }
    }
}

#[derive(Template)]
#[template(path = "roles/list.html")]
struct ListPage {
    page: Page,
    roles: Vec<Role>,
    lines: Vec<Line>,
}

/// The table.
pub(super) async fn list(viewer: Viewer) -> Answer<Response> {
    let roles: Items<Role> = viewer.client.get("/roles").await?;
    Ok(shown(&ListPage {
        page: Page::new(&viewer, Section::Roles, "Roles"),
        lines: Permission::ALL.iter().map(|permission| Line::new(*permission, &roles.items)).collect(),
        roles: roles.items,
    }))
}

fn form_page(viewer: &Viewer, form: Form, name: Option<&str>) -> Response {
    let description = Field::line("/description", "Description").help("Whom it is for.").of(&form).into();
    let boxes = permissions::boxes(viewer, &form).into();
    let title = name.map_or_else(|| "New role".to_owned(), |name| format!("Role {name}"));
    let action = name.map_or_else(|| "/roles/new".to_owned(), |name| format!("/roles/{}", segment(name)));
    let name_field =
        Field::line("/name", "Name").help("Small letters, digits and hyphens. It stays.").required().of(&form);
    FormPage {
        page: Page::new(viewer, Section::Roles, title).below("/roles", "Roles"),
        parts: if name.is_some() { vec![description, boxes] } else { vec![name_field.into(), description, boxes] },
        words: if name.is_some() { "Save" } else { "Make the role" },
        lead: String::new(),
        danger: name.map(|_| (format!("{action}/delete"), "Delete…")),
        action,
        form,
    }
    .shown()
}

/// The form of a new one.
pub(super) async fn new(viewer: Viewer) -> Answer<Response> {
    viewer.needs_everywhere(Permission::Admin)?;
    Ok(form_page(&viewer, Form::default(), None))
}

/// Makes one.
pub(super) async fn create(Posted { viewer, form }: Posted) -> Answer<Response> {
    let body = json!({
        "name": form.filled("/name").unwrap_or_default(),
        "description": form.filled("/description").unwrap_or_default(),
        "permissions": form.all("/permissions").collect::<Vec<_>>(),
    });
    match viewer.client.post("/roles", &body).await {
        Ok(_) => Ok(done("/roles", "The role is made.")),
        Err(refusal) => Ok(form_page(&viewer, form.refused(refusal.about_the_form()?), None)),
    }
}

async fn find(viewer: &Viewer, name: &str) -> Answer<Role> {
    let role: Role = viewer.client.get(&format!("/roles/{}", segment(name))).await?;
    if role.builtin {
        let detail = "The role comes with the server and stays as it is. Make one of your own.".to_owned();
        return Err(Problem { title: format!("The role {name}"), status: 409, detail, ..Problem::default() }.into());
    }
    Ok(role)
}

/// One of one's own.
pub(super) async fn show(viewer: Viewer, Path(name): Path<String>) -> Answer<Response> {
    let role = find(&viewer, &name).await?;
    let mut form = Form::default();
    form.set("/description", role.description);
    for permission in role.permissions.iter() {
        form.set("/permissions", permission.as_str());
    }
    Ok(form_page(&viewer, form, Some(&name)))
}

/// Changes it, for everybody who has it.
pub(super) async fn change(Path(name): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    let patch = json!({
        "description": form.filled("/description").unwrap_or_default(),
        "permissions": form.all("/permissions").collect::<Vec<_>>(),
    });
    match viewer.client.patch(&format!("/roles/{}", segment(&name)), &patch).await {
        Ok(_) => Ok(done("/roles", "The role is changed, for everybody who has it.")),
        Err(refusal) => Ok(form_page(&viewer, form.refused(refusal.about_the_form()?), Some(&name))),
    }
}

fn confirm(viewer: &Viewer, name: &str, form: Form) -> Response {
    let back = format!("/roles/{}", segment(name));
    Confirm {
        page: Page::new(viewer, Section::Roles, format!("Delete the role {name}?")).below("/roles", "Roles"),
        effects: vec!["It can be deleted when nobody has it any more.".to_owned()],
        form,
        action: format!("{back}/delete"),
        words: "Delete the role",
        back,
    }
    .shown()
}

/// Asks whether it shall go.
pub(super) async fn ask(viewer: Viewer, Path(name): Path<String>) -> Answer<Response> {
    find(&viewer, &name).await?;
    Ok(confirm(&viewer, &name, Form::default()))
}

/// Takes it away.
pub(super) async fn delete(Path(name): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    match viewer.client.delete(&format!("/roles/{}", segment(&name))).await {
        Ok(_) => Ok(done("/roles", "The role is deleted.")),
        Err(refusal) => Ok(confirm(&viewer, &name, form.refused(refusal.about_the_form()?))),
    }
}
