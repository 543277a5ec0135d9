//! Deliveries as they are shown.

use bytes::Bytes;
use sqlx::FromRow;
use uuid::Uuid;

use super::super::claims::configuration;
use super::super::db::in_snapshot;
use super::super::events::{EVENT_COLUMNS, EventRow};
use super::super::{Store, StoreError};
use crate::domain::clock::Millis;
use crate::domain::delivery::{AttemptOutcome, DeliveryStatus, ErrorClass, RequestStatus, Trigger};
use crate::domain::envelope::shown_body;
use crate::domain::event::{Event, Field};
use crate::domain::id::{DeliveryId, EventId, ProjectId, RequestId, WebhookId};
use crate::domain::request::{BodyKind, FrozenRequest, RequestSpec};
use crate::domain::webhook::Configuration;

/// A delivery without its requests.
#[derive(Debug, Clone)]
pub struct DeliverySummary {
    /// Its id.
    pub id: DeliveryId,
    /// Its event.
    pub event_id: EventId,
    /// The event's type.
    pub event_type: String,
    /// Its webhook.
    pub webhook_id: WebhookId,
    /// Why it was made.
    pub trigger: Trigger,
    /// Who asked for it.
    pub actor: Option<String>,
    /// The request to the API that it came of: its own, or its event's.
    pub request_id: Option<String>,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// Why.
    pub reason: Option<String>,
    /// How many requests it has, and how many arrived.
    pub requests: (u32, u32),
    /// When it was made.
    pub created_at: Millis,
    /// When it came to its end.
    pub settled_at: Option<Millis>,
    /// The plugin it passed through: name and version.
    pub plugin: Option<(String, String)>,
    /// How that run went: JSON.
    pub run: Option<String>,
    /// The delivery that it was made of.
    pub repeats: Option<DeliveryId>,
    /// The delivery that took over from it when it was parked.
    pub reprocessed_by: Option<DeliveryId>,
    /// The delivery of the digest that it went out in.
    pub digest: Option<DeliveryId>,
    /// Since when its requests and attempts are no longer kept.
    pub attempts_removed_at: Option<Millis>,
}

/// A delivery with all that was sent and received.
#[derive(Debug, Clone)]
pub struct DeliveryView {
    /// What lists show.
    pub summary: DeliverySummary,
    /// The webhook's origin, with whatever stands behind it masked.
    pub masked_url: String,
    /// Since when the event's payload is no longer kept; what a webhook without plugin sent is not known then.
    pub payload_removed_at: Option<Millis>,
    /// Its requests, in order.
    pub requests: Vec<RequestView>,
}

/// A request with its attempts.
#[derive(Debug, Clone)]
pub struct RequestView {
    /// Its id, the receiver's `webhook-id`.
    pub id: RequestId,
    /// Where it stands.
    pub status: RequestStatus,
    /// Why.
    pub reason: Option<String>,
    /// When it is tried next.
    pub next_attempt_at: Option<Millis>,
    /// What is sent, secrets by name.
    pub content: FrozenRequest,
    /// What was sent and received.
    pub attempts: Vec<AttemptView>,
}

/// An attempt as it is shown.
#[derive(Debug, Clone)]
pub struct AttemptView {
    /// From 1.
    pub number: u32,
    /// When it began.
    pub started_at: Millis,
    /// How long it took.
    pub duration_ms: u64,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// What kept it from success.
    pub error_class: Option<ErrorClass>,
    /// The same in words.
    pub error: Option<String>,
    /// Where it went, masked.
    pub url: String,
    /// HTTP status.
    pub status_code: Option<u16>,
    /// As sent, secrets by name.
    pub request_headers: Vec<Field>,
    /// As received.
    pub response_headers: Option<Vec<Field>>,
    /// What was kept of the answer.
    pub response_body: Option<Vec<u8>>,
    /// Whether the answer was longer.
    pub truncated: bool,
    /// Whether it came after the lease had passed on.
    pub late: bool,
    /// What the plugin made of the answer, if it was asked: JSON.
    pub verdict: Option<String>,
}

#[derive(Debug, FromRow)]
pub(super) struct SummaryRow {
    id: Uuid,
    event_id: Uuid,
    event_type: String,
    webhook_id: Uuid,
    trigger_kind: String,
    actor: Option<String>,
    request_id: Option<String>,
    status: String,
    reason: Option<String>,
    run: Option<String>,
    requests_total: i64,
    requests_succeeded: i64,
    created_at: i64,
    settled_at: Option<i64>,
    plugin_name: Option<String>,
    plugin_version: Option<String>,
    repeats: Option<Uuid>,
    reprocessed_by: Option<Uuid>,
    digest: Option<Uuid>,
    attempts_removed_at: Option<i64>,
}

pub(super) const SUMMARY_COLUMNS: &str = "d.id, d.event_id, e.type AS event_type, d.webhook_id, d.trigger_kind, d.actor,
    coalesce(d.request_id, e.request_id) AS request_id, d.status, d.reason, d.run, d.requests_total,
    d.requests_succeeded, d.created_at, d.settled_at, p.name AS plugin_name, p.version AS plugin_version, d.repeats, d.reprocessed_by, d.digest, d.attempts_removed_at";
pub(super) const SUMMARY_JOINS: &str = "JOIN events e ON e.id = d.event_id
    JOIN webhook_configurations c ON c.webhook_id = d.webhook_id AND c.revision = d.revision
    LEFT JOIN plugin_versions p ON p.id = c.plugin_version_id";

impl SummaryRow {
    pub(super) fn into_summary(self) -> Result<DeliverySummary, StoreError> {
        let id = DeliveryId::from_uuid(self.id);
        let corrupt = |column| StoreError::Corrupt { table: "webhook_deliveries", column, id: id.to_string() };
        let count = |n: i64| u32::try_from(n).unwrap_or(0);
        Ok(DeliverySummary {
            id,
            event_id: EventId::from_uuid(self.event_id),
            event_type: self.event_type,
            webhook_id: WebhookId::from_uuid(self.webhook_id),
            trigger: Trigger::parse(&self.trigger_kind).ok_or_else(|| corrupt("trigger_kind"))?,
            actor: self.actor,
            request_id: self.request_id,
            status: DeliveryStatus::parse(&self.status).ok_or_else(|| corrupt("status"))?,
            reason: self.reason,
            requests: (count(self.requests_total), count(self.requests_succeeded)),
            created_at: Millis(self.created_at),
            settled_at: self.settled_at.map(Millis),
            plugin: self.plugin_name.zip(self.plugin_version),
            run: self.run,
            repeats: self.repeats.map(DeliveryId::from_uuid),
            reprocessed_by: self.reprocessed_by.map(DeliveryId::from_uuid),
            digest: self.digest.map(DeliveryId::from_uuid),
            attempts_removed_at: self.attempts_removed_at.map(Millis),
        })
    }
}

#[derive(Debug, FromRow)]
struct ContextRow {
    content_type: String,
    envelope: String,
    body_token: bool,
    origin: String,
    payload_removed_at: Option<i64>,
    #[sqlx(flatten)]
    event: EventRow,
}

#[derive(Debug, FromRow)]
struct RequestRow {
    id: Uuid,
    status: String,
    reason: Option<String>,
    spec: Option<String>,
    body: Option<Vec<u8>>,
}

#[derive(Debug, FromRow)]
struct WorkRow {
    id: Uuid,
    due_at: i64,
    lease_token: Option<i64>,
}

#[derive(Debug, FromRow)]
struct AttemptRow {
    request_id: Uuid,
    number: i64,
    started_at: i64,
    duration_ms: i64,
    outcome: String,
    error_class: Option<String>,
    error: Option<String>,
    url: String,
    status_code: Option<i64>,
    request_headers: String,
    response_headers: Option<String>,
    response_body: Option<Vec<u8>>,
    truncated: bool,
    late: bool,
    verdict: Option<String>,
}

impl AttemptRow {
    fn into_view(self) -> Result<AttemptView, StoreError> {
        let id = RequestId::from_uuid(self.request_id).to_string();
        let corrupt = |column| StoreError::Corrupt { table: "attempts", column, id: id.clone() };
        let fields = |json: &str, column| serde_json::from_str(json).map_err(|_| corrupt(column));
        Ok(AttemptView {
            number: u32::try_from(self.number).unwrap_or(0),
            started_at: Millis(self.started_at),
            duration_ms: u64::try_from(self.duration_ms).unwrap_or(0),
            outcome: AttemptOutcome::parse(&self.outcome).ok_or_else(|| corrupt("outcome"))?,
            error_class: self
                .error_class
                .as_deref()
                .map(|class| ErrorClass::parse(class).ok_or_else(|| corrupt("error_class")))
                .transpose()?,
            error: self.error,
            url: self.url,
            status_code: self.status_code.and_then(|code| u16::try_from(code).ok()),
            request_headers: fields(&self.request_headers, "request_headers")?,
            response_headers: self
                .response_headers
                .as_deref()
                .map(|json| fields(json, "response_headers"))
                .transpose()?,
            response_body: self.response_body,
            truncated: self.truncated,
            late: self.late,
            verdict: self.verdict,
        })
    }
}

/// All that is read of a delivery, as it was at one moment.
struct Snapshot {
    summary: SummaryRow,
    context: ContextRow,
    requests: Vec<RequestRow>,
    work: Vec<WorkRow>,
    attempts: Vec<AttemptRow>,
}

impl Store {
    /// One delivery with everything, as it is at one moment.
    pub async fn delivery(&self, project: ProjectId, id: DeliveryId) -> Result<Option<DeliveryView>, StoreError> {
        const REQUESTS: &str =
            "SELECT id, status, reason, spec, body FROM requests WHERE id BETWEEN $1 AND $2 ORDER BY id";
        const WORK: &str = "SELECT id, due_at, lease_token FROM open_work WHERE id BETWEEN $1 AND $2";
        const ATTEMPTS: &str = "SELECT * FROM attempts WHERE request_id BETWEEN $1 AND $2 ORDER BY request_id, number";
        let summary = format!(
            "SELECT {SUMMARY_COLUMNS} FROM webhook_deliveries d {SUMMARY_JOINS} WHERE d.id = $1 AND d.project_id = $2"
        );
        let context = format!(
            "SELECT c.content_type, c.envelope, c.body_token, w.origin, e.payload_removed_at, {EVENT_COLUMNS}
             FROM webhook_deliveries d
             JOIN events e ON e.id = d.event_id
             JOIN webhooks w ON w.id = d.webhook_id
             JOIN webhook_configurations c ON c.webhook_id = d.webhook_id AND c.revision = d.revision
             WHERE d.id = $1"
        );
        let (first, last) = (id.request(0).uuid(), id.last_request().uuid());
        let read: Option<Snapshot> = in_snapshot!(&self.db, connection => {
            let summary = sqlx::query_as(sqlx::AssertSqlSafe(summary)).bind(id.uuid()).bind(project.uuid());
            let summary: Option<SummaryRow> = summary.fetch_optional(&mut *connection).await?;
            match summary {
                None => None,
                Some(summary) => Some(Snapshot {
                    summary,
                    context: {
                        let context = sqlx::query_as(sqlx::AssertSqlSafe(context)).bind(id.uuid());
                        context.fetch_one(&mut *connection).await?
                    },
                    requests: sqlx::query_as(REQUESTS).bind(first).bind(last).fetch_all(&mut *connection).await?,
                    work: sqlx::query_as(WORK).bind(first).bind(last).fetch_all(&mut *connection).await?,
                    attempts: sqlx::query_as(ATTEMPTS).bind(first).bind(last).fetch_all(&mut *connection).await?,
                }),
            }
        });
        read.map(Snapshot::into_view).transpose()
    }
}

impl Snapshot {
    fn into_view(self) -> Result<DeliveryView, StoreError> {
        let Self { summary, context, requests, work, attempts } = self;
        let summary = summary.into_summary()?;
        let masked_url = context.origin.clone();
        let payload_removed_at = context.payload_removed_at.map(Millis);
        let requests = request_views(&summary, context, requests, &work, attempts)?;
        Ok(DeliveryView { summary, masked_url, payload_removed_at, requests })
    }
}

fn request_views(
    summary: &DeliverySummary,
    context: ContextRow,
    mut rows: Vec<RequestRow>,
    work: &[WorkRow],
    attempts: Vec<AttemptRow>,
) -> Result<Vec<RequestView>, StoreError> {
    if rows.is_empty() && summary.requests.0 == 1 && summary.attempts_removed_at.is_none() {
        // The request of a webhook without plugin is stored only when its first attempt did not arrive.
        let status = match summary.status {
            DeliveryStatus::Cancelled => RequestStatus::Cancelled,
            DeliveryStatus::Succeeded => RequestStatus::Succeeded,
            _ => RequestStatus::Pending,
        };
        rows.push(RequestRow {
            id: summary.id.request(0).uuid(),
            status: status.to_string(),
            reason: None,
            spec: None,
            body: None,
        });
    }
    let (event, plain) = (context.event.into_event()?, (context.content_type, context.envelope, context.body_token));
    let mut attempts = attempts.into_iter().peekable();
    let mut views = Vec::with_capacity(rows.len());
    for row in rows {
        let id = RequestId::from_uuid(row.id);
        let corrupt = |column| StoreError::Corrupt { table: "requests", column, id: id.to_string() };
        let stored = RequestStatus::parse(&row.status).ok_or_else(|| corrupt("status"))?;
        let open = work.iter().find(|work| work.id == row.id);
        let is_leased = open.is_some_and(|work| work.lease_token.is_some());
        let content = if let Some(spec) = row.spec {
            FrozenRequest {
                spec: serde_json::from_str(&spec).map_err(|_| corrupt("spec"))?,
                body: Bytes::from(row.body.unwrap_or_default()),
            }
        } else {
            let bodies = (plain.0.as_str(), plain.1.as_str(), plain.2);
            let configuration = configuration(0, bodies, (None, None, None, None, None, None))
                .ok_or_else(|| corrupt("content_type"))?;
            plain_request(&event, &configuration)
        };
        let mut own = Vec::new();
        while let Some(attempt) = attempts.next_if(|attempt| attempt.request_id == row.id) {
            own.push(attempt.into_view()?);
        }
        views.push(RequestView {
            id,
            status: if is_leased { RequestStatus::Sending } else { stored },
            reason: row.reason,
            next_attempt_at: open
                .filter(|work| work.lease_token.is_none() && work.due_at < Millis::NEVER.0)
                .map(|work| Millis(work.due_at)),
            content,
            attempts: own,
        });
    }
    Ok(views)
}

/// What a webhook without plugin sends, as it is shown.
pub fn plain_request(event: &Event, configuration: &Configuration) -> FrozenRequest {
    let Configuration { envelope, content_type, body_token, .. } = *configuration;
    let (content_type, body) = if event.is_payload_gone() {
        (None, Bytes::new())
    } else {
        shown_body(event, envelope, content_type, body_token)
    };
    let spec = RequestSpec {
        label: String::new(),
        method: "POST".to_owned(),
        path: Vec::new(),
        query: Vec::new(),
        headers: Vec::new(),
        body_kind: if body.is_empty() { BodyKind::None } else { BodyKind::Opaque },
        content_type,
        credentials: Vec::new(),
        correlation: None,
    };
    FrozenRequest { spec, body }
}
