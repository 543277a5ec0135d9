use hookwright_sdk::config::{Configuration, schema};
use hookwright_sdk::{Plugin, testing};
use serde_json::Value;

use crate::{KINDS, payload};

/// Checks that what `plugin.toml` calls a default is what the plugin does when nothing is said. `config` holds what
/// is required.
///
/// # Panics
/// When the plugin does something else, or when there is no default at all.
pub fn defaults_agree<P: Plugin>(manifest: &str, config: &Value) {
    let mut said = config.clone();
    let mut property = None;
    let mut count = 0;
    for line in manifest.lines() {
        if let Some(table) = line.strip_prefix('[') {
            let path = table.trim_end_matches(']').strip_prefix("config.properties.");
            property = path.filter(|path| !path.contains('.'));
        } else if let (Some(name), Some(default)) = (property, line.strip_prefix("default = ")) {
            // The defaults here are written the same in TOML and JSON.
            said[name] = serde_json::from_str(default).unwrap_or_else(|error| panic!("{name}: {default}: {error}"));
            count += 1;
        }
    }
    assert!(count > 0, "the manifest has no defaults");
    agree::<P>(config, &said);
}

/// Checks that the schema which the configuration's type derives is this one, and like [`defaults_agree`].
///
/// # Panics
/// When it is another one, when the plugin does something else, or when there is no default at all.
pub fn schema_agrees<P: Plugin<Config: Configuration>>(expected: &str, config: &Value) {
    let derived: Value = serde_json::from_str(&schema::<P::Config>()).expect("the schema is JSON");
    let expected: Value = serde_json::from_str(expected).expect("JSON");
    assert_eq!(derived, expected, "{derived:#}");
    let mut said = config.clone();
    for (name, property) in derived["properties"].as_object().expect("an object") {
        if let Some(default) = property.get("default") {
            said[name] = default.clone();
        }
    }
    assert_ne!(said, *config, "the schema has no defaults");
    agree::<P>(config, &said);
}

/// What a plugin does when nothing is said, and when all defaults are.
fn agree<P: Plugin>(config: &Value, said: &Value) {
    for kind in KINDS {
        let event = testing::event(kind).payload(payload(kind, "Export fails", 2)).build();
        let (silent, said) = (testing::run::<P>(&event, config.clone()), testing::run::<P>(&event, said.clone()));
        assert_eq!(silent, said, "{kind}");
    }
}
