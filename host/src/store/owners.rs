//! Which node sends to a webhook that one node at a time sends to.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::db::reading;
use super::rows::Rows;
use super::value::values;
use super::{Store, StoreError};
use crate::domain::clock::Millis;
use crate::domain::id::WebhookId;

/// Who sends to a webhook, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ownership {
    /// Whether it is this node.
    pub is_mine: bool,
    /// Then it ends, unless it is renewed.
    pub until: Millis,
    /// When the breaker lets a request pass again, if it is open.
    pub paused_until: Option<Millis>,
}

type Row = (Uuid, i64, i64, Option<i64>);

impl Store {
    /// Takes webhooks over, or keeps them, until a time; what another node has until later stays with it. Tells of each who
    /// has it now. With each comes how long its breaker is open.
    pub async fn own(
        &self,
        wanted: BTreeMap<WebhookId, Option<Millis>>,
        now: Millis,
        until: Millis,
    ) -> Result<Vec<(WebhookId, Ownership)>, StoreError> {
        const UPSERT: &str = "INSERT INTO webhook_owners (webhook_id, node, taken_at, until_at, paused_until) {values}
            ON CONFLICT (webhook_id) DO UPDATE SET node = excluded.node, taken_at = excluded.taken_at,
                until_at = excluded.until_at, paused_until = excluded.paused_until
            WHERE webhook_owners.node = excluded.node OR webhook_owners.until_at <= excluded.taken_at";
        const SELECT: &str = "SELECT webhook_id, node, until_at, paused_until FROM webhook_owners {join}
            WHERE webhook_id = {1}";
        let node = self.node;
        let rows: Vec<Row> = self
            .db
            .transact(move |tx| {
                Box::pin(async move {
                    let row = |(webhook, paused_until): (&WebhookId, &Option<Millis>)| {
                        let paused_until = paused_until.map(|until| until.0);
                        values![webhook.uuid(), node, now.0, until.0, paused_until]
                    };
                    tx.execute_rows(&Rows::of(UPSERT, &wanted, row)).await?;
                    tx.fetch_rows(&Rows::of(SELECT, wanted.keys(), |webhook| values![webhook.uuid()])).await
                })
            })
            .await?;
        Ok(rows.into_iter().map(|row| self.ownership(row)).collect())
    }

    /// Leaves webhooks to whoever wants them.
    pub async fn disown(&self, webhooks: Vec<WebhookId>) -> Result<(), StoreError> {
        const DELETE: &str = "DELETE FROM webhook_owners {using} WHERE webhook_id = {1} AND node = {2}";
        let node = self.node;
        self.db
            .transact(move |tx| {
                Box::pin(async move {
                    let row = |webhook: &WebhookId| values![webhook.uuid(), node];
                    tx.execute_rows(&Rows::of(DELETE, &webhooks, row)).await.map(drop)
                })
            })
            .await
    }

    /// The webhooks that other nodes keep paused.
    pub async fn paused_elsewhere(&self, now: Millis) -> Result<Vec<(WebhookId, Ownership)>, StoreError> {
        const SELECT: &str = "SELECT webhook_id, node, until_at, paused_until FROM webhook_owners
            WHERE paused_until IS NOT NULL AND node <> $1 AND until_at > $2";
        let rows: Vec<Row> = reading!(&self.db, pool => {
            sqlx::query_as(SELECT).bind(self.node).bind(now.0).fetch_all(pool).await?
        });
        Ok(rows.into_iter().map(|row| self.ownership(row)).collect())
    }

    fn ownership(&self, (webhook, node, until, paused_until): Row) -> (WebhookId, Ownership) {
        let ownership =
            Ownership { is_mine: node == self.node, until: Millis(until), paused_until: paused_until.map(Millis) };
        (WebhookId::from_uuid(webhook), ownership)
    }
}
