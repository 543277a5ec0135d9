//! API tokens, by their hash.

use uuid::Uuid;

use super::db::{execute, reading};
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
        let mut tx = self.db.begin().await?;
        execute!(&mut tx, sqlx::query(
            "INSERT INTO tokens (id, project_id, name, hash, permissions, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(token.id.uuid())
        .bind(token.project.map(ProjectId::uuid))
        .bind(token.name.as_str())
        .bind(&hash.0[..])
        .bind(serde_json::to_string(&token.permissions).expect("permissions are plain data"))
        .bind(now.0));
        tx.commit().await?;
        Ok(())
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
