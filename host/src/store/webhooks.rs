//! Webhooks: registered, changed, deleted; their secrets sealed.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::FromRow;
use uuid::Uuid;

use super::claims::configuration;
use super::db::{Tx, reading};
use super::plugins::hold_version;
use super::projects::hold_project;
use super::value::values;
use super::{Store, StoreError, deliveries, digests, failures, pauses, sealed};
use crate::domain::clock::Millis;
use crate::domain::digest::Digest;
use crate::domain::entropy::Entropy;
use crate::domain::filter::Filter;
use crate::domain::id::{ProjectId, WebhookId};
use crate::domain::plugin_limits::PluginLimits;
use crate::domain::redact::Redactor;
use crate::domain::webhook::{
    ContentType, Envelope, OnPluginFailure, OnUncertain, Order, State, Target, Webhook, mask_url,
};

/// What is done to the open work of a webhook that is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenWork {
    /// Nothing.
    Keep,
    /// It waits: the webhook was disabled.
    Hold,
    /// It goes on: the webhook was enabled.
    Resume {
        /// How long what waits for earlier deliveries does so at most.
        blocked_until: Millis,
    },
    /// It is given up: the webhook was enabled for what is to come.
    Cancel,
}

/// Why work of a webhook that is gone was cancelled.
pub(super) const DELETED: &str = "the webhook was deleted";
/// Why work of a webhook was cancelled that waited while it was disabled.
const NOT_RESUMED: &str = "it waited while the webhook was disabled, and was cancelled as the webhook was enabled";

#[derive(Debug, FromRow)]
struct WebhookRow {
    id: Uuid,
    project_id: Uuid,
    external_id: Option<String>,
    name: String,
    description: Option<String>,
    labels: String,
    events: String,
    filter: Option<String>,
    sealed: Vec<u8>,
    enabled: bool,
    disabled_reason: Option<String>,
    retry: Option<String>,
    timeout_ms: Option<i64>,
    on_uncertain: String,
    on_plugin_failure: String,
    delivery_order: String,
    order_wait_ms: Option<i64>,
    rate_limit: Option<String>,
    digest: Option<String>,
    github_signature: bool,
    is_listener: bool,
    expires_at: Option<i64>,
    revision: i64,
    version: i64,
    created_at: i64,
    updated_at: i64,
    content_type: String,
    envelope: String,
    body_token: bool,
    plugin_version_id: Option<Uuid>,
    plugin_config: Option<String>,
    plugin_limits: Option<String>,
    plugin_name: Option<String>,
    plugin_version: Option<String>,
    plugin_abilities: Option<String>,
}

const SELECT: &str = "SELECT w.id, w.project_id, w.external_id, w.name, w.description, w.labels, w.events, w.filter, w.sealed, w.enabled,
        w.disabled_reason, w.retry, w.timeout_ms, w.on_uncertain, w.delivery_order, w.order_wait_ms, w.rate_limit, w.digest, w.github_signature, w.is_listener, w.expires_at, w.revision, w.version,
        w.created_at, w.updated_at, w.on_plugin_failure,
        c.content_type, c.envelope, c.body_token, c.plugin_version_id, c.plugin_config, c.plugin_limits, p.name AS plugin_name, p.version AS plugin_version,
        p.abilities AS plugin_abilities
    FROM webhooks w
    JOIN webhook_configurations c ON c.webhook_id = w.id AND c.revision = w.revision
    LEFT JOIN plugin_versions p ON p.id = c.plugin_version_id
    WHERE w.deleted_at IS NULL";

impl Store {
    fn webhook_from(&self, row: WebhookRow) -> Result<Webhook, StoreError> {
        let id = WebhookId::from_uuid(row.id);
        let corrupt = |column| StoreError::Corrupt { table: "webhooks", column, id: id.to_string() };
        let secrets = sealed::open(&self.keys, id, &row.sealed)?;
        let labels: BTreeMap<String, String> = serde_json::from_str(&row.labels).map_err(|_| corrupt("labels"))?;
        let plugin = (
            row.plugin_version_id,
            row.plugin_config,
            row.plugin_limits,
            row.plugin_name,
            row.plugin_version,
            row.plugin_abilities,
        );
        let bodies = (row.content_type.as_str(), row.envelope.as_str(), row.body_token);
        let configuration = configuration(row.revision, bodies, plugin).ok_or_else(|| corrupt("revision"))?;
        Ok(Webhook {
            id,
            project: ProjectId::from_uuid(row.project_id),
            external_id: row.external_id,
            name: row.name,
            description: row.description,
            labels,
            events: serde_json::from_str(&row.events).map_err(|_| corrupt("events"))?,
            filter: row.filter.map(|source| Arc::new(Filter::new(source))),
            state: if row.enabled {
                State::Enabled
            } else {
                State::Disabled { reason: row.disabled_reason.unwrap_or_default() }
            },
            configuration: Arc::new(configuration),
            retry: row.retry.map(|json| serde_json::from_str(&json).map_err(|_| corrupt("retry"))).transpose()?,
            timeout_ms: row.timeout_ms.and_then(|ms| u64::try_from(ms).ok()),
            on_uncertain: match row.on_uncertain.as_str() {
                "retry" => OnUncertain::Retry,
                "hold" => OnUncertain::Hold,
                _ => return Err(corrupt("on_uncertain")),
            },
            on_plugin_failure: OnPluginFailure::parse(&row.on_plugin_failure)
                .ok_or_else(|| corrupt("on_plugin_failure"))?,
            order: Order::parse(&row.delivery_order).ok_or_else(|| corrupt("delivery_order"))?,
            order_wait_ms: row.order_wait_ms.and_then(|ms| u64::try_from(ms).ok()),
            rate_limit: row
                .rate_limit
                .map(|json| serde_json::from_str(&json).map_err(|_| corrupt("rate_limit")))
                .transpose()?,
            digest: row
                .digest
                .map(|json| {
                    let form = serde_json::from_str(&json).ok();
                    form.and_then(Digest::new).ok_or_else(|| corrupt("digest"))
                })
                .transpose()?
                .map(Arc::new),
            github_signature: row.github_signature,
            is_listener: row.is_listener,
            expires_at: row.expires_at.map(Millis),
            redactor: Arc::new(Redactor::new(&secrets.named())),
            target: Target::of(&secrets),
            secrets,
            version: row.version,
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        })
    }

    /// Stores a new webhook.
    pub async fn insert_webhook(&self, webhook: &Webhook, entropy: &Entropy) -> Result<(), StoreError> {
        const INSERT: &str = "INSERT INTO webhooks (id, project_id, external_id, name, description, labels, events, origin,
                sealed, enabled, disabled_reason, retry, timeout_ms, on_uncertain, revision, version, created_at, updated_at,
                filter, delivery_order, order_wait_ms, rate_limit, on_plugin_failure, github_signature,
                digest, is_listener, expires_at, changed_at_revision)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, 0)";
        let (store, webhook, entropy) = (self.clone(), webhook.clone(), entropy.clone());
        let insert = async move |tx: &mut Tx| {
            hold_project(tx, webhook.project).await?;
            let values = values![
                webhook.id.uuid(),
                webhook.project.uuid(),
                webhook.external_id.as_deref(),
                webhook.name.as_str(),
                webhook.description.as_deref(),
                json(&webhook.labels),
                json(&webhook.events),
                mask_url(&webhook.secrets.url),
                Vec::<u8>::new(),
                webhook.state.is_enabled(),
                disabled_reason(&webhook.state),
                webhook.retry.as_ref().map(json),
                webhook.timeout_ms.and_then(|ms| i64::try_from(ms).ok()),
                on_uncertain(webhook.on_uncertain),
                webhook.configuration.revision,
                webhook.version,
                webhook.created_at.0,
                webhook.updated_at.0,
                webhook.filter.as_ref().map(|filter| filter.source()),
                webhook.order.as_str(),
                webhook.order_wait_ms.and_then(|ms| i64::try_from(ms).ok()),
                webhook.rate_limit.as_ref().map(json),
                webhook.on_plugin_failure.as_str(),
                webhook.github_signature,
                digest(&webhook),
                webhook.is_listener,
                webhook.expires_at.map(|at| at.0),
            ];
            tx.execute(INSERT, &values).await?;
            insert_configuration(tx, &webhook).await?;
            store.note(tx).await?;
            note_change(tx, webhook.id).await?;
            store.seal(tx, &webhook, &entropy).await
        };
        self.db.transact(move |tx| Box::pin(async move { insert(tx).await })).await?;
        self.sync_subscriptions().await
    }

    /// Seals a webhook's secrets: last, when no other change of a webhook goes on. So whoever holds the others up, as
    /// [`Store::prune_keys`] does, sees every value that was sealed by a key that has been replaced meanwhile.
    async fn seal(&self, tx: &mut Tx, webhook: &Webhook, entropy: &Entropy) -> Result<(), StoreError> {
        const SEAL: &str = "UPDATE webhooks SET sealed = $2 WHERE id = $1";
        let sealed = sealed::seal(&self.keys, webhook.id, &webhook.secrets, entropy);
        tx.execute(SEAL, &values![webhook.id.uuid(), sealed]).await?;
        Ok(())
    }

    /// Stores a changed webhook if nobody else changed it meanwhile: false when its version is no longer `expected`. When it
    /// collects in another way now, what it has collected is due by that, or at once.
    pub async fn update_webhook(
        &self,
        webhook: &Webhook,
        expected: i64,
        open_work: OpenWork,
        entropy: &Entropy,
    ) -> Result<bool, StoreError> {
        const UPDATE: &str =
            "UPDATE webhooks SET external_id = $1, name = $2, description = $3, labels = $4, events = $5,
                origin = $6, enabled = $7, disabled_reason = $8, retry = $9, timeout_ms = $10,
                on_uncertain = $11, revision = $12, version = $13, updated_at = $14, filter = $15,
                delivery_order = $16, order_wait_ms = $17, rate_limit = $18, on_plugin_failure = $22,
                github_signature = $23, digest = $24, expires_at = $25
             WHERE id = $19 AND project_id = $20 AND version = $21 AND deleted_at IS NULL";
        const DIGEST: &str = "SELECT digest FROM webhooks WHERE id = $1";
        const RESUME: &str = "UPDATE open_work SET due_at = CASE WHEN is_blocked THEN $4 ELSE $1 END
             WHERE webhook_id = $2 AND due_at = $3";
        let (store, webhook, entropy) = (self.clone(), webhook.clone(), entropy.clone());
        let update = async move |tx: &mut Tx| {
            let values = values![
                webhook.external_id.as_deref(),
                webhook.name.as_str(),
                webhook.description.as_deref(),
                json(&webhook.labels),
                json(&webhook.events),
                mask_url(&webhook.secrets.url),
                webhook.state.is_enabled(),
                disabled_reason(&webhook.state),
                webhook.retry.as_ref().map(json),
                webhook.timeout_ms.and_then(|ms| i64::try_from(ms).ok()),
                on_uncertain(webhook.on_uncertain),
                webhook.configuration.revision,
                webhook.version,
                webhook.updated_at.0,
                webhook.filter.as_ref().map(|filter| filter.source()),
                webhook.order.as_str(),
                webhook.order_wait_ms.and_then(|ms| i64::try_from(ms).ok()),
                webhook.rate_limit.as_ref().map(json),
                webhook.id.uuid(),
                webhook.project.uuid(),
                expected,
                webhook.on_plugin_failure.as_str(),
                webhook.github_signature,
                digest(&webhook),
                webhook.expires_at.map(|at| at.0),
            ];
            let was: Vec<(Option<String>,)> = tx.fetch(DIGEST, &values![webhook.id.uuid()]).await?;
            let was = was.into_iter().next().and_then(|(digest,)| digest);
            if tx.execute(UPDATE, &values).await? == 0 {
                return Ok(false);
            }
            insert_configuration(tx, &webhook).await?;
            if was != digest(&webhook) {
                let bounds = webhook.digest.as_ref().map(|digest| digest.bounds(webhook.updated_at));
                digests::change(tx, webhook.id, bounds).await?;
            }
            pauses::look_again(tx, webhook.id, webhook.updated_at).await?;
            match open_work {
                OpenWork::Keep => {}
                OpenWork::Hold => deliveries::hold_open(tx, webhook.id).await?,
                OpenWork::Resume { blocked_until } => {
                    let values = values![webhook.updated_at.0, webhook.id.uuid(), Millis::NEVER.0, blocked_until.0];
                    tx.execute(RESUME, &values).await?;
                    failures::forget(tx, webhook.id).await?;
                }
                OpenWork::Cancel => {
                    deliveries::cancel_waiting(tx, webhook.id, NOT_RESUMED, webhook.updated_at).await?;
                    digests::cancel_collected(tx, webhook.id, NOT_RESUMED, webhook.updated_at).await?;
                    failures::forget(tx, webhook.id).await?;
                }
            }
            store.note(tx).await?;
            note_change(tx, webhook.id).await?;
            store.seal(tx, &webhook, &entropy).await?;
            Ok(true)
        };
        let updated = self.db.transact(move |tx| Box::pin(async move { update(tx).await })).await?;
        if updated {
            self.sync_subscriptions().await?;
            self.release();
        }
        Ok(updated)
    }

    /// Deletes a webhook: its secrets go, its open work is cancelled, its history stays. False when there is none.
    pub async fn delete_webhook(&self, project: ProjectId, id: WebhookId, now: Millis) -> Result<bool, StoreError> {
        const DELETE: &str = "UPDATE webhooks SET deleted_at = $1, sealed = $2, enabled = $3, version = version + 1
             WHERE id = $4 AND project_id = $5 AND deleted_at IS NULL";
        let store = self.clone();
        let delete = async move |tx: &mut Tx| {
            let values = values![now.0, Vec::<u8>::new(), false, id.uuid(), project.uuid()];
            if tx.execute(DELETE, &values).await? == 0 {
                return Ok(false);
            }
            deliveries::cancel_open(tx, id, DELETED, now).await?;
            digests::cancel_collected(tx, id, DELETED, now).await?;
            failures::forget(tx, id).await?;
            tx.execute("DELETE FROM facts WHERE webhook_id = $1", &values![id.uuid()]).await?;
            tx.execute("DELETE FROM fact_counts WHERE webhook_id = $1", &values![id.uuid()]).await?;
            store.note(tx).await?;
            note_change(tx, id).await?;
            Ok(true)
        };
        let deleted = self.db.transact(move |tx| Box::pin(async move { delete(tx).await })).await?;
        if deleted {
            self.sync_subscriptions().await?;
        }
        Ok(deleted)
    }

    /// Webhooks whose time is over, with their projects: a few of them.
    pub async fn ended_webhooks(&self, now: Millis) -> Result<Vec<(ProjectId, WebhookId)>, StoreError> {
        const SELECT: &str = "SELECT project_id, id FROM webhooks
             WHERE expires_at IS NOT NULL AND expires_at <= $1 AND deleted_at IS NULL ORDER BY expires_at LIMIT 100";
        let rows: Vec<(Uuid, Uuid)> =
            reading!(&self.db, pool => sqlx::query_as(SELECT).bind(now.0).fetch_all(pool).await?);
        Ok(rows.into_iter().map(|(project, id)| (ProjectId::from_uuid(project), WebhookId::from_uuid(id))).collect())
    }

    /// One webhook.
    pub async fn webhook(&self, project: ProjectId, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        let row: Option<WebhookRow> = reading!(&self.db, pool => sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} AND w.id = $1 AND w.project_id = $2")))
                .bind(id.uuid())
                .bind(project.uuid())
                .fetch_optional(pool)
                .await?);
        row.map(|row| self.webhook_from(row)).transpose()
    }

    /// The webhook of this external id.
    pub async fn webhook_called(&self, project: ProjectId, external_id: &str) -> Result<Option<Webhook>, StoreError> {
        let sql = format!("{SELECT} AND w.project_id = $1 AND w.external_id = $2");
        let row: Option<WebhookRow> = reading!(&self.db, pool => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(project.uuid())
            .bind(external_id)
            .fetch_optional(pool)
            .await?);
        row.map(|row| self.webhook_from(row)).transpose()
    }

    /// Brings the webhooks in memory up to date: what has changed since they were read, on whichever node.
    pub async fn sync_subscriptions(&self) -> Result<(), StoreError> {
        const REVISION: &str = "SELECT revision FROM subscriptions_revision";
        const DELETED: &str = "SELECT id FROM webhooks WHERE changed_at_revision > $1 AND deleted_at IS NOT NULL";
        let _one_at_a_time = self.subscriptions.syncing().await;
        let before = self.subscriptions.snapshot();
        let known = before.revision();
        // Read first: a change that comes in between is read again the next time.
        let revision: i64 = reading!(&self.db, pool => sqlx::query_scalar(REVISION).fetch_one(pool).await?);
        if revision == known {
            return Ok(());
        }
        let sql = format!("{SELECT} AND w.changed_at_revision > $1");
        let changed: Vec<WebhookRow> = reading!(&self.db, pool => {
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(known).fetch_all(pool).await?
        });
        let deleted: Vec<(Uuid,)> =
            reading!(&self.db, pool => sqlx::query_as(DELETED).bind(known).fetch_all(pool).await?);
        let changed = changed.into_iter().map(|row| self.webhook_from(row)).collect::<Result<Vec<_>, _>>()?;
        let deleted = deleted.into_iter().map(|(id,)| WebhookId::from_uuid(id)).collect();
        let others = (self.paused_plugins().await?, self.payload_rules(before.rules()).await?);
        self.subscriptions.apply(changed, deleted, others, revision);
        Ok(())
    }
}

/// Says to every node that something of what it knows of all webhooks has changed.
pub(super) async fn count_change(tx: &mut Tx) -> Result<(), StoreError> {
    const COUNT: &str = "UPDATE subscriptions_revision SET revision = revision + 1";
    tx.execute(COUNT, &[]).await?;
    Ok(())
}

/// Says to every node that a webhook has changed. From then on until the transaction ends no other changes one.
pub(super) async fn note_change(tx: &mut Tx, id: WebhookId) -> Result<(), StoreError> {
    const MARK: &str =
        "UPDATE webhooks SET changed_at_revision = (SELECT revision FROM subscriptions_revision) WHERE id = $1";
    count_change(tx).await?;
    tx.execute(MARK, &values![id.uuid()]).await?;
    Ok(())
}

fn digest(webhook: &Webhook) -> Option<String> {
    webhook.digest.as_ref().map(|digest| json(digest.form()))
}

async fn insert_configuration(tx: &mut Tx, webhook: &Webhook) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO webhook_configurations (webhook_id, revision, project_id, content_type, envelope,
            plugin_version_id, plugin_config, created_at, plugin_limits, body_token)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (webhook_id, revision) DO NOTHING";
    let configuration = &webhook.configuration;
    let content_type = match configuration.content_type {
        ContentType::Json => "json",
        ContentType::Form => "form",
    };
    let envelope = match configuration.envelope {
        Envelope::Standard => "standard",
        Envelope::Raw => "raw",
    };
    let limits = configuration.plugin.as_ref().filter(|plugin| plugin.limits != PluginLimits::default());
    let values = values![
        webhook.id.uuid(),
        configuration.revision,
        webhook.project.uuid(),
        content_type,
        envelope,
        configuration.plugin.as_ref().map(|plugin| plugin.version_id.uuid()),
        configuration.plugin.as_ref().map(|plugin| plugin.config.as_str()),
        webhook.updated_at.0,
        limits.map(|plugin| json(&plugin.limits)),
        configuration.body_token,
    ];
    if let Some(plugin) = &configuration.plugin {
        hold_version(tx, plugin.version_id).await?;
    }
    tx.execute(INSERT, &values).await?;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("plain data")
}

fn disabled_reason(state: &State) -> Option<&str> {
    match state {
        State::Enabled => None,
        State::Disabled { reason } => Some(reason),
    }
}

const fn on_uncertain(choice: OnUncertain) -> &'static str {
    match choice {
        OnUncertain::Retry => "retry",
        OnUncertain::Hold => "hold",
    }
}
