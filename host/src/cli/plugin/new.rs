//! `hookwright plugin new`: a plugin to begin with.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::language::Language;
use super::sdk;
use crate::cli::Failure;
use crate::domain::plugin::is_name;

macro_rules! template {
    ($name:literal) => {
        include_str!(concat!("../../../templates/plugin/", $name, ".txt"))
    };
}

/// Where each file goes, and what stands in it.
type Files = &'static [(&'static str, &'static str)];

const RUST: Files = &[
    ("Cargo.toml", template!("rust/Cargo.toml")),
    ("plugin.toml", template!("rust/plugin.toml")),
    ("README.md", template!("rust/README.md")),
    (".gitignore", "/target\n*.wasm\n"),
    (".cargo/config.toml", template!("rust/config.toml")),
    ("src/lib.rs", template!("rust/lib.rs")),
    ("tests/cases.rs", template!("rust/cases.rs")),
    ("cases/ticket-created.json", template!("ticket-created.json")),
];

const JAVASCRIPT: Files = &[
    ("package.json", template!("javascript/package.json")),
    (".npmrc", template!("javascript/npmrc")),
    ("plugin.toml", template!("scripted-plugin.toml")),
    ("README.md", template!("javascript/README.md")),
    (".gitignore", "/node_modules\n/target\n*.wasm\n"),
    ("src/plugin.js", template!("javascript/plugin.js")),
    ("cases/ticket-created.json", template!("ticket-created.json")),
];

const PYTHON: Files = &[
    ("requirements.txt", template!("python/requirements.txt")),
    ("plugin.toml", template!("scripted-plugin.toml")),
    ("README.md", template!("python/README.md")),
    (".gitignore", "/venv\n/target\n__pycache__\n*.wasm\n"),
    ("src/plugin.py", template!("python/plugin.py")),
    ("cases/ticket-created.json", template!("ticket-created.json")),
];

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct NewArgs {
    /// The plugin's name: 1 to 64 of a-z, 0-9 and -
    name: String,
    /// What it is written in
    #[arg(long, value_name = "LANGUAGE", default_value = "rust")]
    lang: Language,
    /// The folder to make [default: the name]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(super) fn run(args: &NewArgs) -> Result<ExitCode, Failure> {
    let NewArgs { name, lang, folder } = args;
    if !is_name(name) || !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        return Err(format!("{name:?} is no name: it has 1 to 64 of a-z, 0-9 and -, and begins with a letter").into());
    }
    let folder = folder.clone().unwrap_or_else(|| PathBuf::from(name));
    if std::fs::read_dir(&folder).is_ok_and(|mut files| files.next().is_some()) {
        return Err(format!("{} is not empty", folder.display()).into());
    }
    write(&folder, name, *lang)?;
    println!("{}: a plugin that posts a line of text for each ticket. Next:", folder.display());
    println!("  cd {}", folder.display());
    match lang {
        Language::Rust => {
            println!("  cargo test               # the golden cases in cases/, natively");
            println!("  hookwright plugin test   # the same in the server's sandbox");
        }
        Language::Javascript => {
            println!("  hookwright plugin test   # the golden cases in cases/, in the server's sandbox");
            println!("The first build runs `npm install`, which needs Node.js 18 or later.");
        }
        Language::Python => {
            println!("  hookwright plugin test   # the golden cases in cases/, in the server's sandbox");
            println!("The first build makes the folder venv with pip, which needs Python 3.10 or later.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn files(language: Language) -> Files {
    match language {
        Language::Rust => RUST,
        Language::Javascript => JAVASCRIPT,
        Language::Python => PYTHON,
    }
}

fn write(folder: &Path, name: &str, language: Language) -> Result<(), Failure> {
    for (file, template) in files(language) {
        let text = template.replace("{{name}}", name).replace("{{crate}}", &name.replace('-', "_"));
        let path = folder.join(file);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    sdk::write(language, &folder.join("sdk"))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;
    use crate::cli::plugin::source;

    #[test]
    fn a_new_plugin_has_a_manifest_and_a_case() {
        for language in Language::value_variants() {
            let folder = tempfile::tempdir().unwrap();
            write(folder.path(), "my-2nd-plugin", *language).unwrap();
            let manifest = source::manifest(folder.path()).unwrap();
            assert_eq!((manifest.name.as_str(), manifest.cases.len()), ("my-2nd-plugin", 1));
            for (file, _) in files(*language) {
                let text = std::fs::read_to_string(folder.path().join(file)).unwrap();
                assert!(!text.contains("{{name}}") && !text.contains("{{crate}}"), "{file}: {text}");
            }
        }
    }

    #[test]
    fn a_new_plugin_in_rust_names_its_crate() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "my-2nd-plugin", Language::Rust).unwrap();
        let tests = std::fs::read_to_string(folder.path().join("tests/cases.rs")).unwrap();
        assert!(tests.contains("use my_2nd_plugin_plugin::TicketLines;"), "{tests}");
    }
}
