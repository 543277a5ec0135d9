//! Settings: defaults, then `hookwright.toml`, then `HOOKWRIGHT_SECTION_NAME` from the environment, then flags.
//! Every limit of the server stands here with its unit and its default.

mod accounts;
mod schedules;
mod shown;

use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::domain::filter::FilterLimits;
use crate::domain::rules::RequestLimits;
use crate::domain::schema::SchemaLimits;
use crate::domain::verdict::VerdictLimits;

pub use accounts::{AccountsConfig, LimitsConfig};
pub use schedules::{DigestConfig, RetentionConfig, ScheduleConfig};
pub use shown::Setting;

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {path} cannot be read: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Something in it is not understood.
    #[error("the configuration is not understood: {0}")]
    Invalid(String),
}

/// All settings.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The HTTP API.
    pub server: ServerConfig,
    /// Where things are stored.
    pub store: StoreConfig,
    /// Which addresses may be called, and how connections are made.
    pub network: NetworkConfig,
    /// How deliveries are made.
    pub delivery: DeliveryConfig,
    /// How posted events become deliveries.
    pub ingest: IngestConfig,
    /// What filters of webhooks may cost.
    pub filters: FilterLimits,
    /// What plugins may use.
    pub plugins: PluginConfig,
    /// Long work.
    pub jobs: JobConfig,
    /// What happens at certain times.
    pub schedules: ScheduleConfig,
    /// What webhooks collect.
    pub digests: DigestConfig,
    /// How long history is kept.
    pub retention: RetentionConfig,
    /// The log of deliveries, and the audit log.
    pub log: LogConfig,
    /// Who gets in.
    pub accounts: AccountsConfig,
    /// How much each token, or user, may ask for.
    pub limits: LimitsConfig,
}

/// The HTTP API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port; port 0 takes a free one.
    pub listen: String,
    /// Largest body of a request in bytes, plugins apart.
    pub body_max_bytes: usize,
    /// Largest payload of an event in bytes.
    pub payload_max_bytes: usize,
    /// How long open requests may go on after the signal to stop, in milliseconds.
    pub stop_grace_ms: u64,
    /// Where people reach the server, like `https://hooks.example`. With https, cookies are sent over https only.
    pub public_url: Option<Url>,
    /// Proxies that are believed when they say from where a request came (`X-Forwarded-For`, `X-Forwarded-Proto`).
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            body_max_bytes: 2 * 1024 * 1024,
            payload_max_bytes: 1024 * 1024,
            stop_grace_ms: 25_000,
            public_url: None,
            trusted_proxies: Vec::new(),
        }
    }
}

/// Where things are stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// `sqlite:FILE` or `postgres://user:password@host/database`.
    pub database: String,
    /// Connections of this node to PostgreSQL.
    pub connections: u32,
    /// Commits on their way to PostgreSQL at once; SQLite has one writer.
    pub writers: usize,
    /// The key ring that seals secrets; by default next to the database file, or `hookwright.keys` in this folder.
    pub key_file: Option<PathBuf>,
    /// Where the first admin token is written; by default next to the database.
    pub admin_token_file: Option<PathBuf>,
    /// Records that may wait for a commit.
    pub write_queue: usize,
    /// Most records of one commit.
    pub write_batch: usize,
    /// How often PostgreSQL is looked at for partitions of the coming months to be made, in milliseconds.
    pub partitions_ms: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            database: "sqlite:hookwright.db".to_owned(),
            connections: 12,
            writers: 3,
            key_file: None,
            admin_token_file: None,
            write_queue: 4096,
            write_batch: 512,
            partitions_ms: 60 * 60 * 1000,
        }
    }
}

/// Where things are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(String),
}

impl StoreConfig {
    /// What `database` says.
    pub fn location(&self) -> Result<DatabaseUrl, ConfigError> {
        if self.database.starts_with("postgres://") || self.database.starts_with("postgresql://") {
            return Ok(DatabaseUrl::Postgres(self.database.clone()));
        }
        let path = self.database.strip_prefix("sqlite:").map(|path| path.trim_start_matches("//"));
        match path {
            Some(path) if !path.is_empty() => Ok(DatabaseUrl::Sqlite(PathBuf::from(path))),
            // The text may hold a password, so it is not repeated.
            _ => Err(ConfigError::Invalid(
                "`store.database` is sqlite:FILE or postgres://user:password@host/database".to_owned(),
            )),
        }
    }

    /// The key ring's file.
    pub fn key_file(&self) -> Result<PathBuf, ConfigError> {
        self.beside(self.key_file.as_deref(), "keys")
    }

    /// The folder of compiled plugins that `plugins` names.
    pub fn plugin_cache(&self, plugins: &PluginConfig) -> Result<PathBuf, ConfigError> {
        self.beside(plugins.cache_folder.as_deref(), "plugin-cache")
    }

    /// The file of the first admin token.
    pub fn admin_token_file(&self) -> Result<PathBuf, ConfigError> {
        self.beside(self.admin_token_file.as_deref(), "admin-token")
    }

    fn beside(&self, set: Option<&Path>, extension: &str) -> Result<PathBuf, ConfigError> {
        match set {
            Some(path) => Ok(path.to_owned()),
            None => Ok(match self.location()? {
                DatabaseUrl::Sqlite(path) => path.with_extension(extension),
                DatabaseUrl::Postgres(_) => PathBuf::from("hookwright").with_extension(extension),
            }),
        }
    }
}

/// Which addresses may be called, and how connections are made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// Networks that may be called although they are not public, like `10.1.0.0/16`.
    pub allow: Vec<IpNet>,
    /// Whether http may be used for public addresses too.
    pub allow_http: bool,
    /// Certificates (PEM) of authorities that are trusted besides the operating system's.
    pub ca_file: Option<PathBuf>,
    /// `http://` or `https://[user:password@]host[:port]` of a proxy that opens tunnels (CONNECT) to public addresses; networks
    /// that are allowed are called directly. Proxies that the environment names are not used.
    pub proxy: Option<String>,
    /// Whether the proxy looks names up. Then it has to refuse names that lead to addresses inside.
    pub proxy_resolves: bool,
    /// Longest wait for the addresses of a name, in milliseconds.
    pub lookup_timeout_ms: u64,
    /// Time to connect (addresses, connection, TLS), in milliseconds.
    pub connect_timeout_ms: u64,
    /// How long an unused connection is kept, in milliseconds. Shorter than what receivers usually keep them (a minute), so
    /// that a request rarely meets a connection that is being closed.
    pub idle_timeout_ms: u64,
    /// Unused connections that are kept for one host.
    pub idle_per_host: usize,
    /// Most bytes of an answer's headers; 8 KiB to 1 MiB. An answer has at most 100 headers over HTTP/1.1.
    pub response_headers_bytes: u32,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            allow_http: false,
            ca_file: None,
            proxy: None,
            proxy_resolves: false,
            lookup_timeout_ms: 5000,
            connect_timeout_ms: 10_000,
            idle_timeout_ms: 50_000,
            idle_per_host: 256,
            response_headers_bytes: 64 * 1024,
        }
    }
}

impl NetworkConfig {
    /// What `proxy` says.
    pub fn proxy(&self) -> Result<Option<Url>, ConfigError> {
        let Some(text) = &self.proxy else { return Ok(None) };
        let is_proxy = |url: &Url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.port() != Some(0)
                && url.path() == "/"
                && url.query().is_none()
                && url.fragment().is_none()
        };
        let proxy = Url::parse(text).ok().filter(is_proxy);
        // The text may hold a password, so it is not repeated.
        let wrong = || ConfigError::Invalid("`network.proxy` is http(s)://[user:password@]host[:port]".to_owned());
        proxy.map(Some).ok_or_else(wrong)
    }
}

/// How posted events become deliveries.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngestConfig {
    /// Deliveries that are made together with an event; when more webhooks want it, the others follow in steps of so many.
    pub fan_out_step: usize,
    /// Deliveries that are made together with all events of an array; what goes beyond follows in steps.
    pub fan_out_commit: usize,
    /// Types of events that a project may describe.
    pub event_types_per_project: u64,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self { fan_out_step: 1000, fan_out_commit: 10_000, event_types_per_project: 1000 }
    }
}

/// How deliveries are made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryConfig {
    /// Deliveries in hand at once.
    pub in_hand_max: usize,
    /// Deliveries of one webhook in hand at once.
    pub in_hand_per_webhook: usize,
    /// Deliveries in hand at once of all webhooks that share a target: a host and the credentials that it knows us by.
    pub in_hand_per_target: usize,
    /// Time for one attempt over headers and body, in milliseconds, when a webhook says nothing.
    pub timeout_ms: u64,
    /// Longest time that a webhook may ask for, in milliseconds.
    pub timeout_max_ms: u64,
    /// How much of an answer is kept, in bytes.
    pub response_kept_bytes: usize,
    /// How much longer than the longest attempt a lease lasts, in milliseconds.
    pub lease_margin_ms: u64,
    /// How often work is looked for that no signal announced, in milliseconds.
    pub sweep_ms: u64,
    /// Most bytes of headers kept of an answer.
    pub response_headers_kept_bytes: usize,
    /// Longest wait of a delivery for an earlier one, in milliseconds, when a webhook with an order says nothing.
    pub order_wait_ms: u64,
    /// Longest such wait that a webhook may ask for, in milliseconds; at most 7 days.
    pub order_wait_max_ms: u64,
    /// Failed attempts in a row after which a webhook's requests pause; 0: never.
    pub breaker_failures: u32,
    /// First such pause, in milliseconds; then one request tries, and each failure doubles the pause.
    pub breaker_pause_ms: u64,
    /// Longest such pause, in milliseconds.
    pub breaker_pause_max_ms: u64,
    /// Longest time that is left between two requests to a receiver that answers 429 or 5xx, in milliseconds; 0: none.
    pub slow_down_max_ms: u64,
    /// A webhook at which nothing has arrived for so long is disabled, in milliseconds; 0: never.
    pub disable_after_ms: u64,
    /// But only if so many deliveries have failed since.
    pub disable_after_failures: u32,
    /// How long the answer to a trigger or a test waits for the result, in milliseconds.
    pub result_wait_ms: u64,
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        Self {
            in_hand_max: 1024,
            in_hand_per_webhook: 256,
            in_hand_per_target: 512,
            timeout_ms: 20_000,
            timeout_max_ms: 60_000,
            response_kept_bytes: 16 * 1024,
            lease_margin_ms: 30_000,
            sweep_ms: 5000,
            response_headers_kept_bytes: 16 * 1024,
            order_wait_ms: 10 * 60 * 1000,
            order_wait_max_ms: 24 * 60 * 60 * 1000,
            breaker_failures: 20,
            breaker_pause_ms: 10_000,
            breaker_pause_max_ms: 5 * 60 * 1000,
            slow_down_max_ms: 1000,
            disable_after_ms: 5 * 24 * 60 * 60 * 1000,
            disable_after_failures: 10,
            result_wait_ms: 30_000,
        }
    }
}

impl DeliveryConfig {
    /// How long a lease lasts, in milliseconds: longer than the longest attempt.
    pub const fn lease_ms(&self) -> u64 {
        self.timeout_max_ms + self.lease_margin_ms
    }
}

/// Long work.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobConfig {
    /// Deliveries that a job makes in one step, which is one transaction; at most 1,000.
    pub step: usize,
    /// Jobs of one project that may be open.
    pub open_per_project: u64,
    /// Deliveries or events that are looked at to say how much a job will do; beyond that nobody knows.
    pub count_rows: u32,
    /// How long a job that has ended is kept, in days.
    pub keep_days: u32,
    /// Backtests of one project that may be open.
    pub backtests_open: u64,
    /// Most events of one backtest; at most 100,000.
    pub backtest_events: u64,
    /// Backtests of one project of which the results are kept, newest first; at most 1,000.
    pub backtests_kept: u64,
    /// How much is kept of what is different for one event of a backtest, in bytes; at most 1 MiB.
    pub backtest_diff_bytes: usize,
}

impl Default for JobConfig {
    fn default() -> Self {
        Self {
            step: 100,
            open_per_project: 100,
            count_rows: 10_000,
            keep_days: 30,
            backtests_open: 4,
            backtest_events: 10_000,
            backtests_kept: 20,
            backtest_diff_bytes: 8 * 1024,
        }
    }
}

/// The log of deliveries, and the audit log.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Deliveries, or lines of the audit log, that one request looks at; then it says where to go on.
    pub scan_rows: u32,
    /// The same for one that looks for a text in payloads and answers.
    pub search_rows: u32,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { scan_rows: 10_000, search_rows: 1000 }
    }
}

/// What plugins may use.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginConfig {
    /// Threads that run plugins; 0 means one for each processor.
    pub threads: usize,
    /// Runs that may wait for a thread.
    pub queue: usize,
    /// CPU time of one run in milliseconds; at most 1,000.
    pub cpu_ms: u64,
    /// A run that gets no processor ends after so many times its CPU time; at most 100.
    pub wall_times_cpu: u32,
    /// Memory of one run over all its memories, in bytes; at most 256 MiB.
    pub memory_bytes: usize,
    /// Largest component in bytes; at most 32 MiB.
    pub component_bytes: usize,
    /// Largest result of one run in bytes; at most 16 MiB.
    pub result_bytes: usize,
    /// Elements over all tables of one run; at most 1,000,000.
    pub table_elements: usize,
    /// Memories, tables and instances of modules that a component has; at most 64 each.
    pub memories: usize,
    /// See `memories`.
    pub tables: usize,
    /// See `memories`.
    pub instances: usize,
    /// Handles to resources that one run may hold; at most 10,000.
    pub handles: usize,
    /// Stack of one run in bytes; at most 1 MiB.
    pub stack_bytes: usize,
    /// Log lines of one run; at most 1,000. What is more is counted.
    pub log_lines: usize,
    /// Bytes of one log line; at most 64 KiB.
    pub log_line_bytes: usize,
    /// Bytes of the log of one run; at most 1 MiB.
    pub log_bytes: usize,
    /// What its requests may hold.
    pub requests: RequestLimits,
    /// Calls of `memory.recall` of one run; at most 10,000.
    pub recalls: usize,
    /// What a verdict on an answer may hold.
    pub verdict: VerdictLimits,
    /// Facts that a webhook's plugins may remember; at most 1,000,000. What was not told again for longest goes first.
    pub facts_per_webhook: usize,
    /// How much of an answer's body a plugin may read that interprets it, in bytes; at most 4 MiB.
    pub answer_bytes: usize,
    /// How long an answer waits for its interpretation, in milliseconds; then the status alone counts. At most 60,000.
    pub interpreter_wait_ms: u64,
    /// What the schema of its configuration may hold and cost.
    pub schema: SchemaLimits,
    /// Largest manifest in bytes; at most 4 MiB.
    pub manifest_bytes: usize,
    /// Most golden cases of one manifest; at most 1,000.
    pub cases: usize,
    /// Versions of plugins that a project may have.
    pub versions_per_project: u64,
    /// Bytes that a project's components may have together.
    pub bytes_per_project: u64,
    /// Previews that a project may have running at once; at most 100.
    pub previews_at_once: usize,
    /// How long an upload waits for its result, in milliseconds, before it is answered that it is being checked.
    pub upload_wait_ms: u64,
    /// CPU time of compiling one component, in seconds; at most 600.
    pub compile_cpu_s: u64,
    /// Time that compiling one component may take, in milliseconds; at most an hour.
    pub compile_wall_ms: u64,
    /// Address space of the process that compiles, in bytes; 128 MiB to 16 GiB.
    pub compile_memory_bytes: u64,
    /// Largest compiled code of one component, in bytes; at most 512 MiB.
    pub compile_output_bytes: u64,
    /// Components that are compiled at once, each of another project.
    pub compiles_at_once: usize,
    /// Folder of plugins (`*.wasm`) that every project can add with one click; by default `plugins` next to the program.
    pub gallery: Option<PathBuf>,
    /// Folder of compiled code; by default next to the database, or `hookwright.plugin-cache` in this folder.
    pub cache_folder: Option<PathBuf>,
    /// Most bytes of compiled code in that folder. What was not used for longest goes first.
    pub cache_bytes: u64,
    /// Runs of one version in a row that trap or reach a limit, on one node, after which the version is paused; 0: never.
    pub traps_in_a_row: u32,
    /// Most bytes of compiled code in memory. What was not used for longest goes first, and comes back when it is used.
    pub loaded_bytes: usize,
    /// Most bytes of compiled code in memory for copies besides: a plugin that several threads run often has one for each,
    /// as long as there is room.
    pub copied_bytes: usize,
}

impl Default for PluginConfig {
    fn default() -> Self {
        Self {
            threads: 0,
            queue: 256,
            cpu_ms: 50,
            wall_times_cpu: 10,
            memory_bytes: 32 * 1024 * 1024,
            component_bytes: 32 * 1024 * 1024,
            result_bytes: 4 * 1024 * 1024,
            table_elements: 20_000,
            memories: 8,
            tables: 16,
            instances: 64,
            handles: 1000,
            stack_bytes: 512 * 1024,
            log_lines: 64,
            log_line_bytes: 1024,
            log_bytes: 16 * 1024,
            requests: RequestLimits::default(),
            recalls: 256,
            verdict: VerdictLimits::default(),
            facts_per_webhook: 10_000,
            answer_bytes: 256 * 1024,
            interpreter_wait_ms: 5000,
            schema: SchemaLimits::default(),
            manifest_bytes: 1024 * 1024,
            cases: 100,
            versions_per_project: 200,
            bytes_per_project: 1024 * 1024 * 1024,
            previews_at_once: 4,
            upload_wait_ms: 10_000,
            compile_cpu_s: 30,
            compile_wall_ms: 120_000,
            compile_memory_bytes: 1536 * 1024 * 1024,
            compile_output_bytes: 64 * 1024 * 1024,
            compiles_at_once: 1,
            gallery: None,
            cache_folder: None,
            cache_bytes: 1024 * 1024 * 1024,
            traps_in_a_row: 20,
            loaded_bytes: 256 * 1024 * 1024,
            copied_bytes: 64 * 1024 * 1024,
        }
    }
}

/// The most that may be configured, whatever an administrator writes.
const CPU_MS_MAX: u64 = 1000;
const MEMORY_BYTES_MAX: usize = 256 * 1024 * 1024;
const COMPONENT_BYTES_MAX: usize = 32 * 1024 * 1024;
const RESULT_BYTES_MAX: usize = 16 * 1024 * 1024;
const REQUESTS_MAX: usize = 1000;
const TABLE_ELEMENTS_MAX: usize = 1_000_000;
const PARTS_MAX: u64 = 64;
const HANDLES_MAX: u64 = 10_000;
const LOG_LINES_MAX: u64 = 1000;
const LOG_LINE_BYTES_MAX: u64 = 64 * 1024;
const LOG_BYTES_MAX: u64 = 1024 * 1024;
const STACK_BYTES_MAX: usize = 1024 * 1024;
const MANIFEST_BYTES_MAX: usize = 4 * 1024 * 1024;
const CASES_MAX: usize = 1000;
const PREVIEWS_AT_ONCE_MAX: u64 = 100;
const COMPILE_CPU_S_MAX: u64 = 600;
const COMPILE_WALL_MS_MAX: u64 = 60 * 60 * 1000;
/// Less than this and no process starts.
const COMPILE_MEMORY_BYTES_MIN: u64 = 128 * 1024 * 1024;
const COMPILE_MEMORY_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;
const COMPILE_OUTPUT_BYTES_MAX: u64 = 512 * 1024 * 1024;
const FILTER_BYTES_MAX: usize = 16 * 1024;
/// What fits the stack of a thread several times over.
const FILTER_DEPTH_MAX: usize = 64;
const FILTER_OPERATIONS_MAX: u64 = 1_000_000;
const FAN_OUT_MAX: u64 = 100_000;
const JOB_STEP_MAX: u64 = 1000;
const ORDER_WAIT_MAX_MS: u64 = 7 * 24 * 60 * 60 * 1000;

impl Config {
    /// Reads `file` (or defaults when there is none) and the environment.
    pub fn load(file: Option<&Path>, environment: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut table = match file {
            None => toml::Table::new(),
            Some(path) => {
                let unreadable = |reason: String| ConfigError::File { path: path.to_owned(), reason };
                let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
                text.parse().map_err(|error: toml::de::Error| unreadable(error.to_string()))?
            }
        };
        let known = toml::Table::try_from(Self::default()).map_err(|error| ConfigError::Invalid(error.to_string()))?;
        for (name, value) in environment {
            overlay(&mut table, &known, &name, &value);
        }
        let config: Self =
            table.try_into().map_err(|error: toml::de::Error| ConfigError::Invalid(error.message().to_owned()))?;
        config.check()?;
        Ok(config)
    }

    /// Checks what the types alone do not say.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_plugins(&self.plugins)?;
        within("ingest.fan_out_step", self.ingest.fan_out_step as u64, 1, FAN_OUT_MAX)?;
        within("ingest.fan_out_commit", self.ingest.fan_out_commit as u64, 1, FAN_OUT_MAX)?;
        within("ingest.event_types_per_project", self.ingest.event_types_per_project, 1, FAN_OUT_MAX)?;
        within("delivery.timeout_ms", self.delivery.timeout_ms, 1, self.delivery.timeout_max_ms)?;
        within("delivery.in_hand_max", self.delivery.in_hand_max as u64, 1, 1_000_000)?;
        within("delivery.in_hand_per_webhook", self.delivery.in_hand_per_webhook as u64, 1, 1_000_000)?;
        within("delivery.in_hand_per_target", self.delivery.in_hand_per_target as u64, 1, 1_000_000)?;
        within("delivery.breaker_failures", u64::from(self.delivery.breaker_failures), 0, 1_000_000)?;
        within("delivery.breaker_pause_max_ms", self.delivery.breaker_pause_max_ms, 1, 24 * 60 * 60 * 1000)?;
        within("delivery.breaker_pause_ms", self.delivery.breaker_pause_ms, 1, self.delivery.breaker_pause_max_ms)?;
        within("delivery.slow_down_max_ms", self.delivery.slow_down_max_ms, 0, 60_000)?;
        within("delivery.disable_after_failures", u64::from(self.delivery.disable_after_failures), 1, 1_000_000)?;
        within("delivery.result_wait_ms", self.delivery.result_wait_ms, 0, 5 * 60 * 1000)?;
        within("delivery.order_wait_max_ms", self.delivery.order_wait_max_ms, 1, ORDER_WAIT_MAX_MS)?;
        within("delivery.order_wait_ms", self.delivery.order_wait_ms, 1, self.delivery.order_wait_max_ms)?;
        within("filters.source_max_bytes", self.filters.source_max_bytes as u64, 1, FILTER_BYTES_MAX as u64)?;
        within("filters.depth_max", self.filters.depth_max as u64, 1, FILTER_DEPTH_MAX as u64)?;
        within("filters.operations_max", self.filters.operations_max, 1, FILTER_OPERATIONS_MAX)?;
        within("jobs.step", self.jobs.step as u64, 1, JOB_STEP_MAX)?;
        within("jobs.open_per_project", self.jobs.open_per_project, 1, 1_000_000)?;
        within("jobs.count_rows", u64::from(self.jobs.count_rows), 1, 1_000_000)?;
        within("jobs.keep_days", u64::from(self.jobs.keep_days), 1, 3650)?;
        within("jobs.backtests_open", self.jobs.backtests_open, 0, 1000)?;
        within("jobs.backtest_events", self.jobs.backtest_events, 1, 100_000)?;
        within("jobs.backtests_kept", self.jobs.backtests_kept, 1, 1000)?;
        within("jobs.backtest_diff_bytes", self.jobs.backtest_diff_bytes as u64, 0, 1024 * 1024)?;
        within("log.scan_rows", u64::from(self.log.scan_rows), 1, 1_000_000)?;
        within("log.search_rows", u64::from(self.log.search_rows), 1, 100_000)?;
        self.network.proxy()?;
        self.accounts.check()?;
        self.schedules.check()?;
        self.digests.check()?;
        self.retention.check()?;
        self.limits.check()?;
        within("network.lookup_timeout_ms", self.network.lookup_timeout_ms, 1, 60_000)?;
        within("network.connect_timeout_ms", self.network.connect_timeout_ms, 1, 60_000)?;
        within("network.idle_timeout_ms", self.network.idle_timeout_ms, 1, 3_600_000)?;
        within("network.idle_per_host", self.network.idle_per_host as u64, 0, 1_000_000)?;
        let headers = u64::from(self.network.response_headers_bytes);
        within("network.response_headers_bytes", headers, 8 * 1024, 1024 * 1024)?;
        within("store.connections", u64::from(self.store.connections), 4, 1000)?;
        within("store.writers", self.store.writers as u64, 1, 64)?;
        within("store.write_batch", self.store.write_batch as u64, 1, 100_000)?;
        within("store.write_queue", self.store.write_queue as u64, 1, 1_000_000)?;
        // They are made two months ahead.
        within("store.partitions_ms", self.store.partitions_ms, 100, 7 * 24 * 60 * 60 * 1000)?;
        Ok(())
    }
}

fn within(name: &str, value: u64, min: u64, max: u64) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::Invalid(format!("`{name}` is {min} to {max}, not {value}")))
}

fn check_plugins(plugins: &PluginConfig) -> Result<(), ConfigError> {
    within("plugins.cpu_ms", plugins.cpu_ms, 1, CPU_MS_MAX)?;
    within("plugins.memory_bytes", plugins.memory_bytes as u64, 64 * 1024, MEMORY_BYTES_MAX as u64)?;
    within("plugins.component_bytes", plugins.component_bytes as u64, 1, COMPONENT_BYTES_MAX as u64)?;
    within("plugins.result_bytes", plugins.result_bytes as u64, 1, RESULT_BYTES_MAX as u64)?;
    within("plugins.requests.requests", plugins.requests.requests as u64, 1, REQUESTS_MAX as u64)?;
    within("plugins.table_elements", plugins.table_elements as u64, 1, TABLE_ELEMENTS_MAX as u64)?;
    within("plugins.wall_times_cpu", u64::from(plugins.wall_times_cpu), 1, 100)?;
    for (name, value) in [
        ("plugins.memories", plugins.memories),
        ("plugins.tables", plugins.tables),
        ("plugins.instances", plugins.instances),
    ] {
        within(name, value as u64, 1, PARTS_MAX)?;
    }
    within("plugins.handles", plugins.handles as u64, 0, HANDLES_MAX)?;
    within("plugins.log_lines", plugins.log_lines as u64, 0, LOG_LINES_MAX)?;
    within("plugins.log_line_bytes", plugins.log_line_bytes as u64, 0, LOG_LINE_BYTES_MAX)?;
    within("plugins.log_bytes", plugins.log_bytes as u64, 0, LOG_BYTES_MAX)?;
    within("plugins.threads", plugins.threads as u64, 0, 1024)?;
    within("plugins.queue", plugins.queue as u64, 1, 1_000_000)?;
    let requests = &plugins.requests;
    for (name, value, most) in [
        ("plugins.requests.fields", requests.fields, 1000),
        ("plugins.requests.field_bytes", requests.field_bytes, 64 * 1024),
        ("plugins.requests.path_segments", requests.path_segments, 1000),
        ("plugins.requests.path_segment_bytes", requests.path_segment_bytes, 8 * 1024),
        ("plugins.requests.label_chars", requests.label_chars, 1000),
        ("plugins.requests.credentials", requests.credentials, 100),
        ("plugins.requests.credential_parts", requests.credential_parts, 100),
        ("plugins.requests.correlation_chars", requests.correlation_chars, 1000),
    ] {
        within(name, value as u64, 1, most)?;
    }
    within("plugins.recalls", plugins.recalls as u64, 0, 10_000)?;
    let verdict = &plugins.verdict;
    for (name, value, most) in [
        ("plugins.verdict.facts", verdict.facts, 1000),
        ("plugins.verdict.fact_key_chars", verdict.fact_key_chars, 1000),
        ("plugins.verdict.fact_value_bytes", verdict.fact_value_bytes, 64 * 1024),
        ("plugins.verdict.items", verdict.items, 10_000),
        ("plugins.verdict.link_bytes", verdict.link_bytes, 8 * 1024),
    ] {
        within(name, value as u64, 1, most)?;
    }
    within("plugins.facts_per_webhook", plugins.facts_per_webhook as u64, 1, 1_000_000)?;
    within("plugins.answer_bytes", plugins.answer_bytes as u64, 0, 4 * 1024 * 1024)?;
    within("plugins.interpreter_wait_ms", plugins.interpreter_wait_ms, 0, 60_000)?;
    check_schema(&plugins.schema)?;
    within("plugins.stack_bytes", plugins.stack_bytes as u64, 64 * 1024, STACK_BYTES_MAX as u64)?;
    within("plugins.manifest_bytes", plugins.manifest_bytes as u64, 1, MANIFEST_BYTES_MAX as u64)?;
    within("plugins.cases", plugins.cases as u64, 0, CASES_MAX as u64)?;
    within("plugins.previews_at_once", plugins.previews_at_once as u64, 0, PREVIEWS_AT_ONCE_MAX)?;
    within("plugins.upload_wait_ms", plugins.upload_wait_ms, 0, 60_000)?;
    within("plugins.compile_cpu_s", plugins.compile_cpu_s, 1, COMPILE_CPU_S_MAX)?;
    within("plugins.compile_wall_ms", plugins.compile_wall_ms, 1, COMPILE_WALL_MS_MAX)?;
    let memory = plugins.compile_memory_bytes;
    within("plugins.compile_memory_bytes", memory, COMPILE_MEMORY_BYTES_MIN, COMPILE_MEMORY_BYTES_MAX)?;
    within("plugins.compile_output_bytes", plugins.compile_output_bytes, 1, COMPILE_OUTPUT_BYTES_MAX)?;
    within("plugins.traps_in_a_row", u64::from(plugins.traps_in_a_row), 0, 1_000_000)?;
    within("plugins.compiles_at_once", plugins.compiles_at_once as u64, 1, 64)?;
    Ok(())
}

fn check_schema(schema: &SchemaLimits) -> Result<(), ConfigError> {
    for (name, value, most) in [
        ("plugins.schema.bytes", schema.bytes, 1024 * 1024),
        // What fits the stack of a thread several times over.
        ("plugins.schema.depth", schema.depth, 64),
        ("plugins.schema.nodes", schema.nodes, 20_000),
        ("plugins.schema.patterns", schema.patterns, 1000),
        ("plugins.schema.pattern_bytes", schema.pattern_bytes, 10_000),
        ("plugins.schema.compiled_pattern_bytes", schema.compiled_pattern_bytes, 1024 * 1024),
        ("plugins.schema.steps", schema.steps, 1_000_000),
        ("plugins.schema.errors", schema.errors, 100),
    ] {
        within(name, value as u64, 1, most)?;
    }
    Ok(())
}

/// `HOOKWRIGHT_DELIVERY_TIMEOUT_MS=5000` sets `timeout_ms` of `[delivery]`.
fn overlay(table: &mut toml::Table, known: &toml::Table, name: &str, value: &str) {
    let Some(name) = name.strip_prefix("HOOKWRIGHT_") else { return };
    let name = name.to_ascii_lowercase();
    for section in known.keys() {
        let Some(key) = name.strip_prefix(section.as_str()).and_then(|rest| rest.strip_prefix('_')) else { continue };
        // A value that is no TOML by itself is text.
        let value = format!("v = {value}")
            .parse::<toml::Table>()
            .ok()
            .and_then(|mut parsed| parsed.remove("v"))
            .unwrap_or_else(|| toml::Value::String(value.to_owned()));
        let section = table.entry(section.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        if let toml::Value::Table(section) = section {
            section.insert(key.to_owned(), value);
        }
        return;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hookwright.toml");
        std::fs::write(&file, text).unwrap();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(Some(&file), environment)
    }

    #[test]
    fn the_environment_goes_over_the_file_and_the_file_over_defaults() {
        let config = load(
            "[delivery]\ntimeout_ms = 1000\nsweep_ms = 7\n",
            &[("HOOKWRIGHT_DELIVERY_TIMEOUT_MS", "2000"), ("HOOKWRIGHT_SERVER_LISTEN", "0.0.0.0:1")],
        )
        .unwrap();
        assert_eq!((config.delivery.timeout_ms, config.delivery.sweep_ms), (2000, 7));
        assert_eq!((config.server.listen.as_str(), config.plugins.cpu_ms), ("0.0.0.0:1", 50));
    }

    #[test]
    fn unknown_names_and_values_past_the_hard_maximum_are_refused() {
        assert!(load("[delivery]\ntimeout = 1\n", &[]).is_err());
        assert!(load("", &[("HOOKWRIGHT_DELIVERY_TIMEOUT", "1")]).is_err());
        assert!(load("[plugins]\ncpu_ms = 1000\n", &[]).is_ok());
        let error = load("[plugins]\ncpu_ms = 1001\n", &[]).unwrap_err();
        assert!(error.to_string().contains("plugins.cpu_ms"), "{error}");
        assert!(load("[plugins]\nmemory_bytes = 268435457\n", &[]).is_err());
        for (section, name, most) in [
            ("ingest", "fan_out_step", 100_000),
            ("ingest", "fan_out_commit", 100_000),
            ("ingest", "event_types_per_project", 100_000),
            ("filters", "source_max_bytes", 16_384),
            ("jobs", "step", 1000),
            ("jobs", "open_per_project", 1_000_000),
            ("jobs", "count_rows", 1_000_000),
            ("jobs", "keep_days", 3650),
            ("log", "scan_rows", 1_000_000),
            ("log", "search_rows", 100_000),
            ("schedules", "per_project", 10_000),
            ("digests", "events_max", 10_000),
            ("retention", "step", 10_000),
            ("retention", "share_percent", 50),
            ("digests", "bytes_max", 16_777_216),
            ("filters", "depth_max", 64),
            ("filters", "operations_max", 1_000_000),
            ("delivery", "order_wait_max_ms", 604_800_000_u64),
            ("delivery", "order_wait_ms", 86_400_000),
        ] {
            let load = |value: u64| load(&format!("[{section}]\n{name} = {value}\n"), &[]);
            assert!(load(most).is_ok(), "{name}");
            let error = load(most + 1).unwrap_err().to_string();
            assert!(error.contains(&format!("`{section}.{name}`")), "{error}");
            assert!(load(0).is_err(), "{name}");
        }
    }

    #[test]
    fn every_limit_of_plugins_has_a_maximum_that_no_setting_exceeds() {
        let table = toml::Table::try_from(PluginConfig::default()).unwrap();
        let unbounded = [
            "versions_per_project",
            "bytes_per_project",
            "cache_bytes",
            "loaded_bytes",
            "copied_bytes",
            "cache_folder",
        ];
        let is_bounded = |name: &&String| !unbounded.contains(&name.as_str());
        let names = table.iter().flat_map(|(name, value)| match value.as_table() {
            Some(part) => part.keys().map(|inner| (format!("plugins.{name}"), inner)).collect(),
            None => vec![("plugins".to_owned(), name)],
        });
        for (section, name) in names.filter(|(_, name)| is_bounded(name)) {
            let error = load(&format!("[{section}]\n{name} = 4000000000000\n"), &[]).unwrap_err().to_string();
            assert!(error.contains(&format!("`{section}.{name}`")) || error.contains("u32"), "{name}: {error}");
        }
    }

    #[test]
    fn a_proxy_is_an_origin_and_its_password_is_not_repeated() {
        for proxy in ["http://proxy.example:3128", "https://user:pw@proxy.example", "http://[2001:db8::1]:8080/"] {
            let config = load(&format!("[network]\nproxy = {proxy:?}\n"), &[]).unwrap();
            assert!(config.network.proxy().unwrap().is_some(), "{proxy}");
        }
        for proxy in [
            "proxy.example:3128",
            "socks5://u:s3cret@proxy.example",
            "http://u:s3cret@proxy.example/path",
            "http://proxy.example/?u=s3cret",
            "http://proxy.example/#s3cret",
            "http://u:s3cret@proxy.example:0",
            "http://u:s3cret@",
            "",
        ] {
            let error = load("", &[("HOOKWRIGHT_NETWORK_PROXY", proxy)]).unwrap_err().to_string();
            assert!(error.contains("`network.proxy`") && !error.contains("s3cret"), "{proxy}: {error}");
        }
        assert!(Config::default().network.proxy().unwrap().is_none());
    }

    #[test]
    fn limits_of_connections_are_within_bounds() {
        for (name, least, most) in [
            ("lookup_timeout_ms", 1, 60_000),
            ("connect_timeout_ms", 1, 60_000),
            ("idle_timeout_ms", 1, 3_600_000),
            ("response_headers_bytes", 8192, 1_048_576),
        ] {
            for (value, fits) in [(least, true), (most, true), (least - 1, false), (most + 1, false)] {
                let loaded = load(&format!("[network]\n{name} = {value}\n"), &[]);
                assert_eq!(loaded.is_ok(), fits, "{name} = {value}");
                if let Err(error) = loaded {
                    assert!(error.to_string().contains(&format!("network.{name}")), "{error}");
                }
            }
        }
    }

    #[test]
    fn limits_of_backtests_are_within_bounds() {
        for (name, least, most) in [
            ("backtests_open", 0_i64, 1000),
            ("backtest_events", 1, 100_000),
            ("backtests_kept", 1, 1000),
            ("backtest_diff_bytes", 0, 1_048_576),
        ] {
            for (value, fits) in [(least, true), (most, true), (least - 1, false), (most + 1, false)] {
                let loaded = load(&format!("[jobs]\n{name} = {value}\n"), &[]);
                assert_eq!(loaded.is_ok(), fits, "{name} = {value}");
            }
        }
    }

    #[test]
    fn files_stand_next_to_the_database() {
        let store = StoreConfig { database: "sqlite:/var/lib/hookwright.db".to_owned(), ..StoreConfig::default() };
        assert_eq!(store.key_file().unwrap(), PathBuf::from("/var/lib/hookwright.keys"));
        assert_eq!(store.admin_token_file().unwrap(), PathBuf::from("/var/lib/hookwright.admin-token"));
        let other = StoreConfig { database: "mysql:x".to_owned(), ..StoreConfig::default() };
        assert!(other.location().is_err());
        let server = StoreConfig { database: "postgres://localhost/x".to_owned(), ..StoreConfig::default() };
        assert_eq!(server.key_file().unwrap(), PathBuf::from("hookwright.keys"));
    }
}
