//! `/metrics`: what this node has counted, and how things stand, for Prometheus.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use super::Api;
use super::auth::Caller;
use super::problem::Answer;
use crate::domain::delivery::{AttemptOutcome, DeliveryStatus};
use crate::domain::permission::Permission;
use crate::store::Standing;
use crate::telemetry::metrics::{BOUNDS_MS, METRICS};

/// The text format of Prometheus.
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// In the place of a permission: `deliveries:read`, held for all projects.
const READ_EVERYWHERE: &str = "deliveries:read:everywhere";

/// Metrics in the order in which they are written.
#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: u64) {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.head(name, kind, help);
        self.line(name, "", value);
    }

    fn kinds<'k>(&mut self, name: &str, help: &str, label: &str, kinds: impl Iterator<Item = (&'k str, u64)>) {
        self.head(name, "counter", help);
        for (kind, count) in kinds {
            self.line(name, &format!("{label}=\"{kind}\""), count);
        }
    }
}

/// What was counted.
fn counted(page: &mut Page) {
    let metrics = &METRICS;
    page.one("hookwright_events_total", "counter", "Events that were stored.", metrics.events.get());
    let help = "Events that were there already, by their idempotency key.";
    page.one("hookwright_events_duplicate_total", "counter", help, metrics.duplicates.get());
    let deliveries = (0..).zip(DeliveryStatus::ALL).filter(|(_, status)| !status.is_open());
    let deliveries = deliveries.map(|(place, status)| (status.as_str(), metrics.deliveries.get(place)));
    page.kinds("hookwright_deliveries_settled_total", "Deliveries that came to rest.", "status", deliveries);
    let attempts = (0..).zip(AttemptOutcome::ALL);
    let attempts = attempts.map(|(place, outcome)| (outcome.as_str(), metrics.attempts.get(place)));
    page.kinds("hookwright_attempts_total", "Requests that were sent.", "outcome", attempts);
    let name = "hookwright_attempt_duration_seconds";
    page.head(name, "histogram", "How long attempts took.");
    let (sums, total_ms) = metrics.attempt_durations.read();
    for (bound, sum) in BOUNDS_MS.iter().zip(sums) {
        let _ = writeln!(page.0, "{name}_bucket{{le=\"{}\"}} {sum}", seconds(*bound));
    }
    let all = sums.last().copied().unwrap_or_default();
    let _ =
        writeln!(page.0, "{name}_bucket{{le=\"+Inf\"}} {all}\n{name}_sum {}\n{name}_count {all}", seconds(total_ms));
    let help = "Runs of plugins that gave requests, or nothing on purpose.";
    page.one("hookwright_plugin_runs_total", "counter", help, metrics.plugin_runs.get());
    page.one("hookwright_plugin_failures_total", "counter", "Runs that failed.", metrics.plugin_failures.get());
    let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"];
    let answers = (1..).zip(classes).map(|(class, name)| (name, metrics.answers.get(class)));
    page.kinds("hookwright_http_answers_total", "Answers of the HTTP API.", "status", answers);
}

/// Milliseconds in seconds, exactly.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// How things stand, in the database that all nodes share.
fn standing(page: &mut Page, standing: &Standing) {
    let help = "Work that is not done, as far as it is counted: 100,000 are that many or more.";
    page.one("hookwright_open_work", "gauge", help, standing.open_work);
    page.one("hookwright_open_jobs", "gauge", "Long work that is not done.", standing.open_jobs);
}

/// What this node counted since it began, and how things stand: the text format of Prometheus. It tells of all projects.
#[utoipa::path(
    get,
    path = "/metrics",
    security(("token" = [READ_EVERYWHERE])),
    responses((status = OK, body = String, content_type = "text/plain", description = "The metrics."))
)]
pub(super) async fn read(State(api): State<Api>, caller: Caller) -> Answer<Response> {
    caller.needs_everywhere(Permission::DeliveriesRead)?;
    let mut page = Page::default();
    page.head("hookwright_build_info", "gauge", "The version that runs.");
    page.line("hookwright_build_info", &format!("version=\"{}\"", env!("CARGO_PKG_VERSION")), 1);
    counted(&mut page);
    let snapshot = api.store.subscriptions();
    let (enabled, disabled) = snapshot.counts();
    page.head("hookwright_webhooks", "gauge", "Registered webhooks.");
    page.line("hookwright_webhooks", "enabled=\"true\"", enabled);
    page.line("hookwright_webhooks", "enabled=\"false\"", disabled);
    standing(&mut page, &api.store.standing().await?);
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], page.0).into_response())
}
