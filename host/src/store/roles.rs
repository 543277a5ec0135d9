//! Roles of this server's own, and what each role allows.

use std::collections::HashMap;

use super::db::{Tx, reading};
use super::users::{admins, one_at_a_time};
use super::value::values;
use super::{Store, StoreError};
use crate::domain::account::{BUILTIN_ROLES, Role, builtin_role};
use crate::domain::permission::{Permission, Permissions};

/// What changing or deleting a role came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangedRole {
    /// It is done.
    Yes,
    /// Somebody else changed it meanwhile, or it is gone.
    Stale,
    /// Nobody could look after users any more.
    LastAdmin,
    /// So many memberships are of it.
    InUse(u64),
}

type Row = (String, String, String, i64);

fn role((name, description, permissions, version): Row) -> Result<Role, StoreError> {
    let corrupt = |_| StoreError::Corrupt { table: "roles", column: "permissions", id: name.clone() };
    let permissions = serde_json::from_str(&permissions).map_err(corrupt)?;
    Ok(Role { name, description, permissions, is_builtin: false, version })
}

impl Store {
    /// Every role by its name: those that each server has first.
    pub async fn roles(&self) -> Result<Vec<Role>, StoreError> {
        const SELECT: &str = "SELECT name, description, permissions, version FROM roles ORDER BY name";
        let rows: Vec<Row> = reading!(&self.db, pool => sqlx::query_as(SELECT).fetch_all(pool).await?);
        let mut roles: Vec<Role> = BUILTIN_ROLES.iter().filter_map(|(name, ..)| builtin_role(name)).collect();
        for row in rows {
            roles.push(role(row)?);
        }
        Ok(roles)
    }

    /// One role.
    pub async fn role(&self, name: &str) -> Result<Option<Role>, StoreError> {
        const SELECT: &str = "SELECT name, description, permissions, version FROM roles WHERE name = $1";
        if let Some(builtin) = builtin_role(name) {
            return Ok(Some(builtin));
        }
        let row: Option<Row> =
            reading!(&self.db, pool => sqlx::query_as(SELECT).bind(name).fetch_optional(pool).await?);
        row.map(role).transpose()
    }

    /// Stores a new role.
    pub async fn insert_role(&self, role: &Role) -> Result<(), StoreError> {
        const INSERT: &str = "INSERT INTO roles (name, description, permissions, version) VALUES ($1, $2, $3, $4)";
        let (store, role) = (self.clone(), role.clone());
        let insert = async move |tx: &mut Tx| {
            let permissions = json(role.permissions);
            tx.execute(INSERT, &values![role.name.as_str(), role.description.as_str(), permissions, role.version])
                .await?;
            store.note(tx).await
        };
        self.db.transact(move |tx| Box::pin(async move { insert(tx).await })).await
    }

    /// Stores a changed role if nobody else changed it meanwhile.
    pub async fn update_role(&self, role: &Role, expected: i64) -> Result<ChangedRole, StoreError> {
        const UPDATE: &str =
            "UPDATE roles SET description = $1, permissions = $2, version = $3 WHERE name = $4 AND version = $5";
        let (store, role) = (self.clone(), role.clone());
        let update = async move |tx: &mut Tx| {
            one_at_a_time(tx).await?;
            if !role.permissions.allow(Permission::Admin) && is_of_last_admin(tx, &role.name).await? {
                return Ok(ChangedRole::LastAdmin);
            }
            let permissions = json(role.permissions);
            let values = values![role.description.as_str(), permissions, role.version, role.name.as_str(), expected];
            if tx.execute(UPDATE, &values).await? == 0 {
                return Ok(ChangedRole::Stale);
            }
            store.note(tx).await?;
            Ok(ChangedRole::Yes)
        };
        self.db.transact(move |tx| Box::pin(async move { update(tx).await })).await
    }

    /// Deletes a role that nobody holds.
    pub async fn delete_role(&self, name: &str) -> Result<ChangedRole, StoreError> {
        const HELD: &str = "SELECT count(*) FROM memberships WHERE role = $1";
        let (store, name) = (self.clone(), name.to_owned());
        let delete = async move |tx: &mut Tx| {
            one_at_a_time(tx).await?;
            let held: Vec<(i64,)> = tx.fetch(HELD, &values![name.as_str()]).await?;
            let held = held.first().map_or(0, |(held,)| *held);
            if held > 0 {
                return Ok(ChangedRole::InUse(u64::try_from(held).unwrap_or(0)));
            }
            if tx.execute("DELETE FROM roles WHERE name = $1", &values![name.as_str()]).await? == 0 {
                return Ok(ChangedRole::Stale);
            }
            store.note(tx).await?;
            Ok(ChangedRole::Yes)
        };
        self.db.transact(move |tx| Box::pin(async move { delete(tx).await })).await
    }
}

fn json(permissions: Permissions) -> String {
    serde_json::to_string(&permissions).expect("permissions are plain data")
}

/// Whether everybody who may look after users does so by this role.
async fn is_of_last_admin(tx: &mut Tx, role: &str) -> Result<bool, StoreError> {
    let admins = admins(tx).await?;
    Ok(!admins.is_empty() && admins.iter().all(|(_, by)| by == role))
}

/// What the roles of these names allow; a role that is gone allows nothing.
pub(super) async fn allowed_by(store: &Store, names: &[&str]) -> Result<HashMap<String, Permissions>, StoreError> {
    let mut allowed = HashMap::new();
    for name in names {
        if !allowed.contains_key(*name) {
            let permissions = store.role(name).await?.map_or(Permissions::NONE, |role| role.permissions);
            allowed.insert((*name).to_owned(), permissions);
        }
    }
    Ok(allowed)
}
