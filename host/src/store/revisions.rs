//! What a webhook's configuration was: a revision for each change. They are kept, so that a delivery knows what it was made
//! by, and people see what changed when.

use sqlx::FromRow;
use uuid::Uuid;

use super::claims::configuration;
use super::db::reading;
use super::{Store, StoreError};
use crate::domain::clock::Millis;
use crate::domain::id::{ProjectId, WebhookId};
use crate::domain::page::{Page, PageRequest};
use crate::domain::webhook::Configuration;

/// A webhook's configuration as it was, or is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The configuration, with its number.
    pub configuration: Configuration,
    /// When it became the configuration.
    pub created_at: Millis,
}

#[derive(Debug, FromRow)]
struct RevisionRow {
    revision: i64,
    created_at: i64,
    content_type: String,
    envelope: String,
    body_token: bool,
    plugin_version_id: Option<Uuid>,
    plugin_config: Option<String>,
    plugin_limits: Option<String>,
    plugin_name: Option<String>,
    plugin_version: Option<String>,
    plugin_abilities: Option<String>,
}

impl Revision {
    /// What a list goes on by.
    fn cursor(&self) -> Uuid {
        Uuid::from_u128(self.configuration.revision.unsigned_abs().into())
    }
}

impl Store {
    /// A webhook's configurations, newest first.
    pub async fn revisions(
        &self,
        project: ProjectId,
        webhook: WebhookId,
        page: PageRequest,
    ) -> Result<Page<Revision>, StoreError> {
        const SELECT: &str =
            "SELECT c.revision, c.created_at, c.content_type, c.envelope, c.body_token, c.plugin_version_id,
                c.plugin_config, c.plugin_limits, p.name AS plugin_name, p.version AS plugin_version,
                p.abilities AS plugin_abilities
             FROM webhook_configurations c LEFT JOIN plugin_versions p ON p.id = c.plugin_version_id
             WHERE c.webhook_id = $1 AND c.project_id = $2 AND c.revision < $3 ORDER BY c.revision DESC LIMIT $4";
        let before = page.cursor.map_or(i64::MAX, |cursor| i64::try_from(cursor.0.as_u128()).unwrap_or(i64::MAX));
        let rows: Vec<RevisionRow> = reading!(&self.db, pool => sqlx::query_as(SELECT)
            .bind(webhook.uuid())
            .bind(project.uuid())
            .bind(before)
            .bind(i64::from(page.limit) + 1)
            .fetch_all(pool)
            .await?);
        let read = |row: RevisionRow| {
            let plugin = (
                row.plugin_version_id,
                row.plugin_config,
                row.plugin_limits,
                row.plugin_name,
                row.plugin_version,
                row.plugin_abilities,
            );
            let bodies = (row.content_type.as_str(), row.envelope.as_str(), row.body_token);
            let configuration = configuration(row.revision, bodies, plugin);
            let corrupt = || StoreError::Corrupt {
                table: "webhook_configurations",
                column: "content_type",
                id: format!("{webhook} {}", row.revision),
            };
            Ok::<_, StoreError>(Revision {
                configuration: configuration.ok_or_else(corrupt)?,
                created_at: Millis(row.created_at),
            })
        };
        let revisions = rows.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::from_rows(revisions, page.limit, Revision::cursor))
    }
}
