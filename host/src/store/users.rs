//! Users: made, changed, found, removed. As long as there is a person who may look after users, one is left.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::db::{Tx, reading};
use super::projects::hold_project;
use super::roles::allowed_by;
use super::rows::Rows;
use super::text::containing;
use super::value::values;
use super::{Store, StoreError};
use crate::domain::account::{Grants, Membership, User, builtin_role};
use crate::domain::clock::Millis;
use crate::domain::id::{ProjectId, SessionId, UserId};
use crate::domain::page::{Page, PageRequest};
use crate::domain::password::PasswordHash;
use crate::domain::permission::{Permission, Permissions};

/// What changing or removing a user came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangedUser {
    /// It is done.
    Yes,
    /// Somebody else changed them meanwhile, or they are gone.
    Stale,
    /// Nobody could look after users any more.
    LastAdmin,
}

/// Which users. What is not named does not matter.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// With this text in their address or their name.
    pub text: Option<String>,
    /// With this role, in the project if one is named.
    pub role: Option<String>,
    /// With a role in this project.
    pub project: Option<ProjectId>,
    /// Who can log in, or who cannot.
    pub enabled: Option<bool>,
}

#[derive(Debug, FromRow)]
struct UserRow {
    id: Uuid,
    email: String,
    name: String,
    password: Option<String>,
    disabled_at: Option<i64>,
    last_login_at: Option<i64>,
    version: i64,
    created_at: i64,
    updated_at: i64,
}

const SELECT: &str = "SELECT id, email, name, password, disabled_at, last_login_at, version, created_at, updated_at
    FROM users WHERE deleted_at IS NULL";

impl UserRow {
    fn into_user(self, memberships: Vec<Membership>) -> User {
        User {
            id: UserId::from_uuid(self.id),
            email: self.email,
            name: self.name,
            memberships,
            has_password: self.password.is_some(),
            disabled_at: self.disabled_at.map(Millis),
            last_login_at: self.last_login_at.map(Millis),
            version: self.version,
            created_at: Millis(self.created_at),
            updated_at: Millis(self.updated_at),
        }
    }
}

/// The project of a membership; for all projects the nil UUID is stored.
fn project_of(stored: Uuid) -> Option<ProjectId> {
    Some(stored).filter(|id| !id.is_nil()).map(ProjectId::from_uuid)
}

/// Keeps others from changing who may look after users until the transaction ends.
pub(super) async fn one_at_a_time(tx: &mut Tx) -> Result<(), StoreError> {
    /// Any number, as long as every node uses the same one.
    const LOCK: &str = "SELECT count(*) FROM (SELECT pg_advisory_xact_lock(7205759404)) AS held";
    if tx.locks_rows() {
        tx.fetch::<(i64,)>(LOCK, &[]).await?;
    }
    Ok(())
}

/// Who can log in and look after users, and by which role.
pub(super) async fn admins(tx: &mut Tx) -> Result<Vec<(UserId, String)>, StoreError> {
    const SELECT: &str = "SELECT m.user_id, m.role, r.permissions FROM memberships m
        JOIN users u ON u.id = m.user_id LEFT JOIN roles r ON r.name = m.role
        WHERE m.project_id = $1 AND u.disabled_at IS NULL AND u.deleted_at IS NULL AND u.password IS NOT NULL";
    let rows: Vec<(Uuid, String, Option<String>)> = tx.fetch(SELECT, &values![Uuid::nil()]).await?;
    let of = |role: &str, stored: Option<String>| match builtin_role(role) {
        Some(builtin) => builtin.permissions,
        None => stored.and_then(|stored| serde_json::from_str(&stored).ok()).unwrap_or(Permissions::NONE),
    };
    let admin = |(user, role, stored): (Uuid, String, Option<String>)| {
        of(&role, stored).allow(Permission::Admin).then(|| (UserId::from_uuid(user), role))
    };
    Ok(rows.into_iter().filter_map(admin).collect())
}

/// Whether a user's roles let them look after users.
async fn will_be_admin(tx: &mut Tx, user: &User) -> Result<bool, StoreError> {
    const SELECT: &str = "SELECT permissions FROM roles WHERE name = $1";
    for membership in user.memberships.iter().filter(|membership| membership.project.is_none()) {
        let role = membership.role.as_str();
        let permissions = if let Some(builtin) = builtin_role(role) {
            builtin.permissions
        } else {
            let rows: Vec<(String,)> = tx.fetch(SELECT, &values![role]).await?;
            rows.first().and_then(|(stored,)| serde_json::from_str(stored).ok()).unwrap_or_default()
        };
        if permissions.allow(Permission::Admin) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether this is the only user who can look after users.
async fn is_last_admin(tx: &mut Tx, id: UserId) -> Result<bool, StoreError> {
    let admins = admins(tx).await?;
    Ok(!admins.is_empty() && admins.iter().all(|(admin, _)| *admin == id))
}

impl Store {
    /// Stores a new user.
    pub async fn insert_user(&self, user: &User, password: Option<&PasswordHash>) -> Result<(), StoreError> {
        let (store, user, password) = (self.clone(), user.clone(), password.cloned());
        let insert = async move |tx: &mut Tx| {
            one_at_a_time(tx).await?;
            insert(tx, &user, password.as_ref()).await?;
            store.note(tx).await
        };
        self.db.transact(move |tx| Box::pin(async move { insert(tx).await })).await
    }

    /// Stores the first user; false when there is, or was, one already.
    pub async fn insert_first_user(&self, user: &User, password: &PasswordHash) -> Result<bool, StoreError> {
        let (store, user, password) = (self.clone(), user.clone(), password.clone());
        let insert = async move |tx: &mut Tx| {
            one_at_a_time(tx).await?;
            let known: Vec<(i64,)> = tx.fetch("SELECT count(*) FROM users", &[]).await?;
            if known.first().is_some_and(|(known,)| *known > 0) {
                return Ok(false);
            }
            insert(tx, &user, Some(&password)).await?;
            store.note(tx).await?;
            Ok(true)
        };
        self.db.transact(move |tx| Box::pin(async move { insert(tx).await })).await
    }

    /// Whether there is, or was, any user.
    pub async fn has_users(&self) -> Result<bool, StoreError> {
        let count: i64 =
            reading!(&self.db, pool => sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(pool).await?);
        Ok(count > 0)
    }

    /// One user.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let sql = format!("{SELECT} AND id = $1");
        let row: Option<UserRow> = reading!(&self.db, pool => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(id.uuid()).fetch_optional(pool).await?
        });
        Ok(match row {
            None => None,
            Some(row) => self.with_memberships(vec![row]).await?.pop(),
        })
    }

    /// The user of this address, with the hash of their password.
    pub async fn user_called(&self, email: &str) -> Result<Option<(User, Option<PasswordHash>)>, StoreError> {
        let sql = format!("{SELECT} AND email = $1");
        let row: Option<UserRow> = reading!(&self.db, pool => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(email).fetch_optional(pool).await?
        });
        let Some(row) = row else { return Ok(None) };
        let password = row.password.clone().map(PasswordHash::from_stored);
        Ok(self.with_memberships(vec![row]).await?.pop().map(|user| (user, password)))
    }

    /// Users that are all of this, newest first.
    pub async fn users(&self, filter: &UserFilter, page: PageRequest) -> Result<Page<User>, StoreError> {
        const WANTED: &str = "($3 IS NULL OR lower(email) LIKE $3 ESCAPE '\\' OR lower(name) LIKE $3 ESCAPE '\\')
            AND ($4 IS NULL AND $5 IS NULL OR EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = users.id
                AND ($4 IS NULL OR m.role = $4) AND ($5 IS NULL OR m.project_id = $5)))
            AND ($6 IS NULL OR (disabled_at IS NULL) = $6)";
        let sql = format!("{SELECT} AND id < $1 AND {WANTED} ORDER BY id DESC LIMIT $2");
        let rows: Vec<UserRow> = reading!(&self.db, pool => sqlx::query_as(AssertSqlSafe(sql))
            .bind(page.cursor.map_or(Uuid::max(), |cursor| cursor.0))
            .bind(i64::from(page.limit) + 1)
            .bind(filter.text.as_deref().map(containing))
            .bind(filter.role.as_deref())
            .bind(filter.project.map(ProjectId::uuid))
            .bind(filter.enabled)
            .fetch_all(pool)
            .await?);
        let users = self.with_memberships(rows).await?;
        Ok(Page::from_rows(users, page.limit, |user| user.id.uuid()))
    }

    async fn with_memberships(&self, rows: Vec<UserRow>) -> Result<Vec<User>, StoreError> {
        const SELECT: &str = "SELECT user_id, project_id, role FROM memberships WHERE user_id IN ({ids})
            ORDER BY user_id, project_id, role";
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let found: Vec<(Uuid, Uuid, String)> = self.db.fetch_listed(SELECT, &ids).await?;
        let mut memberships: HashMap<Uuid, Vec<Membership>> = HashMap::new();
        for (user, project, role) in found {
            memberships.entry(user).or_default().push(Membership { role, project: project_of(project) });
        }
        Ok(rows
            .into_iter()
            .map(|row| {
                let of_user = memberships.remove(&row.id).unwrap_or_default();
                row.into_user(of_user)
            })
            .collect())
    }

    /// What a user's roles allow.
    pub async fn grants(&self, user: &User) -> Result<Grants, StoreError> {
        let names: Vec<&str> = user.memberships.iter().map(|membership| membership.role.as_str()).collect();
        let allowed = allowed_by(self, &names).await?;
        let mut grants = Grants::default();
        for membership in &user.memberships {
            grants.add(membership.project, allowed.get(&membership.role).copied().unwrap_or_default());
        }
        Ok(grants)
    }

    /// Stores a changed user if nobody else changed them meanwhile, perhaps with another password. Whoever is disabled, or has
    /// another password, is logged out everywhere.
    pub async fn update_user(
        &self,
        user: &User,
        password: Option<&PasswordHash>,
        expected: i64,
    ) -> Result<ChangedUser, StoreError> {
        const UPDATE: &str = "UPDATE users SET email = $1, name = $2, disabled_at = $3, version = $4, updated_at = $5,
                password = coalesce($6, password)
            WHERE id = $7 AND version = $8 AND deleted_at IS NULL";
        let (store, user, password) = (self.clone(), user.clone(), password.cloned());
        let update = async move |tx: &mut Tx| {
            one_at_a_time(tx).await?;
            let stays_admin = user.disabled_at.is_none() && will_be_admin(tx, &user).await?;
            if !stays_admin && is_last_admin(tx, user.id).await? {
                return Ok(ChangedUser::LastAdmin);
            }
            let values = values![
                user.email.as_str(),
                user.name.as_str(),
                user.disabled_at.map(|at| at.0),
                user.version,
                user.updated_at.0,
                password.as_ref().map(PasswordHash::as_str),
                user.id.uuid(),
                expected,
            ];
            if tx.execute(UPDATE, &values).await? == 0 {
                return Ok(ChangedUser::Stale);
            }
            tx.execute("DELETE FROM memberships WHERE user_id = $1", &values![user.id.uuid()]).await?;
            insert_memberships(tx, &user).await?;
            if password.is_some() || user.disabled_at.is_some() {
                end_sessions(tx, user.id, None).await?;
            }
            store.note(tx).await?;
            Ok(ChangedUser::Yes)
        };
        self.db.transact(move |tx| Box::pin(async move { update(tx).await })).await
    }

    /// Gives a user another password; of their sessions only `kept` goes on. False when they are gone.
    pub async fn set_password(
        &self,
        id: UserId,
        password: &PasswordHash,
        kept: Option<SessionId>,
        now: Millis,
    ) -> Result<bool, StoreError> {
        const UPDATE: &str = "UPDATE users SET password = $2, version = version + 1, updated_at = $3
            WHERE id = $1 AND deleted_at IS NULL";
        let (store, password) = (self.clone(), password.clone());
        let update = async move |tx: &mut Tx| {
            if tx.execute(UPDATE, &values![id.uuid(), password.as_str(), now.0]).await? == 0 {
                return Ok(false);
            }
            end_sessions(tx, id, kept).await?;
            store.note(tx).await?;
            Ok(true)
        };
        self.db.transact(move |tx| Box::pin(async move { update(tx).await })).await
    }

    /// Removes a user: their sessions end, their address is free.
    pub async fn delete_user(&self, id: UserId, now: Millis) -> Result<ChangedUser, StoreError> {
        const DELETE: &str = "UPDATE users SET deleted_at = $2, password = NULL, version = version + 1
            WHERE id = $1 AND deleted_at IS NULL";
        let store = self.clone();
        let delete = async move |tx: &mut Tx| {
            one_at_a_time(tx).await?;
            if is_last_admin(tx, id).await? {
                return Ok(ChangedUser::LastAdmin);
            }
            if tx.execute(DELETE, &values![id.uuid(), now.0]).await? == 0 {
                return Ok(ChangedUser::Stale);
            }
            tx.execute("DELETE FROM memberships WHERE user_id = $1", &values![id.uuid()]).await?;
            end_sessions(tx, id, None).await?;
            store.note(tx).await?;
            Ok(ChangedUser::Yes)
        };
        self.db.transact(move |tx| Box::pin(async move { delete(tx).await })).await
    }
}

async fn insert(tx: &mut Tx, user: &User, password: Option<&PasswordHash>) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO users (id, email, name, password, disabled_at, version, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = values![
        user.id.uuid(),
        user.email.as_str(),
        user.name.as_str(),
        password.map(PasswordHash::as_str),
        user.disabled_at.map(|at| at.0),
        user.version,
        user.created_at.0,
        user.updated_at.0,
    ];
    tx.execute(INSERT, &values).await?;
    insert_memberships(tx, user).await
}

async fn insert_memberships(tx: &mut Tx, user: &User) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO memberships (user_id, project_id, role) {values} ON CONFLICT DO NOTHING";
    const ROLE: &str = "SELECT name FROM roles WHERE name = $1";
    for membership in &user.memberships {
        if let Some(project) = membership.project {
            hold_project(tx, project).await?;
        }
        // Whoever deletes a role looks for its members first, one after the other.
        let role = membership.role.as_str();
        if builtin_role(role).is_none() && tx.fetch::<(String,)>(ROLE, &values![role]).await?.is_empty() {
            return Err(StoreError::Constraint(format!("the role {role} is gone")));
        }
    }
    let row = |membership: &Membership| {
        let project = membership.project.map_or(Uuid::nil(), ProjectId::uuid);
        values![user.id.uuid(), project, membership.role.clone()]
    };
    tx.execute_rows(&Rows::of(INSERT, &user.memberships, row)).await?;
    Ok(())
}

/// Ends a user's sessions, all but one.
pub(super) async fn end_sessions(tx: &mut Tx, user: UserId, kept: Option<SessionId>) -> Result<u64, StoreError> {
    const DELETE: &str = "DELETE FROM sessions WHERE user_id = $1 AND id <> $2";
    tx.execute(DELETE, &values![user.uuid(), kept.map_or(Uuid::nil(), SessionId::uuid)]).await
}
