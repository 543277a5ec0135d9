//! The files of a project that people write.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::domain::plugin::Digest;

/// Folders that tools write themselves.
const MADE_BY_TOOLS: [&str; 8] = ["target", "node_modules", "venv", ".venv", "__pycache__", "build", ".git", "dist"];
/// Files that tools write themselves, by the ends of their names.
const MADE_ENDINGS: [&str; 4] = [".wasm", ".lock", ".pyc", "package-lock.json"];

/// All of them, in the order of their paths.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            if path.is_dir() {
                if !MADE_BY_TOOLS.contains(&name.to_string_lossy().as_ref()) {
                    folders.push(path);
                }
            } else if MADE_ENDINGS.iter().all(|made| !name.to_string_lossy().ends_with(made)) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// When one of them changed last.
pub(super) fn newest(folder: &Path) -> Option<SystemTime> {
    let changed = |path: &PathBuf| path.metadata().and_then(|metadata| metadata.modified()).ok();
    files(folder).iter().filter_map(changed).max()
}

/// A digest of what they hold; golden cases apart, which no compiler reads.
pub(super) fn digest(folder: &Path) -> String {
    let cases = folder.join("cases");
    // Events and configurations to try, beside what tools are told.
    let is_given = |path: &Path| {
        path.parent() == Some(folder)
            && path.extension().is_some_and(|ending| ending == "json")
            && path.file_name().is_none_or(|name| name != "package.json" && name != "tsconfig.json")
    };
    digest_of(files(folder).iter().filter(|path| !path.starts_with(&cases) && !is_given(path)))
}

/// A digest of what these files hold; one that is not there holds nothing.
pub(super) fn digest_of<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> String {
    let mut all = String::new();
    for path in files {
        let content = std::fs::read(path).map(|content| Digest::of(&content).to_string()).unwrap_or_default();
        all.extend([path.to_string_lossy().as_ref(), &content, "\n"]);
    }
    Digest::of(all.as_bytes()).to_string()
}
