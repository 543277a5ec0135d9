//! The example plugins, as `make plugins` leaves them.

use std::path::Path;

/// The component of an example plugin.
pub fn example(name: &str) -> Vec<u8> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins-examples/target/plugins").join(format!("{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; `make plugins` builds the example plugins", path.display()))
}
