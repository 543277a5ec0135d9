//! What a version makes of an event, without sending it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Request, State};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use url::Url;
use utoipa::ToSchema;

use super::super::Api;
use super::super::auth::Caller;
use super::super::extract::{body, read};
use super::super::form::Errors;
use super::super::problem::Answer;
use super::super::webhooks::check_config;
use crate::deliver::{Previewed, preview as previewed};
use crate::domain::event::Event;
use crate::domain::id::EventId;
use crate::domain::outcome::Outcome as Made;
use crate::domain::plugin::{Digest, PluginFailure, PluginState, PluginVersion};
use crate::domain::plugin_limits::PluginLimits;
use crate::domain::problem::{FieldError, Problem, ProblemCode};
use crate::domain::recording::Recalled;
use crate::domain::token::Permission;
use crate::plugins::PreviewError;
use crate::sandbox::{CompileError, LogLine, Ran, RunLimits, Transformed, case_input, outcome as made};

/// Where requests seem to go when nobody says.
const EXAMPLE_URL: &str = "https://receiver.example/";

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PreviewCreate)]
#[serde(deny_unknown_fields)]
struct PreviewForm {
    /// One that is posted with it.
    event: Option<GivenEvent>,
    /// Or one that there is.
    event_id: Option<EventId>,
    #[serde(default)]
    #[schema(value_type = Option<Value>)]
    config: Option<Box<RawValue>>,
    /// What earlier answers taught the plugin.
    #[serde(default)]
    facts: BTreeMap<String, String>,
    /// The webhook's URL.
    #[schema(value_type = Option<String>)]
    url: Option<Url>,
}

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = PreviewEvent)]
#[serde(deny_unknown_fields)]
struct GivenEvent {
    r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger: Option<String>,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PreviewOutcome)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome {
    /// These would be sent.
    Requests { requests: Vec<Previewed> },
    /// Nothing would be sent, on purpose.
    Skipped { reason: String },
    /// The delivery would be parked, or tried again later.
    Failed {
        error: PluginFailure,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Preview)]
pub(in super::super) struct PreviewBody {
    #[serde(flatten)]
    outcome: Outcome,
    plugin: RunBody,
}

/// The run, as a delivery shows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PreviewRun)]
struct RunBody {
    name: String,
    version: String,
    digest: String,
    cpu_us: u64,
    memory_bytes: u64,
    limits: PluginLimits,
    logs: Vec<LogLine>,
    logs_dropped: u32,
    recalled: Vec<Recalled>,
}

/// Runs a version on an event that is given, or on one that there is: 200 with the requests as they would be sent (secrets
/// as names), or with the failure.
#[utoipa::path(
    post,
    path = "/plugins/{name}/versions/{version}/preview",
    request_body = PreviewForm,
    security(("token" = [Permission::PluginsRead])),
    responses(
        (status = OK, body = PreviewBody),
        (status = CONFLICT, description = "The version is not ready.")
    )
)]
pub(in super::super) async fn preview(
    State(api): State<Api>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
    request: Request,
) -> Answer<Json<PreviewBody>> {
    caller.needs(Permission::PluginsRead)?;
    let form: PreviewForm = read(&body(request, &api).await?)?;
    let version = api.store.plugin(caller.project(), &name, &version).await?;
    let version = std::sync::Arc::new(version.ok_or_else(|| Problem::not_found("plugin version"))?);
    if version.state != PluginState::Ready {
        let detail = format!("the version is {}, and only one that is ready can be run", version.state.as_str());
        return Err(Problem::new(ProblemCode::WrongState, detail).into());
    }
    let url = form.url.unwrap_or_else(|| Url::parse(EXAMPLE_URL).expect("a URL"));
    let mut errors = Errors::default();
    if !matches!(url.scheme(), "http" | "https") {
        errors.add("/url", "begins with http:// or https://");
    }
    let config = form.config.map_or_else(|| "{}".to_owned(), |config| Box::<str>::from(config).into_string());
    check_config(&api, &version.manifest, &config, "/config", &mut errors).await?;
    let stored = match (&form.event, form.event_id) {
        (Some(_), None) => None,
        (None, Some(id)) => {
            caller.needs_payloads()?;
            let found = api.store.event(caller.project(), id).await?;
            if found.is_none() {
                errors.add("/event_id", "there is no such event");
            }
            found
        }
        _ => {
            errors.add("/event", "give either `event` or `event_id`");
            None
        }
    };
    errors.check()?;
    let case = case(form.event, stored.as_ref(), &config, &form.facts);
    let mut input = case_input(&case).map_err(|error| Problem::invalid(vec![FieldError::new("/event", error)]))?;
    if let Some(event) = stored {
        input.event = std::sync::Arc::new(event);
    }
    let limits = RunLimits::from(&api.config.plugins);
    let ran = api.plugins.preview(&version, limits, input).await.map_err(refused)?;
    Ok(Json(told(&version, &limits, &url, ran)))
}

/// In the form of a golden case, since that is what a preview is but for what is expected.
fn case(given: Option<GivenEvent>, stored: Option<&Event>, config: &str, facts: &BTreeMap<String, String>) -> Value {
    let event = match (given, stored) {
        (Some(given), _) => serde_json::to_value(given).expect("an event is plain data"),
        (None, stored) => json!({ "type": stored.map_or("", |event| event.event_type.as_str()) }),
    };
    let config: Value = serde_json::from_str(config).unwrap_or_default();
    json!({ "name": "preview", "event": event, "config": config, "facts": facts, "expect": { "skip": "" } })
}

fn refused(error: PreviewError) -> Problem {
    let busy = |detail: String| Problem { retry_after_s: Some(1), ..Problem::new(ProblemCode::Overloaded, detail) };
    match error {
        PreviewError::TooMany(most) => {
            let detail = format!("{most} previews of this project run already (`plugins.previews_at_once`)");
            Problem { retry_after_s: Some(1), ..Problem::new(ProblemCode::TooManyRequests, detail) }
        }
        PreviewError::Store(error) => error.into(),
        PreviewError::Compile(CompileError::Refused(failure)) => {
            let detail = failure.message.clone();
            Problem { plugin: Some(Box::new(failure)), ..Problem::new(ProblemCode::PluginRefused, detail) }
        }
        other => busy(other.to_string()),
    }
}

fn told(version: &PluginVersion, limits: &RunLimits, url: &Url, ran: Ran<Transformed>) -> PreviewBody {
    let failed = |error: PluginFailure| Outcome::Failed { error, retry_after_ms: None };
    let outcome = match made(&ran, &version.manifest, &limits.requests, url) {
        Made::Failed { failure: error, retry_after_ms } => Outcome::Failed { error, retry_after_ms },
        Made::Skipped(reason) => Outcome::Skipped { reason },
        Made::Requests(frozen) => match previewed(&frozen, url) {
            Ok(requests) => Outcome::Requests { requests },
            Err(reason) => failed(PluginFailure::new("plugin.bad_output", reason)),
        },
    };
    let digest: &Digest = &version.digest;
    let plugin = RunBody {
        name: version.manifest.name.clone(),
        version: version.manifest.version.clone(),
        digest: digest.to_string(),
        cpu_us: ran.used.cpu_us,
        memory_bytes: ran.used.memory_bytes,
        limits: limits.shown(),
        logs: ran.used.logs,
        logs_dropped: ran.used.logs_dropped,
        recalled: ran.used.recalled,
    };
    PreviewBody { outcome, plugin }
}
