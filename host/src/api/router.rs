//! Every route.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};
use tower_http::catch_panic::CatchPanicLayer;

use super::{
    Api, audit, context, deliveries, event_types, events, gallery, health, jobs, live, me, members, metrics, openapi,
    overview, plugins, problem, projects, results, roles, schedules, sessions, settings, tokens, users, webhooks,
};

/// What stands before the path of every route of the API.
pub(super) const V1: &str = "/api/v1";

/// One route: what the router answers, and what the table of permissions is checked against.
#[derive(Debug, Clone)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The whole path, with its parameters in braces.
    pub path: String,
    handler: MethodRouter<Api>,
}

fn route<H: Handler<T, Api>, T: 'static>(method: Method, filter: MethodFilter, path: &str, handler: H) -> Route {
    Route { method, path: path.to_owned(), handler: on(filter, handler) }
}

fn get<H: Handler<T, Api>, T: 'static>(path: &str, handler: H) -> Route {
    route(Method::GET, MethodFilter::GET, path, handler)
}

fn post<H: Handler<T, Api>, T: 'static>(path: &str, handler: H) -> Route {
    route(Method::POST, MethodFilter::POST, path, handler)
}

fn put<H: Handler<T, Api>, T: 'static>(path: &str, handler: H) -> Route {
    route(Method::PUT, MethodFilter::PUT, path, handler)
}

fn patch<H: Handler<T, Api>, T: 'static>(path: &str, handler: H) -> Route {
    route(Method::PATCH, MethodFilter::PATCH, path, handler)
}

fn delete<H: Handler<T, Api>, T: 'static>(path: &str, handler: H) -> Route {
    route(Method::DELETE, MethodFilter::DELETE, path, handler)
}

impl Route {
    /// With bodies up to so many bytes.
    fn with_body_max(self, bytes: usize) -> Self {
        Self { handler: self.handler.layer(DefaultBodyLimit::max(bytes)), ..self }
    }
}

/// Every route there is.
#[expect(clippy::too_many_lines, reason = "a line for each route, on one screen")]
pub fn routes(api: &Api) -> Vec<Route> {
    // Room for the parts of a multipart body around the component.
    let plugin_max = api.config.plugins.component_bytes + 64 * 1024;
    let mut routes = vec![
        post("/events", events::publish),
        get("/events", events::list),
        post("/events/count", events::count),
        get("/events/{id}", events::read),
        post("/events/{id}/replay", events::replay),
        post("/event-types", event_types::create),
        get("/event-types", event_types::list),
        get("/event-types/{name}", event_types::read),
        patch("/event-types/{name}", event_types::patch),
        delete("/event-types/{name}", event_types::delete),
        post("/webhooks", webhooks::create),
        get("/webhooks", webhooks::list),
        post("/webhooks/check-url", webhooks::check_url),
        post("/webhooks/test", webhooks::try_out),
        get("/webhooks/{id}", webhooks::read),
        put("/webhooks/by-external-id/{external_id}", webhooks::put),
        patch("/webhooks/{id}", webhooks::patch),
        delete("/webhooks/{id}", webhooks::delete),
        post("/webhooks/{id}/test", webhooks::test),
        post("/webhooks/{id}/trigger", webhooks::trigger),
        post("/webhooks/{id}/rotate-secret", webhooks::rotate_secret),
        post("/webhooks/{id}/explain", webhooks::explain),
        get("/webhooks/{id}/facts", webhooks::facts::list),
        delete("/webhooks/{id}/facts", webhooks::facts::erase),
        get("/webhooks/{id}/digest", webhooks::digest::read),
        post("/webhooks/{id}/digest/send", webhooks::digest::send),
        get("/webhooks/{id}/revisions", webhooks::revisions),
        post("/webhooks/{id}/reprocess", webhooks::reprocess),
        post("/webhooks/{id}/recover", webhooks::recover),
        post("/webhooks/{id}/backtest", webhooks::backtest),
        get("/webhooks/{id}/deliveries", deliveries::list_of_webhook),
        get("/deliveries", deliveries::list),
        get("/deliveries/export", deliveries::export),
        post("/deliveries/resend", deliveries::resend_many),
        post("/deliveries/cancel", deliveries::cancel_many),
        get("/deliveries/{id}", deliveries::read),
        get("/deliveries/{id}/input", deliveries::input),
        post("/deliveries/{id}/retry", deliveries::retry),
        post("/deliveries/{id}/cancel", deliveries::cancel),
        post("/deliveries/{id}/reprocess", deliveries::reprocess),
        get("/jobs", jobs::list),
        get("/jobs/{id}", jobs::read),
        delete("/jobs/{id}", jobs::delete),
        post("/jobs/{id}/cancel", jobs::cancel),
        get("/jobs/{id}/results", results::list),
        post("/jobs/{id}/promote", webhooks::promote),
        post("/plugins", plugins::upload).with_body_max(plugin_max),
        get("/plugins", plugins::list),
        get("/plugins/{name}/versions/{version}", plugins::read),
        delete("/plugins/{name}/versions/{version}", plugins::delete),
        get("/plugins/{name}/versions/{version}/component", plugins::download),
        post("/plugins/{name}/versions/{version}/preview", plugins::preview),
        post("/plugins/{name}/versions/{version}/resume", plugins::resume),
        get("/gallery", gallery::list),
        post("/gallery/{name}", gallery::add),
        post("/projects", projects::create),
        get("/projects", projects::list),
        get("/projects/{id}", projects::read),
        put("/projects/by-external-id/{external_id}", projects::put),
        patch("/projects/{id}", projects::patch),
        delete("/projects/{id}", projects::delete),
        get("/projects/{id}/members", members::list),
        put("/projects/{id}/members/{user}", members::put),
        delete("/projects/{id}/members/{user}", members::delete),
        post("/schedules", schedules::create),
        get("/schedules", schedules::list),
        post("/schedules/preview", schedules::preview),
        get("/schedules/{id}", schedules::read),
        patch("/schedules/{id}", schedules::patch),
        delete("/schedules/{id}", schedules::delete),
        post("/schedules/{id}/run", schedules::run),
        post("/tokens", tokens::create),
        get("/tokens", tokens::list),
        get("/tokens/{id}", tokens::read),
        patch("/tokens/{id}", tokens::patch),
        delete("/tokens/{id}", tokens::revoke),
        post("/users", users::create),
        get("/users", users::list),
        get("/users/{id}", users::read),
        patch("/users/{id}", users::patch),
        delete("/users/{id}", users::delete),
        get("/setup", users::is_setup_needed),
        post("/setup", users::setup),
        post("/roles", roles::create),
        get("/roles", roles::list),
        get("/roles/{name}", roles::read),
        patch("/roles/{name}", roles::patch),
        delete("/roles/{name}", roles::delete),
        post("/sessions", sessions::login),
        get("/sessions", sessions::list),
        delete("/sessions", sessions::end_all),
        delete("/sessions/{id}", sessions::end),
        get("/me", me::read),
        post("/me/password", me::change_password),
        get("/settings", settings::list),
        get("/overview", overview::read),
        get("/live", live::listen),
        get("/audit", audit::list),
        get("/audit/export", audit::export),
        get("/openapi.json", openapi::read),
        get("/docs", openapi::docs),
        get("/docs/style.css", openapi::style),
    ];
    for route in &mut routes {
        route.path.insert_str(0, V1);
    }
    routes.push(get("/healthz", health::healthz));
    routes.push(get("/readyz", health::readyz));
    routes.push(get("/metrics", metrics::read));
    routes
}

/// The whole API.
pub fn router(api: Api) -> Router {
    let all = routes(&api).into_iter().fold(Router::new(), |all, route| all.route(&route.path, route.handler));
    let all = all.fallback(problem::no_such_path).method_not_allowed_fallback(problem::no_such_method);
    surround(&api, all).with_state(api)
}

/// Around whatever answers requests: limits of bodies, ids of requests, and headers that every answer has.
pub fn surround<S: Clone + Send + Sync + 'static>(api: &Api, all: Router<S>) -> Router<S> {
    all.layer(DefaultBodyLimit::max(api.config.server.body_max_bytes))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(from_fn_with_state(api.clone(), context::around))
}
