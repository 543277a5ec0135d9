//! The sandbox as a server has it, in a program of its own.

use std::path::Path;
use std::sync::Arc;

use hookwright::config::PluginConfig;
use hookwright::domain::clock::Clock;
use hookwright::domain::entropy::Entropy;
use hookwright::domain::id::ProjectId;
use hookwright::domain::plugin::Digest;
use hookwright::sandbox::{CacheSettings, Compiler, Loaded, Sandbox};
use secrecy::SecretBox;
use tempfile::TempDir;
use uuid::Uuid;

/// Why there is no sandbox, or no plugin in it.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A sandbox with the server's defaults, and the folder of its compiled code.
#[derive(Debug)]
pub struct Host {
    /// The sandbox.
    pub sandbox: Sandbox,
    _folder: TempDir,
}

impl Host {
    /// Starts it; components are compiled by this program, `hookwright`, in processes of its own.
    pub fn start(program: &Path) -> Result<Self, Failure> {
        let config = PluginConfig::default();
        let folder = tempfile::tempdir()?;
        let cache = CacheSettings {
            folder: folder.path().to_owned(),
            key: SecretBox::new(Box::new([7; 32])),
            bytes_max: config.cache_bytes,
            entropy: Entropy::System,
            clock: Clock::System,
        };
        let compiler = Compiler::new(program.to_owned(), &config);
        let sandbox = Sandbox::start(&config, compiler, cache).map_err(|failure| failure.to_string())?;
        Ok(Self { sandbox, _folder: folder })
    }

    /// A component, compiled once and then kept on disk, loaded anew each time.
    pub async fn load(&self, component: &[u8]) -> Result<Arc<Loaded>, Failure> {
        let turn = self.sandbox.turn(ProjectId::from_uuid(Uuid::from_u128(2))).await;
        let loaded = self.sandbox.compile(turn, Digest::of(component), component.to_owned()).await;
        Ok(loaded.map_err(|error| error.to_string())?)
    }
}
