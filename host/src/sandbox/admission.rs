//! What an uploaded component must be before anything is done with it.

use std::sync::Arc;

use wasmparser::{Encoding, Parser, Payload};

use super::engine::PluginEngine;
use super::limits::RunLimits;
use super::{Loaded, v1};
use crate::domain::plugin::{InvalidManifest, MANIFEST_SECTION, Manifest};

/// A component that may be used.
#[derive(Debug)]
pub struct Admitted {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Ready to run.
    pub loaded: Arc<Loaded>,
}

/// Why a component is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Too large.
    #[error("the component has {used} bytes; allowed are {allowed}")]
    TooLarge {
        /// Its bytes.
        used: usize,
        /// The limit.
        allowed: usize,
    },
    /// Not a component.
    #[error("this is no WebAssembly component: {0}")]
    NotAComponent(String),
    /// A core module.
    #[error("this is a core module; `hookwright plugin build` makes a component of it")]
    CoreModule,
    /// No manifest.
    #[error(
        "the component has no manifest (custom section `{MANIFEST_SECTION}`); `hookwright plugin build` puts it in"
    )]
    NoManifest,
    /// A manifest that is none.
    #[error(transparent)]
    Manifest(#[from] InvalidManifest),
    /// It wants something that plugins do not get.
    #[error(
        "the component imports `{0}`; plugins get `hookwright:plugin/logging@1.0.0` and nothing else from this server"
    )]
    Import(String),
    /// It does not fit the contract, or its trial instance failed.
    #[error("the component does not fit the contract: {0}")]
    Incompatible(String),
}

/// Reads the manifest of a component.
pub fn manifest_of(component: &[u8]) -> Result<Manifest, Refusal> {
    let not_a_component = |error: wasmparser::BinaryReaderError| Refusal::NotAComponent(error.message().to_owned());
    let mut manifest = None;
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(not_a_component)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => return Err(Refusal::CoreModule),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 0 && section.name() == MANIFEST_SECTION => {
                manifest = Some(Manifest::parse(section.data())?);
            }
            _ => {}
        }
    }
    manifest.ok_or(Refusal::NoManifest)
}

/// Imports that are neither types nor offered.
fn forbidden_import(component: &[u8]) -> Result<Option<String>, Refusal> {
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(|error| Refusal::NotAComponent(error.message().to_owned()))? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 0 => {
                for import in imports {
                    let import = import.map_err(|error| Refusal::NotAComponent(error.message().to_owned()))?;
                    let name = import.name.name;
                    let offered = ["hookwright:plugin/logging@1.", "hookwright:plugin/types@1."];
                    if !offered.iter().any(|prefix| name.starts_with(prefix)) {
                        return Ok(Some(name.to_owned()));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(None)
}

pub(super) fn admit(
    engine: &PluginEngine,
    limits: &RunLimits,
    component_bytes: usize,
    component: &[u8],
) -> Result<Admitted, Refusal> {
    if component.len() > component_bytes {
        return Err(Refusal::TooLarge { used: component.len(), allowed: component_bytes });
    }
    let manifest = manifest_of(component)?;
    if let Some(import) = forbidden_import(component)? {
        return Err(Refusal::Import(import));
    }
    let incompatible = |failure: super::RunFailure| Refusal::Incompatible(failure.message);
    let plugin = v1::Prepared::compile(engine.engine(), component).map_err(incompatible)?;
    plugin.try_instance(engine.engine(), limits).map_err(incompatible)?;
    Ok(Admitted { manifest, loaded: Arc::new(Loaded { plugin }) })
}
