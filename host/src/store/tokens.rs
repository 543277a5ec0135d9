//! API tokens: by their hash for whoever is asked in with one, by their id for whoever looks after them.

use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::db::{Tx, reading};
use super::projects::hold_project;
use super::rows::Rows;
use super::text::containing;
use super::value::values;
use super::{Store, StoreError};
use crate::domain::clock::Millis;
use crate::domain::id::{ProjectId, TokenId};
use crate::domain::page::{Page, PageRequest};
use crate::domain::token::{Token, TokenHash};

/// Whose tokens are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokensOf {
    /// Those that are confined to this project.
    Project(ProjectId),
    /// Those too that are for all projects.
    ProjectAndAll(ProjectId),
}

impl TokensOf {
    const fn parts(self) -> (ProjectId, bool) {
        match self {
            Self::Project(project) => (project, false),
            Self::ProjectAndAll(project) => (project, true),
        }
    }
}

#[derive(Debug, FromRow)]
struct TokenRow {
    id: Uuid,
    project_id: Option<Uuid>,
    name: String,
    prefix: String,
    permissions: String,
    created_by: String,
    created_at: i64,
    expires_at: Option<i64>,
    last_used_at: Option<i64>,
    version: i64,
}

impl TokenRow {
    fn into_token(self) -> Result<Token, StoreError> {
        let id = TokenId::from_uuid(self.id);
        let corrupt = |_| StoreError::Corrupt { table: "tokens", column: "permissions", id: id.to_string() };
        Ok(Token {
            id,
            project: self.project_id.map(ProjectId::from_uuid),
            name: self.name,
            prefix: self.prefix,
            permissions: serde_json::from_str(&self.permissions).map_err(corrupt)?,
            expires_at: self.expires_at.map(Millis),
            created_by: self.created_by,
            created_at: Millis(self.created_at),
            last_used_at: self.last_used_at.map(Millis),
            version: self.version,
        })
    }
}

const SELECT: &str =
    "SELECT id, project_id, name, prefix, permissions, created_by, created_at, expires_at, last_used_at, version
    FROM tokens WHERE revoked_at IS NULL";

impl Store {
    /// Whether there was ever any token: there was none at the first start.
    pub async fn has_tokens(&self) -> Result<bool, StoreError> {
        let count: i64 =
            reading!(&self.db, pool => sqlx::query_scalar("SELECT count(*) FROM tokens").fetch_one(pool).await?);
        Ok(count > 0)
    }

    /// Stores a token.
    pub async fn insert_token(&self, token: &Token, hash: TokenHash) -> Result<(), StoreError> {
        const INSERT: &str = "INSERT INTO tokens
                (id, project_id, name, prefix, hash, permissions, created_by, created_at, expires_at, version)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let (store, token) = (self.clone(), token.clone());
        let insert = async move |tx: &mut Tx| {
            if let Some(project) = token.project {
                hold_project(tx, project).await?;
            }
            let values = values![
                token.id.uuid(),
                token.project.map(ProjectId::uuid),
                token.name.as_str(),
                token.prefix.as_str(),
                &hash.0[..],
                serde_json::to_string(&token.permissions).expect("permissions are plain data"),
                token.created_by.as_str(),
                token.created_at.0,
                token.expires_at.map(|at| at.0),
                token.version,
            ];
            tx.execute(INSERT, &values).await?;
            store.note(tx).await
        };
        self.db.transact(move |tx| Box::pin(async move { insert(tx).await })).await
    }

    /// The token with this hash, unless it was revoked.
    pub async fn token(&self, hash: TokenHash) -> Result<Option<Token>, StoreError> {
        let sql = format!("{SELECT} AND hash = $1");
        let row: Option<TokenRow> = reading!(&self.db, pool => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(&hash.0[..]).fetch_optional(pool).await?
        });
        row.map(TokenRow::into_token).transpose()
    }

    /// The token with this id, if it is one of those that are meant.
    pub async fn token_of(&self, of: TokensOf, id: TokenId) -> Result<Option<Token>, StoreError> {
        let sql = format!("{SELECT} AND id = $1 AND (project_id = $2 OR ($3 AND project_id IS NULL))");
        let (project, and_all) = of.parts();
        let row: Option<TokenRow> = reading!(&self.db, pool => sqlx::query_as(AssertSqlSafe(sql))
            .bind(id.uuid())
            .bind(project.uuid())
            .bind(and_all)
            .fetch_optional(pool)
            .await?);
        row.map(TokenRow::into_token).transpose()
    }

    /// Tokens, with this text in their name or prefix if there is one, newest first.
    pub async fn tokens(&self, of: TokensOf, text: Option<&str>, page: PageRequest) -> Result<Page<Token>, StoreError> {
        const WANTED: &str = "($5 IS NULL OR lower(name) LIKE $5 ESCAPE '\\' OR lower(prefix) LIKE $5 ESCAPE '\\')";
        let sql = format!(
            "{SELECT} AND (project_id = $1 OR ($2 AND project_id IS NULL)) AND id < $3 AND {WANTED}
             ORDER BY id DESC LIMIT $4"
        );
        let (project, and_all) = of.parts();
        let rows: Vec<TokenRow> = reading!(&self.db, pool => sqlx::query_as(AssertSqlSafe(sql))
            .bind(project.uuid())
            .bind(and_all)
            .bind(page.cursor.map_or(Uuid::max(), |cursor| cursor.0))
            .bind(i64::from(page.limit) + 1)
            .bind(text.map(containing))
            .fetch_all(pool)
            .await?);
        let tokens = rows.into_iter().map(TokenRow::into_token).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::from_rows(tokens, page.limit, |token| token.id.uuid()))
    }

    /// Stores a token's name and end if nobody else changed it meanwhile: false when its version is no longer `expected`.
    pub async fn update_token(&self, token: &Token, expected: i64) -> Result<bool, StoreError> {
        const UPDATE: &str = "UPDATE tokens SET name = $1, expires_at = $2, version = $3
            WHERE id = $4 AND version = $5 AND revoked_at IS NULL";
        let (store, token) = (self.clone(), token.clone());
        let update = async move |tx: &mut Tx| {
            let values = values![
                token.name.as_str(),
                token.expires_at.map(|at| at.0),
                token.version,
                token.id.uuid(),
                expected,
            ];
            let is_changed = tx.execute(UPDATE, &values).await? > 0;
            if is_changed {
                store.note(tx).await?;
            }
            Ok(is_changed)
        };
        self.db.transact(move |tx| Box::pin(async move { update(tx).await })).await
    }

    /// Revokes a token; false when it was revoked before.
    pub async fn revoke_token(&self, id: TokenId, now: Millis) -> Result<bool, StoreError> {
        const REVOKE: &str = "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
        let store = self.clone();
        let revoke = async move |tx: &mut Tx| {
            let is_revoked = tx.execute(REVOKE, &values![id.uuid(), now.0]).await? > 0;
            if is_revoked {
                store.note(tx).await?;
            }
            Ok(is_revoked)
        };
        self.db.transact(move |tx| Box::pin(async move { revoke(tx).await })).await
    }

    /// Notes when tokens were used.
    pub async fn touch_tokens(&self, used: Vec<(TokenId, Millis)>) -> Result<(), StoreError> {
        const TOUCH: &str = "UPDATE tokens SET last_used_at = {2} {from}
            WHERE tokens.id = {1} AND (last_used_at IS NULL OR last_used_at < {2})";
        let touch = async move |tx: &mut Tx| {
            tx.execute_rows(&Rows::of(TOUCH, &used, |(id, at)| values![id.uuid(), at.0])).await
        };
        self.db.transact(move |tx| Box::pin(async move { touch(tx).await })).await?;
        Ok(())
    }
}
