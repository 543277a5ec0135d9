//! Plugins that misbehave, assembled here so that no tool chain for WebAssembly is needed.

use std::{borrow::Cow, path::Path};

use serde_json::json;
use wasm_encoder::{ComponentSection, CustomSection};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

/// What every guest logs before it misbehaves.
pub const LAST_WORDS: &str = "about to misbehave";

/// What a guest does instead of transforming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guest {
    /// Runs for ever.
    Looper,
    /// Takes memory until it gets no more.
    Hoarder,
    /// Executes `unreachable`.
    Trapper,
}

impl Guest {
    pub fn name(self) -> &'static str {
        match self {
            Self::Looper => "looper",
            Self::Hoarder => "hoarder",
            Self::Trapper => "trapper",
        }
    }

    /// The component with its manifest, ready for an upload.
    pub fn component(self) -> Vec<u8> {
        let mut component = ComponentEncoder::default()
            .module(&self.module())
            .expect("a module of the world `plugin`")
            .validate(true)
            .encode()
            .expect("a component");
        let manifest = json!({
            "name": self.name(),
            "version": "0.1.0",
            "summary": "Misbehaves, for tests",
            "events": ["*"],
            "config": { "type": "object" },
            "secrets": {},
            "cases": [],
        });
        CustomSection {
            name: Cow::Borrowed("hookwright:manifest"),
            data: Cow::Owned(manifest.to_string().into_bytes()),
        }
        .append_to_component(&mut component);
        component
    }

    fn module(self) -> Vec<u8> {
        let text = include_str!("module.wat")
            .replace(";; MISCHIEF", self.mischief())
            .replace("LAST_WORDS_LENGTH", &LAST_WORDS.len().to_string())
            .replace("LAST_WORDS", LAST_WORDS);
        let mut module = wat::parse_str(text).expect("module.wat is WebAssembly text");

        let mut resolve = Resolve::default();
        let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/v1");
        let (package, _) = resolve.push_dir(contract).expect("the contract parses");
        let world = resolve.select_world(&[package], Some("plugin")).expect("the world `plugin`");
        wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
            .expect("the metadata is embedded");
        module
    }

    fn mischief(self) -> &'static str {
        match self {
            Self::Looper => "(loop (br 0))",
            // Falls through to the `unreachable` when refused, as an allocator that panics does.
            Self::Hoarder => "(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))",
            Self::Trapper => "",
        }
    }
}
