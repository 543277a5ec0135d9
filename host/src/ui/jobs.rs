//! Long work: how far it is, how it ended, and its end by hand.

use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::backtests::{self, Results};
use super::client::segment;
use super::field::Field;
use super::flash::done;
use super::form::Form;
use super::page::{Items, Page, Pager, Section, shown, shown_as};
use super::parts::{Id, Status, When};
use super::posted::Posted;
use super::query::Query;
use super::refusal::Answer;
use super::viewer::Viewer;
use crate::domain::clock::Millis;
use crate::domain::permission::Permission;

/// As the API tells it.
#[derive(Deserialize)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) state: String,
    progress: Progress,
    reason: Option<String>,
    actor: String,
    created_at: Millis,
    ended_at: Option<Millis>,
    pub(super) backtest: Option<backtests::Backtest>,
    pub(super) results: Option<Value>,
    reprocess: Option<OfWebhook>,
    recover: Option<OfWebhook>,
}

#[derive(Deserialize)]
struct OfWebhook {
    webhook_id: String,
}

#[derive(Deserialize)]
struct Progress {
    done: u64,
    total: Option<u64>,
    failed: u64,
}

impl Job {
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "pending" | "running")
    }

    /// What it does, in words.
    fn words(&self) -> &'static str {
        match self.kind.as_str() {
            "reprocess" => "Reprocess parked deliveries",
            "resend" => "Send deliveries again",
            "cancel" => "Give deliveries up",
            "recover" => "Send missed events",
            "backtest" => "Backtest",
            "replay" => "Replay events",
            _ => "Job",
        }
    }

    fn webhook(&self) -> Option<&str> {
        let backtest = self.backtest.as_ref().map(|backtest| backtest.webhook_id.as_str());
        let other = self.reprocess.as_ref().or(self.recover.as_ref()).map(|work| work.webhook_id.as_str());
        backtest.or(other)
    }
}

/// A job as a page shows it.
struct Shown {
    id: Id,
    path: String,
    words: &'static str,
    status: Status,
    /// How far it is, in words.
    far: String,
    done: u64,
    total: Option<u64>,
    actor: String,
    made: When,
    ended: Option<When>,
    is_open: bool,
    webhook: Option<String>,
}

impl Shown {
    fn new(job: &Job, viewer: &Viewer) -> Self {
        let Progress { done, total, failed } = job.progress;
        let of = total.map_or_else(String::new, |total| format!(" of {total}"));
        let failures = if failed > 0 { format!(", {failed} could not be done") } else { String::new() };
        let status = Status::of(&job.state);
        Self {
            id: Id::new(&job.id),
            path: format!("/jobs/{}", segment(&job.id)),
            words: job.words(),
            status: match &job.reason {
                Some(reason) => status.because(reason),
                None => status,
            },
            far: format!("{done}{of} done{failures}"),
            done,
            total,
            actor: job.actor.clone(),
            made: When::new(job.created_at, viewer.now),
            ended: job.ended_at.map(|at| When::new(at, viewer.now)),
            is_open: job.is_open(),
            webhook: job.webhook().map(str::to_owned),
        }
    }
}

#[derive(Template)]
#[template(path = "jobs/list.html")]
struct ListPage {
    page: Page,
    fields: Vec<Field>,
    jobs: Vec<Shown>,
    pager: Pager,
    is_filtered: bool,
}

/// The list.
pub(super) async fn list(viewer: Viewer, RawQuery(query): RawQuery) -> Answer<Response> {
    let query = Query::parse(query.as_deref()).only(&["kind", "state", "cursor"]);
    let jobs: Items<Job> = viewer.client.get(&query.at("/jobs")).await?;
    let mut form = Form::default();
    for (name, value) in query.pairs() {
        form.set(name, value);
    }
    let all = |word: &'static str| (String::new(), word.to_owned());
    let states = ["pending", "running", "succeeded", "failed", "cancelled"].map(|state| (state.to_owned(), state.to_owned()));
    let kinds = ["backtest", "resend", "reprocess", "recover", "cancel"].map(|kind| (kind.to_owned(), kind.to_owned()));
    Ok(shown(&ListPage {
        page: Page::new(&viewer, Section::Deliveries, "Jobs").below("/deliveries", "Deliveries"),
        fields: vec![
            Field::choice("kind", "Kind", [all("all")].into_iter().chain(kinds)).of(&form),
            Field::choice("state", "State", [all("all")].into_iter().chain(states)).of(&form),
        ],
        pager: Pager::new("/jobs", &query, jobs.next_cursor.as_deref()),
        is_filtered: !query.without("cursor").is_empty(),
        jobs: jobs.items.iter().map(|job| Shown::new(job, &viewer)).collect(),
    }))
}

#[derive(Template)]
#[template(path = "jobs/one.html")]
struct OnePage {
    page: Page,
    job: Shown,
    may_cancel: bool,
    /// What a backtest came to.
    results: Option<Results>,
}

/// A job; with what a form about it came to.
pub(super) async fn page(viewer: &Viewer, id: &str, query: &Query, form: Form) -> Answer<Response> {
    let job: Job = viewer.client.get(&format!("/jobs/{}", segment(id))).await?;
    let status = form.status();
    let results = match &job.backtest {
        Some(backtest) => Some(Results::load(viewer, &job, backtest, query, form).await?),
        None => None,
    };
    let page = OnePage {
        page: Page::new(viewer, Section::Deliveries, job.words()).below("/deliveries", "Deliveries").below("/jobs", "Jobs"),
        may_cancel: viewer.may(Permission::DeliveriesRetry),
        job: Shown::new(&job, viewer),
        results,
    };
    Ok(shown_as(status, &page))
}

/// One of them.
pub(super) async fn show(viewer: Viewer, Path(id): Path<String>, RawQuery(query): RawQuery) -> Answer<Response> {
    let query = Query::parse(query.as_deref()).only(&["outcome", "cursor"]);
    page(&viewer, &id, &query, Form::default()).await
}

/// Ends one; what it did stays done.
pub(super) async fn cancel(Path(id): Path<String>, Posted { viewer, .. }: Posted) -> Answer<Response> {
    let at = format!("/jobs/{}", segment(&id));
    viewer.client.act(&format!("{at}/cancel")).await?;
    Ok(done(&at, "The job is cancelled. What it did stays done."))
}
