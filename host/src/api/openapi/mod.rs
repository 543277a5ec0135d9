//! The description of the API (`OpenAPI` 3.1): made of what stands at the handlers. What all of them have in common is said
//! once, in `common`.

mod common;
mod example;
mod page;
mod parameters;
mod problems;
#[cfg(test)]
mod tests;
mod tidy;

use std::sync::LazyLock;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use utoipa::OpenApi as _;

use super::{
    audit, deliveries, event_types, events, gallery, health, jobs, live, me, members, metrics, overview, plugins,
    problem, projects, results, roles, schedules, sessions, settings, tokens, users, webhooks,
};
use crate::domain::permission::Permission;
use crate::domain::problem::ProblemCode;

pub(super) use page::{docs, style};
pub(super) use parameters::{IdempotencyKey, IfMatch};

/// In the place of a permission: `admin`, held for all projects.
pub(super) const EVERYWHERE: &str = "admin:everywhere";

/// What stands at the handlers. A test compares it with the router's own list.
#[derive(utoipa::OpenApi)]
#[openapi(
    components(schemas(problem::Body<'static>, ProblemCode, Permission)),
    paths(
        events::publish,
        events::count,
        events::list,
        events::read,
        events::replay,
        event_types::create,
        event_types::list,
        event_types::read,
        event_types::patch,
        event_types::delete,
        webhooks::create,
        webhooks::check_url,
        webhooks::try_out,
        webhooks::digest::read,
        webhooks::digest::send,
        webhooks::list,
        webhooks::read,
        webhooks::put,
        webhooks::patch,
        webhooks::delete,
        webhooks::test,
        webhooks::trigger,
        webhooks::rotate_secret,
        webhooks::explain,
        webhooks::facts::list,
        webhooks::facts::erase,
        webhooks::revisions,
        webhooks::reprocess,
        webhooks::recover,
        webhooks::backtest,
        webhooks::promote,
        deliveries::list_of_webhook,
        deliveries::list,
        deliveries::export,
        deliveries::resend_many,
        deliveries::cancel_many,
        deliveries::read,
        deliveries::input,
        deliveries::retry,
        deliveries::cancel,
        deliveries::reprocess,
        jobs::list,
        jobs::read,
        jobs::delete,
        jobs::cancel,
        results::list,
        plugins::upload,
        plugins::list,
        plugins::read,
        plugins::delete,
        plugins::download,
        plugins::preview,
        plugins::resume,
        gallery::list,
        gallery::add,
        projects::create,
        projects::list,
        projects::read,
        projects::put,
        projects::patch,
        projects::delete,
        members::list,
        members::put,
        members::delete,
        schedules::create,
        schedules::list,
        schedules::preview,
        schedules::read,
        schedules::patch,
        schedules::delete,
        schedules::run,
        tokens::create,
        tokens::list,
        tokens::read,
        tokens::patch,
        tokens::revoke,
        users::create,
        users::list,
        users::read,
        users::patch,
        users::delete,
        users::setup,
        users::is_setup_needed,
        roles::create,
        roles::list,
        roles::read,
        roles::patch,
        roles::delete,
        sessions::login,
        sessions::list,
        sessions::end_all,
        sessions::end,
        me::read,
        me::change_password,
        settings::list,
        overview::read,
        live::listen,
        audit::list,
        audit::export,
        health::healthz,
        health::readyz,
        metrics::read,
        read,
        page::docs,
        page::style,
    )
)]
struct Described;

/// The description. It is the same for every server of one version.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = serde_json::to_value(Described::openapi()).expect("a description is plain data");
    tidy::tidy(&mut document);
    common::complete(&mut document);
    document
});

static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());

/// The description as it is kept in the repository.
pub fn openapi() -> String {
    format!("{:#}\n", *DOCUMENT)
}

/// This description, for programs.
#[utoipa::path(get, path = "/openapi.json", security(()), responses((status = OK, body = serde_json::Value)))]
pub(super) async fn read() -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], TEXT.as_str()).into_response()
}
