//! Long work: how far it is, and its end.

use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::backtests::Results;
use super::client::segment;
use super::flash::{done, failed};
use super::form::Form;
use super::page::{Items, Page, Pager, Section, shown, shown_as};
use super::parts::Status;
use super::posted::Posted;
use super::query::Query;
use super::refusal::Answer;
use super::viewer::Viewer;
use crate::domain::clock::Millis;
use crate::domain::permission::Permission;

#[derive(Debug, Deserialize)]
struct Job {
    id: String,
    kind: String,
    state: String,
    progress: Progress,
    reason: Option<String>,
    actor: String,
    created_at: Millis,
    ended_at: Option<Millis>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Progress {
    done: u64,
    total: Option<u64>,
    failed: u64,
}

impl Job {
    fn title(&self) -> &'static str {
        match self.kind.as_str() {
            "resend" => "Send deliveries again",
            "cancel" => "Give deliveries up",
            "recover" => "Send what a webhook missed",
            "reprocess" => "Transform parked deliveries again",
            "backtest" => "Backtest",
            _ => "Long work",
        }
    }

    fn status(&self) -> Status {
        Status::of(&self.state)
    }

    fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "pending" | "running")
    }

    /// What it is about, as names and values.
    fn about(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        let about = self.rest.get(&self.kind).and_then(Value::as_object);
        // A backtest tells more of itself below.
        about
            .filter(|_| self.kind != "backtest")
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect()
    }
}

#[derive(Template)]
#[template(path = "jobs/detail.html")]
struct JobPage {
    page: Page,
    job: Job,
    /// What a backtest came to.
    results: Option<Results>,
    may_cancel: bool,
}

#[derive(Template)]
#[template(path = "jobs/list.html")]
struct JobsPage {
    page: Page,
    jobs: Vec<Job>,
    pager: Pager,
}

/// All of them, newest first.
pub(super) async fn list(viewer: Viewer, RawQuery(query): RawQuery) -> Answer<Response> {
    let query = Query::parse(query.as_deref()).only(&["cursor", "kind", "state"]);
    let jobs: Items<Job> = viewer.client.get(&query.at("/jobs")).await?;
    Ok(shown(&JobsPage {
        page: Page::new(&viewer, Section::Deliveries, "Long work").below("/deliveries", "Deliveries"),
        pager: Pager::new("/jobs", &query, jobs.next_cursor.as_deref()),
        jobs: jobs.items,
    }))
}

/// One of them; with what a form about it came to.
pub(super) async fn page(viewer: &Viewer, id: &str, query: &Query, form: Form) -> Answer<Response> {
    let job: Job = viewer.client.get(&format!("/jobs/{}", segment(id))).await?;
    let status = form.status();
    let page = JobPage {
        results: if job.kind == "backtest" { Results::load(viewer, id, query, form).await? } else { None },
        page: Page::new(viewer, Section::Deliveries, job.title())
            .below("/deliveries", "Deliveries")
            .below("/jobs", "Long work"),
        may_cancel: viewer.may(Permission::DeliveriesRetry),
        job,
    };
    Ok(shown_as(status, &page))
}

/// One of them.
pub(super) async fn show(Path(id): Path<String>, viewer: Viewer, RawQuery(query): RawQuery) -> Answer<Response> {
    let query = Query::parse(query.as_deref()).only(&["outcome", "cursor"]);
    page(&viewer, &id, &query, Form::default()).await
}

/// Ends it; what it did stays done.
pub(super) async fn cancel(Path(id): Path<String>, Posted { viewer, .. }: Posted) -> Answer<Response> {
    let path = format!("/jobs/{}", segment(&id));
    match viewer.client.act(&format!("{path}/cancel")).await {
        Ok(_) => Ok(done(&path, "It is cancelled. What it did stays done.")),
        Err(refusal) => Ok(failed(&path, refusal.about_the_form()?.detail)),
    }
}
