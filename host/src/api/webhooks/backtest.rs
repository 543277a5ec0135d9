//! A version and a configuration, tried on what a webhook delivered, as a job; and taken over by the webhook afterwards.

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::super::Api;
use super::super::auth::Caller;
use super::super::etag::{etag, is_changed_meanwhile};
use super::super::extract::{Id, body, keyed_body, read_or_default};
use super::super::form::Errors;
use super::super::jobs::{About, ForecastBody, JobBody, accepted, find as find_job, forecast_body, no_job};
use super::super::openapi::IdempotencyKey;
use super::super::problem::Answer;
use super::form::check_config;
use super::{changed_entry, find, patch, target, view};
use crate::domain::backtest::{Backtest, Candidate, ConfigText, LAST_DEFAULT};
use crate::domain::clock::Millis;
use crate::domain::id::{JobId, WebhookId};
use crate::domain::job::{JobState, JobWork, ParkedSelection};
use crate::domain::pattern::Pattern;
use crate::domain::plugin::PluginState;
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::token::Permission;
use crate::domain::webhook::Webhook;
use crate::store::OpenWork;

/// Most types of events that a backtest names.
const TYPES_MAX: usize = 100;

#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = BacktestCreate)]
#[serde(deny_unknown_fields)]
struct BacktestForm {
    #[serde(default)]
    plugin: CandidateForm,
    last: Option<u64>,
    since: Option<Millis>,
    until: Option<Millis>,
    #[serde(default)]
    types: Vec<String>,
    #[serde(default)]
    dry_run: bool,
}

/// What is absent is the webhook's own.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = BacktestCandidate)]
#[serde(deny_unknown_fields)]
struct CandidateForm {
    name: Option<String>,
    version: Option<String>,
    #[schema(value_type = Option<Value>)]
    config: Option<Box<RawValue>>,
}

/// Runs a version and a configuration on events that the webhook had deliveries of, and compares: 202 with the job. Nothing is
/// sent. A dry run says how many events there are.
#[utoipa::path(
    post,
    path = "/webhooks/{id}/backtest",
    params(IdempotencyKey),
    request_body = Option<BacktestForm>,
    security(
        ("token" = [Permission::WebhooksRead, Permission::DeliveriesRead, Permission::PluginsRead, Permission::EventsRead])
    ),
    responses(
        (status = OK, body = ForecastBody, description = "What a dry run found."),
        (status = ACCEPTED, body = JobBody, headers(("Location")))
    )
)]
pub(in super::super) async fn backtest(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    request: Request,
) -> Answer<Response> {
    for needed in [Permission::WebhooksRead, Permission::DeliveriesRead, Permission::PluginsRead] {
        caller.needs(needed)?;
    }
    caller.needs_payloads()?;
    let (bytes, key) = keyed_body(request, &api, caller.project()).await?;
    let form: BacktestForm = read_or_default(&bytes)?;
    let webhook = find(&api, &caller, id).await?;
    let mut errors = Errors::default();
    let most = api.config.jobs.backtest_events;
    if form.last.is_some_and(|last| !(1..=most).contains(&last)) {
        errors.add("/last", format!("is 1 to {most} (`jobs.backtest_events`)"));
    }
    if form.since.zip(form.until).is_some_and(|(since, until)| since >= until) {
        errors.add("/until", "is later than `since`");
    }
    if form.types.len() > TYPES_MAX {
        errors.add("/types", format!("has at most {TYPES_MAX} types"));
    }
    let parse = |(index, text): (usize, &String)| {
        Pattern::parse(text).map_err(|error| (format!("/types/{index}"), error.to_string()))
    };
    let mut types = Vec::new();
    for parsed in form.types.iter().enumerate().map(parse) {
        match parsed {
            Ok(pattern) => types.push(pattern),
            Err((pointer, detail)) => errors.add(pointer, detail),
        }
    }
    let candidate = candidate(&api, &webhook, form.plugin, &mut errors).await?;
    errors.check()?;
    let Some(plugin) = candidate else { return Err(Problem::field("/plugin", "is incomplete").into()) };
    // A time is about all of its events, up to what one backtest may have.
    let usual = if form.since.is_some() || form.until.is_some() { most } else { LAST_DEFAULT.min(most) };
    let backtest = Backtest {
        webhook_id: webhook.id,
        revision: webhook.configuration.revision,
        plugin,
        last: form.last.unwrap_or(usual),
        since: form.since,
        until: form.until,
        types,
    };
    let forecast = api.jobs.forecast_backtest(webhook.project, &backtest).await?;
    if form.dry_run {
        return Ok(forecast_body(About::Events, &forecast).into_response());
    }
    let work = JobWork::Backtest(backtest);
    let entry = caller.entry(&api, "webhook.backtested", target(webhook.id)).after(&work);
    let job = api.jobs.audited(entry).begin(webhook.project, work, forecast.total(), caller.requester(), key).await;
    Ok(accepted(job.map_err(no_job)?))
}

/// What is tried: a version that is ready, with a configuration as its schema says.
async fn candidate(
    api: &Api,
    webhook: &Webhook,
    form: CandidateForm,
    errors: &mut Errors,
) -> Answer<Option<Candidate>> {
    let current = webhook.configuration.plugin.as_ref();
    let Some(name) = form.name.or_else(|| current.map(|plugin| plugin.name.clone())) else {
        errors.add("/plugin/name", "is needed: the webhook has no plugin");
        return Ok(None);
    };
    let kept = current.filter(|plugin| plugin.name == name);
    let Some(version) = form.version.or_else(|| kept.map(|plugin| plugin.version.clone())) else {
        errors.add("/plugin/version", "is needed: the webhook has another plugin, or none");
        return Ok(None);
    };
    let Some(found) = api.store.plugin(webhook.project, &name, &version).await? else {
        errors.add("/plugin/version", format!("there is no plugin {name} {version}; upload it first"));
        return Ok(None);
    };
    match &found.state {
        PluginState::Ready => {}
        PluginState::Checking => errors.add("/plugin/version", "is still being checked; try again when it is ready"),
        PluginState::Refused(failure) => errors.add("/plugin/version", format!("was refused: {failure}")),
    }
    let config = form.config.map(|config| Box::<str>::from(config).into_string());
    let config = config.or_else(|| kept.map(|plugin| plugin.config.clone())).unwrap_or_else(|| "{}".to_owned());
    check_config(api, &found.manifest, &config, "/plugin/config", errors).await?;
    Ok(Some(Candidate {
        name: found.manifest.name,
        version: found.manifest.version,
        version_id: found.id,
        config: ConfigText(config),
        limits: kept.map(|plugin| plugin.limits).unwrap_or_default(),
    }))
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = Promote)]
#[serde(deny_unknown_fields)]
struct PromoteForm {
    /// Secrets that the webhook does not have yet.
    #[serde(default)]
    secrets: std::collections::BTreeMap<String, Option<String>>,
    /// Whatever has changed meanwhile, and whatever the backtest came to.
    #[serde(default)]
    force: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Promoted)]
struct PromotedBody {
    webhook: view::WebhookBody,
    /// Parked deliveries that can be reprocessed now.
    parked: u64,
}

/// Has the webhook take over what a backtest tried: version and configuration together, in the place of those that it was
/// compared with. Says how many parked deliveries can be reprocessed now.
#[utoipa::path(
    post,
    path = "/jobs/{id}/promote",
    request_body = Option<PromoteForm>,
    security(("token" = [Permission::WebhooksWrite, Permission::DeliveriesRead])),
    responses(
        (status = OK, body = PromotedBody, headers(("ETag"))),
        (status = CONFLICT, description = "The job is no backtest, has not succeeded, or the webhook was changed meanwhile."),
        (status = PRECONDITION_FAILED, description = "The webhook was changed at the same time.")
    )
)]
pub(in super::super) async fn promote(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<JobId>,
    request: Request,
) -> Answer<Response> {
    caller.needs(Permission::WebhooksWrite)?;
    caller.needs(Permission::DeliveriesRead)?;
    let form: PromoteForm = read_or_default(&body(request, &api).await?)?;
    let job = find_job(&api, &caller, id).await?;
    let wrong = |detail: String| Problem::new(ProblemCode::WrongState, detail);
    let JobWork::Backtest(backtest) = job.work else {
        return Err(wrong(format!("a job of the kind {} tries nothing", job.work.kind())).into());
    };
    if job.state != JobState::Succeeded && !form.force {
        return Err(wrong(format!("the backtest is {}; `\"force\": true` promotes all the same", job.state)).into());
    }
    let current = find(&api, &caller, backtest.webhook_id).await?;
    let revision = current.configuration.revision;
    if revision != backtest.revision && !form.force {
        let detail = format!(
            "the webhook's configuration is revision {revision}, and revision {} was compared with; test again, or \
             promote with `\"force\": true`",
            backtest.revision
        );
        return Err(wrong(detail).into());
    }
    let Candidate { name, version, config, .. } = backtest.plugin;
    let config = RawValue::from_string(config.0).expect("a stored configuration is JSON");
    let change = patch::Patch::of_plugin(name, version, config, form.secrets);
    let (changed, _) = patch::apply(&api, &current, change).await?;
    let entry = changed_entry(&api, &caller, "webhook.promoted", &current, &changed);
    if !api.store.audited(entry).update_webhook(&changed, current.version, OpenWork::Keep, &api.entropy).await? {
        return Err(is_changed_meanwhile("webhook").into());
    }
    let selection =
        ParkedSelection { webhook_id: changed.id, since: None, until: None, error_code: None, plugin_version: None };
    let parked = api.jobs.forecast_parked(&selection).await?.count;
    let webhook = view::WebhookBody::new(&changed, &api);
    Ok((etag(changed.version), axum::Json(PromotedBody { webhook, parked })).into_response())
}
