//! A project in JavaScript: npm brings the compiler, and the project's own script `build` runs it.

use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use super::{say, tool, version};
use crate::cli::Failure;

/// The oldest Node.js that the compiler runs on.
const OLDEST: u32 = 18;
/// What npm writes last.
const INSTALLED: &str = "node_modules/.package-lock.json";

pub(super) fn build(folder: &Path) -> Result<(), Failure> {
    let lacking = |what: &str| {
        format!(
            "a plugin in JavaScript is built by Node.js {OLDEST} or later with npm, and {what}; https://nodejs.org says how to \
             get it (on Debian: apt-get install nodejs npm)"
        )
    };
    match version(Path::new("node")) {
        None => return Err(lacking("`node` is not here").into()),
        Some((major, _)) if major < OLDEST => return Err(lacking(&format!("`node` is version {major}")).into()),
        Some(_) => {}
    }
    let run = |arguments: &[&str]| {
        tool(Command::new("npm").args(arguments), folder)
            .map_err(|error| lacking(&format!("`npm` cannot be run ({error})")))
    };
    if !is_installed(folder) {
        say("installing what package.json names (npm install)");
        if !run(&["install", "--no-audit", "--no-fund", "--loglevel", "error"])? {
            return Err("npm cannot install what package.json names; it says why above".into());
        }
    }
    if run(&["run", "--silent", "build"])? {
        Ok(())
    } else {
        Err("the plugin does not compile; its script `build` in package.json says why above".into())
    }
}

/// Whether npm has run since the list of packages changed.
fn is_installed(folder: &Path) -> bool {
    let changed = |file: &str| -> Option<SystemTime> { folder.join(file).metadata().ok()?.modified().ok() };
    let wanted = ["package.json", "package-lock.json"].into_iter().filter_map(changed).max();
    changed(INSTALLED).is_some_and(|installed| Some(installed) >= wanted)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn packages_are_installed_once_and_when_their_list_changes() {
        let folder = tempfile::tempdir().unwrap();
        let start = SystemTime::UNIX_EPOCH;
        let put = |file: &str, seconds: u64| {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let file = std::fs::File::create(path).unwrap();
            file.set_modified(start + Duration::from_secs(seconds)).unwrap();
        };
        put("package.json", 1);
        assert!(!is_installed(folder.path()));
        put("package-lock.json", 2);
        put(INSTALLED, 2);
        assert!(is_installed(folder.path()));
        put("package.json", 3);
        assert!(!is_installed(folder.path()));
    }
}
