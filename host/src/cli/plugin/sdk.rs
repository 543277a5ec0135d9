//! The SDK and the contract as this program was built with them: new plugins get a copy, so that they build anywhere.

use std::path::Path;

use rust_embed::RustEmbed;

use super::language::Language;
use crate::cli::Failure;

#[derive(RustEmbed)]
#[folder = "../sdk"]
#[include = "Cargo.toml"]
#[include = "src/**/*.rs"]
#[include = "macros/Cargo.toml"]
#[include = "macros/src/*.rs"]
struct Rust;

#[derive(RustEmbed)]
#[folder = "../sdk/javascript"]
#[include = "package.json"]
#[include = "*.js"]
#[include = "*.d.ts"]
#[exclude = "node_modules/*"]
struct JavaScript;

#[derive(RustEmbed)]
#[folder = "../sdk/python"]
#[include = "pyproject.toml"]
#[include = "hookwright_sdk/*.py"]
#[include = "hookwright_sdk/py.typed"]
struct Python;

#[derive(RustEmbed)]
#[folder = "../wit"]
#[include = "v1/*.wit"]
struct Contract;

#[derive(RustEmbed)]
#[folder = "../wit/v1"]
#[include = "*.wit"]
struct ContractFiles;

/// What packages of the workspace inherit, as a package by itself says it.
const INHERITED: [(&str, &str); 5] = [
    ("version", env!("CARGO_PKG_VERSION")),
    ("edition", "2024"),
    ("rust-version", env!("CARGO_PKG_RUST_VERSION")),
    ("license", env!("CARGO_PKG_LICENSE")),
    ("publish", ""),
];

/// Writes `hookwright-sdk/` into this folder, with the contract where this language's SDK looks for it.
pub(super) fn write(language: Language, folder: &Path) -> Result<(), Failure> {
    let sdk = folder.join("hookwright-sdk");
    match language {
        Language::Rust => {
            copy::<Rust>(&sdk)?;
            copy::<Contract>(&folder.join("wit"))
        }
        Language::Javascript => {
            copy::<JavaScript>(&sdk)?;
            copy::<ContractFiles>(&sdk.join("wit"))
        }
        Language::Python => {
            copy::<Python>(&sdk)?;
            copy::<ContractFiles>(&sdk.join("hookwright_sdk/wit"))
        }
    }
}

/// All files of a kind, a package's description as that of a package by itself.
fn copy<E: RustEmbed>(folder: &Path) -> Result<(), Failure> {
    for name in E::iter() {
        let file = E::get(&name).ok_or("the SDK is in this program")?;
        match name.rsplit('/').next().unwrap_or_default() {
            "Cargo.toml" => put(&folder.join(&*name), by_itself(std::str::from_utf8(&file.data)?).as_bytes())?,
            "package.json" => put(&folder.join(&*name), &without_scripts(&file.data)?)?,
            _ => put(&folder.join(&*name), &file.data)?,
        }
    }
    Ok(())
}

fn put(path: &Path, content: &[u8]) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, content).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// A package's manifest without what it inherits from a workspace.
fn by_itself(manifest: &str) -> String {
    let mut lines = Vec::new();
    for line in manifest.lines() {
        match line.strip_suffix(".workspace = true").and_then(|name| INHERITED.iter().find(|(known, _)| *known == name))
        {
            Some((name, "")) => lines.push(format!("{name} = false")),
            Some((name, value)) => lines.push(format!("{name} = \"{value}\"")),
            None if line == "workspace = true" || line == "[lints]" => {}
            None => lines.push(line.to_owned()),
        }
    }
    lines.join("\n") + "\n"
}

/// They copy the contract, which is there already.
fn without_scripts(manifest: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut manifest: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(manifest)?;
    manifest.shift_remove("scripts");
    Ok(serde_json::to_vec_pretty(&manifest)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_stands_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        write(Language::Rust, folder.path()).unwrap();
        let manifest = std::fs::read_to_string(folder.path().join("hookwright-sdk/Cargo.toml")).unwrap();
        assert!(!manifest.contains("workspace"), "{manifest}");
        let manifest: toml::Table = manifest.parse().unwrap();
        assert_eq!(manifest["package"]["edition"].as_str(), Some("2024"));
        for file in ["src/lib.rs", "src/text/mod.rs", "macros/src/lib.rs", "macros/Cargo.toml"] {
            let text = std::fs::read_to_string(folder.path().join("hookwright-sdk").join(file)).unwrap();
            assert!(!text.contains("workspace = true"), "{file}");
        }
        assert!(folder.path().join("wit/v1/plugin.wit").exists());
    }

    #[test]
    fn each_language_has_the_contract() {
        for (language, files) in [
            (Language::Javascript, ["package.json", "index.d.ts", "wit/plugin.wit"]),
            (Language::Python, ["pyproject.toml", "hookwright_sdk/guest.py", "hookwright_sdk/wit/plugin.wit"]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            write(language, folder.path()).unwrap();
            for file in files {
                let text = std::fs::read_to_string(folder.path().join("hookwright-sdk").join(file)).unwrap();
                assert!(!text.contains("prepare"), "{file}: {text}");
            }
        }
    }
}
