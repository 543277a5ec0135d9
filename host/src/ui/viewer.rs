//! Who looks at a page, in which project, and what they may do there.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::Deserialize;

use super::client::Client;
use super::flash::Flash;
use super::page::Items;
use super::refusal::{Answer, Problem, Refusal};
use super::router::Ui;
use crate::domain::clock::Millis;
use crate::domain::permission::{Permission, Permissions};

/// The cookie of the project that was chosen.
pub(super) const PROJECT_COOKIE: &str = "hookwright_project";
/// The cookie that switches keys off.
pub(super) const KEYS_COOKIE: &str = "hookwright_keys";

/// Somebody who has signed in.
#[derive(Debug, Clone)]
pub(super) struct Viewer {
    pub(super) me: Me,
    pub(super) client: Client,
    /// The projects that they know.
    pub(super) projects: Vec<Project>,
    pub(super) now: Millis,
    /// What the page before this one has to tell.
    pub(super) flash: Option<Flash>,
    /// Whether single keys do something.
    pub(super) keys: bool,
    /// The page's own path and query.
    pub(super) here: String,
}

/// As the API tells it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Me {
    pub(super) name: String,
    pub(super) project: Option<String>,
    permissions: Permissions,
    everywhere: Permissions,
    #[serde(default)]
    pub(super) csrf_token: String,
}

/// A project, by name.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Project {
    pub(super) id: String,
    pub(super) name: String,
}

/// A cookie's value.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

impl Viewer {
    /// Whoever came with these.
    pub(super) async fn of(ui: &Ui, parts: &Parts) -> Answer<Self> {
        let bare = Client::new(ui.api.clone(), parts);
        let chosen = cookie(&parts.headers, PROJECT_COOKIE).map(|project| bare.in_project(project));
        let (mut client, mut me) = match chosen {
            None => (bare.clone(), bare.get::<Me>("/me").await?),
            Some(chosen) => match chosen.get::<Me>("/me").await {
                Ok(me) => (chosen, me),
                // It is gone, or no longer theirs.
                Err(Refusal::Problem(problem)) if problem.status == 404 => (bare.clone(), bare.get("/me").await?),
                Err(other) => return Err(other),
            },
        };
        let projects = bare.get::<Items<Project>>("/projects?limit=200").await?.items;
        if let (None, Some(first)) = (&me.project, projects.last()) {
            client = bare.in_project(&first.id);
            me = client.get("/me").await?;
        } else if let Some(project) = &me.project {
            client = bare.in_project(project);
        }
        let here = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self {
            me,
            client,
            projects,
            now: ui.clock.now(),
            flash: Flash::of(&parts.headers),
            keys: cookie(&parts.headers, KEYS_COOKIE) != Some("off"),
            here,
        })
    }

    /// Whether they may do this in the project.
    pub(super) fn may(&self, wanted: Permission) -> bool {
        self.me.permissions.allow(wanted)
    }

    /// Whether they may do this in all projects.
    pub(super) fn may_everywhere(&self, wanted: Permission) -> bool {
        self.me.everywhere.allow(wanted)
    }

    /// Refuses who may not do this in the project: a form that the API would refuse is not worth filling in.
    pub(super) fn needs(&self, wanted: Permission) -> Answer<()> {
        if self.may(wanted) { Ok(()) } else { Err(lacking(wanted, "")) }
    }

    /// The same for all projects.
    pub(super) fn needs_everywhere(&self, wanted: Permission) -> Answer<()> {
        if self.may_everywhere(wanted) { Ok(()) } else { Err(lacking(wanted, " for all projects")) }
    }

    /// Whether they see what is in events and requests.
    pub(super) fn sees_payloads(&self) -> bool {
        self.me.permissions.show_payloads()
    }
}

fn lacking(wanted: Permission, place: &str) -> Refusal {
    let problem = Problem {
        status: 403,
        title: "Not allowed".to_owned(),
        code: "forbidden".to_owned(),
        detail: format!("This needs the permission `{wanted}`{place}."),
        ..Problem::default()
    };
    problem.into()
}

impl FromRequestParts<Ui> for Viewer {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, ui: &Ui) -> Answer<Self> {
        Self::of(ui, parts).await
    }
}
