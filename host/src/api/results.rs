//! What backtests came to, event by event.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::Caller;
use super::extract::{Id, Query, page};
use super::jobs::{find, one_of};
use super::problem::Answer;
use crate::domain::backtest::{Compared, Detail};
use crate::domain::id::{DeliveryId, EventId, JobId};
use crate::domain::job::JobKind;
use crate::domain::page::Page;
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::token::Permission;
use crate::store::ResultView;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ResultQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// That came to this.
    #[param(value_type = Option<Compared>)]
    outcome: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BacktestResult)]
pub(super) struct ResultBody {
    /// The delivery that it is compared with.
    delivery_id: DeliveryId,
    event_id: EventId,
    event_type: String,
    outcome: Compared,
    /// What is different.
    #[serde(flatten)]
    detail: Option<Detail>,
}

fn body(view: ResultView) -> ResultBody {
    let ResultView { event_type, result } = view;
    ResultBody {
        delivery_id: result.delivery,
        event_id: result.event,
        event_type,
        outcome: result.compared,
        detail: result.detail,
    }
}

/// The results of a backtest, newest event first; `outcome` picks those that came to one thing. They are made of payloads, so
/// only those who may read events see them.
#[utoipa::path(
    get,
    path = "/jobs/{id}/results",
    params(ResultQuery),
    security(("token" = [Permission::DeliveriesRead, Permission::EventsRead])),
    responses(
        (status = OK, body = Page<ResultBody>),
        (status = CONFLICT, description = "The job is no backtest.")
    ),
    operation_id = "jobs_results"
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<JobId>,
    Query(query): Query<ResultQuery>,
) -> Answer<axum::Json<Page<ResultBody>>> {
    caller.needs(Permission::DeliveriesRead)?;
    caller.needs_payloads()?;
    let page = page(query.limit, query.cursor.as_deref())?;
    let outcome = one_of("outcome", query.outcome.as_deref(), Compared::ALL, |outcome| outcome.as_str())?;
    let job = find(&api, &caller, id).await?;
    if job.work.kind() != JobKind::Backtest {
        let detail = format!("a job of the kind {} has no results", job.work.kind());
        return Err(Problem::new(ProblemCode::WrongState, detail).into());
    }
    Ok(axum::Json(api.store.results(caller.project(), id, outcome, page).await?.map(body)))
}
