//! Every route.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;

use super::{Api, deliveries, events, health, jobs, plugins, problem, results, webhooks};

/// The whole API.
pub fn router(api: Api) -> Router {
    let body_max = api.config.server.body_max_bytes;
    // Room for the parts of a multipart body around the component.
    let plugin_max = api.config.plugins.component_bytes + 64 * 1024;
    let v1 = Router::new()
        .route("/events", post(events::publish).get(events::list))
        .route("/events/{id}", get(events::read))
        .route("/events/{id}/replay", post(events::replay))
        .route("/webhooks", post(webhooks::create).get(webhooks::list))
        .route("/webhooks/{id}", get(webhooks::read).patch(webhooks::patch).delete(webhooks::delete))
        .route("/webhooks/{id}/test", post(webhooks::test))
        .route("/webhooks/{id}/trigger", post(webhooks::trigger))
        .route("/webhooks/{id}/rotate-secret", post(webhooks::rotate_secret))
        .route("/webhooks/{id}/explain", post(webhooks::explain))
        .route("/webhooks/{id}/facts", get(webhooks::facts::list).delete(webhooks::facts::erase))
        .route("/webhooks/{id}/revisions", get(webhooks::revisions))
        .route("/webhooks/{id}/reprocess", post(webhooks::reprocess))
        .route("/webhooks/{id}/recover", post(webhooks::recover))
        .route("/webhooks/{id}/backtest", post(webhooks::backtest))
        .route("/webhooks/{id}/deliveries", get(deliveries::list_of_webhook))
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/export", get(deliveries::export))
        .route("/deliveries/resend", post(deliveries::resend_many))
        .route("/deliveries/cancel", post(deliveries::cancel_many))
        .route("/deliveries/{id}", get(deliveries::read))
        .route("/deliveries/{id}/input", get(deliveries::input))
        .route("/deliveries/{id}/retry", post(deliveries::retry))
        .route("/deliveries/{id}/cancel", post(deliveries::cancel))
        .route("/deliveries/{id}/reprocess", post(deliveries::reprocess))
        .route("/jobs", get(jobs::list))
        .route("/jobs/{id}", get(jobs::read).delete(jobs::cancel))
        .route("/jobs/{id}/cancel", post(jobs::cancel))
        .route("/jobs/{id}/results", get(results::list))
        .route("/jobs/{id}/promote", post(webhooks::promote))
        .route("/plugins", post(plugins::upload).layer(DefaultBodyLimit::max(plugin_max)).get(plugins::list))
        .route("/plugins/{name}/versions/{version}", get(plugins::read).delete(plugins::delete))
        .route("/plugins/{name}/versions/{version}/component", get(plugins::download))
        .route("/plugins/{name}/versions/{version}/preview", post(plugins::preview))
        .route("/plugins/{name}/versions/{version}/resume", post(plugins::resume));
    Router::new()
        .nest("/api/v1", v1)
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(DefaultBodyLimit::max(body_max))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .with_state(api)
}
