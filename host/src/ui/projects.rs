//! Projects: what is in one is seen in no other.

use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::client::segment;
use super::field::Field;
use super::flash::done;
use super::form::Form;
use super::form_page::{Confirm, FormPage};
use super::page::{Items, Page, Pager, Section, shown};
use super::parts::When;
use super::posted::Posted;
use super::query::Query;
use super::refusal::Answer;
use super::viewer::Viewer;
use crate::domain::clock::Millis;
use crate::domain::permission::Permission;

#[derive(Deserialize)]
struct Project {
    id: String,
    name: String,
    description: Option<String>,
    external_id: Option<String>,
    created_at: Millis,
}

struct Line {
    project: Project,
    made: Option<When>,
    is_here: bool,
}

#[derive(Template)]
#[template(path = "projects/list.html")]
struct ListPage {
    page: Page,
    projects: Vec<Line>,
    pager: Pager,
    may_make: bool,
}

/// The list.
pub(super) async fn list(viewer: Viewer, RawQuery(query): RawQuery) -> Answer<Response> {
    let query = Query::parse(query.as_deref()).only(&["cursor"]);
    let projects: Items<Project> = viewer.client.get(&query.at("/projects")).await?;
    let line = |project: Project| Line {
        // The first one is as old as the database, which nobody wrote down.
        made: (project.created_at.0 > 0).then(|| When::new(project.created_at, viewer.now)),
        is_here: viewer.me.project.as_ref() == Some(&project.id),
        project,
    };
    Ok(shown(&ListPage {
        page: Page::new(&viewer, Section::Projects, "Projects"),
        pager: Pager::new("/projects", &query, projects.next_cursor.as_deref()),
        projects: projects.items.into_iter().map(line).collect(),
        may_make: viewer.may_everywhere(Permission::Admin),
    }))
}

fn form_page(viewer: &Viewer, form: Form, of: Option<(&str, String)>) -> Response {
    let external = Field::line("/external_id", "External id").mono();
    let (id, title) = of.map_or((None, "New project".to_owned()), |(id, name)| (Some(id), name));
    let action = id.map_or_else(|| "/projects/new".to_owned(), |id| format!("/projects/{}", segment(id)));
    let parts = vec![
        Field::line("/name", "Name").required().of(&form).into(),
        Field::line("/description", "Description").of(&form).into(),
        external.help("What your own systems call it. Requests may name the project by it.").of(&form).into(),
    ];
    FormPage {
        page: Page::new(viewer, Section::Projects, title).below("/projects", "Projects"),
        parts,
        words: if id.is_some() { "Save" } else { "Make the project" },
        lead: String::new(),
        danger: id
            .filter(|_| viewer.may_everywhere(Permission::Admin))
            .map(|_| (format!("{action}/delete"), "Delete…")),
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

fn body(form: &Form) -> serde_json::Value {
    json!({
        "name": form.filled("/name").unwrap_or_default(),
        "description": form.text_or_null("/description"),
        "external_id": form.text_or_null("/external_id"),
    })
}

/// Makes one.
pub(super) async fn create(Posted { viewer, form }: Posted) -> Answer<Response> {
    match viewer.client.post("/projects", &body(&form)).await {
        Ok(_) => Ok(done("/projects", "The project is made. Choose it at the top to work in it.")),
        Err(refusal) => Ok(form_page(&viewer, form.refused(refusal.about_the_form()?), None)),
    }
}

async fn find(viewer: &Viewer, id: &str) -> Answer<Project> {
    viewer.client.get(&format!("/projects/{}", segment(id))).await
}

/// One of them.
pub(super) async fn show(viewer: Viewer, Path(id): Path<String>) -> Answer<Response> {
    let project = find(&viewer, &id).await?;
    let mut form = Form::default();
    form.set("/name", &project.name);
    form.set("/description", project.description.unwrap_or_default());
    form.set("/external_id", project.external_id.unwrap_or_default());
    Ok(form_page(&viewer, form, Some((&id, project.name))))
}

/// Changes one.
pub(super) async fn change(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    match viewer.client.patch(&format!("/projects/{}", segment(&id)), &body(&form)).await {
        Ok(_) => Ok(done("/projects", "The project is changed.")),
        Err(refusal) => {
            let form = form.refused(refusal.about_the_form()?);
            let name = find(&viewer, &id).await?.name;
            Ok(form_page(&viewer, form, Some((&id, name))))
        }
    }
}

async fn confirm(viewer: &Viewer, id: &str, form: Form) -> Answer<Response> {
    let project = find(viewer, id).await?;
    let back = format!("/projects/{}", segment(id));
    let title = format!("Delete the project “{}”?", project.name);
    let effects = [
        "Its tokens are revoked, and its members lose their roles in it.",
        "Its events and deliveries are seen by nobody any more; the audit log keeps what was done.",
        "It can be deleted when it has no webhooks, no open jobs and no open deliveries.",
    ];
    Ok(Confirm {
        page: Page::new(viewer, Section::Projects, title).below("/projects", "Projects"),
        effects: effects.map(str::to_owned).into(),
        form,
        action: format!("{back}/delete"),
        words: "Delete the project",
        back,
    }
    .shown())
}

/// Asks whether it shall go.
pub(super) async fn ask(viewer: Viewer, Path(id): Path<String>) -> Answer<Response> {
    confirm(&viewer, &id, Form::default()).await
}

/// Takes it away.
pub(super) async fn delete(Path(id): Path<String>, Posted { viewer, form }: Posted) -> Answer<Response> {
    match viewer.client.delete(&format!("/projects/{}", segment(&id))).await {
        Ok(_) => Ok(done("/projects", "The project is deleted.")),
        Err(refusal) => confirm(&viewer, &id, form.refused(refusal.about_the_form()?)).await,
    }
}
