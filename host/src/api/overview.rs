//! `/overview`: what became of recent deliveries, and what waits for a person.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::Caller;
use super::extract::Query;
use super::problem::Answer;
use crate::domain::clock::Millis;
use crate::domain::delivery::DeliveryStatus;
use crate::domain::overview::{Overview, overview};
use crate::domain::permission::Permission;
use crate::domain::problem::{FieldError, Problem};

const HOUR_MS: u64 = 60 * 60 * 1000;
const HOURS_DEFAULT: u64 = 24;
/// A month: further back is what the log is for.
const HOURS_MAX: u64 = 31 * 24;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct OverviewQuery {
    hours: Option<u64>,
}

/// Deliveries of the time that stand so and do nothing more by themselves, or fail; each counted up to 1000.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attention)]
struct Attention {
    failed: u64,
    parked: u64,
    held: u64,
    retrying: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OverviewOfDeliveries)]
pub(super) struct OverviewBody {
    /// What was asked for.
    since: Millis,
    until: Millis,
    /// From then on every delivery is counted; later than `since` where there were more than one request looks at.
    counted_since: Millis,
    complete: bool,
    attention: Attention,
    #[serde(flatten)]
    overview: Overview,
}

/// Recent deliveries in numbers: by state over time, how long they took, by webhook, by plugin. It looks at the newest
/// `log.scan_rows`, and says from when on that is all of them.
#[utoipa::path(
    get,
    path = "/overview",
    params(OverviewQuery),
    security(("token" = [Permission::DeliveriesRead]), ("token" = [Permission::CanTriggerIntegrations])),
    responses((status = OK, body = OverviewBody))
)]
pub(super) async fn read(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<OverviewQuery>,
) -> Answer<axum::Json<OverviewBody>> {
    caller.needs(Permission::DeliveriesRead)?;
    let hours = query.hours.unwrap_or(HOURS_DEFAULT);
    if !(1..=HOURS_MAX).contains(&hours) {
        return Err(Problem::parameters(vec![FieldError::new("/hours", format!("is 1 to {HOURS_MAX}"))]).into());
    }
    let until = api.clock.now();
    let since = Millis(until.0.saturating_sub_unsigned(hours * HOUR_MS));
    let project = caller.project();
    let recent = api.store.recent(project, since, api.config.log.scan_rows).await?;
    let standing = async |status| api.store.count_standing(project, status, since).await;
    let attention = Attention {
        failed: standing(DeliveryStatus::Failed).await?,
        parked: standing(DeliveryStatus::Parked).await?,
        held: standing(DeliveryStatus::Held).await?,
        retrying: standing(DeliveryStatus::Retrying).await?,
    };
    Ok(axum::Json(OverviewBody {
        since,
        until,
        counted_since: recent.since,
        complete: recent.is_complete,
        attention,
        overview: overview(since, until, &recent.deliveries, recent.runs),
    }))
}
