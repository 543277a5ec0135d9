//! Sessions: by their hash for whoever comes with one, by their user for whoever looks after them.

use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::db::{Tx, reading};
use super::rows::Rows;
use super::users::end_sessions;
use super::value::values;
use super::{Store, StoreError};
use crate::domain::account::{Grants, Session, User};
use crate::domain::clock::Millis;
use crate::domain::id::{SessionId, UserId};
use crate::domain::token::TokenHash;

/// Who came with a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedIn {
    /// The session.
    pub session: Session,
    /// Whose it is.
    pub user: User,
    /// What they may do.
    pub grants: Grants,
}

#[derive(Debug, FromRow)]
struct SessionRow {
    id: Uuid,
    user_id: Uuid,
    created_at: i64,
    seen_at: i64,
    expires_at: i64,
    address: Option<String>,
    user_agent: Option<String>,
}

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        Self {
            id: SessionId::from_uuid(row.id),
            user: UserId::from_uuid(row.user_id),
            created_at: Millis(row.created_at),
            seen_at: Millis(row.seen_at),
            expires_at: Millis(row.expires_at),
            address: row.address,
            user_agent: row.user_agent,
        }
    }
}

const SELECT: &str = "SELECT id, user_id, created_at, seen_at, expires_at, address, user_agent FROM sessions";

impl Store {
    /// Stores a new session. Of a user's sessions so many are kept; the oldest end.
    pub async fn insert_session(&self, session: &Session, hash: TokenHash, most: u32) -> Result<(), StoreError> {
        const INSERT: &str =
            "INSERT INTO sessions (id, user_id, hash, created_at, seen_at, expires_at, address, user_agent)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        const LOGIN: &str = "UPDATE users SET last_login_at = $2 WHERE id = $1";
        const OLDEST: &str = "DELETE FROM sessions WHERE user_id = $1 AND id <=
            (SELECT id FROM sessions WHERE user_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)";
        let (store, session) = (self.clone(), session.clone());
        let insert = async move |tx: &mut Tx| {
            let values = values![
                session.id.uuid(),
                session.user.uuid(),
                &hash.0[..],
                session.created_at.0,
                session.seen_at.0,
                session.expires_at.0,
                session.address.as_deref(),
                session.user_agent.as_deref(),
            ];
            tx.execute(INSERT, &values).await?;
            tx.execute(LOGIN, &values![session.user.uuid(), session.created_at.0]).await?;
            tx.execute(OLDEST, &values![session.user.uuid(), i64::from(most)]).await?;
            store.note(tx).await
        };
        self.db.transact(move |tx| Box::pin(async move { insert(tx).await })).await
    }

    /// Who comes with the session of this hash: nobody when it has ended, or its user may do nothing.
    pub async fn logged_in(&self, hash: TokenHash) -> Result<Option<LoggedIn>, StoreError> {
        let sql = format!("{SELECT} WHERE hash = $1");
        let row: Option<SessionRow> = reading!(&self.db, pool => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(&hash.0[..]).fetch_optional(pool).await?
        });
        let Some(session) = row.map(Session::from) else { return Ok(None) };
        let Some(user) = self.user(session.user).await?.filter(|user| user.disabled_at.is_none()) else {
            return Ok(None);
        };
        let grants = self.grants(&user).await?;
        Ok(Some(LoggedIn { session, user, grants }))
    }

    /// A user's sessions that have not come to their end, newest first; they are few.
    pub async fn sessions(&self, user: UserId, now: Millis) -> Result<Vec<Session>, StoreError> {
        let sql = format!("{SELECT} WHERE user_id = $1 AND expires_at > $2 ORDER BY id DESC");
        let rows: Vec<SessionRow> = reading!(&self.db, pool => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(user.uuid()).bind(now.0).fetch_all(pool).await?
        });
        Ok(rows.into_iter().map(Session::from).collect())
    }

    /// Ends a session, of this user if one is named. False when there is none.
    pub async fn end_session(&self, id: SessionId, of: Option<UserId>) -> Result<bool, StoreError> {
        const DELETE: &str = "DELETE FROM sessions WHERE id = $1 AND ($2 IS NULL OR user_id = $2)";
        let store = self.clone();
        let end = async move |tx: &mut Tx| {
            let has_ended = tx.execute(DELETE, &values![id.uuid(), of.map(UserId::uuid)]).await? > 0;
            if has_ended {
                store.note(tx).await?;
            }
            Ok(has_ended)
        };
        self.db.transact(move |tx| Box::pin(async move { end(tx).await })).await
    }

    /// Ends all sessions of a user; says how many.
    pub async fn end_sessions_of(&self, user: UserId) -> Result<u64, StoreError> {
        let store = self.clone();
        let end = async move |tx: &mut Tx| {
            let ended = end_sessions(tx, user, None).await?;
            if ended > 0 {
                store.note(tx).await?;
            }
            Ok(ended)
        };
        self.db.transact(move |tx| Box::pin(async move { end(tx).await })).await
    }

    /// Notes when sessions were used.
    pub async fn touch_sessions(&self, used: Vec<(SessionId, Millis)>) -> Result<(), StoreError> {
        const TOUCH: &str = "UPDATE sessions SET seen_at = {2} {from} WHERE sessions.id = {1} AND seen_at < {2}";
        let touch = async move |tx: &mut Tx| {
            tx.execute_rows(&Rows::of(TOUCH, &used, |(id, at)| values![id.uuid(), at.0])).await
        };
        self.db.transact(move |tx| Box::pin(async move { touch(tx).await })).await?;
        Ok(())
    }

    /// Forgets sessions that have come to their end, or were not used since `idle_since`; says how many.
    pub async fn forget_sessions(&self, now: Millis, idle_since: Millis) -> Result<u64, StoreError> {
        const DELETE: &str = "DELETE FROM sessions WHERE expires_at <= $1 OR seen_at < $2";
        let forget = async move |tx: &mut Tx| tx.execute(DELETE, &values![now.0, idle_since.0]).await;
        self.db.transact(move |tx| Box::pin(async move { forget(tx).await })).await
    }
}
