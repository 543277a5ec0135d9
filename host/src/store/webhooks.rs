//! Webhooks: registered, changed, deleted; their secrets sealed.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::FromRow;
use uuid::Uuid;

use super::claims::configuration;
use super::db::{Tx, execute, reading};
use super::{Store, StoreError, deliveries, sealed};
use crate::domain::clock::Millis;
use crate::domain::entropy::Entropy;
use crate::domain::id::{ProjectId, WebhookId};
use crate::domain::page::{Page, PageRequest};
use crate::domain::redact::Redactor;
use crate::domain::webhook::{ContentType, Envelope, OnUncertain, State, Webhook, mask_url};

/// What is done to the open work of a webhook that is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenWork {
    /// Nothing.
    Keep,
    /// It waits: the webhook was disabled.
    Hold,
    /// It goes on: the webhook was enabled.
    Resume,
}

#[derive(Debug, FromRow)]
struct WebhookRow {
    id: Uuid,
    project_id: Uuid,
    external_id: Option<String>,
    name: String,
    description: Option<String>,
    labels: String,
    events: String,
    sealed: Vec<u8>,
    enabled: bool,
    disabled_reason: Option<String>,
    retry: Option<String>,
    timeout_ms: Option<i64>,
    on_uncertain: String,
    revision: i64,
    version: i64,
    created_at: i64,
    updated_at: i64,
    content_type: String,
    envelope: String,
    plugin_version_id: Option<Uuid>,
    plugin_config: Option<String>,
    plugin_name: Option<String>,
    plugin_version: Option<String>,
}

const SELECT: &str = "SELECT w.id, w.project_id, w.external_id, w.name, w.description, w.labels, w.events, w.sealed, w.enabled,
        w.disabled_reason, w.retry, w.timeout_ms, w.on_uncertain, w.revision, w.version, w.created_at, w.updated_at,
        c.content_type, c.envelope, c.plugin_version_id, c.plugin_config, p.name AS plugin_name, p.version AS plugin_version
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
        let plugin = (row.plugin_version_id, row.plugin_config, row.plugin_name, row.plugin_version);
        let configuration =
            configuration(row.revision, &row.content_type, &row.envelope, plugin).ok_or_else(|| corrupt("revision"))?;
        Ok(Webhook {
            id,
            project: ProjectId::from_uuid(row.project_id),
            external_id: row.external_id,
            name: row.name,
            description: row.description,
            labels,
            events: serde_json::from_str(&row.events).map_err(|_| corrupt("events"))?,
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
            redactor: Arc::new(Redactor::new(&secrets.named())),
            secrets,
            version: row.version,
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        })
    }

    /// Stores a new webhook.
    pub async fn insert_webhook(&self, webhook: &Webhook, entropy: &Entropy) -> Result<(), StoreError> {
        let sealed = sealed::seal(&self.keys, webhook.id, &webhook.secrets, entropy);
        let mut tx = self.db.begin().await?;
        execute!(&mut tx, sqlx::query(
            "INSERT INTO webhooks (id, project_id, external_id, name, description, labels, events, origin, sealed, enabled,
                disabled_reason, retry, timeout_ms, on_uncertain, revision, version, created_at, updated_at, changed_at_revision)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, 0)",
        )
        .bind(webhook.id.uuid())
        .bind(webhook.project.uuid())
        .bind(webhook.external_id.as_deref())
        .bind(webhook.name.as_str())
        .bind(webhook.description.as_deref())
        .bind(json(&webhook.labels))
        .bind(json(&webhook.events))
        .bind(mask_url(&webhook.secrets.url))
        .bind(sealed)
        .bind(webhook.state.is_enabled())
        .bind(disabled_reason(&webhook.state))
        .bind(webhook.retry.as_ref().map(json))
        .bind(webhook.timeout_ms.and_then(|ms| i64::try_from(ms).ok()))
        .bind(on_uncertain(webhook.on_uncertain))
        .bind(webhook.configuration.revision)
        .bind(webhook.version)
        .bind(webhook.created_at.0)
        .bind(webhook.updated_at.0));
        insert_configuration(&mut tx, webhook).await?;
        note_change(&mut tx, webhook.id).await?;
        tx.commit().await?;
        self.sync_subscriptions().await
    }

    /// Stores a changed webhook if nobody else changed it meanwhile: false when its version is no longer `expected`.
    pub async fn update_webhook(
        &self,
        webhook: &Webhook,
        expected: i64,
        open_work: OpenWork,
        entropy: &Entropy,
    ) -> Result<bool, StoreError> {
        let sealed = sealed::seal(&self.keys, webhook.id, &webhook.secrets, entropy);
        let mut tx = self.db.begin().await?;
        let updated: u64 = execute!(&mut tx, sqlx::query(
            "UPDATE webhooks SET external_id = $1, name = $2, description = $3, labels = $4, events = $5, origin = $6,
                sealed = $7, enabled = $8, disabled_reason = $9, retry = $10, timeout_ms = $11, on_uncertain = $12,
                revision = $13, version = $14, updated_at = $15
             WHERE id = $16 AND project_id = $17 AND version = $18 AND deleted_at IS NULL",
        )
        .bind(webhook.external_id.as_deref())
        .bind(webhook.name.as_str())
        .bind(webhook.description.as_deref())
        .bind(json(&webhook.labels))
        .bind(json(&webhook.events))
        .bind(mask_url(&webhook.secrets.url))
        .bind(sealed)
        .bind(webhook.state.is_enabled())
        .bind(disabled_reason(&webhook.state))
        .bind(webhook.retry.as_ref().map(json))
        .bind(webhook.timeout_ms.and_then(|ms| i64::try_from(ms).ok()))
        .bind(on_uncertain(webhook.on_uncertain))
        .bind(webhook.configuration.revision)
        .bind(webhook.version)
        .bind(webhook.updated_at.0)
        .bind(webhook.id.uuid())
        .bind(webhook.project.uuid())
        .bind(expected));
        if updated == 0 {
            return Ok(false);
        }
        insert_configuration(&mut tx, webhook).await?;
        match open_work {
            OpenWork::Keep => {}
            OpenWork::Hold => deliveries::hold_open(&mut tx, webhook.id).await?,
            OpenWork::Resume => {
                execute!(
                    &mut tx,
                    sqlx::query("UPDATE open_work SET due_at = $1 WHERE webhook_id = $2 AND due_at = $3")
                        .bind(webhook.updated_at.0)
                        .bind(webhook.id.uuid())
                        .bind(Millis::NEVER.0)
                );
            }
        }
        note_change(&mut tx, webhook.id).await?;
        tx.commit().await?;
        self.sync_subscriptions().await?;
        Ok(true)
    }

    /// Deletes a webhook: its secrets go, its open work is cancelled, its history stays. False when there is none.
    pub async fn delete_webhook(&self, project: ProjectId, id: WebhookId, now: Millis) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let deleted: u64 = execute!(
            &mut tx,
            sqlx::query(
                "UPDATE webhooks SET deleted_at = $1, sealed = $4, enabled = $5, version = version + 1
             WHERE id = $2 AND project_id = $3 AND deleted_at IS NULL",
            )
            .bind(now.0)
            .bind(id.uuid())
            .bind(project.uuid())
            .bind(Vec::<u8>::new())
            .bind(false)
        );
        if deleted == 0 {
            return Ok(false);
        }
        deliveries::cancel_open(&mut tx, id, "the webhook was deleted", now).await?;
        note_change(&mut tx, id).await?;
        tx.commit().await?;
        self.sync_subscriptions().await?;
        Ok(true)
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

    /// A project's webhooks, newest first.
    pub async fn webhooks(&self, project: ProjectId, page: PageRequest) -> Result<Page<Webhook>, StoreError> {
        let sql = format!("{SELECT} AND w.project_id = $1 AND w.id < $2 ORDER BY w.id DESC LIMIT $3");
        let rows: Vec<WebhookRow> = reading!(&self.db, pool => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(project.uuid())
            .bind(page.cursor.map_or(Uuid::max(), |cursor| cursor.0))
            .bind(i64::from(page.limit) + 1)
            .fetch_all(pool)
            .await?);
        let webhooks = rows.into_iter().map(|row| self.webhook_from(row)).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::from_rows(webhooks, page.limit, |webhook| webhook.id.uuid()))
    }

    /// Brings the webhooks in memory up to date: what has changed since they were read, on whichever node.
    pub async fn sync_subscriptions(&self) -> Result<(), StoreError> {
        const REVISION: &str = "SELECT revision FROM subscriptions_revision";
        const DELETED: &str = "SELECT id FROM webhooks WHERE changed_at_revision > $1 AND deleted_at IS NOT NULL";
        let _one_at_a_time = self.subscriptions.syncing().await;
        let known = self.subscriptions.snapshot().revision();
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
        self.subscriptions.apply(changed, deleted, revision);
        Ok(())
    }
}

/// Says to every node that a webhook has changed.
pub(super) async fn note_change(tx: &mut Tx, id: WebhookId) -> Result<(), StoreError> {
    const COUNT: &str = "UPDATE subscriptions_revision SET revision = revision + 1";
    const MARK: &str =
        "UPDATE webhooks SET changed_at_revision = (SELECT revision FROM subscriptions_revision) WHERE id = $1";
    execute!(tx, sqlx::query(COUNT));
    execute!(tx, sqlx::query(MARK).bind(id.uuid()));
    Ok(())
}

async fn insert_configuration(tx: &mut Tx, webhook: &Webhook) -> Result<(), StoreError> {
    let configuration = &webhook.configuration;
    execute!(tx, sqlx::query(
        "INSERT INTO webhook_configurations (webhook_id, revision, project_id, content_type, envelope, plugin_version_id,
            plugin_config, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (webhook_id, revision) DO NOTHING",
    )
    .bind(webhook.id.uuid())
    .bind(configuration.revision)
    .bind(webhook.project.uuid())
    .bind(match configuration.content_type {
        ContentType::Json => "json",
        ContentType::Form => "form",
    })
    .bind(match configuration.envelope {
        Envelope::Standard => "standard",
        Envelope::Raw => "raw",
    })
    .bind(configuration.plugin.as_ref().map(|plugin| plugin.version_id.uuid()))
    .bind(configuration.plugin.as_ref().map(|plugin| plugin.config.as_str()))
    .bind(webhook.updated_at.0));
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
