//! The schema of the configuration that the SDK derives of an author's type: the compiler leaves it in a custom section of
//! the module, and the manifest is where it belongs.

use serde_json::Value;
use wasmparser::{Parser, Payload};

use crate::cli::Failure;
use crate::domain::plugin::Manifest;

/// Where the macro `export!` of the SDK puts it.
pub(super) const SECTION: &str = "hookwright:config";

/// Puts the schema that a module brings into its manifest, unless there is none.
pub(super) fn put_in(manifest: &mut Manifest, module: &[u8]) -> Result<(), Failure> {
    let Some(schema) = schema(module)? else { return Ok(()) };
    if manifest.config.as_object().is_some_and(|written| !written.is_empty()) {
        return Err("there are two schemas of the configuration: plugin.toml has [config], and the plugin's type has \
                    #[configuration]; take one of them out"
            .into());
    }
    manifest.config = schema;
    Ok(())
}

/// What stands in the section.
fn schema(module: &[u8]) -> Result<Option<Value>, Failure> {
    let mut text = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::CustomSection(section) = payload?
            && section.name() == SECTION
        {
            text.extend_from_slice(section.data());
        }
    }
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    let unreadable = |error: serde_json::Error| {
        format!("the module's schema of the configuration cannot be read: {error}; a plugin has one `export!` only")
    };
    Ok(Some(serde_json::from_slice(&text).map_err(unreadable)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wasm_encoder::{CustomSection, Module};

    use super::*;

    fn module(sections: &[&str]) -> Vec<u8> {
        let mut module = Module::new();
        for text in sections {
            module.section(&CustomSection { name: SECTION.into(), data: text.as_bytes().into() });
        }
        module.finish()
    }

    fn with(config: &Value, module: &[u8]) -> Result<Value, String> {
        let manifest = json!({ "name": "x", "version": "1.0.0", "events": ["*"], "config": config });
        let mut manifest = Manifest::parse(manifest.to_string().as_bytes()).unwrap();
        put_in(&mut manifest, module).map_err(|error| error.to_string())?;
        Ok(manifest.config)
    }

    #[test]
    fn a_derived_schema_is_the_manifests() {
        let (derived, object) = (module(&[r#"{"type":"object"}"#]), json!({ "type": "object" }));
        assert_eq!(with(&json!({}), &derived), Ok(object.clone()));
        assert!(with(&object, &derived).unwrap_err().contains("take one of them out"));
        for none in [module(&[]), module(&[" "])] {
            assert_eq!(with(&object, &none), Ok(object.clone()));
        }
        assert!(with(&json!({}), &module(&["{}", "{}"])).unwrap_err().contains("one `export!`"));
    }
}
