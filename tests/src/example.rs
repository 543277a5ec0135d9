//! The example plugins, as `make plugins` leaves them.

use std::path::{Path, PathBuf};

/// The ready integrations.
pub const READY: [&str; 10] = [
    "azure-devops",
    "cloudevents",
    "discord",
    "github-issues",
    "jira",
    "lead-router",
    "pivotal-tracker",
    "slack",
    "teams",
    "trello",
];

/// Where they are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins-examples/target/plugins")
}

/// What builds plugins here, however the target came onto this machine.
pub fn cargo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/wasm-target.sh")
}

/// The component of an example plugin.
pub fn example(name: &str) -> Vec<u8> {
    let path = folder().join(format!("{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; `make plugins` builds the example plugins", path.display()))
}

/// Makes a folder with the ready integrations and nothing else, as a server offers them.
pub fn gallery(folder: &Path) {
    std::fs::create_dir(folder).expect("the folder is made");
    for name in READY {
        std::fs::write(folder.join(format!("{name}.wasm")), example(name)).expect("the file is written");
    }
}
