//! `/event-types`: what events are about, and what their payloads look like.

#![expect(clippy::option_option, reason = "a field of a merge patch is absent, null, or a value")]

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Api;
use super::auth::Caller;
use super::change::{Change, Outcome};
use super::etag::{check_unchanged, etag};
use super::extract::Json;
use super::form::{Errors, given};
use super::openapi::IfMatch;
use super::problem::Answer;
use crate::domain::audit::Target;
use crate::domain::clock::Millis;
use crate::domain::event_types::{
    DESCRIPTION_MAX_CHARS, Described, EXAMPLE_MAX_BYTES, Rule, Validation, catalogue, known,
};
use crate::domain::id::ProjectId;
use crate::domain::page::Page;
use crate::domain::pattern::EventType;
use crate::domain::permission::Permission;
use crate::domain::problem::{FieldError, Problem, ProblemCode};
use crate::domain::schema::Schema;
use crate::store::{Store, StoredType};

/// Whoever registers webhooks, posts events or reads them chooses among types.
const READERS: [Permission; 3] = [Permission::WebhooksRead, Permission::EventsPublish, Permission::EventsRead];

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DescribedType)]
pub(super) struct TypeBody {
    name: EventType,
    description: String,
    /// Whether every project knows it.
    builtin: bool,
    validation: Validation,
    /// Posted payloads that this node has looked at since it started or the schema was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<StatsBody>,
    /// Not in lists, as the example.
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<Value>,
    created_at: Option<Millis>,
    updated_at: Option<Millis>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DescribedTypeStats)]
struct StatsBody {
    checked: u64,
    invalid: u64,
}

fn type_body(described: Described, rule: Option<&Arc<Rule>>, with_schema: bool) -> TypeBody {
    let stats = rule.map(|rule| {
        let (checked, invalid) = rule.counts();
        StatsBody { checked, invalid }
    });
    TypeBody {
        builtin: known(described.name.as_str()).is_some(),
        name: described.name,
        description: described.description,
        validation: described.validation,
        stats,
        schema: described.schema.filter(|_| with_schema),
        example: described.example.filter(|_| with_schema),
        created_at: described.created_at,
        updated_at: described.updated_at,
    }
}

/// As the audit log tells of it.
fn told(described: &Described) -> TypeBody {
    type_body(described.clone(), None, true)
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = DescribedTypeCreate)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    name: String,
    #[serde(default)]
    description: String,
    schema: Option<Value>,
    example: Option<Value>,
    #[serde(default)]
    validation: Validation,
}

#[derive(Debug, Deserialize, Default, ToSchema)]
#[schema(as = DescribedTypePatch)]
#[serde(deny_unknown_fields)]
pub(super) struct Patch {
    #[serde(default, deserialize_with = "given")]
    description: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    schema: Option<Option<Value>>,
    #[serde(default, deserialize_with = "given")]
    example: Option<Option<Value>>,
    #[serde(default, deserialize_with = "given")]
    validation: Option<Option<Validation>>,
}

fn target(name: &str) -> Target {
    Target::new("event_type", name)
}

/// A schema that keeps to the limits, an example that keeps to the schema.
async fn check(api: &Api, described: &Described, mut errors: Errors) -> Answer<()> {
    errors.at_most("/description", &described.description, DESCRIPTION_MAX_CHARS);
    let example = described.example.clone();
    if example.as_ref().is_some_and(|example| example.to_string().len() > EXAMPLE_MAX_BYTES) {
        errors.add("/example", format!("has at most {EXAMPLE_MAX_BYTES} bytes"));
    } else if let Some(schema) = described.schema.clone() {
        let limits = api.config.plugins.schema;
        let checked = tokio::task::spawn_blocking(move || {
            let schema = Schema::new(&schema, limits)?;
            Ok(example.map(|example| schema.check(&example)).unwrap_or_default())
        });
        match checked.await {
            Ok(Ok(wrong)) => {
                for error in wrong {
                    errors.add(format!("/example{}", error.pointer), error.detail);
                }
            }
            Ok(Err::<_, crate::domain::schema::InvalidSchema>(invalid)) => {
                errors.add(format!("/schema{}", invalid.pointer), invalid.reason);
            }
            Err(_) => errors.add("/schema", "cannot be read"),
        }
    } else if described.validation != Validation::Off {
        errors.add("/validation", "needs a schema");
    }
    errors.check()
}

fn too_many(api: &Api) -> Problem {
    let most = api.config.ingest.event_types_per_project;
    let detail = format!("the project describes {most} types (`ingest.event_types_per_project`)");
    Problem::new(ProblemCode::QuotaExceeded, detail)
}

/// Describes a type of the project's own.
#[utoipa::path(
    post,
    path = "/event-types",
    security(("token" = [Permission::WebhooksWrite])),
    responses(
        (status = CREATED, body = TypeBody, headers(("ETag"))),
        (status = CONFLICT, description = "The project knows a type of this name.")
    )
)]
pub(super) async fn create(State(api): State<Api>, caller: Caller, form: Json<Create>) -> Answer<Response> {
    caller.needs(Permission::WebhooksWrite)?;
    let form = form.read().await?;
    let now = api.clock.now();
    let name = EventType::parse_from_provider(&form.name);
    let name = name.map_err(|error| Problem::field("/name", error.to_string()))?;
    let described = Described {
        name,
        description: form.description,
        schema: form.schema,
        example: form.example,
        validation: form.validation,
        version: 1,
        created_at: Some(now),
        updated_at: Some(now),
    };
    check(&api, &described, Errors::default()).await?;
    let there = || Problem::new(ProblemCode::Conflict, "the project knows a type of this name; change it by PATCH");
    if known(described.name.as_str()).is_some() {
        return Err(there().into());
    }
    let entry = caller.entry(&api, "event_type.created", target(described.name.as_str())).after(told(&described));
    let most = api.config.ingest.event_types_per_project;
    match api.store.audited(entry).put_event_type(caller.project(), &described, None, most).await? {
        StoredType::Yes => {}
        StoredType::Stale => return Err(there().into()),
        StoredType::TooMany => return Err(too_many(&api).into()),
    }
    let version = described.version;
    Ok((StatusCode::CREATED, etag(version), axum::Json(type_body(described, None, true))).into_response())
}

/// Every type that the project knows, by name, without schemas and examples.
#[utoipa::path(
    get,
    path = "/event-types",
    security(
        ("token" = [Permission::WebhooksRead]),
        ("token" = [Permission::EventsPublish]),
        ("token" = [Permission::EventsRead]),
        ("token" = [Permission::CanTriggerIntegrations])
    ),
    responses((status = OK, body = Page<TypeBody>))
)]
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Answer<axum::Json<Page<TypeBody>>> {
    caller.needs_one_of(&READERS)?;
    let mut described = api.store.event_types(caller.project()).await?;
    let is_own = |own: &[Described], name: &EventType| own.iter().any(|described| described.name == *name);
    let others = catalogue().iter().filter(|listed| !is_own(&described, &listed.name)).cloned().collect::<Vec<_>>();
    described.extend(others);
    described.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
    let snapshot = api.store.subscriptions();
    let body = |described: Described| {
        let rule = snapshot.rule(caller.project(), &described.name).cloned();
        type_body(described, rule.as_ref(), false)
    };
    Ok(axum::Json(Page { items: described.into_iter().map(body).collect(), next_cursor: None }))
}

/// As the project describes it, or as every project knows it.
async fn find(api: &Api, caller: &Caller, name: &str) -> Answer<Described> {
    let own = api.store.event_type(caller.project(), name).await?;
    let found = own.or_else(|| known(name).cloned());
    Ok(found.ok_or_else(|| Problem::not_found("event type"))?)
}

/// One type with its schema and an example.
#[utoipa::path(
    get,
    path = "/event-types/{name}",
    security(
        ("token" = [Permission::WebhooksRead]),
        ("token" = [Permission::EventsPublish]),
        ("token" = [Permission::EventsRead]),
        ("token" = [Permission::CanTriggerIntegrations])
    ),
    responses((status = OK, body = TypeBody, headers(("ETag"))))
)]
pub(super) async fn read(State(api): State<Api>, caller: Caller, Path(name): Path<String>) -> Answer<Response> {
    caller.needs_one_of(&READERS)?;
    let described = find(&api, &caller, &name).await?;
    let (version, snapshot) = (described.version, api.store.subscriptions());
    let rule = snapshot.rule(caller.project(), &described.name);
    Ok((etag(version), axum::Json(type_body(described, rule, true))).into_response())
}

/// Changes what the project says of a type (RFC 7396), also of one that every project knows.
#[utoipa::path(
    patch,
    path = "/event-types/{name}",
    params(IfMatch),
    security(("token" = [Permission::WebhooksWrite])),
    responses((status = OK, body = TypeBody, headers(("ETag"))))
)]
pub(super) async fn patch(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    patch: Json<Patch>,
) -> Answer<Response> {
    caller.needs(Permission::WebhooksWrite)?;
    let current = find(&api, &caller, &name).await?;
    let patch = patch.read().await?;
    check_unchanged(&headers, current.version, "event type")?;
    let now = api.clock.now();
    let changed = Described {
        description: patch.description.map_or_else(|| current.description.clone(), Option::unwrap_or_default),
        schema: patch.schema.unwrap_or_else(|| current.schema.clone()),
        example: patch.example.unwrap_or_else(|| current.example.clone()),
        validation: patch.validation.map_or(current.validation, Option::unwrap_or_default),
        version: current.version + 1,
        created_at: current.created_at.or(Some(now)),
        updated_at: Some(now),
        ..current.clone()
    };
    check(&api, &changed, Errors::default()).await?;
    let entry = caller.entry(&api, "event_type.updated", target(&name));
    let (before, after) = (told(&current), told(&changed));
    let change = Change { what: "event type", version: changed.version, before, after };
    let (project, most) = (caller.project(), api.config.ingest.event_types_per_project);
    let too_many = too_many(&api);
    let store = async move |store: Store| {
        let expected = (current.version > 0).then_some(current.version);
        Ok(match store.put_event_type(project, &changed, expected, most).await? {
            StoredType::Yes => Outcome::Done,
            StoredType::Stale => Outcome::Stale,
            StoredType::TooMany => Outcome::Refused(too_many.into()),
        })
    };
    change.store(&api, entry, store).await
}

/// Forgets what the project says of a type; one that every project knows is then as it was. Events of it go on being taken.
#[utoipa::path(
    delete,
    path = "/event-types/{name}",
    security(("token" = [Permission::WebhooksWrite])),
    responses(
        (status = NO_CONTENT),
        (status = CONFLICT, description = "Every project knows it, and this one says nothing of its own.")
    )
)]
pub(super) async fn delete(State(api): State<Api>, caller: Caller, Path(name): Path<String>) -> Answer<StatusCode> {
    caller.needs(Permission::WebhooksWrite)?;
    let current = find(&api, &caller, &name).await?;
    let entry = caller.entry(&api, "event_type.deleted", target(&name)).before(told(&current));
    if api.store.audited(entry).delete_event_type(caller.project(), &name).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::new(ProblemCode::WrongState, "every project knows it; there is nothing of its own to delete").into())
}

/// Holds a payload that is posted against what the project says of its type; `at` is where it stands in the body.
pub(super) async fn check_payload(
    api: &Api,
    project: ProjectId,
    event_type: &EventType,
    payload: &[u8],
    at: &str,
) -> Result<(), Vec<FieldError>> {
    let Some(rule) = api.store.subscriptions().rule(project, event_type).cloned() else { return Ok(()) };
    let wrong = errors_of(api, &rule, payload.to_vec()).await;
    rule.count(!wrong.is_empty());
    if wrong.is_empty() || rule.validation() != Validation::Enforce {
        return Ok(());
    }
    Err(wrong.into_iter().map(|error| FieldError::new(format!("{at}{}", error.pointer), error.detail)).collect())
}

/// What is wrong with a payload, found out on a thread that nobody else waits for.
pub(super) async fn errors_of(api: &Api, rule: &Arc<Rule>, payload: Vec<u8>) -> Vec<FieldError> {
    let (rule, limits) = (rule.clone(), api.config.plugins.schema);
    let checked = tokio::task::spawn_blocking(move || rule.check(&payload, limits)).await;
    checked.unwrap_or_else(|_| vec![FieldError::new("", "cannot be checked")])
}
