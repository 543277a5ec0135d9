//! From a core module and a folder to a component that can be uploaded.

use std::borrow::Cow;
use std::path::Path;
use std::process::ExitCode;

use wasm_encoder::{ComponentSection as _, CustomSection};
use wit_component::ComponentEncoder;

use super::super::Failure;
use super::{BuildArgs, project, source};
use crate::domain::plugin::{MANIFEST_SECTION, Manifest};
use crate::domain::schema::SchemaLimits;
use crate::sandbox::{check_configurations, manifest_of};

pub(super) fn run(args: &BuildArgs) -> Result<ExitCode, Failure> {
    let (manifest, component) = made(&args.folder, args.module.as_deref())?;
    let usual = || args.folder.join(format!("{}-{}.wasm", manifest.name, manifest.version));
    let output = args.output.clone().unwrap_or_else(usual);
    if let Some(folder) = output.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&output, &component).map_err(|error| format!("{}: {error}", output.display()))?;
    println!("{} {}: {} ({} bytes)", manifest.name, manifest.version, output.display(), component.len());
    Ok(ExitCode::SUCCESS)
}

/// The manifest of a folder and its component: of this core module, or of the one that the folder's own tools build.
pub(super) fn made(folder: &Path, module: Option<&Path>) -> Result<(Manifest, Vec<u8>), Failure> {
    // What is wrong there is told before anything takes time.
    let manifest = source::manifest(folder)?;
    check_configurations(&manifest, SchemaLimits::default())?;
    let module = match module {
        Some(module) => module.to_owned(),
        None => project::build(folder)?,
    };
    let module = std::fs::read(&module).map_err(|error| format!("{}: {error}", module.display()))?;
    let component = component(&module, &manifest)?;
    Ok((manifest, component))
}

/// Wraps a core module and puts the manifest in.
fn component(module: &[u8], manifest: &Manifest) -> Result<Vec<u8>, Failure> {
    let not_a_plugin = |error: String| format!("this module does not fit the plugin contract: {error}");
    let mut component = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(wit_component::ComponentEncoder::encode)
        .map_err(|error| not_a_plugin(format!("{error:#}")))?;
    let data = serde_json::to_vec(manifest)?;
    CustomSection { name: Cow::Borrowed(MANIFEST_SECTION), data: Cow::Owned(data) }.append_to_component(&mut component);
    // What is written must be what the server will read.
    manifest_of(&component)?;
    Ok(component)
}
