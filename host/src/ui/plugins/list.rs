//! Plugins that lie ready, and those that the project has.

use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::super::page::{Items, Page, Pager, Section, shown_as};
use super::super::parts::{Status, Tone, When, size};
use super::super::query::Query;
use super::super::refusal::{Answer, Problem};
use super::super::viewer::Viewer;
use super::steps::Steps;
use super::{Version, path};
use crate::domain::permission::Permission;

/// A plugin that lies ready.
#[derive(Deserialize)]
struct Exhibit {
    name: String,
    version: String,
    summary: String,
    homepage: Option<String>,
    size_bytes: u64,
    /// How far this version is in the project.
    status: Option<String>,
}

impl Exhibit {
    fn path(&self) -> String {
        path(&self.name, &self.version)
    }

    fn size(&self) -> String {
        size(self.size_bytes)
    }

    /// A link that leaves no page of ours to a script.
    fn link(&self) -> Option<&str> {
        self.homepage.as_deref().filter(|link| link.starts_with("https://") || link.starts_with("http://"))
    }
}

struct Line {
    name: String,
    version: String,
    path: String,
    summary: String,
    status: Status,
    users: String,
    size: String,
    made: When,
}

#[derive(Template)]
#[template(path = "plugins/list.html")]
struct ListPage {
    page: Page,
    exhibits: Vec<Exhibit>,
    versions: Vec<Line>,
    pager: Pager,
    may_write: bool,
    /// Why an upload was refused, and at which step.
    problem: Option<Problem>,
    steps: Option<Steps>,
}

/// The page; after an upload that was refused with the reason.
pub(super) async fn page(viewer: &Viewer, query: &Query, problem: Option<Problem>) -> Answer<Response> {
    let exhibits: Items<Exhibit> = viewer.client.get("/gallery").await?;
    let versions: Items<Version> = viewer.client.get(&query.at("/plugins")).await?;
    let line = |version: Version| Line {
        path: version.path(),
        status: version.shown_status(),
        users: version.users(),
        size: version.size(),
        made: version.made(viewer),
        name: version.name,
        version: version.version,
        summary: version.summary,
    };
    let failure = problem.as_ref().and_then(|problem| problem.plugin_error.as_ref());
    let steps = failure.map(|failure| Steps::refused(&failure.code, &failure.message));
    let page = ListPage {
        page: Page::new(viewer, Section::Plugins, "Plugins"),
        exhibits: exhibits.items,
        pager: Pager::new("/plugins", query, versions.next_cursor.as_deref()),
        versions: versions.items.into_iter().map(line).collect(),
        may_write: viewer.may(Permission::PluginsWrite),
        steps,
        problem,
    };
    Ok(shown_as(page.problem.as_ref().map_or(StatusCode::OK, Problem::status), &page))
}

/// All of them.
pub(in super::super) async fn show(viewer: Viewer, RawQuery(query): RawQuery) -> Answer<Response> {
    let query = Query::parse(query.as_deref()).only(&["cursor"]);
    page(&viewer, &query, None).await
}
