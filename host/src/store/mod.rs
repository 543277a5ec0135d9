//! Everything that outlasts the process, as whole use cases. What differs between databases stands in their own files.

mod audit;
mod backtests;
mod batch;
mod claims;
#[cfg(test)]
mod conformance;
mod db;
mod deliveries;
mod digests;
mod event_types;
mod events;
mod facts;
mod failures;
mod fan_out;
mod idempotency;
mod jobs;
mod keyring;
mod keys;
mod load;
mod logins;
mod nodes;
mod overview;
mod owners;
mod partitions;
mod pauses;
mod plugins;
mod postgres;
mod projects;
mod record;
mod recorded;
mod remake;
mod replay;
mod reprocess;
mod resend;
mod retention;
mod revisions;
mod roles;
mod rows;
mod schedules;
mod sealed;
mod sessions;
mod sqlite;
mod standing;
mod subscriptions;
mod text;
mod tokens;
mod users;
mod value;
mod webhooks;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use db::reading;

pub use audit::{AuditSearch, LoggedEntry};
pub use backtests::ResultView;
pub use claims::{Claim, ClaimedSend, ClaimedTransform, ClaimedWork, DeliveryHead, LoadedRequest, Outlook, WorkHead};
pub use deliveries::{AttemptView, DeliverySummary, DeliveryView, Found, RequestView, Search, plain_request};
pub use digests::{ClosedDigest, Collected, Collecting};
pub use event_types::StoredType;
pub use facts::FactView;
pub use fan_out::FanOutStep;
pub use jobs::{ClaimedJob, InsertedJob, JobFilter, JobStep};
pub use keyring::{KeyRing, KeyRingError};
pub use keys::Resealed;
pub use logins::{LoginKey, LoginLimit};
pub use nodes::WakeUps;
pub use overview::{COUNTED_MAX, Recent};
pub use owners::Ownership;
pub use plugins::{Deleted, PluginFilter, Quota, Stored, USERS_SHOWN};
pub use projects::DeletedProject;
pub use record::{
    Accept, Accepted, Attempt, Beginning, FanOut, Finish, Finished, Freeze, Health, InOrder, Learnt, Lease,
    NewDelivery, NewEvent, Postpone, RequestEnd, Settle, WorkKind,
};
pub use recorded::{RecordedDelivery, Scan, Scanned};
pub use remake::Remake;
pub use replay::{Recovered, Replay, Replayed, Wanted};
pub use reprocess::Reprocessed;
pub use resend::{Acted, Chosen, Many};
pub use retention::{Sweep, Swept};
pub use revisions::Revision;
pub use roles::ChangedRole;
pub use schedules::{Firing, RanByHand, StoredSchedule};
pub use sessions::LoggedIn;
pub use standing::Standing;
pub use subscriptions::Snapshot;
pub use tokens::TokensOf;
pub use users::{ChangedUser, UserFilter};
pub use webhooks::OpenWork;
pub use writer::WriterSettings;

use crate::domain::audit::Entry;
use crate::domain::clock::Millis;
use crate::domain::entropy::Entropy;
use crate::domain::problem::{Problem, ProblemCode};

/// What can go wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer, or nobody knows what became of a commit.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// Too much waits for a commit already.
    #[error("too much waits for a commit already")]
    Overloaded,
    /// Another transaction stood in the way, several times.
    #[error("the database is contended")]
    Contended,
    /// The project was deleted meanwhile; nothing was stored.
    #[error("the project was deleted")]
    NoProject,
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
                if database.is_unique_violation() || database.is_foreign_key_violation() =>
            {
                Self::Constraint(error.to_string())
            }
            // PostgreSQL: serialization failure, deadlock, and a row on its way to the default partition while its own was
            // made. No table has a check of its own.
            sqlx::Error::Database(database)
                if database.code().is_some_and(|code| matches!(&*code, "40001" | "40P01" | "23514")) =>
            {
                Self::Contended
            }
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

impl StoreError {
    /// The same for the next of several callers that share it.
    fn again(&self) -> Self {
        match self {
            Self::Contended => Self::Contended,
            Self::Overloaded => Self::Overloaded,
            Self::NoProject => Self::NoProject,
            Self::Constraint(reason) => Self::Constraint(reason.clone()),
            Self::Corrupt { table, column, id } => Self::Corrupt { table, column, id: id.clone() },
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Contended => Self {
                retry_after_s: Some(1),
                ..Self::new(ProblemCode::StoreUnavailable, "the database does not answer; nothing was stored")
            },
            StoreError::Overloaded => Self {
                retry_after_s: Some(1),
                ..Self::new(ProblemCode::Overloaded, "the server takes no more for the moment; nothing was stored")
            },
            StoreError::NoProject => Self::not_found("project"),
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
    parts: Arc<Parts>,
    /// What the audit log says of what is changed through this one.
    entry: Option<Arc<Entry>>,
}

/// What a store consists of.
#[derive(Debug)]
pub struct Parts {
    db: db::Db,
    writer: writer::Writer,
    keys: KeyRing,
    subscriptions: subscriptions::Subscriptions,
    failures: failures::Failures,
    /// How far the database's clock is ahead of this machine's.
    clock_offset_ms: AtomicI64,
    /// Tells this process from others that share the database: random.
    node: i64,
}

impl std::ops::Deref for Store {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

/// Where things are stored.
#[derive(Debug, Clone)]
pub enum Location {
    /// A file on this machine, held by one process.
    Sqlite(PathBuf),
    /// A PostgreSQL server, shared by any number of nodes.
    Postgres {
        /// `postgres://user:password@host/database`.
        url: String,
        /// Connections of this node.
        connections: u32,
    },
}

impl Store {
    /// Opens the database and brings its schema up to date. On SQLite the leases of a process that is gone are freed.
    pub async fn open(
        location: &Location,
        key_file: &Path,
        settings: WriterSettings,
        now: Millis,
        entropy: &Entropy,
    ) -> Result<Self, StoreError> {
        const SEALED: &str = "SELECT count(*) FROM webhooks WHERE length(sealed) > 0";
        let db = match location {
            Location::Sqlite(path) => {
                sqlite::migrate(path).await?;
                sqlite::open(path).await?
            }
            Location::Postgres { url, connections } => {
                let db = postgres::open(url, *connections).await?;
                postgres::migrate(&db, now).await?;
                db
            }
        };
        let sealed: i64 = reading!(&db, pool => sqlx::query_scalar(SEALED).fetch_one(pool).await?);
        let keys = KeyRing::open_or_create(key_file, sealed > 0, entropy)?;
        if let db::Db::Sqlite { writer, .. } = &db {
            writer.transact(|tx| Box::pin(sqlite::free_leases(tx))).await?;
        }
        let store = Self::of(db, keys, settings, entropy);
        store.sync_subscriptions().await?;
        store.sync_failing().await?;
        Ok(store)
    }

    /// Opens a database that is in use, perhaps by a server, to look after it: its schema and what is in hand stay as they
    /// are, and no webhook is read.
    pub async fn open_beside(
        location: &Location,
        key_file: &Path,
        settings: WriterSettings,
        entropy: &Entropy,
    ) -> Result<Self, StoreError> {
        let db = match location {
            Location::Sqlite(path) if !path.exists() => {
                return Err(StoreError::Open(format!("there is none at {}", path.display())));
            }
            Location::Sqlite(path) => sqlite::open(path).await?,
            Location::Postgres { url, connections } => postgres::open(url, *connections).await?,
        };
        Ok(Self::of(db, KeyRing::open_existing(key_file)?, settings, entropy))
    }

    fn of(db: db::Db, keys: KeyRing, settings: WriterSettings, entropy: &Entropy) -> Self {
        let writer = writer::Writer::start(&db, settings);
        let subscriptions = subscriptions::Subscriptions::default();
        let (node, clock_offset_ms) = (entropy.token(), AtomicI64::new(0));
        let failures = failures::Failures::default();
        let parts = Parts { db, writer, keys, subscriptions, failures, clock_offset_ms, node };
        Self { parts: Arc::new(parts), entry: None }
    }

    /// Every webhook as it is now, without asking the database.
    pub fn subscriptions(&self) -> Arc<Snapshot> {
        self.subscriptions.snapshot()
    }

    /// A key for another purpose than sealing, made of the key ring.
    pub fn derived_key(&self, purpose: &str) -> secrecy::SecretBox<[u8; 32]> {
        self.keys.derived(purpose)
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        reading!(&self.db, pool => sqlx::query("SELECT 1").execute(pool).await.map(drop)?);
        Ok(())
    }

    /// Makes room for the history of this month and the next two, where history is kept by month.
    pub async fn make_partitions(&self, now: Millis) -> Result<(), StoreError> {
        match &self.db {
            db::Db::Sqlite { .. } => Ok(()),
            db::Db::Postgres(pool) => partitions::make(pool, now).await,
        }
    }

    /// Commits what is waiting and closes the database.
    pub async fn close(&self) {
        self.writer.stop().await;
        self.db.close().await;
    }
}
