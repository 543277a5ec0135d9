//! Everything that outlasts the process, as whole use cases. What differs between databases stands in their own files.

mod claims;
mod deliveries;
mod events;
mod keyring;
mod plugins;
mod record;
mod sealed;
mod sqlite;
mod subscriptions;
mod tokens;
mod webhooks;
mod writer;

use std::sync::Arc;

use sqlx::SqlitePool;

pub use claims::{Claim, ClaimedSend, ClaimedTransform, ClaimedWork, DeliveryHead, LoadedRequest, Outlook};
pub use deliveries::{AttemptView, DeliveryFilter, DeliverySummary, DeliveryView, RequestView};
pub use keyring::{KeyRing, KeyRingError};
pub use plugins::Stored;
pub use record::{
    Accept, Attempt, Beginning, Finish, Finished, Freeze, Lease, NewDelivery, Postpone, RequestEnd, Settle, WorkKind,
};
pub use subscriptions::Snapshot;
pub use webhooks::OpenWork;
pub use writer::WriterSettings;

use crate::domain::entropy::Entropy;
use crate::domain::problem::{Problem, ProblemCode};

/// What can go wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer, or nobody knows what became of a commit.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// A record breaks a constraint; nothing of it was stored.
    #[error("the record breaks a constraint: {0}")]
    Constraint(String),
    /// A row is not as it must be.
    #[error("the row {id} of {table} has an unreadable {column}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        id: String,
    },
    /// A sealed value cannot be opened.
    #[error(transparent)]
    KeyRing(#[from] KeyRingError),
    /// The database file or its schema cannot be used.
    #[error("the database cannot be opened: {0}")]
    Open(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database)
                if database.is_unique_violation()
                    || database.is_check_violation()
                    || database.is_foreign_key_violation() =>
            {
                Self::Constraint(error.to_string())
            }
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self {
                retry_after_s: Some(1),
                ..Self::new(ProblemCode::StoreUnavailable, "the database does not answer; nothing was stored")
            },
            StoreError::Constraint(_) => Self::new(ProblemCode::Conflict, "it is there already"),
            StoreError::Corrupt { .. } | StoreError::KeyRing(_) | StoreError::Open(_) => {
                tracing::error!(%error, "store");
                Self::new(ProblemCode::Internal, "something went wrong in the server; its log says more")
            }
        }
    }
}

/// The store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    read: SqlitePool,
    write: SqlitePool,
    writer: writer::Writer,
    keys: Arc<KeyRing>,
    subscriptions: Arc<subscriptions::Subscriptions>,
}

impl Store {
    /// Opens the database at `path`, brings its schema up to date, and frees the leases of a process that is gone: one
    /// process holds the file.
    pub async fn open_sqlite(
        path: &std::path::Path,
        key_file: &std::path::Path,
        settings: WriterSettings,
        entropy: &Entropy,
    ) -> Result<Self, StoreError> {
        let (write, read) = sqlite::open(path).await?;
        let has_sealed = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM webhooks WHERE length(sealed) > 0")
            .fetch_one(&write)
            .await?
            > 0;
        let keys = Arc::new(KeyRing::open_or_create(key_file, has_sealed, entropy)?);
        sqlite::free_leases(&write).await?;
        let writer = writer::Writer::start(write.clone(), settings);
        let store = Self { read, write, writer, keys, subscriptions: Arc::default() };
        store.load_subscriptions().await?;
        Ok(store)
    }

    /// Every webhook as it is now, without asking the database.
    pub fn subscriptions(&self) -> Arc<Snapshot> {
        self.subscriptions.snapshot()
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.read).await?;
        Ok(())
    }

    /// Commits what is waiting and closes the database.
    pub async fn close(&self) {
        self.writer.stop().await;
        self.read.close().await;
        self.write.close().await;
    }
}
