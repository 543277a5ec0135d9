//! A project in Rust: cargo makes a core module of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::cli::Failure;

const TARGET: &str = "wasm32-unknown-unknown";

/// A line that cargo prints for programs.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact {
        manifest_path: PathBuf,
        filenames: Vec<PathBuf>,
    },
    #[serde(other)]
    Other,
}

/// Builds the project in this folder; its core module. What the tools say goes to stderr.
pub(super) fn build(folder: &Path, cargo: Option<&Path>) -> Result<PathBuf, Failure> {
    let mut command = Command::new(cargo.unwrap_or(Path::new("cargo")));
    command.args(["build", "--release", "--message-format", "json-render-diagnostics"]);
    // Who brings a command of their own for it has it know the target.
    if cargo.is_none() {
        has_target(folder)?;
        command.args(["--target", TARGET]);
    }
    let output = command.current_dir(folder).stderr(Stdio::inherit()).output().map_err(|error| no_cargo(&error))?;
    if !output.status.success() {
        return Err("the plugin does not compile; cargo says why above".into());
    }
    let manifest = folder.join("Cargo.toml").canonicalize()?;
    module(&output.stdout, &manifest).ok_or_else(|| {
        let hint = "[lib] with crate-type = [\"cdylib\", \"rlib\"]";
        format!("cargo made no WebAssembly module of {}: it needs {hint}", manifest.display()).into()
    })
}

/// The module that cargo made of the package with this manifest.
fn module(messages: &[u8], manifest: &Path) -> Option<PathBuf> {
    let messages = messages.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    let mut modules = messages.filter_map(|message| match message {
        Message::CompilerArtifact { manifest_path, filenames } if manifest_path == manifest => {
            filenames.into_iter().find(|file| file.extension().is_some_and(|extension| extension == "wasm"))
        }
        _ => None,
    });
    modules.next_back()
}

/// Whether the compiler can build plugins at all: its own message would be a long list of errors.
fn has_target(folder: &Path) -> Result<(), Failure> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]).current_dir(folder);
    let output = rustc.output().map_err(|error| no_cargo(&error))?;
    let libraries = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let has_std = std::fs::read_dir(libraries).is_ok_and(|mut files| {
        files.any(|file| file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("libstd-")))
    });
    if has_std {
        Ok(())
    } else {
        Err(format!("the Rust compiler lacks the target; run: rustup target add {TARGET}").into())
    }
}

fn no_cargo(error: &std::io::Error) -> Failure {
    format!("the Rust tools cannot be run ({error}); https://rustup.rs says how to get them").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_the_packages_own() {
        let messages =
            br#"{"reason":"compiler-artifact","manifest_path":"/w/other/Cargo.toml","filenames":["/t/other.wasm"]}
{"reason":"build-script-executed","package_id":"x"}
{"reason":"compiler-artifact","manifest_path":"/w/mine/Cargo.toml","filenames":["/t/libmine.rlib","/t/mine.wasm"]}
{"reason":"build-finished","success":true}"#;
        assert_eq!(module(messages, Path::new("/w/mine/Cargo.toml")), Some(PathBuf::from("/t/mine.wasm")));
        assert_eq!(module(messages, Path::new("/w/none/Cargo.toml")), None);
    }
}
