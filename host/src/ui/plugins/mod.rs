//! Plugins: the gallery, versions, uploads, and the playground.

pub(super) mod list;
pub(super) mod one;
pub(super) mod output;
pub(super) mod playground;
mod steps;
pub(super) mod upload;

use serde::Deserialize;
use serde_json::Value;

use super::client::segment;
use super::parts::{Status, Tone, When, size};
use super::viewer::Viewer;
use crate::domain::clock::Millis;
use crate::domain::plugin::{Manifest, PluginFailure};

/// A version as the API tells it.
#[derive(Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "as the API names them")]
pub(super) struct Version {
    pub(super) name: String,
    pub(super) version: String,
    digest: String,
    pub(super) status: String,
    error: Option<PluginFailure>,
    paused: Option<Pause>,
    summary: String,
    size_bytes: u64,
    created_at: Millis,
    webhooks_count: usize,
    webhooks: Vec<User>,
    /// Not in lists.
    pub(super) manifest: Option<Manifest>,
}

#[derive(Debug, Deserialize)]
struct Pause {
    since: Millis,
    reason: String,
}

/// A webhook that uses a version.
#[derive(Debug, Deserialize)]
pub(super) struct User {
    id: String,
    name: String,
}

impl Version {
    /// Its page.
    pub(super) fn path(&self) -> String {
        path(&self.name, &self.version)
    }

    fn shown_status(&self) -> Status {
        match (&self.error, &self.paused) {
            (Some(error), _) => Status::of("refused").because(error.message.clone()),
            (None, Some(pause)) => {
                Status::new(Tone::Warn, "paused").because(format!("since {}: {}", pause.since, pause.reason))
            }
            (None, None) => Status::of(&self.status),
        }
    }

    fn size(&self) -> String {
        size(self.size_bytes)
    }

    fn made(&self, viewer: &Viewer) -> When {
        When::new(self.created_at, viewer.now)
    }

    fn users(&self) -> String {
        match self.webhooks_count {
            0 => "no webhook".to_owned(),
            1 => "1 webhook".to_owned(),
            count => format!("{count} webhooks"),
        }
    }
}

/// The page of a version; the API has it at the same path.
fn path(name: &str, version: &str) -> String {
    format!("/plugins/{}/versions/{}", segment(name), segment(version))
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
