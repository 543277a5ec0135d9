//! A plugin's folder: `plugin.toml` and the golden cases in `cases/`.

use std::path::{Path, PathBuf};

use crate::domain::plugin::{InvalidManifest, Manifest};

/// Why a folder gives no manifest.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    #[error("{path}: {reason}")]
    Unreadable { path: PathBuf, reason: String },
    #[error("{path}: {error}")]
    Invalid { path: PathBuf, error: InvalidManifest },
}

/// Makes the manifest of a folder.
pub(super) fn manifest(folder: &Path) -> Result<Manifest, SourceError> {
    let path = folder.join("plugin.toml");
    let unreadable = |reason: String| SourceError::Unreadable { path: path.clone(), reason };
    let text = std::fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
    // Through JSON, because that is what the manifest is: whatever else stands there is kept.
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| unreadable(error.to_string()))?;
    let mut json = serde_json::to_value(table).map_err(|error| unreadable(error.to_string()))?;
    json["cases"] = serde_json::Value::Array(cases(&folder.join("cases"))?);
    let bytes = serde_json::to_vec(&json).map_err(|error| unreadable(error.to_string()))?;
    Manifest::parse(&bytes).map_err(|error| SourceError::Invalid { path: path.clone(), error })
}

fn unreadable(path: &Path, reason: String) -> SourceError {
    SourceError::Unreadable { path: path.to_owned(), reason }
}

/// The files of the cases in the order of their names, so that the same folder gives the same bytes.
pub(super) fn case_files(folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, error.to_string()))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    Ok(paths)
}

fn cases(folder: &Path) -> Result<Vec<serde_json::Value>, SourceError> {
    case_files(folder)?
        .iter()
        .map(|path| {
            let bytes = std::fs::read(path).map_err(|error| unreadable(path, error.to_string()))?;
            serde_json::from_slice(&bytes).map_err(|error| unreadable(path, error.to_string()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_a_manifest_with_its_cases_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("plugin.toml", "name = \"x\"\nversion = \"1.0.0\"\nevents = [\"*\"]\n[config]\ntype = \"object\"\n");
        std::fs::create_dir(folder.path().join("cases")).unwrap();
        write("cases/b.json", r#"{"name":"second"}"#);
        write("cases/a.json", r#"{"name":"first"}"#);
        let manifest = manifest(folder.path()).unwrap();
        let names: Vec<_> = manifest.cases.iter().map(|case| case["name"].as_str().unwrap()).collect();
        assert_eq!((manifest.name.as_str(), names), ("x", vec!["first", "second"]));
    }

    #[test]
    fn a_mistake_names_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = manifest(folder.path()).unwrap_err().to_string();
        assert!(error.contains("plugin.toml"), "{error}");
        std::fs::write(folder.path().join("plugin.toml"), "name = \"X\"\nversion = \"1.0.0\"\n").unwrap();
        let error = manifest(folder.path()).unwrap_err().to_string();
        assert!(error.contains("`name` is"), "{error}");
    }
}
