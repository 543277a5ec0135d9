//! What an uploaded component must be before anything is done with it, and before anything is compiled.

use wasmparser::{Encoding, Parser, Payload};

use super::wasi;
use crate::config::PluginConfig;
use crate::domain::plugin::{Abilities, MANIFEST_SECTION, Manifest, PluginFailure};
use crate::domain::schema::{Schema, SchemaLimits};

/// The package of the contract.
const PACKAGE: &str = "hookwright:plugin/";
/// The version of the contract that this server knows: a component may want this or, of the same major number, an
/// earlier one.
const CONTRACT: (u64, u64) = (1, 0);
/// What plugins may import.
const OFFERED: [&str; 3] = ["logging", "memory", "types"];
/// What a plugin imports that recalls what answers taught it.
const MEMORY: &str = "memory";
/// What every plugin exports.
const TRANSFORMER: &str = "transformer";
/// What a plugin exports that reads answers.
const INTERPRETER: &str = "interpreter";

/// What a component says of itself, without being run.
#[derive(Debug)]
struct Outline {
    manifest: Manifest,
    imports: Vec<String>,
    exports: Vec<String>,
    parts: Parts,
}

/// What the core modules of a component begin with, all of them together.
#[derive(Debug, Default)]
struct Parts {
    memories: usize,
    memory_bytes: u64,
    tables: usize,
    table_elements: u64,
}

impl Parts {
    fn check(&self, config: &PluginConfig) -> Result<(), PluginFailure> {
        let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        at_most("memories", "memories", self.memories, config.memories)?;
        at_most("memory_bytes", "bytes of memory to begin with", number(self.memory_bytes), config.memory_bytes)?;
        at_most("tables", "tables", self.tables, config.tables)?;
        let elements = number(self.table_elements);
        at_most("table_elements", "elements of tables to begin with", elements, config.table_elements)
    }
}

const PAGE_BYTES: u64 = 64 * 1024;

/// Reads the manifest of a component.
pub fn manifest_of(component: &[u8]) -> Result<Manifest, PluginFailure> {
    Outline::read(component, usize::MAX).map(|outline| outline.manifest)
}

/// Checks what can be seen of a component without compiling it, as a server with the usual limits does.
pub fn check_component(component: &[u8]) -> Result<(), PluginFailure> {
    inspect(component, &PluginConfig::default()).map(|_| ())
}

/// Checks what can be seen without compiling: size, imports, exports, manifest.
pub(super) fn inspect(component: &[u8], config: &PluginConfig) -> Result<(Manifest, Abilities), PluginFailure> {
    at_most("component_bytes", "bytes", component.len(), config.component_bytes)?;
    let Outline { manifest, imports, exports, parts } = Outline::read(component, config.manifest_bytes)?;
    for import in &imports {
        check_import(import)?;
    }
    check_export(&exports)?;
    parts.check(config)?;
    at_most("cases", "golden cases", manifest.cases.len(), config.cases)?;
    check_configurations(&manifest, config.schema)?;
    if manifest.interpreter.is_some() && !exports.iter().any(|name| is_known(name, INTERPRETER)) {
        let message = format!("the manifest has `interpreter`, but the component exports no {PACKAGE}{INTERPRETER}");
        return Err(PluginFailure::new("plugin.bad_manifest", message));
    }
    let recalls = imports.iter().any(|name| is_known(name, MEMORY));
    let abilities = Abilities { interpreter: manifest.interpreter.clone(), recalls };
    Ok((manifest, abilities))
}

/// Checks that the schema of the configuration is one and keeps to its limits, and that the golden cases keep to it.
pub fn check_configurations(manifest: &Manifest, limits: SchemaLimits) -> Result<(), PluginFailure> {
    let bad = |message: String| PluginFailure::new("plugin.bad_manifest", message);
    let schema = Schema::new(&manifest.config, limits).map_err(|invalid| match &invalid.limit {
        Some(hit) => {
            PluginFailure { limit: Some(hit.clone()), ..PluginFailure::new("plugin.too_large", invalid.to_string()) }
        }
        None => bad(invalid.to_string()),
    })?;
    let empty = serde_json::json!({});
    for case in &manifest.cases {
        let config = case.get("config").filter(|config| !config.is_null()).unwrap_or(&empty);
        if let Some(wrong) = schema.check(config).first() {
            let name = case.get("name").and_then(serde_json::Value::as_str).unwrap_or("without a name");
            let at = format!("/config{}", wrong.pointer);
            return Err(bad(format!(
                "the configuration of the golden case `{name}` is wrong at `{at}`: {}",
                wrong.detail
            )));
        }
    }
    Ok(())
}

fn at_most(limit: &str, what: &str, used: usize, allowed: usize) -> Result<(), PluginFailure> {
    if used <= allowed {
        return Ok(());
    }
    let message = format!("the component has {used} {what}; allowed are {allowed}");
    Err(PluginFailure::limit("plugin.too_large", message, limit, used as u64, allowed as u64))
}

impl Outline {
    fn read(component: &[u8], manifest_bytes: usize) -> Result<Self, PluginFailure> {
        let broken = |error: wasmparser::BinaryReaderError| not_a_component(error.message());
        let (mut manifest, mut imports, mut exports) = (None, Vec::new(), Vec::new());
        let mut parts = Parts::default();
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(component) {
            match payload.map_err(broken)? {
                Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                    let message = "this is a core module; `hookwright plugin build` makes a component of it";
                    return Err(PluginFailure::new("plugin.not_a_component", message));
                }
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::CustomSection(section) if depth == 0 && section.name() == MANIFEST_SECTION => {
                    at_most("manifest_bytes", "bytes of manifest", section.data().len(), manifest_bytes)?;
                    let parsed = Manifest::parse(section.data())
                        .map_err(|error| PluginFailure::new("plugin.bad_manifest", error.to_string()))?;
                    if manifest.replace(parsed).is_some() {
                        return Err(PluginFailure::new("plugin.bad_manifest", "the component has two manifests"));
                    }
                }
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        imports.push(import.map_err(broken)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        exports.push(export.map_err(broken)?.name.name.to_owned());
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        parts.memories += 1;
                        let bytes = memory.map_err(broken)?.initial.saturating_mul(PAGE_BYTES);
                        parts.memory_bytes = parts.memory_bytes.saturating_add(bytes);
                    }
                }
                Payload::TableSection(section) => {
                    for table in section {
                        parts.tables += 1;
                        parts.table_elements = parts.table_elements.saturating_add(table.map_err(broken)?.ty.initial);
                    }
                }
                _ => {}
            }
        }
        let manifest = manifest.ok_or_else(|| {
            let message = format!(
                "the component has no manifest (custom section `{MANIFEST_SECTION}`); `hookwright plugin build` puts it in"
            );
            PluginFailure::new("plugin.bad_manifest", message)
        })?;
        Ok(Self { manifest, imports, exports, parts })
    }
}

fn not_a_component(reason: &str) -> PluginFailure {
    // The bytes that stand there instead would fill lines.
    let reason = reason.split(" - expected").next().unwrap_or(reason);
    PluginFailure::new("plugin.not_a_component", format!("this is no WebAssembly component: {reason}"))
}

/// The interface of the contract that a name like `hookwright:plugin/logging@1.0.0` names, and its version.
fn interface(name: &str) -> Option<(&str, (u64, u64))> {
    let (interface, version) = name.strip_prefix(PACKAGE)?.split_once('@')?;
    let mut numbers = version.split('.').map(str::parse);
    Some((interface, (numbers.next()?.ok()?, numbers.next()?.ok()?)))
}

fn is_known(name: &str, wanted: &str) -> bool {
    interface(name)
        .is_some_and(|(interface, version)| interface == wanted && version.0 == CONTRACT.0 && version.1 <= CONTRACT.1)
}

fn other_contract(name: &str, verb: &str) -> PluginFailure {
    let (major, minor) = CONTRACT;
    let message = format!(
        "the component {verb} `{name}`; this server knows version {major}.{minor} of the contract, so the plugin has to be built for that"
    );
    PluginFailure::new("plugin.incompatible", message)
}

fn check_import(name: &str) -> Result<(), PluginFailure> {
    match interface(name) {
        _ if OFFERED.iter().any(|offered| is_known(name, offered)) || wasi::interface(name).is_some() => Ok(()),
        Some((interface, version)) if version != CONTRACT && OFFERED.contains(&interface) => {
            Err(other_contract(name, "imports"))
        }
        _ => {
            let (major, minor) = CONTRACT;
            let message = format!(
                "the component imports `{name}`; plugins get `{PACKAGE}logging@{major}.{minor}.0`, `{PACKAGE}memory@{major}.{minor}.0` and WASI 0.2 with nothing behind it, and nothing else from this server"
            );
            Err(PluginFailure::new("plugin.forbidden_import", message))
        }
    }
}

fn check_export(exports: &[String]) -> Result<(), PluginFailure> {
    if exports.iter().any(|name| is_known(name, TRANSFORMER)) {
        return Ok(());
    }
    let of_other_contract = exports.iter().find(|name| interface(name).is_some_and(|(found, _)| found == TRANSFORMER));
    Err(of_other_contract.map_or_else(
        || {
            let (major, minor) = CONTRACT;
            let message = format!(
                "the component exports no `{PACKAGE}{TRANSFORMER}@{major}.{minor}.0`; it was built for another world than `plugin`"
            );
            PluginFailure::new("plugin.incompatible", message)
        },
        |name| other_contract(name, "exports"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_contract_this_version_and_earlier_ones_of_its_major_number_are_known() {
        assert!(check_import("hookwright:plugin/logging@1.0.7").is_ok());
        assert!(check_import("hookwright:plugin/types@1.0.0").is_ok());
        let code = |name: &str| check_import(name).unwrap_err().code;
        for newer_or_older in
            ["hookwright:plugin/logging@1.1.0", "hookwright:plugin/logging@2.0.0", "hookwright:plugin/types@0.9.0"]
        {
            assert_eq!(code(newer_or_older), "plugin.incompatible", "{newer_or_older}");
        }
        assert!(check_import("wasi:clocks/wall-clock@0.2.3").is_ok());
        for foreign in
            ["wasi:clocks/wall-clock@0.3.0", "hookwright:plugin/network@1.0.0", "hookwright:plugin/logging", "log", ""]
        {
            assert_eq!(code(foreign), "plugin.forbidden_import", "{foreign}");
        }
    }

    #[test]
    fn the_transformer_must_be_exported() {
        let check = |names: &[&str]| check_export(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert!(check(&["memory", "hookwright:plugin/transformer@1.0.0"]).is_ok());
        let newer = check(&["hookwright:plugin/transformer@1.2.0"]).unwrap_err();
        assert!(newer.message.contains("`hookwright:plugin/transformer@1.2.0`"), "{newer}");
        let missing = check(&["hookwright:plugin/interpreter@1.0.0"]).unwrap_err();
        assert!(missing.message.contains("exports no"), "{missing}");
    }
}
