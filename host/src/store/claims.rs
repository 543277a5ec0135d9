//! Open work: claimed under a lease, by webhook, so that no webhook's backlog stands in another's way.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use uuid::Uuid;

use super::db::{Db, Tx, reading};
use super::deliveries::cancel_open;
use super::record::{Freeze, Lease};
use super::value::values;
use super::webhooks::DELETED;
use super::{Store, StoreError, postgres, sqlite};
use crate::domain::clock::Millis;
use crate::domain::delivery::Trigger;
use crate::domain::event::Event;
use crate::domain::id::{DeliveryId, PluginVersionId, ProjectId, RequestId, WebhookId};
use crate::domain::plugin_limits::PluginLimits;
use crate::domain::request::FrozenRequest;
use crate::domain::webhook::{Configuration, ContentType, Envelope, PluginUse};

/// Where a webhook's open work begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkHead {
    /// The webhook.
    pub webhook: WebhookId,
    /// When the first of its work is due; [`Millis::NEVER`] when it all waits for a person.
    pub due: Millis,
    /// When the first of what a person waits for is due; mostly there is none.
    pub by_hand: Option<Millis>,
}

/// What a claim asks for.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Now.
    pub now: Millis,
    /// The lease to be given.
    pub lease: Lease,
    /// Of which webhooks, and at most how much of each.
    pub wanted: Vec<(WebhookId, usize)>,
    /// The same for what persons wait for, which goes before all else.
    pub by_hand: Vec<(WebhookId, usize)>,
}

/// When it makes sense to claim again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// The earliest time at which more is due of what was asked for; none when nothing is.
    pub next_due: Option<Millis>,
    /// Whether work that is due was left.
    pub left: bool,
}

impl Outlook {
    /// Nothing is due, and nothing will be.
    pub const NOTHING: Self = Self { next_due: None, left: false };

    /// Takes note of when something is due. Work that waits for a person or a paused plugin is never due.
    pub fn note(&mut self, due: Millis) {
        if due < Millis::ON_RESUME {
            self.next_due = Some(self.next_due.map_or(due, |next| next.min(due)));
        }
    }
}

#[derive(Debug)]
pub(super) struct ClaimedRow {
    pub(super) id: Uuid,
    pub(super) kind: i64,
    pub(super) attempts: i64,
    pub(super) is_ordered: bool,
    pub(super) is_interrupted: bool,
    pub(super) schedule_from: i64,
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
    /// Whether later deliveries wait for it to settle.
    pub is_ordered: bool,
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
    /// Whether its lease ended before with nothing to show: what it makes may have been sent.
    pub is_interrupted: bool,
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
    /// How often before a person had it sent again: its schedule begins after that.
    pub schedule_from: u32,
    /// Whether it is its delivery's only request.
    pub only_request: bool,
    /// Whether its lease ended before with nothing to show: it may have been sent.
    pub is_interrupted: bool,
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

/// Claims from the heads of webhooks, never from all that is due.
pub(super) async fn claim(tx: &mut Tx, claim: &Claim) -> Result<Claimed, StoreError> {
    let mut rows: Vec<ClaimedRow> = Vec::new();
    let mut outlook = Outlook::NOTHING;
    for (webhook, room) in &claim.by_hand {
        let claimed = claim_of_webhook(tx, claim, webhook.uuid(), *room, true).await?;
        outlook.left |= claimed.len() == *room;
        rows.extend(claimed);
    }
    for (webhook, room) in &claim.wanted {
        let claimed = claim_of_webhook(tx, claim, webhook.uuid(), *room, false).await?;
        if claimed.len() == *room {
            outlook.left = true;
        } else if let Some(next) = next_due(tx, webhook.uuid()).await? {
            outlook.note(Millis(next));
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
    only_by_hand: bool,
) -> Result<Vec<ClaimedRow>, StoreError> {
    let sql = match (tx.locks_rows(), only_by_hand) {
        (false, false) => sqlite::CLAIM_OF_WEBHOOK,
        (false, true) => sqlite::CLAIM_BY_HAND,
        (true, false) => postgres::CLAIM_OF_WEBHOOK,
        (true, true) => postgres::CLAIM_BY_HAND,
    };
    let limit = i64::try_from(room).unwrap_or(i64::MAX);
    let rows: Vec<(Uuid, i64, i64, bool, bool, i64)> =
        tx.fetch(sql, &values![claim.lease.token, claim.lease.until.0, webhook, claim.now.0, limit]).await?;
    let row = |(id, kind, attempts, is_ordered, is_interrupted, schedule_from)| ClaimedRow {
        id,
        kind,
        attempts,
        is_ordered,
        is_interrupted,
        schedule_from,
    };
    Ok(rows.into_iter().map(row).collect())
}

async fn next_due(tx: &mut Tx, webhook: Uuid) -> Result<Option<i64>, StoreError> {
    const SELECT: &str = "SELECT min(due_at) FROM open_work WHERE webhook_id = $1";
    let rows: Vec<(Option<i64>,)> = tx.fetch(SELECT, &values![webhook]).await?;
    Ok(rows.first().and_then(|(due,)| *due))
}

/// The columns of a plugin's use: version, configuration, limits, its name and version for people, and what it can do.
pub(super) type PluginColumns =
    (Option<Uuid>, Option<String>, Option<String>, Option<String>, Option<String>, Option<String>);

/// A configuration from its columns: revision, content type, envelope and whether bodies carry a token, the plugin's.
pub(super) fn configuration(
    revision: i64,
    (content_type, envelope, body_token): (&str, &str, bool),
    plugin: PluginColumns,
) -> Option<Configuration> {
    let plugin = match plugin {
        (Some(id), Some(config), limits, Some(name), Some(version), Some(abilities)) => {
            let limits = limits.map_or(Some(PluginLimits::default()), |json| serde_json::from_str(&json).ok())?;
            let abilities = serde_json::from_str(&abilities).ok()?;
            Some(PluginUse { version_id: PluginVersionId::from_uuid(id), name, version, config, limits, abilities })
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
    Some(Configuration { revision, content_type, envelope, body_token, plugin })
}

impl ClaimedWork {
    /// What it knows of its delivery.
    pub const fn head(&self) -> &DeliveryHead {
        match self {
            Self::Transform(work) => &work.head,
            Self::Send(work) => &work.head,
        }
    }
}

impl Store {
    /// The time as the database tells it, which all nodes share; `here` is this machine's.
    pub fn time(&self, here: Millis) -> Millis {
        Millis(here.0.saturating_add(self.clock_offset_ms.load(Ordering::Relaxed)))
    }

    /// Looks at the database's clock.
    async fn read_clock(&self, here: Millis) -> Result<(), StoreError> {
        const SELECT: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        if let Db::Postgres(pool) = &self.db {
            let there: i64 = sqlx::query_scalar(SELECT).fetch_one(pool).await?;
            self.clock_offset_ms.store(there.saturating_sub(here.0), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Where the open work of each webhook begins, however much of it there is; `here` is the time. All of them are known in
    /// [`Store::subscriptions`].
    pub async fn work_heads(&self, here: Millis) -> Result<Vec<WorkHead>, StoreError> {
        const SELECT: &str = "WITH RECURSIVE heads (webhook_id) AS (
                 SELECT (SELECT w.webhook_id FROM open_work w ORDER BY w.webhook_id LIMIT 1)
                 UNION ALL
                 SELECT (SELECT w.webhook_id FROM open_work w WHERE w.webhook_id > heads.webhook_id
                         ORDER BY w.webhook_id LIMIT 1)
                 FROM heads WHERE heads.webhook_id IS NOT NULL
             )
             SELECT h.webhook_id, (SELECT min(w.due_at) FROM open_work w WHERE w.webhook_id = h.webhook_id),
                 (SELECT min(w.due_at) FROM open_work w WHERE w.webhook_id = h.webhook_id AND w.by_hand)
             FROM heads h WHERE h.webhook_id IS NOT NULL";
        self.read_clock(here).await?;
        let rows: Vec<(Uuid, Option<i64>, Option<i64>)> =
            reading!(&self.db, pool => sqlx::query_as(SELECT).fetch_all(pool).await?);
        let head = |(webhook, due, by_hand): (Uuid, Option<i64>, Option<i64>)| {
            let (webhook, by_hand) = (WebhookId::from_uuid(webhook), by_hand.map(Millis));
            due.map(|due| WorkHead { webhook, due: Millis(due), by_hand })
        };
        self.of_known_webhooks(rows.into_iter().filter_map(head).collect(), here).await
    }

    /// A webhook that this node does not know was made on another one just now. If it is not that, it was deleted while this
    /// work was made, which ends as the webhook's other work did.
    async fn of_known_webhooks(&self, mut heads: Vec<WorkHead>, here: Millis) -> Result<Vec<WorkHead>, StoreError> {
        let unknown = |heads: &[WorkHead]| -> Vec<WebhookId> {
            let known = self.subscriptions();
            heads.iter().map(|head| head.webhook).filter(|webhook| known.webhook(*webhook).is_none()).collect()
        };
        if unknown(&heads).is_empty() {
            return Ok(heads);
        }
        self.sync_subscriptions().await?;
        let (gone, now) = (unknown(&heads), self.time(here));
        for webhook in gone.iter().copied() {
            self.db.transact(move |tx| Box::pin(cancel_open(tx, webhook, DELETED, now))).await?;
        }
        heads.retain(|head| !gone.contains(&head.webhook));
        Ok(heads)
    }

    /// Claims work that is due and reads all that is needed to do it.
    pub async fn claim(&self, claim: Claim) -> Result<(Vec<ClaimedWork>, Outlook), StoreError> {
        let lease = claim.lease;
        let (rows, outlook) = self.claim_rows(claim).await?;
        Ok((self.load(rows, lease).await?, outlook))
    }
}
