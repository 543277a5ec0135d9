//! The example plugins, as `make plugins` leaves them.

use std::path::{Path, PathBuf};

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
