//! Every page.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};

use super::{
    account, around, assets, audit, backtests, deliveries, errors, event_types, events, jobs, live, overview, plugins,
    project, projects, roles, schedules, settings, setup, sign_in, tokens, users, webhooks,
};
use crate::domain::clock::Clock;

/// What pages work with. Cheap to clone, since each request does.
#[derive(Debug, Clone)]
pub struct Ui {
    /// The whole API.
    pub api: Router,
    /// The time.
    pub clock: Clock,
}

/// A plugin is larger than any other form.
fn uploads() -> DefaultBodyLimit {
    DefaultBodyLimit::max(plugins::upload::UPLOAD_MAX_BYTES)
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
        .route("/webhooks/{id}/backtest", get(backtests::new).post(backtests::begin))
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
        .route("/jobs/{id}/promote", post(backtests::promote))
        .route("/plugins", get(plugins::list::show).post(plugins::upload::submit).layer(uploads()))
        .route("/plugins/gallery/{name}", post(plugins::upload::add))
        .route("/plugins/{name}/versions/{version}", get(plugins::one::show))
        .route("/plugins/{name}/versions/{version}/component", get(plugins::one::download))
        .route("/plugins/{name}/versions/{version}/resume", post(plugins::one::resume))
        .route("/plugins/{name}/versions/{version}/delete", get(plugins::one::ask).post(plugins::one::delete))
        .route(
            "/plugins/{name}/versions/{version}/playground",
            get(plugins::playground::show).post(plugins::playground::submit),
        )
        .route("/schedules", get(schedules::list))
        .route("/schedules/new", get(schedules::new).post(schedules::create))
        .route("/schedules/{id}", get(schedules::show))
        .route("/schedules/{id}/edit", get(schedules::edit).post(schedules::change))
        .route("/schedules/{id}/run", post(schedules::run))
        .route("/schedules/{id}/delete", get(schedules::ask).post(schedules::delete))
        .route("/event-types", get(event_types::list))
        .route("/event-types/new", get(event_types::new).post(event_types::create))
        .route("/event-types/{name}", get(event_types::show))
        .route("/event-types/{name}/edit", get(event_types::edit).post(event_types::change))
        .route("/event-types/{name}/forget", get(event_types::ask).post(event_types::forget))
        .route("/projects", get(projects::list))
        .route("/projects/new", get(projects::new).post(projects::create))
        .route("/projects/{id}", get(projects::show).post(projects::change))
        .route("/projects/{id}/delete", get(projects::ask).post(projects::delete))
        .route("/users", get(users::list))
        .route("/users/new", get(users::new).post(users::create))
        .route("/users/{id}", get(users::show).post(users::change))
        .route("/users/{id}/delete", get(users::ask).post(users::delete))
        .route("/roles", get(roles::list))
        .route("/roles/new", get(roles::new).post(roles::create))
        .route("/roles/{name}", get(roles::show).post(roles::change))
        .route("/roles/{name}/delete", get(roles::ask).post(roles::delete))
        .route("/tokens", get(tokens::list))
        .route("/tokens/new", get(tokens::new).post(tokens::create))
        .route("/tokens/{id}", get(tokens::show).post(tokens::change))
        .route("/tokens/{id}/revoke", get(tokens::ask).post(tokens::revoke))
        .route("/audit", get(audit::show))
        .route("/audit/export", get(audit::export))
        .route("/settings", get(settings::show))
        .route("/live", get(live::listen))
        .route("/assets/{build}/{name}", get(assets::serve))
        .route("/{*rest}", any(errors::not_found))
        .layer(from_fn_with_state(ui.clone(), around::around))
        .with_state(ui)
}
