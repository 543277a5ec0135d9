//! `hookwright plugin new`: a plugin to begin with.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::sdk;
use crate::cli::Failure;
use crate::domain::plugin::is_name;

macro_rules! template {
    ($name:literal) => {
        include_str!(concat!("../../../templates/plugin/rust/", $name, ".txt"))
    };
}

/// Where each file goes, and what stands in it.
const RUST: [(&str, &str); 8] = [
    ("Cargo.toml", template!("Cargo.toml")),
    ("plugin.toml", template!("plugin.toml")),
    ("README.md", template!("README.md")),
    (".gitignore", "/target\n*.wasm\n"),
    (".cargo/config.toml", template!("config.toml")),
    ("src/lib.rs", template!("lib.rs")),
    ("tests/cases.rs", template!("cases.rs")),
    ("cases/ticket-created.json", template!("ticket-created.json")),
];

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct NewArgs {
    /// The plugin's name: 1 to 64 of a-z, 0-9 and -
    name: String,
    /// The folder to make [default: the name]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(super) fn run(args: &NewArgs) -> Result<ExitCode, Failure> {
    let NewArgs { name, folder } = args;
    if !is_name(name) || !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        return Err(format!("{name:?} is no name: it has 1 to 64 of a-z, 0-9 and -, and begins with a letter").into());
    }
    let folder = folder.clone().unwrap_or_else(|| PathBuf::from(name));
    if std::fs::read_dir(&folder).is_ok_and(|mut files| files.next().is_some()) {
        return Err(format!("{} is not empty", folder.display()).into());
    }
    write(&folder, name)?;
    println!("{}: a plugin that posts a line of text for each ticket. Next:", folder.display());
    println!("  cd {}", folder.display());
    println!("  cargo test               # the golden cases in cases/, natively");
    println!("  hookwright plugin test   # the same in the server's sandbox");
    Ok(ExitCode::SUCCESS)
}

fn write(folder: &Path, name: &str) -> Result<(), Failure> {
    for (file, template) in RUST {
        let text = template.replace("{{name}}", name).replace("{{crate}}", &name.replace('-', "_"));
        let path = folder.join(file);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    sdk::write(&folder.join("sdk"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::plugin::source;

    #[test]
    fn a_new_plugin_has_a_manifest_and_a_case() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "my-2nd-plugin").unwrap();
        let manifest = source::manifest(folder.path()).unwrap();
        assert_eq!((manifest.name.as_str(), manifest.cases.len()), ("my-2nd-plugin", 1));
        for (file, _) in RUST {
            let text = std::fs::read_to_string(folder.path().join(file)).unwrap();
            assert!(!text.contains("{{"), "{file}: {text}");
        }
        let tests = std::fs::read_to_string(folder.path().join("tests/cases.rs")).unwrap();
        assert!(tests.contains("use my_2nd_plugin_plugin::TicketLines;"), "{tests}");
    }
}
