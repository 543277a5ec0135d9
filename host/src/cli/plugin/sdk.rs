//! The SDK and the contract as this program was built with them: new plugins get a copy, so that they build anywhere.

use std::path::Path;

use rust_embed::RustEmbed;

use crate::cli::Failure;

#[derive(RustEmbed)]
#[folder = "../sdk"]
#[include = "Cargo.toml"]
#[include = "src/**/*.rs"]
struct Sdk;

#[derive(RustEmbed)]
#[folder = "../wit"]
#[include = "v1/*.wit"]
struct Contract;

/// What packages of the workspace inherit, as a package by itself says it.
const INHERITED: [(&str, &str); 5] = [
    ("version", env!("CARGO_PKG_VERSION")),
    ("edition", "2024"),
    ("rust-version", env!("CARGO_PKG_RUST_VERSION")),
    ("license", env!("CARGO_PKG_LICENSE")),
    ("publish", ""),
];

/// Writes `hookwright-sdk/` and `wit/` into this folder.
pub(super) fn write(folder: &Path) -> Result<(), Failure> {
    for name in Sdk::iter() {
        let file = Sdk::get(&name).ok_or("the SDK is in this program")?;
        if name == "Cargo.toml" {
            put(&folder.join("hookwright-sdk/Cargo.toml"), by_itself(std::str::from_utf8(&file.data)?).as_bytes())?;
        } else {
            put(&folder.join("hookwright-sdk").join(&*name), &file.data)?;
        }
    }
    for name in Contract::iter() {
        let file = Contract::get(&name).ok_or("the contract is in this program")?;
        put(&folder.join("wit").join(&*name), &file.data)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_stands_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        let manifest = std::fs::read_to_string(folder.path().join("hookwright-sdk/Cargo.toml")).unwrap();
        assert!(!manifest.contains("workspace"), "{manifest}");
        let manifest: toml::Table = manifest.parse().unwrap();
        assert_eq!(manifest["package"]["edition"].as_str(), Some("2024"));
        for file in ["hookwright-sdk/src/lib.rs", "hookwright-sdk/src/text/mod.rs", "wit/v1/plugin.wit"] {
            assert!(folder.path().join(file).exists(), "{file}");
        }
    }
}
