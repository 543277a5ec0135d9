//! What projects say of types of events. Those that are checked are in memory, as webhooks are.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::FromRow;
use uuid::Uuid;

use super::db::{Tx, reading};
use super::projects::hold_project;
use super::subscriptions::Rules;
use super::value::values;
use super::webhooks::count_change;
use super::{Store, StoreError};
use crate::domain::clock::Millis;
use crate::domain::event_types::{Described, Rule, Validation};
use crate::domain::id::ProjectId;
use crate::domain::pattern::EventType;

/// What storing a type came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredType {
    /// It is done.
    Yes,
    /// Somebody else changed it meanwhile, or it is there already.
    Stale,
    /// The project has as many as it may have.
    TooMany,
}

#[derive(Debug, FromRow)]
struct TypeRow {
    name: String,
    description: String,
    schema: Option<String>,
    example: Option<String>,
    validation: String,
    version: i64,
    created_at: i64,
    updated_at: i64,
}

impl TypeRow {
    fn into_described(self) -> Result<Described, StoreError> {
        let corrupt = |column| StoreError::Corrupt { table: "event_types", column, id: self.name.clone() };
        let json = |column, text: &Option<String>| {
            text.as_deref().map(|text| serde_json::from_str(text).map_err(|_| corrupt(column))).transpose()
        };
        Ok(Described {
            name: EventType::parse(&self.name).map_err(|_| corrupt("name"))?,
            schema: json("schema", &self.schema)?,
            example: json("example", &self.example)?,
            validation: Validation::parse(&self.validation).ok_or_else(|| corrupt("validation"))?,
            version: self.version,
            created_at: Some(Millis(self.created_at)),
            updated_at: Some(Millis(self.updated_at)),
            description: self.description,
        })
    }
}

impl Store {
    /// The types that a project describes itself, by name.
    pub async fn event_types(&self, project: ProjectId) -> Result<Vec<Described>, StoreError> {
        const SELECT: &str = "SELECT name, description, schema, example, validation, version, created_at, updated_at
            FROM event_types WHERE project_id = $1 ORDER BY name";
        let rows: Vec<TypeRow> =
            reading!(&self.db, pool => sqlx::query_as(SELECT).bind(project.uuid()).fetch_all(pool).await?);
        rows.into_iter().map(TypeRow::into_described).collect()
    }

    /// One of them.
    pub async fn event_type(&self, project: ProjectId, name: &str) -> Result<Option<Described>, StoreError> {
        const SELECT: &str = "SELECT name, description, schema, example, validation, version, created_at, updated_at
            FROM event_types WHERE project_id = $1 AND name = $2";
        let row: Option<TypeRow> = reading!(&self.db, pool => {
            sqlx::query_as(SELECT).bind(project.uuid()).bind(name).fetch_optional(pool).await?
        });
        row.map(TypeRow::into_described).transpose()
    }

    /// Stores what a project says of a type: new when `expected` is none, and otherwise if nobody changed it meanwhile.
    pub async fn put_event_type(
        &self,
        project: ProjectId,
        described: &Described,
        expected: Option<i64>,
        most: u64,
    ) -> Result<StoredType, StoreError> {
        const COUNT: &str = "SELECT count(*) FROM event_types WHERE project_id = $1";
        const INSERT: &str = "INSERT INTO event_types
                (project_id, name, description, schema, example, validation, version, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT DO NOTHING";
        const UPDATE: &str = "UPDATE event_types SET description = $3, schema = $4, example = $5, validation = $6,
                version = $7, updated_at = $8
            WHERE project_id = $1 AND name = $2 AND version = $9";
        let (store, described) = (self.clone(), described.clone());
        let put = async move |tx: &mut Tx| {
            hold_project(tx, project).await?;
            let json = |value: &Option<serde_json::Value>| value.as_ref().map(ToString::to_string);
            let mut values = values![
                project.uuid(),
                described.name.as_str(),
                described.description.as_str(),
                json(&described.schema),
                json(&described.example),
                described.validation.as_str(),
                described.version,
                described.updated_at.map_or(0, |at| at.0),
            ]
            .to_vec();
            let changed = if let Some(expected) = expected {
                values.push(expected.into());
                tx.execute(UPDATE, &values).await?
            } else {
                let there: Vec<(i64,)> = tx.fetch(COUNT, &values![project.uuid()]).await?;
                if there.first().is_some_and(|(there,)| u64::try_from(*there).unwrap_or(0) >= most) {
                    return Ok(StoredType::TooMany);
                }
                tx.execute(INSERT, &values).await?
            };
            if changed == 0 {
                return Ok(StoredType::Stale);
            }
            store.note(tx).await?;
            count_change(tx).await?;
            Ok(StoredType::Yes)
        };
        let stored = self.db.transact(move |tx| Box::pin(async move { put(tx).await })).await?;
        self.sync_subscriptions().await?;
        Ok(stored)
    }

    /// Forgets what a project says of a type; false when it says nothing.
    pub async fn delete_event_type(&self, project: ProjectId, name: &str) -> Result<bool, StoreError> {
        const DELETE: &str = "DELETE FROM event_types WHERE project_id = $1 AND name = $2";
        let (store, name) = (self.clone(), name.to_owned());
        let delete = async move |tx: &mut Tx| {
            if tx.execute(DELETE, &values![project.uuid(), name.as_str()]).await? == 0 {
                return Ok(false);
            }
            store.note(tx).await?;
            count_change(tx).await?;
            Ok(true)
        };
        let deleted = self.db.transact(move |tx| Box::pin(async move { delete(tx).await })).await?;
        self.sync_subscriptions().await?;
        Ok(deleted)
    }

    /// What payloads are held against, in every project. A rule that is as it was stays what it was: ready, and with its counts.
    pub(super) async fn payload_rules(&self, before: &Rules) -> Result<Rules, StoreError> {
        const SELECT: &str = "SELECT project_id, name, schema, validation FROM event_types
            WHERE validation <> 'off' AND schema IS NOT NULL";
        let rows: Vec<(Uuid, String, String, String)> =
            reading!(&self.db, pool => sqlx::query_as(SELECT).fetch_all(pool).await?);
        let mut rules: Rules = HashMap::new();
        for (project, name, schema, validation) in rows {
            let Some(validation) = Validation::parse(&validation) else { continue };
            let project = ProjectId::from_uuid(project);
            let old = before.get(&project).and_then(|of_project| of_project.get(&name));
            let rule = match old.filter(|old| old.is(validation, &schema)) {
                Some(old) => old.clone(),
                None => Arc::new(Rule::new(validation, schema)),
            };
            rules.entry(project).or_default().insert(name, rule);
        }
        Ok(rules)
    }
}
