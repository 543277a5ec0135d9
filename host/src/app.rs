//! What is started, and in which order it stops.

#[cfg(test)]
mod permissions;

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::api::{self, Api, Door, Live, router, surround};
use crate::config::{Config, DatabaseUrl};
use crate::deliver::{Dispatcher, Guard, Names, Parts, Sender};
use crate::domain::address::AddressPolicy;
use crate::domain::audit::{Actor, Entry, Origin, Target};
use crate::domain::clock::{Clock, Millis};
use crate::domain::entropy::Entropy;
use crate::domain::filter::Filters;
use crate::domain::id::{AuditId, TokenId};
use crate::domain::token::{Permission, Permissions, PlainToken, Token};
use crate::ingest::Ingest;
use crate::jobs::{self, Jobs};
use crate::plugins::{self, Plugins};
use crate::sandbox::{CacheSettings, Compiler, Sandbox};
use crate::schedule::{self, Timetable};
use crate::store::{Location, Store, StoreError, WriterSettings};
use crate::ui::{self, Ui};

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Settings.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The store.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// The plugin host.
    #[error(transparent)]
    Sandbox(#[from] crate::domain::plugin::PluginFailure),
    /// The program itself, which compiles plugins as its own child.
    #[error("this program does not find itself: {0}")]
    Program(std::io::Error),
    /// The HTTP client.
    #[error(transparent)]
    Sender(#[from] crate::deliver::SenderError),
    /// The address.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        reason: std::io::Error,
    },
    /// The admin token's file.
    #[error("the admin token cannot be written to {path}: {reason}")]
    AdminToken {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        reason: std::io::Error,
    },
}

/// Opens the store that the settings name.
pub async fn open_store(config: &Config, clock: &Clock, entropy: &Entropy) -> Result<Store, AppError> {
    let (location, settings) = location(config)?;
    Ok(Store::open(&location, &config.store.key_file()?, settings, clock.now(), entropy).await?)
}

/// Opens the store that the settings name beside servers that run.
pub async fn open_store_beside(config: &Config, entropy: &Entropy) -> Result<Store, AppError> {
    let (location, settings) = location(config)?;
    Ok(Store::open_beside(&location, &config.store.key_file()?, settings, entropy).await?)
}

fn location(config: &Config) -> Result<(Location, WriterSettings), AppError> {
    let settings = WriterSettings {
        queue: config.store.write_queue,
        batch: config.store.write_batch,
        writers: config.store.writers,
    };
    let location = match config.store.location()? {
        DatabaseUrl::Sqlite(path) => Location::Sqlite(path),
        DatabaseUrl::Postgres(url) => Location::Postgres { url, connections: config.store.connections },
    };
    Ok((location, settings))
}

/// Runs the server until told to stop; `started` is told the address that it listens on.
pub async fn serve(config: Config, stop: CancellationToken, started: impl FnOnce(SocketAddr)) -> Result<(), AppError> {
    let (clock, entropy) = (Clock::System, Entropy::System);
    let config = Arc::new(config);
    let store = open_store(&config, &clock, &entropy).await?;
    first_token(&store, &config.store.admin_token_file()?, &clock, &entropy).await?;
    let sandbox = start_sandbox(&config, &store, &clock, &entropy)?;
    let Assembled { api, dispatcher, ingest, jobs, plugins } = assemble(&config, &store, sandbox, &clock, &entropy)?;
    let address = config.server.listen.clone();
    let cannot_listen = |reason| AppError::Listen { address: address.clone(), reason };
    let listener = TcpListener::bind(&address).await.map_err(cannot_listen)?;
    started(listener.local_addr().map_err(cannot_listen)?);
    let claiming = CancellationToken::new();
    let touching = tokio::spawn(dispatcher.clone().keep_in_touch(claiming.clone()));
    let listening = tokio::spawn(dispatcher.clone().listen(claiming.clone()));
    let delivering = tokio::spawn(dispatcher.run(claiming.clone()));
    let sweep = Duration::from_millis(config.delivery.sweep_ms);
    let fanning_out = tokio::spawn(ingest.clone().fan_out(sweep, claiming.clone()));
    let mut working = tokio::spawn(jobs.clone().run(claiming.clone()));
    let timetable = Timetable::new(schedule::Parts {
        store: store.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
        config: config.schedules.clone(),
        digests: config.digests.clone(),
        retention: config.retention.clone(),
        order_wait_ms: config.delivery.order_wait_ms,
        ingest: Some(ingest.clone()),
    });
    let emitting = tokio::spawn(timetable.clone().run(claiming.clone()));
    let removing = tokio::spawn(timetable.keep_house(claiming.clone()));
    let forgetting = tokio::spawn(forget(store.clone(), clock.clone(), config.clone(), stop.clone()));
    let syncing = tokio::spawn(sync_subscriptions(store.clone(), stop.clone()));
    let partitioning =
        tokio::spawn(make_partitions(store.clone(), clock.clone(), config.store.partitions_ms, stop.clone()));
    let checking = tokio::spawn(plugins.clone().run(stop.clone()));
    let noting = tokio::spawn(note_uses(api.clone(), stop.clone()));
    let telling = tokio::spawn(tell_of_new(api.clone(), stop.clone()));
    let ending = tokio::spawn(end_webhooks(store.clone(), clock.clone(), entropy.clone(), stop.clone()));
    let grace = Duration::from_millis(config.server.stop_grace_ms);
    serve_until(listener, all_routes(&api, &clock), stop, grace).await;
    // Nothing comes in any more: finish commits, then what is in hand, then close. What is not finished in time keeps its
    // lease, and the next start sees to it.
    claiming.cancel();
    for at_its_times in [emitting, removing] {
        if let Err(error) = at_its_times.await {
            tracing::error!(%error, "what happens at certain times ended");
        }
    }
    if let Err(error) = fanning_out.await {
        tracing::error!(%error, "the making of a wide event's deliveries ended");
    }
    match tokio::time::timeout(grace, &mut working).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "the doing of jobs ended"),
        Err(_) => {
            working.abort();
            tracing::warn!("a job's step does not end; the next start does it again");
        }
    }
    if tokio::time::timeout(grace, delivering).await.is_err() {
        tracing::warn!("some deliveries are still on their way; the next start goes on with them");
    }
    for task in [forgetting, noting, telling, ending, syncing, touching, listening, partitioning, checking] {
        task.abort();
    }
    if let Err(error) = api.door.note_uses(&store).await {
        tracing::warn!(%error, "when tokens were used last cannot be stored");
    }
    if let Err(error) = store.leave().await {
        tracing::warn!(%error, "other nodes cannot be told that this one goes");
    }
    store.close().await;
    Ok(())
}

/// The API, and the pages that are made of it.
fn all_routes(api: &Api, clock: &Clock) -> axum::Router {
    let routes = router(api.clone());
    let pages = ui::router(Ui { api: routes.clone(), clock: clock.clone() });
    routes.merge(surround(api, pages))
}

/// What a server consists of, before any of it runs.
struct Assembled {
    api: Api,
    dispatcher: Arc<Dispatcher>,
    ingest: Ingest,
    jobs: Jobs,
    plugins: Plugins,
}

fn assemble(
    config: &Arc<Config>,
    store: &Store,
    sandbox: Sandbox,
    clock: &Clock,
    entropy: &Entropy,
) -> Result<Assembled, AppError> {
    let policy = AddressPolicy::new(config.network.allow.iter().copied());
    let names = Names::system(Duration::from_millis(config.network.lookup_timeout_ms));
    let guard = Guard::new(policy, config.network.allow_http, names);
    let sender = Sender::new(guard.clone(), &config.network, &config.delivery)?;
    let dispatcher = Dispatcher::new(Parts {
        store: store.clone(),
        sandbox: sandbox.clone(),
        sender,
        clock: clock.clone(),
        entropy: entropy.clone(),
        delivery: config.delivery.clone(),
        plugins: config.plugins.clone(),
    });
    let plugins = Plugins::new(plugins::Parts {
        store: store.clone(),
        sandbox,
        clock: clock.clone(),
        entropy: entropy.clone(),
        config: config.plugins.clone(),
    });
    let filters = Arc::new(Filters::new(config.filters));
    let jobs = Jobs::new(jobs::Parts {
        store: store.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
        config: config.jobs,
        order_wait_ms: config.delivery.order_wait_ms,
        sweep_ms: config.delivery.sweep_ms,
        filters: filters.clone(),
        log_rows: config.log.scan_rows,
        replays_max: config.ingest.fan_out_commit,
        plugins: plugins.clone(),
    });
    let ingest = Ingest::new(store.clone(), dispatcher.clone(), filters.clone(), entropy.clone(), config.ingest);
    let api = Api::new(api::Parts {
        store: store.clone(),
        ingest: ingest.clone(),
        jobs: jobs.clone(),
        plugins: plugins.clone(),
        guard,
        filters,
        clock: clock.clone(),
        entropy: entropy.clone(),
        config: config.clone(),
        door: Door::new(config),
        live: Arc::new(Live::default()),
    });
    Ok(Assembled { api, dispatcher, ingest, jobs, plugins })
}

fn start_sandbox(config: &Config, store: &Store, clock: &Clock, entropy: &Entropy) -> Result<Sandbox, AppError> {
    let cache = CacheSettings {
        folder: config.store.plugin_cache(&config.plugins)?,
        key: store.derived_key("compiled plugins"),
        bytes_max: config.plugins.cache_bytes,
        entropy: entropy.clone(),
        clock: clock.clone(),
    };
    let compiler = Compiler::this_program(&config.plugins).map_err(AppError::Program)?;
    Ok(Sandbox::start(&config.plugins, compiler, cache)?)
}

/// Learns of changes that other nodes made: what is disabled, deleted or revoked there is so here within a second.
async fn sync_subscriptions(store: Store, stop: CancellationToken) {
    const PAUSE: Duration = Duration::from_millis(500);
    while !stop.is_cancelled() {
        tokio::time::sleep(PAUSE).await;
        if let Err(error) = store.sync_subscriptions().await {
            tracing::warn!(%error, "changes of webhooks cannot be read");
        }
    }
}

/// Forgets idempotency keys that no longer count, sessions that have ended, jobs that ended long ago, and results of too many
/// backtests, in small steps.
async fn forget(store: Store, clock: Clock, config: Arc<Config>, stop: CancellationToken) {
    const PAUSE: Duration = Duration::from_mins(1);
    const HOUR_MS: i64 = 60 * 60 * 1000;
    const DAY_MS: i64 = 24 * HOUR_MS;
    while !stop.is_cancelled() {
        let now = clock.now();
        let ended_before = Millis(now.0 - i64::from(config.jobs.keep_days) * DAY_MS);
        // An hour later than they end: whoever was just active, and has not been noted yet, is none of them.
        let idle_ms = i64::try_from(config.accounts.session_idle_ms).unwrap_or(i64::MAX).saturating_add(HOUR_MS);
        let idle_since = Millis(now.0.saturating_sub(idle_ms));
        let window_ms = i64::try_from(config.accounts.login_window_ms).unwrap_or(i64::MAX);
        let login_windows_since = Millis(now.0.saturating_sub(window_ms));
        let forgotten = async {
            let results = store.forget_results(config.jobs.backtests_kept).await?;
            let (keys, jobs) = (store.forget_keys(now).await?, store.forget_jobs(ended_before).await?);
            store.forget_sessions(now, idle_since).await?;
            store.forget_login_failures(login_windows_since).await?;
            Ok::<_, StoreError>(results + keys + jobs)
        };
        match forgotten.await {
            Ok(0) => tokio::time::sleep(PAUSE).await,
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => {
                tracing::warn!(%error, "what is old cannot be forgotten");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Deletes webhooks whose time is over, within seconds: listeners whose listener is gone are among them.
async fn end_webhooks(store: Store, clock: Clock, entropy: Entropy, stop: CancellationToken) {
    const PAUSE: Duration = Duration::from_secs(5);
    while !stop.is_cancelled() {
        tokio::time::sleep(PAUSE).await;
        let now = clock.now();
        let ended = async {
            for (project, id) in store.ended_webhooks(now).await? {
                let entry = Entry {
                    id: AuditId::new(now, entropy.id()),
                    project: Some(project),
                    actor: Actor::system("its time was over"),
                    origin: Origin::default(),
                    action: "webhook.deleted",
                    target: Target::new("webhook", id),
                    before: None,
                    after: None,
                };
                store.audited(entry).delete_webhook(project, id, now).await?;
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = ended.await {
            tracing::warn!(%error, "webhooks whose time is over cannot be deleted");
        }
    }
}

/// Stores now and then when tokens and sessions were used last.
async fn note_uses(api: Api, stop: CancellationToken) {
    const PAUSE: Duration = Duration::from_mins(1);
    while !stop.is_cancelled() {
        tokio::time::sleep(PAUSE).await;
        if let Err(error) = api.door.note_uses(&api.store).await {
            tracing::warn!(%error, "when tokens were used last cannot be stored");
        }
    }
}

/// Tells whoever listens that there is something new.
async fn tell_of_new(api: Api, stop: CancellationToken) {
    api.live.run(&api.store, &api.clock, &stop).await;
}

/// Makes room for the coming months' history, long before it is needed.
async fn make_partitions(store: Store, clock: Clock, pause_ms: u64, stop: CancellationToken) {
    while !stop.is_cancelled() {
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        if let Err(error) = store.make_partitions(clock.now()).await {
            tracing::warn!(%error, "the coming months' partitions cannot be made");
        }
    }
}

async fn serve_until(listener: TcpListener, router: axum::Router, stop: CancellationToken, grace: Duration) {
    let stopping = stop.clone();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(async move { stop.cancelled().await });
    let deadline = async move {
        stopping.cancelled().await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        result = serving.into_future() => {
            if let Err(error) = result {
                tracing::error!(%error, "the HTTP server ended");
            }
        }
        () = deadline => tracing::warn!("some connections did not end in time"),
    }
}

/// Makes the first token, for everything, and writes it where only the server's user can read it.
async fn first_token(store: &Store, path: &Path, clock: &Clock, entropy: &Entropy) -> Result<(), AppError> {
    if store.has_tokens().await? {
        return Ok(());
    }
    let plain = PlainToken::from_bytes(entropy.bytes());
    let write = || -> std::io::Result<()> {
        use std::io::Write as _;
        // A file of an earlier database would keep its mode, so it is made anew.
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        writeln!(file, "{}", plain.expose())?;
        file.sync_all()
    };
    write().map_err(|reason| AppError::AdminToken { path: path.to_owned(), reason })?;
    let now = clock.now();
    let token = Token {
        id: TokenId::new(now, entropy.id()),
        project: None,
        name: "first admin token".to_owned(),
        prefix: plain.shown(),
        permissions: Permissions::of(&[Permission::Admin]),
        expires_at: None,
        created_by: Actor::system("first start").to_string(),
        created_at: now,
        last_used_at: None,
        version: 1,
    };
    let entry = Entry {
        id: AuditId::new(now, entropy.id()),
        project: None,
        actor: Actor::system("first start"),
        origin: Origin::default(),
        action: "token.created",
        target: Target::new("token", token.id),
        before: None,
        after: None,
    };
    store.audited(entry).insert_token(&token, plain.hash()).await?;
    tracing::info!(file = %path.display(), "first start: the admin token is in this file");
    if std::io::stderr().is_terminal() {
        eprintln!("admin token (shown once, also in {}): {}", path.display(), plain.expose());
    }
    Ok(())
}
