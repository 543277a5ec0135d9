//! The server's sandbox without a server: the same checks, the same limits.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Given, build};
use crate::cli::Failure;
use crate::config::{Config, PluginConfig};
use crate::domain::clock::Clock;
use crate::domain::entropy::Entropy;
use crate::domain::id::{PluginVersionId, ProjectId};
use crate::domain::plugin::{Digest, PluginFailure, PluginState, PluginVersion};
use crate::domain::plugin_limits::PluginLimits;
use crate::sandbox::{CacheSettings, CompileError, Compiler, Loaded, Sandbox};

/// A sandbox of its own.
pub(super) struct Workshop {
    pub(super) sandbox: Sandbox,
    clock: Clock,
    entropy: Entropy,
    _folder: TempDir,
}

/// A component that was compiled and of which an instance was made.
pub(super) struct Candidate {
    pub(super) version: Arc<PluginVersion>,
    pub(super) loaded: Arc<Loaded>,
    /// How long it took to compile and try it.
    pub(super) took: Duration,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    #[error("{0}")]
    Refused(#[from] PluginFailure),
    #[error("{0}")]
    Failed(Failure),
}

impl From<CompileError> for Unfit {
    fn from(error: CompileError) -> Self {
        match error {
            CompileError::Refused(failure) => Self::Refused(failure),
            CompileError::Unavailable(_) => Self::Failed(error.to_string().into()),
        }
    }
}

impl Workshop {
    /// Opens it, with a server's usual limits.
    pub(super) fn open() -> Result<Self, Failure> {
        Self::open_with(&PluginLimits::default())
    }

    /// Opens it, with these limits of a run; what they do not name is as usual.
    pub(super) fn open_with(limits: &PluginLimits) -> Result<Self, Failure> {
        let mut config = PluginConfig::default();
        let set = |limit: &mut usize, value: Option<u64>| {
            *limit = value.and_then(|value| usize::try_from(value).ok()).unwrap_or(*limit);
        };
        config.cpu_ms = limits.cpu_ms.unwrap_or(config.cpu_ms);
        set(&mut config.memory_bytes, limits.memory_bytes);
        set(&mut config.table_elements, limits.table_elements);
        set(&mut config.result_bytes, limits.result_bytes);
        set(&mut config.requests.requests, limits.requests);
        set(&mut config.log_lines, limits.log_lines);
        set(&mut config.log_line_bytes, limits.log_line_bytes);
        set(&mut config.log_bytes, limits.log_bytes);
        let all = Config { plugins: config.clone(), ..Config::default() };
        all.check()?;
        let (clock, entropy) = (Clock::System, Entropy::System);
        let folder = tempfile::tempdir()?;
        let cache = CacheSettings {
            folder: folder.path().to_owned(),
            // For this process only.
            key: secrecy::SecretBox::new(Box::new(entropy.bytes())),
            bytes_max: config.cache_bytes,
            entropy: entropy.clone(),
            clock: clock.clone(),
        };
        let sandbox = Sandbox::start(&config, Compiler::this_program(&config)?, cache)?;
        Ok(Self { sandbox, clock, entropy, _folder: folder })
    }

    /// Compiles a component and makes an instance of it.
    pub(super) async fn candidate(&self, component: Vec<u8>) -> Result<Candidate, Unfit> {
        let started = Instant::now();
        let (manifest, abilities) = self.sandbox.inspect(&component)?;
        let now = self.clock.now();
        let project = ProjectId::from_uuid(uuid::Uuid::nil());
        let version = Arc::new(PluginVersion {
            id: PluginVersionId::new(now, self.entropy.id()),
            project,
            manifest,
            abilities,
            digest: Digest::of(&component),
            size_bytes: component.len() as u64,
            state: PluginState::Checking,
            created_at: now,
            paused: None,
        });
        let turn = self.sandbox.turn(project).await;
        let loaded = self.sandbox.prepare(turn, &version, component).await?;
        Ok(Candidate { version, loaded, took: started.elapsed() })
    }
}

/// Which component is meant.
#[derive(Debug, clap::Args)]
pub(super) struct Subject {
    /// A component, or a folder with plugin.toml that is built first
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    pub(super) path: PathBuf,
    #[command(flatten)]
    given: Given,
}

impl Subject {
    pub(super) fn component(&self) -> Result<Vec<u8>, Failure> {
        component(&self.path, &self.given)
    }
}

/// A component from its file, or from a folder that is built first.
pub(super) fn component(path: &Path, given: &Given) -> Result<Vec<u8>, Failure> {
    if path.is_dir() {
        return Ok(build::made(path, given)?.1);
    }
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()).into())
}
