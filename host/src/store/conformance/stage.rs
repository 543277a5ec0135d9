//! A store of its own for each test, on each database.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use secrecy::SecretString;
use sqlx::Connection as _;

use crate::domain::clock::Millis;
use crate::domain::delivery::{AttemptOutcome, DeliveryStatus, Trigger};
use crate::domain::entropy::Entropy;
use crate::domain::event::Event;
use crate::domain::id::{DEFAULT_PROJECT, DeliveryId, EventId, RequestId, WebhookId};
use crate::domain::pattern::{EventType, Pattern};
use crate::domain::redact::Redactor;
use crate::domain::request::{BodyKind, FrozenRequest, RequestSpec};
use crate::domain::signature::SigningSecret;
use crate::domain::webhook::{
    Configuration, ContentType, Envelope, OnPluginFailure, OnUncertain, Order, Secrets, SigningKey, State, Target,
    Webhook,
};
use crate::store::{
    Accept, Accepted, Attempt, Beginning, Claim, ClaimedWork, FanOut, Finish, Freeze, Health, Lease, Location,
    NewDelivery, NewEvent, Outlook, RequestEnd, Store, StoreError, WorkKind, WriterSettings,
};

/// The time of every test.
pub(super) const NOW: Millis = Millis(1_769_860_800_000);
const LEASE_MS: u64 = 60_000;

const SETTINGS: WriterSettings = WriterSettings { queue: 64, batch: 32, writers: 2 };

static NUMBER: AtomicU32 = AtomicU32::new(0);

pub(super) struct Stage {
    pub(super) store: Store,
    pub(super) entropy: Entropy,
    pub(super) folder: tempfile::TempDir,
    pub(super) location: Location,
}

impl Store {
    /// Stores events that nobody hands over.
    pub(super) async fn accept(&self, accept: Accept) -> Result<Vec<Accepted>, StoreError> {
        self.accept_then(accept, |_, _| ()).await
    }
}

impl Stage {
    pub(super) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("test.db"));
        Self::open(folder, location).await
    }

    /// The same in a folder that is memory where the system has one: for tests that ask nothing of the disk.
    pub(super) async fn sqlite_in_memory() -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let location = Location::Sqlite(folder.path().join("test.db"));
        Self::open(folder, location).await
    }

    /// A database of its own on the server that `make test` starts.
    pub(super) async fn postgres() -> Self {
        Self::postgres_with("").await
    }

    /// The same, with parameters in the URL.
    #[expect(clippy::disallowed_methods, reason = "where the server is, is told by whoever started it")]
    pub(super) async fn postgres_with(parameters: &str) -> Self {
        let server = std::env::var("HOOKWRIGHT_TEST_POSTGRES").expect(
            "store tests need a PostgreSQL: run them by `make test`, or by scripts/with-postgres.sh cargo test",
        );
        let name = format!("conformance_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
        let mut connection = sqlx::PgConnection::connect(&server).await.unwrap();
        let create = format!("CREATE DATABASE {name}");
        sqlx::query(sqlx::AssertSqlSafe(create)).execute(&mut connection).await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        let location = Location::Postgres { url: format!("{base}/{name}?{parameters}"), connections: 4 };
        Self::open(tempfile::tempdir().unwrap(), location).await
    }

    async fn open(folder: tempfile::TempDir, location: Location) -> Self {
        let entropy = Entropy::seeded(7);
        let store = open(&folder, &location, &entropy).await;
        Self { store, entropy, folder, location }
    }

    /// The same database, opened a second time.
    pub(super) async fn beside(&self) -> Store {
        open(&self.folder, &self.location, &self.entropy).await
    }

    /// The same database, opened by a process that looks after it.
    pub(super) async fn tool(&self) -> Store {
        Store::open_beside(&self.location, &self.key_file(), SETTINGS, &self.entropy).await.unwrap()
    }

    fn key_file(&self) -> std::path::PathBuf {
        self.folder.path().join("keys")
    }

    /// The same database, opened by a process that comes after.
    pub(super) async fn reopen(self) -> Self {
        self.store.close().await;
        let store = open(&self.folder, &self.location, &self.entropy).await;
        Self { store, ..self }
    }

    pub(super) fn webhook(&self) -> Webhook {
        let secrets = Secrets {
            url: "https://example.com/path/of/secret".parse().unwrap(),
            signing_keys: vec![SigningKey {
                secret: SigningSecret::from_bytes(&self.entropy.bytes::<32>()).unwrap(),
                created_at: NOW,
                expires_at: None,
            }],
            bearer_token: Some(SecretString::from("bearer-secret")),
            body_token: Some(SecretString::from("body-secret")),
            headers: vec![("x-team".to_owned(), SecretString::from("team-secret"))],
            plugin: [("key".to_owned(), SecretString::from("plugin-secret"))].into(),
        };
        Webhook {
            id: WebhookId::new(NOW, self.entropy.id()),
            project: DEFAULT_PROJECT,
            external_id: None,
            name: "test".to_owned(),
            description: Some("a test".to_owned()),
            labels: [("a".to_owned(), "b".to_owned())].into(),
            events: vec![Pattern::All],
            filter: None,
            state: State::Enabled,
            configuration: Arc::new(Configuration {
                revision: 1,
                content_type: ContentType::Json,
                envelope: Envelope::Standard,
                body_token: true,
                plugin: None,
            }),
            retry: None,
            timeout_ms: Some(5000),
            on_uncertain: OnUncertain::Retry,
            on_plugin_failure: OnPluginFailure::Park,
            order: Order::None,
            order_wait_ms: None,
            rate_limit: None,
            github_signature: false,
            digest: None,
            is_listener: false,
            expires_at: None,
            redactor: Arc::new(Redactor::new(&secrets.named())),
            target: Target::of(&secrets),
            secrets,
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        }
    }

    /// A stored webhook.
    pub(super) async fn stored_webhook(&self) -> Webhook {
        let webhook = self.webhook();
        self.store.insert_webhook(&webhook, &self.entropy).await.unwrap();
        webhook
    }

    pub(super) fn event(&self) -> Arc<Event> {
        Arc::new(Event {
            id: EventId::new(NOW, self.entropy.id()),
            project: DEFAULT_PROJECT,
            event_type: EventType::parse("ticket.created").unwrap(),
            subject: Some("PAY-17".to_owned()),
            occurred_at: NOW,
            received_at: NOW,
            content_type: "application/json".to_owned(),
            attributes: Vec::new(),
            payload: Some(Bytes::from_static(b"{\"n\": 1}")),
            request_id: Some("7f3c".into()),
        })
    }

    pub(super) fn lease(&self) -> Lease {
        Lease { token: self.entropy.token(), until: NOW.plus(LEASE_MS) }
    }

    pub(super) fn delivery(&self, webhook: &Webhook, kind: WorkKind, lease: Option<Lease>) -> NewDelivery {
        NewDelivery {
            id: DeliveryId::with_room(NOW, self.entropy.id()),
            webhook_id: webhook.id,
            revision: webhook.configuration.revision,
            trigger: Trigger::Event,
            requester: None,
            beginning: Beginning::Open { kind, due: NOW, lease },
            order: None,
        }
    }

    /// A new event with these deliveries.
    pub(super) fn accept_of(&self, deliveries: Vec<NewDelivery>) -> Accept {
        let fan_out = FanOut::Begin { idempotency: None, later: Vec::new() };
        Accept { events: vec![NewEvent { event: self.event(), fan_out, deliveries }], matched_at: None }
    }

    /// A stored event with one delivery.
    pub(super) async fn accepted(&self, webhook: &Webhook, kind: WorkKind, lease: Option<Lease>) -> DeliveryId {
        let delivery = self.delivery(webhook, kind, lease);
        let id = delivery.id;
        self.store.accept(self.accept_of(vec![delivery])).await.unwrap();
        id
    }

    /// Claims what is due, at most `most` of each webhook.
    pub(super) async fn claim(&self, now: Millis, most: usize) -> (Vec<ClaimedWork>, Outlook) {
        let heads = self.store.work_heads(now).await.unwrap();
        let wanted = heads.iter().map(|head| (head.webhook, most)).collect();
        let lease = Lease { token: self.entropy.token(), until: now.plus(LEASE_MS) };
        self.store.claim(Claim { now, lease, wanted, by_hand: Vec::new() }).await.unwrap()
    }

    pub(super) async fn claimed(&self, now: Millis) -> Vec<ClaimedWork> {
        self.claim(now, 100).await.0
    }

    pub(super) fn freeze(webhook: &Webhook, delivery: DeliveryId, lease: Lease, requests: usize) -> Freeze {
        Freeze {
            delivery,
            project: DEFAULT_PROJECT,
            webhook_id: webhook.id,
            lease,
            requests: (0..requests).map(request).map(Arc::new).collect(),
            leases: (0..requests).map(|_| Some(lease)).collect(),
            due: NOW,
            is_ordered: false,
            by_hand: false,
            run: "{}".to_owned(),
        }
    }

    pub(super) fn finish(webhook: &Webhook, request: RequestId, lease: Lease, end: RequestEnd) -> Finish {
        let outcome = if end == RequestEnd::Succeeded { AttemptOutcome::Succeeded } else { AttemptOutcome::Failed };
        Finish {
            request,
            project: DEFAULT_PROJECT,
            webhook_id: webhook.id,
            lease,
            freeze: None,
            attempt: Attempt {
                started_at: NOW,
                // Tells attempts apart.
                duration_ms: u64::from(NUMBER.fetch_add(1, Ordering::SeqCst)),
                outcome,
                error_class: None,
                error: None,
                url: "https://example.com/…".to_owned(),
                status_code: Some(200),
                request_headers: "[]".to_owned(),
                response_headers: Some("[]".to_owned()),
                response_body: Some(b"ok".to_vec()),
                truncated: false,
                verdict: None,
            },
            end,
            only_request: false,
            is_plain: false,
            is_ordered: false,
            learnt: None,
            health: Health::Same,
            disable: None,
            raise: None,
            exhausted: None,
            recovered: None,
            now: NOW,
        }
    }

    /// Does to the database what nothing of the store does.
    pub(super) async fn run_sql(&self, sql: &'static str) {
        self.store.db.transact(move |tx| Box::pin(async move { tx.execute(sql, &[]).await })).await.unwrap();
    }

    pub(super) async fn status(&self, delivery: DeliveryId) -> DeliveryStatus {
        self.store.delivery(DEFAULT_PROJECT, delivery).await.unwrap().unwrap().summary.status
    }
}

async fn open(folder: &tempfile::TempDir, location: &Location, entropy: &Entropy) -> Store {
    Store::open(location, &folder.path().join("keys"), SETTINGS, NOW, entropy).await.unwrap()
}

fn request(number: usize) -> FrozenRequest {
    FrozenRequest {
        spec: RequestSpec {
            label: format!("request {number}"),
            method: "POST".to_owned(),
            path: vec!["cards".to_owned()],
            query: Vec::new(),
            headers: Vec::new(),
            body_kind: BodyKind::Json,
            content_type: Some("application/json".to_owned()),
            credentials: Vec::new(),
            correlation: None,
        },
        body: Bytes::from(format!("{{\"n\":{number}}}")),
    }
}
