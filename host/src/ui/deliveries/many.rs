//! Many deliveries at once: those that are ticked, or all that the filters find, as a job; and the log as a file.

use askama::Template;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::{HeaderValue, Method, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::client::segment;
use super::super::flash::{done, failed};
use super::super::form::Form;
use super::super::page::{Page, Section, shown};
use super::super::posted::Posted;
use super::super::query::Query;
use super::super::refusal::{Answer, Refusal};
use super::super::viewer::Viewer;
use super::list::{FILTERS, of_api, told};

/// Reasons that are told when some of many could not be done.
const REASONS: usize = 3;

#[derive(Template)]
#[template(path = "deliveries/many.html")]
struct SurePage {
    page: Page,
    is_resend: bool,
    count: u64,
    is_complete: bool,
    query: Query,
    back: String,
}

#[derive(Deserialize)]
struct Forecast {
    deliveries: u64,
    complete: bool,
}

/// What to do, and the path of the API for it.
fn action(form: &Form) -> (bool, &'static str) {
    let is_resend = form.get("do") != Some("cancel");
    (is_resend, if is_resend { "retry" } else { "cancel" })
}

/// The filters, as the form carries them.
fn filters(form: &Form) -> Query {
    Query::parse(form.get("filters")).only(&FILTERS)
}

/// Does it to those that are ticked, or asks whether it shall be done to all that are found.
pub(in super::super) async fn chosen(Posted { viewer, form }: Posted) -> Answer<Response> {
    let query = filters(&form);
    let back = query.at("/deliveries");
    if form.is_ticked("all") {
        return ask(&viewer, &form, query).await;
    }
    let (is_resend, path) = action(&form);
    let ids: Vec<&str> = form.all("delivery").collect();
    if ids.is_empty() {
        return Ok(failed(&back, "Nothing is ticked. Nothing was done."));
    }
    let (mut count, mut refused, mut reasons) = (0, 0, Vec::new());
    for id in ids {
        match viewer.client.post(&format!("/deliveries/{}/{path}", segment(id)), &json!({})).await {
            Ok(_) => count += 1,
            Err(Refusal::SignIn) => return Err(Refusal::SignIn),
            Err(Refusal::Problem(problem)) if problem.status == 403 => return Err(Refusal::Problem(problem)),
            Err(Refusal::Problem(problem)) => {
                refused += 1;
                if !reasons.contains(&problem.detail) && reasons.len() < REASONS {
                    reasons.push(problem.detail);
                }
            }
        }
    }
    let done_to = |what: &str| format!("{count} {} {what}.", if count == 1 { "delivery is" } else { "deliveries are" });
    let words = done_to(if is_resend { "sent again now" } else { "given up" });
    if refused == 0 {
        return Ok(done(&back, words));
    }
    let words = format!("{words} {refused} could not be: {}.", reasons.join("; "));
    Ok(if count == 0 { failed(&back, words) } else { done(&back, words) })
}

/// The body of the API's selection.
fn selection(query: &Query, dry_run: bool) -> Value {
    let query = of_api(query);
    let mut body: Map<String, Value> = query.pairs().map(|(name, value)| (name.to_owned(), value.into())).collect();
    if let Some(code) = query.get("status_code").and_then(|code| code.parse::<u16>().ok()) {
        body.insert("status_code".to_owned(), code.into());
    }
    body.insert("dry_run".to_owned(), dry_run.into());
    body.into()
}

async fn ask(viewer: &Viewer, form: &Form, query: Query) -> Answer<Response> {
    let (is_resend, _) = action(form);
    let back = query.at("/deliveries");
    // Nothing is done to all of history by a slip: without a time it is the last week.
    let query = if query.get("since").is_some() {
        query
    } else {
        let week = crate::domain::clock::Millis(viewer.now.0 - 7 * 24 * 3_600_000);
        query.with("since", &super::super::time::field(week))
    };
    let api = if is_resend { "/deliveries/resend" } else { "/deliveries/cancel" };
    match viewer.client.post(api, &selection(&query, true)).await {
        Ok(reply) => {
            let forecast: Forecast = reply.read()?;
            let title = if is_resend { "Send all of these again?" } else { "Give all of these up?" };
            Ok(shown(&SurePage {
                page: Page::new(viewer, Section::Deliveries, title).below("/deliveries", "Deliveries"),
                is_resend,
                count: forecast.deliveries,
                is_complete: forecast.complete,
                query,
                back,
            }))
        }
        Err(refusal) => Ok(failed(&back, told(&refusal.about_the_form()?))),
    }
}

/// Begins the job.
pub(in super::super) async fn begin(Posted { viewer, form }: Posted) -> Answer<Response> {
    let query = filters(&form);
    let (is_resend, _) = action(&form);
    let api = if is_resend { "/deliveries/resend" } else { "/deliveries/cancel" };
    match viewer.client.post(api, &selection(&query, false)).await {
        Ok(reply) => {
            Ok(done(&format!("/jobs/{}", reply.text("/id")), "It goes on by itself, also when you leave this page."))
        }
        Err(refusal) => Ok(failed(&query.at("/deliveries"), told(&refusal.about_the_form()?))),
    }
}

/// The log as a file: one line of JSON for each delivery.
pub(in super::super) async fn export(viewer: Viewer, RawQuery(query): RawQuery) -> Answer<Response> {
    let query = of_api(&Query::parse(query.as_deref()).only(&FILTERS));
    let mut response = viewer.client.raw(Method::GET, &query.at("/deliveries/export"), None, Body::empty()).await;
    if !response.status().is_success() {
        return Ok(failed(&query.at("/deliveries"), "The deliveries cannot be exported with these filters."));
    }
    let name = HeaderValue::from_static("attachment; filename=\"deliveries.ndjson\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}
