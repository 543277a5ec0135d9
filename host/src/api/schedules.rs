//! `/schedules`: events that are emitted at certain times.

#![expect(clippy::option_option, reason = "a field of a merge patch is absent, null, or a value")]

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Api;
use super::auth::Caller;
use super::etag::{check_unchanged, etag, is_changed_meanwhile};
use super::event_types::check_payload;
use super::events::check_payload_size;
use super::extract::{Id, Json, Paging, Query, keyed_body, read_or_default};
use super::form::{Errors, given};
use super::openapi::{IdempotencyKey, IfMatch};
use super::problem::{Answer, key_reused};
use crate::domain::audit::Target;
use crate::domain::clock::Millis;
use crate::domain::event::SUBJECT_MAX_CHARS;
use crate::domain::id::{EventId, ProjectId, ScheduleId};
use crate::domain::page::Page;
use crate::domain::pattern::EventType;
use crate::domain::permission::Permission;
use crate::domain::problem::{Problem, ProblemCode};
use crate::domain::schedule::{DESCRIPTION_MAX_CHARS, Expression, Missed, NAME_MAX_CHARS, RUNS_SHOWN, Schedule, Zone};
use crate::store::{RanByHand, StoredSchedule};

/// Whoever makes schedules or reads events sees when they are emitted.
const READERS: [Permission; 2] = [Permission::SchedulesWrite, Permission::EventsRead];

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventSchedule)]
pub(super) struct ScheduleBody {
    id: ScheduleId,
    project: ProjectId,
    name: String,
    description: Option<String>,
    cron: String,
    time_zone: Zone,
    /// The same in words.
    words: String,
    event_type: EventType,
    subject: Option<String>,
    /// Not for whoever may not see what is in events.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    payload: Option<Box<RawValue>>,
    missed: Missed,
    enabled: bool,
    next_run_at: Option<Millis>,
    /// The next few; none of one that is disabled.
    next_runs: Vec<RunBody>,
    last_run: Option<LastRunBody>,
    last_skipped_at: Option<Millis>,
    created_at: Millis,
    updated_at: Millis,
}

/// A run to come.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScheduleRun)]
struct RunBody {
    at: Millis,
    /// As clocks show it in the schedule's zone.
    local: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LastScheduleRun)]
struct LastRunBody {
    due_at: Millis,
    ran_at: Millis,
    event_id: EventId,
}

fn runs(expression: &Expression, zone: Zone, after: Millis) -> Vec<RunBody> {
    let runs = expression.next_runs(after, zone, RUNS_SHOWN);
    runs.into_iter().map(|at| RunBody { at, local: zone.shown(at) }).collect()
}

fn body(schedule: &Schedule, now: Millis, with_payload: bool) -> ScheduleBody {
    let Schedule { expression, zone, .. } = schedule;
    let payload =
        std::str::from_utf8(&schedule.payload).ok().and_then(|text| RawValue::from_string(text.to_owned()).ok());
    ScheduleBody {
        id: schedule.id,
        project: schedule.project,
        name: schedule.name.clone(),
        description: schedule.description.clone(),
        cron: expression.to_string(),
        time_zone: *zone,
        words: expression.words(*zone),
        event_type: schedule.event_type.clone(),
        subject: schedule.subject.clone(),
        payload: payload.filter(|_| with_payload),
        missed: schedule.missed,
        enabled: schedule.enabled,
        next_run_at: schedule.next_run,
        next_runs: if schedule.enabled { runs(expression, *zone, now) } else { Vec::new() },
        last_run: schedule.last_run.map(|run| LastRunBody {
            due_at: run.due_at,
            ran_at: run.ran_at,
            event_id: run.event,
        }),
        last_skipped_at: schedule.skipped_at,
        created_at: schedule.created_at,
        updated_at: schedule.updated_at,
    }
}

/// As the audit log tells of it: without when it runs, which changes by itself.
fn told(schedule: &Schedule) -> ScheduleBody {
    let body = body(schedule, schedule.updated_at, true);
    ScheduleBody { next_run_at: None, next_runs: Vec::new(), last_run: None, last_skipped_at: None, ..body }
}

/// The time that all nodes share, by which schedules run.
fn now(api: &Api) -> Millis {
    api.store.time(api.clock.now())
}

fn shown(api: &Api, caller: &Caller, schedule: &Schedule) -> ScheduleBody {
    let with_payload = caller.may(Permission::SchedulesWrite) || caller.may_read_events();
    body(schedule, now(api), with_payload)
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ScheduleCreate)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    #[serde(default)]
    name: String,
    description: Option<String>,
    project: Option<ProjectId>,
    cron: String,
    #[serde(default = "utc")]
    time_zone: String,
    event_type: String,
    subject: Option<String>,
    #[schema(value_type = Option<Value>)]
    payload: Option<Box<RawValue>>,
    #[serde(default)]
    missed: Missed,
    #[serde(default = "yes")]
    enabled: bool,
}

fn utc() -> String {
    Zone::UTC.to_string()
}

const fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize, Default, ToSchema)]
#[schema(as = SchedulePatch)]
#[serde(deny_unknown_fields)]
pub(super) struct Patch {
    #[serde(default, deserialize_with = "given")]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    description: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    cron: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    time_zone: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    event_type: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    subject: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Value>)]
    payload: Option<Option<Box<RawValue>>>,
    #[serde(default, deserialize_with = "given")]
    missed: Option<Option<Missed>>,
    #[serde(default, deserialize_with = "given")]
    enabled: Option<Option<bool>>,
}

fn check_cron(api: &Api, cron: &str, zone: Option<Zone>, errors: &mut Errors) -> Option<Expression> {
    let checked = Expression::parse(cron).and_then(|expression| {
        expression.check(now(api), zone.unwrap_or(Zone::UTC), api.config.schedules.interval_min_ms)?;
        Ok(expression)
    });
    checked.map_err(|error| errors.add("/cron", error.to_string())).ok()
}

fn check_zone(text: &str, errors: &mut Errors) -> Option<Zone> {
    text.parse().map_err(|error: crate::domain::schedule::InvalidZone| errors.add("/time_zone", error.to_string())).ok()
}

fn check_type(text: &str, errors: &mut Errors) -> Option<EventType> {
    let event_type = EventType::parse_from_provider(text);
    event_type.map_err(|error| errors.add("/event_type", error.to_string())).ok()
}

fn check_texts(name: &str, description: Option<&str>, subject: Option<&str>, errors: &mut Errors) {
    errors.at_most("/name", name, NAME_MAX_CHARS);
    errors.at_most("/description", description.unwrap_or_default(), DESCRIPTION_MAX_CHARS);
    if let Some(subject) = subject {
        errors.named("/subject", subject, SUBJECT_MAX_CHARS);
    }
}

/// What schedules emit is held against the project's schemas as what is posted is.
async fn check_emitted(api: &Api, project: ProjectId, event_type: &EventType, payload: &[u8]) -> Answer<()> {
    check_payload_size(api, payload.len())?;
    Ok(check_payload(api, project, event_type, payload, "/payload").await.map_err(Problem::invalid)?)
}

fn payload_bytes(payload: Option<Box<RawValue>>) -> Bytes {
    payload.map_or_else(|| Bytes::from_static(b"{}"), |payload| Bytes::from(Box::<str>::from(payload).into_string()))
}

fn target(id: ScheduleId) -> Target {
    Target::new("schedule", id)
}

/// Makes a schedule.
#[utoipa::path(
    post,
    path = "/schedules",
    security(("token" = [Permission::SchedulesWrite])),
    responses((status = CREATED, body = ScheduleBody, headers(("ETag"))))
)]
pub(super) async fn create(State(api): State<Api>, caller: Caller, form: Json<Create>) -> Answer<Response> {
    caller.needs(Permission::SchedulesWrite)?;
    let form = form.read().await?;
    let project = caller.project_named(&api, form.project, Permission::SchedulesWrite, "").await?;
    let mut errors = Errors::default();
    check_texts(&form.name, form.description.as_deref(), form.subject.as_deref(), &mut errors);
    let zone = check_zone(&form.time_zone, &mut errors);
    let expression = check_cron(&api, &form.cron, zone, &mut errors);
    let event_type = check_type(&form.event_type, &mut errors);
    errors.check()?;
    let (Some(zone), Some(expression), Some(event_type)) = (zone, expression, event_type) else {
        return Err(Problem::field("", "the schedule is incomplete").into());
    };
    let payload = payload_bytes(form.payload);
    check_emitted(&api, project, &event_type, &payload).await?;
    let now = now(&api);
    let mut schedule = Schedule {
        id: ScheduleId::new(now, api.entropy.id()),
        project,
        name: form.name,
        description: form.description,
        expression,
        zone,
        event_type,
        subject: form.subject,
        payload,
        missed: form.missed,
        enabled: form.enabled,
        next_run: None,
        last_run: None,
        skipped_at: None,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    schedule.next_run = schedule.next_after(now);
    let entry = caller.entry_in(&api, Some(project), "schedule.created", target(schedule.id)).after(told(&schedule));
    let most = api.config.schedules.per_project;
    if api.store.audited(entry).insert_schedule(&schedule, most).await? == StoredSchedule::TooMany {
        let detail = format!("the project has {most} schedules (`schedules.per_project`)");
        return Err(Problem::new(ProblemCode::QuotaExceeded, detail).into());
    }
    let shown = shown(&api, &caller, &schedule);
    Ok((StatusCode::CREATED, etag(schedule.version), axum::Json(shown)).into_response())
}

/// Schedules, newest first.
#[utoipa::path(
    get,
    path = "/schedules",
    params(Paging),
    security(("token" = [Permission::SchedulesWrite]), ("token" = [Permission::EventsRead]), ("token" = [Permission::CanTriggerIntegrations])),
    responses((status = OK, body = Page<ScheduleBody>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(paging): Query<Paging>,
) -> Answer<axum::Json<Page<ScheduleBody>>> {
    caller.needs_one_of(&READERS)?;
    let schedules = api.store.schedules(caller.project(), paging.page()?).await?;
    Ok(axum::Json(schedules.map(|schedule| shown(&api, &caller, &schedule))))
}

async fn find(api: &Api, caller: &Caller, id: ScheduleId) -> Answer<Schedule> {
    let found = api.store.schedule(caller.project(), id).await?;
    Ok(found.ok_or_else(|| Problem::not_found("schedule"))?)
}

/// One schedule.
#[utoipa::path(
    get,
    path = "/schedules/{id}",
    security(("token" = [Permission::SchedulesWrite]), ("token" = [Permission::EventsRead]), ("token" = [Permission::CanTriggerIntegrations])),
    responses((status = OK, body = ScheduleBody, headers(("ETag"))))
)]
pub(super) async fn read(State(api): State<Api>, caller: Caller, Id(id): Id<ScheduleId>) -> Answer<Response> {
    caller.needs_one_of(&READERS)?;
    let schedule = find(&api, &caller, id).await?;
    Ok((etag(schedule.version), axum::Json(shown(&api, &caller, &schedule))).into_response())
}

/// Changes what the body names (RFC 7396). When it is due next is found anew only if that may be another time now.
#[utoipa::path(
    patch,
    path = "/schedules/{id}",
    params(IfMatch),
    security(("token" = [Permission::SchedulesWrite])),
    responses((status = OK, body = ScheduleBody, headers(("ETag"))))
)]
pub(super) async fn patch(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<ScheduleId>,
    headers: HeaderMap,
    patch: Json<Patch>,
) -> Answer<Response> {
    caller.needs(Permission::SchedulesWrite)?;
    let current = find(&api, &caller, id).await?;
    let patch = patch.read().await?;
    check_unchanged(&headers, current.version, "schedule")?;
    let retimed = patch.cron.is_some() || patch.time_zone.is_some() || patch.enabled.is_some();
    let mut errors = Errors::default();
    let mut changed = current.clone();
    changed.name = patch.name.map_or_else(|| current.name.clone(), Option::unwrap_or_default);
    changed.description = patch.description.unwrap_or_else(|| current.description.clone());
    changed.subject = patch.subject.unwrap_or_else(|| current.subject.clone());
    check_texts(&changed.name, changed.description.as_deref(), changed.subject.as_deref(), &mut errors);
    if let Some(zone) = patch.time_zone {
        changed.zone = check_zone(&zone.unwrap_or_else(utc), &mut errors).unwrap_or(current.zone);
    }
    let cron = errors.kept("/cron", patch.cron, current.expression.to_string());
    if retimed && let Some(expression) = check_cron(&api, &cron, Some(changed.zone), &mut errors) {
        changed.expression = expression;
    }
    let event_type = errors.kept("/event_type", patch.event_type, current.event_type.to_string());
    changed.event_type = check_type(&event_type, &mut errors).unwrap_or_else(|| current.event_type.clone());
    if let Some(payload) = patch.payload {
        changed.payload = payload_bytes(payload);
    }
    changed.missed = patch.missed.map_or(current.missed, Option::unwrap_or_default);
    changed.enabled = errors.kept("/enabled", patch.enabled, current.enabled);
    errors.check()?;
    check_emitted(&api, current.project, &changed.event_type, &changed.payload).await?;
    changed.updated_at = now(&api);
    changed.version += 1;
    if retimed {
        changed.next_run = changed.next_after(changed.updated_at);
    }
    let entry = caller.entry(&api, "schedule.updated", target(id)).change(told(&current), told(&changed));
    if api.store.audited(entry).update_schedule(&changed, current.version, retimed).await? != StoredSchedule::Yes {
        return Err(is_changed_meanwhile("schedule").into());
    }
    Ok((etag(changed.version), axum::Json(shown(&api, &caller, &changed))).into_response())
}

/// Deletes a schedule; the events that it emitted stay.
#[utoipa::path(
    delete,
    path = "/schedules/{id}",
    security(("token" = [Permission::SchedulesWrite])),
    responses((status = NO_CONTENT))
)]
pub(super) async fn delete(State(api): State<Api>, caller: Caller, Id(id): Id<ScheduleId>) -> Answer<StatusCode> {
    caller.needs(Permission::SchedulesWrite)?;
    let current = find(&api, &caller, id).await?;
    let entry = caller.entry(&api, "schedule.deleted", target(id)).before(told(&current));
    if api.store.audited(entry).delete_schedule(caller.project(), id).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::not_found("schedule").into())
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = ScheduleRunNow)]
#[serde(deny_unknown_fields)]
struct RunForm {}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RanSchedule)]
struct RanBody {
    event_id: EventId,
}

/// Emits the schedule's event now, also of one that is disabled; when it is due next stays as it is. 202 with the event.
#[utoipa::path(
    post,
    path = "/schedules/{id}/run",
    params(IdempotencyKey),
    request_body = Option<RunForm>,
    security(("token" = [Permission::SchedulesWrite])),
    responses((status = ACCEPTED, body = RanBody))
)]
pub(super) async fn run(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id<ScheduleId>,
    request: Request,
) -> Answer<Response> {
    caller.needs(Permission::SchedulesWrite)?;
    let (bytes, key) = keyed_body(request, &api, caller.project()).await?;
    let RunForm {} = read_or_default(&bytes)?;
    let schedule = find(&api, &caller, id).await?;
    let now = now(&api);
    let event = schedule.event(EventId::new(now, api.entropy.id()), now, now);
    let about = serde_json::json!({ "event_id": event.id });
    let entry = caller.entry(&api, "schedule.run", target(id)).after(about);
    match api.store.audited(entry).run_schedule(id, event, key).await? {
        RanByHand::Yes(event_id) => Ok((StatusCode::ACCEPTED, axum::Json(RanBody { event_id })).into_response()),
        RanByHand::NotThere => Err(Problem::not_found("schedule").into()),
        RanByHand::KeyReused => Err(key_reused().into()),
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SchedulePreview)]
#[serde(deny_unknown_fields)]
pub(super) struct Preview {
    cron: String,
    #[serde(default = "utc")]
    time_zone: String,
    /// From then on; from now when absent.
    after: Option<Millis>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PreviewedSchedule)]
pub(super) struct PreviewBody {
    cron: String,
    time_zone: Zone,
    words: String,
    next_runs: Vec<RunBody>,
}

/// An expression in words, with its next runs; nothing is stored.
#[utoipa::path(
    post,
    path = "/schedules/preview",
    security(("token" = [Permission::SchedulesWrite]), ("token" = [Permission::EventsRead]), ("token" = [Permission::CanTriggerIntegrations])),
    responses((status = OK, body = PreviewBody))
)]
pub(super) async fn preview(
    State(api): State<Api>,
    caller: Caller,
    form: Json<Preview>,
) -> Answer<axum::Json<PreviewBody>> {
    caller.needs_one_of(&READERS)?;
    let form = form.read().await?;
    let mut errors = Errors::default();
    let zone = check_zone(&form.time_zone, &mut errors);
    let expression = check_cron(&api, &form.cron, zone, &mut errors);
    errors.check()?;
    let (Some(zone), Some(expression)) = (zone, expression) else {
        return Err(Problem::field("/cron", "is no expression").into());
    };
    let next_runs = runs(&expression, zone, form.after.unwrap_or_else(|| now(&api)));
    let (words, cron) = (expression.words(zone), expression.to_string());
    Ok(axum::Json(PreviewBody { cron, time_zone: zone, words, next_runs }))
}
