//! The flags that go over file and environment.

use std::path::{Path, PathBuf};

use clap::Args;
use ipnet::IpNet;

use crate::config::{Config, ConfigError};

/// Settings of the server. More of them stand in the file `hookwright.toml`; each can be set in the environment as
/// HOOKWRIGHT_SECTION_NAME.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwright serve
  hookwright serve --listen 0.0.0.0:8080 --database sqlite:/var/lib/hookwright/hookwright.db
  hookwright serve --allow-network 10.1.0.0/16      # deliver into one private network too
  HOOKWRIGHT_DELIVERY_TIMEOUT_MS=5000 hookwright serve")]
pub(super) struct Settings {
    #[command(flatten)]
    store: StoreSettings,
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", env = "HOOKWRIGHT_LISTEN")]
    listen: Option<String>,
    /// Where the first admin token is written [default: next to the database]
    #[arg(long, value_name = "FILE", env = "HOOKWRIGHT_ADMIN_TOKEN_FILE")]
    admin_token_file: Option<PathBuf>,
    /// A network that may be called although it is not public; may be given several times
    #[arg(long, value_name = "CIDR", env = "HOOKWRIGHT_ALLOW_NETWORK", value_delimiter = ',')]
    allow_network: Vec<IpNet>,
}

/// Where things are stored, and what opens them.
#[derive(Debug, Args)]
pub(super) struct StoreSettings {
    /// Configuration file; `hookwright.toml` in this folder is read when it is there
    #[arg(long, value_name = "FILE", env = "HOOKWRIGHT_CONFIG")]
    config: Option<PathBuf>,
    /// Where things are stored [default: sqlite:hookwright.db]
    #[arg(long, value_name = "URL", env = "HOOKWRIGHT_DATABASE")]
    database: Option<String>,
    /// Key ring that seals secrets [default: next to the database]
    #[arg(long, value_name = "FILE", env = "HOOKWRIGHT_KEY_FILE")]
    key_file: Option<PathBuf>,
}

impl StoreSettings {
    /// All settings, checked.
    pub(super) fn load(&self) -> Result<Config, ConfigError> {
        let usual = Path::new("hookwright.toml");
        let file = self.config.as_deref().or_else(|| usual.exists().then_some(usual));
        let mut config = Config::load(file, std::env::vars())?;
        if let Some(database) = &self.database {
            config.store.database.clone_from(database);
        }
        if self.key_file.is_some() {
            config.store.key_file.clone_from(&self.key_file);
        }
        config.check()?;
        Ok(config)
    }
}

impl Settings {
    /// All settings, checked.
    pub(super) fn load(&self) -> Result<Config, ConfigError> {
        let mut config = self.store.load()?;
        if let Some(listen) = &self.listen {
            config.server.listen.clone_from(listen);
        }
        if self.admin_token_file.is_some() {
            config.store.admin_token_file.clone_from(&self.admin_token_file);
        }
        config.network.allow.extend(&self.allow_network);
        config.check()?;
        Ok(config)
    }
}
