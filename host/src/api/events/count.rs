//! How many recent events a webhook would have got, before it is registered.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::Api;
use super::super::auth::Caller;
use super::super::extract::Json;
use super::super::form::Errors;
use super::super::problem::Answer;
use super::super::webhooks::{check_filter, check_patterns};
use crate::domain::clock::Millis;
use crate::domain::event::Event;
use crate::domain::filter::{Facts, Filter, Filters, Verdict};
use crate::domain::page::{LIMIT_MAX, PageRequest};
use crate::domain::pattern::Pattern;
use crate::domain::permission::Permission;
use crate::domain::problem::{Problem, ProblemCode};

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = EventCount)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct CountForm {
    /// Patterns; all types when there are none.
    #[serde(default)]
    events: Vec<String>,
    filter: Option<String>,
}

#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = CountedEvents)]
pub(in super::super) struct CountBody {
    /// Events that were looked at: the newest, at most 200.
    examined: u64,
    /// Of these types.
    wanted: u64,
    /// For which the filter is true besides.
    matched: u64,
    /// For which it gave no answer.
    errors: u64,
    /// Why, for the newest of those.
    first_error: Option<String>,
    /// When the oldest of them was received.
    since: Option<Millis>,
}

/// Counts, of the newest events, those that patterns and a filter would let pass. It tells what payloads say, so only those who
/// may read them ask.
#[utoipa::path(
    post,
    path = "/events/count",
    security(("token" = [Permission::EventsRead])),
    responses((status = OK, body = CountBody))
)]
pub(in super::super) async fn count(
    State(api): State<Api>,
    caller: Caller,
    form: Json<CountForm>,
) -> Answer<axum::Json<CountBody>> {
    caller.needs_payloads()?;
    let form = form.read().await?;
    let mut errors = Errors::default();
    let patterns = if form.events.is_empty() { Vec::new() } else { check_patterns(&form.events, &mut errors) };
    let filter = form.filter.and_then(|source| check_filter(&api, source, &mut errors));
    errors.check()?;
    let page = PageRequest { limit: LIMIT_MAX, cursor: None };
    let events = api.store.events(caller.project(), None, page).await?.items;
    let filters = api.filters.clone();
    // A filter may be slow for each of them; nobody else waits for it.
    let counted = tokio::task::spawn_blocking(move || counted(&events, &patterns, filter.as_ref(), &filters));
    let failed = |_| Problem::new(ProblemCode::Internal, "the events could not be counted");
    Ok(axum::Json(counted.await.map_err(failed)?))
}

fn counted(events: &[Event], patterns: &[Pattern], filter: Option<&Arc<Filter>>, filters: &Filters) -> CountBody {
    let since = events.last().map(|event| event.received_at);
    let mut body = CountBody { examined: events.len() as u64, since, ..CountBody::default() };
    let is_wanted =
        |event: &&Event| patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(&event.event_type));
    for event in events.iter().filter(is_wanted) {
        body.wanted += 1;
        let verdict = filter.map(|filter| filters.evaluate(filter, &mut Facts::of(event)).verdict);
        match verdict {
            None | Some(Verdict::Match) => body.matched += 1,
            Some(Verdict::NoMatch) => {}
            Some(Verdict::Error(error)) => {
                body.errors += 1;
                body.first_error.get_or_insert(error.to_string());
            }
        }
    }
    body
}
