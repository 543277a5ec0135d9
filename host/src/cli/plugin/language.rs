//! The languages that there are projects for, and how each project is built with the tools of its language.

mod cargo;
mod node;
mod python;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;

use super::sources;
use crate::cli::Failure;

/// Where the compilers of JavaScript and Python leave what they make, below the project.
const COMPONENT: &str = "target/component.wasm";

/// What a plugin is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    Rust,
    Javascript,
    Python,
}

/// What a build gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Built {
    /// A core module.
    Module(PathBuf),
    /// A component without a manifest.
    Component(PathBuf),
}

impl Language {
    /// Of the project in this folder, told by the file that names its packages.
    fn of(folder: &Path) -> Option<Self> {
        let all = [Self::Rust, Self::Javascript, Self::Python];
        all.into_iter().find(|language| folder.join(language.packages()).exists())
    }

    fn packages(self) -> &'static str {
        match self {
            Self::Rust => "Cargo.toml",
            Self::Javascript => "package.json",
            Self::Python => "requirements.txt",
        }
    }
}

/// Builds the project in this folder. What the tools say goes to stderr.
pub(super) fn build(folder: &Path, cargo: Option<&Path>) -> Result<Built, Failure> {
    match Language::of(folder) {
        Some(Language::Rust) => cargo::build(folder, cargo).map(Built::Module),
        Some(Language::Javascript) => unless_current(folder, "node_modules/.package-lock.json", node::build),
        Some(Language::Python) => unless_current(folder, python::INSTALLED, python::build),
        None => Err(format!(
            "{} has no Cargo.toml, package.json or requirements.txt, so it is not known how to build it; give what its \
             compiler made by --component",
            folder.display()
        )
        .into()),
    }
}

/// These compilers take seconds and know nothing of what is unchanged, which is what most commands find.
fn unless_current(folder: &Path, installed: &str, build: fn(&Path) -> Result<(), Failure>) -> Result<Built, Failure> {
    let component = folder.join(COMPONENT);
    let stamp = folder.join("target/component.stamp");
    // Sources as they are now: what changes while they are built is in none of it.
    let before = sources::digest(folder);
    let state = || before.clone() + &sources::digest_of([&folder.join(installed), &component]);
    if std::fs::read_to_string(&stamp).is_ok_and(|known| known == state()) {
        return Ok(Built::Component(component));
    }
    // So that what an earlier build left is never taken for this one's.
    if component.exists() {
        std::fs::remove_file(&component)?;
    }
    build(folder)?;
    if !component.exists() {
        return Err(format!("the build left no {}, which is where it belongs", component.display()).into());
    }
    std::fs::write(&stamp, state())?;
    Ok(Built::Component(component))
}

/// Says on stderr what is done that nobody asked for.
fn say(what: &str) {
    eprintln!("hookwright: {what}");
}

/// Runs a tool in the project; what it prints goes to stderr, because stdout is for what was asked for. Whether it
/// succeeded.
fn tool(command: &mut Command, folder: &Path) -> std::io::Result<bool> {
    Ok(command.current_dir(folder).stdin(Stdio::null()).stdout(std::io::stderr()).status()?.success())
}

/// What a program says of its version, if it is there: the numbers of `v20.1.0` or `Python 3.11.2`.
fn version(program: &Path) -> Option<(u32, u32)> {
    let output = Command::new(program).arg("--version").output().ok().filter(|output| output.status.success())?;
    numbers(&String::from_utf8_lossy(&output.stdout))
}

fn numbers(text: &str) -> Option<(u32, u32)> {
    let text = text.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    let mut parts = text.split(|letter: char| !letter.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_tells_its_language() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Language::of(folder.path()), None);
        let error = build(folder.path(), None).unwrap_err().to_string();
        assert!(error.contains("package.json") && error.contains("--component"), "{error}");
        for (language, file) in [(Language::Python, "requirements.txt"), (Language::Javascript, "package.json")] {
            std::fs::write(folder.path().join(file), "").unwrap();
            assert_eq!(Language::of(folder.path()), Some(language));
        }
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(numbers("v20.20.2\n"), Some((20, 20)));
        assert_eq!(numbers("Python 3.11.2"), Some((3, 11)));
        assert_eq!(numbers("none"), None);
    }

    #[test]
    fn what_is_unchanged_is_not_built_again() {
        let folder = tempfile::tempdir().unwrap();
        let put = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
        std::fs::create_dir(folder.path().join("target")).unwrap();
        put("plugin.js", "1");
        let counting: fn(&Path) -> Result<(), Failure> = |folder| {
            let source = std::fs::read_to_string(folder.join("plugin.js"))?;
            if source == "broken" {
                return Err("broken".into());
            }
            let log = folder.join("target/log");
            let builds = std::fs::read_to_string(&log).unwrap_or_default() + &source;
            std::fs::write(&log, builds)?;
            Ok(std::fs::write(folder.join(COMPONENT), source)?)
        };
        let built = || unless_current(folder.path(), "node_modules/x", counting).is_ok();
        let log = || std::fs::read_to_string(folder.path().join("target/log")).unwrap();
        assert!(built() && built());
        assert_eq!(log(), "1");
        put("plugin.js", "2");
        assert!(built() && built());
        assert_eq!(log(), "12");
        // Somebody else's component is not this one's.
        put(COMPONENT, "other");
        assert!(built());
        assert_eq!(log(), "122");
        // What does not build leaves nothing to be taken for it.
        put("plugin.js", "broken");
        assert!(!built() && !built() && !folder.path().join(COMPONENT).exists());
    }
}
