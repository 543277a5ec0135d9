//! Plugins that lie ready in a folder, for every project to add.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use parking_lot::Mutex;

use super::Plugins;
use crate::domain::plugin::{Digest, Manifest};
use crate::sandbox::Sandbox;

/// Most files that are looked at.
const FILES_MAX: usize = 500;
/// The folder next to the program.
const USUAL_FOLDER: &str = "plugins";

/// One of them.
#[derive(Debug, Clone)]
pub struct Exhibit {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Of its bytes.
    pub digest: Digest,
    /// How large the component is.
    pub size_bytes: u64,
    path: PathBuf,
}

/// A file as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Seen {
    path: PathBuf,
    changed: Option<SystemTime>,
    bytes: u64,
}

/// What was read of each file; none of what cannot be used.
#[derive(Debug, Clone, Default)]
pub(super) struct Gallery(Arc<Mutex<HashMap<Seen, Option<Arc<Exhibit>>>>>);

impl Gallery {
    /// By name and version. Reads files, so no other work waits for it on its thread.
    fn look(&self, folder: &Path, sandbox: &Sandbox, most_bytes: usize) -> Vec<Arc<Exhibit>> {
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let files = entries.filter_map(Result::ok).map(|entry| entry.path());
        let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "wasm")).take(FILES_MAX);
        let mut now = HashMap::new();
        for path in files {
            let Ok(metadata) = path.metadata() else { continue };
            if !metadata.is_file() || metadata.len() > most_bytes as u64 {
                continue;
            }
            let seen = Seen { path, changed: metadata.modified().ok(), bytes: metadata.len() };
            let known = self.0.lock().get(&seen).cloned();
            let exhibit = known.unwrap_or_else(|| read(&seen.path, sandbox).map(Arc::new));
            now.insert(seen, exhibit);
        }
        let mut exhibits: Vec<Arc<Exhibit>> = now.values().flatten().cloned().collect();
        *self.0.lock() = now;
        exhibits.sort_by(|one, other| {
            let key = |exhibit: &Arc<Exhibit>| (exhibit.manifest.name.clone(), exhibit.manifest.version.clone());
            key(one).cmp(&key(other))
        });
        exhibits
    }
}

fn read(path: &Path, sandbox: &Sandbox) -> Option<Exhibit> {
    let bytes = std::fs::read(path).ok()?;
    match sandbox.inspect(&bytes) {
        Ok((manifest, _)) => Some(Exhibit {
            manifest,
            digest: Digest::of(&bytes),
            size_bytes: bytes.len() as u64,
            path: path.to_owned(),
        }),
        Err(failure) => {
            tracing::warn!(file = %path.display(), %failure, "a file of the gallery is no plugin");
            None
        }
    }
}

impl Plugins {
    /// What lies ready.
    pub async fn gallery(&self) -> Vec<Arc<Exhibit>> {
        let (gallery, parts) = (self.3.clone(), self.0.clone());
        let look = move || {
            let beside_program = || Some(std::env::current_exe().ok()?.parent()?.join(USUAL_FOLDER));
            let Some(folder) = parts.config.gallery.clone().or_else(beside_program) else { return Vec::new() };
            gallery.look(&folder, &parts.sandbox, parts.config.component_bytes)
        };
        tokio::task::spawn_blocking(look).await.unwrap_or_default()
    }

    /// The component of one, as it is now.
    pub async fn component_of(&self, exhibit: &Exhibit) -> Option<Bytes> {
        tokio::fs::read(&exhibit.path).await.ok().map(Bytes::from)
    }
}
