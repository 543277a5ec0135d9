//! Many plugins, each of which runs once: code of each own, as a server loads it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use hookwright::domain::clock::Millis;
use hookwright::domain::id::{PluginVersionId, ProjectId};
use hookwright::domain::plugin::{Digest, PluginState, PluginVersion};
use hookwright::domain::plugin_limits::PluginLimits;
use hookwright_plugin_sandbox::Host;
use serde::Serialize;
use uuid::Uuid;

use crate::Failure;
use crate::subject::input;

/// Plugins that bring an interpreter along are not measured.
const OTHER_LANGUAGES: [&str; 2] = ["-javascript", "-python"];

/// Bytes of resident memory of this process.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    plugins: u64,
    before_bytes: u64,
    peak_bytes: u64,
}

/// Loads the example plugins in turn, as many in all as `count`, each with a copy of its code, and runs each once. As many
/// of them stay loaded as the server's default lets.
pub(crate) async fn measure(program: &Path, plugins: &Path, count: u64) -> Result<Figures, Failure> {
    let host = Host::start(program)?;
    let mut components = Vec::new();
    for file in fs::read_dir(plugins)? {
        let file = file?.path();
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let is_rust = !OTHER_LANGUAGES.iter().any(|language| name.ends_with(language));
        if is_rust && file.extension().is_some_and(|extension| extension == "wasm") {
            components.push(fs::read(file)?);
        }
    }
    if components.is_empty() {
        return Err(format!("there is no component in {}", plugins.display()).into());
    }
    components.sort();
    for component in &components {
        host.load(component).await?;
    }
    let limits = host.sandbox.limits(&PluginLimits::default());
    let before_bytes = memory("VmRSS:")?;
    for (number, component) in (1..=count).zip(components.iter().cycle()) {
        let (manifest, abilities) = host.sandbox.inspect(component).map_err(|failure| failure.to_string())?;
        let loaded = host.load(component).await?;
        // One that does not know the event fails, and has run all the same.
        let _ = host.sandbox.run(loaded.clone(), limits, input()).await.map_err(|_| "the queue is full")?;
        let version = PluginVersion {
            id: PluginVersionId::from_uuid(Uuid::from_u128(u128::from(number))),
            project: ProjectId::from_uuid(Uuid::from_u128(2)),
            manifest,
            abilities,
            digest: Digest::of(component),
            size_bytes: component.len() as u64,
            state: PluginState::Ready,
            created_at: Millis(0),
            paused: None,
        };
        host.sandbox.keep(Arc::new(version), loaded);
    }
    Ok(Figures { plugins: count, before_bytes, peak_bytes: memory("VmHWM:")? })
}

/// What the kernel says of this process under this name.
fn memory(name: &str) -> Result<u64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("the kernel does not say")?;
    let kb: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kb * 1024)
}
