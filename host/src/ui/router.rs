//! Every page.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};

use super::{account, around, assets, deliveries, errors, events, jobs, live, overview, project, setup, sign_in, webhooks};
use crate::domain::clock::Clock;

/// What pages work with. Cheap to clone, since each request does.
#[derive(Debug, Clone)]
pub struct Ui {
    /// The whole API.
    pub api: Router,
    /// The time.
    pub clock: Clock,
}

/// All pages. What is none of them is for the API to answer.
pub fn router(ui: Ui) -> Router {
    Router::new()
        .route("/", get(overview::show))
        .route("/sign-in", get(sign_in::show).post(sign_in::submit))
        .route("/sign-out", post(sign_in::leave))
        .route("/setup", get(setup::show).post(setup::submit))
        .route("/account", get(account::show))
        .route("/account/password", post(account::change_password))
        .route("/account/keys", post(account::choose_keys))
        .route("/account/sessions/{id}/end", post(account::end_session))
        .route("/account/sessions/end", post(account::end_all))
        .route("/project", post(project::choose))
        .route("/webhooks", get(webhooks::list::show))
        .route("/webhooks/new", get(webhooks::form::new).post(webhooks::form::create))
        .route("/webhooks/{id}", get(webhooks::detail::show))
        .route("/webhooks/{id}/edit", get(webhooks::form::edit).post(webhooks::form::save))
        .route("/webhooks/{id}/enabled", post(webhooks::switch::submit))
        .route("/webhooks/{id}/test", post(webhooks::act::test))
        .route("/webhooks/{id}/trigger", post(webhooks::act::trigger))
        .route("/webhooks/{id}/rotate", post(webhooks::act::rotate))
        .route("/webhooks/{id}/recover", post(webhooks::act::recover))
        .route("/webhooks/{id}/reprocess", post(webhooks::act::reprocess))
        .route("/webhooks/{id}/forget", post(webhooks::act::forget))
        .route("/webhooks/{id}/delete", post(webhooks::act::delete))
        .route("/deliveries", get(deliveries::list::show))
        .route("/deliveries/export", get(deliveries::many::export))
        .route("/deliveries/chosen", post(deliveries::many::chosen))
        .route("/deliveries/all", post(deliveries::many::begin))
        .route("/deliveries/{id}", get(deliveries::detail::show))
        .route("/deliveries/{id}/retry", post(deliveries::act::retry))
        .route("/deliveries/{id}/remake", post(deliveries::act::remake))
        .route("/deliveries/{id}/cancel", post(deliveries::act::cancel))
        .route("/events", get(events::list::show))
        .route("/events/new", get(events::send::show).post(events::send::submit))
        .route("/events/trigger", post(events::act::trigger))
        .route("/events/{id}", get(events::detail::show))
        .route("/events/{id}/replay", post(events::act::replay))
        .route("/jobs", get(jobs::list))
        .route("/jobs/{id}", get(jobs::show))
        .route("/jobs/{id}/cancel", post(jobs::cancel))
        .route("/live", get(live::listen))
        .route("/assets/{build}/{name}", get(assets::serve))
        .route("/{*rest}", any(errors::not_found))
        .layer(from_fn_with_state(ui.clone(), around::around))
        .with_state(ui)
}
