//! API tokens, by their hash.

use uuid::Uuid;

use super::db::reading;
use super::value::values;
use super::{Store, StoreError};
use crate::domain::clock::Millis;
use crate::domain::id::{ProjectId, TokenId};
use crate::domain::token::{Token, TokenHash};

impl Store {
    /// Whether there is any token at all: there is none at the first start.
    pub async fn has_tokens(&self) -> Result<bool, StoreError> {
        let count: i64 =
            reading!(&self.db, pool => sqlx::query_scalar("SELECT count(*) FROM tokens").fetch_one(pool).await?);
        Ok(count > 0)
    }

    /// Stores a token.
    pub async fn insert_token(&self, token: &Token, hash: TokenHash, now: Millis) -> Result<(), StoreError> {
        const INSERT: &str =
            "INSERT INTO tokens (id, project_id, name, hash, permissions, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
        let permissions = serde_json::to_string(&token.permissions).expect("permissions are plain data");
        let (id, project, name) = (token.id.uuid(), token.project.map(ProjectId::uuid), token.name.clone());
        self.db
            .transact(move |tx| {
                Box::pin(async move {
                    let hash = hash.0;
                    tx.execute(INSERT, &values![id, project, name, &hash[..], permissions, now.0]).await?;
                    Ok(())
                })
            })
            .await
    }

    /// The token with this hash.
    pub async fn token(&self, hash: TokenHash) -> Result<Option<Token>, StoreError> {
        let row: Option<(Uuid, Option<Uuid>, String, String)> = reading!(&self.db, pool => sqlx::query_as("SELECT id, project_id, name, permissions FROM tokens WHERE hash = $1")
                .bind(&hash.0[..])
                .fetch_optional(pool)
                .await?);
        let Some((id, project, name, permissions)) = row else { return Ok(None) };
        let id = TokenId::from_uuid(id);
        let permissions = serde_json::from_str(&permissions).map_err(|_| StoreError::Corrupt {
            table: "tokens",
            column: "permissions",
            id: id.to_string(),
        })?;
        Ok(Some(Token { id, project: project.map(ProjectId::from_uuid), name, permissions }))
    }
}
