//! Whether a webhook wants an event, check by check, for people.

use serde::Serialize;
use utoipa::ToSchema;

use super::event::Event;
use super::filter::{Facts, Filters, Verdict};
use super::webhook::{State, Webhook};

/// One of the checks between an event and its delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// Both belong to the same project.
    Project,
    /// The webhook is enabled.
    Enabled,
    /// One of its patterns matches the type.
    Pattern,
    /// Its filter, if it has one, is true.
    Filter,
}

/// What one check came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Check {
    /// Which.
    pub check: CheckKind,
    /// Whether it lets the event through.
    pub passed: bool,
    /// Why.
    pub detail: String,
    /// The pattern that matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// What the filter cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operations: Option<u64>,
}

impl Check {
    fn new(check: CheckKind, passed: bool, detail: String) -> Self {
        Self { check, passed, detail, pattern: None, operations: None }
    }
}

/// All checks, also those after one that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Explanation {
    /// Whether the event would be delivered.
    pub matches: bool,
    /// The same in a sentence: the first check that failed.
    pub reason: String,
    /// In the order in which they are made.
    pub checks: Vec<Check>,
}

/// Makes all checks.
pub fn explain(webhook: &Webhook, event: &Event, filters: &Filters) -> Explanation {
    let checks =
        vec![project(webhook, event), enabled(webhook), pattern(webhook, event), filter(webhook, event, filters)];
    let failed = checks.iter().find(|check| !check.passed);
    Explanation {
        matches: failed.is_none(),
        reason: failed
            .map_or_else(|| "the event matches and would be delivered".to_owned(), |check| check.detail.clone()),
        checks,
    }
}

fn project(webhook: &Webhook, event: &Event) -> Check {
    let passed = webhook.project == event.project;
    let detail = if passed {
        format!("the event and the webhook belong to {}", event.project)
    } else {
        format!("the event belongs to {}, the webhook to {}", event.project, webhook.project)
    };
    Check::new(CheckKind::Project, passed, detail)
}

fn enabled(webhook: &Webhook) -> Check {
    let detail = match &webhook.state {
        State::Enabled => "the webhook is enabled".to_owned(),
        State::Disabled { reason } => {
            format!("the webhook is disabled ({reason}): what matches is recorded as skipped")
        }
    };
    Check::new(CheckKind::Enabled, webhook.state.is_enabled(), detail)
}

fn pattern(webhook: &Webhook, event: &Event) -> Check {
    let matching = webhook.pattern_for(&event.event_type).map(ToString::to_string);
    let detail = if let Some(pattern) = &matching {
        format!("the pattern `{pattern}` matches `{}`", event.event_type)
    } else {
        let all: Vec<String> = webhook.events.iter().map(|pattern| format!("`{pattern}`")).collect();
        format!("no pattern matches `{}`; the webhook has {}", event.event_type, all.join(", "))
    };
    Check { pattern: matching.clone(), ..Check::new(CheckKind::Pattern, matching.is_some(), detail) }
}

fn filter(webhook: &Webhook, event: &Event, filters: &Filters) -> Check {
    let Some(filter) = &webhook.filter else {
        return Check::new(CheckKind::Filter, true, "the webhook has no filter".to_owned());
    };
    let evaluation = filters.evaluate(filter, &mut Facts::of(event));
    let (passed, detail) = match evaluation.verdict {
        Verdict::Match => (true, "the filter is true".to_owned()),
        Verdict::NoMatch => (false, "the filter is false".to_owned()),
        Verdict::Error(error) => (false, format!("the filter gives no answer, which is a non-match: {error}")),
    };
    Check { operations: Some(evaluation.operations), ..Check::new(CheckKind::Filter, passed, detail) }
}
