//! From a core module or a component and a folder to a component that can be uploaded.

use std::borrow::Cow;
use std::path::Path;
use std::process::ExitCode;

use wasm_encoder::{ComponentSection as _, CustomSection};
use wasmparser::Parser;
use wit_component::ComponentEncoder;

use super::super::Failure;
use super::language::{self, Built};
use super::{BuildArgs, Given, derived, names, source};
use crate::domain::plugin::{MANIFEST_SECTION, Manifest};
use crate::domain::schema::SchemaLimits;
use crate::sandbox::{check_component, check_configurations, manifest_of};

pub(super) fn run(args: &BuildArgs) -> Result<ExitCode, Failure> {
    let (manifest, component) = made(&args.folder, &args.given)?;
    let usual = || args.folder.join(format!("{}-{}.wasm", manifest.name, manifest.version));
    let output = args.output.clone().unwrap_or_else(usual);
    if let Some(folder) = output.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&output, &component).map_err(|error| format!("{}: {error}", output.display()))?;
    println!("{} {}: {} ({} bytes)", manifest.name, manifest.version, output.display(), component.len());
    Ok(ExitCode::SUCCESS)
}

/// The manifest of a folder and its component: of what is given, or of what the folder's own tools build.
pub(super) fn made(folder: &Path, given: &Given) -> Result<(Manifest, Vec<u8>), Failure> {
    // What is wrong there is told before anything takes time.
    let mut manifest = source::manifest(folder)?;
    let check = |manifest: &Manifest| check_configurations(manifest, SchemaLimits::default());
    check(&manifest)?;
    let built = match (&given.component, &given.module) {
        (Some(file), _) => Built::Component(file.clone()),
        (None, Some(file)) => Built::Module(file.clone()),
        (None, None) => language::build(folder, given.cargo.as_deref())?,
    };
    let component = match built {
        Built::Component(file) => finished(&file, &manifest)?,
        Built::Module(file) => {
            let module = read(&file)?;
            derived::put_in(&mut manifest, &module)?;
            check(&manifest)?;
            component(&module, &manifest)?
        }
    };
    Ok((manifest, component))
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    Ok(std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?)
}

/// Puts the manifest into a component that another compiler made.
fn finished(file: &Path, manifest: &Manifest) -> Result<Vec<u8>, Failure> {
    let mut component = read(file)?;
    let refused = |why: &str| format!("{}: {why}", file.display());
    if Parser::is_core_wasm(&component) {
        return Err(refused("this is a core module; give it as --module").into());
    }
    if !Parser::is_component(&component) {
        return Err(refused("this is no WebAssembly component").into());
    }
    put_in(manifest, &mut component)?;
    check_component(&component).map_err(|failure| refused(&failure.to_string()))?;
    Ok(component)
}

/// Wraps a core module and puts the manifest in.
fn component(module: &[u8], manifest: &Manifest) -> Result<Vec<u8>, Failure> {
    let not_a_plugin = |error: String| format!("this module does not fit the plugin contract: {error}");
    let module = names::shortened(module).map_err(|error| not_a_plugin(error.to_string()))?;
    let mut component = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(wit_component::ComponentEncoder::encode)
        .map_err(|error| not_a_plugin(format!("{error:#}")))?;
    component = names::trimmed(&component)?;
    put_in(manifest, &mut component)?;
    // What is written must be what the server will read.
    manifest_of(&component)?;
    Ok(component)
}

fn put_in(manifest: &Manifest, component: &mut Vec<u8>) -> Result<(), Failure> {
    let data = serde_json::to_vec(manifest)?;
    CustomSection { name: Cow::Borrowed(MANIFEST_SECTION), data: Cow::Owned(data) }.append_to_component(component);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"{"name":"x","version":"1.0.0","events":["*"]}"#;

    fn refusal(bytes: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let manifest = Manifest::parse(MANIFEST.as_bytes()).unwrap();
        finished(file.path(), &manifest).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_component_or_no_plugin_is_refused_by_name() {
        assert!(refusal(b"text").ends_with("this is no WebAssembly component"), "{}", refusal(b"text"));
        let module = refusal(b"\0asm\x01\0\0\0");
        assert!(module.ends_with("this is a core module; give it as --module"), "{module}");
        let empty = *b"\0asm\x0d\0\x01\0";
        let useless = refusal(&empty);
        assert!(useless.contains("transformer"), "{useless}");
        let mut ready = empty.to_vec();
        put_in(&Manifest::parse(MANIFEST.as_bytes()).unwrap(), &mut ready).unwrap();
        let twice = refusal(&ready);
        assert!(twice.contains("two manifests"), "{twice}");
    }
}
