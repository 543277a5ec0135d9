//! People: who gets in, and as what in which project.

use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::segment;
use super::field::Field;
use super::flash::done;
use super::form::Form;
use super::form_page::{Confirm, FormPage, Part};
use super::page::{Items, Page, Pager, Section, shown};
use super::parts::{Status, Tone, When};
use super::posted::Posted;
use super::query::Query;
use super::refusal::Answer;
use super::viewer::Viewer;
use crate::domain::clock::Millis;
use crate::domain::permission::Permission;

/// Rows for further roles that a form has beside those that somebody has.
const SPARE_ROWS: usize = 2;

#[derive(Deserialize)]
struct User {
    id: String,
    email: String,
    name: String,
    roles: Vec<Held>,
    enabled: bool,
    has_password: bool,
    last_login_at: Option<Millis>,
    created_at: Millis,
}

#[derive(Deserialize)]
struct Held {
    role: String,
    project: Option<String>,
}

#[derive(Deserialize)]
struct Role {
    name: String,
}

struct Line {
    id: String,
    name: String,
    email: String,
    roles: Vec<String>,
    status: Status,
    seen: Option<When>,
    made: When,
}

/// The name of a project in the words of a sentence.
fn place(project: Option<&str>, viewer: &Viewer) -> String {
    let Some(id) = project else { return "all projects".to_owned() };
    viewer
        .projects
        .iter()
        .find(|project| project.id == id)
        .map_or_else(|| id.to_owned(), |project| project.name.clone())
}

impl Line {
    fn new(user: User, viewer: &Viewer) -> Self {
        let status = match (user.enabled, user.has_password) {
            (false, _) => Status::new(Tone::Quiet, "disabled"),
            (true, false) => Status::new(Tone::Warn, "no password"),
            (true, true) => Status::of("active"),
        };
        let roles =
            user.roles.iter().map(|held| format!("{} in {}", held.role, place(held.project.as_deref(), viewer)));
        Self {
            roles: roles.collect(),
            status,
            seen: user.last_login_at.map(|at| When::new(at, viewer.now)),
            made: When::new(user.created_at, viewer.now),
            id: user.id,
            name: user.name,
            email: user.email,
        }
    }
}

#[derive(Template)]
#[template(path = "users/list.html")]
struct ListPage {
    page: Page,
    users: Vec<Line>,
    pager: Pager,
}

/// The list.
pub(super) async fn list(viewer: Viewer, RawQuery(query): RawQuery) -> Answer<Response> {
    let query = Query::parse(query.as_deref()).only(&["cursor"]);
    let users: Items<User> = viewer.client.get(&query.at("/users")).await?;
    Ok(shown(&ListPage {
        page: Page::new(&viewer, Section::Users, "Users"),
        pager: Pager::new("/users", &query, users.next_cursor.as_deref()),
        users: users.items.into_iter().map(|user| Line::new(user, &viewer)).collect(),
    }))
}

/// What a form says of roles, without the rows that were left empty.
fn roles(form: &Form) -> Vec<(String, String)> {
    let row = |index: usize| {
        let role = form.filled(&format!("/roles/{index}/role"))?.to_owned();
        Some((role, form.filled(&format!("/roles/{index}/project")).unwrap_or_default().to_owned()))
    };
    let rows = form.fields().filter(|(name, _)| name.starts_with("/roles/") && name.ends_with("/role")).count();
    (0..rows).filter_map(row).collect()
}

/// The same form with its rows one after the other, so that what is wrong stands at the right one.
fn tidy(form: &Form) -> Form {
    let mut tidy = Form::default();
    for (name, value) in form.fields().filter(|(name, _)| !name.starts_with("/roles/")) {
        tidy.set(name, value);
    }
    for (index, (role, project)) in roles(form).into_iter().enumerate() {
        tidy.set(format!("/roles/{index}/role"), role);
        tidy.set(format!("/roles/{index}/project"), project);
    }
    tidy
}

fn roles_json(form: &Form) -> Value {
    let held = |(role, project): (String, String)| {
        let project = if project.is_empty() { Value::Null } else { project.into() };
        json!({ "role": role, "project": project })
    };
    roles(form).into_iter().map(held).collect()
}

/// A form about a user; `id` of one that there is.
async fn form_page(viewer: &Viewer, form: Form, id: Option<&str>, title: String) -> Answer<Response> {
    let known: Items<Role> = viewer.client.get("/roles").await?;
    let password = Field::typed("/password", "Password", "password").autocomplete("new-password");
    let password = password.help(if id.is_some() {
        "Leave it empty to keep the one that they have. With another one they are signed out everywhere."
    } else {
        "Tell it to them, and let them choose another one under “My account”. Without one they cannot sign in yet."
    });
    let mut parts: Vec<Part> = vec![
        Field::line("/name", "Name").required().of(&form).into(),
        Field::typed("/email", "Email address", "email").required().of(&form).into(),
        password.of(&form).into(),
        Field::tick("/enabled", "They may sign in").of(&form).into(),
        Part::Head("Roles", "What they may do, in one project or in all. Empty rows count for nothing."),
    ];
    for index in 0..roles(&form).len() + SPARE_ROWS {
        let none = [(String::new(), "none".to_owned())];
        let roles = none.into_iter().chain(known.items.iter().map(|role| (role.name.clone(), role.name.clone())));
        let everywhere = [(String::new(), "all projects".to_owned())];
        let projects = viewer.projects.iter().map(|project| (project.id.clone(), project.name.clone()));
        let number = index + 1;
        parts.push(Part::Row(vec![
            Field::choice(&format!("/roles/{index}/role"), &format!("Role {number}"), roles).of(&form),
            Field::choice(
                &format!("/roles/{index}/project"),
                &format!("Where, of role {number}"),
                everywhere.into_iter().chain(projects),
            )
            .of(&form),
        ]));
    }
    let action = id.map_or_else(|| "/users/new".to_owned(), |id| format!("/users/{}", segment(id)));
    Ok(FormPage {
        page: Page::new(viewer, Section::Users, title).below("/users", "Users"),
        parts,
        words: if id.is_some() { "Save" } else { "Make the user" },
        lead: String::new(),
        danger: id.map(|_| (format!("{action}/delete"), "Delete…")),
        action,
        form,
    }
    .shown())
}

/// The form of a new one.
pub(super) async fn new(viewer: Viewer) -> Answer<Response> {
    viewer.needs_everywhere(Permission::Admin)?;
    let mut form = Form::default();
    form.set("/enabled", "true");
    form_page(&viewer, form, None, "New user".to_owned()).await
}

/// Makes one.
pub(super) async fn create(Posted { viewer, form }: Posted) -> Answer<Response> {
    let mut body = json!({
        "email": form.filled("/email").unwrap_or_default(),
        "name": form.filled("/name").unwrap_or_default(),
        "enabled": form.is_ticked("/enabled"),
        "roles": roles_json(&form),
    });
    if let Some(password) = form.get("/password").filter(|password| !password.is_empty()) {
        body["password"] = password.into();
    }
    match viewer.client.post("/users", &body).await {
        Ok(_) => Ok(done("/users", "The user is made.")),
        Err(refusal) => {
            let form = tidy(&form).refused(refusal.about_the_form()?);
            form_page(&viewer, form, None, "New user".to_owned()).await
        }
    }
}

async fn find(viewer: &Viewer, id: &str) -> Answer<User> {
    viewer.client.get(&format!("/users/{}", segment(id))).await
}

/// One of them.
pub(super) async fn show(viewer: Viewer, Path(id): Path<String>) -> Answer<Response> {
    let user = find(&viewer, &id).await?;
    let mut form = Form::default();
    form.set("/name", &user.name);
    form.set("/email", &user.email);
    form.set("/enabled", user.enabled.to_string());
    for (index, held) in user.roles.iter().enumerate() {
        form.set(format!("/roles/{index}/role"), &held.role);
        form.set(format!("/roles/{index}/project"), held.project.clone().unwrap_or_default());
    }
    form_page(&viewer, form, Some(&id), user.name).await
}

/// Changes one.
pub(super) async fn change(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    let mut patch = json!({
        "email": form.filled("/email"),
        "name": form.filled("/name"),
        "enabled": form.is_ticked("/enabled"),
        "roles": roles_json(&form),
    });
    if let Some(password) = form.get("/password").filter(|password| !password.is_empty()) {
        patch["password"] = password.into();
    }
    match viewer.client.patch(&format!("/users/{}", segment(&id)), &patch).await {
        Ok(_) => Ok(done("/users", "The user is changed.")),
        Err(refusal) => {
            let form = tidy(&form).refused(refusal.about_the_form()?);
            let title = find(&viewer, &id).await?.name;
            form_page(&viewer, form, Some(&id), title).await
        }
    }
}

async fn confirm(viewer: &Viewer, id: &str, form: Form) -> Answer<Response> {
    let user = find(viewer, id).await?;
    let back = format!("/users/{}", segment(id));
    let effects = [
        "They are signed out everywhere, and cannot sign in any more.",
        "Tokens that they made go on working: revoke them under Tokens.",
        "What they did stays in the audit log.",
    ];
    Ok(Confirm {
        page: Page::new(viewer, Section::Users, format!("Delete {}?", user.email)).below("/users", "Users"),
        effects: effects.map(str::to_owned).into(),
        form,
        action: format!("{back}/delete"),
        words: "Delete the user",
        back,
    }
    .shown())
}

/// Asks whether they shall go.
pub(super) async fn ask(viewer: Viewer, Path(id): Path<String>) -> Answer<Response> {
    confirm(&viewer, &id, Form::default()).await
}

/// Takes them away.
pub(super) async fn delete(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    match viewer.client.delete(&format!("/users/{}", segment(&id))).await {
        Ok(_) => Ok(done("/users", "The user is deleted.")),
        Err(refusal) => confirm(&viewer, &id, form.refused(refusal.about_the_form()?)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_rows_count_for_nothing() {
        let mut form = Form::default();
        for (name, value) in [
            ("/name", "Bob"),
            ("/roles/0/role", ""),
            ("/roles/0/project", "prj_1"),
            ("/roles/1/role", "viewer"),
            ("/roles/1/project", ""),
            ("/roles/2/role", "operator"),
            ("/roles/2/project", "prj_2"),
        ] {
            form.set(name, value);
        }
        let expected = json!([{ "role": "viewer", "project": null }, { "role": "operator", "project": "prj_2" }]);
        assert_eq!(roles_json(&form), expected);
        let tidy = tidy(&form);
        assert_eq!((tidy.get("/name"), tidy.get("/roles/0/role")), (Some("Bob"), Some("viewer")));
        assert_eq!(roles_json(&tidy), expected);
    }
}
