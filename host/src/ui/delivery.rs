//! A delivery as pages show it, in lists and whole.

use askama::Template;
use serde::Deserialize;
use serde_json::Value;

use super::parts::{Icon, Status, lasting, size};
use crate::domain::clock::Millis;

/// A line of the log.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Summary {
    pub(super) id: String,
    pub(super) event_id: String,
    pub(super) event_type: String,
    pub(super) webhook_id: String,
    pub(super) trigger: String,
    pub(super) actor: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) requests_total: u32,
    pub(super) requests_succeeded: u32,
    pub(super) created_at: Millis,
    pub(super) settled_at: Option<Millis>,
    pub(super) repeats: Option<String>,
    pub(super) reprocessed_by: Option<String>,
    pub(super) plugin: Option<Run>,
}

/// How its plugin's run went.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Run {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) cpu_us: Option<u64>,
    pub(super) memory_bytes: Option<u64>,
    #[serde(default)]
    pub(super) logs: Vec<LogLine>,
    #[serde(default)]
    pub(super) logs_dropped: u32,
    pub(super) limits: Option<Limits>,
    pub(super) error: Option<Failure>,
    #[serde(default)]
    pub(super) recalled: Vec<Recalled>,
}

/// What the run might use.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Limits {
    pub(super) cpu_ms: Option<u64>,
    pub(super) memory_bytes: Option<u64>,
}

/// What a plugin recalled of earlier answers.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Recalled {
    pub(super) key: String,
    pub(super) value: Option<Value>,
}

/// A line that a plugin logged.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct LogLine {
    pub(super) level: String,
    pub(super) message: String,
}

/// What went wrong in a plugin.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Failure {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) limit: Option<String>,
    pub(super) used: Option<u64>,
    pub(super) allowed: Option<u64>,
}

/// A delivery with everything.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Delivery {
    #[serde(flatten)]
    pub(super) summary: Summary,
    pub(super) requests: Vec<Request>,
}

/// One request of a delivery.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Request {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) next_attempt_at: Option<Millis>,
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<Header>,
    pub(super) body: Option<String>,
    pub(super) attempts: Vec<Attempt>,
}

/// A header.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) value: String,
}

/// One attempt at a request.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Attempt {
    pub(super) started_at: Millis,
    pub(super) duration_ms: u64,
    pub(super) outcome: String,
    pub(super) error_class: Option<String>,
    pub(super) error: Option<String>,
    pub(super) status_code: Option<u16>,
    pub(super) response_headers: Option<Vec<Header>>,
    pub(super) response_body: Option<String>,
    pub(super) truncated: bool,
    pub(super) late: bool,
    pub(super) verdict: Option<Value>,
}

impl Summary {
    pub(super) fn shown_status(&self) -> Status {
        Status::of(&self.status)
    }

    pub(super) fn path(&self) -> String {
        format!("/deliveries/{}", self.id)
    }

    /// Its requests in words.
    pub(super) fn requests(&self) -> String {
        match (self.requests_succeeded, self.requests_total) {
            (_, 0) => "none".to_owned(),
            (done, total) => format!("{done} of {total}"),
        }
    }

    /// From its making to its end.
    pub(super) fn took(&self) -> Option<String> {
        self.settled_at.map(|end| lasting(&end.since(self.created_at)))
    }

    /// Why it exists, in words.
    pub(super) fn because(&self) -> &'static str {
        match self.trigger.as_str() {
            "event" => "an event",
            "manual" => "triggered by hand",
            "test" => "a test",
            "schedule" => "a schedule",
            _ => "made anew",
        }
    }

    /// Whether sending the same bytes again makes sense.
    pub(super) fn can_be_retried(&self) -> bool {
        self.requests_total > 0
            && matches!(self.status.as_str(), "failed" | "held" | "cancelled" | "retrying" | "pending")
    }

    /// Whether there is something to give up.
    pub(super) fn can_be_cancelled(&self) -> bool {
        matches!(self.status.as_str(), "pending" | "retrying" | "held" | "parked")
    }
}

impl Run {
    /// Its time beside its limit.
    pub(super) fn cpu(&self) -> Option<String> {
        let used = self.cpu_us?;
        let most = self.limits.as_ref().and_then(|limits| limits.cpu_ms);
        let used = format!("{}.{:01} ms", used / 1000, used % 1000 / 100);
        Some(most.map_or_else(|| used.clone(), |most| format!("{used} of {most} ms")))
    }

    /// Its memory beside its limit.
    pub(super) fn memory(&self) -> Option<String> {
        let used = size(self.memory_bytes?);
        let most = self.limits.as_ref().and_then(|limits| limits.memory_bytes);
        Some(most.map_or_else(|| used.clone(), |most| format!("{used} of {}", size(most))))
    }
}

impl Failure {
    /// The limit that was reached, in words.
    pub(super) fn reached(&self) -> Option<String> {
        let limit = self.limit.as_ref()?;
        Some(match (self.used, self.allowed) {
            (Some(used), Some(allowed)) => format!("{limit}: {used} used, {allowed} allowed"),
            _ => limit.clone(),
        })
    }
}

impl Attempt {
    pub(super) fn shown_status(&self) -> Status {
        Status::of(&self.outcome)
    }

    /// What came of it in a few words.
    pub(super) fn result(&self) -> String {
        match (self.status_code, &self.error) {
            (Some(code), _) => code.to_string(),
            (None, Some(error)) => error.clone(),
            (None, None) => self.error_class.clone().unwrap_or_else(|| "no answer".to_owned()),
        }
    }

    /// What its plugin made of the answer, as lines of JSON.
    pub(super) fn verdict_text(&self) -> Option<String> {
        self.verdict.as_ref().and_then(|verdict| serde_json::to_string_pretty(verdict).ok())
    }
}

impl Request {
    pub(super) fn shown_status(&self) -> Status {
        Status::of(&self.status)
    }

    pub(super) fn last(&self) -> Option<&Attempt> {
        self.attempts.last()
    }
}

impl Delivery {
    /// What happened, in one sentence.
    pub(super) fn sentence(&self) -> String {
        let summary = &self.summary;
        let last = self.requests.iter().filter(|request| request.status != "succeeded").find_map(Request::last);
        let answered = |attempt: &Attempt| match (attempt.status_code, &attempt.error) {
            (Some(code), _) => format!("the receiver answered {code}"),
            (None, Some(error)) => error.clone(),
            (None, None) => "there was no answer".to_owned(),
        };
        let attempts: usize = self.requests.iter().map(|request| request.attempts.len()).sum();
        let tries = if attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") };
        let reason =
            || summary.reason.clone().or_else(|| self.requests.iter().find_map(|request| request.reason.clone()));
        let because = |what: &str| {
            reason().map_or_else(|| format!("{what}."), |why| format!("{what}: {}.", why.trim_end_matches('.')))
        };
        match summary.status.as_str() {
            "succeeded" if summary.requests_total > 1 => {
                format!("Delivered: all {} requests arrived, after {tries}.", summary.requests_total)
            }
            "succeeded" => {
                match self.requests.first().and_then(Request::last).and_then(|attempt| attempt.status_code) {
                    Some(code) => format!(
                        "Delivered: the receiver answered {code}, at {}.",
                        if attempts == 1 { "the first attempt".to_owned() } else { format!("attempt {attempts}") }
                    ),
                    None => "Delivered.".to_owned(),
                }
            }
            "failed" => {
                let what = if summary.requests_total > 1 {
                    format!("Failed: {} of {} requests arrived", summary.requests_succeeded, summary.requests_total)
                } else {
                    "Failed".to_owned()
                };
                match last {
                    Some(attempt) => {
                        format!("{what}: {}. After {tries} it is not sent again by itself.", answered(attempt))
                    }
                    None => because(&what),
                }
            }
            "retrying" => match last {
                Some(attempt) => format!("Not delivered yet: {}. It is tried again by itself.", answered(attempt)),
                None => because("It is tried again by itself"),
            },
            "pending" => because("Waiting to be sent"),
            "collecting" => because("Collected for a digest that is to come"),
            "collected" => because("Gone out in a digest, whose delivery says what became of it"),
            "skipped" => because("Nothing was sent, on purpose"),
            "parked" => because("Parked, since the plugin failed. Nothing was sent; it can be transformed again"),
            "held" => because("Nobody knows whether it arrived. It waits for a person to decide"),
            "cancelled" => because("Given up"),
            other => because(other),
        }
    }
}

/// What came of something that a person sent by hand, in place.
#[derive(Debug, Template)]
#[template(path = "outcome.html")]
pub(super) struct Outcome {
    pub(super) delivery: Delivery,
    /// Whether it was stored, and has a page of its own.
    pub(super) is_stored: bool,
}

impl askama::filters::HtmlSafe for Outcome {}

/// JSON as people read it, anything else as it is.
pub(super) fn pretty(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => serde_json::to_string_pretty(&value).unwrap_or_default(),
        _ => text.to_owned(),
    }
}
