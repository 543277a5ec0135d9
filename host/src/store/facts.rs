//! What plugins remember of answers: recalled by them, shown to people, and erased by them.

use sqlx::FromRow;
use uuid::Uuid;

use super::db::reading;
use super::value::values;
use super::{Store, StoreError};
use crate::domain::clock::Millis;
use crate::domain::id::{DeliveryId, ProjectId, WebhookId};
use crate::domain::page::{Page, PageRequest};
use crate::domain::verdict::fact_id;

/// A fact as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactView {
    /// Its place in lists.
    pub id: Uuid,
    /// The plugin that remembers it.
    pub plugin: String,
    /// Under which name.
    pub key: String,
    /// What.
    pub value: String,
    /// The delivery whose answer taught it.
    pub delivery: DeliveryId,
    /// When.
    pub updated_at: Millis,
}

#[derive(Debug, FromRow)]
struct FactRow {
    id: Uuid,
    plugin: String,
    key: String,
    value: String,
    delivery_id: Uuid,
    updated_at: i64,
}

impl From<FactRow> for FactView {
    fn from(row: FactRow) -> Self {
        Self {
            id: row.id,
            plugin: row.plugin,
            key: row.key,
            value: row.value,
            delivery: DeliveryId::from_uuid(row.delivery_id),
            updated_at: Millis(row.updated_at),
        }
    }
}

impl Store {
    /// What a plugin remembers under a key for a webhook.
    pub async fn recall(&self, webhook: WebhookId, plugin: &str, key: &str) -> Result<Option<String>, StoreError> {
        const SELECT: &str = "SELECT value FROM facts WHERE id = $1";
        let id = fact_id(webhook, plugin, key);
        let value: Option<(String,)> =
            reading!(&self.db, pool => sqlx::query_as(SELECT).bind(id).fetch_optional(pool).await?);
        Ok(value.map(|(value,)| value))
    }

    /// The facts of a webhook, in no order that means anything, perhaps of one key only.
    pub async fn facts(
        &self,
        project: ProjectId,
        webhook: WebhookId,
        key: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<FactView>, StoreError> {
        const SELECT: &str = "SELECT id, plugin, key, value, delivery_id, updated_at FROM facts
            WHERE webhook_id = $1 AND project_id = $2 AND id < $3 AND ($4 IS NULL OR key = $4)
            ORDER BY id DESC LIMIT $5";
        let rows: Vec<FactRow> = reading!(&self.db, pool => {
            sqlx::query_as(SELECT)
                .bind(webhook.uuid())
                .bind(project.uuid())
                .bind(page.cursor.map_or(Uuid::max(), |cursor| cursor.0))
                .bind(key)
                .bind(i64::from(page.limit) + 1)
                .fetch_all(pool)
                .await?
        });
        Ok(Page::from_rows(rows, page.limit, |row| row.id).map(FactView::from))
    }

    /// Forgets the facts of a webhook, perhaps of one key only; says how many.
    pub async fn forget_facts(
        &self,
        project: ProjectId,
        webhook: WebhookId,
        key: Option<String>,
    ) -> Result<u64, StoreError> {
        const DELETE: &str = "DELETE FROM facts WHERE webhook_id = $1 AND project_id = $2 AND ($3 IS NULL OR key = $3)";
        const COUNT: &str = "UPDATE fact_counts SET facts = facts - $2 WHERE webhook_id = $1";
        let store = self.clone();
        self.db
            .transact(move |tx| {
                Box::pin(async move {
                    let gone = tx.execute(DELETE, &values![webhook.uuid(), project.uuid(), key]).await?;
                    tx.execute(COUNT, &values![webhook.uuid(), i64::try_from(gone).unwrap_or(i64::MAX)]).await?;
                    store.note(tx).await?;
                    Ok(gone)
                })
            })
            .await
    }
}
