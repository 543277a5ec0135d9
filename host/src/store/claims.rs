//! Open work: claimed under a lease, by webhook, so that no webhook's backlog stands in another's way.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::FromRow;
use uuid::Uuid;

use super::db::{Tx, reading};
use super::events::EventRow;
use super::record::{Freeze, Lease, WorkKind};
use super::value::values;
use super::{Store, StoreError, postgres, sqlite};
use crate::domain::clock::Millis;
use crate::domain::delivery::Trigger;
use crate::domain::event::Event;
use crate::domain::id::{DeliveryId, PluginVersionId, ProjectId, RequestId, WebhookId};
use crate::domain::request::FrozenRequest;
use crate::domain::webhook::{Configuration, ContentType, Envelope, PluginUse};

/// What a claim asks for.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Now.
    pub now: Millis,
    /// The lease to be given.
    pub lease: Lease,
    /// Most work in all.
    pub total: usize,
    /// Most work of one webhook, counting what is in hand.
    pub per_webhook: usize,
    /// How much of each webhook is in hand already.
    pub in_hand: HashMap<WebhookId, usize>,
}

/// When it makes sense to claim again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// The earliest time at which more is due; none when nothing is open.
    pub next_due: Option<Millis>,
    /// Whether work that is due was left for want of room.
    pub left: bool,
}

#[derive(Debug)]
pub(super) struct ClaimedRow {
    id: Uuid,
    kind: i64,
    attempts: i64,
}

#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) rows: Vec<ClaimedRow>,
    pub(super) outlook: Outlook,
}

/// What every kind of work knows of its delivery.
#[derive(Debug, Clone)]
pub struct DeliveryHead {
    /// The delivery.
    pub id: DeliveryId,
    /// Its project.
    pub project: ProjectId,
    /// Its webhook.
    pub webhook_id: WebhookId,
    /// Why it was made.
    pub trigger: Trigger,
    /// The event.
    pub event: Arc<Event>,
    /// The webhook's configuration when the delivery was made.
    pub configuration: Arc<Configuration>,
}

/// A delivery to transform.
#[derive(Debug, Clone)]
pub struct ClaimedTransform {
    /// The delivery.
    pub head: DeliveryHead,
    /// The lease on it.
    pub lease: Lease,
    /// How often it was tried.
    pub attempts: u32,
}

/// What a request is.
#[derive(Debug, Clone)]
pub enum LoadedRequest {
    /// It follows from event and configuration.
    Plain,
    /// A plugin made it.
    Frozen(Arc<FrozenRequest>),
}

/// A request to send.
#[derive(Debug, Clone)]
pub struct ClaimedSend {
    /// The delivery.
    pub head: DeliveryHead,
    /// The request.
    pub request: RequestId,
    /// What it is.
    pub content: LoadedRequest,
    /// The lease on it, or on its delivery's transformation.
    pub lease: Lease,
    /// The requests of its delivery, when they are not written yet.
    pub freeze: Option<Box<Freeze>>,
    /// How often it was tried.
    pub attempts: u32,
    /// Whether it is its delivery's only request.
    pub only_request: bool,
}

impl ClaimedSend {
    /// The work that the lease is on.
    pub fn held(&self) -> Uuid {
        if self.freeze.is_some() { self.head.id.uuid() } else { self.request.uuid() }
    }
}

/// Claimed work.
#[derive(Debug, Clone)]
pub enum ClaimedWork {
    /// A delivery to transform.
    Transform(ClaimedTransform),
    /// A request to send.
    Send(ClaimedSend),
}

/// Walks the heads of the webhooks that have open work (never all that is due), and claims from each.
pub(super) async fn claim(tx: &mut Tx, claim: &Claim) -> Result<Claimed, StoreError> {
    const HEADS: &str = "WITH RECURSIVE heads (webhook_id) AS (
             SELECT (SELECT w.webhook_id FROM open_work w ORDER BY w.webhook_id LIMIT 1)
             UNION ALL
             SELECT (SELECT w.webhook_id FROM open_work w WHERE w.webhook_id > heads.webhook_id ORDER BY w.webhook_id LIMIT 1)
             FROM heads WHERE heads.webhook_id IS NOT NULL
         )
         SELECT h.webhook_id, (SELECT min(w.due_at) FROM open_work w WHERE w.webhook_id = h.webhook_id)
         FROM heads h WHERE h.webhook_id IS NOT NULL";
    let heads: Vec<(Uuid, Option<i64>)> = tx.fetch(HEADS, &[]).await?;
    let mut rows: Vec<ClaimedRow> = Vec::new();
    let mut outlook = Outlook { next_due: None, left: false };
    // The webhooks with the least in hand come first, so that a busy one does not take all the room.
    let mut due = Vec::new();
    for (webhook, due_at) in heads {
        let Some(due_at) = due_at else { continue };
        if due_at > claim.now.0 {
            note_due(&mut outlook, due_at);
            continue;
        }
        let in_hand = claim.in_hand.get(&WebhookId::from_uuid(webhook)).copied().unwrap_or(0);
        due.push((in_hand, due_at, webhook));
    }
    due.sort_unstable();
    let share = claim.total.div_ceil(due.len().max(1));
    for (in_hand, _, webhook) in due {
        let room = claim.per_webhook.saturating_sub(in_hand).min(share).min(claim.total - rows.len());
        if room == 0 {
            outlook.left = true;
            continue;
        }
        let claimed = claim_of_webhook(tx, claim, webhook, room).await?;
        if claimed.len() == room {
            outlook.left = true;
        } else if let Some(next) = next_due(tx, webhook).await? {
            note_due(&mut outlook, next);
        }
        rows.extend(claimed);
    }
    rows.sort_unstable_by_key(|row| row.id);
    Ok(Claimed { rows, outlook })
}

async fn claim_of_webhook(
    tx: &mut Tx,
    claim: &Claim,
    webhook: Uuid,
    room: usize,
) -> Result<Vec<ClaimedRow>, StoreError> {
    let sql = match tx {
        Tx::Sqlite(_) => sqlite::CLAIM_OF_WEBHOOK,
        Tx::Postgres(_) => postgres::CLAIM_OF_WEBHOOK,
    };
    let limit = i64::try_from(room).unwrap_or(i64::MAX);
    let rows: Vec<(Uuid, i64, i64)> =
        tx.fetch(sql, &values![claim.lease.token, claim.lease.until.0, webhook, claim.now.0, limit]).await?;
    Ok(rows.into_iter().map(|(id, kind, attempts)| ClaimedRow { id, kind, attempts }).collect())
}

async fn next_due(tx: &mut Tx, webhook: Uuid) -> Result<Option<i64>, StoreError> {
    const SELECT: &str = "SELECT min(due_at) FROM open_work WHERE webhook_id = $1";
    let rows: Vec<(Option<i64>,)> = tx.fetch(SELECT, &values![webhook]).await?;
    Ok(rows.first().and_then(|(due,)| *due))
}

/// Work that waits for a person is never due.
fn note_due(outlook: &mut Outlook, due_at: i64) {
    let due = Millis(due_at);
    if due < Millis::NEVER {
        outlook.next_due = Some(outlook.next_due.map_or(due, |next| next.min(due)));
    }
}

#[derive(Debug, FromRow)]
struct HeadRow {
    webhook_id: Uuid,
    trigger_kind: String,
    revision: i64,
    requests_total: i64,
    content_type: String,
    envelope: String,
    plugin_version_id: Option<Uuid>,
    plugin_config: Option<String>,
    plugin_name: Option<String>,
    plugin_version: Option<String>,
    #[sqlx(flatten)]
    event: EventRow,
}

impl HeadRow {
    fn into_head(self, id: DeliveryId) -> Result<DeliveryHead, StoreError> {
        let corrupt = |table, column| StoreError::Corrupt { table, column, id: id.to_string() };
        let configuration = configuration(
            self.revision,
            &self.content_type,
            &self.envelope,
            (self.plugin_version_id, self.plugin_config, self.plugin_name, self.plugin_version),
        )
        .ok_or_else(|| corrupt("webhook_configurations", "content_type"))?;
        let event = self.event.into_event()?;
        Ok(DeliveryHead {
            id,
            project: event.project,
            webhook_id: WebhookId::from_uuid(self.webhook_id),
            trigger: Trigger::parse(&self.trigger_kind).ok_or_else(|| corrupt("webhook_deliveries", "trigger_kind"))?,
            event: Arc::new(event),
            configuration: Arc::new(configuration),
        })
    }
}

/// The columns of a plugin's use: version, configuration, and its name and version for people.
pub(super) type PluginColumns = (Option<Uuid>, Option<String>, Option<String>, Option<String>);

/// A configuration from its columns.
pub(super) fn configuration(
    revision: i64,
    content_type: &str,
    envelope: &str,
    plugin: PluginColumns,
) -> Option<Configuration> {
    let plugin = match plugin {
        (Some(id), Some(config), Some(name), Some(version)) => {
            Some(PluginUse { version_id: PluginVersionId::from_uuid(id), name, version, config })
        }
        _ => None,
    };
    let content_type = match content_type {
        "json" => ContentType::Json,
        "form" => ContentType::Form,
        _ => return None,
    };
    let envelope = match envelope {
        "standard" => Envelope::Standard,
        "raw" => Envelope::Raw,
        _ => return None,
    };
    Some(Configuration { revision, content_type, envelope, plugin })
}

impl Store {
    /// Claims work that is due and reads all that is needed to do it.
    pub async fn claim(&self, claim: Claim) -> Result<(Vec<ClaimedWork>, Outlook), StoreError> {
        let lease = claim.lease;
        let (rows, outlook) = self.claim_rows(claim).await?;
        let mut work = Vec::with_capacity(rows.len());
        for row in rows {
            match self.load(row, lease).await {
                Ok(Some(loaded)) => work.push(loaded),
                Ok(None) => {}
                // One unreadable row must not keep the others from being done; its lease ends by itself.
                Err(error @ StoreError::Corrupt { .. }) => tracing::error!(%error, "claimed work cannot be read"),
                Err(error) => return Err(error),
            }
        }
        Ok((work, outlook))
    }

    async fn load(&self, row: ClaimedRow, lease: Lease) -> Result<Option<ClaimedWork>, StoreError> {
        const SELECT: &str = "SELECT d.webhook_id, d.trigger_kind, d.revision, d.requests_total, c.content_type, c.envelope, c.plugin_version_id, c.plugin_config,
                    p.name AS plugin_name, p.version AS plugin_version,
                    e.id AS event_id, e.project_id, e.type AS event_type, e.subject, e.occurred_at, e.received_at,
                    e.content_type AS event_content_type, e.attributes, e.payload
             FROM webhook_deliveries d
             JOIN events e ON e.id = d.event_id
             JOIN webhook_configurations c ON c.webhook_id = d.webhook_id AND c.revision = d.revision
             LEFT JOIN plugin_versions p ON p.id = c.plugin_version_id
             WHERE d.id = $1";
        let attempts = u32::try_from(row.attempts).unwrap_or(u32::MAX);
        let corrupt = |column| StoreError::Corrupt { table: "open_work", column, id: row.id.to_string() };
        let kind = WorkKind::from_number(row.kind).ok_or_else(|| corrupt("kind"))?;
        let request = RequestId::from_uuid(row.id);
        let delivery = match kind {
            WorkKind::Transform => DeliveryId::from_uuid(row.id),
            WorkKind::Send => request.delivery(),
        };
        let head: Option<HeadRow> = reading!(&self.db, pool => {
            sqlx::query_as(SELECT).bind(delivery.uuid()).fetch_optional(pool).await?
        });
        let head = head.ok_or_else(|| corrupt("id"))?;
        let only_request = head.requests_total == 1;
        let head = head.into_head(delivery)?;
        match kind {
            WorkKind::Transform => Ok(Some(ClaimedWork::Transform(ClaimedTransform { head, lease, attempts }))),
            WorkKind::Send => {
                let content = self.request_content(request).await?;
                let send = ClaimedSend { head, request, content, lease, freeze: None, attempts, only_request };
                Ok(Some(ClaimedWork::Send(send)))
            }
        }
    }

    async fn request_content(&self, request: RequestId) -> Result<LoadedRequest, StoreError> {
        const SELECT: &str = "SELECT spec, body FROM requests WHERE id = $1";
        let row: Option<(Option<String>, Option<Vec<u8>>)> = reading!(&self.db, pool => {
            sqlx::query_as(SELECT).bind(request.uuid()).fetch_optional(pool).await?
        });
        let Some((Some(spec), body)) = row else { return Ok(LoadedRequest::Plain) };
        let spec = serde_json::from_str(&spec).map_err(|_| StoreError::Corrupt {
            table: "requests",
            column: "spec",
            id: request.to_string(),
        })?;
        Ok(LoadedRequest::Frozen(Arc::new(FrozenRequest { spec, body: body.unwrap_or_default().into() })))
    }
}
