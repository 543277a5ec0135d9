//! Every public item of the SDK has an example, which the documentation's tests run.

use std::fs;
use std::path::{Path, PathBuf};

/// Generated, or reached only through a macro.
const NOT_FOR_AUTHORS: [&str; 2] = ["bindings.rs", "guest.rs"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && name != "tests.rs"
            && !NOT_FOR_AUTHORS.contains(&name.as_str())
        {
            found.push(path);
        }
    }
    found.sort();
}

/// The public items of a file, as `line: name`, with whether they have an example.
fn items(text: &str) -> Vec<(String, bool)> {
    const KINDS: [&str; 8] =
        ["fn ", "const fn ", "struct ", "enum ", "trait ", "const ", "mod ", "use hookwright_sdk_macros"];
    let mut found = Vec::new();
    let (mut example, mut hidden, mut exported) = (false, false, false);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("mod tests {") {
            break;
        }
        let kind = line.strip_prefix("pub ").and_then(|rest| KINDS.iter().find_map(|kind| rest.strip_prefix(kind)));
        let name = match kind {
            Some(rest) => Some(rest),
            None if exported => line.strip_prefix("macro_rules! "),
            None => None,
        };
        if line.starts_with("///") {
            example |= line.contains("```");
            continue;
        }
        if line.starts_with("#[") || (line.starts_with('#') && line.ends_with(']')) {
            hidden |= line.contains("doc(hidden)");
            exported |= line.contains("macro_export");
            continue;
        }
        // A module's example stands in it.
        let is_file = line.starts_with("pub mod ");
        if let Some(name) = name.filter(|_| !hidden && !is_file) {
            let name: String = name.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
            found.push((format!("{}: {name}", index + 1), example));
        }
        (example, hidden, exported) = (false, false, false);
    }
    found
}

#[test]
fn every_public_item_has_an_example() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let (mut count, mut lacking) = (0, Vec::new());
    for path in &files {
        for (item, has_example) in items(&fs::read_to_string(path).expect("a file")) {
            count += 1;
            if !has_example {
                lacking.push(format!("{}:{item}", path.display()));
            }
        }
    }
    // So that an item which is not found any more is noticed.
    assert!(count > 150, "only {count} public items were found");
    assert!(lacking.is_empty(), "{} of {count} have no example:\n{}", lacking.len(), lacking.join("\n"));
}

#[test]
fn an_item_without_an_example_is_noticed() {
    let text = "/// One.\n///\n/// ```\n/// ```\n#[must_use]\npub fn one() {}\n/// Two.\npub struct Two;\n#[doc(hidden)]\npub fn three() {}\n\
                pub(crate) fn four() {}\n#[macro_export]\nmacro_rules! five {}\n";
    let expected = [("6: one".to_owned(), true), ("8: Two".to_owned(), false), ("13: five".to_owned(), false)];
    assert_eq!(items(text), expected);
}
