//! What every page has: a title, the way to all the others, and who looks at it.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::assets;
use super::flash::Flash;
use super::parts::{Icon, When};
use super::query::Query;
use super::viewer::{Project, Viewer};
use crate::domain::clock::Millis;
use crate::domain::permission::Permission;

/// A list as the API gives it.
#[derive(Debug, Deserialize)]
pub(super) struct Items<T> {
    pub(super) items: Vec<T>,
    pub(super) next_cursor: Option<String>,
}

/// A part of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    Events,
    Webhooks,
    Deliveries,
    Plugins,
    Schedules,
    EventTypes,
    Projects,
    Users,
    Roles,
    Tokens,
    Audit,
    Settings,
    /// None of them: pages about oneself.
    Elsewhere,
}

/// A line of the navigation.
#[derive(Debug)]
pub(super) struct Link {
    section: Section,
    pub(super) path: &'static str,
    pub(super) words: &'static str,
    pub(super) icon: Icon,
    /// The key after `g`.
    pub(super) key: &'static str,
    pub(super) is_here: bool,
}

const fn link(
    section: Section,
    path: &'static str,
    words: &'static str,
    icon: &'static str,
    key: &'static str,
) -> Link {
    Link { section, path, words, icon: Icon(icon), key, is_here: false }
}

/// What people work with, and what few look after. A line is there for those who may see the page.
fn links(viewer: &Viewer) -> (Vec<Link>, Vec<Link>) {
    use Permission as P;
    let may = |permission| viewer.may(permission);
    let sees_types = [P::WebhooksRead, P::EventsPublish, P::EventsRead].into_iter().any(may);
    let is_owner = viewer.may_everywhere(P::Admin);
    let work = [
        (may(P::DeliveriesRead), link(Section::Overview, "/", "Overview", "overview", "o")),
        (may(P::EventsRead), link(Section::Events, "/events", "Events", "event", "e")),
        (may(P::WebhooksRead), link(Section::Webhooks, "/webhooks", "Webhooks", "webhook", "w")),
        (may(P::DeliveriesRead), link(Section::Deliveries, "/deliveries", "Deliveries", "delivery", "d")),
        (may(P::PluginsRead), link(Section::Plugins, "/plugins", "Plugins", "plugin", "p")),
        (may(P::SchedulesWrite), link(Section::Schedules, "/schedules", "Schedules", "clock", "s")),
        (sees_types, link(Section::EventTypes, "/event-types", "Event types", "tag", "y")),
    ];
    let rule = [
        (may(P::Admin), link(Section::Projects, "/projects", "Projects", "folder", "j")),
        (is_owner, link(Section::Users, "/users", "Users", "user", "u")),
        (is_owner, link(Section::Roles, "/roles", "Roles", "shield", "r")),
        (may(P::TokensWrite), link(Section::Tokens, "/tokens", "Tokens", "key", "t")),
        (may(P::AuditRead), link(Section::Audit, "/audit", "Audit log", "log", "a")),
        (is_owner, link(Section::Settings, "/settings", "Settings", "settings", ",")),
    ];
    let shown = |all: Vec<(bool, Link)>| all.into_iter().filter(|(is, _)| *is).map(|(_, link)| link).collect();
    (shown(work.into()), shown(rule.into()))
}

/// What stands around a page's own content.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) title: String,
    /// Pages above this one: path and words.
    pub(super) trail: Vec<(String, String)>,
    pub(super) work: Vec<Link>,
    pub(super) rule: Vec<Link>,
    pub(super) flash: Option<Flash>,
    /// Who looks; none before anybody signed in.
    pub(super) who: Option<Who>,
    /// What forms prove with where they come from.
    pub(super) csrf: String,
    /// Where a form that concerns no page in particular goes back to.
    pub(super) here: String,
    pub(super) now: Millis,
    pub(super) style: String,
    pub(super) script: String,
    pub(super) live: String,
    pub(super) trial: String,
}

/// Who looks, for the page's frame.
#[derive(Debug)]
pub(super) struct Who {
    pub(super) name: String,
    pub(super) keys: bool,
    pub(super) projects: Vec<Project>,
    pub(super) project: String,
}

impl Page {
    /// A page for somebody who has signed in.
    pub(super) fn new(viewer: &Viewer, section: Section, title: impl Into<String>) -> Self {
        let (mut work, mut rule) = links(viewer);
        for link in work.iter_mut().chain(&mut rule) {
            link.is_here = link.section == section;
        }
        let who = Who {
            name: viewer.me.name.clone(),
            keys: viewer.keys,
            projects: viewer.projects.clone(),
            project: viewer.me.project.clone().unwrap_or_default(),
        };
        Self {
            work,
            rule,
            flash: viewer.flash.clone(),
            who: Some(who),
            csrf: viewer.me.csrf_token.clone(),
            here: viewer.here.clone(),
            now: viewer.now,
            ..Self::outside(title)
        }
    }

    /// A page for anybody.
    pub(super) fn outside(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            trail: Vec::new(),
            work: Vec::new(),
            rule: Vec::new(),
            flash: None,
            who: None,
            csrf: String::new(),
            here: "/".to_owned(),
            now: Millis::default(),
            style: assets::path("app.css"),
            script: assets::path("app.js"),
            live: assets::path("live.js"),
            trial: assets::path("try.js"),
        }
    }

    /// A time, as seen from now.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates give references")]
    pub(super) const fn when(&self, at: &Millis) -> When {
        When::new(*at, self.now)
    }

    /// A drawing of this name.
    #[expect(clippy::unused_self, reason = "templates know pages, not parts")]
    pub(super) const fn icon(&self, name: &'static str) -> Icon {
        Icon(name)
    }

    /// Below this page.
    #[must_use]
    pub(super) fn below(mut self, path: impl Into<String>, words: impl Into<String>) -> Self {
        self.trail.push((path.into(), words.into()));
        self
    }
}

/// Links of a list that has more than fits on a page.
#[derive(Debug, Template)]
#[template(path = "pager.html")]
pub(super) struct Pager {
    first: Option<String>,
    next: Option<String>,
}

impl askama::filters::HtmlSafe for Pager {}

impl Pager {
    /// Whether there is more behind this page.
    pub(super) const fn has_more(&self) -> bool {
        self.next.is_some()
    }

    /// For a list at this path and query.
    pub(super) fn new(path: &str, query: &Query, next_cursor: Option<&str>) -> Self {
        Self {
            first: query.get("cursor").map(|_| query.without("cursor").at(path)),
            next: next_cursor.map(|cursor| query.with("cursor", cursor).at(path)),
        }
    }
}

/// A page as an answer.
pub(super) fn shown(page: &impl Template) -> Response {
    shown_as(StatusCode::OK, page)
}

/// A page as an answer with this status.
pub(super) fn shown_as(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => {
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            (status, [(header::CONTENT_TYPE, html)], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a page cannot be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
